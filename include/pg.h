/*
 * pg.h - one PostgreSQL connection. The only module that knows libpq.
 *
 * A struct pg belongs to one thread; pg_cancel() alone may be called from
 * another. Errors carry the SQLSTATE and object names; the server's own words
 * only where they cannot quote a row, never its DETAIL. Notices are dropped.
 */
#ifndef PGREKEY_PG_H
#define PGREKEY_PG_H

#include "buf.h"
#include "err.h"
#include "slice.h"
#include <stdint.h>

struct pg;
struct pg_result;

struct pg_options {
	/* NULL-terminated, for PQconnectdbParams with expand_dbname. */
	const char *const *keyword;
	const char *const *value;
	const char *application; /* application_name */
	int64_t lock_timeout_ms; /* of what sets none itself; 0: none */
	bool read_only;
	bool synchronous_commit;
};

/* All that libpq knows, NULL-terminated. The caller frees each and the list. */
char **pg_keywords_new(void);

/* Keywords are checked beforehand: a failure is ERR_DB. */
int pg_open(struct pg **ret, const struct pg_options *options,
	struct err *err) MUST_CHECK;
void pg_close(struct pg *pg); /* NULL is fine */

bool pg_lost(const struct pg *pg); /* the connection is gone */
/* As far as it said with its last answer: a standby, or set read-only. */
bool pg_refuses_writes(const struct pg *pg);
int pg_server_version(const struct pg *pg); /* 150020 */
/* Asks the server to cancel what runs; any thread, best effort. */
void pg_cancel(struct pg *pg);

/* A pooler is in between, which may give each transaction another session.
 * Then nothing is set for a session; each transaction gets its settings. */
bool pg_is_pooled(const struct pg *pg);
/* A word there and back takes so long that it is worth while not to wait for
 * it; half a millisecond when the connection was made. */
bool pg_is_far(const struct pg *pg);

/* -- servers that say nothing ---------------------------------------------- */

/* Hangs up on every server of this process that has owed an answer for longer
 * than that, as if the line had been cut: who waits for it finds the connection
 * lost. Any thread, while others open and close connections. */
void pg_end_silent(int64_t limit_ms);
/* From now on it owes none: statements follow that may rightly take hours. Or
 * no longer. */
void pg_be_patient(struct pg *pg, bool patient);

/* -- parameters ------------------------------------------------------------ */

#define PG_ARGS_MAX 128

/* Values are not copied: they live until the statement was sent. */
struct pg_args {
	int count;
	uint32_t type[PG_ARGS_MAX];
	const char *value[PG_ARGS_MAX];
	int len[PG_ARGS_MAX];
	int binary[PG_ARGS_MAX];
	unsigned char number[PG_ARGS_MAX][8];
};

/* Type OIDs that never change. */
enum pg_type {
	PG_BOOL = 16,
	PG_INT8 = 20,
	PG_INT4 = 23,
	PG_TEXT = 25,
	PG_OID = 26,
	PG_TID = 27,
	PG_TEXT_ARRAY = 1009,
	PG_TID_ARRAY = 1010,
	PG_INT8_ARRAY = 1016,
	PG_OID_ARRAY = 1028,
};

void pg_arg_text(struct pg_args *a, const char *text); /* NULL is NULL */
void pg_arg_int(struct pg_args *a, int64_t n);         /* as int8 */
void pg_arg_bool(struct pg_args *a, bool b);
/* A value in the type's binary format. */
void pg_arg_binary(struct pg_args *a, enum pg_type type, struct slice value);

/* -- statements ------------------------------------------------------------ */

/* Runs one statement; args may be NULL. Results are in text format. *ret may
 * be NULL when nobody looks at the rows; else free with pg_free(). Outside a
 * transaction it is one by itself. */
int pg_query(struct pg_result **ret, struct pg *pg, const char *sql,
	const struct pg_args *args, struct err *err) MUST_CHECK;
/* Runs what needs none of our settings: COMMIT, SET LOCAL, or a script that
 * pg_add_begin() began. */
int pg_exec(struct pg *pg, const char *sql, struct err *err) MUST_CHECK;
bool pg_is_idle(const struct pg *pg); /* no transaction is open */
/* Best effort: whatever was open is rolled back, answers that were not waited
 * for are dropped. */
void pg_rollback(struct pg *pg);

void pg_free(struct pg_result *r); /* NULL is fine */
int pg_rows(const struct pg_result *r);
bool pg_is_null(const struct pg_result *r, int row, int column);
const char *pg_text(const struct pg_result *r, int row, int column);
int64_t pg_int(const struct pg_result *r, int row, int column); /* NULL: 0 */
bool pg_bool(const struct pg_result *r, int row, int column);
struct slice pg_slice(const struct pg_result *r, int row, int column);

