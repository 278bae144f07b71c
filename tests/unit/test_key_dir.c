/* K numbers are those of the catalogue of bad key directories. */
#include "keys.h"
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define OTHER_FIRST_BYTE 0x43 /* of OTHER_KEY, decoded */

static void
k01_a_missing_or_empty_or_no_directory_is_refused(void **state)
{
	struct place *p = *state;
	char *missing = path_of(p, "missing"), *file = path_of(p, "file");

	assert_refused(p, p->dir, "holds no key");
	p->options.directory = missing;
	assert_refused(p, missing, "cannot open");
	put(p, "file", KEY);
	p->options.directory = file;
	assert_refused(p, file, "cannot open");
	free(missing);
	free(file);
}

/* Called when k1 was opened: what happens while the ring is being loaded. */
static void (*after_first_key)(void);
static const struct place *here;
static int replacements;

int
openat(int dir, const char *name, int flags, ...)
{
	int fd = (int)syscall(SYS_openat, dir, name, flags, 0);

	if (after_first_key && fd >= 0 && strcmp(name, "k1") == 0)
		after_first_key();
	return fd;
}

/* One version of a mounted secret, as the kubelet lays it out. */
static void
put_version(const struct place *p, const char *version, bool exchanged)
{
	char *first = xasprintf("%s/k1", version);
	char *second = xasprintf("%s/k2", version);

	put_dir(p, version);
	put(p, first, exchanged ? OTHER_KEY : KEY);
	put(p, second, exchanged ? KEY : OTHER_KEY);
	free(second);
	free(first);
}

static void
put_mount(const struct place *p, const char *version)
{
	put_version(p, version, false);
	put_link(p, "..data", version);
	put_link(p, "k1", "..data/k1");
	put_link(p, "k2", "..data/k2");
}

static void
k05_a_kubernetes_mount_is_read_through_its_data_link(void **state)
{
	struct place *p = *state;

	put_mount(p, "..2026_01_01");
	p->options.primary = "k1";
	assert_loads(p, 2);
	assert_int_equal(p->ring->key[0].bytes[0], 0xca);
}

static void
k09_symlinks_are_followed_wherever_they_lead(void **state)
{
	struct place *p = *state;

	put_dir(p, "..elsewhere");
	put(p, "..elsewhere/key", KEY);
	put_link(p, "k1", "..elsewhere/key");
	assert_loads(p, 1);
	assert_string_equal(p->ring->key[0].id, "k1");
}

static void
k09_loops_and_dangling_symlinks_are_refused(void **state)
{
	struct place *p = *state;

	put(p, "k1", KEY);
	put_link(p, "k2", "k2");
	assert_refused(p, "/k2:", "cannot be opened");
	put_link(p, "k0", "nowhere");
	assert_refused(p, "/k0:", "1 more");
}

/* What the kubelet does: a new version, and ..data points to it by rename. */
static void
replace_version(const struct place *p, const char *old, const char *new)
{
	char *data = path_of(p, "..data"), *tmp = path_of(p, "..data_tmp");
	char *path = path_of(p, old);

	put_version(p, new, true);
	put_link(p, "..data_tmp", new);
	assert_int_equal(rename(tmp, data), 0);
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(path);
	free(tmp);
	free(data);
}

static void
replace_once(void)
{
	after_first_key = NULL;
	replace_version(here, "..v0", "..v1");
}

static void
k12_a_version_that_vanishes_while_it_is_read_is_not_used(void **state)
{
	struct place *p = *state;

	here = p;
	put_mount(p, "..v0");
	after_first_key = replace_once;
	assert_loads(p, 2);
	assert_null(after_first_key);
	assert_int_equal(p->ring->key[0].bytes[0], OTHER_FIRST_BYTE);
}

static void
relink_once(void)
{
	after_first_key = NULL;
	replace_version(here, "none", "..v1");
}

