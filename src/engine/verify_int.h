/*
 * verify_int.h - what the parts of one verification share.
 */
#ifndef PGREKEY_VERIFY_INT_H
#define PGREKEY_VERIFY_INT_H

#include "cell_int.h"
#include "crew_int.h"
#include "rows.h"
#include "snapshot.h"
#include "verify.h"

/* Blocks that a reader takes at a time. */
#define UNIT_BLOCKS 1024

/* One per process. What is above the mutex does not change while readers
 * run. */
struct verify {
	const struct verify_options *o;
	struct catalog catalog;
	int64_t *blocks; /* per leaf, as the snapshot has them */
	bool *limited;   /* per leaf: values may be too large to fetch */
	int64_t all_blocks;
	char snapshot[SNAPSHOT_ID]; /* exported; empty: each unit has its own */
	uint32_t *watch;            /* per key of the ring */

	struct stop stop;
	struct crew crew;
	struct reader *reader;
	size_t readers;
	int64_t started_ms;

	pthread_mutex_t mutex; /* for what follows */
	struct pg *looking;    /* main's, while no reader is at work, or NULL */
	size_t leaf;           /* of the next unit */
	int64_t block;
	int64_t read_blocks; /* of units that are done */
	int64_t values;
	bool failed;
	struct err err;
	struct verify_outcome *ret;
};

/* Part of a leaf. hi is open at the leaf's end. */
struct unit {
	const struct leaf *leaf;
	struct range range;
	bool limited;
	int64_t blocks;
};

/* One thread's. */
struct reader {
	struct verify *v;
	pthread_mutex_t mutex; /* for pg while another thread may cancel */
	struct pg *pg;
	struct judge *judge;
	struct tally_column **tally; /* [target][column], its own */
	int64_t retired[VERIFY_RETIRE_MAX];
	int64_t unread, attention;
	struct finding *finding; /* listed by this reader */
	size_t findings;
	struct tid *tid; /* of those of the unit under way */
	size_t named;    /* findings whose row has its name */
	struct unit unit;
	struct err err;
	int rc;
};

/* -- verify_read.c --------------------------------------------------------- */

int reader_init(struct reader *r, struct verify *v, struct err *err) MUST_CHECK;
void reader_done(struct reader *r);
void *reader_main(void *ctx);
/* What one fails of ends all: the first counts. */
void verify_fail(struct verify *v, const struct err *err);
/* Adds what it found to the outcome. */
void reader_merge(struct reader *r);

/* -- verify_quick.c -------------------------------------------------------- */

int verify_quick(struct verify *v, struct pg *pg, struct err *err) MUST_CHECK;

/* An error if the leaf was not what the snapshot should have shown; to be
 * asked behind a look at it. */
int verify_shows(
	struct pg *pg, const struct leaf *leaf, struct err *err) MUST_CHECK;

/* After a look that failed: if the leaf is gone, that is why. */
void verify_blame(struct pg *pg, const struct leaf *leaf, struct err *err);

/* The next unit; false when there is none. */
bool verify_next(struct unit *ret, struct verify *v);

#endif