/* From now on statements hold SQL of the user's, whose functions may quote what
 * they are given under any SQLSTATE: the server's own words are repeated only
 * where they are about the text of a statement. Or no longer. */
void pg_be_discreet(struct pg *pg, bool discreet);

/* -- transactions ---------------------------------------------------------- */

enum pg_mode {
	PG_WRITE,    /* read committed, as anybody */
	PG_READ,     /* read only */
	PG_SNAPSHOT, /* read only, all in one snapshot */
};

/* Every transaction begins with one of these. snapshot: the id of one that
 * another session has exported, or NULL. */
int pg_begin(struct pg *pg, enum pg_mode mode, const char *snapshot,
	struct err *err) MUST_CHECK;
/* The same as text, to put more behind it. */
void pg_add_begin(struct buf *sql, const struct pg *pg, enum pg_mode mode,
	const char *snapshot);
/* The same as single statements. NULL: no settings are needed. */
const char *pg_begin_sql(const struct pg *pg, enum pg_mode mode);
const char *pg_settings(const struct pg *pg);

/* -- several statements in one flush --------------------------------------- */

/* Called for each row, in binary format, valid during the call. Returning
 * false means that no more rows are wanted; the rest is read and dropped. */
typedef bool (*pg_row_fn)(void *ctx, const struct pg_result *row);

struct pg_step {
	const char *sql;
	const struct pg_args *args; /* or NULL */
	/* The statement runs other people's code (triggers, constraints): no
	 * word of the server about its failure is repeated. */
	bool foreign_code;
	/* It will come again: the server keeps it parsed and planned. Has args.
	 * One at a time; another one takes its place. */
	bool again;
	/* Not NULL: its rows are streamed to it, by pg_flush() only. */
	pg_row_fn fn;
	void *ctx;
};

/* Flushes that may be under way: the server does the second one as soon as the
 * first is done, without waiting for a word of ours. Through a pooler only one
 * may be. */
#define PG_FLUSHES 2

/* Sends the steps in one flush and returns; the server works while the caller
 * does something else. Then pg_receive() with the same steps: waits, and hands
 * out the result of step keep. Answers come in the order of the flushes. After
 * a failure the transaction is still open and aborted, unless COMMIT failed,
 * and the flush behind it fails with 25P02. pg_rollback() when nothing is under
 * way any more. */
int pg_send(struct pg *pg, const struct pg_step *step, size_t count,
	struct err *err) MUST_CHECK;
int pg_receive(struct pg_result **ret, struct pg *pg,
	const struct pg_step *step, size_t count, size_t keep,
	struct err *err) MUST_CHECK;
/* Both at once, while nothing else is under way, for steps that do not come
 * again: rows go to those that want them. After a failure everything is rolled
 * back. */
int pg_flush(struct pg *pg, const struct pg_step *step, size_t count,
	struct err *err) MUST_CHECK;
/* Something was sent, and not everything was received. */
bool pg_is_busy(const struct pg *pg);

/* -- streaming ------------------------------------------------------------- */

/* Runs one statement row by row, so that memory holds one row at a time. */
int pg_stream(struct pg *pg, const char *sql, const struct pg_args *args,
	pg_row_fn fn, void *ctx, struct err *err) MUST_CHECK;

/* Called with what COPY sends at a time: whole rows, as PostgreSQL promises,
 * the first one behind the header. Returning false: as above. */
typedef bool (*pg_data_fn)(void *ctx, struct slice data);

/* Runs one COPY ... TO STDOUT. *rows is how many the server says it sent. */
int pg_copy_out(int64_t *rows, struct pg *pg, const char *sql, pg_data_fn fn,
	void *ctx, struct err *err) MUST_CHECK;

/* -- what to do about a failure -------------------------------------------- */

enum pg_class {
	PG_CLASS_RETRY, /* serialization, deadlock, memory: the same again */
	PG_CLASS_LOCK,  /* a lock or time limit of ours ran out */
	PG_CLASS_DATA,  /* a row does not fit: halve down to it */
	PG_CLASS_FENCE, /* division by zero: perhaps our epoch fence */
	PG_CLASS_LOST,  /* no such server there any more: reconnect */
	PG_CLASS_FULL,  /* the server's disk: wait until there is room */
	PG_CLASS_FATAL, /* nothing here can help */
};

enum pg_class pg_classify(const struct err *err);

#endif
