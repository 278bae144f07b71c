/*
 * keys.h - a key directory per test, and what the loader makes of it.
 */
#ifndef PGREKEY_TEST_KEYS_H
#define PGREKEY_TEST_KEYS_H

#include "err.h"
#include "keyring.h"
#include "test.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "ynzvdTC3MSiFH8PCFO-gYkUuf-DZVE8KM86TOgc6wxc="
#define OTHER_KEY "Q26gMfKal3CIN2MTgrHuHa53UrTZYEFCoXiNiySlQU8="
/* basenc --base64url -d | sha256sum | cut -c1-8 */
#define FINGERPRINT "f294fcf9"

struct place {
	char dir[64];
	struct keyring *ring;
	struct err err;
	struct keyring_options options;
};

static inline int
place_new(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	strncpy(p->dir, "/tmp/test-keyring-XXXXXX", sizeof(p->dir) - 1);
	assert_non_null(mkdtemp(p->dir));
	p->options.directory = p->dir;
	*state = p;
	return 0;
}

static inline int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *where)
{
	(void)st;
	(void)flag;
	(void)where;
	return remove(path);
}

static inline int
place_free(void **state)
{
	struct place *p = *state;

	keyring_free(p->ring);
	nftw(p->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(p);
	return 0;
}

static inline char *
path_of(const struct place *p, const char *name)
{
	return xasprintf("%s/%s", p->dir, name);
}

static inline void
put_bytes(const struct place *p, const char *name, struct slice content,
	mode_t mode)
{
	char *path = path_of(p, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(
		write(fd, content.ptr, content.len), (ssize_t)content.len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	free(path);
}

static inline void
put(const struct place *p, const char *name, const char *content)
{
	put_bytes(p, name, slice_str(content), 0600);
}

static inline void
put_link(const struct place *p, const char *name, const char *target)
{
	char *path = path_of(p, name);

	assert_int_equal(symlink(target, path), 0);
	free(path);
}

static inline void
put_dir(const struct place *p, const char *name)
{
	char *path = path_of(p, name);

	assert_int_equal(mkdir(path, 0755), 0);
	free(path);
}

static inline void
remove_file(const struct place *p, const char *name)
{
	char *path = path_of(p, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static inline int
load(struct place *p)
{
	keyring_free(p->ring);
	p->ring = NULL;
	memset(&p->err, 0, sizeof(p->err));
	return keyring_load(&p->ring, &p->options, &p->err);
}

static inline void
assert_loads(struct place *p, size_t keys)
{
	if (load(p) < 0)
		fail_msg("%s", p->err.msg);
	assert_int_equal(p->ring->count, keys);
}

/* The message says all of these, and nothing of a key's text. */
static inline void
assert_refused(struct place *p, const char *a, const char *b)
{
	assert_int_equal(load(p), -1);
	assert_int_equal(p->err.code, ERR_KEYS);
	assert_null(p->ring);
	if (!strstr(p->err.msg, a) || !strstr(p->err.msg, b))
		fail_msg("'%s' lacks '%s' or '%s'", p->err.msg, a, b);
	assert_null(strstr(p->err.msg, "ynzv"));
	assert_null(strstr(p->err.hint, "ynzv"));
}

static inline bool
warns(const struct place *p, const char *what)
{
	for (size_t i = 0; i < p->ring->warnings; i++) {
		if (strstr(p->ring->warning[i], what))
			return true;
	}
	return false;
}

#define WITH_PLACE(test) \
	cmocka_unit_test_setup_teardown(test, place_new, place_free)

#endif
