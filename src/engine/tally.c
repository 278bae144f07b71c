#include "tally.h"
#include <stdlib.h>

#define CUT_MARK "..." /* ends what was too long */

void
tally_column_done(struct tally_column *c)
{
	for (size_t i = 0; i < c->keys; i++)
		free(c->key[i].id);
	free(c->key);
	*c = (struct tally_column){0};
}

struct tally_column **
tally_table_new(const struct target *target, size_t targets)
{
	struct tally_column **ret = xcalloc(targets + 1, sizeof(*ret));

	for (size_t i = 0; i < targets; i++)
		ret[i] = xcalloc(target[i].columns, sizeof(**ret));
	return ret;
}

void
tally_table_free(struct tally_column **table, const struct target *target,
	size_t targets)
{
	for (size_t t = 0; table && t < targets; t++) {
		for (size_t c = 0; c < target[t].columns; c++)
			tally_column_done(&table[t][c]);
		free(table[t]);
	}
	free(table);
}

int64_t
tally_scanned(const struct tally_column *c)
{
	int64_t sum = 0;

	for (int i = 0; i < VERDICTS; i++)
		sum += c->verdict[i];
	return sum;
}

/* No report shows ciphertext, wherever somebody put it. */
static bool
is_token(struct slice id)
{
	return id.len >= 90 && /* no token is shorter */
	       (slice_starts(id, "gAAAA") || slice_starts(id, "Z0FBQUF"));
}

/* Labels are data and may be anything, but these names are kept in the state
 * schema: plain text, and short. Spelling one twice changes nothing. */
static void
spell_id(char ret[TALLY_KEY_MAX + 1], struct slice id)
{
	bool cut;
	size_t n;

	if (is_token(id))
		id = slice_str(TALLY_TOKEN);
	cut = id.len > TALLY_KEY_MAX;
	n = cut ? TALLY_KEY_MAX - strlen(CUT_MARK) : id.len;

	for (size_t i = 0; i < n; i++)
		ret[i] = (char)(id.ptr[i] < ' ' || id.ptr[i] > '~' ? '?'
								   : id.ptr[i]);
	ret[n] = '\0';
	if (cut)
		memcpy(ret + n, CUT_MARK, sizeof(CUT_MARK));
}

static struct key_count *
find_key(struct tally_column *c, const char *id)
{
	for (size_t i = 0; i < c->keys; i++) {
		if (!strcmp(c->key[i].id, id))
			return &c->key[i];
	}
	return NULL;
}

/* Nearly always: a name that was spelled already. */
static struct key_count *
find_as_it_is(struct tally_column *c, struct slice id)
{
	for (size_t i = 0; i < c->keys; i++) {
		if (slice_eq(slice_str(c->key[i].id), id))
			return &c->key[i];
	}
	return NULL;
}

static struct key_count *
new_key(struct tally_column *c, const char *id)
{
	struct key_count *k;

	if (c->keys >= TALLY_KEYS_MAX)
		id = TALLY_OTHER_KEYS;
	k = c->keys >= TALLY_KEYS_MAX ? find_key(c, id) : NULL;
	if (k)
		return k;
	c->key = xrealloc(c->key, (c->keys + 1) * sizeof(*c->key));
	k = &c->key[c->keys++];
	*k = (struct key_count){.id = xstrdup(id)};
	return k;
}

static struct key_count *
count_key(struct tally_column *c, struct slice id, int64_t values)
{
	struct key_count *k = find_as_it_is(c, id);
	char name[TALLY_KEY_MAX + 1];

	if (!k) {
		spell_id(name, id);
		k = find_key(c, name);
		if (!k)
			k = new_key(c, name);
	}
	k->values += values;
	return k;
}

void
tally_key(struct tally_column *c, struct slice id, int64_t values)
{
	count_key(c, id, values);
}

static void
widen(struct key_count *k, uint64_t oldest, uint64_t newest)
{
	if (!k->timed || oldest < k->oldest)
		k->oldest = oldest;
	if (!k->timed || newest > k->newest)
		k->newest = newest;
	k->timed = true;
}

