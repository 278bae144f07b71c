#include "fernet.h"
#include "secret.h"
#include <assert.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define VERSION 0x80
#define TIME_AT 1
#define IV_AT 9
#define BODY_AT 25
#define TAG 32
#define BLOCK 16

/* Keyed once; a message only restarts them. */
struct contexts {
	EVP_MAC_CTX *mac;
	EVP_CIPHER_CTX *encrypt;
	unsigned char chain[BLOCK]; /* what encrypt has made last, or its
				       first vector */
	EVP_CIPHER_CTX *decrypt;
};

struct fernet {
	EVP_MAC *hmac;
	EVP_CIPHER *aes;
	struct contexts *of; /* by index of the keyring */
	size_t count;
};

static bool
key_mac(struct contexts *c, EVP_MAC *hmac, const uint8_t *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	c->mac = EVP_MAC_CTX_new(hmac);
	return c->mac && EVP_MAC_init(c->mac, key, KEY_SIGNING, params) == 1;
}

static bool
key_cipher(EVP_CIPHER_CTX **ret, EVP_CIPHER *aes, const uint8_t *key, int enc)
{
	static const unsigned char iv[BLOCK]; /* as `chain` begins */

	*ret = EVP_CIPHER_CTX_new();
	return *ret && EVP_CipherInit_ex2(*ret, aes, key, iv, enc, NULL) == 1 &&
	       EVP_CIPHER_CTX_set_padding(*ret, 0) == 1;
}

int
fernet_new(struct fernet **ret, const struct keyring *ring, struct err *err)
{
	struct fernet *f = xcalloc(1, sizeof(*f));

	f->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	f->aes = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	f->of = xcalloc(ring->count, sizeof(*f->of));
	f->count = ring->count;
	if (!f->hmac || !f->aes)
		goto out;
	for (size_t i = 0; i < f->count; i++) {
		const uint8_t *key = ring->key[i].bytes;
		struct contexts *c = &f->of[i];

		if (!key_mac(c, f->hmac, key) ||
			!key_cipher(
				&c->encrypt, f->aes, key + KEY_SIGNING, 1) ||
			!key_cipher(&c->decrypt, f->aes, key + KEY_SIGNING, 0))
			goto out;
	}
	*ret = f;
	return 0;
out:
	fernet_free(f);
	return err_set(err, ERR_BUG,
		"OpenSSL does not offer HMAC-SHA-256 and AES-128-CBC");
}

/* OpenSSL cleanses what its contexts held. */
void
fernet_free(struct fernet *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->count; i++) {
		EVP_MAC_CTX_free(f->of[i].mac);
		EVP_CIPHER_CTX_free(f->of[i].encrypt);
		EVP_CIPHER_CTX_free(f->of[i].decrypt);
	}
	EVP_MAC_free(f->hmac);
	EVP_CIPHER_free(f->aes);
	free(f->of);
	free(f);
}

enum fernet_shape
fernet_shape(struct slice token)
{
	if (token.len < FERNET_OVERHEAD || token.ptr[0] != VERSION)
		return FERNET_NOT;
	if (token.len == FERNET_OVERHEAD ||
		(token.len - FERNET_OVERHEAD) % BLOCK != 0)
		return FERNET_ODD;
	return FERNET_SOUND;
}

uint64_t
fernet_time(struct slice token)
{
	uint64_t time = 0;

	for (size_t i = TIME_AT; i < IV_AT; i++)
		time = time << 8 | token.ptr[i];
	return time;
}

