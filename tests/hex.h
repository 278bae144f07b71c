/*
 * hex.h - bytes as the text in which tools and Python pass them to each other.
 */
#ifndef PGREKEY_TEST_HEX_H
#define PGREKEY_TEST_HEX_H

#include "err.h"
#include "slice.h"
#include <stdio.h>
#include <stdlib.h>

/* The bytes, on the heap; *ret is a view of them. */
static inline char *
unhex(struct slice *ret, const char *hex)
{
	size_t n = strlen(hex) / 2;
	unsigned char *bytes = xmalloc(n);

	for (size_t i = 0; i < n; i++) {
		const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};

		bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	*ret = slice_of(bytes, n);
	return (char *)bytes;
}

static inline void
print_hex(struct slice bytes)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.len; i++) {
		putchar(digit[bytes.ptr[i] >> 4]);
		putchar(digit[bytes.ptr[i] & 15]);
	}
}

#endif
