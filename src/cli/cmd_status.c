#include "command.h"
#include "job_int.h"
#include "output_int.h"
#include "report.h"
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CLEAR_SCREEN "\033[H\033[2J"

struct screen {
	const struct status_options *o;
	enum output_kind output;
	bool redraw;
	bool again; /* something was shown already */
};

static bool
can_redraw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term &&
	       strcmp(term, "dumb") != 0;
}

/* Its size now: a window may grow and shrink. */
static bool
is_sized(struct report_screen *ret)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return false;
	*ret = (struct report_screen){size.ws_row, size.ws_col};
	return size.ws_row > 0 && size.ws_col > 0;
}

static bool
show(void *ctx, const struct status_outcome *outcome)
{
	struct screen *s = ctx;
	struct report_screen size;
	struct buf text;

	buf_init(&text, SIZE_MAX);
	if (s->redraw)
		buf_adds(&text, CLEAR_SCREEN);
	else if (s->again && s->output == OUTPUT_TEXT)
		buf_addc(&text, '\n');
	if (s->output == OUTPUT_JSON)
		report_status_json(&text, outcome, s->o);
	else
		report_status_text(&text, outcome, s->o,
			s->redraw && is_sized(&size) ? &size : NULL);
	output_write(&text);
	buf_done(&text);
	s->again = true;
	return output_flush();
}

static int
run(const struct config *config, const struct keyring *ring, struct err *err)
{
	struct status_options o = {.all = config->runs, .watch = config->watch};
	struct screen s = {
		.o = &o,
		.output = config->output,
		.redraw = config->watch && config->output == OUTPUT_TEXT &&
			  can_redraw(),
	};
	int status;

	if (o.all && (o.watch || config->argument))
		return err_set(err, ERR_USAGE,
			"--runs goes with neither --watch nor a run");
	if (job_run_number(&o.run, config, err) < 0)
		return -1;
	job_make(&o.job, config, ring);
	o.job.connection.read_only = true;
	status = status_run(&o, show, &s, err);
	job_done(&o.job);
	return status;
}

const struct command cmd_status = {
	.name = "status",
	.argument = "[RUN]",
	.needs = NEED_CONFIG,
	.summary = "show how far runs are and who works on them",
	.details = "Shows the runs that are open, else the newest one, or the "
		   "one with this number: passes, percent of the tables' "
		   "blocks, rates, workers of all hosts with their last sign "
		   "of life, and why they wait. Needs neither keys nor more "
		   "than SELECT on the state schema.",
	.run = run,
};
