#include "job.h"
#include "keyring.h"
#include "quote.h"

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
