/* The words for verdicts, the spelling of base64, the envelopes of others. */
#include "../../src/format/format_int.h"
#include "judge.h"
#include "recognise.h"
#include "test.h"

static void
every_verdict_has_a_name_of_its_own(void **state)
{
	enum verdict found;

	(void)state;
	for (int v = 0; v < VERDICTS; v++) {
		found = VERDICTS;
		assert_true(
			verdict_find(&found, verdict_name((enum verdict)v)));
		assert_int_equal(found, v);
	}
	assert_string_equal(verdict_name(VERDICT_UNKNOWN_KEY), "unknown_key");
	assert_string_equal(verdict_name(VERDICTS), "?");
	found = VERDICT_OLD;
	assert_false(verdict_find(&found, "Old"));
	assert_false(verdict_find(&found, ""));
	assert_int_equal(found, VERDICT_OLD);
}

static void
formats_are_found_by_name(void **state)
{
	(void)state;
	assert_non_null(format_find("sentry"));
	assert_string_equal(format_find("sentry")->name, "sentry");
	assert_null(format_find("Sentry"));
	assert_null(format_find(""));
}

static void
a_spelling_replaces_the_buffer_or_leaves_it_empty(void **state)
{
	unsigned notes = BASE64_BEHIND;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_adds(&b, "before");
	assert_int_equal(
		spelling_decode(&b, slice_str("aGVsbG8="), BASE64_STD), 5);
	assert_string_equal(buf_str(&b), "hello");
	assert_int_equal(
		spelling_decode(&b, slice_str("aGVsbG8"), BASE64_STD), -1);
	assert_int_equal(b.len, 0);
	assert_int_equal(spelling_decode(&b, slice_str(""), BASE64_STD), 0);
	assert_int_equal(spelling_decode_lenient(&b, &notes,
				 slice_str("aGVs bG8="), BASE64_STD),
		5);
	assert_string_equal(buf_str(&b), "hello");
	assert_int_equal(notes, BASE64_BEHIND | BASE64_SPACE); /* added to */
	assert_int_equal(spelling_decode_lenient(
				 &b, &notes, slice_str("aGVsbG8"), BASE64_STD),
		-1);
	assert_int_equal(b.len, 0);
	spelling_encode(&b, slice_str("hello"), BASE64_STD);
	spelling_encode(&b, slice_str("?>"), BASE64_URL);
	assert_string_equal(buf_str(&b), "aGVsbG8=Pz4=");
	buf_done(&b);
}

static void
what_does_not_fit_is_not_decoded_and_not_encoded(void **state)
{
	unsigned notes = 0;
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(
		spelling_decode(&b, slice_str("aGVsbG8="), BASE64_STD), -1);
	assert_int_equal(spelling_decode_lenient(
				 &b, &notes, slice_str("aGVsbG8="), BASE64_STD),
		-1);
	buf_reset(&b);
	spelling_encode(&b, slice_str("abc"), BASE64_STD);
	assert_false(buf_over(&b));
	buf_reset(&b);
	spelling_encode(&b, slice_str("abcd"), BASE64_STD);
	assert_true(buf_over(&b));
	buf_done(&b);
}

static void
the_gravest_thing_overlooked_is_named(void **state)
{
	unsigned all = 0;
	const char *last = NULL;
	static const unsigned by_gravity[] = {BASE64_TRAILING, BASE64_ALPHABET,
		BASE64_PADDING, BASE64_SPACE, BASE64_JUNK, BASE64_BEHIND};

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		const char *alone = spelling_overlooked(by_gravity[i]);

		all |= by_gravity[i];
		assert_string_equal(spelling_overlooked(all), alone);
		assert_true(!last || strcmp(last, alone) != 0);
		last = alone;
	}
}

/* A token of 57 + 16k bytes, in text, is 100 characters or more. */
#define FERNET_96                                                             \
	"gAAAAABZaC8AYWJjZGVmZ2hpamtsbW5vcFTmcVE7tpaxRubp-DjPXuFJstOiqH0JQml" \
	"9JwdKTTL-07gwPrFKiXbSgoK3U01I"

