#include "base64.h"
#include "err.h"
#include "test.h"
#include "vectors.h"

#define CANARY 0xa5

/* Exactly the room that the header promises, so that sanitizers see more. */
static long
strict(unsigned char **ret, struct slice text, enum base64_alphabet alphabet)
{
	*ret = xmalloc(BASE64_DECODED_MAX(text.len));
	return base64_decode(*ret, text, alphabet);
}

static long
lenient(unsigned char **ret, unsigned *notes, struct slice text,
	enum base64_alphabet alphabet)
{
	*ret = xmalloc(BASE64_DECODED_MAX(text.len));
	return base64_decode_lenient(*ret, notes, text, alphabet);
}

static void
assert_refused(const char *text, size_t len, enum base64_alphabet alphabet)
{
	unsigned char *bytes;

	assert_int_equal(strict(&bytes, slice_of(text, len), alphabet), -1);
	free(bytes);
}

static void
the_examples_of_the_rfc_hold(void **state)
{
	static const char *const examples[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct slice plain = slice_str(examples[i][0]);
		struct slice text = slice_str(examples[i][1]);
		unsigned char *bytes;
		char out[16];

		base64_encode(out, plain, BASE64_STD);
		assert_int_equal(BASE64_ENCODED_SIZE(plain.len), text.len);
		assert_memory_equal(out, text.ptr, text.len);
		assert_int_equal(
			strict(&bytes, text, BASE64_STD), (long)plain.len);
		assert_memory_equal(bytes, plain.ptr, plain.len);
		free(bytes);
	}
}

static void
the_alphabets_differ_in_two_characters(void **state)
{
	static const unsigned char bits[] = {0xfb, 0xff, 0xbf};
	char out[4];

	(void)state;
	base64_encode(out, slice_of(bits, 3), BASE64_STD);
	assert_memory_equal(out, "+/+/", 4);
	base64_encode(out, slice_of(bits, 3), BASE64_URL);
	assert_memory_equal(out, "-_-_", 4);
	assert_refused("+/+/", 4, BASE64_URL);
	assert_refused("-_-_", 4, BASE64_STD);
}

static void
every_length_reads_as_it_was_written(void **state)
{
	unsigned char plain[600];

	(void)state;
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (unsigned char)(i * 167 + (i >> 3));
	for (size_t n = 0; n <= sizeof(plain); n++) {
		enum base64_alphabet alphabet = n % 2 ? BASE64_STD : BASE64_URL;
		size_t size = BASE64_ENCODED_SIZE(n);
		char *text = xmalloc(size + 1);
		unsigned char *strictly, *leniently;
		unsigned notes;

		text[size] = (char)CANARY;
		base64_encode(text, slice_of(plain, n), alphabet);
		assert_int_equal((unsigned char)text[size], CANARY);
		assert_int_equal(
			strict(&strictly, slice_of(text, size), alphabet),
			(long)n);
		assert_memory_equal(strictly, plain, n);
		assert_int_equal(lenient(&leniently, &notes,
					 slice_of(text, size), alphabet),
			(long)n);
		assert_memory_equal(leniently, plain, n);
		assert_int_equal(notes, 0);
		free(strictly);
		free(leniently);
		free(text);
	}
}

#define LONG 68

/* One group after the other, as the examples of the RFC are read. */
static long
by_groups(unsigned char ret[LONG], const unsigned char text[LONG],
	enum base64_alphabet alphabet)
{
	long got = 0;

	for (size_t i = 0; i < LONG; i += 4) {
		unsigned char *part;
		long n = strict(&part, slice_of(text + i, 4), alphabet);

		/* Padding belongs to the end. */
		if (n < 0 || (n < 3 && i + 4 < LONG)) {
			free(part);
			return -1;
		}
		memcpy(ret + got, part, (size_t)n);
		got += n;
		free(part);
	}
	return got;
}

static void
assert_reads_by_groups(
	const unsigned char text[LONG], enum base64_alphabet alphabet)
{
	unsigned char want[LONG], *whole;
	long n = by_groups(want, text, alphabet);

	assert_int_equal(strict(&whole, slice_of(text, LONG), alphabet), n);
	if (n > 0)
		assert_memory_equal(whole, want, (size_t)n);
	free(whole);
}

static void
a_long_text_reads_as_its_groups_do(void **state)
{
	unsigned char text[LONG];

	(void)state;
	for (size_t i = 0; i < LONG; i++)
		text[i] = (unsigned char)('A' + i * 7 % 26);
	for (size_t at = 0; at < LONG; at++) {
		unsigned char was = text[at];

		for (int c = 0; c < 256; c++) {
			text[at] = (unsigned char)c;
			assert_reads_by_groups(text, BASE64_STD);
			assert_reads_by_groups(text, BASE64_URL);
		}
		text[at] = was;
	}
}

static void
strict_takes_no_foreign_character_at_any_place(void **state)
{
	static const char text[] = "Zm9vYmFyZm9v";

	(void)state;
	for (size_t at = 0; at < 12; at++) {
		for (int c = 0; c < 256; c++) {
			bool letter = (c >= 'A' && c <= 'Z') ||
				      (c >= 'a' && c <= 'z') ||
				      (c >= '0' && c <= '9') || c == '+' ||
				      c == '/';
			char copy[12];

			/* = as the last one is padding; refused or not by
			 * the bits in front of it, tested below. */
			if (letter || (c == '=' && at == 11))
				continue;
			memcpy(copy, text, 12);
			copy[at] = (char)c;
			assert_refused(copy, 12, BASE64_STD);
		}
	}
}

