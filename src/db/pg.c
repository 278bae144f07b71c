#include "pg_conn_int.h"
#include <stdio.h>
#include <stdlib.h>

static const PGresult *
const_result(const struct pg_result *r)
{
	return (const PGresult *)r;
}

struct pg_result *
pg_result_of(PGresult *r)
{
	return (struct pg_result *)r;
}

/* -- errors ---------------------------------------------------------------- */

static int
first_line(const char *text)
{
	return (int)strcspn(text, "\n");
}

int
pg_fail_connection(struct err *err, const char *what, const char *said,
	const char *sqlstate)
{
	if (first_line(said) == 0)
		said = "no word from the server";
	err_set(err, ERR_DB, "%s: %.*s", what, first_line(said), said);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
	return -1;
}

int
pg_fail_lost(struct pg *pg, struct err *err)
{
	const char *said = atomic_load(&pg->hung_up)
				   ? "no answer from the server in time"
				   : PQerrorMessage(pg->conn);

	return pg_fail_connection(err, "connection lost", said, "08006");
}

/* Before anything runs, the server says at which place of the text it does not
 * understand it. No function that runs can say so. */
static bool
is_about_text(const PGresult *r)
{
	return PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION) != NULL;
}

/* What may be repeated of a failure. */
static const char *
words_about(const struct pg *pg, const PGresult *r, const char *state,
	bool foreign_code)
{
	const char *said = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	if (!said || foreign_code || !pg_is_quotable(state) ||
		(pg->discreet && !is_about_text(r)))
		return pg_meaning(state);
	return said;
}

/* A name out of the catalog, behind what comes before it. Functions may raise
 * names that they have made up, but not without a word of where they are. */
static void
put_name(char ret[256], const PGresult *r, int field, const char *before)
{
	const char *name = PQresultErrorField(r, field);

	ret[0] = '\0';
	if (name && !PQresultErrorField(r, PG_DIAG_CONTEXT))
		snprintf(ret, 256, "%s%s", before, name);
}

int
pg_fail_result(
	struct pg *pg, const PGresult *r, bool foreign_code, struct err *err)
{
	const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	char line[256], constraint[256], column[256];
	const char *said;

	if (!state) {
		/* A good answer, or none, where another was due: what comes
		 * next may be the answer to something else. */
		pg->given_up = true;
		return pg_fail_lost(pg, err);
	}
	said = words_about(pg, r, state, foreign_code);
	snprintf(line, sizeof(line), "%.*s", first_line(said), said);
	put_name(constraint, r, PG_DIAG_CONSTRAINT_NAME, ", constraint ");
	put_name(column, r, PG_DIAG_COLUMN_NAME, ", column ");
	err_set(err, ERR_DB, "the server refused: SQLSTATE %s%s%s%s%s", state,
		line[0] ? ", " : "", line, constraint, column);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", state);
	return -1;
}

/* -- what it is ------------------------------------------------------------ */

bool
pg_lost(const struct pg *pg)
{
	return pg->given_up || PQstatus(pg->conn) != CONNECTION_OK;
}

static bool
says_on(const struct pg *pg, const char *parameter)
{
	const char *value = PQparameterStatus(pg->conn, parameter);

	return value && !strcmp(value, "on");
}

bool
pg_refuses_writes(const struct pg *pg)
{
	/* A pooler says what it heard of some session once. */
	return !pg->pooled && (says_on(pg, "default_transaction_read_only") ||
				      says_on(pg, "in_hot_standby"));
}

bool
pg_is_pooled(const struct pg *pg)
{
	return pg->pooled;
}

bool
pg_is_far(const struct pg *pg)
{
	return pg->far;
}

void
pg_be_discreet(struct pg *pg, bool discreet)
{
	pg->discreet = discreet;
}

const char *
pg_settings(const struct pg *pg)
{
	return pg->settings;
}

#define BEGIN_AS "BEGIN ISOLATION LEVEL "

const char *
pg_begin_sql(const struct pg *pg, enum pg_mode mode)
{
	static const char *const begin[] = {
		[PG_WRITE] = (BEGIN_AS "READ COMMITTED"),
		[PG_READ] = (BEGIN_AS "READ COMMITTED READ ONLY"),
		[PG_SNAPSHOT] = (BEGIN_AS "REPEATABLE READ READ ONLY"),
	};

	return begin[mode == PG_WRITE && pg->read_only ? PG_READ : mode];
}

int
pg_server_version(const struct pg *pg)
{
	return PQserverVersion(pg->conn);
}

void
pg_cancel(struct pg *pg)
{
	char why[256];

	if (pg->cancel)
		(void)PQcancel(pg->cancel, why, (int)sizeof(why));
}

int
pg_send_one(struct pg *pg, const char *sql, const struct pg_args *args,
	int binary_result)
{
	if (!args)
		return PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL,
			NULL, binary_result);
	return PQsendQueryParams(pg->conn, sql, args->count, args->type,
		args->value, args->len, args->binary, binary_result);
}

/* -- statements ------------------------------------------------------------ */

