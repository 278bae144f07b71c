/*
 * test.h - cmocka and the headers it needs, in the right order.
 */
#ifndef PGREKEY_TEST_H
#define PGREKEY_TEST_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
