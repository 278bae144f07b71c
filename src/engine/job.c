#include "job.h"
#include "keyring.h"
#include "log.h"
#include "quote.h"
#include "state.h"

bool
job_selects(const struct job *job, size_t target)
{
	return !job->selected || job->selected[target];
}

char *
job_quoted_schema(const struct job *job)
{
	struct buf b;
	char *ret;

	buf_init(&b, 1024);
	quote_ident(&b, job->state_schema);
	ret = xstrdup(buf_str(&b));
	buf_done(&b);
	return ret;
}

const char *
job_current_key(const struct job *job)
{
	if (job->method != METHOD_FERNET || !job->ring ||
		!job->ring->has_primary)
		return NULL;
	return job->ring->key[job->ring->primary].id;
}

bool
job_is_partial(const struct job *job)
{
	for (size_t i = 0; i < job->targets; i++) {
		if (!job_selects(job, i))
			return true;
	}
	return false;
}

int
job_tell_locked(const struct job *job, struct pg *pg, struct err *err)
{
	struct state s = {.pg = pg};
	char who[256];

	for (size_t i = 0; i < job->targets; i++) {
		const struct target *t = &job->target[i];

		if (state_locked_by(who, &s, t, err) < 0)
			return -1;
		if (who[0])
			log_warning("waiting for table %s.%s, locked by %s",
				t->schema, t->table, who);
	}
	return 0;
}

int
job_check_leaves(
	const struct job *job, const struct catalog *catalog, struct err *err)
{
	for (size_t t = 0; t < job->targets; t++) {
		bool found = !job_selects(job, t);

		for (size_t i = 0; i < catalog->leaves && !found; i++)
			found = catalog->leaf[i].target == t;
		if (!found)
			return err_set(err, ERR_USAGE,
				"table %s.%s has no partition: there is "
				"nothing to look at",
				job->target[t].schema, job->target[t].table);
	}
	return 0;
}
