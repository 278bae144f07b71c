/*
 * store_int.h - what the parts of the fake store share. All of it is under one
 * mutex, from fake_enter() to fake_leave().
 */
#ifndef PGREKEY_FAKE_STORE_INT_H
#define PGREKEY_FAKE_STORE_INT_H

#include "state.h"
#include "store.h"
#include <pthread.h>
#include <stdatomic.h>

#define FAKE_SLOTS 8
#define FAKE_PAGES 256
#define FAKE_RUNS 4
#define FAKE_CHUNKS 16
#define FAKE_WORKERS 1000
#define FAKE_NEVER INT64_MAX
#define FAKE_RUN_START 1800000000u /* seconds since 1970 */

struct fake_row {
	struct tid tid;
	int64_t locked_until;
	struct fake_value cell[FAKE_COLUMNS];
	char *own[FAKE_COLUMNS]; /* values that the engine wrote */
};

struct fake_table {
	struct fake_layout layout;
	struct fake_row *row;
	uint32_t blocks;
	bool locked; /* as a whole */
	/* Index of the row from 1; 0: free. */
	size_t slot[FAKE_PAGES][FAKE_SLOTS];
};

/* Kept per column of a leaf and of a chunk. */
struct fake_sums {
	int64_t n[COUNTS][FAKE_COLUMNS];
};

enum chunk_state {
	CHUNK_TODO,
	CHUNK_RUNNING,
	CHUNK_DONE,
};

struct fake_chunk {
	struct chunk at; /* leaf, no, lo, hi, pos, epoch */
	enum chunk_state state;
	int64_t worker, lease_until;
	struct fake_sums sums;
	int64_t left, locked, refused;
};

enum leaf_state {
	LEAF_DIRTY,
	LEAF_WALKING,
	LEAF_SETTLED,
	LEAF_EXHAUSTED,
};

struct fake_leaf {
	enum leaf_state state;
	int64_t pass, passes_wrote, fruitless, blocks;
	int64_t not_before, stuck_since; /* 0: none */
	int64_t pass_rewritten, pass_refused;
	struct fake_sums sums;
};

struct fake_finding {
	struct finding f; /* texts are its own */
	struct fake_finding *next;
};

struct fake_number {
	struct number n; /* texts are its own */
	struct fake_number *next;
};

struct fake_run {
	char *target;
	const char *state;
	int exit;
	int64_t prover, proofs, reopened;
	struct fake_leaf leaf[FAKE_TABLES];
	struct fake_chunk chunk[FAKE_TABLES][FAKE_CHUNKS];
	size_t chunks[FAKE_TABLES];
	struct fake_finding *finding;
	struct fake_number *number;
	int64_t written[FAKE_TABLES][FAKE_COLUMNS];
};

struct fake_sent {
	struct batch batch;
	struct range range;
};

struct pg {
	bool lost; /* and the client knows */
	bool transaction;
	bool aborted;   /* a batch failed, and the one behind it is not tried */
	int64_t worker; /* 0: none registered */
	int64_t born;   /* number of restarts before */
	struct fake_sent sent[2]; /* the oldest first */
	size_t busy;              /* of them are under way */
};

struct fake_store {
	struct fake_setup setup;
	struct fake_table table[FAKE_TABLES];
	struct fake_run run[FAKE_RUNS + 1]; /* from 1 */
	int64_t runs;
	int64_t alive_until[FAKE_WORKERS]; /* by worker, from 1 */
	int64_t workers, restarts;
	/* the gate */
	enum fake_failure failure;
	const char *call; /* the only one that counts, or NULL */
	int64_t at;
	bool armed;
	int64_t times;          /* that it may still happen */
	enum fake_failure next; /* what follows then, or FAKE_FAILURES */
	int64_t storm;          /* calls from one failure to the next, or 0 */
	pthread_t main;
	bool lose_answer;             /* of the call under way */
	int64_t victim_table, victim; /* -1: none */
	struct fake_facts facts;
};

extern struct fake_store fake;

#define FAKE_OID 7000u /* of the first table */
#define FAKE_CALLS_MAX 100000

/* -- gate.c ---------------------------------------------------------------- */

/* Begins a call, alone; -1: it failed, and is over. pg may be NULL. */
int fake_enter(struct pg *pg, const char *call, struct err *err) MUST_CHECK;
/* Ends it: 0, or -1 if its answer is lost. */
int fake_leave(struct pg *pg, struct err *err) MUST_CHECK;
/* Ends it with a failure of its own; -1. */
int fake_fail(struct pg *pg, const char *sqlstate, struct err *err);
/* Whatever was open or under way on the connection is gone. */
void fake_forget(struct pg *pg);
/* As leaving and coming back. */
void fake_nap(int64_t ms);
int64_t fake_now(void);
void fake_wrong(const char *what);
void fake_lock(void);
void fake_unlock(void);

/* -- store.c --------------------------------------------------------------- */

struct fake_table *fake_table(uint32_t oid);
struct fake_row *fake_row_at(const struct fake_table *t, struct tid tid);
/* The engine writes a value; it is copied. */
void fake_write(struct fake_row *row, size_t column, struct slice value);
/* Gives a row another address, as any update does. */
void fake_move(struct fake_table *t, struct fake_row *row);
/* The application writes a row. */
void fake_change(
	struct fake_table *t, struct fake_row *row, enum fake_version version);
bool fake_is_locked(const struct fake_row *row);

/* -- rows.c ---------------------------------------------------------------- */

/* The address of the i-th row of a batch. */
struct tid fake_batch_tid(const struct batch *b, size_t i);
/* Is the value labelled as sealed by the primary? */
bool fake_is_current(const char *value);

/* -- state.c --------------------------------------------------------------- */

struct fake_run *fake_run(const struct state *s);
bool fake_alive(int64_t worker);
struct fake_chunk *fake_chunk(int64_t run, uint32_t leaf, int64_t no);
void fake_run_done(struct fake_run *r);

/* -- that all of it is linked ---------------------------------------------- */

extern const char fake_links_pg[], fake_links_rows[], fake_links_send[],
	fake_links_state[], fake_links_pass[], fake_links_result[],
	fake_links_catalog[];

#endif