static void
strict_takes_canonical_padding_only(void **state)
{
	static const char *const refused[] = {
		"Zg",
		"Zg=",
		"Zm8",
		"Zg===",
		"Zm9v=",
		"Zm9v==",
		"Zm9v====",
		"=",
		"==",
		"====",
		"Z===",
		"Zg==Zg==",
		"Zm8=Zm9v",
		"Z=g=",
		"Zg=A",
		"=Zg=",
		/* bits behind the last byte */
		"Zh==",
		"Zn==",
		"Zm9=",
		"Zm+=",
		/* white space */
		"Zg==\n",
		"Zm9v ",
		" Zm9v",
		"Zm\n9v",
		"\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_refused(refused[i], strlen(refused[i]), BASE64_STD);
}

struct reading {
	enum base64_alphabet alphabet;
	const char *text;
	const char *plain; /* NULL: Python raises */
	unsigned notes;
};

static const struct reading readings[] = {
	{BASE64_STD, "", "", 0},
	{BASE64_STD, "Zm9v", "foo", 0},
	{BASE64_STD, "Zg==", "f", 0},
	{BASE64_STD, "Z", NULL, 0},
	{BASE64_STD, "Zg", NULL, 0},
	{BASE64_STD, "Zg=", NULL, 0},
	{BASE64_STD, "Zm8", NULL, 0},
	{BASE64_STD, "====", "", BASE64_PADDING},
	{BASE64_STD, " Zm9v\r\n", "foo", BASE64_SPACE},
	{BASE64_STD, "Z\tm\v9\fv", "foo", BASE64_SPACE},
	{BASE64_STD, "Zg= =", "f", BASE64_SPACE},
	{BASE64_STD, "Zg==\n", "f", BASE64_SPACE},
	{BASE64_STD, "Zg===", "f", BASE64_PADDING},
	{BASE64_STD, "Zm8==", "fo", BASE64_PADDING},
	{BASE64_STD, "Zm9v=", "foo", BASE64_PADDING},
	{BASE64_STD, "=Zm9v", "foo", BASE64_PADDING},
	{BASE64_STD, "Z=m9v", "foo", BASE64_PADDING},
	{BASE64_STD, "Zm=9v", "foo", BASE64_PADDING},
	{BASE64_STD, "Zh==", "f", BASE64_TRAILING},
	{BASE64_STD, "Zm9=", "fo", BASE64_TRAILING},
	{BASE64_STD, "Zm!9v", "foo", BASE64_JUNK},
	{BASE64_STD, "Zm-9v", "foo", BASE64_JUNK},
	{BASE64_STD, "Zm_9v\xff", "foo", BASE64_JUNK},
	{BASE64_STD, "Zg=!=", "f", BASE64_JUNK},
	{BASE64_STD, "Zg==Zg==", "f", BASE64_BEHIND | BASE64_PADDING},
	{BASE64_STD, "Zg==!", "f", BASE64_BEHIND},
	{BASE64_STD, "Zg==\n\xff", "f", BASE64_BEHIND | BASE64_SPACE},
	{BASE64_STD, "Zm9vZm9v", "foofoo", 0},
	{BASE64_URL, "-_-_", "\xfb\xff\xbf", 0},
	{BASE64_URL, "+/-_", "\xfb\xff\xbf", BASE64_ALPHABET},
	{BASE64_STD, "+/+/", "\xfb\xff\xbf", 0},
};

static void
lenient_reads_as_python_does_and_tells_what_it_overlooked(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
		const struct reading *r = &readings[i];
		unsigned char *bytes;
		unsigned notes;
		long n = lenient(
			&bytes, &notes, slice_str(r->text), r->alphabet);

		if (r->plain) {
			assert_int_equal(n, (long)strlen(r->plain));
			assert_memory_equal(bytes, r->plain, strlen(r->plain));
			assert_int_equal(notes, r->notes);
		} else {
			assert_int_equal(n, -1);
		}
		free(bytes);
	}
}

static void
lossy_is_what_drops_something_other_than_spelling(void **state)
{
	struct vectors v =
		vectors_open("tests/vectors/fernet/fernet_noncanonical.txt");

	(void)state;
	while (vectors_next(&v, 6)) {
		struct slice text = vectors_unhex(v.field[5]);
		bool lossless = strcmp(v.field[3], "1") == 0;
		unsigned char *bytes;
		unsigned notes;

		assert_int_equal(strict(&bytes, text, BASE64_URL), -1);
		free(bytes);
		assert_true(lenient(&bytes, &notes, text, BASE64_URL) > 0);
		assert_int_equal((notes & BASE64_LOSSY) == 0, lossless);
		free(bytes);
	}
	assert_int_equal(v.count, 54);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfc_hold),
		cmocka_unit_test(the_alphabets_differ_in_two_characters),
		cmocka_unit_test(every_length_reads_as_it_was_written),
		cmocka_unit_test(a_long_text_reads_as_its_groups_do),
		cmocka_unit_test(
			strict_takes_no_foreign_character_at_any_place),
		cmocka_unit_test(strict_takes_canonical_padding_only),
		cmocka_unit_test(
			lenient_reads_as_python_does_and_tells_what_it_overlooked),
		cmocka_unit_test(
			lossy_is_what_drops_something_other_than_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
