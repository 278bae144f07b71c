/*
 * base64_int.h - the front part of a long text, sixteen characters at a time.
 *
 * Where the processor cannot, they do nothing, and the caller does it all.
 */
#ifndef PGREKEY_BASE64_INT_H
#define PGREKEY_BASE64_INT_H

#include "base64.h"

#define BASE64_WIDE 16 /* characters; they stand for 12 bytes */

/* Returns how many bytes of in were encoded, a multiple of 12. */
size_t base64_encode_wide(
	char *ret, struct slice in, enum base64_alphabet alphabet);

/* Returns how many characters of in were decoded, a multiple of 16 that leaves
 * at least the last group. *ok is false if one of them is none of the alphabet.
 * May write to ret, which has BASE64_DECODED_MAX(in.len), behind the bytes that
 * they stand for. */
size_t base64_decode_wide(unsigned char *ret, bool *ok, struct slice in,
	enum base64_alphabet alphabet);

#endif