bool
pg_is_good(const PGresult *r)
{
	ExecStatusType s = PQresultStatus(r);

	return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK ||
	       s == PGRES_SINGLE_TUPLE;
}

bool
pg_has_all(PGresult *r, int64_t rows)
{
	const char *said = PQcmdTuples(r);

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		return true;
	/* Without a word at the end, another answer began before it. */
	return PQcmdStatus(r)[0] &&
	       (!said[0] || strtoll(said, NULL, 10) == rows);
}

/* libpq numbers nothing: after a message too many each answer is taken for that
 * to the next statement. An answer that is not complete, or not due, gives up
 * the connection, which is asked nothing any more; and what was read in a
 * transaction is void unless COMMIT says COMMIT. */
bool
pg_answers(const char *sql, PGresult *r)
{
	return pg_is_good(r) && pg_has_all(r, PQntuples(r)) &&
	       (strcmp(sql, "COMMIT") != 0 ||
		       !strcmp(PQcmdStatus(r), "COMMIT"));
}

bool
pg_is_idle(const struct pg *pg)
{
	return PQtransactionStatus(pg->conn) == PQTRANS_IDLE;
}

int
pg_wrap(bool *wrapped, struct pg *pg, struct err *err)
{
	*wrapped = pg->settings && pg_is_idle(pg);
	return *wrapped ? pg_begin(pg, PG_WRITE, NULL, err) : 0;
}

int
pg_unwrap(bool wrapped, struct pg *pg, struct err *err)
{
	return wrapped ? pg_exec(pg, "COMMIT", err) : 0;
}

/* The answer to a single statement. What only its commit finds, such as a
 * deferred trigger's refusal, comes behind an answer that was good. */
static int
receive_one(PGresult **ret, struct pg *pg, const char *sql, struct err *err)
{
	PGresult *answer = PQgetResult(pg->conn), *more = NULL;

	if (answer && pg_answers(sql, answer)) {
		more = PQgetResult(pg->conn);
		if (!more) {
			*ret = answer;
			return 0;
		}
	}
	pg_fail_result(pg, more ? more : answer, false, err);
	PQclear(more);
	PQclear(answer);
	return -1;
}

static int
ask_one(PGresult **ret, struct pg *pg, const char *sql,
	const struct pg_args *args, struct err *err)
{
	int rc;

	pg_waits(pg);
	rc = !pg_lost(pg) && pg_send_one(pg, sql, args, 0)
		     ? receive_one(ret, pg, sql, err)
		     : pg_fail_lost(pg, err);
	pg_heard(pg);
	return rc;
}

int
pg_query(struct pg_result **ret, struct pg *pg, const char *sql,
	const struct pg_args *args, struct err *err)
{
	PGresult *r = NULL;
	bool wrapped;

	if (pg_wrap(&wrapped, pg, err) < 0)
		return -1;
	if (ask_one(&r, pg, sql, args, err) < 0) {
		pg_rollback(pg);
		return -1;
	}
	if (pg_unwrap(wrapped, pg, err) < 0) {
		PQclear(r);
		return -1;
	}
	if (ret)
		*ret = pg_result_of(r);
	else
		PQclear(r);
	return 0;
}

static PGresult *
exec(struct pg *pg, const char *sql)
{
	PGresult *r;

	pg_waits(pg);
	r = PQexec(pg->conn, sql);
	pg_heard(pg);
	return r;
}

int
pg_exec(struct pg *pg, const char *sql, struct err *err)
{
	PGresult *r = pg_lost(pg) ? NULL : exec(pg, sql);

	if (!r || !pg_answers(sql, r)) {
		pg_fail_result(pg, r, false, err);
		PQclear(r);
		pg_rollback(pg);
		return -1;
	}
	PQclear(r);
	return 0;
}

static void
drain(struct pg *pg)
{
	PGresult *r;

	pg_waits(pg);
	while ((r = PQgetResult(pg->conn)) != NULL)
		PQclear(r);
	pg_heard(pg);
}

void
pg_rollback(struct pg *pg)
{
	pg_drop_flushes(pg);
	if (pg_lost(pg))
		return;
	drain(pg);
	if (PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
		PQclear(exec(pg, "ROLLBACK"));
}

void
pg_free(struct pg_result *r)
{
	PQclear((PGresult *)r);
}

int
pg_rows(const struct pg_result *r)
{
	return PQntuples(const_result(r));
}

bool
pg_is_null(const struct pg_result *r, int row, int column)
{
	return PQgetisnull(const_result(r), row, column);
}

const char *
pg_text(const struct pg_result *r, int row, int column)
{
	const char *value = PQgetvalue(const_result(r), row, column);

	/* NULL: the answer to another statement, which has not shown yet. */
	return value ? value : "";
}

int64_t
pg_int(const struct pg_result *r, int row, int column)
{
	return strtoll(pg_text(r, row, column), NULL, 10);
}

bool
pg_bool(const struct pg_result *r, int row, int column)
{
	return pg_text(r, row, column)[0] == 't';
}

struct slice
pg_slice(const struct pg_result *r, int row, int column)
{
	return slice_of(pg_text(r, row, column),
		(size_t)PQgetlength(const_result(r), row, column));
}
