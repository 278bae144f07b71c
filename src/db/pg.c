#include "pg_conn_int.h"
#include <stdio.h>
#include <stdlib.h>

/* A PGresult under our own name: callers never see libpq's types. */
static const PGresult *
const_result(const struct pg_result *r)
{
	return (const PGresult *)r;
}

static struct pg_result *
as_result(PGresult *r)
{
	return (struct pg_result *)r;
}

/* -- errors ---------------------------------------------------------------- */

static int
first_line(const char *text)
{
	return (int)strcspn(text, "\n");
}

static int
fail_connection(
	struct pg *pg, const char *what, const char *sqlstate, struct err *err)
{
	const char *said = PQerrorMessage(pg->conn);

	if (first_line(said) == 0)
		said = "no word from the server";
	err_set(err, ERR_DB, "%s: %.*s", what, first_line(said), said);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
	return -1;
}

int
pg_fail_lost(struct pg *pg, struct err *err)
{
	return fail_connection(pg, "connection lost", "08006", err);
}

int
pg_fail_result(
	struct pg *pg, const PGresult *r, bool foreign_code, struct err *err)
{
	const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	const char *said, *constraint, *column;
	char line[256] = "";

	if (!state)
		return pg_fail_lost(pg, err);
	said = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	constraint = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);
	column = PQresultErrorField(r, PG_DIAG_COLUMN_NAME);
	if (foreign_code || !said || !pg_is_quotable(state))
		said = pg_meaning(state);
	snprintf(line, sizeof(line), "%.*s", first_line(said), said);
	err_set(err, ERR_DB, "the server refused: SQLSTATE %s%s%s%s%s%s%s",
		state, line[0] ? ", " : "", line,
		constraint ? ", constraint " : "", constraint ? constraint : "",
		column ? ", column " : "", column ? column : "");
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", state);
	return -1;
}

/* -- connecting ------------------------------------------------------------ */

static void
drop_notice(void *ctx, const PGresult *r)
{
	(void)ctx, (void)r; /* a trigger's NOTICE may quote a row */
}

static int
check_keywords(const struct pg_options *o, struct err *err)
{
	PQconninfoOption *known = PQconndefaults();
	int rc = 0;

	if (!known)
		die("out of memory");
	for (size_t i = 0; o->keyword[i] && rc == 0; i++) {
		const PQconninfoOption *k = known;

		while (k->keyword && strcmp(k->keyword, o->keyword[i]) != 0)
			k++;
		if (!k->keyword)
			rc = err_set(err, ERR_USAGE,
				"unknown connection option '%s'",
				o->keyword[i]);
	}
	PQconninfoFree(known);
	return rc;
}

/* Ours come first: what the user says wins. */
static PGconn *
connect_with(const struct pg_options *o)
{
	static const char *const preset[][2] = {
		{"connect_timeout", "10"},
		{"keepalives_idle", "30"},
		{"tcp_user_timeout", "30000"},
	};
	const char *keyword[64], *value[64];
	size_t n = 0;

	for (; n < sizeof(preset) / sizeof(preset[0]); n++) {
		keyword[n] = preset[n][0];
		value[n] = preset[n][1];
	}
	for (size_t i = 0; o->keyword[i] && n < 60; i++, n++) {
		keyword[n] = o->keyword[i];
		value[n] = o->value[i];
	}
	keyword[n] = "fallback_application_name";
	value[n++] = o->application;
	keyword[n] = "client_encoding";
	value[n++] = "UTF8";
	keyword[n] = NULL;
	value[n] = NULL;
	return PQconnectdbParams(keyword, value, 1);
}

