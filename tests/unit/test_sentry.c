/* How an envelope is taken apart, put together, and seen by the server. */
#include "../../src/format/sentry_int.h"
#include "values.h"

struct bench {
	struct format_scratch scratch;
	struct envelope e;
};

static int
begin(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	format_scratch_init(&b->scratch, 1 << 16);
	*state = b;
	return 0;
}

static int
end(void **state)
{
	struct bench *b = *state;

	format_scratch_done(&b->scratch);
	free(b);
	return 0;
}

static void
assert_parses(struct bench *b, enum carrier carrier, const char *stored,
	enum envelope_kind kind)
{
	format_find("sentry")->parse(
		&b->e, slice_str(stored), carrier, &b->scratch);
	if (b->e.kind != kind)
		fail_msg("%s: %d", stored, (int)b->e.kind);
}

static void
assert_is(struct slice got, const char *expected)
{
	assert_int_equal(got.len, strlen(expected));
	assert_memory_equal(got.ptr, expected, got.len);
}

static void
only_the_first_colon_behind_the_marker_splits(void **state)
{
	struct bench *b = *state;

	assert_parses(b, CARRIER_TEXT, "enc:fernet:k:b:c", ENVELOPE_SEALED);
	assert_is(b->e.key_id, "k");
	assert_is(b->e.body, "b:c");
	assert_parses(b, CARRIER_TEXT, "enc:fernet:k:", ENVELOPE_SEALED);
	assert_is(b->e.body, "");
	assert_parses(b, CARRIER_TEXT, "enc:fernet: k\n:b", ENVELOPE_SEALED);
	assert_is(b->e.key_id, " k\n");
	assert_parses(b, CARRIER_TEXT, "enc:plaintext:a:b", ENVELOPE_PLAINTEXT);
	assert_is(b->e.body, "a:b");
	assert_is(b->e.key_id, "");
}

static void
each_marker_has_its_kind_and_nearly_one_is_none(void **state)
{
	struct bench *b = *state;

	assert_parses(b, CARRIER_TEXT, "enc:fernet:", ENVELOPE_MALFORMED);
	assert_parses(b, CARRIER_TEXT, "enc:fernet:k", ENVELOPE_MALFORMED);
	assert_parses(b, CARRIER_TEXT, "enc:fernet::b", ENVELOPE_MALFORMED);
	assert_parses(b, CARRIER_TEXT, "enc:plaintext:", ENVELOPE_PLAINTEXT);
	assert_parses(b, CARRIER_TEXT, "enc:tink:", ENVELOPE_UNSUPPORTED);
	assert_parses(b, CARRIER_TEXT, "enc:fernet", ENVELOPE_FOREIGN);
	assert_parses(b, CARRIER_TEXT, "enc:Fernet:k:b", ENVELOPE_FOREIGN);
	assert_parses(b, CARRIER_TEXT, "enc:tink", ENVELOPE_FOREIGN);
	assert_parses(b, CARRIER_TEXT, "", ENVELOPE_RAW);
	assert_parses(b, CARRIER_TEXT, "en", ENVELOPE_RAW);
	assert_parses(b, CARRIER_TEXT, " enc:fernet:k:b", ENVELOPE_RAW);
	assert_parses(b, CARRIER_TEXT, "\"enc:fernet:k:b\"", ENVELOPE_RAW);
}

