/*
 * format_int.h - what the formats share among themselves.
 */
#ifndef PGREKEY_FORMAT_INT_H
#define PGREKEY_FORMAT_INT_H

#include "base64.h"
#include "format.h"

extern const struct format format_sentry;

/* Replace the contents of ret by what base64 text stands for; the length or
 * -1. The lenient one adds what it overlooked to *notes. */
long spelling_decode(
	struct buf *ret, struct slice in, enum base64_alphabet alphabet);
long spelling_decode_lenient(struct buf *ret, unsigned *notes, struct slice in,
	enum base64_alphabet alphabet);
/* Static text for a set of enum base64_note, the gravest first. */
const char *spelling_overlooked(unsigned notes);
/* Appends base64 text. */
void spelling_encode(
	struct buf *ret, struct slice in, enum base64_alphabet alphabet);

/* Whose envelope an unmarked value looks like, or NULL. Cautious: a value that
 * is named here is left alone and listed, never sealed a second time. */
const char *foreign_envelope(struct slice value);

enum member_result {
	MEMBER_NONE, /* not an object with exactly this one member */
	MEMBER_FOUND,
	MEMBER_TWICE, /* found, but named more than once: the last counts */
};

/* Is text an object with exactly one member of this name, holding a string?
 * *ret is the string, unescaped; it points into text or scratch. */
enum member_result json_only_member(struct slice *ret, struct slice text,
	const char *name, struct buf *scratch);

/* Is text a single JSON string? *ret as above. */
bool json_only_string(
	struct slice *ret, struct slice text, struct buf *scratch);

#endif
