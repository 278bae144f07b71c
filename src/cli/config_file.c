#include "config.h"
#include "conn_int.h"
#include "file_int.h"
#include "ini_int.h"
#include "nearest_int.h"
#include "pg.h"
#include "sqlname_int.h"
#include "value_int.h"
#include <stdio.h>
#include <stdlib.h>

/* A section or setting that was there already, and where. */
struct seen {
	char *what;
	int line;
};

struct loader {
	struct config *config;
	char section[INI_NAME_MAX + 1]; /* as written; "" before the first */
	struct target *target;          /* of the section, if it is a table */
	struct seen *seen;
	size_t seen_count;
};

/* Takes what over. */
static int
see_once(struct loader *l, char *what, int line, struct err *err)
{
	for (size_t i = 0; i < l->seen_count; i++) {
		if (strcmp(l->seen[i].what, what) != 0)
			continue;
		err_set(err, ERR_USAGE, "%s is there twice (first on line %d)",
			what, l->seen[i].line);
		free(what);
		return -1;
	}
	l->seen = xrealloc(l->seen, (l->seen_count + 1) * sizeof(*l->seen));
	l->seen[l->seen_count++] = (struct seen){what, line};
	return 0;
}

/* Every section is in the table of options at least once. */
static int
refuse_section(const char *section, struct err *err)
{
	struct nearest near;

	nearest_init(&near, section);
	for (const struct option *o = option_table; o->name; o++) {
		if (o->section)
			nearest_offer(&near, o->section);
	}
	err_set(err, ERR_USAGE, "unknown section [%s]", section);
	if (near.best && !strcmp(near.best, TABLE_SECTION))
		return err_hint(err, "a table's section is [table LABEL]");
	if (near.best)
		return err_hint(err, "did you mean [%s]?", near.best);
	return err_hint(err, "there are [database], [keys], [rotate], "
			     "[verify] and [table LABEL]");
}

static int
set_defaults(struct target *t, struct err *err)
{
	for (const struct option *o = option_table; o->name; o++) {
		if (!o->section || strcmp(o->section, TABLE_SECTION) != 0)
			continue;
		if (!o->preset)
			continue;
		if (option_store(o, t, o->name, o->preset, err) < 0)
			return -1;
	}
	return 0;
}

/* --only takes labels with commas between them. */
static int
begin_table(struct loader *l, const char *label, int line, struct err *err)
{
	struct config *c = l->config;

	if (*label == '\0' || strchr(label, ','))
		return err_set(err, ERR_USAGE,
			"a label has at least one character and no comma");
	c->target = xrealloc(c->target, (c->targets + 1) * sizeof(*c->target));
	l->target = &c->target[c->targets++];
	*l->target = (struct target){.label = xstrdup(label), .line = line};
	return set_defaults(l->target, err);
}

/* The label of "table LABEL", or NULL if it is another section. */
static char *
label_dup(const char *section)
{
	size_t len = strlen(TABLE_SECTION);
	const char *label = section + len;

	if (strncmp(section, TABLE_SECTION, len) != 0)
		return NULL;
	if (*label != '\0' && *label != ' ' && *label != '\t')
		return NULL;
	return trim_dup(label, strlen(label));
}

static int
take_section(void *user, const char *section, int line, struct err *err)
{
	struct loader *l = user;
	char *label = label_dup(section);
	int rc = -1;

	l->target = NULL;
	if (!label && !option_is_section(section))
		return refuse_section(section, err);
	if (label)
		snprintf(l->section, sizeof(l->section), "%s %s", TABLE_SECTION,
			label);
	else
		snprintf(l->section, sizeof(l->section), "%s", section);
	if (see_once(l, xasprintf("[%s]", l->section), line, err) < 0)
		goto out;
	if (label && begin_table(l, label, line, err) < 0)
		goto out;
	rc = 0;
out:
	free(label);
	return rc;
}

/* Where else the name would be known, or NULL. */
static const struct option *
find_elsewhere(const char *name)
{
	for (const struct option *o = option_table; o->name; o++) {
		if (o->section && !o->pattern && !strcmp(o->name, name))
			return o;
	}
	return NULL;
}

/* keywords: what else may be meant. */
static int
hint_nearest(const char *section, const char *name, char *const *keywords,
	struct err *err)
{
	struct nearest near;

