#include "command.h"
#include "value_int.h"
#include <stdlib.h>

#define NAMES_MAX 400

static int
check_database(const struct config *c, struct err *err)
{
	size_t names = 0;

	for (char **k = c->conn_keyword; k && *k; k++)
		names += !strcmp(*k, "dbname");
	if (names > 1)
		return err_set(err, ERR_USAGE,
			"uri and dbname in [database] contradict each other");
	return 0;
}

static int
refuse_column(const char *name, const struct target *a, const struct target *b,
	struct err *err)
{
	if (a == b)
		return err_set(err, ERR_USAGE,
			"column '%s' of %s.%s is configured twice (line %d)",
			name, a->schema, a->table, a->line);
	return err_set(err, ERR_USAGE,
		"column '%s' of %s.%s is configured twice (lines %d and %d)",
		name, a->schema, a->table, b->line, a->line);
}

static int
check_columns(const struct target *a, size_t column, const struct target *b,
	struct err *err)
{
	const char *name = a->column[column];

	for (size_t i = 0; i < b->columns; i++) {
		if (a == b && i >= column)
			break;
		if (!strcmp(b->column[i], name))
			return refuse_column(name, a, b, err);
	}
	return 0;
}

/* A column in two sections could be asked for under two policies. */
static int
check_twice(const struct config *c, size_t at, struct err *err)
{
	const struct target *t = &c->target[at];

	for (size_t i = 0; i <= at; i++) {
		const struct target *other = &c->target[i];

		if (strcmp(t->schema, other->schema) != 0)
			continue;
		if (strcmp(t->table, other->table) != 0)
			continue;
		for (size_t j = 0; j < t->columns; j++) {
			if (check_columns(t, j, other, err) < 0)
				return -1;
		}
	}
	return 0;
}

static bool
has_label(const struct config *c, const char *label)
{
	for (size_t i = 0; i < c->targets; i++) {
		if (!strcmp(c->target[i].label, label))
			return true;
	}
	return false;
}

static int
hint_labels(const struct config *c, struct err *err)
{
	struct buf names;

	buf_init(&names, NAMES_MAX);
	for (size_t i = 0; i < c->targets; i++)
		buf_addf(&names, "%s%s", i ? ", " : "", c->target[i].label);
	err_hint(err, "the labels are: %s%s", buf_str(&names),
		buf_over(&names) ? ", ..." : "");
	buf_done(&names);
	return -1;
}

static int
check_only(const struct config *c, struct err *err)
{
	for (char **label = c->only; label && *label; label++) {
		if (has_label(c, *label))
			continue;
		err_set(err, ERR_USAGE, "--only: there is no [table %s]",
			*label);
		return hint_labels(c, err);
	}
	return 0;
}

int
config_check(const struct config *c, unsigned needs, struct err *err)
{
	if (c->quiet && c->verbose)
		return err_set(err, ERR_USAGE,
			"--quiet and --verbose contradict each other");
	if (check_database(c, err) < 0)
		return -1;
	if (!strncmp(c->state_schema, "pg_", 3))
		return err_set(err, ERR_USAGE,
			"state_schema: the server keeps names that begin with "
			"pg_ for itself");
	for (size_t i = 0; i < c->targets; i++) {
		if (check_twice(c, i, err) < 0)
			return -1;
	}
	if ((needs & NEED_TABLES) && c->targets == 0) {
		err_set(err, ERR_USAGE, "no table is configured in '%s'",
			c->file);
		return err_hint(err, "add a [table LABEL] section with "
				     "columns = ...");
	}
	return check_only(c, err);
}
