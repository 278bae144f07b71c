/*
 * sentry - Sentry's encrypted fields.
 *
 *   enc:fernet:<key id>:<base64 of the Fernet token, itself base64url>
 *   enc:plaintext:<base64 of the bytes>
 *   enc:tink:...                          reserved, never touched
 *
 * in a text column, or as the only member of a JSON object. Of a jsonb only the
 * string crosses the line; no JSON text can be taken for it, since none begins
 * with an e. Whatever the application can read is read here too: its b64decode
 * skips what it does not know, so a strict decoder would call readable values
 * garbage.
 */
#include "base64.h"
#include "format_int.h"
#include "sentry_int.h"

/* -- parse ----------------------------------------------------------------- */

static void
parse_sealed(struct envelope *ret, struct slice rest)
{
	const unsigned char *colon;

	colon = rest.len ? memchr(rest.ptr, ':', rest.len) : NULL;
	if (!colon || colon == rest.ptr) {
		ret->kind = ENVELOPE_MALFORMED;
		ret->what = "no key id";
		return;
	}
	ret->kind = ENVELOPE_SEALED;
	ret->key_id = slice_of(rest.ptr, (size_t)(colon - rest.ptr));
	ret->body = slice_skip(rest, ret->key_id.len + 1);
}

static void
parse_string(struct envelope *ret, struct slice s)
{
	*ret = (struct envelope){.kind = ENVELOPE_RAW};
	if (slice_starts(s, FERNET_MARK)) {
		parse_sealed(ret, slice_skip(s, strlen(FERNET_MARK)));
	} else if (slice_starts(s, PLAINTEXT_MARK)) {
		ret->kind = ENVELOPE_PLAINTEXT;
		ret->body = slice_skip(s, strlen(PLAINTEXT_MARK));
	} else if (slice_starts(s, TINK_MARK)) {
		ret->kind = ENVELOPE_UNSUPPORTED;
		ret->what = "enc:tink is reserved by the application";
	} else {
		ret->what = foreign_envelope(s);
		if (ret->what)
			ret->kind = ENVELOPE_FOREIGN;
	}
}

static bool
is_marked(const struct envelope *e)
{
	return e->kind != ENVELOPE_RAW && e->kind != ENVELOPE_FOREIGN;
}

static void
parse_json(struct envelope *ret, struct slice stored, struct format_scratch *s)
{
	struct slice string;
	enum member_result found;

	found = json_only_member(&string, stored, MEMBER, &s->string);
	if (found == MEMBER_NONE) { /* a raw JSON value, perhaps foreign */
		*ret = (struct envelope){.kind = ENVELOPE_RAW};
		ret->what = foreign_envelope(stored);
		if (!ret->what && json_only_string(&string, stored, &s->string))
			ret->what = foreign_envelope(string);
		if (ret->what)
			ret->kind = ENVELOPE_FOREIGN;
		return;
	}
	parse_string(ret, string);
	if (!is_marked(ret)) /* the member, but no envelope in it */
		*ret = (struct envelope){.kind = ENVELOPE_RAW};
	else
		ret->lossy = found == MEMBER_TWICE;
}

/* A jsonb that is a sealed envelope comes as the string in it, all else as its
 * own text. */
static void
sentry_parse(struct envelope *ret, struct slice text, enum carrier carrier,
	struct format_scratch *s)
{
	if (carrier == CARRIER_TEXT ||
		(carrier == CARRIER_JSONB && slice_starts(text, ANY_MARK)))
		parse_string(ret, text);
	else
		parse_json(ret, text, s);
}

/* A writer whose decryption failed got the envelope itself as the value. From
 * a JSON column that is the object, or only the string inside it. */
static void
sentry_parse_inner(struct envelope *ret, struct slice plain,
	enum carrier carrier, struct format_scratch *s)
{
	struct slice string;

	if (carrier == CARRIER_TEXT) {
		parse_string(ret, plain);
		return;
	}
	parse_json(ret, plain, s);
	if (!is_marked(ret) && json_only_string(&string, plain, &s->string))
		parse_string(ret, string);
}

/* -- open ------------------------------------------------------------------ */

