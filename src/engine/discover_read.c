/*
 * Looking: one table after the other. What is found is counted where it would
 * be configured.
 */
#include "discover_int.h"
#include "log.h"
#include <fnmatch.h>
#include <stdlib.h>

/* -- what is to be read ---------------------------------------------------- */

bool
discover_is_configured(const struct discovery *d,
	const struct inventory_table *t, const char *column)
{
	for (size_t i = 0; i < d->o->job.targets; i++) {
		const struct inventory_table *its = d->configured[i];
		const struct target *target = &d->o->job.target[i];

		if (!its || (its != t &&
				    !inventory_is_below(&d->inventory, t, its)))
			continue;
		for (size_t c = 0; c < target->columns; c++) {
			if (!strcmp(target->column[c], column))
				return true;
		}
	}
	return false;
}

static bool
matches(const struct discovery *d, const char *schema)
{
	const char *const *p = d->o->schemas;

	if (!p)
		return true;
	for (; *p; p++) {
		if (fnmatch(*p, schema, 0) == 0)
			return true;
	}
	return false;
}

/* Whatever else may be in that schema. */
static bool
is_state(const struct discovery *d, const struct inventory_table *t)
{
	return !strcmp(t->schema, d->o->job.state_schema) &&
	       state_has_table(t->name);
}

/* Partitions of a table that is asked for may be in other schemas. */
bool
discover_is_asked_for(
	const struct discovery *d, const struct inventory_table *t)
{
	if (t->kind == INVENTORY_PARTITIONED || is_state(d, t))
		return false;
	if (matches(d, t->schema))
		return true;
	for (size_t i = 0; i < t->columns; i++) {
		if (matches(d,
			    inventory_top(&d->inventory, t, t->column[i].name)
				    ->schema))
			return true;
	}
	return false;
}

/* Sets wanted[] per column; false if there are none. */
static bool
find_wanted(const struct discovery *d, const struct inventory_table *t,
	bool *wanted)
{
	bool any = false;

	for (size_t i = 0; i < t->columns; i++) {
		wanted[i] = !discover_is_configured(d, t, t->column[i].name);
		any |= wanted[i];
	}
	return any;
}

/* -- what cannot be read --------------------------------------------------- */

static void
add_unread(struct discovery *d, const struct err *why)
{
	struct discover_outcome *ret = d->ret;
	struct err err = *why;

	err_in(&err, "not read: %s", d->table->shown);
	log_err(&err);
	ret->unread = xrealloc(
		ret->unread, (ret->unreads + 1) * sizeof(*ret->unread));
	ret->unread[ret->unreads++] = (struct discover_unread){
		.table = xstrdup(d->table->shown),
		.reason = xstrdup(why->msg),
		.remedy = xstrdup(why->hint),
	};
}

/* What the role lacks, and the way out. */
static void
add_missing(struct discovery *d, const bool *wanted, size_t missing)
{
	const struct inventory_table *t = d->table;
	struct buf remedy;
	struct err err;

	if (t->hidden)
		err_set(&err, ERR_DB, "row-level security hides rows");
	else
		err_set(&err, ERR_DB, "no privilege to read %zu of its columns",
			missing);
	buf_init(&remedy, sizeof(err.hint) - 1);
	inventory_remedy(&remedy, &d->inventory, t, wanted);
	if (buf_over(&remedy)) { /* too many names */
		buf_done(&remedy);
		buf_init(&remedy, sizeof(err.hint) - 1);
		inventory_remedy(&remedy, &d->inventory, t, NULL);
	}
	err_hint(&err, "%s", buf_str(&remedy));
	buf_done(&remedy);
	add_unread(d, &err);
}

/* Keeps of wanted[] what the role may read; false if that is nothing. */
static bool
keep_readable(struct discovery *d, bool *wanted)
{
	const struct inventory_table *t = d->table;
	size_t missing = 0, left = 0;

	for (size_t i = 0; i < t->columns; i++)
		missing += wanted[i] && !inventory_may_read(t, i);
	if (missing > 0)
		add_missing(d, wanted, missing);
	for (size_t i = 0; i < t->columns; i++) {
		wanted[i] = wanted[i] && inventory_may_read(t, i);
		left += wanted[i];
	}
	return left > 0;
}

/* -- reading --------------------------------------------------------------- */

/* Where a value of this table's column is counted. */
static struct discover_column *
place_of(struct discovery *d, size_t column)
{
	const struct inventory *v = &d->inventory;
	const char *name = d->table->column[column].name;
	const struct inventory_table *top = inventory_top(v, d->table, name);
	size_t i = (size_t)(top - v->table);

	if (!d->found[i])
		d->found[i] = xcalloc(top->columns, sizeof(**d->found));
	return &d->found[i][inventory_column(top, name) - top->column];
}

static bool
take_value(void *ctx, size_t column, struct slice value)
{
	struct discovery *d = ctx;
	const struct inventory_column *c = &d->table->column[column];
	const struct format *format = formats[0];
	struct slice key_id = {0};
	struct discover_column *place;

	if (value.ptr)
		format = recognise(&key_id, d->recogniser, value, c->carrier);
	if (format) {
		place = place_of(d, column);
		place->format = format;
		place->values++;
		place->oversize += !value.ptr;
		if (key_id.len > 0)
			tally_key(&place->labels, key_id, 1);
		pthread_mutex_lock(&d->mutex);
		d->values++;
		pthread_mutex_unlock(&d->mutex);
	}
	return !stop_requested(&d->stop);
}

/* A table that cannot be read does not keep us from the others. */
static int
read_table(struct discovery *d, const bool *wanted)
{
	const struct inventory_part part = {d->table, wanted, d->o->sample};
	struct err err;

	if (inventory_read(d->pg, &part, take_value, d, &err) == 0) {
		d->ret->read++;
		return 0;
	}
	if (stop_requested(&d->stop))
		return 0;
	if (pg_lost(d->pg) || err.code == ERR_BUG) {
		d->err = err;
		return -1;
	}
	if (strcmp(err.sqlstate, "42P01") != 0) /* dropped meanwhile */
		add_unread(d, &err);
	return 0;
}

static int
look_at(struct discovery *d, const struct inventory_table *t)
{
	bool *wanted = xcalloc(t->columns, sizeof(*wanted));
	int rc = 0;

	pthread_mutex_lock(&d->mutex);
	d->shown = t->shown;
	pthread_mutex_unlock(&d->mutex);
	d->table = t;
	if (find_wanted(d, t, wanted) && keep_readable(d, wanted))
		rc = read_table(d, wanted);
	free(wanted);
	return rc;
}

void *
discover_main(void *ctx)
{
	struct discovery *d = ctx;
	const struct inventory *v = &d->inventory;

	for (size_t i = 0; i < v->tables && d->rc == 0; i++) {
		if (stop_requested(&d->stop))
			break;
		if (!discover_is_asked_for(d, &v->table[i]))
			continue;
		d->rc = look_at(d, &v->table[i]);
		pthread_mutex_lock(&d->mutex);
		d->pages += v->table[i].pages;
		pthread_mutex_unlock(&d->mutex);
	}
	crew_leave(&d->crew);
	return NULL;
}
