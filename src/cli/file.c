#include "file_int.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* On the open descriptor, so that what is checked is what is read. */
static int
check(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, ERR_USAGE, "cannot inspect '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_USAGE, "'%s' is no regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(err, ERR_USAGE,
			"'%s' belongs neither to root nor to this user", path);
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		err_set(err, ERR_USAGE, "'%s' can be written by others", path);
		return err_hint(err, "chmod go-w the file");
	}
	return 0;
}

static int
read_all(struct buf *ret, int fd, const char *path, struct err *err)
{
	for (;;) {
		unsigned char *room = buf_reserve(ret, 4096);
		ssize_t n;

		if (!room)
			return err_set(err, ERR_USAGE,
				"'%s' has more than %d KiB", path,
				FILE_BYTES_MAX / 1024);
		n = read(fd, room, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(
				err, ERR_USAGE, "cannot read '%s'", path);
		if (n == 0)
			return 0;
		buf_take(ret, (size_t)n);
	}
}

int
file_read(struct buf *ret, const char *path, struct err *err)
{
	int rc = -1;
	int fd;

	buf_init(ret, FILE_BYTES_MAX + 4096);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		bool missing = errno == ENOENT;

		err_sys(err, ERR_USAGE, "cannot open '%s'", path);
		if (missing)
			err_hint(err, "name the file with --config, or in "
				      "PGREKEY_CONFIG");
		return -1;
	}
	if (check(fd, path, err) < 0)
		goto out;
	if (read_all(ret, fd, path, err) < 0)
		goto out;
	if (ret->len == 0) {
		err_set(err, ERR_USAGE, "'%s' is empty", path);
		goto out;
	}
	rc = 0;
out:
	close(fd);
	return rc;
}
