/*
 * Concluding: what was found becomes sections that the configuration may have
 * as they are, and what cannot be configured gets its reason.
 */
#include "catalog.h"
#include "discover_int.h"
#include <ctype.h>
#include <stdlib.h>

/* Of a section's name, behind the word table. */
#define LABEL_MAX 36

/* -- why not --------------------------------------------------------------- */

/* What catalog_load() would say to a section with this column alone becomes its
 * problem. */
static int
ask_catalog(struct discover_column *c, struct discovery *d,
	const struct discover_table *t, struct err *err)
{
	struct target target = {
		.label = t->table,
		.schema = t->schema,
		.table = t->table,
		.column = &c->name,
		.columns = 1,
	};
	struct catalog catalog = {0};
	int rc;

	if (stop_requested(&d->stop)) /* the connection may be cancelled */
		return 0;
	rc = catalog_load(&catalog, d->pg, &target, 1, CATALOG_FIT, err);
	catalog_done(&catalog);
	if (rc < 0 && err->code == ERR_USAGE) {
		c->problem = xstrdup(err->msg);
		rc = 0;
	}
	return rc;
}

/* Two sections cannot share rows: one of a table above this one has them. */
static bool
has_section_above(const struct discovery *d, const struct inventory_table *t)
{
	const struct inventory *v = &d->inventory;

	for (size_t i = 0; i < d->o->job.targets; i++) {
		if (d->configured[i] &&
			inventory_is_below(v, t, d->configured[i]))
			return true;
	}
	for (size_t i = 0; i < v->tables; i++) {
		if (d->found[i] && inventory_is_below(v, t, &v->table[i]))
			return true;
	}
	return false;
}

/* A section that this one would have to take in has columns of its own. */
static bool
has_section_below(const struct discovery *d, const struct inventory_table *t)
{
	for (size_t i = 0; i < d->o->job.targets; i++) {
		const struct target *target = &d->o->job.target[i];

		if (!d->configured[i] ||
			!inventory_is_below(&d->inventory, d->configured[i], t))
			continue;
		for (size_t c = 0; c < target->columns; c++) {
			if (!inventory_column(t, target->column[c]))
				return true;
		}
	}
	return false;
}

/* Sets the problem of a column, if it has one. */
static int
judge_column(struct discovery *d, const struct inventory_table *t,
	const struct discover_table *ret, struct discover_column *c,
	struct err *err)
{
	const struct inventory_column *its = inventory_column(t, c->name);
	const char *why = NULL;

	c->copy = its->generated || t->kind == INVENTORY_VIEW;
	if (t->kind == INVENTORY_VIEW)
		why = "a materialized view holds copies: refresh it after the "
		      "rotation";
	else if (its->generated)
		why = "a generated column holds copies of others";
	else if (its->bytes)
		why = "bytea cannot be rotated";
	else if (has_section_above(d, t))
		why = "a table above it has a section, and two sections "
		      "cannot share rows";
	else if (has_section_below(d, t))
		why = "a table below it has a section with columns of its own";
	if (!why)
		return ask_catalog(c, d, ret, err);
	c->problem = xstrdup(why);
	return 0;
}

/* A copy follows what it is a copy of: once all of it is under the primary,
 * nobody has to do anything. */
static bool
needs_attention(const struct discovery *d, const struct discover_column *c)
{
	const char *key = d->o->current_key;

	return !c->copy || !key || c->labels.keys != 1 ||
	       c->labels.key[0].values != c->values ||
	       strcmp(c->labels.key[0].id, key) != 0;
}

/* -- the section ----------------------------------------------------------- */

static void
find_replaced(struct discover_table *ret, const struct discovery *d,
	const struct inventory_table *t)
{
	const struct job *job = &d->o->job;

	ret->replaced = xcalloc(job->targets, sizeof(*ret->replaced));
	for (size_t i = 0; i < job->targets; i++) {
		const struct inventory_table *its = d->configured[i];

		if (its &&
			(its == t || inventory_is_below(&d->inventory, its, t)))
			ret->replaced[ret->replaces++] = &job->target[i];
	}
}

static void
add_column(struct target *section, char *name)
{
	for (size_t i = 0; i < section->columns; i++) {
		if (!strcmp(section->column[i], name))
			return;
	}
	section->column[section->columns++] = name;
}

static void
add_replaced(struct discover_table *ret)
{
	for (size_t r = 0; r < ret->replaces; r++) {
		const struct target *t = ret->replaced[r];

		for (size_t i = 0; i < t->columns; i++)
			add_column(&ret->section, t->column[i]);
	}
}

