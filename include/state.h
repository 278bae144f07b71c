/*
 * state.h - what PostgreSQL remembers of a run: schema pgrekey.
 *
 * PostgreSQL is the only coordinator: any number of workers on any number of
 * hosts claim chunks from the same table. All of this is about speed. Whether
 * a value needs work is read from the value; lost, stale or wrong state costs
 * time, never a row. No secret and no ciphertext is ever stored here.
 *
 * A struct state is one thread's handle: its connection, run and worker.
 */
#ifndef PGREKEY_STATE_H
#define PGREKEY_STATE_H

#include "catalog.h"
#include "rows.h"

#define STATE_VERSION 1
#define STATE_WHY 160 /* room for why nobody works */

struct state {
	struct pg *pg;
	const char *schema; /* a quoted identifier */
	int64_t run;
	int64_t worker;
	int64_t opener; /* who stands for this process until a worker does */
	bool paused; /* somebody wants the run to pause; the owner clears it */
	char left[STATE_WHY]; /* what state_open_run() superseded, or "" */
};

/* -- schema ---------------------------------------------------------------- */

/* The statements that create it, and what a role needs to use it. */
void state_ddl(struct buf *sql, const char *schema);
void state_grants(struct buf *sql, const char *schema, const char *role);
bool state_has_table(const char *name); /* is that one of its tables? */
/* Is it there? name is not quoted; needs no privilege. */
int state_exists(
	bool *ret, struct pg *pg, const char *name, struct err *err) MUST_CHECK;

/* Makes sure that the schema is there in this version, creating it if allowed.
 * ERR_DB with the way out otherwise. */
int state_prepare(struct state *s, struct err *err) MUST_CHECK;

/* Is it there? ERR_DB when it is, but not in this version. Changes nothing. */
int state_find_schema(bool *found, struct state *s, struct err *err) MUST_CHECK;

/* -- runs ------------------------------------------------------------------ */

/* What a run is: this primary over these leaves. */
struct run_spec {
	char *target; /* digest of all that makes two starts the same */
	const struct keyring *ring;
	const char *method;
	const struct catalog *catalog; /* all configured leaves */
	char *host, *os_user;
	const char *version;
	int64_t os_pid;
	bool no_join;
};

/* Joins the open run with this target or begins one, superseding dead runs
 * over the same leaves. ERR_USAGE while another target's run is alive,
 * ERR_KEYS when a key id stands for another key than it did, ERR_STOPPED for
 * no_join. Sets s->run and s->opener; *joined tells which. From then on the run
 * is alive, as long as s->pg is, or until a worker has taken the opener's
 * place.
 */
int state_open_run(struct state *s, const struct run_spec *spec, bool *joined,
	struct err *err) MUST_CHECK;

/* Seconds since 1970, by the clock that all hosts share: the database's. */
int state_clock(uint64_t *ret, struct state *s, struct err *err) MUST_CHECK;

/* The same when the run began. */
int state_run_start(uint64_t *ret, struct state *s, struct err *err) MUST_CHECK;

/* Registers this connection as a worker of the run, in place of s->opener if
 * that is still there; sets s->worker. Behind a pooler it stays the worker that
 * it was, if it was one. */
int state_register(struct state *s, const struct run_spec *spec,
	struct err *err) MUST_CHECK;

/* Nobody sees whether a worker behind a pooler is gone: it is, unless this is
 * called for it in time, through any connection. 0 seconds: it has ended. */
#define POOLED_LEASE_SECONDS 15
int state_keep_alive(struct state *s, int64_t worker, int64_t seconds,
	struct err *err) MUST_CHECK;

/* -- chunks ---------------------------------------------------------------- */

struct chunk {
	uint32_t leaf;
	int64_t no;
	int64_t lo, hi; /* blocks; hi is not in */
	int64_t pos;    /* next block to read */
	int64_t epoch;
};

/* Leaves that this process works on, as an oid[] parameter. */
struct selection {
	uint32_t *oid;
	size_t count;
};

/* Claims a free chunk; *found is false when there is none at the moment, or
 * the run is paused. */
int state_claim(bool *found, struct chunk *ret, struct state *s,
	const struct selection *sel, struct err *err) MUST_CHECK;

