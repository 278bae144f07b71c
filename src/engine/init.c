#include "rotate.h"
#include <stdlib.h>

static int
add_grants(struct buf *ret, struct pg *pg, const struct rotate_options *o,
	const char *schema, struct err *err)
{
	struct catalog catalog = {0};
	struct pg_result *r;

	if (catalog_load(&catalog, pg, o->job.target, o->job.targets,
		    CATALOG_LOOK, err) < 0)
		return -1;
	if (pg_query(&r, pg, "SELECT current_user", NULL, err) < 0) {
		catalog_done(&catalog);
		return -1;
	}
	state_grants(ret, schema, pg_text(r, 0, 0));
	catalog_grants(ret, &catalog, pg_text(r, 0, 0));
	pg_free(r);
	catalog_done(&catalog);
	return 0;
}

int
rotate_init_sql(
	struct buf *ret, const struct rotate_options *o, struct err *err)
{
	char *schema = job_quoted_schema(&o->job);
	struct pg *pg = NULL;
	bool exists;
	int rc = -1;

	if (pg_open(&pg, &o->job.connection, err) < 0 ||
		state_exists(&exists, pg, o->job.state_schema, err) < 0)
		goto out;
	buf_adds(ret, "BEGIN;\n");
	if (!exists) /* tables may come later, and want their GRANTs */
		state_ddl(ret, schema);
	rc = add_grants(ret, pg, o, schema, err);
	buf_adds(ret, "COMMIT;\n");
out:
	pg_close(pg);
	free(schema);
	return rc;
}

int
rotate_init(const struct rotate_options *o, struct err *err)
{
	char *schema = job_quoted_schema(&o->job);
	struct state s = {.schema = schema};
	int rc;

	rc = pg_open(&s.pg, &o->job.connection, err);
	if (rc == 0)
		rc = state_prepare(&s, err);
	pg_close(s.pg);
	free(schema);
	return rc;
}
