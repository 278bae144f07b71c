#include "bench.h"
#include <openssl/provider.h>
#include <sys/wait.h>
#include <unistd.h>

static const char key_1[] = "ynzvdTC3MSiFH8PCFO-gYkUuf-DZVE8KM86TOgc6wxc=";
static const char key_2[] = "Q26gMfKal3CIN2MTgrHuHa53UrTZYEFCoXiNiySlQU8=";
static const unsigned char some_iv[FERNET_IV] = "0123456789abcde";

static void
a_token_with_any_bit_flipped_is_not_authentic(void **state)
{
	struct slice token;
	unsigned char *bytes;
	struct bench b;

	(void)state;
	bench_init(&b, key_1);
	token = seal(&b, 0, SECONDS, some_iv, slice_str("plain"));
	bytes = xmalloc(token.len);
	for (size_t bit = 0; bit < 8 * token.len; bit++) {
		memcpy(bytes, token.ptr, token.len);
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_false(
			fernet_authentic(b.f, 0, slice_of(bytes, token.len)));
	}
	free(bytes);
	release(token);
	fernet_free(b.f);
}

static void
a_token_cut_or_grown_is_not_authentic(void **state)
{
	struct slice token;
	unsigned char longer[200] = {0};
	struct bench b;

	(void)state;
	bench_init(&b, key_1);
	token = seal(&b, 0, SECONDS, some_iv, slice_str("plain"));
	memcpy(longer, token.ptr, token.len);
	for (size_t n = FERNET_OVERHEAD; n < sizeof(longer); n++)
		assert_int_equal(fernet_authentic(b.f, 0, slice_of(longer, n)),
			n == token.len);
	release(token);
	fernet_free(b.f);
}

static void
shape_is_sound_only_for_whole_blocks_of_version_128(void **state)
{
	unsigned char bytes[FERNET_OVERHEAD + 64] = {0x80};

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		enum fernet_shape expected =
			n < FERNET_OVERHEAD ? FERNET_NOT
			: n == FERNET_OVERHEAD || (n - 57) % 16 != 0
				? FERNET_ODD
				: FERNET_SOUND;

		assert_int_equal(fernet_shape(slice_of(bytes, n)), expected);
	}
	for (int version = 0; version < 256; version++) {
		bytes[0] = (unsigned char)version;
		assert_int_equal(fernet_shape(slice_of(bytes, 73)),
			version == 0x80 ? FERNET_SOUND : FERNET_NOT);
	}
}

static void
each_key_opens_its_own_tokens_only(void **state)
{
	char keys[2 * KEY_TEXT + 2];
	struct slice token[2];
	struct bench b;

	(void)state;
	snprintf(keys, sizeof(keys), "%s,%s", key_1, key_2);
	bench_init(&b, keys);
	token[0] = seal(&b, 0, 1, some_iv, slice_str("first"));
	token[1] = seal(&b, 1, 2, some_iv, slice_str("second"));
	/* Twice and in turns: one use leaves nothing behind for the next. */
	for (int i = 0; i < 2; i++) {
		assert_opens(&b, 1, token[1], 2, slice_str("second"));
		assert_false(fernet_authentic(b.f, 0, token[1]));
		assert_opens(&b, 0, token[0], 1, slice_str("first"));
		assert_false(fernet_authentic(b.f, 1, token[0]));
	}
	release(token[0]);
	release(token[1]);
	fernet_free(b.f);
}

/* Sealing goes on from the message before; nothing of that may show. */
static void
a_token_does_not_depend_on_what_was_sealed_before(void **state)
{
	static const char *const text[] = {
		"", "a", "sixteen bytes ..", "more than one block of sixteen"};
	struct slice token, alone;
	struct bench b, fresh;

	(void)state;
	bench_init(&b, key_1);
	for (size_t i = 0; i < 4; i++) {
		bench_init(&fresh, key_1);
		alone = seal(&fresh, 0, i, some_iv, slice_str(text[i]));
		token = seal(&b, 0, i, some_iv, slice_str(text[i]));
		assert_slices_equal(token, alone);
		assert_opens(&fresh, 0, token, i, slice_str(text[i]));
		release(alone);
		release(token);
		fernet_free(fresh.f);
	}
	fernet_free(b.f);
}

static int
compare_ivs(const void *a, const void *b)
{
	return memcmp(a, b, FERNET_IV);
}

static void
ivs_are_all_distinct_over_many_refills(void **state)
{
	enum {
		COUNT = 20000
	};
	unsigned char(*ivs)[FERNET_IV] = xmalloc(COUNT * sizeof(*ivs));
	struct iv_pool pool = {.left = 0};

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(iv_take(&pool, ivs[i]), 0);
	qsort(ivs, COUNT, sizeof(*ivs), compare_ivs);
	for (size_t i = 1; i < COUNT; i++)
		assert_memory_not_equal(ivs[i - 1], ivs[i], FERNET_IV);
	free(ivs);
}

/* In a process of its own, whose OpenSSL has no algorithms at all. */
static int
without_algorithms(void)
{
	struct iv_pool pool = {.left = 0};
	struct keyring ring = {.count = 0};
	unsigned char iv[FERNET_IV];
	struct fernet *f = NULL;
	struct err err = {.code = ERR_NONE};

	if (!OSSL_PROVIDER_load(NULL, "null"))
		return 1;
	if (iv_take(&pool, iv) != -1 || iv_take(&pool, iv) != -1)
		return 2;
	if (fernet_new(&f, &ring, &err) != -1 || f || err.code != ERR_BUG)
		return 3;
	return 0;
}

static void
a_failing_generator_gives_no_iv_and_no_cipher_is_an_error(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(without_algorithms());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: it needs an OpenSSL that was not used before. */
		cmocka_unit_test(
			a_failing_generator_gives_no_iv_and_no_cipher_is_an_error),
		cmocka_unit_test(a_token_with_any_bit_flipped_is_not_authentic),
		cmocka_unit_test(a_token_cut_or_grown_is_not_authentic),
		cmocka_unit_test(
			shape_is_sound_only_for_whole_blocks_of_version_128),
		cmocka_unit_test(each_key_opens_its_own_tokens_only),
		cmocka_unit_test(
			a_token_does_not_depend_on_what_was_sealed_before),
		cmocka_unit_test(ivs_are_all_distinct_over_many_refills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
