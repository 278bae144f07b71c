/*
 * Connecting, and finding out who answers.
 */
#include "clock.h"
#include "pg_conn_int.h"
#include <stdio.h>
#include <stdlib.h>

/* A refusal within this time costs nobody anything to hear twice. */
#define PROMPT_MS 1000
#define FAR_US 500
#define FAR_LOOKS 5

static void
drop_notice(void *ctx, const PGresult *r)
{
	(void)ctx, (void)r; /* a trigger's NOTICE may quote a row */
}

char **
pg_keywords_new(void)
{
	PQconninfoOption *known = PQconninfoParse("", NULL);
	size_t n = 0;
	char **ret;

	if (!known)
		die("out of memory");
	while (known[n].keyword)
		n++;
	ret = xcalloc(n + 1, sizeof(*ret));
	while (n-- > 0)
		ret[n] = xstrdup(known[n].keyword);
	PQconninfoFree(known);
	return ret;
}

/* Ours come first: what the user says wins. */
static PGconn *
connect_with(const struct pg_options *o)
{
	static const char *const preset[][2] = {
		{"connect_timeout", "10"},
		{"keepalives_idle", "30"},
		/* The system's 75 s would put off tcp_user_timeout. */
		{"keepalives_interval", "10"},
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

/* The SQLSTATE of "FATAL:  53300: sorry, ...", whatever the language. */
static bool
find_sqlstate(char ret[6], const char *said)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (; (said = strstr(said, ":  ")) != NULL; said += 3) {
		if (strspn(said + 3, digits) != 5 || said[8] != ':')
			continue;
		memcpy(ret, said + 3, 5);
		ret[5] = '\0';
		return true;
	}
	return false;
}

/* libpq says why the server refused a connection in words only, but for its
 * most verbose messages: what was refused quickly is asked once more. */
static int
ask_why(struct pg *pg, int64_t began_ms, struct err *err)
{
	char state[6] = "08001";
	char *said = xstrdup(PQerrorMessage(pg->conn));
	int rc = 0;

	if (clock_ms() - began_ms < PROMPT_MS) {
		PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);
		PQreset(pg->conn);
		PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
	}
	if (pg_lost(pg)) {
		(void)find_sqlstate(state, PQerrorMessage(pg->conn));
		rc = pg_fail_connection(err, "cannot connect", said, state);
		err_hint(err, "[database] and PG* variables say where, a "
			      "passfile or service file the password; psql "
			      "takes the same settings");
	}
	free(said);
	return rc;
}

static int
reach(struct pg *pg, const struct pg_options *o, struct err *err)
{
	int64_t began_ms = clock_ms();

	pg->conn = connect_with(o);
	if (!pg->conn)
		die("out of memory");
	PQsetNoticeReceiver(pg->conn, drop_notice, NULL);
	return pg_lost(pg) ? ask_why(pg, began_ms, err) : 0;
}

/* A pooler has numbers of its own for its sessions. What is set for the
 * session would reach other clients of it, and perhaps not our next
 * transaction. */
static int
find_pooler(struct pg *pg, struct err *err)
{
	struct pg_result *r;

	if (pg_query(&r, pg, "SELECT pg_catalog.pg_backend_pid()", NULL, err) <
		0)
		return -1;
	pg->pooled = pg_int(r, 0, 0) != PQbackendPID(pg->conn);
	pg_free(r);
	return 0;
}

/* By a statement that costs the server nothing, once its caches are filled. A
 * near one is slow now and then, a far one always. */
static int
measure_line(struct pg *pg, struct err *err)
{
	int64_t began_us;

	pg->far = true;
	for (int i = 0; i < FAR_LOOKS && pg->far; i++) {
		began_us = clock_us();
		if (pg_query(NULL, pg, "SELECT 1", NULL, err) < 0)
			return -1;
		pg->far = clock_us() - began_us >= FAR_US;
	}
	return 0;
}

/* A pooler says this, too. */
static bool
has_no_encoding(const struct pg *pg)
{
	const char *said = PQparameterStatus(pg->conn, "server_encoding");

	return said && !strcmp(said, "SQL_ASCII");
}

static int
set_session(struct pg *pg, const struct pg_options *o, struct err *err)
{
	char *sql;
	int rc;

	if (find_pooler(pg, err) < 0 || measure_line(pg, err) < 0)
		return -1;
	pg->read_only = o->read_only;
	sql = pg_settings_new(o, pg->pooled, has_no_encoding(pg));
	if (pg->pooled) {
		pg->settings = sql;
		return 0;
	}
	rc = pg_exec(pg, sql, err);
	free(sql);
	return rc;
}

int
pg_open(struct pg **ret, const struct pg_options *options, struct err *err)
{
	struct pg *pg = xcalloc(1, sizeof(*pg));

	pg->line = -1;
	if (reach(pg, options, err) < 0)
		goto fail;
	pg_enlist(pg);
	if (PQserverVersion(pg->conn) < 140000) {
		err_set(err, ERR_DB, "the server is older than PostgreSQL 14");
		goto fail;
	}
	if (set_session(pg, options, err) < 0)
		goto fail;
	pg->cancel = PQgetCancel(pg->conn);
	*ret = pg;
	return 0;
fail:
	pg_close(pg);
	return -1;
}

/* A pooler gives up a session whose client left amid a transaction. */
static void
leave_pooler(struct pg *pg)
{
	PGTransactionStatusType s = PQtransactionStatus(pg->conn);

	if (s == PQTRANS_INTRANS || s == PQTRANS_INERROR)
		pg_rollback(pg);
}

void
pg_close(struct pg *pg)
{
	if (!pg)
		return;
	if (pg->pooled)
		leave_pooler(pg);
	if (pg->cancel)
		PQfreeCancel(pg->cancel);
	pg_unlist(pg);
	if (pg->conn)
		PQfinish(pg->conn);
	free(pg->settings);
	free(pg->kept);
	free(pg->coming);
	free(pg);
}
