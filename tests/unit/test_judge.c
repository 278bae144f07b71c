/* The verdict of each kind of value, and the new envelope to the byte. The
 * differential test in tests/interop has the many; here are the boundaries. */
#include "values.h"

/* Is rewritten to exactly this. */
static void
assert_becomes(struct court *c, enum carrier carrier, const char *stored,
	enum verdict verdict, const char *fresh)
{
	const struct judgement *j = judged(c, carrier, stored);

	assert_string_equal(verdict_name(j->verdict), verdict_name(verdict));
	assert_true(j->rewrite);
	assert_int_equal(j->fresh.len, strlen(fresh));
	assert_memory_equal(j->fresh.ptr, fresh, j->fresh.len);
}

/* Stays as it is. */
static void
assert_stays(struct court *c, enum carrier carrier, const char *stored,
	enum verdict verdict, bool blocks)
{
	const struct judgement *j = judged(c, carrier, stored);

	assert_string_equal(verdict_name(j->verdict), verdict_name(verdict));
	assert_false(j->rewrite);
	assert_null(j->fresh.ptr);
	assert_int_equal(j->blocks, blocks);
	assert_true(!blocks || j->what || j->verdict == VERDICT_RAW);
}

static void
an_old_value_is_sealed_under_the_primary_with_its_own_time(void **state)
{
	struct court *c = *state;

	assert_becomes(c, CARRIER_TEXT, K1 OLD_BODY, VERDICT_OLD, K2 NEW_BODY);
	assert_true(c->got.time == SEALED_AT && c->got.timed);
	assert_int_equal(c->got.key, 0);
	assert_false(c->got.blocks || c->got.mislabelled || c->got.late);
	assert_becomes(
		c, CARRIER_TEXT, K1 EMPTY_BODY, VERDICT_OLD, K2 NEW_EMPTY_BODY);
}

static void
a_value_under_the_primary_is_current(void **state)
{
	struct court *c = *state;

	assert_stays(c, CARRIER_TEXT, K2 NEW_BODY, VERDICT_CURRENT, false);
	assert_stays(
		c, CARRIER_JSON, HEAD K2 NEW_BODY TAIL, VERDICT_CURRENT, false);
	assert_int_equal(c->got.key, 1);
}

static void
a_wrong_label_is_put_right(void **state)
{
	struct court *c = *state;

	assert_becomes(c, CARRIER_TEXT, K2 OLD_BODY, VERDICT_OLD, K2 NEW_BODY);
	assert_true(c->got.mislabelled);
	assert_becomes(
		c, CARRIER_TEXT, LOST OLD_BODY, VERDICT_OLD, K2 NEW_BODY);
	assert_true(c->got.mislabelled);
	assert_becomes(c, CARRIER_TEXT, K1 NEW_BODY, VERDICT_OLD, K2 NEW_BODY);
	assert_true(c->got.mislabelled);
}

static void
an_old_token_younger_than_the_run_is_late(void **state)
{
	struct court *c = *state;

	assert_true(judged(c, CARRIER_TEXT, K1 LATE_BODY)->late);
	assert_false(judged(c, CARRIER_TEXT, K2 NOW_BODY)->late);
	c->policy.method = METHOD_PLAINTEXT;
	assert_false(judged(c, CARRIER_TEXT, K1 LATE_BODY)->late);
}

static void
a_marked_plaintext_is_sealed_as_of_now(void **state)
{
	struct court *c = *state;

	assert_becomes(c, CARRIER_TEXT, MARKED "aGVsbG8=", VERDICT_PLAINTEXT,
		K2 NOW_BODY);
	assert_true(c->got.clear);
	assert_false(c->got.timed);
	assert_int_equal(c->got.key, -1);
	assert_stays(c, CARRIER_TEXT, MARKED "A", VERDICT_MALFORMED, true);
	assert_true(c->got.clear);
}

static void
the_way_back_marks_everything_it_can_open(void **state)
{
	struct court *c = *state;

	c->policy.method = METHOD_PLAINTEXT;
	assert_becomes(
		c, CARRIER_TEXT, K1 OLD_BODY, VERDICT_OLD, MARKED "aGVsbG8=");
	assert_becomes(c, CARRIER_JSON, HEAD K2 NEW_BODY TAIL, VERDICT_OLD,
		HEAD MARKED "aGVsbG8=" TAIL);
	assert_stays(
		c, CARRIER_TEXT, MARKED "aGVsbG8=", VERDICT_CURRENT, false);
	assert_stays(c, CARRIER_TEXT, MARKED, VERDICT_CURRENT, false);
	assert_becomes(c, CARRIER_TEXT,
		MARKED " aGVsbG8=", VERDICT_NONCANONICAL, MARKED "aGVsbG8=");
}

