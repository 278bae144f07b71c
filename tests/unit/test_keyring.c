/* K numbers are those of the catalogue of bad key directories. */
#include "keys.h"

static void
a_directory_of_keys_is_a_ring_sorted_by_id(void **state)
{
	struct place *p = *state;

	put(p, "OTHER_KEY024", KEY);
	put(p, "OTHER_KEY023", OTHER_KEY);
	p->options.primary = "OTHER_KEY024";
	assert_loads(p, 2);
	assert_string_equal(p->ring->key[0].id, "OTHER_KEY023");
	assert_string_equal(p->ring->key[1].id, "OTHER_KEY024");
	assert_true(p->ring->has_primary);
	assert_int_equal(p->ring->primary, 1);
	assert_int_equal(p->ring->warnings, 0);
	assert_string_equal(p->ring->key[1].fingerprint, FINGERPRINT);
	assert_int_equal(p->ring->key[1].bytes[0], 0xca);
	assert_int_equal(p->ring->key[1].bytes[31], 0x17);
}

static void
a_key_is_found_by_its_whole_id_only(void **state)
{
	struct place *p = *state;

	put(p, "a", KEY);
	put(p, "ab", OTHER_KEY);
	assert_loads(p, 2);
	assert_int_equal(keyring_find(p->ring, slice_str("a")), 0);
	assert_int_equal(keyring_find(p->ring, slice_str("ab")), 1);
	assert_int_equal(keyring_find(p->ring, slice_str("abc")), -1);
	assert_int_equal(keyring_find(p->ring, slice_str("b")), -1);
	assert_int_equal(keyring_find(p->ring, slice_str("A")), -1);
	assert_int_equal(keyring_find(p->ring, slice_str("")), -1);
	assert_int_equal(keyring_find(p->ring, slice_of("a\0", 2)), -1);
}

static void
without_a_primary_in_the_options_none_is_needed(void **state)
{
	struct place *p = *state;

	put(p, "k1", KEY);
	assert_loads(p, 1);
	assert_false(p->ring->has_primary);
}

static void
a_missing_primary_is_refused_naming_the_known_ids(void **state)
{
	struct place *p = *state;

	put(p, "k1", KEY);
	put(p, "k2", OTHER_KEY);
	p->options.primary = "k3";
	assert_refused(p, "primary k3", p->dir);
	assert_non_null(strstr(p->err.hint, "k1, k2"));
}

static void
k20_the_same_key_under_two_names_is_refused_in_any_spelling(void **state)
{
	struct place *p = *state;

	put(p, "k1", KEY);
	put(p, "k2", "ynzvdTC3MSiFH8PCFO+gYkUuf+DZVE8KM86TOgc6wxc=");
	put(p, "k3", OTHER_KEY);
	assert_refused(p, "k1 and k2", "same key");
}

/* KEY, with the second half of OTHER_KEY; and the other way round. */
#define SAME_SIGNING "ynzvdTC3MSiFH8PCFO-gYq53UrTZYEFCoXiNiySlQU8="
#define SAME_ENCRYPTING "Q26gMfKal3CIN2MTgrHuHUUuf-DZVE8KM86TOgc6wxc="

static void
two_keys_that_share_their_signing_half_are_refused(void **state)
{
	struct place *p = *state;

	put(p, "k1", KEY);
	put(p, "k2", OTHER_KEY);
	put(p, "k3", SAME_SIGNING);
	assert_refused(p, "k1 and k3", "same signing half");
	put(p, "k3", KEY);
	assert_refused(p, "k1 and k3", "are the same key");
	remove_file(p, "k2");
	put(p, "k3", SAME_ENCRYPTING);
	assert_loads(p, 2);
}

static void
k22_weak_and_published_keys_open_with_a_warning_but_never_seal(void **state)
{
	static const char *const weak[] = {
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
		"2D0t8HH_RVTFUwt4CABZNtg9LfBx_0VUxVMLeAgAWTY=",
		"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
		"46BKJoQYlPPOexq0OhDZnIlNepKFf87WFwLbfzqDDho=",
		"81HqDtbqAywKSOumSha3BhWNOdQ26slT6K0YaZeZyPs=",
	};
	struct place *p = *state;

	put(p, "good", KEY);
	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
		put(p, "weak", weak[i]);
		p->options.primary = "good";
		assert_loads(p, 2);
		assert_true(warns(p, "key weak is weak"));
		assert_non_null(p->ring->key[1].weakness);
		p->options.primary = "weak";
		assert_refused(p, "key weak", "may not be the primary");
	}
}