/* What happened to rows of a chunk that no batch has counted. */
struct chunk_counts {
	size_t columns;
	int64_t moved[TARGET_COLUMNS_MAX];    /* its row changed, not it */
	int64_t conflict[TARGET_COLUMNS_MAX]; /* changed by someone else */
	int64_t deferred[TARGET_COLUMNS_MAX]; /* locked by someone else */
	int64_t left;    /* rows that a further pass must look at */
	int64_t locked;  /* of them, those that were only locked */
	int64_t refused; /* rows that the server would not take */
};

/* Moves the position and adds the counts. ROWS_FENCE if the chunk is not ours
 * any more. done: the chunk is finished. Sets s->paused if so it is. */
int state_advance(struct state *s, const struct chunk *c,
	const struct chunk_counts *counts, int64_t pos, bool done,
	struct err *err) MUST_CHECK;

/* Values that had counted as conflicts of the leaf have only moved; unless a
 * crash of the server took that count back. */
int state_found(struct state *s, uint32_t leaf, size_t column, int64_t values,
	struct err *err) MUST_CHECK;

/* Is the chunk still ours? Tells a stale epoch from a trigger's own 22012. */
int state_owns(bool *ret, struct state *s, const struct chunk *c,
	struct err *err) MUST_CHECK;

/* Hands back what this worker holds, so that nobody waits for its lease. */
void state_give_back(struct state *s);

/* -- passes ---------------------------------------------------------------- */

struct pass_options {
	int64_t chunk_bytes;
	int64_t rotation; /* a chunk is a multiple of so many blocks */
	int64_t workers;
	int64_t max_passes;
	int64_t finish_wait_s; /* how long rows may stay locked */
};

enum step {
	STEP_CLAIM,    /* chunks were planned */
	STEP_WAIT,     /* others still work, or a pause before a pass */
	STEP_LOCKED,   /* what is left is in tables that somebody has locked */
	STEP_PROVE,    /* nothing left to do: this worker is to prove it */
	STEP_STUCK,    /* only rows locked by others remain, for too long */
	STEP_PAUSED,   /* somebody wants the run to pause */
	STEP_FINISHED, /* the run is closed */
};

/* Takes leaves that look clean already out of the first pass. */
int state_settle(struct state *s, uint32_t leaf, struct err *err) MUST_CHECK;

/* Called when no chunk is free: closes finished passes, plans next ones. */
int state_next(enum step *ret, struct state *s, const struct selection *sel,
	const struct pass_options *o, struct err *err) MUST_CHECK;

/* The proof found rows of a leaf to rewrite. *again: another pass was ordered;
 * false when that would change nothing, since the server refused these rows or
 * the passes are used up. */
int state_reopen(bool *again, struct state *s, uint32_t leaf, int64_t rows,
	const struct pass_options *o, struct err *err) MUST_CHECK;

/* The worker still proves. To be said through any connection, often enough for
 * the lease: a proof may be one statement, and take hours. */
int state_prove_on(struct state *s, int64_t worker, struct err *err) MUST_CHECK;

/* Begins the transaction in which this worker acts on what it has proven; when
 * it commits, nobody proves any more.
 * ROWS_FENCE if it is not the one that proves any more, or the run is over. */
int state_prove_conclude(struct state *s, struct err *err) MUST_CHECK;

/* This worker proves no longer. */
int state_prove_end(struct state *s, struct err *err) MUST_CHECK;

/* -- results --------------------------------------------------------------- */

/* A view; what it points into is the caller's. */
struct finding {
	uint32_t leaf;
	size_t target;     /* index of its configured table; not stored */
	const char *table; /* schema.table */
	const char *column;
	const char *row; /* JSON object: primary key or ctid */
	const char *verdict;
	const char *reason;
	bool by_pass;  /* found by a worker, not by the proof */
	uint32_t keys; /* of verify --retire: those it needs or may need, a bit
			  each; not stored */
};

/* Remembers a value that the run leaves as it is. Once per row and column. */
int state_find(
	struct state *s, const struct finding *f, struct err *err) MUST_CHECK;

/* One number of the final count: ("verdict", "old") or ("key", "k2024"). Two
 * kinds are about the proof itself: it saw who had written before and not
 * ended; it opened every value. */
#define NUMBER_UNFENCED "unfenced"
#define NUMBER_THOROUGH "thorough"
struct number {
	uint32_t leaf;
	const char *column;
	const char *kind;
	const char *name;
	int64_t value;
};

/* Replaces the numbers of these leaves and, if exit >= 0, closes the run with
 * that exit status. Commits the transaction of state_prove_conclude(), and
 * synchronously. */
