/*
 * base64.h - RFC 4648 base64, strictly or as Python's b64decode reads it.
 *
 * Pure functions, no allocation, any thread. Output buffers belong to the
 * caller and never overlap the input.
 */
#ifndef PGREKEY_BASE64_H
#define PGREKEY_BASE64_H

#include "slice.h"
#include <stdint.h>

enum base64_alphabet {
	BASE64_STD, /* + and / */
	BASE64_URL, /* - and _ */
};

/* What a lenient decoder had to overlook. */
enum base64_note {
	BASE64_SPACE = 1 << 0,    /* white space skipped */
	BASE64_PADDING = 1 << 1,  /* surplus = skipped */
	BASE64_ALPHABET = 1 << 2, /* characters of the other alphabet */
	BASE64_TRAILING = 1 << 3, /* non-zero bits behind the last byte */
	BASE64_JUNK = 1 << 4,     /* other characters skipped: lossy */
	BASE64_BEHIND = 1 << 5,   /* anything but space or = behind the
				     padding that ended it: lossy */
};
#define BASE64_LOSSY (BASE64_JUNK | BASE64_BEHIND)

#define BASE64_ENCODED_SIZE(n) (((n) + 2) / 3 * 4)
/* Never less than what decoding n characters can give. */
#define BASE64_DECODED_MAX(n) ((n) / 4 * 3 + 3)

/* Writes BASE64_ENCODED_SIZE(in.len) characters, with padding, no NUL. */
void base64_encode(char *ret, struct slice in, enum base64_alphabet alphabet);

/* Canonical base64 only: right alphabet, full padding, zero trailing bits.
 * Returns the number of bytes, or -1. ret has BASE64_DECODED_MAX(in.len). */
long base64_decode(
	unsigned char *ret, struct slice in, enum base64_alphabet alphabet);

/* As Python's base64.b64decode (BASE64_STD) or urlsafe_b64decode (BASE64_URL)
 * without validation: skips what is not in the alphabet, stops at the first
 * padding that completes a group. -1 where Python raises. For BASE64_URL both
 * alphabets are read, as Python does; BASE64_ALPHABET is noted only for
 * characters a canonical text of that alphabet would not have and that Python
 * decodes all the same. *notes is a set of enum base64_note. */
long base64_decode_lenient(unsigned char *ret, unsigned *notes, struct slice in,
	enum base64_alphabet alphabet);

#endif
