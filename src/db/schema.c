#include "quote.h"
#include "state_int.h"
#include <stdio.h>

/* Times are the database's own. positions are block numbers. */
static const char ddl[] =
	"CREATE SCHEMA IF NOT EXISTS @;\n"
	"CREATE TABLE @.version (version int NOT NULL);\n"
	"INSERT INTO @.version VALUES (1);\n"
	"CREATE TABLE @.run (\n"
	"  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
	"  target text NOT NULL,\n"
	"  state text NOT NULL DEFAULT 'open' CHECK (state IN\n"
	"    ('open', 'complete', 'findings', 'superseded')),\n"
	"  primary_id text NOT NULL,\n"
	"  primary_fingerprint text NOT NULL,\n"
	"  method text NOT NULL,\n"
	"  keys jsonb NOT NULL, -- key id: fingerprint\n"
	"  db_role text NOT NULL DEFAULT current_user,\n"
	"  os_user text NOT NULL,\n"
	"  host text NOT NULL,\n"
	"  program text NOT NULL, -- pgrekey version\n"
	"  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),\n"
	"  finished_at timestamptz,\n"
	"  exit_status int,\n"
	"  paused_at timestamptz, -- workers wait until it is NULL\n"
	"  paused_by text,\n"
	"  prover bigint -- the worker that proves the end\n"
	");\n"
	"CREATE UNIQUE INDEX run_open ON @.run (target) WHERE state = 'open';\n"
	"CREATE TABLE @.worker (\n"
	"  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
	"  run_id bigint NOT NULL REFERENCES @.run ON DELETE CASCADE,\n"
	"  db_role text NOT NULL DEFAULT current_user,\n"
	"  os_user text NOT NULL,\n"
	"  host text NOT NULL,\n"
	"  os_pid bigint NOT NULL,\n"
	"  backend_pid int, -- NULL behind a pooler\n"
	"  backend_start timestamptz,\n"
	"  alive_until timestamptz, -- behind a pooler\n"
	"  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),\n"
	"  waiting text, -- why its process does not write, or NULL\n"
	"  -- when it last claimed or waited: leases tell of its batches\n"
	"  seen_at timestamptz NOT NULL DEFAULT clock_timestamp()\n"
	");\n"
	"CREATE INDEX worker_run ON @.worker (run_id);\n"
	"CREATE TABLE @.leaf (\n"
	"  run_id bigint NOT NULL REFERENCES @.run ON DELETE CASCADE,\n"
	"  leaf bigint NOT NULL, -- oid\n"
	"  name text NOT NULL,\n"
	"  label text NOT NULL,\n"
	"  columns text[] NOT NULL,\n"
	"  state text NOT NULL DEFAULT 'dirty' CHECK (state IN\n"
	"    ('dirty', 'walking', 'settled', 'exhausted', 'gone')),\n"
	"  pass int NOT NULL DEFAULT 0,\n"
	"  passes_wrote int NOT NULL DEFAULT 0,\n"
	"  fruitless int NOT NULL DEFAULT 0, -- passes in a row\n"
	"  blocks bigint NOT NULL DEFAULT 0,\n"
	"  filenode bigint,\n"
	"  not_before timestamptz,\n"
	"  stuck_since timestamptz,\n"
	"  pass_rewritten bigint NOT NULL DEFAULT 0, -- by the last pass\n"
	"  pass_refused bigint NOT NULL DEFAULT 0,\n"
	"  -- values, per column\n"
	"  rewritten bigint[] NOT NULL,\n"
	"  nested bigint[] NOT NULL,\n"
	"  mislabelled bigint[] NOT NULL,\n"
	"  late bigint[] NOT NULL,\n"
	"  moved bigint[] NOT NULL,\n"
	"  conflict bigint[] NOT NULL,\n"
	"  deferred bigint[] NOT NULL,\n"
	"  PRIMARY KEY (run_id, leaf)\n"
	");\n"
	"CREATE TABLE @.chunk (\n"
	"  run_id bigint NOT NULL REFERENCES @.run ON DELETE CASCADE,\n"
	"  leaf bigint NOT NULL,\n"
	"  no bigint NOT NULL,\n"
	"  lo bigint NOT NULL,\n"
	"  hi bigint NOT NULL,\n"
	"  pos bigint NOT NULL,\n"
	"  state text NOT NULL DEFAULT 'todo' CHECK (state IN\n"
	"    ('todo', 'running', 'done')),\n"
	"  epoch bigint NOT NULL DEFAULT 0,\n"
	"  worker_id bigint,\n"
	"  lease_until timestamptz,\n"
	"  rewritten bigint[] NOT NULL,\n"
	"  nested bigint[] NOT NULL,\n"
	"  mislabelled bigint[] NOT NULL,\n"
	"  late bigint[] NOT NULL,\n"
	"  moved bigint[] NOT NULL,\n"
	"  conflict bigint[] NOT NULL,\n"
	"  deferred bigint[] NOT NULL,\n"
	"  rows_left bigint NOT NULL DEFAULT 0,\n"
	"  rows_locked bigint NOT NULL DEFAULT 0,\n"
	"  rows_refused bigint NOT NULL DEFAULT 0,\n"
	"  PRIMARY KEY (run_id, leaf, no)\n"
	") WITH (fillfactor = 50);\n"
	"-- claims look for those that are left, however many are done\n"
	"CREATE INDEX chunk_left ON @.chunk (run_id, leaf, no)\n"
	"  WHERE state <> 'done';\n"
	"CREATE TABLE @.finding (\n"
	"  run_id bigint NOT NULL REFERENCES @.run ON DELETE CASCADE,\n"
	"  leaf bigint NOT NULL,\n"
	"  column_name text NOT NULL,\n"
	"  row_id text NOT NULL, -- JSON: primary key, else ctid\n"
	"  table_name text NOT NULL,\n"
	"  verdict text NOT NULL,\n"
	"  reason text NOT NULL,\n"
	"  by_pass boolean NOT NULL, -- by a worker, not by the proof\n"
	"  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),\n"
	"  PRIMARY KEY (run_id, leaf, column_name, row_id)\n"
	");\n"
	"CREATE TABLE @.number (\n"
	"  run_id bigint NOT NULL REFERENCES @.run ON DELETE CASCADE,\n"
	"  leaf bigint NOT NULL,\n"
	"  column_name text NOT NULL,\n"
	"  kind text NOT NULL, -- verdict, key, counter ...\n"
	"  name text NOT NULL,\n"
	"  value bigint NOT NULL,\n"
	"  PRIMARY KEY (run_id, leaf, column_name, kind, name)\n"
	");\n";