static void
raw_values_are_left_sealed_or_allowed_as_configured(void **state)
{
	struct court *c = *state;

	assert_stays(c, CARRIER_TEXT, "hello", VERDICT_RAW, true);
	assert_true(c->got.clear);
	assert_stays(c, CARRIER_TEXT, "", VERDICT_RAW, true);
	c->policy.raw = RAW_ALLOW;
	assert_stays(c, CARRIER_TEXT, "hello", VERDICT_RAW, false);
	c->policy.raw = RAW_ENCRYPT;
	assert_becomes(c, CARRIER_TEXT, "hello", VERDICT_RAW, K2 NOW_BODY);
	assert_true(c->got.clear);
	assert_stays(c, CARRIER_TEXT, "vault:v1:x", VERDICT_FOREIGN, true);
	assert_stays(
		c, CARRIER_TEXT, "enc:tink:AAAA", VERDICT_UNSUPPORTED, true);
}

static void
what_nobody_can_prove_stays(void **state)
{
	struct court *c = *state;

	assert_stays(
		c, CARRIER_TEXT, LOST LOST_BODY, VERDICT_UNKNOWN_KEY, true);
	assert_string_equal(c->got.what, "its key is not in the keyring");
	assert_stays(c, CARRIER_TEXT, K1 LOST_BODY, VERDICT_UNKNOWN_KEY, true);
	assert_string_equal(
		c->got.what, "damaged, or labelled with the wrong key");
	assert_stays(c, CARRIER_TEXT, K1 PAD_BODY, VERDICT_CORRUPT, true);
	assert_stays(c, CARRIER_TEXT, K1 ODD_BODY, VERDICT_CORRUPT, true);
	assert_stays(c, CARRIER_TEXT, K1 NONE_BODY, VERDICT_CORRUPT, true);
	assert_int_equal(c->got.key, 0);
	assert_stays(c, CARRIER_TEXT, K1, VERDICT_MALFORMED, true);
	assert_int_equal(c->got.label.len, 2);
	assert_memory_equal(c->got.label.ptr, "k1", 2);
	assert_stays(c, CARRIER_TEXT, "enc:fernet:", VERDICT_MALFORMED, true);
	assert_int_equal(c->got.label.len, 0);
}

static void
spellings_that_lose_nothing_are_put_right_and_others_stay(void **state)
{
	struct court *c = *state;

	assert_becomes(c, CARRIER_TEXT, K1 OLD_BODY "\n", VERDICT_NONCANONICAL,
		K2 NEW_BODY);
	assert_becomes(c, CARRIER_TEXT, K2 "==" NEW_BODY, VERDICT_NONCANONICAL,
		K2 NEW_BODY);
	assert_becomes(c, CARRIER_TEXT, K2 ONE_LAYER, VERDICT_NONCANONICAL,
		K2 NEW_BODY);
	assert_stays(
		c, CARRIER_TEXT, K1 "!" OLD_BODY, VERDICT_NONCANONICAL, true);
	assert_stays(c, CARRIER_TEXT, K1 OLD_BODY "QUJD", VERDICT_NONCANONICAL,
		true);
	assert_int_equal(c->got.key, 0);
	assert_true(c->got.unread); /* who knows under which key QUJD is */
	/* Python decodes no text that is not ASCII. */
	assert_stays(c, CARRIER_TEXT, K1 OLD_BODY "\xc2\xa0", VERDICT_MALFORMED,
		true);
}

static void
the_size_limit_is_the_last_size_that_is_opened(void **state)
{
	struct court *c = *state;

	c->policy.max_value_bytes = strlen(K1 OLD_BODY);
	assert_becomes(c, CARRIER_TEXT, K1 OLD_BODY, VERDICT_OLD, K2 NEW_BODY);
	c->policy.max_value_bytes--;
	assert_stays(c, CARRIER_TEXT, K1 OLD_BODY, VERDICT_OVERSIZE, true);
}

static void
assert_fits_from(struct court *c, enum carrier carrier, const char *stored,
	enum verdict verdict, const char *fresh, size_t size)
{
	c->policy.max_value_bytes = size;
	assert_becomes(c, carrier, stored, verdict, fresh);
	c->policy.max_value_bytes--;
	assert_stays(c, carrier, stored, verdict, true);
	assert_string_equal(
		c->got.what, "its new envelope would be over max_value_bytes");
	assert_false(c->got.unread);
}

