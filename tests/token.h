/*
 * token.h - an independent Fernet, one call of libcrypto after the other, and
 * the envelope around it. What the program seals is opened here.
 */
#ifndef PGREKEY_TEST_TOKEN_H
#define PGREKEY_TEST_TOKEN_H

#include "err.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 1024 /* bytes of anything here */
#define TOKEN_HEAD 25  /* version, time, initialisation vector */
#define TOKEN_MAC 32

static inline void
token_swap(char *text, char from, char to)
{
	for (; *text; text++) {
		if (*text == from)
			*text = to;
	}
}

/* Base64 with padding; url: with its own alphabet. */
static inline void
token_encode(char *ret, const unsigned char *bytes, size_t len, bool url)
{
	EVP_EncodeBlock((unsigned char *)ret, bytes, (int)len);
	if (url) {
		token_swap(ret, '+', '-');
		token_swap(ret, '/', '_');
	}
}

/* The number of bytes; 0 if it is no base64. */
static inline size_t
token_decode(unsigned char *ret, const char *text, bool url)
{
	char copy[TOKEN_MAX];
	size_t n = strlen(text), padding = 0;
	int len;

	if (n == 0 || n >= sizeof(copy))
		return 0;
	memcpy(copy, text, n + 1);
	if (url) {
		token_swap(copy, '-', '+');
		token_swap(copy, '_', '/');
	}
	while (padding < 2 && copy[n - 1 - padding] == '=')
		padding++;
	len = EVP_DecodeBlock(ret, (unsigned char *)copy, (int)n);
	return len < 0 ? 0 : (size_t)len - padding;
}

static inline size_t
token_cipher(unsigned char *ret, const unsigned char *key,
	const unsigned char *iv, const unsigned char *in, size_t len, bool seal)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, rest = 0;
	bool good = EVP_CipherInit_ex(
			    ctx, EVP_aes_128_cbc(), NULL, key + 16, iv, seal) &&
		    EVP_CipherUpdate(ctx, ret, &n, in, (int)len) &&
		    EVP_CipherFinal_ex(ctx, ret + n, &rest);

	EVP_CIPHER_CTX_free(ctx);
	return good ? (size_t)(n + rest) : 0;
}

struct token_key {
	const char *id;
	const char *text; /* 44 characters */
};

/* enc:fernet:ID:..., to be freed. */
static inline char *
token_seal(const struct token_key *key, uint64_t time, const char *plain)
{
	unsigned char bytes[33], token[TOKEN_MAX] = {0x80};
	char text[TOKEN_MAX], outer[2 * TOKEN_MAX];
	size_t len = TOKEN_HEAD;

	token_decode(bytes, key->text, true);
	for (int i = 0; i < 8; i++)
		token[8 - i] = (unsigned char)(time >> 8 * i);
	/* Any vector will do, as long as it is another each time. */
	for (size_t i = 0; i < 16; i++)
		token[9 + i] = (unsigned char)random();
	len += token_cipher(token + len, bytes, token + 9,
		(const unsigned char *)plain, strlen(plain), true);
	HMAC(EVP_sha256(), bytes, 16, token, len, token + len, NULL);
	token_encode(text, token, len + TOKEN_MAC, true);
	token_encode(outer, (unsigned char *)text, strlen(text), false);
	return xasprintf("enc:fernet:%s:%s", key->id, outer);
}

/* Is value an envelope of this key, by its label and by what is inside, that
 * holds plain? */
static inline bool
token_opens(const char *value, const struct token_key *key, const char *plain)
{
	unsigned char bytes[33], text[TOKEN_MAX] = {0}, token[TOKEN_MAX];
	unsigned char mac[TOKEN_MAC], out[TOKEN_MAX];
	char *label = xasprintf("enc:fernet:%s:", key->id);
	bool labelled = !strncmp(value, label, strlen(label));
	size_t n = 0, len = 0;

	if (labelled)
		n = token_decode(text, value + strlen(label), false);
	free(label);
	if (n > 0)
		len = token_decode(token, (char *)text, true);
	if (len < TOKEN_HEAD + TOKEN_MAC)
		return false;
	token_decode(bytes, key->text, true);
	len -= TOKEN_MAC;
	HMAC(EVP_sha256(), bytes, 16, token, len, mac, NULL);
	if (memcmp(mac, token + len, TOKEN_MAC) != 0)
		return false;
	n = token_cipher(out, bytes, token + 9, token + TOKEN_HEAD,
		len - TOKEN_HEAD, false);
	return n == strlen(plain) && !memcmp(out, plain, n);
}

#endif
