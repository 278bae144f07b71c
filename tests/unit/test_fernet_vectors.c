#include "bench.h"
#include "digest.h"
#include "vectors.h"

/* A key that none of the specification's tokens were made with. */
static const char primary[] = "Q26gMfKal3CIN2MTgrHuHa53UrTZYEFCoXiNiySlQU8=";

/* What a caller concludes from the three questions, in the words of the
 * vectors; the index of the key goes to *at. */
static const char *
class_of(struct bench *b, struct slice token, size_t *at)
{
	unsigned char *ret = xmalloc(token.len + 1);
	const char *class;
	size_t key = 0;

	while (key < b->ring.count &&
		(fernet_shape(token) == FERNET_NOT ||
			!fernet_authentic(b->f, key, token)))
		key++;
	if (fernet_shape(token) == FERNET_NOT)
		class = "malformed";
	else if (key == b->ring.count)
		class = fernet_shape(token) == FERNET_ODD ? "malformed"
							  : "unknown_key";
	else if (fernet_decrypt(b->f, key, token, ret) < 0)
		class = "corrupt_authentic";
	else
		class = key == 0 ? "current" : "rotatable";
	*at = key;
	free(ret);
	return class;
}

static void
opens_and_makes_every_valid_vector_byte_for_byte(void **state)
{
	struct vectors v =
		vectors_open("tests/vectors/fernet/fernet_valid.txt");

	(void)state;
	while (vectors_next(&v, 6)) {
		uint64_t seconds = strtoull(v.field[2], NULL, 10);
		struct slice iv = vectors_unhex(v.field[3]);
		struct slice plain = vectors_unhex(v.field[4]);
		struct slice text = vectors_unhex(v.field[5]);
		struct slice token = decode(text), made, spelled;
		struct bench b;

		bench_init(&b, v.field[1]);
		assert_opens(&b, 0, token, seconds, plain);
		made = seal(&b, 0, seconds, iv.ptr, plain);
		spelled = as_text(made);
		assert_slices_equal(spelled, text);
		release(spelled);
		release(made);
		release(token);
		fernet_free(b.f);
	}
	assert_int_equal(v.count, 98);
}

static void
makes_and_opens_large_tokens(void **state)
{
	struct vectors v =
		vectors_open("tests/vectors/fernet/fernet_valid_large.txt");

	(void)state;
	while (vectors_next(&v, 8)) {
		struct slice iv = vectors_unhex(v.field[3]);
		struct slice unit = vectors_unhex(v.field[4]);
		size_t times = strtoul(v.field[5], NULL, 10);
		unsigned char *bytes = xmalloc(times * unit.len);
		struct slice plain = slice_of(bytes, times * unit.len);
		struct slice token, text;
		char digest[DIGEST_HEX + 1];
		struct bench b;

		for (size_t i = 0; i < times; i++)
			memcpy(bytes + i * unit.len, unit.ptr, unit.len);
		bench_init(&b, v.field[1]);
		token = seal(&b, 0, SECONDS, iv.ptr, plain);
		text = as_text(token);
		assert_int_equal(text.len, strtoul(v.field[6], NULL, 10));
		digest_hex(digest, text);
		assert_string_equal(digest, v.field[7]);
		assert_opens(&b, 0, token, SECONDS, plain);
		release(text);
		release(token);
		free(bytes);
		fernet_free(b.f);
	}
	assert_int_equal(v.count, 3);
}

static void
damage_under_a_valid_signature_is_corrupt_or_no_token(void **state)
{
	struct vectors v = vectors_open(
		"tests/vectors/fernet/fernet_corrupt_authentic.txt");
	size_t at;

	(void)state;
	while (vectors_next(&v, 4)) {
		struct slice token = decode(vectors_unhex(v.field[3]));
		struct bench b;

		bench_init(&b, v.field[1]);
		assert_string_equal(class_of(&b, token, &at), v.field[2]);
		release(token);
		fernet_free(b.f);
	}
	assert_int_equal(v.count, 85);
}

