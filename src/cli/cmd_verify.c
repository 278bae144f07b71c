#include "command.h"
#include "discover_int.h"
#include "job_int.h"
#include "output_int.h"
#include "report.h"
#include "value_int.h"
#include <stdlib.h>

/* A condition hides rows, --only hides tables, and a key that they need is not
 * unused. */
static int
check_sees_all(const struct job *job, struct err *err)
{
	if (job_is_partial(job)) {
		err_set(err, ERR_USAGE, "--retire needs all tables");
		return err_hint(err, "leave out --only");
	}
	for (size_t i = 0; i < job->targets; i++) {
		const struct target *t = &job->target[i];

		if (!t->where)
			continue;
		err_set(err, ERR_USAGE,
			"--retire needs all rows, but [table %s] has a "
			"condition",
			t->label);
		return err_hint(
			err, "remove where, in line %d and below", t->line);
	}
	return 0;
}

/* Only with the key can anybody tell that a value needs it. */
static int
find_keys(size_t *ret, const struct config *c, const struct keyring *ring,
	struct err *err)
{
	for (size_t i = 0; c->retire && c->retire[i]; i++) {
		long key = keyring_find(ring, slice_str(c->retire[i]));

		if (key < 0) {
			err_set(err, ERR_KEYS,
				"--retire: no key '%s' in the keyring",
				c->retire[i]);
			return err_hint(err,
				"it must still be there: only with it can be "
				"told which values need it");
		}
		/* On the way back to plaintext it is as old as the others. */
		if (c->method == METHOD_FERNET && ring->has_primary &&
			(size_t)key == ring->primary)
			return err_set(err, ERR_USAGE,
				"--retire: '%s' is the primary key",
				c->retire[i]);
		for (size_t before = 0; before < i; before++) {
			if (ret[before] == (size_t)key)
				return err_set(err, ERR_USAGE,
					"--retire: '%s' is there twice",
					c->retire[i]);
		}
		ret[i] = (size_t)key;
	}
	return 0;
}

static int
options_make(struct verify_options *ret, size_t *retire, const struct config *c,
	const struct keyring *ring, struct err *err)
{
	*ret = (struct verify_options){
		.workers = c->verify_workers,
		.snapshot_range = c->snapshot == SNAPSHOT_RANGE,
		.quick = c->quick,
		.sample = (double)c->sample / 1000,
		.retire = retire,
		.retires = list_count(c->retire),
	};
	job_make(&ret->job, c, ring);
	ret->job.connection.read_only = true;
	if (ret->retires > VERIFY_RETIRE_MAX)
		return err_set(err, ERR_USAGE, "--retire: more than %d keys",
			VERIFY_RETIRE_MAX);
	if (ret->quick && (ret->retires > 0 || ret->sample > 0)) {
		err_set(err, ERR_USAGE,
			"--quick goes with neither --retire nor --sample");
		return err_hint(err, "a label does not prove which key made a "
				     "value");
	}
	if (c->schemas && !c->discover)
		return err_set(
			err, ERR_USAGE, "--schemas goes with --discover only");
	if (ret->retires > 0 && check_sees_all(&ret->job, err) < 0)
		return -1;
	return find_keys(retire, c, ring, err);
}

static void
print_report(const struct verify_outcome *outcome,
	const struct verify_options *o, const struct discover_options *also,
	enum output_kind output, int status)
{
	struct buf text;

	buf_init(&text, SIZE_MAX);
	switch (output) {
	case OUTPUT_JSON:
		report_verify_json(&text, outcome, o, status);
		break;
	case OUTPUT_JUNIT:
		report_verify_junit(&text, outcome, o, status);
		break;
	case OUTPUT_TEXT:
		if (o->job.quiet && status == ERR_NONE)
			break;
		report_verify_text(&text, outcome, o, status);
		if (outcome->discovered)
			discover_ini(&text, outcome->discovered, also, status);
		break;
	}
	output_write(&text);
	buf_done(&text);
}

/* Looks for what is not configured, too, unless that was for nothing. */
static int
discover(struct discover_outcome *ret, struct verify_outcome *outcome,
	const struct discover_options *o, int status, struct err *err)
{
	int found;

	if (status == ERR_STOPPED)
		return status;
	found = discover_run(ret, o, err);
	if (found < 0)
		return -1;
	outcome->discovered = ret;
	/* What needs attention comes before what is not proven. */
	if (status == ERR_FINDINGS || found == ERR_FINDINGS)
		return ERR_FINDINGS;
	return found == ERR_STOPPED ? found : status;
}

static int64_t
left_ms(const struct verify_options *o, const struct verify_outcome *outcome)
{
	int64_t ms = o->job.max_runtime_ms -
		     (int64_t)(outcome->facts.seconds * 1000);

	return ms > 1 ? ms : 1;
}

static int
verify(const struct verify_options *o, const struct config *config,
	struct err *err)
{
	struct discover_outcome discovered = {0};
	struct verify_outcome outcome;
	struct discover_options also;
	int status = verify_run(&outcome, o, err);

	discover_options_make(&also, config, &o->job);
	if (also.job.max_runtime_ms > 0) /* what is left of it */
		also.job.max_runtime_ms = left_ms(o, &outcome);
	if (status >= 0 && config->discover)
		status = discover(&discovered, &outcome, &also, status, err);
	/* Half of what was asked for must not look like all of it. */
	if (status >= 0)
		print_report(&outcome, o, &also, config->output, status);
	discover_done(&discovered);
	outcome_done(&outcome.facts, &o->job);
	return status;
}

static int
run(const struct config *config, const struct keyring *ring, struct err *err)
{
	size_t *retire =
		xcalloc(list_count(config->retire) + 1, sizeof(*retire));
	struct verify_options o;
	int status = -1;

	if (options_make(&o, retire, config, ring, err) == 0)
		status = verify(&o, config, err);
	job_done(&o.job);
	free(retire);
	return status;
}

const struct command cmd_verify = {
	.name = "verify",
	.needs = NEED_CONFIG | NEED_KEYS | NEED_PRIMARY | NEED_TABLES,
	.summary = "prove that every value opens and which keys are needed",
	.details = "Opens every value of the configured columns under one "
		   "snapshot and changes nothing. Exit status 0 means that "
		   "each is sealed by the primary or allowed. With --retire it "
		   "answers whether a key may be deleted: 0 if no value needs "
		   "it and every value could be read.",
	.run = run,
};
