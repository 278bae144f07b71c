#include "keys.h"
#include <dirent.h>

static void
a_generated_key_is_a_private_file_that_the_ring_takes(void **state)
{
	struct place *p = *state;
	char text[KEY_TEXT + 1], fingerprint[KEY_FINGERPRINT + 1];
	char *path = path_of(p, "k1");
	mode_t before = umask(0277);
	struct stat st;

	assert_int_equal(
		key_generate(p->dir, "k1", text, fingerprint, &p->err), 0);
	umask(before);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, KEY_TEXT + 1);
	assert_int_equal(strlen(text), KEY_TEXT);
	p->options.primary = "k1";
	p->options.strict_permissions = true;
	assert_loads(p, 1);
	assert_string_equal(p->ring->key[0].fingerprint, fingerprint);
	assert_int_equal(
		key_generate(p->dir, "k2", text, fingerprint, &p->err), 0);
	assert_loads(p, 2); /* another key, or they would be the same */
	free(path);
}

static void
a_key_is_never_generated_over_an_existing_file(void **state)
{
	struct place *p = *state;
	char fingerprint[KEY_FINGERPRINT + 1];

	put(p, "k1", KEY);
	put_link(p, "k2", "nowhere");
	assert_int_equal(
		key_generate(p->dir, "k1", NULL, fingerprint, &p->err), -1);
	assert_int_equal(p->err.code, ERR_KEYS);
	assert_non_null(strstr(p->err.msg, "/k1"));
	assert_int_equal(
		key_generate(p->dir, "k2", NULL, fingerprint, &p->err), -1);
	assert_refused(p, "/k2:", "cannot be opened"); /* still dangling */
}

static int
count_entries(const char *dir)
{
	DIR *stream = opendir(dir);
	int n = 0;

	assert_non_null(stream);
	while (readdir(stream))
		n++;
	closedir(stream);
	return n - 2; /* . and .. */
}

static void
a_failed_generation_leaves_nothing_behind(void **state)
{
	struct place *p = *state;
	char fingerprint[KEY_FINGERPRINT + 1];

	put(p, "k1", KEY);
	assert_int_equal(
		key_generate(p->dir, "k1", NULL, fingerprint, &p->err), -1);
	assert_int_equal(count_entries(p->dir), 1);
}

static void
ids_that_cannot_be_key_ids_are_not_generated(void **state)
{
	static const char *const ids[] = {
		"", ".hidden", "..", "a/b", "../k", "a:b", "a\n"};
	struct place *p = *state;
	char fingerprint[KEY_FINGERPRINT + 1];

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		assert_int_equal(key_generate(p->dir, ids[i], NULL, fingerprint,
					 &p->err),
			-1);
		assert_int_equal(p->err.code, ERR_KEYS);
	}
	assert_int_equal(count_entries(p->dir), 0);
}

#define ON_PLACE(test) \
	cmocka_unit_test_setup_teardown(test, place_new, place_free)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(
			a_generated_key_is_a_private_file_that_the_ring_takes),
		WITH_PLACE(a_key_is_never_generated_over_an_existing_file),
		WITH_PLACE(a_failed_generation_leaves_nothing_behind),
		WITH_PLACE(ids_that_cannot_be_key_ids_are_not_generated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
