/*
 * What was discovered, for programs. For people it is a piece of
 * configuration: src/cli/discover_ini.c.
 */
#include "report.h"
#include "report_int.h"

static void
add_column(struct json *j, const struct discover_column *c)
{
	json_object(j, NULL);
	json_string(j, "name", c->name);
	json_string(j, "format", c->format->name);
	json_int(j, "values", c->values);
	json_object(j, "keys");
	for (size_t i = 0; i < c->labels.keys; i++)
		json_int(j, c->labels.key[i].id, c->labels.key[i].values);
	json_end(j, '}');
	json_bool(j, "copy", c->copy);
	if (c->problem)
		json_string(j, "problem", c->problem);
	json_end(j, '}');
}

static void
add_table(struct json *j, const struct discover_table *t)
{
	struct buf name;

	buf_init(&name, 1024);
	buf_addf(&name, "%s.%s", t->schema, t->table);
	json_object(j, NULL);
	json_string(j, "name", buf_str(&name));
	if (t->section.label)
		json_string(j, "label", t->section.label);
	json_array(j, "replaces");
	for (size_t i = 0; t->section.columns > 0 && i < t->replaces; i++)
		json_string(j, NULL, t->replaced[i]->label);
	json_end(j, ']');
	json_array(j, "columns");
	for (size_t i = 0; i < t->columns; i++)
		add_column(j, &t->column[i]);
	json_end(j, ']');
	json_end(j, '}');
	buf_done(&name);
}

void
report_json_discovered(struct json *j, const struct discover_outcome *outcome)
{
	json_int(j, "tables_read", outcome->read);
	json_int(j, "unconfigured", outcome->columns);
	json_array(j, "tables");
	for (size_t i = 0; i < outcome->tables; i++)
		add_table(j, &outcome->table[i]);
	json_end(j, ']');
	json_array(j, "unread");
	for (size_t i = 0; i < outcome->unreads; i++) {
		const struct discover_unread *u = &outcome->unread[i];

		json_object(j, NULL);
		json_string(j, "table", u->table);
		json_string(j, "reason", u->reason);
		json_string(j, "remedy", u->remedy);
		json_end(j, '}');
	}
	json_end(j, ']');
}

void
report_discover_json(struct buf *ret, const struct discover_outcome *outcome,
	const struct discover_options *o, int status)
{
	struct json j;

	json_init(&j, ret);
	json_object(&j, NULL);
	json_int(&j, "schema", REPORT_SCHEMA);
	json_string(&j, "command", "discover");
	json_real(&j, "seconds", outcome->seconds, 3);
	json_int(&j, "exit", status);
	if (o->sample > 0)
		json_real(&j, "sample", o->sample, 3);
	report_json_discovered(&j, outcome);
	json_end(&j, '}');
	buf_addc(ret, '\n');
}