/* What is written can be read again. */
static void
no_new_envelope_is_larger_than_the_size_limit(void **state)
{
	struct court *c = *state;

	assert_fits_from(c, CARRIER_TEXT, MARKED "aGVsbG8=", VERDICT_PLAINTEXT,
		K2 NOW_BODY, strlen(K2 NOW_BODY));
	assert_fits_from(c, CARRIER_TEXT, K1 ONE_LAYER, VERDICT_OLD,
		K2 NEW_BODY, strlen(K2 NEW_BODY));
	assert_fits_from(c, CARRIER_JSON, HEAD MARKED "aGVsbG8=" TAIL,
		VERDICT_PLAINTEXT, HEAD K2 NOW_BODY TAIL,
		strlen(HEAD K2 NOW_BODY TAIL));
	assert_fits_from(c, CARRIER_JSONB, HEAD MARKED "aGVsbG8=" TAIL,
		VERDICT_PLAINTEXT, K2 NOW_BODY, strlen(K2 NOW_BODY));
	/* Of a jsonb that is marked the whole is read. */
	c->policy.method = METHOD_PLAINTEXT;
	c->policy.raw = RAW_ENCRYPT;
	assert_fits_from(c, CARRIER_JSONB, "\"hello\"", VERDICT_RAW,
		MARKED "ImhlbGxvIg==", strlen(HEAD MARKED "ImhlbGxvIg==" TAIL));
}

static void
json_keeps_its_text_to_the_byte(void **state)
{
	struct court *c = *state;

	assert_becomes(c, CARRIER_JSON, HEAD K1 JSON_BODY TAIL, VERDICT_OLD,
		HEAD K2 NEW_JSON_BODY TAIL);
	assert_stays(c, CARRIER_JSON, HEAD "hello" TAIL, VERDICT_RAW, true);
	assert_stays(
		c, CARRIER_JSON, "\"" K1 OLD_BODY "\"", VERDICT_FOREIGN, true);
	assert_stays(
		c, CARRIER_TEXT, HEAD K1 JSON_BODY TAIL, VERDICT_RAW, true);
}

static void
a_jsonb_becomes_the_string_that_the_server_puts_into_an_object(void **state)
{
	struct court *c = *state;

	assert_becomes(c, CARRIER_JSONB, HEAD K1 JSON_BODY TAIL, VERDICT_OLD,
		K2 NEW_JSON_BODY);
	assert_becomes(
		c, CARRIER_JSONB, K1 JSON_BODY, VERDICT_OLD, K2 NEW_JSON_BODY);
	assert_stays(
		c, CARRIER_JSONB, "\"" K1 OLD_BODY "\"", VERDICT_FOREIGN, true);
}

static void
a_member_named_twice_is_never_rewritten(void **state)
{
	struct court *c = *state;
	char *twice = xasprintf("{%.*s: 1, %s", (int)strlen(HEAD) - 4, &HEAD[1],
		&(HEAD K1 JSON_BODY TAIL)[1]);

	c->policy.raw = RAW_ENCRYPT;
	assert_stays(c, CARRIER_JSON, twice, VERDICT_NONCANONICAL, true);
	free(twice);
}

static void
a_nested_envelope_is_kept_but_its_key_is_known(void **state)
{
	struct court *c = *state;

	assert_stays(c, CARRIER_TEXT, K2 NESTED_BODY, VERDICT_CURRENT, true);
	assert_true(c->got.nested);
	assert_int_equal(c->got.inner_key, 0);
	assert_stays(
		c, CARRIER_TEXT, K2 NESTED_SAME_BODY, VERDICT_CURRENT, false);
	assert_true(c->got.nested);
	assert_int_equal(c->got.inner_key, -1);
	assert_true(judged(c, CARRIER_TEXT, K1 NESTED_LOST_BODY)->rewrite);
	assert_true(c->got.nested && c->got.blocks);
}

static void
unwrapping_seals_what_is_innermost(void **state)
{
	struct court *c = *state;

	c->policy.nested = NESTED_UNWRAP;
	assert_becomes(c, CARRIER_TEXT, K2 NESTED_BODY, VERDICT_NONCANONICAL,
		K2 NEW_BODY);
	assert_false(c->got.blocks);
	assert_becomes(
		c, CARRIER_TEXT, K1 NESTED_BODY, VERDICT_OLD, K2 NEW_BODY);
	assert_true(judged(c, CARRIER_TEXT, K1 NESTED_LOST_BODY)->blocks);
}

