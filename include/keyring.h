/*
 * keyring.h - all known keys, loaded once from a directory.
 *
 * Read-only after loading, so any number of threads may share it. Key bytes
 * live in locked memory that core dumps leave out, and are wiped by
 * keyring_free(). Messages name files and reasons, never content.
 */
#ifndef PGREKEY_KEYRING_H
#define PGREKEY_KEYRING_H

#include "err.h"
#include "slice.h"
#include <stdint.h>

#define KEY_BYTES 32      /* 16 sign, 16 encrypt */
#define KEY_SIGNING 16    /* of these, the first */
#define KEY_TEXT 44       /* characters of base64 */
#define KEY_FINGERPRINT 8 /* hex characters of SHA-256 of the key */
#define KEY_FILE_MAX 4096 /* bytes; a longer file is no key */
#define KEYRING_MAX 1000  /* keys */

struct key {
	char *id;
	char fingerprint[KEY_FINGERPRINT + 1];
	const uint8_t *bytes; /* KEY_BYTES, locked */
	const char *weakness; /* NULL, or why it may not be the primary */
};

struct keyring {
	struct key *key; /* sorted by id */
	size_t count;
	size_t primary; /* index; meaningless when !has_primary */
	bool has_primary;
	char **warning; /* readable by others, weak, ... ; for the log */
	size_t warnings;
	struct err *problem; /* of a survey; otherwise loading failed */
	size_t problems;
	uint8_t *secret; /* what all key[].bytes point into */
	size_t secret_size;
};

struct keyring_options {
	const char *directory;
	const char *primary;       /* key id, or NULL: none needed */
	const char *const *ignore; /* NULL-terminated glob patterns, or NULL */
	bool strict_permissions;   /* readable by others is an error */
	/* NULL-terminated pairs id, fingerprint: what a key must be. */
	const char *const *pins;
	/* Go on at what would make loading fail, as far as that goes, and note
	 * it in the ring: for those who want to see everything at once. */
	bool survey;
};

/* ERR_KEYS on any file that is not exactly one key, on a missing or weak
 * primary, on the same key under two names, on two keys that sign alike, on a
 * pin that differs. */
int keyring_load(struct keyring **ret, const struct keyring_options *options,
	struct err *err) MUST_CHECK;
void keyring_free(struct keyring *ring); /* wipes; NULL is fine */

/* Index of the key with this id, or -1. */
long keyring_find(const struct keyring *ring, struct slice id);

/* What is wrong with a text as a key file, as a predicate ("is empty"), or
 * NULL if it is exactly one key (then ret holds it). Static text that never
 * quotes. Pure; used by the loader, tests and fuzzers. */
const char *key_parse(uint8_t ret[KEY_BYTES], struct slice text);

/* Makes a new key file: whole or not at all, never over an existing one, 0600,
 * fsynced. text receives the 44 characters and a NUL if it is not NULL (wipe
 * it yourself). */
int key_generate(const char *directory, const char *id, char text[KEY_TEXT + 1],
	char fingerprint[KEY_FINGERPRINT + 1], struct err *err) MUST_CHECK;

#endif