static void
json_has_an_envelope_only_as_its_one_member(void **state)
{
	struct bench *b = *state;

	assert_parses(
		b, CARRIER_JSON, HEAD "enc:fernet:k:b" TAIL, ENVELOPE_SEALED);
	assert_is(b->e.key_id, "k");
	assert_false(b->e.lossy);
	assert_parses(
		b, CARRIER_JSONB, HEAD "enc:tink:" TAIL, ENVELOPE_UNSUPPORTED);
	assert_parses(
		b, CARRIER_JSON, HEAD "enc:fernet:" TAIL, ENVELOPE_MALFORMED);
	assert_parses(b, CARRIER_JSON, HEAD "enc:other:" TAIL, ENVELOPE_RAW);
	assert_parses(b, CARRIER_JSON, HEAD "x" TAIL, ENVELOPE_RAW);
	assert_parses(b, CARRIER_JSON, "{}", ENVELOPE_RAW);
	assert_parses(b, CARRIER_JSON, "", ENVELOPE_RAW);
	assert_parses(b, CARRIER_JSON, "\"vault:v1:x\"", ENVELOPE_FOREIGN);
	assert_parses(b, CARRIER_JSON, "\"enc:fernet:k:b\"", ENVELOPE_FOREIGN);
	assert_parses(
		b, CARRIER_JSON, "{\"iv\":1,\"mac\":2}", ENVELOPE_FOREIGN);
	assert_parses(b, CARRIER_JSON,
		HEAD
		"x\",\"sentry_encrypted_field_value\":\"enc:fernet:k:b" TAIL,
		ENVELOPE_SEALED);
	assert_true(b->e.lossy);
}

/* As the server sends it; no JSON text begins like that. */
static void
the_string_alone_is_an_envelope_in_a_jsonb_only(void **state)
{
	struct bench *b = *state;
	const struct format *f = format_find("sentry");
	struct slice string = slice_str("enc:fernet:k:b");

	assert_parses(b, CARRIER_JSONB, "enc:fernet:k:b", ENVELOPE_SEALED);
	assert_is(b->e.key_id, "k");
	assert_is(b->e.body, "b");
	assert_parses(
		b, CARRIER_JSONB, "enc:plaintext:YQ==", ENVELOPE_PLAINTEXT);
	assert_parses(b, CARRIER_JSONB, "enc:fernet:k", ENVELOPE_MALFORMED);
	assert_parses(b, CARRIER_JSONB, "\"enc:fernet:k:b\"", ENVELOPE_FOREIGN);
	assert_parses(b, CARRIER_JSON, "enc:fernet:k:b", ENVELOPE_FOREIGN);
	/* A plaintext never came from the server. */
	f->parse_inner(&b->e, string, CARRIER_JSONB, &b->scratch);
	assert_int_equal(b->e.kind, ENVELOPE_FOREIGN);
}

static void
inside_a_plaintext_a_json_string_is_an_envelope_too(void **state)
{
	struct bench *b = *state;
	const struct format *f = format_find("sentry");
	struct slice string = slice_str("\"enc:fernet:k:b\"");

	f->parse_inner(&b->e, string, CARRIER_JSON, &b->scratch);
	assert_int_equal(b->e.kind, ENVELOPE_SEALED);
	f->parse_inner(&b->e, string, CARRIER_TEXT, &b->scratch);
	assert_int_equal(b->e.kind, ENVELOPE_RAW);
	f->parse_inner(&b->e, slice_str(HEAD "enc:fernet:k:b" TAIL),
		CARRIER_JSONB, &b->scratch);
	assert_int_equal(b->e.kind, ENVELOPE_SEALED);
	f->parse_inner(
		&b->e, slice_str("enc:fernet:k:b"), CARRIER_TEXT, &b->scratch);
	assert_int_equal(b->e.kind, ENVELOPE_SEALED);
}

