#include "command.h"
#include "job_int.h"
#include "keys_int.h"
#include "output_int.h"
#include "report.h"

/* A report that is quiet has warnings and refusals alone. */
static bool
is_worth_saying(const struct check_outcome *outcome)
{
	return outcome->count[REMARK_WARNING] > 0 ||
	       outcome->count[REMARK_REFUSAL] > 0;
}

static void
print_report(const struct check_outcome *outcome, const struct check_options *o,
	enum output_kind output, int status)
{
	struct buf text;

	buf_init(&text, SIZE_MAX);
	if (output == OUTPUT_JSON)
		report_check_json(&text, outcome, o, status);
	else if (!o->rotate.job.quiet || is_worth_saying(outcome))
		report_check_text(&text, outcome, o, status);
	output_write(&text);
	buf_done(&text);
}

static int
run(const struct config *config, const struct keyring *none, struct err *err)
{
	struct check_outcome outcome;
	struct check_options o = {.file = config->file};
	struct keyring *ring = NULL;
	int status;

	(void)none; /* what is odd about the keys stands in the report */
	if (keys_load(&ring, config, true, err) < 0)
		return -1;
	rotate_options_make(&o.rotate, config, ring);
	o.rotate.job.connection.read_only = true;
	status = check_run(&outcome, &o, err);
	if (status >= 0)
		print_report(&outcome, &o, config->output, status);
	check_outcome_done(&outcome, &o.rotate.job);
	job_done(&o.rotate.job);
	keyring_free(ring);
	return status;
}

const struct command cmd_check = {
	.name = "check",
	.needs = NEED_CONFIG | NEED_KEY_DIR | NEED_TABLES,
	.summary = "look for what would stop or disturb rotate",
	.details = "Looks at the configuration, the keys, the server and the "
		   "tables, and changes nothing. Each line is ok, a note, a "
		   "warning or a refusal; what is missing, such as a GRANT, "
		   "comes with its refusal. Exit status 1 means that rotate "
		   "would not start.",
	.run = run,
};
