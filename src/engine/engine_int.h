/*
 * engine_int.h - what the parts of one rotation share.
 *
 * One struct engine per process; its upper half never changes while workers
 * run, its lower half is changed as each field says. A struct worker belongs
 * to its thread, but for the two fields under its mutex.
 */
#ifndef PGREKEY_ENGINE_INT_H
#define PGREKEY_ENGINE_INT_H

#include "crew_int.h"
#include "deal_int.h"
#include "rotate.h"
#include "stray_int.h"
#include "throttle_int.h"

/* Old and new values of a batch. With four times as many the server maps and
 * unmaps memory in each statement: twice the CPU per value of 1 KiB. */
#define BATCH_BYTES ((size_t)1 << 18)
/* A batch is meant to hold its locks for less than this. */
#define BATCH_MS 100

enum end {
	END_NONE,
	END_COMPLETE,     /* proven, nothing to say */
	END_FINDINGS,     /* proven, but something is left */
	END_ELSEWHERE,    /* another process closed the run */
	END_INCONCLUSIVE, /* the fence was not reached */
	END_STUCK,        /* rows stay locked by others */
	END_RELIST,       /* the leaves have changed: start the workers anew */
	END_LEAF,   /* err says what is wrong with one; the others go on */
	END_FAILED, /* err says why */
};

struct engine {
	const struct rotate_options *o;
	char *schema; /* state schema, quoted */
	struct catalog catalog;
	struct selection selection; /* the selected leaves of the catalog, but
				       for those that were lost */
	bool partial;               /* not all targets are selected */
	struct run_spec spec;
	struct pass_options pass;
	struct judge_options judge;
	int64_t run;
	int64_t opener; /* until the first worker registers */
	int64_t lost;   /* leaves that were given up */
	struct err why; /* the first of them was */
	int64_t lock_ms, statement_ms;

	struct throttle throttle; /* locks by itself */
	struct strays strays;     /* too */
	struct stop stop;
	struct crew crew;
	int64_t started_ms;    /* monotonic */
	pthread_mutex_t mutex; /* for what follows */
	struct pg *looking;    /* main's, while nothing is written yet */
	struct worker *worker; /* room for o->workers of them */
	int64_t workers;       /* that were started */
	enum end end;
	uint32_t leaf;  /* END_LEAF: which one */
	int64_t paused; /* workers that wait to be resumed */
	struct err err;
	char note[512];
};

/* Sets how the run ends; the first one counts. Stops the other workers. */
void engine_end(struct engine *e, enum end end, const struct err *err,
	const char *note);
enum end engine_ended(struct engine *e); /* END_NONE: goes on */
/* The same for what is wrong with one leaf only. */
void engine_end_leaf(struct engine *e, uint32_t leaf, const struct err *err);

/* A worker begins to wait since the run is paused, and waits no longer. The
 * first one and the last one say so. */
void engine_pause(struct engine *e, const char *why);
void engine_resume(struct engine *e);

/* A row of one of the windows of the group. */
struct row_ref {
	size_t window, row;
};

struct row_list {
	struct row_ref *ref;
	size_t count, room;
};

/* Values that had counted as conflicts of a leaf, and were met elsewhere. */
struct found {
	uint32_t leaf;
	size_t column;
	int64_t values;
};

struct worker {
	struct engine *e;
	pthread_mutex_t mutex; /* for pg, alive, proves: others look at them */
	struct pg *pg;
	int64_t alive;  /* the worker that main has to keep alive, or 0 */
	int64_t proves; /* the worker whose proof main has to keep, or 0 */
	struct state state;
	struct judge *judge;
	int failures;               /* since something was last done */
	struct job_attempts losses; /* the same for lost connections */
	int full; /* the same for a full disk, which takes its time */
	int64_t full_since_ms;
	bool told_full;          /* since a chunk was last done */
	int64_t locked_since_ms; /* 0: no table is waited for */
	int hopeless; /* rows that failed on what ends a run, in a row */
	bool walks;   /* a leaf, and it is to blame for what fails */

	/* the leaf that is being walked */
	struct rows *rows;
	struct range behind; /* the group before, not yet pruned; or empty */
	bool skip_locked;
	int calm; /* batches without a miss; negative after one */

