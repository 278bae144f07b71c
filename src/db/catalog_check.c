/*
 * What cannot be rotated, and what the role is not allowed to.
 */
#include "catalog_int.h"
#include "quote.h"
#include <stdio.h>

static const char ctid_sql[] =
	"SELECT pg_catalog.has_column_privilege($1::oid, 'ctid', 'SELECT')";

/* -- the server ------------------------------------------------------------ */

/* The session may have been made read-only for the occasion: what counts is
 * what the role and the database are set to. */
static const char server_sql[] =
	"SELECT pg_catalog.pg_is_in_recovery(),"
	" pg_catalog.current_setting('block_size'), current_user,"
	" (SELECT reset_val FROM pg_catalog.pg_settings"
	"  WHERE name = 'default_transaction_read_only') = 'on'";

static int
refuse_server(const struct loader *load, const struct err *err)
{
	struct remark about = {.topic = TOPIC_ACCESS};

	return remark_refuse(load->to, &about, err);
}

int
catalog_refuse_read_only(struct err *err)
{
	err_set(err, ERR_DB, "the database is read-only");
	return err_hint(err, "default_transaction_read_only is set for the "
			     "role or the database");
}

static int
check_writable(const struct loader *load, bool standby, bool read_only,
	struct err *err)
{
	if (standby) {
		err_set(err, ERR_DB,
			"the server is a standby and cannot be written to");
		err_hint(err, "connect to the primary, for example with "
			      "target_session_attrs = read-write");
		return refuse_server(load, err);
	}
	if (read_only) {
		catalog_refuse_read_only(err);
		return refuse_server(load, err);
	}
	return 0;
}

int
catalog_check_server(bool *standby, struct loader *load, struct err *err)
{
	bool read_only, odd_blocks;
	struct pg_result *r;

	if (pg_query(&r, load->pg, server_sql, NULL, err) < 0)
		return -1;
	load->role = xstrdup(pg_text(r, 0, 2));
	*standby = pg_bool(r, 0, 0);
	odd_blocks = pg_int(r, 0, 1) != BLOCK_BYTES;
	read_only = pg_bool(r, 0, 3);
	pg_free(r);
	if (load->to)
		remark_ok(load->to, TOPIC_ACCESS, 0);
	if (load->privileges && load->writing &&
		check_writable(load, *standby, read_only, err) < 0)
		return -1;
	if (!odd_blocks)
		return 0;
	err_set(err, ERR_DB, "the server's block size is not %d bytes",
		BLOCK_BYTES);
	return refuse_server(load, err);
}

/* -- what cannot be rotated ------------------------------------------------ */

int
catalog_refuse(const struct loader *load, const struct remark *about,
	const char *why, struct err *err)
{
	if (about->column)
		err_set(err, ERR_USAGE, "column %s of %s %s", about->column,
			about->table, why);
	else
		err_set(err, ERR_USAGE, "table %s %s", about->table, why);
	return remark_refuse(load->to, about, err);
}

static const char *
kind_problem(const struct pg_result *r, int i)
{
	char kind = pg_text(r, i, L_KIND)[0];

	if (kind == 'v' || kind == 'm')
		return "is a view: name the table behind it";
	if (kind == 'f')
		return "is a foreign table: rotate it where its rows live";
	if (kind != 'r' && kind != 'p')
		return "is not a table";
	if (pg_text(r, i, L_PERSISTENCE)[0] == 't')
		return "is temporary";
	if (kind == 'r' && strcmp(pg_text(r, i, L_METHOD), "heap") != 0)
		return "does not use the heap access method";
	return NULL;
}

int
catalog_check_kind(bool *usable, const struct pg_result *r, int i,
	const struct loader *load, struct err *err)
{
	struct remark about = {
		.topic = TOPIC_RELATION,
		.target = load->target,
		.table = pg_text(r, i, L_NAME),
	};
	const char *why = kind_problem(r, i);

	*usable = !why;
	return why ? catalog_refuse(load, &about, why, err) : 0;
}

static int
check_rule(const struct pg_result *r, int i, const struct loader *load,
	struct err *err)
{
	struct remark about = {
		.topic = TOPIC_RULES,
		.target = load->target,
		.table = pg_text(r, i, L_NAME),
	};

	if (!load->writing || pg_is_null(r, i, L_RULE))
		return 0;
	err_set(err, ERR_USAGE,
		"table %s has an UPDATE rule: rules and RETURNING do not mix",
		about.table);
	err_hint(err, "drop or disable rule %s while you rotate",
		pg_text(r, i, L_RULE));
	return remark_refuse(load->to, &about, err);
}

static int
check_row_security(
	const struct pg_result *r, int i, struct loader *load, struct err *err)
{
	struct remark about = {
		.topic = TOPIC_ROW_SECURITY,
		.target = load->target,
		.table = pg_text(r, i, L_NAME),
	};
	struct buf sql;

	if (!load->privileges || !pg_bool(r, i, L_ROW_SECURITY))
		return 0;
	load->unreadable = true;
	err_set(err, ERR_DB, "row-level security hides rows of %s",
		about.table);
	buf_init(&sql, sizeof(err->hint) - 1);
	catalog_bypass(&sql, load->role);
	err_hint(err, "%s, or connect as its owner", buf_str(&sql));
	buf_done(&sql);
	return remark_refuse(load->to, &about, err);
}

