/*
 * banned.h - calls that do not compile here; the Makefile includes it before
 * everything else.
 *
 * The headers that declare them come first: what those say about their own
 * functions is none of our business.
 */
#ifndef PGREKEY_BANNED_H
#define PGREKEY_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Macros where the C library checks sizes; poison wants plain names. */
#undef sprintf
#undef vsprintf

/* No bounds. */
#pragma GCC poison strcpy stpcpy strcat sprintf vsprintf gets
/* Cannot tell a number from rubbish. */
#pragma GCC poison atoi atol atoll atof
/* State shared by all threads. */
#pragma GCC poison strtok
/* A shell, or a name that somebody else may take meanwhile. */
#pragma GCC poison system popen tmpnam tempnam mktemp

#endif
