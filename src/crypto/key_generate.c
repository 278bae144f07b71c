#include "base64.h"
#include "key_int.h"
#include "secret.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int
write_synced(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return fchmod(fd, S_IRUSR | S_IWUSR) < 0 ? -1 : fsync(fd);
}

/* Under a hidden name first, so that nobody reads half a key; link() refuses
 * a name that exists, which rename() does not. */
static int
write_file(int dir, const char *directory, const char *id, const char *line,
	struct err *err)
{
	char *path = xasprintf("%s/%s", directory, id);
	char *hidden = xasprintf("%s/.keygen-XXXXXX", directory);
	int rc = -1, fd = mkostemp(hidden, O_CLOEXEC);

	if (fd < 0) {
		err_sys(err, ERR_KEYS, "cannot create a file in %s", directory);
		goto out;
	}
	if (write_synced(fd, line, KEY_TEXT + 1) < 0)
		err_sys(err, ERR_KEYS, "cannot write key file %s", path);
	else if (link(hidden, path) < 0)
		err_sys(err, ERR_KEYS, "cannot create key file %s", path);
	else
		rc = 0;
	close(fd);
	unlink(hidden);
	if (rc == 0 && fsync(dir) < 0)
		rc = err_sys(err, ERR_KEYS, "cannot sync %s", directory);
out:
	free(hidden);
	free(path);
	return rc;
}

int
key_generate(const char *directory, const char *id, char text[KEY_TEXT + 1],
	char fingerprint[KEY_FINGERPRINT + 1], struct err *err)
{
	const char *problem = key_id_problem(id);
	char line[KEY_TEXT + 1];
	uint8_t key[KEY_BYTES];
	int rc = -1, dir;

	if (problem)
		return err_set(err, ERR_KEYS, "key id %s", problem);
	dir = key_dir_open(directory, err);
	if (dir < 0)
		return -1;
	if (RAND_priv_bytes(key, sizeof(key)) != 1) {
		err_set(err, ERR_KEYS, "the random generator failed");
		goto out;
	}
	base64_encode(line, slice_of(key, sizeof(key)), BASE64_URL);
	line[KEY_TEXT] = '\n';
	rc = write_file(dir, directory, id, line, err);
	if (rc < 0)
		goto out;
	key_fingerprint(fingerprint, key);
	if (text) {
		memcpy(text, line, KEY_TEXT);
		text[KEY_TEXT] = '\0';
	}
out:
	secret_wipe(key, sizeof(key));
	secret_wipe(line, sizeof(line));
	close(dir);
	return rc;
}
