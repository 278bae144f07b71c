/*
 * Leaves that were dropped since somebody listed them.
 */
#include "catalog.h"

/* What a snapshot shows of the catalogs is older than what this function
 * sees. */
static const char gone_sql[] =
	"SELECT EXISTS (SELECT FROM pg_catalog.unnest($1::oid[]) AS o"
	" WHERE pg_catalog.pg_table_is_visible(o) IS NULL)";

int
catalog_gone(bool *ret, struct pg *pg, const uint32_t *oid, size_t count,
	struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	struct buf array;
	int rc;

	buf_init(&array, SIZE_MAX);
	for (size_t i = 0; i < count; i++)
		buf_addf(&array, "%c%lu", i ? ',' : '{', (unsigned long)oid[i]);
	buf_adds(&array, count ? "}" : "{}");
	pg_arg_text(&args, buf_str(&array));
	rc = pg_query(&r, pg, gone_sql, &args, err);
	buf_done(&array);
	if (rc < 0)
		return -1;
	*ret = pg_bool(r, 0, 0);
	pg_free(r);
	return 0;
}

bool
catalog_gone_is_why(
	struct pg *pg, const struct err *err, const uint32_t *oid, size_t count)
{
	struct err ignored;
	bool gone;

	if (err->code == ERR_BUG || !pg || pg_lost(pg))
		return false;
	pg_rollback(pg);
	return catalog_gone(&gone, pg, oid, count, &ignored) == 0 && gone;
}