int
pg_open(struct pg **ret, const struct pg_options *options, struct err *err)
{
	struct pg *pg = xcalloc(1, sizeof(*pg));

	if (check_keywords(options, err) < 0)
		goto fail;
	pg->conn = connect_with(options);
	if (!pg->conn)
		die("out of memory");
	if (PQstatus(pg->conn) != CONNECTION_OK) {
		fail_connection(pg, "cannot connect", "08001", err);
		err_hint(err, "[database] and PG* variables say where, a "
			      "passfile or service file the password; psql "
			      "takes the same settings");
		goto fail;
	}
	PQsetNoticeReceiver(pg->conn, drop_notice, NULL);
	if (PQserverVersion(pg->conn) < 140000) {
		err_set(err, ERR_DB, "the server is older than PostgreSQL 14");
		goto fail;
	}
	if (pg_set_session(pg, options, err) < 0)
		goto fail;
	pg->cancel = PQgetCancel(pg->conn);
	*ret = pg;
	return 0;
fail:
	pg_close(pg);
	return -1;
}

void
pg_close(struct pg *pg)
{
	if (!pg)
		return;
	if (pg->cancel)
		PQfreeCancel(pg->cancel);
	if (pg->conn)
		PQfinish(pg->conn);
	free(pg);
}

bool
pg_lost(const struct pg *pg)
{
	return PQstatus(pg->conn) != CONNECTION_OK;
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

int
pg_query(struct pg_result **ret, struct pg *pg, const char *sql,
	const struct pg_args *args, struct err *err)
{
	PGresult *r;

	if (!pg_send_one(pg, sql, args, 0))
		return pg_fail_lost(pg, err);
	r = PQgetResult(pg->conn);
	if (!r || !pg_is_good(r)) {
		pg_fail_result(pg, r, false, err);
		PQclear(r);
		pg_rollback(pg);
		return -1;
	}
	while (PQgetResult(pg->conn))
		; /* a single statement: only the closing NULL */
	if (ret)
		*ret = as_result(r);
	else
		PQclear(r);
	return 0;
}

int
pg_exec(struct pg *pg, const char *sql, struct err *err)
{
	PGresult *r = PQexec(pg->conn, sql);

	if (!r || !pg_is_good(r)) {
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

	while ((r = PQgetResult(pg->conn)) != NULL)
		PQclear(r);
}

void
pg_rollback(struct pg *pg)
{
	if (pg_lost(pg))
		return;
	drain(pg);
	if (PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
		PQclear(PQexec(pg->conn, "ROLLBACK"));
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
	return PQgetvalue(const_result(r), row, column);
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

/* -- several statements in one flush --------------------------------------- */

int
pg_send(struct pg *pg, const struct pg_step *step, size_t count,
	struct err *err)
{
	if (!PQenterPipelineMode(pg->conn))
		return pg_fail_lost(pg, err);
	for (size_t i = 0; i < count; i++) {
		if (!pg_send_one(pg, step[i].sql, step[i].args, 0))
			return pg_fail_lost(pg, err);
	}
	if (!PQpipelineSync(pg->conn))
		return pg_fail_lost(pg, err);
	return 0;
}

/* One result per step, each followed by NULL. The first failure counts; what
 * follows it was not run. */
int
pg_receive(struct pg_result **ret, struct pg *pg, const struct pg_step *step,
	size_t count, size_t keep, struct err *err)
{
	PGresult *r, *kept = NULL;
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		r = PQgetResult(pg->conn);
		if (rc == 0 && (!r || !pg_is_good(r)))
			rc = pg_fail_result(pg, r, step[i].foreign_code, err);
		if (rc == 0 && i == keep)
			kept = r;
		else
			PQclear(r);
		if (pg_lost(pg))
			break;
		if (r)
			PQclear(PQgetResult(pg->conn)); /* the NULL */
	}
	if (!pg_lost(pg)) {
		PQclear(PQgetResult(pg->conn)); /* the sync */
		(void)PQexitPipelineMode(pg->conn);
	} else if (rc == 0) {
		rc = pg_fail_lost(pg, err);
	}
	if (rc < 0)
		PQclear(kept);
	else
		*ret = as_result(kept);
	return rc;
}