static void
what_no_key_signed_is_unknown_or_no_token(void **state)
{
	struct vectors v =
		vectors_open("tests/vectors/fernet/fernet_malformed.txt");
	size_t at;

	(void)state;
	while (vectors_next(&v, 4)) {
		struct slice token = decode(vectors_unhex(v.field[3]));
		const char *class = v.field[2];
		struct bench b;

		/* The application cannot read these two kinds either: to it,
		 * and so to us, they are no tokens. */
		if (strcmp(class, "empty") == 0 ||
			strcmp(class, "noncanonical") == 0)
			class = "malformed";
		bench_init(&b, v.field[1]);
		assert_string_equal(class_of(&b, token, &at), class);
		release(token);
		fernet_free(b.f);
	}
	assert_int_equal(v.count, 93);
}

static void
odd_spellings_open_to_the_same_bytes(void **state)
{
	struct vectors v =
		vectors_open("tests/vectors/fernet/fernet_noncanonical.txt");

	(void)state;
	while (vectors_next(&v, 6)) {
		struct slice plain = vectors_unhex(v.field[4]);
		struct slice token = decode(vectors_unhex(v.field[5]));
		struct bench b;

		bench_init(&b, v.field[1]);
		assert_opens(&b, 0, token, SECONDS, plain);
		release(token);
		fernet_free(b.f);
	}
	assert_int_equal(v.count, 54);
}

static void
rotation_keeps_the_timestamp_and_gives_the_expected_token(void **state)
{
	struct vectors v =
		vectors_open("tests/vectors/fernet/fernet_rotate.txt");
	size_t at;

	(void)state;
	while (vectors_next(&v, 8)) {
		uint64_t seconds = strtoull(v.field[3], NULL, 10);
		struct slice iv = vectors_unhex(v.field[4]);
		struct slice plain = vectors_unhex(v.field[5]);
		struct slice old = decode(vectors_unhex(v.field[6]));
		struct slice expected = vectors_unhex(v.field[7]);
		struct slice made, text;
		struct bench b;

		bench_init(&b, v.field[1]);
		assert_string_equal(class_of(&b, old, &at), v.field[2]);
		if (strcmp(v.field[2], "rotatable") == 0) {
			assert_opens(&b, at, old, seconds, plain);
			made = seal(&b, 0, fernet_time(old), iv.ptr, plain);
			text = as_text(made);
			assert_slices_equal(text, expected);
			release(text);
			release(made);
		}
		release(old);
		fernet_free(b.f);
	}
	assert_int_equal(v.count, 20);
}

static void
the_vectors_of_the_specification_hold_without_a_ttl(void **state)
{
	struct vectors v =
		vectors_open("tests/vectors/fernet/fernet_spec_eval.txt");
	size_t at;

	(void)state;
	while (vectors_next(&v, 6)) {
		uint64_t seconds = strtoull(v.field[3], NULL, 10);
		struct slice plain = vectors_unhex(v.field[4]);
		struct slice token = decode(vectors_unhex(v.field[5]));
		char keys[2 * KEY_TEXT + 2];
		struct bench b;

		snprintf(keys, sizeof(keys), "%s,%s", primary, v.field[1]);
		bench_init(&b, keys);
		assert_string_equal(class_of(&b, token, &at), v.field[2]);
		if (strcmp(v.field[2], "rotatable") == 0)
			assert_opens(&b, at, token, seconds, plain);
		release(token);
		fernet_free(b.f);
	}
	assert_int_equal(v.count, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			opens_and_makes_every_valid_vector_byte_for_byte),
		cmocka_unit_test(makes_and_opens_large_tokens),
		cmocka_unit_test(
			damage_under_a_valid_signature_is_corrupt_or_no_token),
		cmocka_unit_test(what_no_key_signed_is_unknown_or_no_token),
		cmocka_unit_test(odd_spellings_open_to_the_same_bytes),
		cmocka_unit_test(
			rotation_keeps_the_timestamp_and_gives_the_expected_token),
		cmocka_unit_test(
			the_vectors_of_the_specification_hold_without_a_ttl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
