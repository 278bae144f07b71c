/*
 * rows.h - reading windows of a leaf and writing batches back.
 *
 * A struct rows is one worker's way to one leaf: the statements as text and
 * what was learnt about its sizes. It serves one thread; leaf and names must
 * outlive it. No transaction is left open by any of these functions, but for
 * the sweep, which runs inside the caller's snapshot.
 */
#ifndef PGREKEY_ROWS_H
#define PGREKEY_ROWS_H

#include "buf.h"
#include "catalog.h"

struct tid {
	uint32_t block;
	uint16_t offset;
};

/* Half open: lo is in, hi is not. */
struct range {
	struct tid lo, hi;
};

struct rows;

struct rows_options {
	const char *current_key; /* NULL: marked plaintext is current */
	bool everything;         /* read current values too */
	const char *state_schema;
	bool suppress_triggers; /* of the writes, where the role may */
};

struct rows *rows_new(const struct leaf *leaf, const struct rows_options *o);
void rows_free(struct rows *r); /* NULL is fine */
const struct leaf *rows_leaf(const struct rows *r);

/* -- windows --------------------------------------------------------------- */

struct cell {
	size_t at; /* offset in the bytes */
	size_t len;
	bool present;  /* neither NULL nor known to be current */
	bool oversize; /* present, but too large to be fetched */
};

/* Rows held in memory; reused from window to window. The values are in a
 * buffer of the caller's, which several windows may share: each adds its own
 * behind those of the others, so that what they hold together is bounded, in
 * whatever way it is divided. The caller empties it. */
struct window {
	struct range range; /* what was read; hi may be below what was asked */
	size_t columns;
	size_t rows;
	size_t room;
	struct tid *tid;   /* strictly ascending */
	struct cell *cell; /* rows x columns */
	struct buf *bytes;
	size_t from; /* of the bytes: where its own begin */
};

struct window_limits {
	size_t bytes; /* of its values; one row may exceed it */
	size_t rows;
};

/* The buffer must outlive the window. */
void window_init(struct window *w, struct buf *bytes);
/* Of values, which may be plaintext. */
void window_bytes_init(struct buf *bytes);
void window_done(struct window *w);
struct slice window_value(const struct window *w, const struct cell *c);
/* Rows that go together are step rows apart, which no processor expects: has
 * the values of the next one on their way to it, and the place of those of the
 * one behind it. */
void window_expect(const struct window *w, size_t row, size_t step);

/* Reads the rows of a range that are not current, in a transaction of its own
 * that has ended when this returns. In one flush; by a cursor where a window
 * may not fit: in tables that have larger values, or once one did not. */
int rows_read(struct window *ret, struct rows *r, struct pg *pg,
	const struct range *range, const struct window_limits *limits,
	struct err *err) MUST_CHECK;

/* Looks at the pages of a range: the server prunes what is dead there. */
int rows_prune(struct rows *r, struct pg *pg, const struct range *range,
	struct err *err) MUST_CHECK;

/* -- batches --------------------------------------------------------------- */

/* Rows to write in one transaction, as the binary arrays they are sent in. */
struct batch {
	size_t columns;
	size_t rows;
	size_t room;
	size_t *origin; /* the caller's number of each row */
	bool *took;     /* of each row, once rows_wait() has said so */
	struct buf tid;
	struct buf *old;   /* per column */
	struct buf *fresh; /* per column */
	struct buf *marks; /* per column */
	bool digests;      /* some old values are digests */
	bool marked;       /* some values have marks */
};

void batch_init(struct batch *b, size_t columns);
void batch_done(struct batch *b);
void batch_reset(struct batch *b);
size_t batch_bytes(const struct batch *b);

/* What is counted of a value if, and only if, its new envelope is committed. */
#define MARK_NESTED 1
#define MARK_MISLABELLED 2
#define MARK_LATE 4

/* A row's new values: fresh.ptr NULL leaves a column as it is. clear: old is
 * plaintext and goes as a digest. */
struct change {
	struct slice old, fresh;
	bool clear;
	unsigned marks;
};

/* tids must come in ascending order; change has one entry per column. */
void batch_add(struct batch *b, struct tid tid, const struct change *change,
	size_t origin);
/* Rows first to first + count of b alone; ret is reset before. */
void batch_slice(
	struct batch *ret, const struct batch *b, size_t first, size_t count);

#define LEASE_SECONDS 60

/* The chunk whose progress a batch records, in the same transaction. */
struct checkpoint {
	int64_t run;
	uint32_t leaf;
	int64_t chunk;
	int64_t epoch;
	int64_t pos; /* next block to read after a restart; -1: unchanged */
};

struct write_options {
	bool skip_locked;
	const struct checkpoint *checkpoint; /* NULL: canary, rolled back */
	int64_t lock_timeout_ms;
	int64_t statement_timeout_ms; /* 0: none */
	/* COMMIT does not wait for the disk, nor for standbys. */
	bool lazy;
};

