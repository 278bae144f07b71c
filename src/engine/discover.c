/*
 * The run: one thread reads, this one shows how far it is, then what was found
 * becomes sections.
 */
#include "clock.h"
#include "discover_int.h"
#include <stdio.h>
#include <stdlib.h>

/* -- the run --------------------------------------------------------------- */

/* Nothing is written, so nothing is lost when a statement ends early. */
static void
cancel(void *ctx)
{
	struct discovery *d = ctx;

	pthread_mutex_lock(&d->mutex);
	if (d->open)
		pg_cancel(d->pg);
	pthread_mutex_unlock(&d->mutex);
}

static bool
ask_progress(struct progress *ret, void *ctx)
{
	struct discovery *d = ctx;

	pthread_mutex_lock(&d->mutex);
	*ret = (struct progress){
		.blocks = d->all_pages > 0 ? d->all_pages : 1,
		.done = d->pages,
		.values = d->values,
	};
	if (d->shown)
		snprintf(ret->table, sizeof(ret->table), "%s", d->shown);
	pthread_mutex_unlock(&d->mutex);
	return true;
}

static int
read_all(struct discovery *d, struct err *err)
{
	struct watch watch = {
		.crew = &d->crew,
		.stop = &d->stop,
		.quiet = d->o->job.quiet,
		.ask = ask_progress,
		.hurry = cancel,
		.ctx = d,
	};

	if (crew_start(&d->crew, discover_main, d, err) < 0)
		return -1;
	progress_watch(&watch);
	crew_join(&d->crew);
	if (d->rc < 0)
		*err = d->err;
	return d->rc;
}

static int
prepare(struct discovery *d, struct err *err)
{
	const struct job *job = &d->o->job;
	struct inventory *v = &d->inventory;

	if (recogniser_new(&d->recogniser, err) < 0 ||
		inventory_load(v, d->pg, err) < 0)
		return -1;
	d->found = xcalloc(v->tables, sizeof(*d->found));
	d->configured = xcalloc(job->targets, sizeof(*d->configured));
	for (size_t i = 0; i < job->targets; i++)
		d->configured[i] = inventory_find(
			v, job->target[i].schema, job->target[i].table);
	for (size_t i = 0; i < v->tables; i++) {
		if (discover_is_asked_for(d, &v->table[i]))
			d->all_pages += v->table[i].pages;
	}
	return 0;
}

static int
conclude(struct discovery *d, struct err *err)
{
	const struct discover_outcome *ret = d->ret;

	if (stop_requested(&d->stop))
		return ERR_STOPPED;
	if (d->o->schemas && d->all_pages == 0)
		return err_set(err, ERR_USAGE,
			"--schemas: no table there has a column that "
			"could hold an encrypted value: there is nothing "
			"to look at");
	if (ret->read == 0 && ret->unreads > 0)
		return err_set(err, ERR_DB,
			"none of the tables that are to be looked at could be "
			"read");
	if (ret->columns > 0 || ret->unreads > 0)
		return ERR_FINDINGS;
	return d->o->sample > 0 ? ERR_INCONCLUSIVE : ERR_NONE;
}

static int
look(struct discovery *d, struct err *err)
{
	if (prepare(d, err) < 0 || read_all(d, err) < 0 ||
		discover_plan(d, err) < 0)
		return -1;
	return conclude(d, err);
}

static void
discovery_done(struct discovery *d)
{
	for (size_t i = 0; d->found && i < d->inventory.tables; i++) {
		size_t columns = d->inventory.table[i].columns;

		for (size_t c = 0; d->found[i] && c < columns; c++)
			tally_column_done(&d->found[i][c].labels);
		free(d->found[i]);
	}
	free(d->found);
	free(d->configured);
	inventory_done(&d->inventory);
	recogniser_free(d->recogniser);
	crew_done(&d->crew);
	pthread_mutex_destroy(&d->mutex);
}

int
discover_run(struct discover_outcome *ret, const struct discover_options *o,
	struct err *err)
{
	struct discovery d = {.o = o, .ret = ret, .started_ms = clock_ms()};
	int status = -1;

	*ret = (struct discover_outcome){0};
	pthread_mutex_init(&d.mutex, NULL);
	crew_init(&d.crew, 1);
	d.stop.most_ms = o->job.max_runtime_ms;
	if (stop_start(&d.stop, cancel, &d, err) < 0) {
		discovery_done(&d);
		return -1;
	}
	if (job_connect(&d.pg, &o->job, &d.stop, err) == 0) {
		pthread_mutex_lock(&d.mutex);
		d.open = true;
		pthread_mutex_unlock(&d.mutex);
		status = look(&d, err);
		pthread_mutex_lock(&d.mutex);
		d.open = false;
		pthread_mutex_unlock(&d.mutex);
	}
	pg_close(d.pg);
	stop_end(&d.stop);
	ret->seconds = (double)(clock_ms() - d.started_ms) / 1000;
	discovery_done(&d);
	return status;
}

/* -- the outcome ----------------------------------------------------------- */

static void
table_done(struct discover_table *t)
{
	for (size_t i = 0; i < t->columns; i++) {
		free(t->column[i].name);
		free(t->column[i].problem);
		tally_column_done(&t->column[i].labels);
	}
	free(t->column);
	free(t->section.label);
	free(t->section.column);
	free(t->replaced);
	free(t->schema);
	free(t->table);
}

void
discover_done(struct discover_outcome *ret)
{
	for (size_t i = 0; i < ret->tables; i++)
		table_done(&ret->table[i]);
	free(ret->table);
	for (size_t i = 0; i < ret->unreads; i++) {
		free(ret->unread[i].table);
		free(ret->unread[i].reason);
		free(ret->unread[i].remedy);
	}
	free(ret->unread);
	*ret = (struct discover_outcome){0};
}
