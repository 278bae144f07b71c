#include "recognise.h"
#include <stdlib.h>

struct recogniser {
	struct keyring none;
	struct fernet *fernet;
	struct format_scratch scratch;
	struct buf plain;
};

int
recogniser_new(struct recogniser **ret, struct err *err)
{
	struct recogniser *r = xcalloc(1, sizeof(*r));

	format_scratch_init(&r->scratch, SIZE_MAX);
	buf_init_secret(&r->plain, SIZE_MAX);
	if (fernet_new(&r->fernet, &r->none, err) < 0) {
		recogniser_free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void
recogniser_free(struct recogniser *r)
{
	if (!r)
		return;
	fernet_free(r->fernet);
	format_scratch_done(&r->scratch);
	buf_done(&r->plain);
	free(r);
}

/* No key opens anything here: unknown is what a sound token is. Decoded
 * leniently, nearly any text is base64, so what is only marked must be
 * spelled right. */
static bool
is_whole(struct recogniser *r, const struct format *f, const struct envelope *e)
{
	struct opening o =
		f->open(&r->plain, e, r->fernet, &r->none, &r->scratch);

	return o.result == OPENED_UNKNOWN ||
	       (o.result == OPENED_OK && !o.lenient);
}

const struct format *
recognise(struct slice *key_id, struct recogniser *r, struct slice value,
	enum carrier carrier)
{
	const struct format *found = NULL;

	for (const struct format *const *f = formats; *f && !found; f++) {
		struct envelope e;

		(*f)->parse(&e, value, carrier, &r->scratch);
		if (e.kind != ENVELOPE_SEALED && e.kind != ENVELOPE_PLAINTEXT)
			continue;
		if (!is_whole(r, *f, &e))
			continue;
		*key_id = e.key_id;
		found = *f;
	}
	buf_reset(&r->plain);
	return found;
}

static bool
is_any(struct slice text, enum carrier carrier, struct format_scratch *s)
{
	for (const struct format *const *f = formats; *f; f++) {
		struct envelope e;

		(*f)->parse(&e, text, carrier, s);
		if (e.kind != ENVELOPE_RAW)
			return true;
	}
	return false;
}

bool
recognise_within(struct slice text)
{
	struct format_scratch s;
	bool found;

	format_scratch_init(&s, SIZE_MAX);
	/* In JSON it may be spelled with escapes. */
	found = is_any(text, CARRIER_JSON, &s);
	for (; text.len > 0 && !found; text = slice_skip(text, 1))
		found = is_any(text, CARRIER_TEXT, &s);
	format_scratch_done(&s);
	return found;
}
