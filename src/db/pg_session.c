/*
 * The settings of a session, or of each transaction behind a pooler.
 */
#include "buf.h"
#include "pg_int.h"
#include <stdio.h>

struct setting {
	const char *name, *value;
};

/* Everything a database or role may have set otherwise and that matters here.
 * No planner settings, since they would govern queries inside triggers too;
 * but without TID scans each window would cost a look at the whole table. */
static const struct setting always[] = {
	{"jit", "off"},
	{"max_parallel_workers_per_gather", "0"},
	{"row_security", "off"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_deferrable", "off"},
	{"idle_in_transaction_session_timeout", "60s"},
	{"idle_session_timeout", "0"}, /* paused and in reserve */
	{"statement_timeout", "0"},
	{"client_min_messages", "warning"},
	{"standard_conforming_strings", "on"},
	{"bytea_output", "hex"},
	{"DateStyle", "ISO, YMD"},
	{"TimeZone", "UTC"},
	{"synchronize_seqscans", "off"},
	{"enable_tidscan", "on"},
};

/* A database that somebody made read-only stays so. */
static const struct setting reading = {"default_transaction_read_only", "on"};
/* Nobody can say what characters the bytes of SQL_ASCII are. As UTF-8 the
 * server would refuse to send the first value that is none. */
static const struct setting as_stored = {"client_encoding", "SQL_ASCII"};
static const struct setting hasty = {"synchronous_commit", "off"};

/* A backend of glibc gives the top of its heap back to the system after each
 * statement, and takes it again page by page for the next one: with large
 * values a quarter of its time. Once it has freed so much in one piece, it
 * keeps twice as much (mallopt(3), M_MMAP_THRESHOLD). */
static const char keeps_memory[] =
	", pg_catalog.octet_length(pg_catalog.repeat("
	"pg_catalog.repeat(' ', 1024), 4096))";

static void
add_setting(struct buf *sql, const struct setting *s, bool local)
{
	buf_addf(sql, "%spg_catalog.set_config('%s', '%s', %s)",
		sql->len ? ", " : "SELECT ", s->name, s->value,
		local ? "true" : "false");
}

char *
pg_settings_new(const struct pg_options *o, bool local, bool verbatim)
{
	char ms[24];
	const struct setting lock_timeout = {"lock_timeout", ms};
	struct buf sql;
	char *ret;

	buf_init(&sql, (size_t)1 << 14);
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		add_setting(&sql, &always[i], local);
	snprintf(ms, sizeof(ms), "%lld", (long long)o->lock_timeout_ms);
	add_setting(&sql, &lock_timeout, local);
	if (o->read_only)
		add_setting(&sql, &reading, local);
	else if (!o->synchronous_commit)
		add_setting(&sql, &hasty, local);
	if (verbatim)
		add_setting(&sql, &as_stored, local);
	if (!local)
		buf_adds(&sql, keeps_memory);
	ret = xstrdup(buf_str(&sql));
	buf_done(&sql);
	return ret;
}

/* -- transactions ---------------------------------------------------------- */

void
pg_add_begin(struct buf *sql, const struct pg *pg, enum pg_mode mode,
	const char *snapshot)
{
	const char *settings = pg_settings(pg);

	buf_addf(sql, "%s; ", pg_begin_sql(pg, mode));
	/* Before any query. An id is made of digits and hyphens. */
	if (snapshot && snapshot[0])
		buf_addf(sql, "SET TRANSACTION SNAPSHOT '%s'; ", snapshot);
	if (settings)
		buf_addf(sql, "%s; ", settings);
}

int
pg_begin(
	struct pg *pg, enum pg_mode mode, const char *snapshot, struct err *err)
{
	struct buf sql;
	int rc;

	buf_init(&sql, (size_t)1 << 14);
	pg_add_begin(&sql, pg, mode, snapshot);
	rc = pg_exec(pg, buf_str(&sql), err);
	buf_done(&sql);
	return rc;
}