static int
check_usage(
	const struct pg_result *r, int i, struct loader *load, struct err *err)
{
	struct remark about = {
		.topic = TOPIC_PRIVILEGES,
		.target = load->target,
		.table = pg_text(r, i, L_NAME),
	};
	struct buf sql;

	if (!load->privileges || pg_bool(r, i, L_USAGE))
		return 0;
	load->unreadable = true;
	err_set(err, ERR_DB, "no privilege to use schema %s",
		pg_text(r, i, L_SCHEMA));
	buf_init(&sql, sizeof(err->hint) - 1);
	buf_adds(&sql, "GRANT USAGE ON SCHEMA ");
	quote_ident(&sql, pg_text(r, i, L_SCHEMA));
	buf_adds(&sql, " TO ");
	quote_ident(&sql, load->role);
	err_hint(err, "%s", buf_str(&sql));
	buf_done(&sql);
	return remark_refuse(load->to, &about, err);
}

int
catalog_check_relation(
	const struct pg_result *r, int i, struct loader *load, struct err *err)
{
	if (check_rule(r, i, load, err) < 0 ||
		check_row_security(r, i, load, err) < 0)
		return -1;
	return check_usage(r, i, load, err);
}

int
catalog_check_column(const struct pg_result *r, const char *table,
	const char *name, const struct loader *load, struct err *err)
{
	static const struct {
		enum column_field field;
		const char *why;
	} table_of[] = {
		{C_GENERATED, "is generated"},
		{C_PARTITION_KEY, "is part of the partition key"},
		{C_PRIMARY, "is part of the primary key"},
		{C_FOREIGN_KEY, "is part of a foreign key"},
	};
	struct remark about = {
		.topic = TOPIC_COLUMNS,
		.target = load->target,
		.table = table,
		.column = name,
	};

	for (size_t i = 0; i < sizeof(table_of) / sizeof(table_of[0]); i++) {
		if (load->writing && pg_bool(r, 0, (int)table_of[i].field) &&
			catalog_refuse(load, &about, table_of[i].why, err) < 0)
			return -1;
	}
	return 0;
}

/* -- privileges ------------------------------------------------------------ */

int
catalog_missing(struct loader *load, const char *what, const char *column,
	const struct leaf *leaf, struct err *err)
{
	struct remark about = {
		.topic = TOPIC_PRIVILEGES,
		.target = load->target,
		.table = leaf->name,
		.column = column,
	};
	bool reading = !strcmp(what, "SELECT");
	struct buf sql;

	if (!load->privileges)
		return 0;
	load->unreadable |= reading;
	buf_init(&sql, sizeof(err->hint) - 1);
	buf_addf(&sql, "GRANT %s (", what);
	if (strcmp(column, "ctid") != 0)
		quote_ident(&sql, column);
	else
		buf_adds(&sql, column);
	buf_addf(&sql, ") ON %s TO ", leaf->sql_name);
	quote_ident(&sql, load->role);
	err_set(err, ERR_DB, "no privilege to %s column %s of %s",
		reading ? "read" : "update", column, leaf->name);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "42501");
	err_hint(err, "%s%s", buf_str(&sql),
		load->to ? "" /* all that is missing is listed */
			 : "; `pgrekey init --print` prints all it needs");
	buf_done(&sql);
	return remark_refuse(load->to, &about, err);
}

int
catalog_check_privileges(struct loader *load, const struct leaf *leaf,
	const char *column, const struct pg_result *r, struct err *err)
{
	if (!pg_bool(r, 0, C_SELECT) &&
		catalog_missing(load, "SELECT", column, leaf, err) < 0)
		return -1;
	if (load->writing && !pg_bool(r, 0, C_UPDATE))
		return catalog_missing(load, "UPDATE", column, leaf, err);
	return 0;
}

int
catalog_check_ctid(
	struct loader *load, const struct leaf *leaf, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	bool may;

	pg_arg_int(&args, leaf->oid);
	if (pg_query(&r, load->pg, ctid_sql, &args, err) < 0)
		return -1;
	may = pg_bool(r, 0, 0);
	pg_free(r);
	return may ? 0 : catalog_missing(load, "SELECT", "ctid", leaf, err);
}

void
catalog_fine(const struct loader *load)
{
	static const enum remark_topic looked_at[] = {TOPIC_RELATION,
		TOPIC_COLUMNS, TOPIC_PRIVILEGES, TOPIC_ROW_SECURITY,
		TOPIC_RULES};

	for (size_t i = 0;
		load->to && i < sizeof(looked_at) / sizeof(looked_at[0]); i++)
		remark_ok(load->to, looked_at[i], load->target);
}