static void
envelopes_of_other_systems_are_known(void **state)
{
	static const char *const theirs[] = {
		FERNET_96 "Bg==", FERNET_96 "AAAAAAAA", "enc:", "enc:other:x",
		"enc:Fernet:x", "vault:v1:AAAA", "vault:v12:", "eyJpdiI6Ijo",
		"{\"iv\":\"a\",\"value\":\"b\",\"mac\":\"c\"}",
		"{\"p\":\"a\",\"h\":{\"iv\":\"b\"}}", "U2FsdGVkX1+x",
		"Salted__x", "QEVuQwAA", "$ANSIBLE_VAULT;1.1;AES256",
		"-----BEGIN PGP MESSAGE-----\n", "age-encryption.org/v1\n",
		"v1.aesgcm256.x"};

	(void)state;
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
		if (!foreign_envelope(slice_str(theirs[i])))
			fail_msg("%s", theirs[i]);
	}
}

/* V05 to V09, V14, V15 and what is only nearly one. */
static void
plaintexts_are_not_taken_for_envelopes(void **state)
{
	static const char *const plain[] = {"", " ", "=", "g", "gAAAAA",
		"password", "someone@example.org", "null", "{}", "[]", "true",
		"enc", "Enc:x", " enc:fernet:k:x", "vault:v", "vault:v1",
		"vault", "{\"iv\":\"a\"}", "{\"p\":1}",
		"eyJhbGciOiJIUzI1NiJ9.e30", "$2b$12$abcdefghijklmnopqrstuv",
		"Salted_", "0x67414141", FERNET_96,
		FERNET_96 "Bg=", "b'" FERNET_96 "Bg=='",
		"\"" FERNET_96 "Bg==\"", " " FERNET_96 "Bg==",
		"GAAAAABZAC8AYWJJZGVMZ2HPAMTSBW5VCFTMCVE7TPAXRUBP-"
		"DJPXUFJSTOIQH0"
		"JQML9JWDKTTL-07GWPRFKIXBSGOK3U01IBG=="};

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		const char *whose = foreign_envelope(slice_str(plain[i]));

		if (whose)
			fail_msg("%s: %s", plain[i], whose);
	}
	assert_null(foreign_envelope((struct slice){0}));
}

static void
a_hundred_characters_that_are_not_all_base64_are_no_token(void **state)
{
	char text[] = FERNET_96 "Bg==";

	(void)state;
	for (size_t i = 0; i < 96; i++) {
		char kept = text[i];

		text[i] = '%';
		assert_null(foreign_envelope(slice_str(text)));
		text[i] = kept;
	}
	assert_non_null(foreign_envelope(slice_str(text)));
}

static void
whatever_may_hold_an_envelope_is_known_before_it_is_shown(void **state)
{
	static const char *const hides[] = {"enc:fernet:k:x", "enc:x",
		"of enc:fernet:k:x", FERNET_96 "Bg==", "(1," FERNET_96 "Bg==)",
		"{\"iv\":\"a\",\"mac\":\"b\"}",
		"{\"sentry_encrypted_field_value\": \"enc:fernet:k:x\"}",
		"{\"sentry_encrypted_field_value\": \"\\u0065nc:fernet:k:x\"}",
		"{\"a\": {\"sentry_encrypted_field_value\": \"enc:x\"}}"};
	static const char *const open[] = {"", "7", "null", "{}", "enc",
		"Enc:x", "someone@example.org", "gAAAAA", "\"a\"",
		"0f0f0f0f-0000-4000-8000-000000000001"};

	(void)state;
	for (size_t i = 0; i < sizeof(hides) / sizeof(hides[0]); i++) {
		if (!recognise_within(slice_str(hides[i])))
			fail_msg("%s", hides[i]);
	}
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		if (recognise_within(slice_str(open[i])))
			fail_msg("%s", open[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verdict_has_a_name_of_its_own),
		cmocka_unit_test(formats_are_found_by_name),
		cmocka_unit_test(
			a_spelling_replaces_the_buffer_or_leaves_it_empty),
		cmocka_unit_test(
			what_does_not_fit_is_not_decoded_and_not_encoded),
		cmocka_unit_test(the_gravest_thing_overlooked_is_named),
		cmocka_unit_test(envelopes_of_other_systems_are_known),
		cmocka_unit_test(plaintexts_are_not_taken_for_envelopes),
		cmocka_unit_test(
			a_hundred_characters_that_are_not_all_base64_are_no_token),
		cmocka_unit_test(
			whatever_may_hold_an_envelope_is_known_before_it_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
