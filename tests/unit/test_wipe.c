/*
 * Looks for a key in all memory that this process can write.
 *
 * The test itself knows the key only under a mask, and unmasks a byte at a
 * time, so that it does not find itself.
 */
#include "base64.h"
#include "fernet.h"
#include "keys.h"
#include "secret.h"
#include <sys/mman.h>

#define MASK 0x5a
#define MAPS_MAX 4096
#define MAP_SIZE_MAX (1ul << 30) /* larger: shadow memory of a sanitizer */
#define PAGE_MIN 4096
#define HALF (KEY_BYTES / 2)

#if defined(__clang__)
#define UNCHECKED __attribute__((no_sanitize("address", "thread")))
#elif defined(__SANITIZE_ADDRESS__)
#define UNCHECKED __attribute__((no_sanitize_address))
#elif defined(__SANITIZE_THREAD__)
#define UNCHECKED __attribute__((no_sanitize_thread))
#else
#define UNCHECKED
#endif

/* Nothing to do with each other, as the bytes of a real key. */
static const unsigned char masked_key[KEY_BYTES] = {0x3b, 0xe1, 0x07, 0x9c,
	0x52, 0xd8, 0x6f, 0x14, 0xa9, 0x40, 0xfe, 0x83, 0x2d, 0x77, 0xc5, 0x1a,
	0x90, 0x4b, 0xee, 0x35, 0x68, 0xdf, 0x02, 0xb1, 0x5c, 0xf7, 0x29, 0x8e,
	0x73, 0xca, 0x16, 0xad};
static unsigned char masked_text[KEY_TEXT];

static void
mask(unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] ^= MASK;
}

/* Writes the key file and keeps the text, masked. */
static void
put_key(const struct place *p, const char *name)
{
	unsigned char key[KEY_BYTES];
	char text[KEY_TEXT];

	memcpy(key, masked_key, sizeof(key));
	mask(key, sizeof(key));
	base64_encode(text, slice_of(key, sizeof(key)), BASE64_URL);
	put_bytes(p, name, slice_of(text, sizeof(text)), 0600);
	memcpy(masked_text, text, sizeof(text));
	mask(masked_text, sizeof(masked_text));
	secret_wipe(key, sizeof(key));
	secret_wipe(text, sizeof(text));
}

struct map {
	unsigned long begin;
	unsigned long end;
};

static size_t
writable_maps(struct map *ret)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], mode[8];
	size_t n = 0;

	assert_non_null(maps);
	while (n < MAPS_MAX && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &ret[n].begin, &ret[n].end,
			    mode) == 3 &&
			strncmp(mode, "rw", 2) == 0 &&
			ret[n].end - ret[n].begin <= MAP_SIZE_MAX)
			n++;
	}
	fclose(maps);
	assert_true(n < MAPS_MAX);
	return n;
}

/* In the size bytes in front of an address. */
UNCHECKED static size_t
count_before(unsigned long end, size_t size,
	const volatile unsigned char *masked, size_t len)
{
	const volatile unsigned char *p;
	size_t found = 0;

	end -= size;
	memcpy(&p, &end, sizeof(p));

	for (size_t at = 0; at + len <= size; at++) {
		size_t i = 0;

		while (i < len && (p[at + i] ^ MASK) == masked[i])
			i++;
		found += i == len;
	}
	return found;
}

/* In the pages of a map that exist: most of a sanitizer's do not. */
static size_t
count_in_map(const struct map *map, const unsigned char *masked, size_t len)
{
	static unsigned char resident[MAP_SIZE_MAX / PAGE_MIN];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t pages = (map->end - map->begin) / page, run = 0, found = 0;
	void *begin;

	memcpy(&begin, &map->begin, sizeof(begin));
	if (mincore(begin, pages * page, resident) < 0)
		return 0; /* not memory, such as a device */
	for (size_t i = 0; i < pages; i++) {
		if (resident[i] & 1) {
			run += page;
			continue;
		}
		found += count_before(map->begin + i * page, run, masked, len);
		run = 0;
	}
	return found + count_before(map->end, run, masked, len);
}

static size_t
copies(const unsigned char *masked, size_t len)
{
	static struct map maps[MAPS_MAX];
	size_t n = writable_maps(maps), found = 0;

	for (size_t i = 0; i < n; i++)
		found += count_in_map(&maps[i], masked, len);
	return found;
}

static void
use(const struct keyring *ring)
{
	static const unsigned char iv[FERNET_IV];
	unsigned char token[FERNET_SEALED_SIZE(5)], plain[sizeof(token)];
	struct slice sealed = slice_of(token, sizeof(token));
	struct fernet *f;
	struct err err;

	assert_int_equal(fernet_new(&f, ring, &err), 0);
	assert_int_equal(
		fernet_seal(f, 0, 1, iv, slice_str("hello"), token), 0);
	assert_true(fernet_authentic(f, 0, sealed));
	assert_int_equal(fernet_decrypt(f, 0, sealed, plain), 5);
	/* The search finds what is there: ours, and OpenSSL's copies. */
	assert_true(copies(masked_key, HALF) >= 2);
	assert_true(copies(masked_key + HALF, HALF) >= 2);
	fernet_free(f);
	assert_int_equal(copies(masked_key, HALF), 1);
	assert_int_equal(copies(masked_key + HALF, HALF), 1);
}

static void
assert_no_copies(void)
{
	assert_int_equal(copies(masked_key, HALF), 0);
	assert_int_equal(copies(masked_key + HALF, HALF), 0);
	assert_int_equal(copies(masked_text, KEY_TEXT / 2), 0);
	assert_int_equal(copies(masked_text + KEY_TEXT / 2, KEY_TEXT / 2), 0);
}

static void
no_key_is_left_in_memory_once_all_is_freed(void **state)
{
	struct place *p = *state;

	put_key(p, "k1");
	put(p, "k2", KEY "\n");
	assert_no_copies();
	p->options.primary = "k1";
	assert_loads(p, 2);
	assert_int_equal(copies(masked_text, KEY_TEXT / 2), 0);
	use(p->ring);
	keyring_free(p->ring);
	p->ring = NULL;
	assert_no_copies();
}

static void
no_key_is_left_in_memory_when_the_ring_is_refused(void **state)
{
	struct place *p = *state;

	put_key(p, "k1");
	put_key(p, "k2");
	assert_refused(p, "k1 and k2", "same key");
	assert_no_copies();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(no_key_is_left_in_memory_once_all_is_freed),
		WITH_PLACE(no_key_is_left_in_memory_when_the_ring_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