static void
a_key_id_with_quotes_is_escaped_where_it_is_put_into_json(void **state)
{
	struct bench *b = *state;
	const struct format *format = format_find("sentry");
	uint8_t bytes[KEY_BYTES] = {1, 2, 3};
	struct key key = {.id = xstrdup("a\"\\b"), .bytes = bytes};
	struct keyring ring = {.key = &key, .count = 1, .has_primary = true};
	struct sealing x = {.plain = slice_str("p"), .carrier = CARRIER_TEXT};
	struct fernet *f;
	struct buf out;
	struct err err;

	buf_init(&out, 4096);
	assert_int_equal(fernet_new(&f, &ring, &err), 0);
	assert_int_equal(format->seal(&out, &x, f, &ring, &b->scratch), 0);
	assert_true(slice_starts(buf_slice(&out), "enc:fernet:a\"\\b:Z0FBQUF"));
	x.carrier = CARRIER_JSON;
	assert_int_equal(format->seal(&out, &x, f, &ring, &b->scratch), 0);
	assert_true(slice_starts(
		buf_slice(&out), HEAD "enc:fernet:a\\\"\\\\b:Z0FBQUF"));
	format->parse(&b->e, buf_slice(&out), CARRIER_JSON, &b->scratch);
	assert_is(b->e.key_id, "a\"\\b");
	x.carrier = CARRIER_JSONB; /* the string alone: the server escapes */
	assert_int_equal(format->seal(&out, &x, f, &ring, &b->scratch), 0);
	assert_true(slice_starts(buf_slice(&out), "enc:fernet:a\"\\b:Z0FBQUF"));
	format->parse(&b->e, buf_slice(&out), CARRIER_JSONB, &b->scratch);
	assert_is(b->e.key_id, "a\"\\b");
	buf_done(&out);
	buf_init(&out, 10); /* what does not fit is a failure, not a stump */
	assert_int_equal(format->seal(&out, &x, f, &ring, &b->scratch), -1);
	buf_done(&out);
	fernet_free(f);
	free(key.id);
}

static const char *
current(enum carrier carrier, const char *key_id)
{
	static char kept[1024];
	struct buf b;

	buf_init(&b, sizeof(kept) - 1);
	sentry_sql_current(&b, "t.\"c\"", carrier, key_id);
	assert_false(buf_over(&b));
	memcpy(kept, b.ptr, b.len + 1);
	buf_done(&b);
	return kept;
}

static void
the_server_recognises_a_text_by_its_label(void **state)
{
	(void)state;
	assert_string_equal(current(CARRIER_TEXT, "k"),
		"pg_catalog.starts_with(t.\"c\"::text COLLATE \"C\", "
		"'enc:fernet:k:')");
	assert_string_equal(current(CARRIER_TEXT, "it's \\"),
		"pg_catalog.starts_with(t.\"c\"::text COLLATE \"C\","
		"  E'enc:fernet:it''s \\\\:')");
	assert_string_equal(current(CARRIER_TEXT, NULL),
		"pg_catalog.starts_with(t.\"c\"::text COLLATE \"C\", "
		"'enc:plaintext:')");
}

static void
json_is_recognised_by_our_own_spelling_and_jsonb_by_its_member(void **state)
{
	const char *sql = current(CARRIER_JSON, "k");

	(void)state;
	assert_non_null(strstr(sql, "'" HEAD "enc:fernet:k:')"));
	assert_null(strstr(sql, "->"));
	sql = current(CARRIER_JSON, "k\\\"");
	assert_non_null(strstr(sql, "enc:fernet:k\\\\\\\\\\\\\":')"));
	sql = current(CARRIER_JSONB, "k");
	assert_non_null(strstr(sql, "'enc:fernet:k:'"));
	assert_non_null(
		strstr(sql, "->> 'sentry_encrypted_field_value'::text"));
	assert_non_null(strstr(sql, "CASE WHEN t.\"c\" IS NOT NULL THEN"));
	assert_non_null(strstr(sql, "= '{}'::jsonb"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_the_first_colon_behind_the_marker_splits),
		TEST(each_marker_has_its_kind_and_nearly_one_is_none),
		TEST(json_has_an_envelope_only_as_its_one_member),
		TEST(the_string_alone_is_an_envelope_in_a_jsonb_only),
		TEST(inside_a_plaintext_a_json_string_is_an_envelope_too),
		TEST(a_key_id_with_quotes_is_escaped_where_it_is_put_into_json),
		TEST(the_server_recognises_a_text_by_its_label),
		TEST(json_is_recognised_by_our_own_spelling_and_jsonb_by_its_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
