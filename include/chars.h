/*
 * chars.h - kinds of characters in ASCII, whatever the locale is.
 */
#ifndef PGREKEY_CHARS_H
#define PGREKEY_CHARS_H

#include <stdbool.h>

/* Inside a line. */
static inline bool
is_blank(int c)
{
	return c == ' ' || c == '\t';
}

/* Lines end by it, too. */
static inline bool
is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

#endif
