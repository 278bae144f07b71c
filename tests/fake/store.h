/*
 * store.h - a database in memory, in place of src/db, for tests of the engine.
 *
 * It stands in at the height of rows.h, state.h, catalog.h and pg.h: what a
 * function promises in its header is kept here without SQL. That is the height
 * at which the engine sees a failure, and a fake of single statements would be
 * a second parser of our own SQL. What the layer does without a server
 * (batches, windows, classes of errors) is the real code.
 *
 * Like the database it has rows at addresses that move with each update, row
 * locks of others, chunks with leases and epochs, passes, the proof's fence,
 * connections that die, and transactions: rows_wait() first computes what a
 * batch would do, then stores all of it, checkpoint included, or nothing. It
 * has no snapshots: what others do in the midst of a proof is seen by the rest
 * of it. Time is its own and runs with the calls.
 *
 * Every call that can fail passes one gate, which counts them. fake_arm() makes
 * the n-th fail, or lets somebody else act just before it.
 *
 * One store per process. A test program that calls any of this is linked with
 * the fake in place of the real objects.
 */
#ifndef PGREKEY_FAKE_STORE_H
#define PGREKEY_FAKE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_TABLES 2
#define FAKE_COLUMNS 3

/* -- rows ------------------------------------------------------------------ */

/* What the application has written there; a value of its own for each. */
enum fake_version {
	FAKE_FIRST, /* before the run */
	FAKE_NEW,   /* meanwhile, with the primary */
	FAKE_OLD,   /* meanwhile, with the key of before */
	FAKE_VERSIONS
};

struct fake_layout {
	const char *table; /* in the schema public */
	size_t columns, rows, rows_per_page;
};

struct fake_setup {
	struct fake_layout table[FAKE_TABLES];
	/* A value of a cell, or NULL; it must live as long as the store. */
	const char *(*value)(size_t table, size_t row, size_t column,
		enum fake_version version);
	const char *current; /* what values under the primary begin with */
	bool threads; /* sleeping takes time, so that others get a turn */
	bool slow;    /* so does each call */
};

/* Forgets everything and begins anew. */
void fake_load(const struct fake_setup *setup);
void fake_unload(void);

struct fake_value {
	const char *text; /* or NULL */
	enum fake_version version;
	int written; /* times since the application's last write */
};

struct fake_value fake_value(size_t table, size_t row, size_t column);

/* -- failures -------------------------------------------------------------- */

enum fake_failure {
	/* The call is refused and has done nothing. */
	FAKE_SERIALIZATION,
	FAKE_DEADLOCK,
	FAKE_LOCK_TIMEOUT,
	FAKE_CANCELED,
	FAKE_DIVISION, /* the fence's own code, from somewhere else */
	FAKE_MEMORY,   /* of the server */
	FAKE_DENIED,
	FAKE_FULL,      /* the disk of the server */
	FAKE_READ_ONLY, /* the server has become a standby */
	/* The connection dies, the server takes a while to notice. */
	FAKE_LOST,
	/* All connections die; each is told when it is used next. */
	FAKE_RESTART,
	/* The call is done, but the answer is lost. */
	FAKE_LOST_ANSWER,
	/* Others act: to a row of the batch under way, else to any. */
	FAKE_MOVED,
	FAKE_CHANGED,     /* to FAKE_NEW */
	FAKE_CHANGED_OLD, /* to FAKE_OLD */
	FAKE_LOCKED,      /* for a few seconds */
	FAKE_HELD,        /* until fake_release() */
	FAKE_STOLEN,      /* the chunk under way, by a frozen worker */
	FAKE_RELEASED,    /* whoever holds rows lets go */
	FAKE_FAILURES
};

/* The at-th call from now, counted from 1, and those after it of the same name
 * until it has happened so many times. */
void fake_arm(enum fake_failure failure, int64_t at, int64_t times);
/* The at-th call of this name, and those after it. */
void fake_arm_call(
	const char *call, enum fake_failure failure, int64_t at, int64_t times);
/* Once that is over, the same call fails once more, otherwise. */
void fake_arm_next(enum fake_failure failure);
/* Every so many calls of other threads: this failure, or, for FAKE_FAILURES,
 * one after the other of those that something helps against. */
void fake_storm(enum fake_failure failure, int64_t every);
void fake_disarm(void);
/* Somebody locks a row, until fake_release(). */
void fake_hold(size_t table, size_t row);
/* Somebody locks a table as a whole, or lets it go. */
void fake_lock_table(size_t table, bool locked);
/* So many of the standbys that were there at the start are gone. */
void fake_standbys_gone(int64_t count);
/* Everybody else ends their transactions, and a pause passes. */
void fake_release(void);

/* -- what happened --------------------------------------------------------- */

struct fake_facts {
	int64_t calls;     /* since fake_arm() */
	const char *fired; /* the call that failed, or NULL */
	bool by_worker;    /* not by the thread that armed it */
	int64_t runs;      /* begun in all */
	int64_t proofs;    /* of the last run */
	int64_t reopened;  /* leaves that a proof ordered another pass of */
	bool unfenced;     /* the last fence was not reached */
	bool victim_old;   /* the row that was locked is still to be done */
	int64_t findings;  /* stored by the last run */
	int64_t found;     /* times that the engine stored one */
	int64_t stolen;    /* chunks */
	int64_t waited;    /* batches that ran into a lock, not around it */
	int64_t ahead;     /* batches sent before the last one was answered */
	int64_t untried;   /* of them, behind one that failed */
	/* A promise that a caller broke, or NULL. */
	const char *wrong;
};

struct fake_facts fake_facts(void);

/* Committed by run (1, 2, ...): as rows changed, and as the state says. */
int64_t fake_written(int64_t run, size_t table, size_t column);
int64_t fake_counted(int64_t run, size_t table, size_t column);
/* A counter of the state, over all columns. */
enum fake_counter {
	COUNT_REWRITTEN,
	COUNT_NESTED,
	COUNT_MISLABELLED,
	COUNT_LATE,
	COUNT_MOVED,
	COUNT_CONFLICT,
	COUNT_DEFERRED,
	COUNTS
};
int64_t fake_count(int64_t run, enum fake_counter which);
/* "open", "complete", ... */
const char *fake_run_state(int64_t run);

#endif
