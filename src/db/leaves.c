/*
 * Leaves in memory, whoever loaded them: found and freed.
 */
#include "catalog_int.h"
#include <stdlib.h>

static void
names_free(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

static void
leaf_done(struct leaf *leaf)
{
	for (size_t i = 0; leaf->column && i < leaf->conf->columns; i++) {
		free(leaf->column[i].name);
		free(leaf->column[i].ref);
	}
	free(leaf->column);
	names_free(leaf->key);
	names_free(leaf->asked);
	free(leaf->asked_grant);
	free(leaf->name);
	free(leaf->sql_schema);
	free(leaf->sql_name);
}

void
catalog_forget(struct catalog *c, size_t kept)
{
	while (c->leaves > kept)
		leaf_done(&c->leaf[--c->leaves]);
}

void
catalog_done(struct catalog *c)
{
	catalog_forget(c, 0);
	free(c->leaf);
	*c = (struct catalog){0};
}

const struct leaf *
catalog_find(const struct catalog *c, uint32_t oid)
{
	for (size_t i = 0; i < c->leaves; i++) {
		if (c->leaf[i].oid == oid)
			return &c->leaf[i];
	}
	return NULL;
}
