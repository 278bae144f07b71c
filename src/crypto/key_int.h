/*
 * key_int.h - what the keyring is made of: one key, one file, one directory.
 */
#ifndef PGREKEY_KEY_INT_H
#define PGREKEY_KEY_INT_H

#include "keyring.h"

struct slice key_trim(struct slice s); /* no white space around it */

/* The 44 characters of one key, in either alphabet, and nothing else. */
bool key_decode(uint8_t ret[KEY_BYTES], struct slice text);

/* What a file that is no key looks like, as a predicate. */
const char *key_guess(struct slice file);

/* What is wrong with a key id, as a predicate, or NULL. */
const char *key_id_problem(const char *id);

/* Why this key may open old values but seal no new ones, or NULL. */
const char *key_weakness(const uint8_t key[KEY_BYTES]);

void key_fingerprint(
	char ret[KEY_FINGERPRINT + 1], const uint8_t key[KEY_BYTES]);

struct key_dir {
	const char *path; /* as configured, for messages */
	int fd;
	char **name; /* sorted */
	size_t count;
	bool changed; /* something vanished while it was read: try again */
};

/* Opens and checks a directory; returns its descriptor or -1. */
int key_dir_open(const char *path, struct err *err) MUST_CHECK;

/* Lists what may be keys: not hidden, not ignored. A Kubernetes mount is
 * entered through ..data, once, so that all files come from one version. */
int key_dir_list(struct key_dir *ret, const char *path,
	const char *const *ignore, struct err *err) MUST_CHECK;
void key_dir_done(struct key_dir *dir); /* zero-initialised is fine */

enum key_file {
	KEY_FILE_OK,
	KEY_FILE_NONE, /* a directory: no key and no mistake */
	KEY_FILE_BAD,  /* err says why */
};

/* *exposed: others than owner and root can read it. */
enum key_file key_file_read(uint8_t ret[KEY_BYTES], bool *exposed,
	struct key_dir *dir, const char *name, struct err *err);

#endif