int state_finish(struct state *s, const struct selection *sel,
	const struct number *number, size_t count, int exit,
	struct err *err) MUST_CHECK;

/* Calls fn with each stored number, also those of the passes ("counter",
 * "rewritten" ...). name and column live during the call. */
typedef void (*number_fn)(void *ctx, const struct number *n);
int state_numbers(
	struct state *s, number_fn fn, void *ctx, struct err *err) MUST_CHECK;

/* Calls fn with up to max findings. */
typedef void (*finding_fn)(void *ctx, const struct finding *f);
int state_findings(struct state *s, int64_t max, finding_fn fn, void *ctx,
	struct err *err) MUST_CHECK;

/* Drops what earlier proofs found on the leaves; and rows that once were
 * refused, if the proof found none left. */
int state_forget(struct state *s, const struct selection *sel, bool refused_too,
	struct err *err) MUST_CHECK;

/* Values that are sealed under the primary and labelled so, but hide an
 * envelope of another key: only the findings of the workers know them. */
int state_hidden(int64_t *ret, struct state *s, const struct selection *sel,
	struct err *err) MUST_CHECK;

/* How the run was closed: its state, exit status (-1 if open). */
struct run_end {
	char state[16];
	int exit;
};

int state_run_end(
	struct run_end *ret, struct state *s, struct err *err) MUST_CHECK;

/* -- progress -------------------------------------------------------------- */

struct progress {
	int64_t pass;    /* highest of the leaves being walked; 0: none */
	int64_t blocks;  /* of the passes under way */
	int64_t done;    /* blocks behind the positions */
	int64_t values;  /* rewritten in the whole run */
	char table[128]; /* one that is being walked, or "" */
	char state[16];  /* open, complete, ... */
	char paused[STATE_WHY]; /* why nobody works, or "" */
	bool limited; /* by a rate that was asked for; set by who knows */
	char prover[STATE_WHY]; /* who proves, or "" */
};

int state_progress(
	struct progress *ret, struct state *s, struct err *err) MUST_CHECK;

/* -- pausing --------------------------------------------------------------- */

/* Why the run is to pause, in words, or "". Also shows that this worker is
 * alive. */
int state_pause_reason(
	char why[STATE_WHY], struct state *s, struct err *err) MUST_CHECK;

/* How an open run stands after it was switched. */
struct run_pause {
	int64_t run;
	bool changed;    /* false: it was so already */
	const char *why; /* as above; "" when it is not paused */
};

/* Pauses this run, or all that are open if run is 0, or lets them go on; calls
 * fn with each. Who did it is the session's role. */
typedef void (*run_pause_fn)(void *ctx, const struct run_pause *p);
int state_switch_pause(struct state *s, int64_t run, bool pause,
	run_pause_fn fn, void *ctx, struct err *err) MUST_CHECK;

/* -- fences ---------------------------------------------------------------- */

/* Transactions that hold a write lock on one of the leaves, as an opaque list
 * of the server's own names; waits until all of them have ended. *who is
 * empty, or names those that have not when the time is over. */
struct fence_wait {
	int64_t ms;
	bool (*stopping)(void *ctx); /* asked now and then */
	void *ctx;
};

int state_fence(struct state *s, const struct selection *sel,
	const struct fence_wait *wait, char who[256],
	struct err *err) MUST_CHECK;

/* The same on a standby, where locks of the primary do not show: every
 * transaction that had written anything, as far as it was replayed. */
int state_fence_standby(struct state *s, const struct fence_wait *wait,
	char who[256], struct err *err) MUST_CHECK;

/* Did the last pass over some leaf leave nothing but what others hold? */
int state_is_waiting(bool *ret, struct state *s, struct err *err) MUST_CHECK;

/* Who holds row locks on the leaves, for a message. */
int state_lockers(struct state *s, const struct selection *sel, char who[256],
	struct err *err) MUST_CHECK;

/* Who has locked a table of the target against everybody: to list it, we wait.
 * "" if nobody has. */
int state_locked_by(char who[256], struct state *s, const struct target *t,
	struct err *err) MUST_CHECK;

/* min(lock_timeout, deadlock_timeout / 4) and 0.7 * deadlock_timeout: the
 * application is never the victim of a deadlock with us. */
int state_limits(int64_t *lock_ms, int64_t *statement_ms, struct state *s,
	int64_t wanted_lock_ms, struct err *err) MUST_CHECK;

#endif
