/* K numbers are those of the catalogue of bad key directories. */
#include "keys.h"
#include <sys/wait.h>

#define STRANGER 12345 /* neither root nor us */

/* Of the loader; another one than the owner of the files, if a test says so:
 * without being root nobody can give files away. */
static uid_t pretended_user = (uid_t)-1;

uid_t
geteuid(void)
{
	return pretended_user == (uid_t)-1 ? getuid() : pretended_user;
}

static void
k02_files_writable_by_others_are_refused(void **state)
{
	static const mode_t modes[] = {0620, 0602, 0666, 0660, 0606};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		put_bytes(p, "k1", slice_str(KEY), modes[i]);
		assert_refused(p, "/k1:", "writable by others");
	}
}

static void
k03_files_that_only_the_owner_can_read_are_accepted(void **state)
{
	struct place *p = *state;

	put_bytes(p, "k1", slice_str(KEY), 0400);
	put_bytes(p, "k2", slice_str(OTHER_KEY), 0600);
	p->options.strict_permissions = true;
	assert_loads(p, 2);
	assert_int_equal(p->ring->warnings, 0);
}

static void
k03_group_may_read_what_root_owns(void **state)
{
	struct place *p = *state;

	put_bytes(p, "k1", slice_str(KEY), 0440);
	assert_loads(p, 1);
	assert_int_equal(p->ring->warnings, getuid() == 0 ? 0 : 1);
	p->options.strict_permissions = true;
	assert_int_equal(load(p), getuid() == 0 ? 0 : -1);
}

static void
k06_files_readable_by_others_warn_and_strict_refuses_them(void **state)
{
	struct place *p = *state;

	put_bytes(p, "k1", slice_str(KEY), 0644);
	put_bytes(p, "k2", slice_str(OTHER_KEY), 0604);
	assert_loads(p, 2);
	assert_int_equal(p->ring->warnings, 1);
	assert_true(warns(p, "readable by others: k1 and more"));
	p->options.strict_permissions = true;
	assert_refused(p, "/k1: is readable by others", "1 more");
	assert_non_null(strstr(p->err.hint, "defaultMode: 0400"));
}

static void
k07_a_directory_writable_by_others_is_refused_unless_sticky(void **state)
{
	struct place *p = *state;

	put(p, "k1", KEY);
	chmod(p->dir, 0757);
	assert_refused(p, p->dir, "writable by others");
	chmod(p->dir, 0775);
	assert_refused(p, p->dir, "writable by others");
	chmod(p->dir, 01777); /* how Kubernetes mounts a secret */
	assert_loads(p, 1);
}

static void
k08_what_a_third_user_owns_is_refused(void **state)
{
	struct place *p = *state;
	char *path = path_of(p, "k1");

	put(p, "k1", KEY);
	if (getuid() == 0) {
		assert_int_equal(chown(path, STRANGER, 0), 0);
		assert_refused(p, "/k1:", "another user");
		assert_int_equal(chown(path, 0, 0), 0);
		assert_int_equal(chown(p->dir, STRANGER, 0), 0);
		assert_refused(p, p->dir, "another user");
	} else {
		pretended_user = STRANGER;
		assert_refused(p, p->dir, "another user");
		pretended_user = (uid_t)-1;
	}
	free(path);
}

/* In a child without rights: root may read everything. */
static void
k32_a_key_that_may_not_be_read_is_refused(void **state)
{
	struct place *p = *state;
	char *path = path_of(p, "k1");
	pid_t child;
	int status;

	put(p, "k1", KEY);
	chmod(p->dir, 0755);
	chmod(path, 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (getuid() == 0 && setuid(STRANGER) < 0)
			_exit(1);
		_exit(load(p) == -1 && p->err.code == ERR_KEYS &&
					strstr(p->err.msg, "cannot be opened")
				? 0
				: 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(k02_files_writable_by_others_are_refused),
		WITH_PLACE(k03_files_that_only_the_owner_can_read_are_accepted),
		WITH_PLACE(k03_group_may_read_what_root_owns),
		WITH_PLACE(
			k06_files_readable_by_others_warn_and_strict_refuses_them),
		WITH_PLACE(
			k07_a_directory_writable_by_others_is_refused_unless_sticky),
		WITH_PLACE(k08_what_a_third_user_owns_is_refused),
		WITH_PLACE(k32_a_key_that_may_not_be_read_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
