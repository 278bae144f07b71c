/*
 * bench.h - a ring made from the text of its keys, and tokens on the heap.
 */
#ifndef PGREKEY_TEST_BENCH_H
#define PGREKEY_TEST_BENCH_H

#include "base64.h"
#include "err.h"
#include "fernet.h"
#include "test.h"
#include <stdlib.h>

#define KEYS_MAX 4
#define SECONDS 1700000000

/* A ring without a directory, and the cipher state for it. */
struct bench {
	uint8_t bytes[KEYS_MAX][KEY_BYTES];
	struct key key[KEYS_MAX];
	struct keyring ring;
	struct fernet *f;
};

static inline void
add_key(struct bench *b, const char *text, size_t len)
{
	size_t n = b->ring.count++;

	assert_true(n < KEYS_MAX);
	assert_null(key_parse(b->bytes[n], slice_of(text, len)));
	b->key[n] = (struct key){.bytes = b->bytes[n]};
}

/* keys are separated by commas. */
static inline void
bench_init(struct bench *b, const char *keys)
{
	struct err err;

	*b = (struct bench){.ring = {.count = 0}};
	b->ring.key = b->key;
	for (;;) {
		size_t len = strcspn(keys, ",");

		add_key(b, keys, len);
		if (!keys[len])
			break;
		keys += len + 1;
	}
	assert_int_equal(fernet_new(&b->f, &b->ring, &err), 0);
}

static inline struct slice
decode(struct slice text)
{
	unsigned char *bytes = xmalloc(BASE64_DECODED_MAX(text.len));
	unsigned notes;
	long n = base64_decode_lenient(bytes, &notes, text, BASE64_URL);

	return slice_of(bytes, n < 0 ? 0 : (size_t)n);
}

static inline void
release(struct slice s)
{
	union {
		const unsigned char *read;
		void *owned;
	} u = {.read = s.ptr};

	free(u.owned);
}

static inline struct slice
seal(struct bench *b, size_t key, uint64_t seconds, const unsigned char *iv,
	struct slice plain)
{
	size_t size = FERNET_SEALED_SIZE(plain.len);
	unsigned char *token = xmalloc(size);

	assert_int_equal(fernet_seal(b->f, key, seconds, iv, plain, token), 0);
	return slice_of(token, size);
}

static inline struct slice
as_text(struct slice token)
{
	size_t size = BASE64_ENCODED_SIZE(token.len);
	char *text = xmalloc(size);

	base64_encode(text, token, BASE64_URL);
	return slice_of(text, size);
}

static inline void
assert_slices_equal(struct slice a, struct slice b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.ptr, b.ptr, a.len);
}

static inline void
assert_opens(struct bench *b, size_t key, struct slice token, uint64_t seconds,
	struct slice plain)
{
	unsigned char *ret = xmalloc(token.len);
	long n;

	assert_int_equal(fernet_shape(token), FERNET_SOUND);
	assert_true(fernet_authentic(b->f, key, token));
	assert_true(fernet_time(token) == seconds);
	n = fernet_decrypt(b->f, key, token, ret);
	assert_true(n >= 0);
	assert_slices_equal(slice_of(ret, (size_t)n), plain);
	free(ret);
}

#endif