	/* the chunk and the group of windows under way */
	struct chunk chunk;
	struct chunk_counts counts;
	struct window window[ROTATION];
	struct buf bytes;    /* of all of them */
	struct window again; /* a window read once more */
	struct buf again_bytes;
	bool sparse; /* the last window read was */
	struct batch batch[2];
	struct batch single;      /* rows that go alone */
	struct buf fresh;         /* new envelopes of one row's columns */
	size_t batch_limit;       /* rows, adapted to the server's speed */
	size_t unflushed;         /* bytes, of commits that did not wait */
	struct row_list missed;   /* rows that did not take at first */
	struct row_list nested;   /* rows that repair_nested() takes */
	struct stray_list strays; /* values of rows that were missed */
	struct found *found;      /* of other groups; not yet stored */
	size_t found_count, found_room;
	struct tid *refused; /* rows that the server will not take */
	size_t refused_count, refused_room;
	bool whole;     /* the group was written to its end */
	bool insisting; /* a row is tried once more */
	bool advanced;  /* something was stored since the last failure */
};

/* At the next batch boundary, this worker is to hand its chunk back. */
static inline bool
worker_yields(struct worker *w)
{
	return stop_requested(&w->e->stop) || w->state.paused;
}

/* What one window may hold. A quarter, although more windows are in rotation:
 * of larger values fewer windows are, but each still has rows for a batch. */
static inline size_t
worker_window_bytes(const struct worker *w)
{
	return (size_t)w->e->o->window_bytes / 4;
}

/* -- write.c: batches ------------------------------------------------------ */

/* The lock mode learnt on another leaf does not hold on this one. */
void write_new_leaf(struct worker *w);
/* Writes the windows read, batch by batch in rotation. */
int write_group(struct worker *w, size_t windows, struct err *err) MUST_CHECK;
/* Judges a row and adds it to the batch if anything is to be rewritten.
 * *nested: it was not, since it is to go through repair_nested(). */
int write_add_row(bool *nested, struct worker *w, struct batch *b,
	const struct window *win, size_t row, struct err *err) MUST_CHECK;
/* Writes a batch without waiting for locks and hands misses on. patient: a
 * single row may take its time. */
int write_alone(struct worker *w, struct batch *b, const struct window *win,
	bool patient, struct err *err) MUST_CHECK;
/* From now on locked rows are skipped for a while. */
void write_be_careful(struct worker *w);

/* -- repair.c: what did not go the straight way ---------------------------- */

/* A batch failed as a whole: again, in halves, row by row. */
int repair_batch(struct worker *w, struct batch *b, const struct window *win,
	const struct err *why, struct err *err) MUST_CHECK;
/* A row of a batch that was committed did not take. */
int repair_miss(struct worker *w, const struct window *win, size_t row,
	struct err *err) MUST_CHECK;
/* After the group: rows that were missed or held back. */
int repair_group(struct worker *w, size_t windows, struct err *err) MUST_CHECK;
void row_list_add(struct row_list *l, size_t window, size_t row);

/* -- missed.c: what became of values that were missed ---------------------- */

/* A row that was missed: unless its values are met, somebody changed them. */
int missed_expect(struct worker *w, const struct window *win, size_t row,
	struct err *err) MUST_CHECK;
/* A window of the group under way, once all that was missed is expected. */
void missed_look_back(struct worker *w, const struct window *win);
/* A row that is about to be written: holds it such a value? */
void missed_meet(struct worker *w, const struct window *win, size_t row);
/* The whole group was looked at again: those not met are conflicts. */
void missed_count(struct worker *w);
/* Before a group is passed, or anything is claimed. */
int missed_store_found(struct worker *w, struct err *err) MUST_CHECK;
/* The counts of the group are stored. */
void missed_publish(struct worker *w);

/* -- refuse.c: rows that the server will not take ----------------------------
 */

/* What is said about a row. */
struct about {
	bool nested; /* what will be current hides an envelope */
	const char *reason;
	char *identity;
};

/* Stores a finding for each column of the row that it is about. */
int find_row(struct worker *w, const struct window *win, size_t row,
	const struct about *about, struct err *err) MUST_CHECK;
/* The row is not tried again in this pass. */
int refuse_row(struct worker *w, const struct window *win, size_t row,
	const char *reason, struct err *err) MUST_CHECK;

/* -- walk.c, worker.c, prove.c --------------------------------------------- */

int walk_chunk(struct worker *w, struct err *err) MUST_CHECK;

