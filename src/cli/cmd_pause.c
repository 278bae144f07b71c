/*
 * pause and resume: two positions of one switch.
 */
#include "command.h"
#include "job_int.h"
#include "output_int.h"
#include "status.h"
#include "text.h"

struct saying {
	bool pause;
	bool quiet;
};

static void
say(void *ctx, const struct run_pause *p)
{
	const struct saying *s = ctx;
	struct buf text;

	if (s->quiet)
		return;
	buf_init(&text, 1024);
	buf_addf(&text, "run %lld ", (long long)p->run);
	if (!s->pause)
		buf_adds(&text, p->changed ? "goes on" : "was not paused");
	else
		buf_adds(&text, p->changed ? "is " : "was already ");
	text_name(&text, s->pause ? p->why : "");
	buf_addc(&text, '\n');
	output_write(&text);
	buf_done(&text);
}

static int
throw_switch(const struct config *config, bool pause, struct err *err)
{
	struct saying s = {pause, config->quiet};
	struct job job;
	int64_t id;
	int rc;

	if (job_run_number(&id, config, err) < 0)
		return -1;
	job_make(&job, config, NULL);
	job.connection.synchronous_commit = true;
	rc = status_switch_pause(&job, id, pause, say, &s, err);
	job_done(&job);
	return rc < 0 ? -1 : ERR_NONE;
}

static int
run_pause(const struct config *config, const struct keyring *ring,
	struct err *err)
{
	(void)ring;
	return throw_switch(config, true, err);
}

static int
run_resume(const struct config *config, const struct keyring *ring,
	struct err *err)
{
	(void)ring;
	return throw_switch(config, false, err);
}

const struct command cmd_pause = {
	.name = "pause",
	.argument = "[RUN]",
	.needs = NEED_CONFIG,
	.summary = "let all workers of a run wait",
	.details = "Pauses the run with this number, else all that are open. "
		   "The workers of all hosts finish their batch, hand their "
		   "chunk back and wait, with no transaction open, until "
		   "`pgrekey resume`. A proof that is under way is finished. "
		   "A rotate that is started meanwhile waits, too.",
	.run = run_pause,
};

const struct command cmd_resume = {
	.name = "resume",
	.argument = "[RUN]",
	.needs = NEED_CONFIG,
	.summary = "let a paused run go on",
	.details = "Ends the pause of the run with this number, else of all "
		   "that are open. Their workers go on within a second.",
	.run = run_resume,
};
