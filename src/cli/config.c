#include "config.h"
#include "value_int.h"
#include <stdlib.h>

static bool
is_of_table(const struct option *o)
{
	return o->section && !strcmp(o->section, TABLE_SECTION);
}

static struct config_origin *
origin_of(const struct config *c, const struct option *o)
{
	return &c->origin[o - option_table];
}

struct config_origin
config_origin(const struct config *c, const struct option *o)
{
	return *origin_of(c, o);
}

/* Something that wins is there already: check the value, drop it. */
static int
try_out(const struct option *o, const char *name, const char *text,
	struct err *err)
{
	struct config scratch = {0};
	int rc = option_store(o, &scratch, name, text, err);

	config_free(&scratch);
	return rc;
}

int
config_set(struct config *c, const struct option *o, const char *name,
	const char *text, struct config_origin origin, struct err *err)
{
	struct config_origin *old = origin_of(c, o);

	if (old->source > origin.source)
		return try_out(o, name, text, err);
	*old = origin;
	return option_store(o, c, name, text, err);
}

static int
set_preset(struct config *c, const struct option *o, struct err *err)
{
	struct config_origin origin = {SOURCE_DEFAULT, 0};

	if (!o->preset)
		return 0;
	return config_set(c, o, o->name, o->preset, origin, err);
}

/* An empty variable is one that is not set. */
static int
set_from_environment(struct config *c, const struct option *o, struct err *err)
{
	struct config_origin origin = {SOURCE_ENVIRONMENT, 0};
	const char *text = o->env ? getenv(o->env) : NULL;

	if (!text || !*text)
		return 0;
	if (config_set(c, o, o->name, text, origin, err) < 0)
		return err_in(err, "environment variable %s", o->env);
	return 0;
}

int
config_init(struct config *c, struct err *err)
{
	*c = (struct config){0};
	c->origin = xcalloc(option_count(), sizeof(*c->origin));
	for (const struct option *o = option_table; o->name; o++) {
		if (is_of_table(o))
			continue;
		if (set_preset(c, o, err) < 0)
			return -1;
		if (set_from_environment(c, o, err) < 0)
			return -1;
	}
	return 0;
}

static void
free_target(struct target *t)
{
	free(t->label);
	free(t->schema);
	free(t->table);
	list_free(t->column);
	free(t->where);
}

void
config_free(struct config *c)
{
	list_free(c->conn_keyword);
	list_free(c->conn_value);
	free(c->key_directory);
	free(c->primary);
	list_free(c->key_ignore);
	list_free(c->pins);
	free(c->state_schema);
	for (size_t i = 0; i < c->targets; i++)
		free_target(&c->target[i]);
	free(c->target);
	free(c->file);
	free(c->file_text);
	list_free(c->only);
	free(c->throttle_query);
	list_free(c->retire);
	list_free(c->schemas);
	free(c->argument);
	free(c->origin);
	*c = (struct config){0};
}