static const char grants[] =
	"GRANT USAGE ON SCHEMA @ TO %;\n"
	"GRANT SELECT ON @.version TO %;\n"
	"GRANT SELECT, INSERT, UPDATE, DELETE ON @.run, @.worker, @.leaf,\n"
	"  @.chunk, @.finding, @.number TO %;\n"
	"-- A role that only looks on, with pgrekey status, needs these:\n"
	"-- GRANT USAGE ON SCHEMA @ TO another_role;\n"
	"-- GRANT SELECT ON ALL TABLES IN SCHEMA @ TO another_role;\n";

/* @ is the schema, % the role. */
static void
expand(struct buf *ret, const char *text, const char *schema, const char *role)
{
	for (; *text; text++) {
		if (*text == '@')
			buf_adds(ret, schema);
		else if (*text == '%')
			quote_ident(ret, role);
		else
			buf_addc(ret, *text);
	}
}

void
state_ddl(struct buf *sql, const char *schema)
{
	expand(sql, ddl, schema, "");
}

bool
state_has_table(const char *name)
{
	static const char *const ours[] = {"version", "run", "worker", "leaf",
		"chunk", "finding", "number"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (!strcmp(name, ours[i]))
			return true;
	}
	return false;
}

int
state_exists(bool *ret, struct pg *pg, const char *name, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_text(&args, name);
	if (pg_query(&r, pg,
		    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c"
		    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		    " WHERE n.nspname = $1 AND c.relname = 'version')",
		    &args, err) < 0)
		return -1;
	*ret = pg_bool(r, 0, 0);
	pg_free(r);
	return 0;
}

void
state_grants(struct buf *sql, const char *schema, const char *role)
{
	expand(sql, grants, schema, role);
}

void
state_text(struct buf *ret, const char *schema, const char *sql)
{
	expand(ret, sql, schema, "");
}

int
state_query(struct pg_result **ret, struct state *s, const char *sql,
	const struct pg_args *args, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, (size_t)1 << 16);
	state_text(&text, s->schema, sql);
	rc = pg_query(ret, s->pg, buf_str(&text), args, err);
	buf_done(&text);
	return rc;
}

int
state_exec(struct state *s, const char *sql, const struct pg_args *args,
	struct err *err)
{
	return state_query(NULL, s, sql, args, err);
}

int
state_query_int(int64_t *ret, struct state *s, const char *sql,
	const struct pg_args *args, struct err *err)
{
	struct pg_result *r;

	if (state_query(&r, s, sql, args, err) < 0)
		return -1;
	*ret = pg_rows(r) ? pg_int(r, 0, 0) : 0;
	pg_free(r);
	return 0;
}

