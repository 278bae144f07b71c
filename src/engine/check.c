/*
 * The check as a whole: what was said to us, the keys, the server, the tables.
 */
#include "check_int.h"
#include "clock.h"
#include "engine_int.h"
#include "keyring.h"
#include "secret.h"
#include "text.h"
#include <stdlib.h>

/* -- without a database ---------------------------------------------------- */

static void
check_configuration(struct check *c)
{
	const struct job *job = &c->o->rotate.job;
	struct remark about = {.topic = TOPIC_FILE};
	size_t columns = 0;

	for (size_t i = 0; i < job->targets; i++)
		columns += job->target[i].columns;
	remark_add(&c->to, &about, REMARK_OK, "%s: %zu %s, %zu %s", c->o->file,
		job->targets,
		text_plural((int64_t)job->targets, "table", "tables"), columns,
		text_plural((int64_t)columns, "column", "columns"));
	about.topic = TOPIC_METHOD;
	if (job->method != METHOD_FERNET)
		remark_add(&c->to, &about, REMARK_WARNING,
			"plaintext: the encryption is taken off");
	if (!job->connection.synchronous_commit)
		remark_add(&c->to, &about, REMARK_NOTE,
			"synchronous_commit is off: after a crash of the "
			"server some batches are done again");
	remark_ok(&c->to, TOPIC_METHOD, 0);
}

static void
check_keys(struct check *c)
{
	const struct keyring *ring = c->o->rotate.job.ring;
	struct remark about = {.topic = TOPIC_KEYRING};

	for (size_t i = 0; i < ring->count; i++)
		remark_add(&c->to, &about, REMARK_OK, "%s (%s)%s",
			ring->key[i].id, ring->key[i].fingerprint,
			ring->has_primary && i == ring->primary ? ", primary"
								: "");
	for (size_t i = 0; i < ring->warnings; i++)
		remark_add(
			&c->to, &about, REMARK_WARNING, "%s", ring->warning[i]);
	about.topic = TOPIC_MEMORY;
	if (!secret_state().keys_locked)
		remark_add(&c->to, &about, REMARK_WARNING,
			"the memory of keys is not locked: they could be "
			"swapped out");
	remark_ok(&c->to, TOPIC_MEMORY, 0);
}

/* -- with one -------------------------------------------------------------- */

static int
check_state(struct check *c, struct err *err)
{
	char *schema = job_quoted_schema(&c->o->rotate.job);
	struct state s = {.pg = c->pg, .schema = schema};
	struct run_spec spec = {0};
	int rc;

	spec_make(&spec, &c->o->rotate, &c->catalog);
	rc = survey_state(&c->to, &s, &spec, err);
	spec_done(&spec);
	free(schema);
	return rc;
}

static bool
is_refused(const struct check_outcome *outcome)
{
	for (size_t i = 0; i < outcome->remarks; i++) {
		if (outcome->remark[i].r.level == REMARK_REFUSAL)
			return true;
	}
	return false;
}

static int
check_leaves(struct check *c, struct err *err)
{
	const struct remark about = {.topic = TOPIC_RELATION};

	/* A table that was refused has none, either. */
	if (!is_refused(c->ret) &&
		job_check_leaves(&c->o->rotate.job, &c->catalog, err) < 0 &&
		remark_refuse(&c->to, &about, err) < 0)
		return -1;
	for (size_t i = 0; i < c->catalog.leaves; i++) {
		const struct leaf *leaf = &c->catalog.leaf[i];

		if (job_selects(&c->o->rotate.job, leaf->target) &&
			survey_leaf(&c->to, c->pg, leaf, err) < 0)
			return -1;
	}
	return 0;
}

static int
look(struct check *c, struct err *err)
{
	const struct job *job = &c->o->rotate.job;
	struct survey_wants wants = {
		.connections = c->o->rotate.workers + 1,
		.lock_timeout_ms = c->o->rotate.lock_timeout_ms,
		.suppress_triggers = c->o->rotate.suppress_triggers,
	};

	if (survey_server(&c->to, c->pg, &wants, err) < 0 ||
		pressure_check(&c->to, c->pg, &c->o->rotate.limits, err) < 0 ||
		catalog_survey(&c->catalog, c->pg, job->target, job->targets,
			&c->to, err) < 0 ||
		check_state(c, err) < 0 ||
		survey_horizon(&c->to, c->pg, err) < 0 ||
		check_leaves(c, err) < 0 || check_values(c, err) < 0)
		return -1;
	return check_cost(c, err);
}

int
check_run(struct check_outcome *ret, const struct check_options *o,
	struct err *err)
{
	struct check c = {.o = o, .ret = ret, .to = check_list_sink(ret)};
	const struct job *job = &o->rotate.job;
	struct pg_options connection = job->connection;
	int64_t started_ms = clock_ms();
	int rc;

	*ret = (struct check_outcome){0};
	outcome_init(&ret->facts, job);
	ret->estimate = xcalloc(job->targets + 1, sizeof(*ret->estimate));
	check_configuration(&c);
	check_keys(&c);
	/* Nobody waits for us, nor we for anybody for long. */
	connection.lock_timeout_ms = 2000;
	rc = pg_open(&c.pg, &connection, err);
	if (rc == 0)
		rc = look(&c, err);
	pg_close(c.pg);
	catalog_done(&c.catalog);
	check_list_finish(ret);
	outcome_finish(&ret->facts, started_ms);
	if (rc < 0)
		return -1;
	ret->facts.complete = true;
	ret->facts.total_findings = (int64_t)ret->count[REMARK_REFUSAL];
	return ret->count[REMARK_REFUSAL] > 0 ? ERR_FINDINGS : ERR_NONE;
}