void *worker_main(void *ctx);
int worker_init(struct worker *w, struct engine *e, struct err *err) MUST_CHECK;
void worker_done(struct worker *w);
/* Until its next turn. */
void worker_disconnect(struct worker *w);

/* Fence, one snapshot over everything, and what follows from it. */
int prove(struct worker *w, struct err *err) MUST_CHECK;

/* May the worker write so many rows now? Waits until it may, and keeps its
 * chunk meanwhile; *ret is false when it is to stop or to pause instead. */
int worker_may_write(
	bool *ret, struct worker *w, size_t rows, struct err *err) MUST_CHECK;
/* The same, without waiting. */
bool worker_may_write_now(struct worker *w, size_t rows);

/* -- survive.c: a turn failed ---------------------------------------------- */

/* Is it worth another one? Sleeps before saying so. */
bool worker_survives(struct worker *w, const struct err *err);
/* Something was done: what failed before does not count any more. */
void worker_forgive(struct worker *w);
/* It is not: ends the run, or with the leaf that is to blame. */
void worker_gives_up(struct worker *w, struct err *err);

/* -- generations.c ----------------------------------------------------------
 */

/* The leaves as they are now, and which of them are selected. */
int generations_load(
	struct engine *e, struct pg *pg, struct err *err) MUST_CHECK;
/* After a failure for that reason, which a transaction does not survive: are
 * leaves gone? Then what there is has to be listed anew. */
bool generations_changed(
	struct engine *e, struct pg *pg, const struct err *why);
/* Opens the run, or joins it; e->run and e->opener say which. */
int generations_open(bool *joined, struct engine *e, struct state *s,
	struct err *err) MUST_CHECK;
/* Lets workers work until the run is over, or they are to stop. */
int generations_work(
	struct engine *e, struct state *s, struct err *err) MUST_CHECK;

/* -- tend.c: main, meanwhile ----------------------------------------------- */

struct tend {
	struct engine *e;
	struct state *s; /* with main's own connection */
};

bool tend_progress(struct progress *ret, void *ctx);
void tend_workers(void *ctx);
/* Afterwards: the connection, made anew if it was lost. */
int tend_connection(
	struct engine *e, struct state *s, struct err *err) MUST_CHECK;

/* After a failure: whether what main asked for, for the attempt-th time, is to
 * be asked for again. It has waited a moment then, and there is a connection;
 * else err says why not. */
bool tend_again(
	struct engine *e, struct state *s, int attempt, struct err *err);

/* -- inspect.c: one leaf in one snapshot ----------------------------------- */

struct inspection {
	struct tally_column *column; /* of the leaf */
	int64_t to_rewrite;          /* rows */
	struct finding *finding;
	size_t findings, room;
};

/* ret is to be given to inspection_done() whatever the result. */
int inspect_leaf(struct inspection *ret, struct rows *r, struct pg *pg,
	struct judge *j, int64_t max_findings, struct err *err) MUST_CHECK;
void inspection_done(struct inspection *i, const struct leaf *leaf);

/* -- preflight.c ----------------------------------------------------------- */

/* Before the first write: the query that throttles, lengths, and for each leaf
 * that has work a canary, a few rows written and rolled back. has_work has one
 * entry per leaf. */
int preflight(struct engine *e, struct pg *pg, const bool *has_work,
	struct err *err) MUST_CHECK;
/* *refusal says why the server would not take the rows, or is empty. */
int preflight_canary(struct engine *e, struct pg *pg, const struct leaf *leaf,
	struct err *refusal, struct err *err) MUST_CHECK;

/* -- dry_run.c, outcome.c ---------------------------------------------------
 */

int dry_run(struct outcome *ret, struct engine *e, struct state *s,
	struct err *err) MUST_CHECK;

/* Reads the numbers and findings of the run. */
int outcome_gather(struct outcome *ret, struct engine *e, struct state *s,
	struct err *err) MUST_CHECK;

/* The exit status of a run that is over, and what is to be said of it. */
int outcome_status(struct outcome *ret, struct engine *e, struct state *s,
	struct err *err) MUST_CHECK;

/* -- spec.c -----------------------------------------------------------------
 */

void spec_make(struct run_spec *ret, const struct rotate_options *o,
	const struct catalog *catalog);
void spec_done(struct run_spec *spec);

/* -- engine.c -------------------------------------------------------------- */

struct rows *engine_rows(const struct engine *e, const struct leaf *leaf);
bool engine_selects(const struct engine *e, const struct leaf *leaf);

#endif
