#include "job.h"
#include "keyring.h"

bool
job_selects(const struct job *job, size_t target)
{
	return !job->selected || job->selected[target];
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