static void
k12_keys_never_come_from_two_versions(void **state)
{
	struct place *p = *state;

	here = p;
	put_mount(p, "..v0");
	after_first_key = relink_once;
	/* The second key of the new version equals the first of the old. */
	assert_loads(p, 2);
	assert_null(after_first_key);
}

static void
replace_always(void)
{
	char *old = xasprintf("..v%d", replacements);
	char *new = xasprintf("..v%d", replacements + 1);

	replace_version(here, old, new);
	replacements++;
	free(old);
	free(new);
}

static void
k12_a_directory_that_never_holds_still_is_refused(void **state)
{
	struct place *p = *state;

	here = p;
	put_mount(p, "..v0");
	after_first_key = replace_always;
	assert_refused(p, "/k2:", "cannot be opened");
	after_first_key = NULL;
	assert_int_equal(replacements, 5);
}

static void
k10_fifos_sockets_and_devices_are_refused_without_blocking(void **state)
{
	struct place *p = *state;
	char *fifo = path_of(p, "fifo"), *name = path_of(p, "socket");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	put(p, "k1", KEY);
	put_link(p, "zero", "/dev/zero");
	assert_refused(p, "/zero:", "not a regular file");
	strncpy(address.sun_path, name, sizeof(address.sun_path) - 1);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_refused(p, "/socket:", "not a regular file");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_refused(p, "/fifo:", "not a regular file");
	assert_non_null(strstr(p->err.msg, "2 more"));
	close(fd);
	free(fifo);
	free(name);
}

static void
k11_hidden_files_and_directories_are_no_keys(void **state)
{
	struct place *p = *state;

	put(p, "k1", KEY);
	put(p, ".k1.swp", "x");
	put(p, "..k2", "x");
	put_dir(p, "lost+found");
	put_link(p, "link", "lost+found");
	assert_loads(p, 1);
}

static void
k11_ignored_names_are_no_keys(void **state)
{
	static const char *const ignore[] = {"README*", "*.bak", NULL};
	struct place *p = *state;

	put(p, "k1", KEY);
	put(p, "README.md", "x");
	put(p, "k1.bak", KEY);
	assert_refused(p, "/README.md:", "not base64");
	p->options.ignore = ignore;
	assert_loads(p, 1);
}

static void
k11_an_editor_backup_is_a_second_name_for_the_key(void **state)
{
	struct place *p = *state;

	put(p, "k1", KEY);
	put(p, "k1~", KEY);
	assert_refused(p, "k1 and k1~", "same key");
}

static void
k23_huge_files_are_refused_unread(void **state)
{
	struct place *p = *state;
	char *path = path_of(p, "k1");

	put(p, "k1", KEY);
	assert_int_equal(truncate(path, KEY_FILE_MAX + 1), 0);
	assert_refused(p, "/k1:", "too long");
	assert_int_equal(truncate(path, (off_t)1 << 40), 0);
	assert_refused(p, "/k1:", "too long");
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(k01_a_missing_or_empty_or_no_directory_is_refused),
		WITH_PLACE(
			k05_a_kubernetes_mount_is_read_through_its_data_link),
		WITH_PLACE(k09_symlinks_are_followed_wherever_they_lead),
		WITH_PLACE(k09_loops_and_dangling_symlinks_are_refused),
		WITH_PLACE(
			k12_a_version_that_vanishes_while_it_is_read_is_not_used),
		WITH_PLACE(k12_keys_never_come_from_two_versions),
		WITH_PLACE(k12_a_directory_that_never_holds_still_is_refused),
		WITH_PLACE(
			k10_fifos_sockets_and_devices_are_refused_without_blocking),
		WITH_PLACE(k11_hidden_files_and_directories_are_no_keys),
		WITH_PLACE(k11_ignored_names_are_no_keys),
		WITH_PLACE(k11_an_editor_backup_is_a_second_name_for_the_key),
		WITH_PLACE(k23_huge_files_are_refused_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
