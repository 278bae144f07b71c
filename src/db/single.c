/*
 * Looking at one row: what it is called, and whether somebody holds it.
 */
#include "quote.h"
#include "recognise.h"
#include "rows_int.h"
#include "utf8.h"
#include <stdlib.h>
#include <string.h>

static void
add_tid_literal(struct buf *sql, struct tid tid)
{
	buf_addf(sql, "'(%u,%u)'::tid", tid.block, tid.offset);
}

/* PostgreSQL escapes the control characters below 0x20 in JSON, a terminal
 * obeys DEL and 0x80 to 0x9f as well. */
static char *
escape_controls(const char *json)
{
	struct buf b;
	char *ret;

	buf_init(&b, (size_t)1 << 30);
	for (const unsigned char *p = (const unsigned char *)json; *p; p++) {
		if (*p == 0x7f)
			buf_adds(&b, "\\u007f");
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			buf_addf(&b, "\\u%04x", (unsigned)*++p);
		else
			buf_addc(&b, (char)*p);
	}
	ret = xstrdup(buf_str(&b));
	buf_done(&b);
	return ret;
}

static void
add_identity(struct buf *sql, const struct leaf *leaf, char *const *key)
{
	buf_adds(sql, "SELECT pg_catalog.json_build_object(");
	for (size_t i = 0; key[i]; i++) {
		buf_adds(sql, i ? ", " : "");
		quote_literal(sql, key[i]);
		buf_adds(sql, "::text, t.");
		quote_ident(sql, key[i]);
		buf_adds(sql, "::text");
	}
	if (!key[0])
		buf_adds(sql, "'ctid', t.ctid::text");
	buf_addc(sql, ')');
	for (size_t i = 0; key[i]; i++) {
		buf_adds(sql, ", t.");
		quote_ident(sql, key[i]);
		buf_adds(sql, "::text");
	}
	buf_addf(sql, " FROM ONLY %s AS t WHERE t.ctid = ", leaf->sql_name);
}

/* Findings are kept in an index, whose entries have a limit. */
#define IDENTITY_MAX 1024

/* In a report, which is UTF-8, other keys would all look alike. */
static bool
is_utf8(struct slice s)
{
	size_t n;

	for (; s.len > 0; s = slice_skip(s, n)) {
		n = utf8_char(s);
		if (n == 0)
			return false;
	}
	return true;
}

/* Is the identity one that may be printed and stored? */
static bool
is_fit(const struct pg_result *result, char *const *key, const char *identity)
{
	if (strlen(identity) > IDENTITY_MAX || !is_utf8(slice_str(identity)))
		return false;
	for (int i = 0; pg_rows(result) > 0 && key[i]; i++) {
		if (recognise_within(pg_slice(result, 0, i + 1)))
			return false;
	}
	return true;
}

static int
ask_identity(char **ret, struct rows *r, struct pg *pg, struct tid tid,
	char *const *key, struct err *err)
{
	struct pg_result *result;

	buf_reset(&r->sql);
	add_identity(&r->sql, r->leaf, key);
	add_tid_literal(&r->sql, tid);
	if (pg_query(&result, pg, buf_str(&r->sql), NULL, err) < 0)
		return -1;
	*ret = escape_controls(pg_rows(result) ? pg_text(result, 0, 0) : "");
	if (!is_fit(result, key, *ret)) {
		free(*ret);
		*ret = NULL;
	}
	pg_free(result);
	return 0;
}

int
rows_identity(char **ret, struct rows *r, struct pg *pg, struct tid tid,
	struct err *err)
{
	char *const none[] = {NULL};

	if (ask_identity(ret, r, pg, tid, r->leaf->key, err) < 0)
		return -1;
	return *ret ? 0 : ask_identity(ret, r, pg, tid, none, err);
}

static int
count_at(int *ret, struct rows *r, struct pg *pg, struct tid tid,
	const char *tail, struct err *err)
{
	struct pg_result *result;

	buf_reset(&r->sql);
	buf_addf(&r->sql, "SELECT 1 FROM ONLY %s AS t WHERE t.ctid = ",
		r->leaf->sql_name);
	add_tid_literal(&r->sql, tid);
	buf_adds(&r->sql, tail);
	if (pg_query(&result, pg, buf_str(&r->sql), NULL, err) < 0)
		return -1;
	*ret = pg_rows(result);
	pg_free(result);
	return 0;
}

int
rows_presence(enum row_presence *ret, struct rows *r, struct pg *pg,
	struct tid tid, struct err *err)
{
	int there, free;

	if (pg_begin(pg, PG_WRITE, NULL, err) < 0 ||
		count_at(&free, r, pg, tid,
			r->leaf->lock_for_update
				? " FOR UPDATE SKIP LOCKED"
				: " FOR NO KEY UPDATE SKIP LOCKED",
			err) < 0 ||
		count_at(&there, r, pg, tid, "", err) < 0)
		return -1;
	pg_rollback(pg);
	*ret = free ? ROW_FREE : there ? ROW_LOCKED : ROW_GONE;
	return 0;
}
