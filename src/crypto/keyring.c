#include "keyring.h"
#include "key_int.h"
#include "secret.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* A directory may be replaced while it is read; then it is read again. */
#define ATTEMPTS 5

static struct keyring *
keyring_new(size_t room)
{
	struct keyring *ring = xcalloc(1, sizeof(*ring));

	ring->key = xcalloc(room, sizeof(*ring->key));
	ring->secret_size = room * KEY_BYTES;
	ring->secret = secret_alloc(ring->secret_size);
	return ring;
}

void
keyring_free(struct keyring *ring)
{
	if (!ring)
		return;
	for (size_t i = 0; i < ring->count; i++)
		free(ring->key[i].id);
	for (size_t i = 0; i < ring->warnings; i++)
		free(ring->warning[i]);
	free(ring->warning);
	free(ring->problem);
	free(ring->key);
	secret_free(ring->secret, ring->secret_size);
	free(ring);
}

/* Takes the text over. */
static void
warn(struct keyring *ring, char *text)
{
	ring->warning = xrealloc(
		ring->warning, (ring->warnings + 1) * sizeof(*ring->warning));
	ring->warning[ring->warnings++] = text;
}

static int
compare_ids(struct slice a, struct slice b)
{
	int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

long
keyring_find(const struct keyring *ring, struct slice id)
{
	size_t low = 0, high = ring->count;

	if (id.len == 0)
		return -1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_ids(id, slice_str(ring->key[middle].id));

		if (order == 0)
			return (long)middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

static void
add_key(struct keyring *ring, const char *id)
{
	struct key *key = &ring->key[ring->count];
	const uint8_t *bytes = ring->secret + ring->count * KEY_BYTES;

	*key = (struct key){.id = xstrdup(id), .bytes = bytes};
	key->weakness = key_weakness(bytes);
	key_fingerprint(key->fingerprint, bytes);
	ring->count++;
	if (key->weakness)
		warn(ring, xasprintf("key %s is weak: %s", id, key->weakness));
}

static int
refuse_exposed(const char *directory, const char *name, struct err *err)
{
	err_set(err, ERR_KEYS, "%s/%s: is readable by others", directory, name);
	return err_hint(err,
		"chmod 0400, or in Kubernetes defaultMode: 0400 "
		"under the secret; strict_permissions asks for it");
}

static void
note(struct keyring *ring, const struct err *err)
{
	ring->problem = xrealloc(
		ring->problem, (ring->problems + 1) * sizeof(*ring->problem));
	ring->problem[ring->problems++] = *err;
}

/* What reading all files found out beside the keys. */
struct survey {
	size_t exposed;
	const char *exposed_name;
};

static void
read_one(struct keyring *ring, struct survey *s, struct key_dir *dir,
	const char *name, bool strict)
{
	uint8_t *bytes = ring->secret + ring->count * KEY_BYTES;
	bool exposed = false;
	struct err err;

	switch (key_file_read(bytes, &exposed, dir, name, &err)) {
	case KEY_FILE_NONE:
		return;
	case KEY_FILE_BAD:
		note(ring, &err);
		return;
	case KEY_FILE_OK:
		break;
	}
	if (exposed && strict) {
		refuse_exposed(dir->path, name, &err);
		note(ring, &err);
		return;
	}
	if (exposed && s->exposed++ == 0)
		s->exposed_name = name;
	add_key(ring, name);
}

static void
read_all(struct keyring *ring, struct key_dir *dir, bool strict)
{
	struct survey s = {0};

	for (size_t i = 0; i < dir->count; i++)
		read_one(ring, &s, dir, dir->name[i], strict);
	if (s.exposed > 0)
		warn(ring, xasprintf("key files in %s are readable by others: "
				     "%s%s",
				   dir->path, s.exposed_name,
				   s.exposed > 1 ? " and more" : ""));
}

/* All files are read before the first bad one is complained of. */
static int
refuse_bad_files(const struct keyring *ring, struct err *err)
{
	size_t len;

	if (ring->problems == 0)
		return 0;
	*err = ring->problem[0];
	len = strlen(err->msg);
	if (ring->problems > 1)
		snprintf(err->msg + len, sizeof(err->msg) - len,
			" (and %zu more: see `pgrekey keys`)",
			ring->problems - 1);
	return -1;
}

/* The first key that begins with the same bytes; the key itself, if need be. */
static const struct key *
first_like(const struct keyring *ring, const struct key *b, size_t bytes)
{
	const struct key *a = ring->key;

	while (memcmp(a->bytes, b->bytes, bytes) != 0)
		a++;
	return a;
}

/* A token is known by its signature. With two keys that sign alike and decrypt
 * differently, one of them would open what it cannot read: mostly the padding
 * tells, but to one value in 256 garbage is as good. */
static int
check_twin(const struct keyring *ring, const struct key *b,
	const struct keyring_options *o, struct err *err)
{
	const struct key *a = first_like(ring, b, KEY_BYTES);

	if (a != b) {
		err_set(err, ERR_KEYS,
			"key directory %s: %s and %s are the same key",
			o->directory, a->id, b->id);
		return err_hint(err, "remove one, or except it with `ignore` "
				     "if it is a copy");
	}
	a = first_like(ring, b, KEY_SIGNING);
	if (a == b)
		return 0;
	err_set(err, ERR_KEYS,
		"key directory %s: %s and %s have the same signing half, but "
		"are different keys",
		o->directory, a->id, b->id);
	return err_hint(err, "a signature does not tell which of them sealed a "
			     "value; keep the right one, and except the other "
			     "with `ignore`");
}

/* Each copy is told of the first one it is of. */
static int
check_twins(
	struct keyring *ring, const struct keyring_options *o, struct err *err)
{
	for (size_t i = 0; i < ring->count; i++) {
		if (check_twin(ring, &ring->key[i], o, err) == 0)
			continue;
		if (!o->survey)
			return -1;
		note(ring, err);
	}
	return 0;
}

static int
check_pins(struct keyring *ring, const char *const *pins, struct err *err)
{
	for (; pins && pins[0] && pins[1]; pins += 2) {
		long at = keyring_find(ring, slice_str(pins[0]));

		if (at < 0) {
			warn(ring, xasprintf("a fingerprint is pinned for %s, "
					     "but there is no such key",
					   pins[0]));
			continue;
		}
		if (strcasecmp(ring->key[at].fingerprint, pins[1]) == 0)
			continue;
		err_set(err, ERR_KEYS,
			"key %s has the fingerprint %s, not the pinned one",
			pins[0], ring->key[at].fingerprint);
		return err_hint(err, "somebody replaced the key under this id; "
				     "if that is right, change the pin");
	}
	return 0;
}

static void
hint_known_ids(const struct keyring *ring, struct err *err)
{
	char ids[256] = "none";
	size_t len = 0;

	for (size_t i = 0; i < ring->count && len < sizeof(ids); i++)
		len += (size_t)snprintf(ids + len, sizeof(ids) - len, "%s%s",
			i > 0 ? ", " : "", ring->key[i].id);
	err_hint(err, "known key ids: %s%s", ids,
		len < sizeof(ids) ? "" : " ...");
}

static int
choose_primary(struct keyring *ring, const struct keyring_options *options,
	struct err *err)
{
	const char *id = options->primary;
	const struct key *key;
	long at;

	if (!id)
		return 0;
	at = keyring_find(ring, slice_str(id));
	if (at < 0) {
		err_set(err, ERR_KEYS, "primary %s is not in key directory %s",
			id, options->directory);
		hint_known_ids(ring, err);
		return -1;
	}
	key = &ring->key[at];
	if (key->weakness) {
		err_set(err, ERR_KEYS, "key %s may not be the primary: %s", id,
			key->weakness);
		return err_hint(err, "make a new key with pgrekey keygen");
	}
	ring->primary = (size_t)at;
	ring->has_primary = true;
	return 0;
}

/* Each of them looks at all keys, so that a survey can go on. */
static int
check_ring(
	struct keyring *ring, const struct keyring_options *o, struct err *err)
{
	bool bad[3];
	struct err why[3];

	bad[0] = check_twins(ring, o, &why[0]) < 0;
	bad[1] = check_pins(ring, o->pins, &why[1]) < 0;
	bad[2] = choose_primary(ring, o, &why[2]) < 0;
	for (int i = 0; i < 3; i++) {
		if (bad[i] && !o->survey) {
			*err = why[i];
			return -1;
		}
		if (bad[i])
			note(ring, &why[i]);
	}
	return 0;
}

/* last: what vanishes now is a file that is missing, such as the one that a
 * link leads to. */
static int
load_once(struct keyring **ret, bool *changed, bool last,
	const struct keyring_options *options, struct err *err)
{
	struct key_dir dir = {.fd = -1};
	struct keyring *ring = NULL;
	int rc = -1;

	if (key_dir_list(&dir, options->directory, options->ignore, err) < 0)
		goto out;
	ring = keyring_new(dir.count);
	read_all(ring, &dir, options->strict_permissions);
	if ((!options->survey || (dir.changed && !last)) &&
		refuse_bad_files(ring, err) < 0)
		goto out;
	if (ring->count == 0 && ring->problems == 0) {
		dir.changed = true; /* a replaced one looks empty, too */
		err_set(err, ERR_KEYS, "key directory %s: holds no key",
			options->directory);
		goto out;
	}
	if (check_ring(ring, options, err) < 0)
		goto out;
	*ret = ring;
	ring = NULL;
	rc = 0;
out:
	*changed = dir.changed;
	keyring_free(ring);
	key_dir_done(&dir);
	return rc;
}

int
keyring_load(struct keyring **ret, const struct keyring_options *options,
	struct err *err)
{
	bool changed = true;
	int rc = -1;

	for (int i = 0; i < ATTEMPTS && rc < 0 && changed; i++)
		rc = load_once(ret, &changed, i + 1 == ATTEMPTS, options, err);
	return rc;
}
