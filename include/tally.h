/*
 * tally.h - the numbers of a report, per configured table and column.
 *
 * One owner. Numbers reach it one by one, by the words under which the state
 * schema keeps them, so that a process that joined a run reports the same as
 * the one that finished it.
 */
#ifndef PGREKEY_TALLY_H
#define PGREKEY_TALLY_H

#include "judge.h"
#include "rows.h"
#include "target.h"

struct key_count {
	char *id;
	int64_t values;
	bool timed;              /* the next two are known */
	uint64_t oldest, newest; /* tokens' times */
};

/* Distinct key ids counted apart; labels are data and may be anything. */
#define TALLY_KEYS_MAX 1000
#define TALLY_KEY_MAX 200 /* bytes of a name; longer ones are cut */
#define TALLY_OTHER_KEYS "(others)"
/* Stands for what is no key id but a token where one belongs. */
#define TALLY_TOKEN "(a token)"

struct tally_column {
	int64_t verdict[VERDICTS];
	int64_t nested, mislabelled, late;
	int64_t findings; /* values that are left as they are, not clean */
	int64_t left;     /* values that are to be rewritten */
	int64_t rewritten, moved, conflict, deferred;
	struct key_count *key;
	size_t keys;
};

void tally_column_done(struct tally_column *c);

/* One per target and column: ret[target][column]. */
struct tally_column **tally_table_new(
	const struct target *target, size_t targets);
void tally_table_free(struct tally_column **table, const struct target *target,
	size_t targets); /* NULL is fine */

int64_t tally_scanned(const struct tally_column *c);
void tally_key(struct tally_column *c, struct slice id, int64_t values);

/* Adds one judged value. */
void tally_judged(struct tally_column *c, const struct judgement *j,
	const struct keyring *ring);

/* Adds what a label says, which proves nothing; current is the key id that
 * values should have, NULL: plaintext. Returns the verdict it looks like. */
enum verdict tally_label(
	struct tally_column *c, const struct label *l, const char *current);

/* Adds a number by its kind ("verdict", "key", "counter", "pass") and name;
 * unknown ones are ignored. */
void tally_number(struct tally_column *c, const char *kind, const char *name,
	int64_t value);
/* Adds all that tally_each() would name. */
void tally_merge(struct tally_column *ret, const struct tally_column *c);
/* Calls fn with every number that is not 0, but for those of the passes. */
void tally_each(const struct tally_column *c,
	void (*fn)(
		void *ctx, const char *kind, const char *name, int64_t value),
	void *ctx);

#endif
