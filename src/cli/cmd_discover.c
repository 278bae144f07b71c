#include "command.h"
#include "discover_int.h"
#include "job_int.h"
#include "output_int.h"
#include "report.h"

void
discover_options_make(struct discover_options *ret, const struct config *config,
	const struct job *job)
{
	*ret = (struct discover_options){
		.job = *job,
		.schemas = (const char *const *)config->schemas,
		.sample = (double)config->sample / 1000,
	};
	ret->job.connection.read_only = true;
	if (config->method == METHOD_FERNET)
		ret->current_key = config->primary;
}

static void
print_report(const struct discover_outcome *outcome,
	const struct discover_options *o, enum output_kind output, int status)
{
	struct buf text;

	buf_init(&text, SIZE_MAX);
	if (output == OUTPUT_JSON)
		report_discover_json(&text, outcome, o, status);
	else if (!o->job.quiet || status != ERR_NONE)
		discover_ini(&text, outcome, o, status);
	output_write(&text);
	buf_done(&text);
}

static int
run(const struct config *config, const struct keyring *ring, struct err *err)
{
	struct discover_outcome outcome;
	struct discover_options o;
	struct job job;
	int status;

	job_make(&job, config, ring);
	discover_options_make(&o, config, &job);
	status = discover_run(&outcome, &o, err);
	if (status >= 0)
		print_report(&outcome, &o, config->output, status);
	discover_done(&outcome);
	job_done(&job);
	return status;
}

const struct command cmd_discover = {
	.name = "discover",
	.needs = MAY_KEYS,
	.summary = "find encrypted columns that are not configured",
	.details = "Looks at every column of the database that could hold an "
		   "encrypted value (text, varchar, char, citext, json, "
		   "jsonb, bytea), changes nothing, and prints the sections "
		   "that the configuration lacks, ready to paste. Exit status "
		   "0 means that there are none, 1 that there are, or that a "
		   "table could not be read, 6 that a sample showed none. "
		   "Keys are not needed.",
	.run = run,
};
