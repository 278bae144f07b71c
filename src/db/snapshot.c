#include "snapshot.h"
#include <stdio.h>

int
snapshot_take(char id[SNAPSHOT_ID], struct pg *pg, struct err *err)
{
	struct pg_result *r;

	if (pg_begin(pg, PG_SNAPSHOT, NULL, err) < 0 ||
		pg_exec(pg, "SET LOCAL idle_in_transaction_session_timeout = 0",
			err) < 0 ||
		pg_query(&r, pg, "SELECT pg_catalog.pg_export_snapshot()", NULL,
			err) < 0)
		return -1;
	snprintf(id, SNAPSHOT_ID, "%s", pg_text(r, 0, 0));
	pg_free(r);
	return pg_exec(pg, SNAPSHOT_MARK, err);
}

/* pg_class is as the snapshot has it; the functions know better. The look
 * locked what it found by name: until that lock is let go, it keeps both its
 * file and its name. */
int
snapshot_shows(
	bool *ret, struct pg *pg, const struct leaf *leaf, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, leaf->oid);
	pg_arg_text(&args, leaf->sql_name);
	if (pg_query(&r, pg,
		    "SELECT c.relfilenode = pg_catalog.pg_relation_filenode("
		    "c.oid) AND c.oid = pg_catalog.to_regclass($2)::oid"
		    " FROM pg_catalog.pg_class AS c WHERE c.oid = $1::oid",
		    &args, err) < 0)
		return -1;
	*ret = pg_rows(r) > 0 && !pg_is_null(r, 0, 0) && pg_bool(r, 0, 0);
	pg_free(r);
	return pg_exec(pg, "ROLLBACK TO look", err);
}

int
snapshot_share(struct pg *pg, const char *id, struct err *err)
{
	return pg_begin(pg, PG_SNAPSHOT, id, err) < 0
		       ? -1
		       : pg_exec(pg, SNAPSHOT_MARK, err);
}
