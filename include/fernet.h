/*
 * fernet.h - the Fernet token, version 0x80, as bytes (not yet base64).
 *
 * token = 0x80, seconds (8, big-endian), IV (16), AES-128-CBC with PKCS#7,
 * HMAC-SHA-256 over all before. https://github.com/fernet/spec
 *
 * A struct fernet is the cipher state of one thread for one keyring: contexts
 * made once, HMAC states precomputed per key. It may not be shared; the
 * keyring must outlive it. Nothing here logs, allocates per token, keeps a
 * pointer to its input, or looks at a token's age: a rotation accepts every
 * token ever written.
 */
#ifndef PGREKEY_FERNET_H
#define PGREKEY_FERNET_H

#include "keyring.h"

#define FERNET_OVERHEAD 57 /* version, time, IV, HMAC */
#define FERNET_IV 16

struct fernet;

enum fernet_shape {
	FERNET_SOUND, /* 0x80 and 57 + 16k bytes, k >= 1 */
	FERNET_ODD,   /* long enough for an HMAC, but the inside cannot be
			 right: corrupt if a key signed it, else malformed */
	FERNET_NOT,   /* no token at all: too short, or another version */
};

int fernet_new(struct fernet **ret, const struct keyring *ring,
	struct err *err) MUST_CHECK;
void fernet_free(struct fernet *f); /* wipes; NULL is fine */

enum fernet_shape fernet_shape(struct slice token);
/* Seconds since 1970; the token must not be FERNET_NOT. */
uint64_t fernet_time(struct slice token);

/* Did this key sign it? In constant time. key is an index of the keyring. */
bool fernet_authentic(struct fernet *f, size_t key, struct slice token);

/* Decrypts a token that is authentic under key. Returns the length of the
 * plaintext, or -1 if what was signed is not a message. ret has room for
 * token.len bytes. */
long fernet_decrypt(
	struct fernet *f, size_t key, struct slice token, unsigned char *ret);

/* Size of the token of a plaintext of n bytes. */
#define FERNET_SEALED_SIZE(n) (FERNET_OVERHEAD + ((n) / 16 + 1) * 16)

/* Writes FERNET_SEALED_SIZE(plain.len) bytes. -1 only if OpenSSL fails. */
int fernet_seal(struct fernet *f, size_t key, uint64_t time,
	const unsigned char iv[FERNET_IV], struct slice plain,
	unsigned char *ret) MUST_CHECK;

/* Initialisation vectors from the system generator, fetched in bulk. */
struct iv_pool {
	unsigned char bytes[4096];
	size_t left; /* bytes; zero-initialised is empty */
};

/* -1 if the generator failed: the run must stop. Never hands one out twice. */
int iv_take(struct iv_pool *pool, unsigned char ret[FERNET_IV]) MUST_CHECK;

#endif
