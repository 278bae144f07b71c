/*
 * sentry - Sentry's encrypted fields.
 *
 *   enc:fernet:<key id>:<base64 of the Fernet token, itself base64url>
 *   enc:plaintext:<base64 of the bytes>
 *   enc:tink:...                          reserved, never touched
 *
 * in a text column, or as the only member of a JSON object. Whatever the
 * application can read is read here too: its b64decode skips what it does not
 * know, so a strict decoder would call readable values garbage.
 */
#include "base64.h"
#include "format_int.h"
#include "quote.h"

#define FERNET_MARK "enc:fernet:"
#define PLAINTEXT_MARK "enc:plaintext:"
#define TINK_MARK "enc:tink:"
#define MEMBER "sentry_encrypted_field_value"
/* As json.dumps and PostgreSQL's jsonb both write it. */
#define JSON_HEAD "{\"" MEMBER "\": \""
#define JSON_TAIL "\"}"

/* -- SQL side -------------------------------------------------------------- */

/* What a value that needs nothing begins with. */
static void
current_prefix(struct buf *ret, const char *key_id)
{
	if (key_id) {
		buf_adds(ret, FERNET_MARK);
		buf_adds(ret, key_id);
		buf_addc(ret, ':');
	} else {
		buf_adds(ret, PLAINTEXT_MARK);
	}
}

/* json has no equality: the text must be spelled as we spell it, so that the
 * first quote behind the prefix is the one that closes the object. Another
 * spelling is fetched and judged, which is slower but never wrong. */
static void
json_current(struct buf *sql, const char *column, const char *prefix)
{
	struct buf head;
	size_t len;

	buf_init(&head, SIZE_MAX);
	buf_adds(&head, JSON_HEAD);
	buf_adds(&head, prefix);
	len = head.len;
	buf_addf(sql, "(starts_with(%s::text, ", column);
	quote_literal(sql, buf_str(&head));
	buf_addf(sql,
		") AND strpos(substr(%s::text, %zu), '\"') = "
		"length(%s::text) - %zu)",
		column, len + 1, column, len + 1);
	buf_done(&head);
}

static void
jsonb_current(struct buf *sql, const char *column, const char *prefix)
{
	buf_addf(sql,
		"CASE WHEN %s IS NULL THEN NULL ELSE "
		"coalesce(starts_with(%s ->> '" MEMBER "', ",
		column, column);
	quote_literal(sql, prefix);
	buf_addf(sql,
		"), false) AND jsonb_build_object('" MEMBER "', %s -> '" MEMBER
		"') = %s END",
		column, column);
}

static void
sentry_sql_current(struct buf *sql, const char *column, enum carrier carrier,
	const char *key_id)
{
	struct buf prefix;

	buf_init(&prefix, SIZE_MAX);
	current_prefix(&prefix, key_id);
	switch (carrier) {
	case CARRIER_TEXT:
		buf_addf(sql, "starts_with(%s::text, ", column);
		quote_literal(sql, buf_str(&prefix));
		buf_addc(sql, ')');
		break;
	case CARRIER_JSON:
		json_current(sql, column, buf_str(&prefix));
		break;
	case CARRIER_JSONB:
		jsonb_current(sql, column, buf_str(&prefix));
		break;
	}
	buf_done(&prefix);
}

/* The token of n bytes, through both layers of base64. Integer divisions, as
 * in FERNET_SEALED_SIZE and BASE64_ENCODED_SIZE. */
static void
add_sealed_length(struct buf *sql, const char *bytes, size_t head)
{
	buf_addf(sql,
		"%zu + (((57 + (%s / 16 + 1) * 16 + 2) / 3 * 4) + 2) / 3 * 4",
		head, bytes);
}

static void
sentry_sql_new_length(
	struct buf *sql, const char *column, const char *key_id, bool raw_too)
{
	size_t head = strlen(FERNET_MARK) + strlen(key_id) + 1;
	struct buf bytes;

	buf_init(&bytes, SIZE_MAX);
	buf_addf(sql,
		"CASE WHEN starts_with(%s::text, '" FERNET_MARK "') THEN "
		"length(%s::text) - length(split_part(%s::text, ':', 3)) + "
		"%zu WHEN starts_with(%s::text, '" PLAINTEXT_MARK "') THEN ",
		column, column, column, strlen(key_id), column);
	buf_addf(&bytes, "((length(%s::text) - %zu) / 4 * 3)", column,
		strlen(PLAINTEXT_MARK));
	add_sealed_length(sql, buf_str(&bytes), head);
	if (raw_too) {
		buf_reset(&bytes);
		buf_addf(&bytes, "octet_length(%s::text)", column);
		buf_addf(sql, " WHEN NOT starts_with(%s::text, 'enc:') THEN ",
			column);
		add_sealed_length(sql, buf_str(&bytes), head);
	}
	buf_adds(sql, " ELSE 0 END");
	buf_done(&bytes);
}

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
sentry_parse(struct envelope *ret, struct slice stored, enum carrier carrier,
	struct format_scratch *s)
{
	struct slice string;
	enum member_result found;

	if (carrier == CARRIER_TEXT) {
		parse_string(ret, stored);
		return;
	}
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

/* A writer whose decryption failed got the envelope itself as the value. From
 * a JSON column that is the object, or only the string inside it. */
static void
sentry_parse_inner(struct envelope *ret, struct slice plain,
	enum carrier carrier, struct format_scratch *s)
{
	struct slice string;