/* Keys that differ in their first bytes. */
static void
put_many(const struct place *p, int from, int to)
{
	char id[16], key[] = KEY;

	for (int i = from; i < to; i++) {
		snprintf(id, sizeof(id), "k%04d", i);
		memcpy(key, id, 5);
		put(p, id, key);
	}
}

static void
k25_a_thousand_keys_are_loaded_and_one_more_is_refused(void **state)
{
	struct place *p = *state;

	put_many(p, 0, KEYRING_MAX);
	assert_loads(p, KEYRING_MAX);
	for (size_t i = 0; i < KEYRING_MAX; i++)
		assert_int_equal(
			keyring_find(p->ring, slice_str(p->ring->key[i].id)),
			(long)i);
	put_many(p, KEYRING_MAX, KEYRING_MAX + 1);
	assert_refused(p, p->dir, "more than 1000");
}

static void
k26_names_that_can_be_no_key_id_are_refused(void **state)
{
	static const char *const names[] = {
		"a:b", "a\nb", "a\x1b[31m", "schl\xc3\xbcssel", "k\x7f"};
	struct place *p = *state;
	char long_name[140];

	memset(long_name, 'k', sizeof(long_name));
	long_name[129] = '\0';
	put(p, long_name, KEY);
	assert_refused(p, "key id", "longer than 128");
	remove_file(p, long_name);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		put(p, names[i], KEY);
		assert_refused(p, "key id", "contains");
		remove_file(p, names[i]);
	}
	long_name[128] = '\0';
	put(p, long_name, OTHER_KEY);
	assert_loads(p, 1);
}

static void
k28_a_pinned_key_must_have_that_fingerprint(void **state)
{
	static const char *const right[] = {"k1", FINGERPRINT, NULL};
	static const char *const wrong[] = {"k1", "00000000", NULL};
	static const char *const secret[] = {"k1", KEY, NULL};
	static const char *const stale[] = {"k9", "00000000", NULL};
	struct place *p = *state;

	put(p, "k1", KEY);
	p->options.pins = right;
	assert_loads(p, 1);
	assert_int_equal(p->ring->warnings, 0);
	p->options.pins = wrong;
	assert_refused(p, "key k1 has the fingerprint " FINGERPRINT,
		"not the pinned one");
	/* Somebody took a pin for the place of the key: it is not shown. */
	p->options.pins = secret;
	assert_refused(p, "not the pinned one", "");
	p->options.pins = stale;
	assert_loads(p, 1);
	assert_true(warns(p, "pinned for k9"));
}

static void
the_first_bad_file_is_named_and_the_others_are_counted(void **state)
{
	struct place *p = *state;

	put(p, "a", KEY);
	put(p, "b", "FERNET_KEY=" KEY);
	put(p, "c", "");
	put(p, "d", KEY "," OTHER_KEY);
	assert_refused(p, "/b: looks like a NAME=value line", "2 more");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(a_directory_of_keys_is_a_ring_sorted_by_id),
		WITH_PLACE(a_key_is_found_by_its_whole_id_only),
		WITH_PLACE(without_a_primary_in_the_options_none_is_needed),
		WITH_PLACE(a_missing_primary_is_refused_naming_the_known_ids),
		WITH_PLACE(
			k20_the_same_key_under_two_names_is_refused_in_any_spelling),
		WITH_PLACE(two_keys_that_share_their_signing_half_are_refused),
		WITH_PLACE(
			k22_weak_and_published_keys_open_with_a_warning_but_never_seal),
		WITH_PLACE(
			k25_a_thousand_keys_are_loaded_and_one_more_is_refused),
		WITH_PLACE(k26_names_that_can_be_no_key_id_are_refused),
		WITH_PLACE(k28_a_pinned_key_must_have_that_fingerprint),
		WITH_PLACE(
			the_first_bad_file_is_named_and_the_others_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
