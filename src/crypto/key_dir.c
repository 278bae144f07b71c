/*
 * Key files as they come: plain files, symlinks of a Kubernetes mount,
 * credentials of systemd, and everything somebody left there by mistake.
 */
#include "key_int.h"
#include "secret.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Kubernetes swaps this symlink to publish a new version as a whole. */
#define DATA "..data"

/* Whoever owns or may write it can choose the key; where is for messages. */
static int
check_writers(const struct stat *st, const char *where, struct err *err)
{
	bool sticky_dir = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);

	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		err_set(err, ERR_KEYS, "%s: is owned by another user (uid %lu)",
			where, (unsigned long)st->st_uid);
		return err_hint(err, "it must belong to root or to the user "
				     "that runs pgrekey");
	}
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) && !sticky_dir) {
		err_set(err, ERR_KEYS, "%s: is writable by others (mode %04o)",
			where, (unsigned)(st->st_mode & 07777));
		return err_hint(err, "chmod go-w");
	}
	return 0;
}

/* On failure errno is that of open, or 0. */
static int
open_dir_at(int at, const char *name, const char *path, struct err *err)
{
	struct stat st;
	int fd;

	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(
			err, ERR_KEYS, "cannot open key directory %s", path);
	if (fstat(fd, &st) < 0)
		err_sys(err, ERR_KEYS, "cannot stat key directory %s", path);
	else if (check_writers(&st, path, err) == 0)
		return fd;
	close(fd);
	errno = 0;
	return -1;
}

int
key_dir_open(const char *path, struct err *err)
{
	return open_dir_at(AT_FDCWD, path, path, err);
}

/* Goes to the version that ..data points to now, if there is one. */
static int
enter_data(struct key_dir *dir, struct err *err)
{
	struct stat st;
	int data;

	if (fstatat(dir->fd, DATA, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	data = open_dir_at(dir->fd, DATA, dir->path, err);
	if (data < 0) {
		dir->changed = errno == ENOENT;
		return -1;
	}
	close(dir->fd);
	dir->fd = data;
	return 0;
}

static bool
is_candidate(const char *name, const char *const *ignore)
{
	if (name[0] == '.')
		return false;
	for (; ignore && *ignore; ignore++) {
		if (fnmatch(*ignore, name, 0) == 0)
			return false;
	}
	return true;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
read_names(struct key_dir *dir, DIR *stream, const char *const *ignore,
	struct err *err)
{
	const struct dirent *entry;

	dir->name = xcalloc(KEYRING_MAX, sizeof(*dir->name));
	for (errno = 0; (entry = readdir(stream)) != NULL; errno = 0) {
		if (!is_candidate(entry->d_name, ignore))
			continue;
		if (dir->count == KEYRING_MAX)
			return err_set(err, ERR_KEYS,
				"key directory %s: holds more than %d files",
				dir->path, KEYRING_MAX);
		dir->name[dir->count++] = xstrdup(entry->d_name);
	}
	if (errno != 0)
		return err_sys(err, ERR_KEYS, "cannot read key directory %s",
			dir->path);
	qsort(dir->name, dir->count, sizeof(*dir->name), compare_names);
	return 0;
}

int
key_dir_list(struct key_dir *ret, const char *path, const char *const *ignore,
	struct err *err)
{
	DIR *stream;
	int rc, fd;

	*ret = (struct key_dir){.path = path, .fd = key_dir_open(path, err)};
	if (ret->fd < 0 || enter_data(ret, err) < 0)
		return -1;
	fd = openat(ret->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream) {
		err_sys(err, ERR_KEYS, "cannot read key directory %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	rc = read_names(ret, stream, ignore, err);
	closedir(stream);
	return rc;
}

void
key_dir_done(struct key_dir *dir)
{
	for (size_t i = 0; i < dir->count; i++)
		free(dir->name[i]);
	free(dir->name);
	if (dir->path && dir->fd >= 0)
		close(dir->fd);
	*dir = (struct key_dir){.fd = -1};
}

/* Reads up to room bytes; -1 with errno if that fails. */
static ssize_t
read_all(int fd, uint8_t *ret, size_t room)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, ret + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int
bad_content(const char *where, const char *problem, struct err *err)
{
	err_set(err, ERR_KEYS, "%s: %s", where, problem);
	return err_hint(err, "a key file holds exactly one key: 32 bytes as "
			     "44 characters of base64; `ignore` excepts files "
			     "that are no keys");
}

static int
read_key(uint8_t ret[KEY_BYTES], int fd, const char *where, struct err *err)
{
	uint8_t *text = secret_alloc(KEY_FILE_MAX + 1);
	ssize_t len = read_all(fd, text, KEY_FILE_MAX + 1);
	const char *problem;
	int rc = -1;

	if (len < 0) {
		err_sys(err, ERR_KEYS, "%s: cannot be read", where);
		goto out;
	}
	problem = len > KEY_FILE_MAX
			  ? "is too long for a key"
			  : key_parse(ret, slice_of(text, (size_t)len));
	rc = problem ? bad_content(where, problem, err) : 0;
out:
	secret_free(text, KEY_FILE_MAX + 1);
	return rc;
}

static enum key_file
read_open_file(uint8_t ret[KEY_BYTES], bool *exposed, int fd, const char *name,
	const char *where, struct err *err)
{
	const char *problem = key_id_problem(name);
	struct stat st;

	if (fstat(fd, &st) < 0) {
		err_sys(err, ERR_KEYS, "%s: cannot be examined", where);
		return KEY_FILE_BAD;
	}
	if (S_ISDIR(st.st_mode))
		return KEY_FILE_NONE;
	if (!S_ISREG(st.st_mode)) {
		bad_content(where, "is not a regular file", err);
		return KEY_FILE_BAD;
	}
	if (problem) {
		err_set(err, ERR_KEYS, "%s: its name, the key id, %s", where,
			problem);
		return KEY_FILE_BAD;
	}
	/* A group of root's choice may read: that is how root shares keys. */
	*exposed = (st.st_mode & S_IROTH) ||
		   ((st.st_mode & S_IRGRP) && st.st_uid != 0);
	if (check_writers(&st, where, err) < 0 ||
		read_key(ret, fd, where, err) < 0)
		return KEY_FILE_BAD;
	return KEY_FILE_OK;
}

/* Nonblocking, or a FIFO would wait for a writer. */
enum key_file
key_file_read(uint8_t ret[KEY_BYTES], bool *exposed, struct key_dir *dir,
	const char *name, struct err *err)
{
	char *where = xasprintf("%s/%s", dir->path, name);
	enum key_file result = KEY_FILE_BAD;
	int fd;

	fd = openat(
		dir->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0) {
		result = read_open_file(ret, exposed, fd, name, where, err);
		close(fd);
	} else if (errno == ENXIO) { /* a socket cannot be opened at all */
		bad_content(where, "is not a regular file", err);
	} else {
		dir->changed |= errno == ENOENT;
		err_sys(err, ERR_KEYS, "%s: cannot be opened", where);
	}
	free(where);
	return result;
}
