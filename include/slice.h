/*
 * slice.h - bytes somebody else owns: a pointer and a length, no NUL.
 *
 * A slice is passed by value and lives as long as what it points into.
 */
#ifndef PGREKEY_SLICE_H
#define PGREKEY_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const unsigned char *ptr; /* may be NULL only when len is 0 */
	size_t len;
};

static inline struct slice
slice_of(const void *ptr, size_t len)
{
	return (struct slice){ptr, len};
}

static inline struct slice
slice_str(const char *s)
{
	return slice_of(s, strlen(s));
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

static inline bool
slice_starts(struct slice s, const char *prefix)
{
	size_t n;

	if (!*prefix)
		return true;
	/* Nearly all differ at once, and values meet many prefixes. */
	if (s.len == 0 || s.ptr[0] != (unsigned char)*prefix)
		return false;
	n = strlen(prefix);
	return s.len >= n && !memcmp(s.ptr, prefix, n);
}

/* What is left behind the first n bytes; n must not exceed s.len. */
static inline struct slice
slice_skip(struct slice s, size_t n)
{
	return slice_of(s.ptr + n, s.len - n);
}

#endif
