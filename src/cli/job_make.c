#include "job_int.h"
#include "value_int.h"
#include "version.h"
#include <stdlib.h>

static bool
is_named(char *const *labels, const char *label)
{
	for (; *labels; labels++) {
		if (!strcmp(*labels, label))
			return true;
	}
	return false;
}

static const bool *
select_targets(const struct config *config)
{
	bool *selected;

	if (!config->only)
		return NULL;
	selected = xcalloc(config->targets, sizeof(*selected));
	for (size_t i = 0; i < config->targets; i++)
		selected[i] = is_named(config->only, config->target[i].label);
	return selected;
}

/* No [database] section at all: PG* variables say everything. */
static const char *const *
or_none(char **list)
{
	static const char *const none[] = {NULL};

	return list ? (const char *const *)list : none;
}

void
job_make(struct job *ret, const struct config *config,
	const struct keyring *ring)
{
	*ret = (struct job){
		.connection =
			{
				.keyword = or_none(config->conn_keyword),
				.value = or_none(config->conn_value),
				.application = "pgrekey",
				.synchronous_commit =
					config->synchronous_commit,
			},
		.ring = ring,
		.target = config->target,
		.targets = config->targets,
		.selected = select_targets(config),
		.method = config->method,
		.state_schema = config->state_schema,
		.max_findings = config->max_findings,
		.wait_ms = config->wait_ms,
		.max_runtime_ms = config->max_runtime_ms,
		.quiet = config->quiet,
		.version = pgrekey_version,
	};
}

void
job_done(struct job *job)
{
	xfree(job->selected);
	job->selected = NULL;
}

int
job_run_number(int64_t *ret, const struct config *config, struct err *err)
{
	*ret = 0;
	if (!config->argument)
		return 0;
	if (!value_uint(ret, config->argument) || *ret == 0) {
		err_set(err, ERR_USAGE, "the argument is no number of a run");
		return err_hint(err, "pgrekey status --runs lists all runs");
	}
	return 0;
}

void
rotate_options_make(struct rotate_options *ret, const struct config *config,
	const struct keyring *ring)
{
	*ret = (struct rotate_options){
		.workers = config->workers,
		.batch_rows = config->batch_rows,
		.window_bytes = config->window_bytes,
		.chunk_bytes = config->chunk_bytes,
		.lock_timeout_ms = config->lock_timeout_ms,
		.answer_timeout_ms = config->answer_timeout_ms,
		.max_passes = config->max_passes,
		.max_rows_per_second = config->max_rows_per_second,
		.limits =
			{
				.replica_lag_ms = config->max_replica_lag_ms,
				.slot_bytes = config->max_slot_wal,
				.dead_rows = config->max_dead_rows,
				.query = config->throttle_query,
			},
		.suppress_triggers = config->triggers == TRIGGERS_SUPPRESS,
		.thorough = config->thorough,
		.no_join = config->no_join,
		.dry_run = config->dry_run,
	};
	job_make(&ret->job, config, ring);
	/* Who waits for a table that somebody has locked hears so from the
	 * server before it is taken for lost. */
	ret->job.connection.lock_timeout_ms = config->answer_timeout_ms * 3 / 4;
}
