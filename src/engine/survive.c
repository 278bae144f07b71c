/*
 * What a worker makes of a failure: another turn, or an end, of whatever it is
 * that failed.
 */
#include "clock.h"
#include "engine_int.h"
#include "log.h"
#include <string.h>

#define RETRIES 20
#define FULL_MINUTES 30

void
worker_forgive(struct worker *w)
{
	w->failures = 0;
	w->losses = (struct job_attempts){0};
	w->full = 0;
}

/* Somebody has to make room, which takes longer than a server to restart. */
static bool
outlasts_full_disk(struct worker *w, const struct err *err)
{
	if (!w->told_full)
		log_warning("%s; a worker waits %d minutes for room", err->msg,
			FULL_MINUTES);
	w->told_full = true;
	if (w->full++ == 0)
		w->full_since_ms = clock_ms();
	if (clock_ms() - w->full_since_ms >= FULL_MINUTES * 60000)
		return false;
	stop_sleep(&w->e->stop, job_backoff_ms(w->full));
	return true;
}

/* A standby by now, or set so: the next connection may lead elsewhere. */
static bool
is_read_only(const struct err *err)
{
	return !strcmp(err->sqlstate, "25006");
}

static bool
outlasts_loss(struct worker *w, const struct err *err)
{
	worker_disconnect(w);
	if (!job_tries_again(&w->losses, err))
		return false;
	if (w->losses.count == 1)
		log_warning("a worker %s: %s; it tries again for a while",
			is_read_only(err) ? "finds the server read-only"
					  : "lost its connection",
			err->msg);
	log_debug("again in a moment: %s", err->msg);
	stop_sleep(&w->e->stop, job_backoff_ms(w->losses.count));
	return true;
}

/* Each kind has its own number of attempts. */
bool
worker_survives(struct worker *w, const struct err *err)
{
	/* A poor connection is no reason to end while the work goes on. */
	if (w->advanced)
		worker_forgive(w);
	w->advanced = false;
	switch (pg_classify(err)) {
	case PG_CLASS_LOST:
		return outlasts_loss(w, err);
	case PG_CLASS_FULL:
		return outlasts_full_disk(w, err);
	case PG_CLASS_RETRY:
	case PG_CLASS_LOCK:
	case PG_CLASS_FENCE: /* the chunk is somebody else's now */
		break;
	case PG_CLASS_DATA:
	case PG_CLASS_FATAL:
		return false;
	}
	if (++w->failures > RETRIES)
		return false;
	log_debug("again in a moment: %s", err->msg);
	stop_sleep(&w->e->stop, job_backoff_ms(w->failures));
	return true;
}

/* A table may be dropped or altered, or its triggers fail on every row: that is
 * no reason to end while there are others. */
static bool
is_of_leaf(const struct worker *w, const struct err *err)
{
	return w->walks &&
	       ((err->code == ERR_DB && pg_classify(err) == PG_CLASS_FATAL) ||
		       catalog_gone_is_why(w->pg, err, &w->chunk.leaf, 1));
}

#define RESUMES "the same command goes on where this one stopped"

static void
give_up(struct worker *w, struct err *err)
{
	if (is_read_only(err)) {
		err_in(err, "the server is read-only");
		err_hint(err,
			"it has become a standby, or "
			"default_transaction_read_only was set; " RESUMES);
	} else if (pg_classify(err) == PG_CLASS_FULL) {
		err_hint(err, "make room on the disk of the server; " RESUMES);
	}
	engine_end(w->e, END_FAILED, err, NULL);
}

void
worker_gives_up(struct worker *w, struct err *err)
{
	if (is_of_leaf(w, err))
		engine_end_leaf(w->e, w->chunk.leaf, err);
	else
		give_up(w, err);
}