/* Sends one transaction in one flush and returns while the server works;
 * rows_wait() tells which rows took. Meanwhile one more batch may be sent,
 * which is answered behind the first, and the connection is good for nothing
 * else. After -1 nothing of the batch is stored, unless the connection was
 * lost. SQLSTATE 22012: the epoch is stale. 2201F: a stored value is not what
 * was sent. 25P02: the batch before it failed, and this one was not tried. */
int rows_send(struct rows *r, struct pg *pg, const struct batch *b,
	const struct range *range, const struct write_options *o,
	struct err *err) MUST_CHECK;
int rows_wait(struct rows *r, struct pg *pg, struct batch *b,
	const struct write_options *o, struct err *err) MUST_CHECK;

/* Somebody wants the run to pause, as the last batch with a checkpoint saw. */
bool rows_run_is_paused(const struct rows *r);

/* Why a row did not take that is there, and that nobody holds. */
#define ROW_SUPPRESSED "a trigger or rule suppresses the update"

#define ROWS_FENCE "22012"
#define ROWS_DIFFERS "2201F"
#define ROWS_CANCELLED "57014"
#define ROWS_NOT_TRIED "25P02"

/* -- the sweep: one snapshot over everything ------------------------------- */

/* Counted by the server, per column of the leaf. */
struct leaf_count {
	int64_t rows;
	int64_t nulls[TARGET_COLUMNS_MAX];
	int64_t current[TARGET_COLUMNS_MAX]; /* 0 when reading everything */
};

int rows_count(struct leaf_count *ret, struct rows *r, struct pg *pg,
	struct err *err) MUST_CHECK;

/* Called with each row that has a value to judge; false ends the sweep. */
typedef bool (*rows_fn)(void *ctx, const struct window *one_row);

int rows_sweep(struct rows *r, struct pg *pg, rows_fn fn, void *ctx,
	struct err *err) MUST_CHECK;

/* The same with every row of a block range, current and NULL values too, in
 * COPY's binary format: the fastest way out. range NULL: the whole leaf;
 * sample > 0: about so many percent of its pages, chosen at random. Row by
 * row, so that memory is flat. */
struct copy_range {
	const struct range *range;
	double sample;
	bool limited; /* look for values above max_value_bytes first */
};

int rows_copy(struct rows *r, struct pg *pg, const struct copy_range *part,
	rows_fn fn, void *ctx, struct err *err) MUST_CHECK;

/* False if no value of the leaf, as it is now, can be above max_value_bytes:
 * asking each costs the server a quarter of its time. */
int rows_may_be_oversize(bool *ret, struct pg *pg, const struct leaf *leaf,
	struct err *err) MUST_CHECK;

/* Size of the leaf now. */
int rows_blocks(int64_t *ret, struct pg *pg, const struct leaf *leaf,
	struct err *err) MUST_CHECK;

/* What the server can read off a value by itself. */
enum label_kind {
	LABEL_NULL,
	LABEL_SEALED,    /* key is the label */
	LABEL_PLAINTEXT, /* marked, not encrypted */
	LABEL_RAW,
	LABEL_OTHER,
};

struct label {
	enum label_kind kind;
	const char *key;
	int64_t values;
};

/* Counts the labels of a column: fn is called once for each. */
typedef void (*label_fn)(void *ctx, const struct label *label);
int rows_labels(struct rows *r, struct pg *pg, size_t column, label_fn fn,
	void *ctx, struct err *err) MUST_CHECK;

/* The same in a few places of the leaf, spread evenly. All of it where it is
 * small. */
#define SAMPLE_PLACES 64
#define SAMPLE_BLOCKS 4 /* in each place */
struct label_sample {
	size_t places; /* 1 to SAMPLE_PLACES */
	label_fn fn;
	void *ctx;
};

int rows_sample(struct rows *r, struct pg *pg, size_t column,
	const struct label_sample *sample, struct err *err) MUST_CHECK;

/* Does a look at a few places find a value that is not current? Cheap. */
int rows_glance(
	bool *ret, struct rows *r, struct pg *pg, struct err *err) MUST_CHECK;

/* The first few rows that are not current, as rows_read(). */
int rows_first(struct window *ret, struct rows *r, struct pg *pg, size_t count,
	struct err *err) MUST_CHECK;

/* Identity of a row as a JSON object: its primary key, else, or where that is
 * very long or may hold an envelope, its ctid. "" if the row is gone. Free with
 * free(). */
int rows_identity(char **ret, struct rows *r, struct pg *pg, struct tid tid,
	struct err *err) MUST_CHECK;

enum row_presence {
	ROW_GONE,   /* changed, moved or deleted: no such version any more */
	ROW_LOCKED, /* there, but somebody else holds it */
	ROW_FREE,   /* there, and a lock could be had at once */
};

int rows_presence(enum row_presence *ret, struct rows *r, struct pg *pg,
	struct tid tid, struct err *err) MUST_CHECK;

/* Would every value still fit its varchar(n) under the new label? A refusal
 * if not. */
int rows_check_lengths(struct rows *r, struct pg *pg, const struct remarks *to,
	struct err *err) MUST_CHECK;

#endif