void
state_arg_selection(
	struct pg_args *args, struct buf *array, const struct selection *sel)
{
	buf_init(array, (size_t)1 << 24);
	buf_add_be32(array, sel->count ? 1 : 0);
	buf_add_be32(array, 0);
	buf_add_be32(array, PG_INT8);
	if (sel->count) {
		buf_add_be32(array, (uint32_t)sel->count);
		buf_add_be32(array, 1);
	}
	for (size_t i = 0; i < sel->count; i++) {
		buf_add_be32(array, 8);
		buf_add_be32(array, 0);
		buf_add_be32(array, sel->oid[i]);
	}
	pg_arg_binary(args, PG_INT8_ARRAY, buf_slice(array));
}

/* -- making sure that it is there ------------------------------------------ */

void
state_refuse_missing(
	const struct state *s, const char *sqlstate, struct err *err)
{
	err_set(err, ERR_DB,
		"the state schema %s is not there and cannot be created: "
		"SQLSTATE %s",
		s->schema, sqlstate);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
	err_hint(err, "let an administrator run the SQL that `pgrekey "
		      "init --print` prints");
}

static int
create(struct state *s, struct err *err)
{
	struct err why = {0};
	struct buf sql;
	int rc;

	buf_init(&sql, (size_t)1 << 16);
	/* Two starts at once: the second one waits and finds it there. */
	pg_add_begin(&sql, s->pg, PG_WRITE, NULL);
	buf_adds(&sql, "SELECT pg_catalog.pg_advisory_xact_lock("
		       "pg_catalog.hashtext('pgrekey init'));\n");
	state_ddl(&sql, s->schema);
	buf_adds(&sql, "COMMIT");
	rc = pg_exec(s->pg, buf_str(&sql), &why);
	buf_done(&sql);
	if (rc == 0)
		return 0;
	if (!strcmp(why.sqlstate, "25006"))
		return catalog_refuse_read_only(err);
	state_refuse_missing(s, why.sqlstate, err);
	return -1;
}

static int
cannot_read(struct err *err)
{
	if (strcmp(err->sqlstate, "42501") != 0)
		return -1;
	return err_hint(err, "GRANT what `pgrekey init --print` prints");
}

static int
find_version(bool *found, int64_t *version, struct state *s, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	struct buf name;
	int rc;

	*found = false;
	buf_init(&name, 1024);
	state_text(&name, s->schema, "@.version");
	pg_arg_text(&args, buf_str(&name));
	rc = pg_query(&r, s->pg,
		"SELECT pg_catalog.to_regclass($1) IS NOT NULL", &args, err);
	buf_done(&name);
	if (rc < 0)
		return cannot_read(err);
	*found = pg_bool(r, 0, 0);
	pg_free(r);
	if (!*found)
		return 0;
	if (state_query_int(
		    version, s, "SELECT version FROM @.version", NULL, err) < 0)
		return cannot_read(err);
	return 0;
}

int
state_check_version(const struct state *s, int64_t version, struct err *err)
{
	if (version == STATE_VERSION)
		return 0;
	err_set(err, ERR_DB,
		"the state schema %s has version %lld, this program knows %d",
		s->schema, (long long)version, STATE_VERSION);
	return err_hint(err,
		version > STATE_VERSION
			? "use the newer pgrekey that made it"
			: "it seems to be somebody else's: set state_schema");
}

/* In one question, since another start may make it at this moment. */
int
state_check_room(struct state *s, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	bool taken;

	pg_arg_text(&args, s->schema);
	if (state_query(&r, s,
		    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE"
		    " c.relnamespace = pg_catalog.to_regnamespace($1)::oid) AND"
		    " pg_catalog.to_regclass($1 || '.version') IS NULL",
		    &args, err) < 0)
		return -1;
	taken = pg_bool(r, 0, 0);
	pg_free(r);
	if (!taken)
		return 0;
	err_set(err, ERR_USAGE,
		"the schema %s is somebody else's: it is not empty", s->schema);
	return err_hint(err, "set state_schema to one that does not exist, or "
			     "is empty");
}

int
state_find_schema(bool *found, struct state *s, struct err *err)
{
	int64_t version = 0;

	if (find_version(found, &version, s, err) < 0)
		return -1;
	return *found ? state_check_version(s, version, err) : 0;
}

int
state_prepare(struct state *s, struct err *err)
{
	struct err first = {0};
	int64_t version = 0;
	bool found;

	if (find_version(&found, &version, s, err) < 0)
		return -1;
	if (!found && state_check_room(s, err) < 0)
		return -1;
	if (!found && create(s, &first) < 0) {
		/* Perhaps another start was faster. */
		if (find_version(&found, &version, s, err) < 0)
			return -1;
		if (!found) {
			*err = first;
			return -1;
		}
	} else if (!found) {
		version = STATE_VERSION;
	}
	return state_check_version(s, version, err);
}
