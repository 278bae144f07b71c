#include "command.h"
#include "job_int.h"
#include "log.h"
#include "output_int.h"
#include "report.h"
#include <stdio.h>

#define REPORT_MAX ((size_t)1 << 30)

/* Somebody else has to make the state schema: here is what to run. */
static void
print_schema_help(const struct rotate_options *o)
{
	struct err ignored;
	struct buf sql;

	buf_init(&sql, (size_t)1 << 20);
	if (rotate_init_sql(&sql, o, &ignored) == 0)
		fputs(buf_str(&sql), stderr);
	buf_done(&sql);
}

static void
print_report(const struct outcome *outcome, const struct rotate_options *o,
	enum output_kind output, int status)
{
	struct buf text;

	buf_init(&text, REPORT_MAX);
	if (output == OUTPUT_JSON)
		report_rotate_json(&text, outcome, o, status);
	else if (!o->job.quiet || status != ERR_NONE)
		report_rotate_text(&text, outcome, o, status);
	output_write(&text);
	buf_done(&text);
}

static int
run(const struct config *config, const struct keyring *ring, struct err *err)
{
	struct outcome outcome;
	struct rotate_options o;
	int status;

	rotate_options_make(&o, config, ring);
	status = rotate_run(&outcome, &o, err);
	if (config_file_changed(config))
		log_warning("'%s' was changed meanwhile; this run went by what "
			    "it said before",
			config->file);
	if (status >= 0)
		print_report(&outcome, &o, config->output, status);
	else if (outcome.schema_denied && !config->quiet)
		print_schema_help(&o);
	outcome_done(&outcome, &o.job);
	job_done(&o.job);
	return status;
}

const struct command cmd_rotate = {
	.name = "rotate",
	.needs = NEED_CONFIG | NEED_KEYS | NEED_PRIMARY | NEED_TABLES,
	.summary = "re-encrypt every value with the primary key",
	.details = "Opens each value of the configured columns with any known "
		   "key, seals it with the primary and writes it back in "
		   "checkpointed batches, then proves in one snapshot that "
		   "nothing is left. Stop it at any time; the same command "
		   "continues. Exit status 0 means complete and clean.",
	.run = run,
};
