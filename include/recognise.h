/*
 * recognise.h - is this value an envelope? By its content alone, without keys.
 *
 * A recogniser serves one thread.
 */
#ifndef PGREKEY_RECOGNISE_H
#define PGREKEY_RECOGNISE_H

#include "format.h"

struct recogniser;

int recogniser_new(struct recogniser **ret, struct err *err) MUST_CHECK;
void recogniser_free(struct recogniser *r); /* wipes; NULL is fine */

/* The format whose envelope it is, or NULL. A marker is not enough: what is
 * behind it must be a sound token, or the base64 of a marked plaintext. *key_id
 * is empty for the latter; it points into value or r, until the next call. */
const struct format *recognise(struct slice *key_id, struct recogniser *r,
	struct slice value, enum carrier carrier);

/* May an envelope be in this text, of any format or another system, be it whole
 * or not? Wide where recognise() is exact: for what is shown to people. */
bool recognise_within(struct slice text);

#endif