static void
what_a_leniently_spelled_plaintext_holds_is_followed(void **state)
{
	struct court *c = *state;
	struct judgement j;

	/* base64 of enc:fernet:k1: and no body, with a blank in front */
	judged(c, CARRIER_TEXT, MARKED " ZW5jOmZlcm5ldDprMTo=");
	j = c->got;
	assert_int_equal(j.verdict, VERDICT_NONCANONICAL);
	assert_true(j.nested && j.blocks && j.rewrite);
}

static void
judging_alone_makes_no_envelope(void **state)
{
	struct court *c = *state;
	struct judge_options options = {.ring = &c->ring};

	judge_free(c->judge);
	assert_int_equal(judge_new(&c->judge, &options, &c->err), 0);
	assert_true(judged(c, CARRIER_TEXT, K1 OLD_BODY)->rewrite);
	assert_null(c->got.fresh.ptr);
	assert_ptr_equal(judge_ring(c->judge), &c->ring);
}

static void
no_vector_is_used_for_two_values(void **state)
{
	struct court *c = *state;
	unsigned char first[512];

	judged(c, CARRIER_TEXT, K1 OLD_BODY);
	memcpy(first, c->got.fresh.ptr, c->got.fresh.len);
	assert_int_equal(judge_value(&c->got, c->judge, &c->policy,
				 CARRIER_TEXT, slice_str(K1 OLD_BODY), &c->err),
		0);
	assert_memory_not_equal(first, c->got.fresh.ptr, c->got.fresh.len);
}

/* A format that seals under the wrong key, name or time, other bytes, or with
 * no seal at all. */
static int wrong;

static int
seal_wrongly(struct buf *ret, const struct sealing *asked, struct fernet *f,
	const struct keyring *ring, struct format_scratch *s)
{
	const struct format *sentry = format_find("sentry");
	struct sealing x = *asked;

	x.key = wrong == 1 || wrong == 8 ? 0 : x.key;
	x.time += wrong == 2;
	x.plain.len -= wrong == 3;
	if (sentry->seal(ret, &x, f, ring, s) < 0)
		return -1;
	if (wrong == 8) /* the right name over the wrong key */
		ret->ptr[strlen(K2) - 2] = '2';
	if (wrong == 4)
		ret->ptr[strlen(K2) - 2] = '1';
	if (wrong == 5)
		ret->ptr[ret->len - 10] ^= 1;
	if (wrong == 6)
		sentry->mark(ret, x.plain, x.carrier);
	return wrong == 7 ? -1 : 0;
}

static void
a_new_envelope_that_does_not_hold_what_it_should_stops_everything(void **state)
{
	static struct format format;
	struct court *c = *state;

	format = *c->policy.format;
	format.seal = seal_wrongly;
	c->policy.format = &format;
	for (wrong = 0; wrong <= 8; wrong++) {
		int rc = judge_value(&c->got, c->judge, &c->policy,
			CARRIER_TEXT, slice_str(K1 OLD_BODY), &c->err);

		assert_int_equal(rc, wrong ? -1 : 0);
		assert_true(!wrong || c->err.code == ERR_BUG);
		assert_int_equal(!wrong, c->got.fresh.ptr != NULL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_COURT(
			an_old_value_is_sealed_under_the_primary_with_its_own_time),
		WITH_COURT(a_value_under_the_primary_is_current),
		WITH_COURT(a_wrong_label_is_put_right),
		WITH_COURT(an_old_token_younger_than_the_run_is_late),
		WITH_COURT(a_marked_plaintext_is_sealed_as_of_now),
		WITH_COURT(the_way_back_marks_everything_it_can_open),
		WITH_COURT(raw_values_are_left_sealed_or_allowed_as_configured),
		WITH_COURT(what_nobody_can_prove_stays),
		WITH_COURT(
			spellings_that_lose_nothing_are_put_right_and_others_stay),
		WITH_COURT(the_size_limit_is_the_last_size_that_is_opened),
		WITH_COURT(no_new_envelope_is_larger_than_the_size_limit),
		WITH_COURT(json_keeps_its_text_to_the_byte),
		WITH_COURT(
			a_jsonb_becomes_the_string_that_the_server_puts_into_an_object),
		WITH_COURT(a_member_named_twice_is_never_rewritten),
		WITH_COURT(a_nested_envelope_is_kept_but_its_key_is_known),
		WITH_COURT(unwrapping_seals_what_is_innermost),
		WITH_COURT(
			what_a_leniently_spelled_plaintext_holds_is_followed),
		WITH_COURT(judging_alone_makes_no_envelope),
		WITH_COURT(
			a_new_envelope_that_does_not_hold_what_it_should_stops_everything),
		WITH_COURT(no_vector_is_used_for_two_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
