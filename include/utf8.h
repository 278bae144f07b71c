/*
 * utf8.h - is it UTF-8? (RFC 3629: no surrogates, no overlong forms.)
 */
#ifndef PGREKEY_UTF8_H
#define PGREKEY_UTF8_H

#include "slice.h"

/* Bytes of the character at the start of s; 0 if there is no whole, valid
 * one. */
size_t utf8_char(struct slice s);

/* A whole character that can drive a terminal: C0, DEL, C1. */
bool utf8_is_control(struct slice c);

#endif
