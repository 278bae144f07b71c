/*
 * test.h - cmocka and the headers it needs, in the right order.
 */
#ifndef PGREKEY_TEST_H
#define PGREKEY_TEST_H

/* clang-format off: cmocka.h needs these four before it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#endif