	nearest_init(&near, name);
	for (const struct option *o = option_table; o->name; o++) {
		if (o->section && !o->pattern && !strcmp(o->section, section))
			nearest_offer(&near, o->name);
	}
	for (; keywords && *keywords; keywords++)
		nearest_offer(&near, *keywords);
	if (!near.best)
		return -1;
	if (conn_is_secret(near.best))
		return conn_hint_password(err);
	return err_hint(err, "did you mean '%s'?", near.best);
}

static int
refuse_name(const struct loader *l, const char *section, const char *name,
	struct err *err)
{
	const struct option *elsewhere = find_elsewhere(name);
	char **keywords = NULL;

	err_set(err, ERR_USAGE, "unknown option '%s' in [%s]", name,
		l->section);
	if (elsewhere)
		return err_hint(
			err, "it belongs into [%s]", elsewhere->section);
	if (option_in_file(section, "uri"))
		keywords = pg_keywords_new();
	(void)hint_nearest(section, name, keywords, err);
	list_free(keywords);
	return -1;
}

static bool
is_known(const struct option *o, const char *name)
{
	return o && (o->type != OPTION_CONN || conn_is_known(name));
}

static int
take_entry(void *user, const char *name, const char *value, int line,
	struct err *err)
{
	struct config_origin origin = {SOURCE_FILE, line};
	struct loader *l = user;
	const char *section = l->target ? TABLE_SECTION : l->section;
	const struct option *o = option_in_file(section, name);
	int rc;

	if (l->section[0] == '\0')
		return err_set(err, ERR_USAGE,
			"a setting stands before the first [section]");
	if (!is_known(o, name))
		return refuse_name(l, section, name, err);
	/* A line is short: columns add up. */
	if (o->type != OPTION_COLUMNS &&
		see_once(l, xasprintf("[%s] %s", l->section, name), line, err) <
			0)
		return -1;
	if (l->target)
		rc = option_store(o, l->target, name, value, err);
	else
		rc = config_set(l->config, o, name, value, origin, err);
	return rc < 0 ? err_in(err, "%s", name) : 0;
}

/* What a [table LABEL] section leaves out. */
static int
complete_target(struct target *t, struct err *err)
{
	char *name;
	int rc;

	if (t->columns == 0)
		return err_set(err, ERR_USAGE, "[%s %s] has no columns",
			TABLE_SECTION, t->label);
	if (t->table)
		return 0;
	name = xasprintf("public.%s", t->label);
	rc = sqlname_parse_table(&t->schema, &t->table, name, err);
	free(name);
	if (rc < 0) {
		err_set(err, ERR_USAGE, "[%s %s] needs a name", TABLE_SECTION,
			t->label);
		err_hint(err, "the label is not the name of a table in SQL");
	}
	return rc;
}

/* Last, because method may stand behind the tables. */
static int
complete(struct config *c, const char *path, struct err *err)
{
	for (size_t i = 0; i < c->targets; i++) {
		struct target *t = &c->target[i];

		t->policy.method = c->method;
		if (complete_target(t, err) < 0)
			return err_in(err, "%s:%d", path, t->line);
	}
	return 0;
}

int
config_read_file(struct config *c, const char *path, struct err *err)
{
	static const struct ini_handler handler = {take_section, take_entry};
	struct loader l = {.config = c};
	struct buf text;
	int rc = -1;

	if (file_read(&text, path, err) < 0)
		goto out;
	c->file_text = xstrdup(buf_str(&text));
	if (ini_read(path, buf_slice(&text), &handler, &l, err) < 0)
		goto out;
	if (l.seen_count == 0) {
		err_set(err, ERR_USAGE, "'%s' has no settings", path);
		goto out;
	}
	rc = complete(c, path, err);
out:
	for (size_t i = 0; i < l.seen_count; i++)
		free(l.seen[i].what);
	free(l.seen);
	buf_done(&text);
	return rc;
}

bool
config_file_changed(const struct config *c)
{
	struct err ignored;
	struct buf text;
	bool changed;

	if (!c->file_text)
		return false;
	changed = file_read(&text, c->file, &ignored) == 0 &&
		  strcmp(buf_str(&text), c->file_text) != 0;
	buf_done(&text);
	return changed;
}