/* The columns of the replaced sections, then the new ones. */
static void
fill_section(struct discover_table *ret)
{
	struct target *section = &ret->section;
	size_t most = ret->columns;

	for (size_t i = 0; i < ret->replaces; i++)
		most += ret->replaced[i]->columns;
	section->column = xcalloc(most, sizeof(*section->column));
	for (size_t i = 0; i < ret->columns; i++) {
		struct discover_column *c = &ret->column[i];

		if (c->problem)
			continue;
		if (section->columns == 0)
			add_replaced(ret);
		if (section->columns < TARGET_COLUMNS_MAX)
			add_column(section, c->name);
		else
			c->problem = xstrdup("a section has no room for more "
					     "columns");
	}
}

static bool
is_label(const struct discovery *d, const char *label)
{
	for (size_t i = 0; i < d->o->job.targets; i++) {
		if (!strcmp(d->o->job.target[i].label, label))
			return true;
	}
	for (size_t i = 0; i < d->ret->tables; i++) {
		const char *other = d->ret->table[i].section.label;

		if (other && !strcmp(other, label))
			return true;
	}
	return false;
}

/* The table's name, as far as it is ASCII, made unique. */
static char *
new_label(const struct discovery *d, const char *table)
{
	char *base = xasprintf("%.*s", LABEL_MAX, table);
	char *label = xstrdup(base);

	for (char *p = base; *p; p++) {
		if ((*p & 0x80) || !isalnum(*p))
			*p = '_';
	}
	for (int i = 1; i == 1 || is_label(d, label); i++) {
		free(label);
		label = i == 1 ? xstrdup(base) : xasprintf("%s_%d", base, i);
	}
	free(base);
	return label;
}

/* That of the replaced section, else of the first column. */
static void
choose_format(struct discover_table *ret)
{
	const struct format *f =
		ret->replaces > 0 ? ret->replaced[0]->policy.format : NULL;

	for (size_t i = 0; i < ret->columns; i++) {
		struct discover_column *c = &ret->column[i];

		if (c->problem)
			continue;
		f = f ? f : c->format;
		if (c->format != f)
			c->problem = xasprintf("is of the format %s, and its "
					       "section is of another",
				c->format->name);
	}
	if (ret->replaces > 0)
		ret->section.policy = ret->replaced[0]->policy;
	ret->section.policy.format = f;
}

static void
make_section(struct discover_table *ret, const struct discovery *d,
	const struct inventory_table *t)
{
	struct target *section = &ret->section;

	find_replaced(ret, d, t);
	choose_format(ret);
	section->schema = ret->schema;
	section->table = ret->table;
	fill_section(ret);
	if (section->columns == 0)
		return;
	if (ret->replaces > 0) {
		section->where = ret->replaced[0]->where;
		section->label = xstrdup(ret->replaced[0]->label);
		return;
	}
	section->label = new_label(d, ret->table);
}

/* -- all of it ------------------------------------------------------------- */

static int
plan_table(struct discovery *d, size_t index, struct err *err)
{
	const struct inventory_table *t = &d->inventory.table[index];
	struct discover_column *found = d->found[index];
	struct discover_table *ret = &d->ret->table[d->ret->tables++];

	*ret = (struct discover_table){
		.schema = xstrdup(t->schema),
		.table = xstrdup(t->name),
		.column = xcalloc(t->columns, sizeof(*ret->column)),
	};
	for (size_t i = 0; i < t->columns; i++) {
		struct discover_column *c = &ret->column[ret->columns];

		if (!found[i].format)
			continue;
		*c = found[i];
		found[i] = (struct discover_column){0};
		c->name = xstrdup(t->column[i].name);
		ret->columns++;
		if (judge_column(d, t, ret, c, err) < 0)
			return -1;
		d->ret->columns += needs_attention(d, c);
	}
	make_section(ret, d, t);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct discover_table *x = a, *y = b;
	int order = strcmp(x->schema, y->schema);

	return order ? order : strcmp(x->table, y->table);
}

int
discover_plan(struct discovery *d, struct err *err)
{
	struct discover_outcome *ret = d->ret;

	ret->table = xcalloc(d->inventory.tables, sizeof(*ret->table));
	for (size_t i = 0; i < d->inventory.tables; i++) {
		if (d->found[i] && plan_table(d, i, err) < 0)
			return -1;
	}
	qsort(ret->table, ret->tables, sizeof(*ret->table), by_name);
	return 0;
}