/* The label's key first, it is nearly always the one. */
static bool
find_key(size_t *ret, struct slice token, struct slice label, struct fernet *f,
	const struct keyring *ring)
{
	long named = keyring_find(ring, label);

	if (named >= 0 && fernet_authentic(f, (size_t)named, token)) {
		*ret = (size_t)named;
		return true;
	}
	for (size_t i = 0; i < ring->count; i++) {
		if ((long)i != named && fernet_authentic(f, i, token)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* Opens the token in s->token. */
static void
open_token(struct opening *o, struct buf *plain, struct slice label,
	struct fernet *f, const struct keyring *ring, struct format_scratch *s)
{
	struct slice token = buf_slice(&s->token);
	enum fernet_shape shape = fernet_shape(token);
	unsigned char *room;
	long n;

	o->result = OPENED_MALFORMED;
	o->what = "not a Fernet token";
	if (shape == FERNET_NOT)
		return;
	if (!find_key(&o->key, token, label, f, ring)) {
		if (shape == FERNET_SOUND) {
			o->result = OPENED_UNKNOWN;
			o->what = NULL;
		}
		return;
	}
	buf_reset(plain);
	room = buf_reserve(plain, token.len);
	n = room ? fernet_decrypt(f, o->key, token, room) : -1;
	if (n < 0) {
		o->result = OPENED_CORRUPT;
		o->what = "signed by a known key, but no message inside";
		return;
	}
	buf_take(plain, (size_t)n);
	o->result = OPENED_OK;
	o->what = NULL;
	o->time = fernet_time(token);
}

/* The ways to read a body, in the order in which they are tried. */
enum spelling {
	SPELLING_CANONICAL, /* two layers, both strict */
	SPELLING_LENIENT,   /* two layers, as the application reads them */
	SPELLING_SINGLE,    /* one layer, as its documentation shows it */
	SPELLING_SINGLE_LENIENT,
	SPELLINGS
};

/* The application has the stored text as a str, and Python decodes no str
 * that is not ASCII, however leniently. */
static bool
is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] >= 0x80)
			return false;
	}
	return true;
}

static bool
decode_body(enum spelling spelling, unsigned *notes, struct slice body,
	struct format_scratch *s)
{
	switch (spelling) {
	case SPELLING_CANONICAL:
		return spelling_decode(&s->outer, body, BASE64_STD) >= 0 &&
		       spelling_decode(&s->token, buf_slice(&s->outer),
			       BASE64_URL) >= 0;
	case SPELLING_LENIENT:
		return is_ascii(body) &&
		       spelling_decode_lenient(
			       &s->outer, notes, body, BASE64_STD) >= 0 &&
		       spelling_decode_lenient(&s->token, notes,
			       buf_slice(&s->outer), BASE64_URL) >= 0;
	case SPELLING_SINGLE:
		return spelling_decode(&s->token, body, BASE64_URL) >= 0;
	case SPELLING_SINGLE_LENIENT:
		return is_ascii(body) && spelling_decode_lenient(&s->token,
						 notes, body, BASE64_URL) >= 0;
	case SPELLINGS:
		break;
	}
	return false;
}

static struct opening
open_sealed(struct buf *plain, const struct envelope *e, struct fernet *f,
	const struct keyring *ring, struct format_scratch *s)
{
	struct opening best = {
		.result = OPENED_MALFORMED,
		.what = "not base64",
	};

	for (int i = 0; i < SPELLINGS; i++) {
		struct opening o = {0};
		unsigned notes = 0;

		if (!decode_body((enum spelling)i, &notes, e->body, s))
			continue;
		open_token(&o, plain, e->key_id, f, ring, s);
		o.canonical = i == SPELLING_CANONICAL;
		o.lenient =
			i == SPELLING_LENIENT || i == SPELLING_SINGLE_LENIENT;
		o.lossy = (notes & BASE64_LOSSY) != 0;
		if (o.result == OPENED_OK || o.result == OPENED_CORRUPT) {
			if (o.result == OPENED_OK && o.lenient)
				o.what = spelling_overlooked(notes);
			return o;
		}
		if (best.result == OPENED_MALFORMED)
			best = o;
		/* A canonical token reads the same every other way. */
		if (i == SPELLING_CANONICAL && o.result == OPENED_UNKNOWN)
			break;
	}
	return best;
}

