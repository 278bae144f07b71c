#include "engine_int.h"
#include "log.h"
#include <string.h>

/* The first one counts. */
static void
end_with(struct engine *e, enum end end, uint32_t leaf, const struct err *err,
	const char *note)
{
	pthread_mutex_lock(&e->mutex);
	if (e->end == END_NONE) {
		e->end = end;
		e->leaf = leaf;
		if (err)
			e->err = *err;
		if (note)
			memcpy(e->note, note, sizeof(e->note));
	}
	pthread_mutex_unlock(&e->mutex);
}

void
engine_end(
	struct engine *e, enum end end, const struct err *err, const char *note)
{
	end_with(e, end, 0, err, note);
}

void
engine_end_leaf(struct engine *e, uint32_t leaf, const struct err *err)
{
	end_with(e, END_LEAF, leaf, err, NULL);
}

enum end
engine_ended(struct engine *e)
{
	enum end end;

	pthread_mutex_lock(&e->mutex);
	end = e->end;
	pthread_mutex_unlock(&e->mutex);
	return end;
}

void
engine_pause(struct engine *e, const char *why)
{
	pthread_mutex_lock(&e->mutex);
	if (e->paused++ == 0)
		log_warning("%s; `pgrekey resume` lets it go on", why);
	pthread_mutex_unlock(&e->mutex);
}

void
engine_resume(struct engine *e)
{
	pthread_mutex_lock(&e->mutex);
	if (--e->paused == 0 && !stop_requested(&e->stop))
		log_info("resumed");
	pthread_mutex_unlock(&e->mutex);
}

void
row_list_add(struct row_list *l, size_t window, size_t row)
{
	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->ref = xrealloc(l->ref, l->room * sizeof(*l->ref));
	}
	l->ref[l->count++] = (struct row_ref){window, row};
}

struct rows *
engine_rows(const struct engine *e, const struct leaf *leaf)
{
	struct rows_options o = {
		.current_key = job_current_key(&e->o->job),
		/* An envelope within a current one shows by no label. */
		.everything = e->o->thorough ||
			      leaf->conf->policy.nested == NESTED_UNWRAP,
		.state_schema = e->schema,
		.suppress_triggers = e->o->suppress_triggers,
	};

	return rows_new(leaf, &o);
}

bool
engine_selects(const struct engine *e, const struct leaf *leaf)
{
	return job_selects(&e->o->job, leaf->target);
}