/* Restarting with no key keeps the key, and its precomputed state. */
static bool
make_tag(EVP_MAC_CTX *mac, struct slice message, unsigned char tag[TAG])
{
	size_t len;

	return EVP_MAC_init(mac, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(mac, message.ptr, message.len) == 1 &&
	       EVP_MAC_final(mac, tag, &len, TAG) == 1 && len == TAG;
}

/* OpenSSL failing here is not the token's fault: calling it forged would be
 * a false report, so the program ends. */
bool
fernet_authentic(struct fernet *f, size_t key, struct slice token)
{
	unsigned char tag[TAG];
	struct slice signed_part;

	assert(key < f->count && token.len >= TAG);
	signed_part = slice_of(token.ptr, token.len - TAG);
	if (!make_tag(f->of[key].mac, signed_part, tag))
		die("HMAC-SHA-256 failed");
	return CRYPTO_memcmp(tag, token.ptr + signed_part.len, TAG) == 0;
}

/* Whole blocks, padding included; ret may be in. */
static bool
update(EVP_CIPHER_CTX *ctx, struct slice in, unsigned char *ret)
{
	int len;

	assert(in.len <= INT_MAX);
	return EVP_CipherUpdate(ctx, ret, &len, in.ptr, (int)in.len) == 1 &&
	       (size_t)len == in.len;
}

/* Setting a vector takes OpenSSL longer than a short value does. So messages
 * go on where the one before ended, and what that means is taken back: CBC
 * adds the last block before, here the first block adds it again, with the
 * vector. After a failure the state is unknown; the caller must give up. */
static bool
encipher(struct contexts *c, const unsigned char *iv, unsigned char *text,
	size_t len)
{
	for (size_t i = 0; i < BLOCK; i++)
		text[i] ^= c->chain[i] ^ iv[i];
	if (!update(c->encrypt, slice_of(text, len), text))
		return false;
	memcpy(c->chain, text + len - BLOCK, BLOCK);
	return true;
}

/* Decrypting needs of what came before its last block only: the vector, which
 * is the block in front of the body, does what setting it would. What it
 * decrypts to itself means nothing. */
static bool
decipher(EVP_CIPHER_CTX *ctx, struct slice iv_and_body, unsigned char *ret)
{
	if (!update(ctx, iv_and_body, ret))
		return false;
	memmove(ret, ret + BLOCK, iv_and_body.len - BLOCK);
	return true;
}

/* Length without the padding, or -1 if the padding is none. Who can get here
 * has made a valid tag, so the time this takes betrays nothing to anybody. */
static long
unpad(const unsigned char *p, size_t len)
{
	size_t pad = p[len - 1];

	if (pad < 1 || pad > BLOCK)
		return -1;
	for (size_t i = len - pad; i < len; i++) {
		if (p[i] != pad)
			return -1;
	}
	return (long)(len - pad);
}

long
fernet_decrypt(
	struct fernet *f, size_t key, struct slice token, unsigned char *ret)
{
	size_t body;

	assert(key < f->count);
	if (fernet_shape(token) != FERNET_SOUND)
		return -1;
	body = token.len - FERNET_OVERHEAD;
	if (!decipher(f->of[key].decrypt,
		    slice_of(token.ptr + IV_AT, BLOCK + body), ret))
		die("AES-128-CBC failed");
	return unpad(ret, body);
}

int
fernet_seal(struct fernet *f, size_t key, uint64_t time,
	const unsigned char iv[FERNET_IV], struct slice plain,
	unsigned char *ret)
{
	size_t pad = BLOCK - plain.len % BLOCK, body = plain.len + pad;

	assert(key < f->count);
	ret[0] = VERSION;
	for (size_t i = 0; i < IV_AT - TIME_AT; i++)
		ret[TIME_AT + i] = (unsigned char)(time >> (56 - 8 * i));
	memcpy(ret + IV_AT, iv, FERNET_IV);
	if (plain.len > 0)
		memcpy(ret + BODY_AT, plain.ptr, plain.len);
	memset(ret + BODY_AT + plain.len, (int)pad, pad);
	if (!encipher(&f->of[key], iv, ret + BODY_AT, body) ||
		!make_tag(f->of[key].mac, slice_of(ret, BODY_AT + body),
			ret + BODY_AT + body)) {
		secret_wipe(ret + BODY_AT, body); /* it may be plaintext */
		return -1;
	}
	return 0;
}

int
iv_take(struct iv_pool *pool, unsigned char ret[FERNET_IV])
{
	if (pool->left == 0) {
		if (RAND_bytes(pool->bytes, sizeof(pool->bytes)) != 1)
			return -1;
		pool->left = sizeof(pool->bytes);
	}
	memcpy(ret, pool->bytes + sizeof(pool->bytes) - pool->left, FERNET_IV);
	pool->left -= FERNET_IV;
	return 0;
}