static struct opening
open_plaintext(struct buf *plain, const struct envelope *e)
{
	struct opening o = {.result = OPENED_OK, .canonical = true};
	unsigned notes = 0;

	if (spelling_decode(plain, e->body, BASE64_STD) >= 0)
		return o;
	o.canonical = false;
	o.lenient = true;
	if (!is_ascii(e->body) || spelling_decode_lenient(plain, &notes,
					  e->body, BASE64_STD) < 0) {
		o.result = OPENED_MALFORMED;
		o.what = "not base64";
		return o;
	}
	o.lossy = (notes & BASE64_LOSSY) != 0;
	o.what = spelling_overlooked(notes);
	return o;
}

static struct opening
sentry_open(struct buf *plain, const struct envelope *e, struct fernet *f,
	const struct keyring *ring, struct format_scratch *s)
{
	struct opening o = e->kind == ENVELOPE_PLAINTEXT
				   ? open_plaintext(plain, e)
				   : open_sealed(plain, e, f, ring, s);

	if (o.result == OPENED_OK && e->lossy) {
		o.canonical = false;
		o.lenient = o.lossy = true;
		o.what = "the JSON member is named twice";
	}
	return o;
}

/* -- seal ------------------------------------------------------------------ */

void
sentry_add_key_id(struct buf *ret, const char *id, enum carrier carrier)
{
	for (; *id; id++) {
		if (carrier == CARRIER_JSON && (*id == '"' || *id == '\\'))
			buf_addc(ret, '\\');
		buf_addc(ret, *id);
	}
}

static int
sentry_seal(struct buf *ret, const struct sealing *x, struct fernet *f,
	const struct keyring *ring, struct format_scratch *s)
{
	size_t size = FERNET_SEALED_SIZE(x->plain.len);
	bool json = x->carrier == CARRIER_JSON;
	unsigned char *room;

	buf_reset(&s->token);
	room = buf_reserve(&s->token, size);
	if (!room || fernet_seal(f, x->key, x->time, x->iv, x->plain, room) < 0)
		return -1;
	buf_take(&s->token, size);
	buf_reset(&s->spell);
	spelling_encode(&s->spell, buf_slice(&s->token), BASE64_URL);

	buf_reset(ret);
	buf_adds(ret, json ? JSON_HEAD : "");
	buf_adds(ret, FERNET_MARK);
	sentry_add_key_id(ret, ring->key[x->key].id, x->carrier);
	buf_addc(ret, ':');
	spelling_encode(ret, buf_slice(&s->spell), BASE64_STD);
	buf_adds(ret, json ? JSON_TAIL : "");
	return buf_over(ret) || buf_over(&s->spell) ? -1 : 0;
}

static void
sentry_mark(struct buf *ret, struct slice plain, enum carrier carrier)
{
	buf_reset(ret);
	buf_adds(ret, carrier == CARRIER_JSON ? JSON_HEAD : "");
	buf_adds(ret, PLAINTEXT_MARK);
	spelling_encode(ret, plain, BASE64_STD);
	buf_adds(ret, carrier == CARRIER_JSON ? JSON_TAIL : "");
}

/* As sentry_sql_text() has it: of a jsonb that is marked comes the whole. */
static size_t
sentry_text_length(struct slice fresh, enum carrier carrier)
{
	if (carrier != CARRIER_JSONB || slice_starts(fresh, FERNET_MARK))
		return fresh.len;
	return fresh.len + strlen(JSON_HEAD JSON_TAIL);
}

const struct format format_sentry = {
	.name = "sentry",
	.sql_text = sentry_sql_text,
	.sql_new = sentry_sql_new,
	.sql_current = sentry_sql_current,
	.sql_label = sentry_sql_label,
	.sql_candidate = sentry_sql_candidate,
	.sql_new_length = sentry_sql_new_length,
	.parse = sentry_parse,
	.parse_inner = sentry_parse_inner,
	.open = sentry_open,
	.seal = sentry_seal,
	.mark = sentry_mark,
	.text_length = sentry_text_length,
};