void
tally_judged(struct tally_column *c, const struct judgement *j,
	const struct keyring *ring)
{
	struct key_count *k;

	c->verdict[j->verdict]++;
	c->nested += j->nested;
	c->mislabelled += j->mislabelled;
	c->late += j->late;
	c->findings += j->blocks;
	c->left += j->rewrite;
	/* By the key that made it; where nobody knows that, by the label. */
	if (j->key >= 0) {
		k = count_key(c, slice_str(ring->key[j->key].id), 1);
		if (j->timed)
			widen(k, j->time, j->time);
	} else if (j->label.len > 0) {
		tally_key(c, j->label, 1);
	}
}

static enum verdict
label_verdict(const struct label *l, const char *current)
{
	switch (l->kind) {
	case LABEL_NULL:
		return VERDICT_NULL;
	case LABEL_SEALED:
		return current && !strcmp(l->key, current) ? VERDICT_CURRENT
							   : VERDICT_OLD;
	case LABEL_PLAINTEXT:
		return current ? VERDICT_PLAINTEXT : VERDICT_CURRENT;
	case LABEL_RAW:
		return VERDICT_RAW;
	case LABEL_OTHER:
		break;
	}
	return VERDICT_FOREIGN;
}

enum verdict
tally_label(struct tally_column *c, const struct label *l, const char *current)
{
	enum verdict v = label_verdict(l, current);

	c->verdict[v] += l->values;
	if (l->kind == LABEL_SEALED)
		tally_key(c, slice_str(l->key), l->values);
	return v;
}

/* -- by name --------------------------------------------------------------- */

struct named {
	const char *kind, *name;
	size_t at;
};

#define COUNTER(kind, field)                                       \
	{                                                          \
		kind, #field, offsetof(struct tally_column, field) \
	}

static const struct named counters[] = {
	COUNTER("counter", nested),
	COUNTER("counter", mislabelled),
	COUNTER("counter", late),
	COUNTER("counter", findings),
	COUNTER("counter", left),
	COUNTER("pass", rewritten),
	COUNTER("pass", nested),
	COUNTER("pass", mislabelled),
	COUNTER("pass", late),
	COUNTER("pass", moved),
	COUNTER("pass", conflict),
	COUNTER("pass", deferred),
};
#define COUNTERS (sizeof(counters) / sizeof(counters[0]))

void
tally_number(struct tally_column *c, const char *kind, const char *name,
	int64_t value)
{
	enum verdict v;

	if (!strcmp(kind, "key")) {
		tally_key(c, slice_str(name), value);
		return;
	}
	if (!strcmp(kind, "verdict") && verdict_find(&v, name))
		c->verdict[v] += value;
	for (size_t i = 0; i < COUNTERS; i++) {
		if (!strcmp(kind, counters[i].kind) &&
			!strcmp(name, counters[i].name))
			*(int64_t *)((char *)c + counters[i].at) += value;
	}
}

void
tally_each(const struct tally_column *c,
	void (*fn)(
		void *ctx, const char *kind, const char *name, int64_t value),
	void *ctx)
{
	for (int i = 0; i < VERDICTS; i++) {
		if (c->verdict[i])
			fn(ctx, "verdict", verdict_name((enum verdict)i),
				c->verdict[i]);
	}
	for (size_t i = 0; i < c->keys; i++)
		fn(ctx, "key", c->key[i].id, c->key[i].values);
	for (size_t i = 0; i < COUNTERS; i++) {
		int64_t value =
			*(const int64_t *)((const char *)c + counters[i].at);

		if (value && strcmp(counters[i].kind, "pass") != 0)
			fn(ctx, counters[i].kind, counters[i].name, value);
	}
}

static void
merge_number(void *ctx, const char *kind, const char *name, int64_t value)
{
	tally_number(ctx, kind, name, value);
}

void
tally_merge(struct tally_column *ret, const struct tally_column *c)
{
	tally_each(c, merge_number, ret);
	for (size_t i = 0; i < c->keys; i++) {
		const struct key_count *k = &c->key[i];

		if (k->timed)
			widen(count_key(ret, slice_str(k->id), 0), k->oldest,
				k->newest);
	}
}