	sentry_parse(ret, plain, carrier, s);
	if (carrier != CARRIER_TEXT && !is_marked(ret) &&
		json_only_string(&string, plain, &s->string))
		parse_string(ret, string);
}

/* -- open ------------------------------------------------------------------ */

static long
decode_strict(struct buf *ret, struct slice in, enum base64_alphabet alphabet)
{
	unsigned char *room;
	long n;

	buf_reset(ret);
	room = buf_reserve(ret, BASE64_DECODED_MAX(in.len));
	n = room ? base64_decode(room, in, alphabet) : -1;
	if (n >= 0)
		buf_take(ret, (size_t)n);
	return n;
}

static long
decode_lenient(struct buf *ret, unsigned *notes, struct slice in,
	enum base64_alphabet alphabet)
{
	unsigned char *room;
	unsigned noted = 0;
	long n;

	buf_reset(ret);
	room = buf_reserve(ret, BASE64_DECODED_MAX(in.len));
	n = room ? base64_decode_lenient(room, &noted, in, alphabet) : -1;
	if (n >= 0)
		buf_take(ret, (size_t)n);
	*notes |= noted;
	return n;
}

static const char *
what_was_overlooked(unsigned notes)
{
	if (notes & BASE64_BEHIND)
		return "data behind the padding";
	if (notes & BASE64_JUNK)
		return "characters outside the alphabet";
	if (notes & BASE64_SPACE)
		return "white space in the base64";
	if (notes & BASE64_PADDING)
		return "surplus padding";
	if (notes & BASE64_ALPHABET)
		return "the other base64 alphabet";
	return "trailing bits that are not zero";
}

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

static bool
decode_body(enum spelling spelling, unsigned *notes, struct slice body,
	struct format_scratch *s)
{
	switch (spelling) {
	case SPELLING_CANONICAL:
		return decode_strict(&s->outer, body, BASE64_STD) >= 0 &&
		       decode_strict(&s->token, buf_slice(&s->outer),
			       BASE64_URL) >= 0;
	case SPELLING_LENIENT:
		return decode_lenient(&s->outer, notes, body, BASE64_STD) >=
			       0 &&
		       decode_lenient(&s->token, notes, buf_slice(&s->outer),
			       BASE64_URL) >= 0;
	case SPELLING_SINGLE:
		return decode_strict(&s->token, body, BASE64_URL) >= 0;
	case SPELLING_SINGLE_LENIENT:
		return decode_lenient(&s->token, notes, body, BASE64_URL) >= 0;
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
				o.what = what_was_overlooked(notes);
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

	if (decode_strict(plain, e->body, BASE64_STD) >= 0)
		return o;
	o.canonical = false;
	o.lenient = true;
	if (decode_lenient(plain, &notes, e->body, BASE64_STD) < 0) {
		o.result = OPENED_MALFORMED;
		o.what = "not base64";
		return o;
	}
	o.lossy = (notes & BASE64_LOSSY) != 0;
	o.what = what_was_overlooked(notes);
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

static void
encode_into(struct buf *ret, struct slice in, enum base64_alphabet alphabet)
{
	size_t size = BASE64_ENCODED_SIZE(in.len);
	unsigned char *room = buf_reserve(ret, size);

	if (!room)
		return;
	base64_encode((char *)room, in, alphabet);
	buf_take(ret, size);
}

/* A key id is printable ASCII; two of those need an escape. */
static void
add_key_id(struct buf *ret, const char *id, enum carrier carrier)
{
	for (; *id; id++) {
		if (carrier != CARRIER_TEXT && (*id == '"' || *id == '\\'))
			buf_addc(ret, '\\');
		buf_addc(ret, *id);
	}
}

static int
sentry_seal(struct buf *ret, struct slice plain, enum carrier carrier,
	struct fernet *f, const struct keyring *ring, size_t key, uint64_t time,
	const unsigned char iv[FERNET_IV], struct format_scratch *s)
{
	size_t size = FERNET_SEALED_SIZE(plain.len);
	unsigned char *room;

	buf_reset(&s->token);
	room = buf_reserve(&s->token, size);
	if (!room || fernet_seal(f, key, time, iv, plain, room) < 0)
		return -1;
	buf_take(&s->token, size);
	buf_reset(&s->spell);
	encode_into(&s->spell, buf_slice(&s->token), BASE64_URL);

	buf_reset(ret);
	buf_adds(ret, carrier == CARRIER_TEXT ? "" : JSON_HEAD);
	buf_adds(ret, FERNET_MARK);
	add_key_id(ret, ring->key[key].id, carrier);
	buf_addc(ret, ':');
	encode_into(ret, buf_slice(&s->spell), BASE64_STD);
	buf_adds(ret, carrier == CARRIER_TEXT ? "" : JSON_TAIL);
	return buf_over(ret) || buf_over(&s->spell) ? -1 : 0;
}

static void
sentry_mark(struct buf *ret, struct slice plain, enum carrier carrier)
{
	buf_reset(ret);
	buf_adds(ret, carrier == CARRIER_TEXT ? "" : JSON_HEAD);
	buf_adds(ret, PLAINTEXT_MARK);
	encode_into(ret, plain, BASE64_STD);
	buf_adds(ret, carrier == CARRIER_TEXT ? "" : JSON_TAIL);
}

const struct format format_sentry = {
	.name = "sentry",
	.sql_current = sentry_sql_current,
	.sql_new_length = sentry_sql_new_length,
	.parse = sentry_parse,
	.parse_inner = sentry_parse_inner,
	.open = sentry_open,
	.seal = sentry_seal,
	.mark = sentry_mark,
};
