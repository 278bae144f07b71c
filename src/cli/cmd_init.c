#include "command.h"
#include "job_int.h"
#include "log.h"
#include "output_int.h"

static int
print_sql(const struct rotate_options *o, struct err *err)
{
	struct buf sql;
	int rc;

	buf_init(&sql, (size_t)1 << 24);
	rc = rotate_init_sql(&sql, o, err);
	if (rc == 0)
		output_write(&sql);
	buf_done(&sql);
	return rc;
}

static int
run(const struct config *config, const struct keyring *ring, struct err *err)
{
	struct rotate_options o;
	int rc;

	rotate_options_make(&o, config, ring);
	if (config->print)
		rc = print_sql(&o, err);
	else
		rc = rotate_init(&o, err);
	if (rc == 0 && !config->print)
		log_info("the state schema %s is there", o.job.state_schema);
	job_done(&o.job);
	return rc < 0 ? -1 : ERR_NONE;
}

const struct command cmd_init = {
	.name = "init",
	.needs = NEED_CONFIG,
	.summary = "create the state schema, or print the SQL for it",
	.details = "Creates the schema in which rotate keeps its progress. "
		   "With --print it changes nothing and prints the statements "
		   "instead, with the GRANTs that the connecting role needs, "
		   "for an administrator to run.",
	.run = run,
};
