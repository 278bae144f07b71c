/*
 * What the reports for programs have in common.
 */
#include "report_int.h"

void
report_json_time(struct json *j, const char *key, uint64_t seconds)
{
	char text[40];
	struct tm tm;

	if (!report_calendar(&tm, seconds)) {
		json_null(j, key);
		return;
	}
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_string(j, key, text);
}

/* Absent means 0. */
static void
add_count(struct json *j, const char *key, int64_t n)
{
	if (n != 0)
		json_int(j, key, n);
}

/* When the tokens of each key were made, by their own word. */
static void
add_times(struct json *j, const struct tally_column *c)
{
	json_object(j, "times");
	for (size_t k = 0; k < c->keys; k++) {
		if (!c->key[k].timed)
			continue;
		json_object(j, c->key[k].id);
		report_json_time(j, "oldest", c->key[k].oldest);
		report_json_time(j, "newest", c->key[k].newest);
		json_end(j, '}');
	}
	json_end(j, '}');
}

static void
add_column(struct json *j, const char *name, const struct tally_column *c,
	bool rotated)
{
	json_object(j, NULL);
	json_string(j, "name", name);
	json_int(j, "scanned", tally_scanned(c));
	json_object(j, "verdicts");
	for (int v = 0; v < VERDICTS; v++)
		add_count(j, verdict_name((enum verdict)v), c->verdict[v]);
	json_end(j, '}');
	json_object(j, "counters");
	add_count(j, "nested", c->nested);
	add_count(j, "mislabelled", c->mislabelled);
	add_count(j, "late", c->late);
	json_end(j, '}');
	json_object(j, "keys");
	for (size_t k = 0; k < c->keys; k++)
		json_int(j, c->key[k].id, c->key[k].values);
	json_end(j, '}');
	if (rotated) {
		json_int(j, "rewritten", c->rewritten);
		json_int(j, "moved", c->moved);
		json_int(j, "conflict", c->conflict);
		json_int(j, "deferred", c->deferred);
	} else {
		add_times(j, c);
	}
	json_end(j, '}');
}

static void
add_table(struct json *j, const struct target *t,
	const struct tally_column *column, bool rotated)
{
	struct buf name;

	buf_init(&name, 1024);
	buf_addf(&name, "%s.%s", t->schema, t->table);
	json_object(j, NULL);
	json_string(j, "label", t->label);
	json_string(j, "name", buf_str(&name));
	if (t->where)
		json_string(j, "where", t->where);
	json_array(j, "columns");
	for (size_t c = 0; c < t->columns; c++)
		add_column(j, t->column[c], &column[c], rotated);
	json_end(j, ']');
	json_end(j, '}');
	buf_done(&name);
}

void
report_json_findings(struct json *j, const struct outcome *outcome)
{
	json_object(j, "findings");
	json_int(j, "total", outcome->total_findings);
	json_array(j, "listed");
	for (size_t i = 0; i < outcome->findings; i++) {
		const struct finding *f = &outcome->finding[i];

		json_object(j, NULL);
		json_string(j, "table", f->table);
		json_string(j, "column", f->column);
		if (f->row && f->row[0])
			json_raw(j, "row", f->row);
		else
			json_null(j, "row");
		json_string(j, "verdict", f->verdict);
		json_string(j, "reason", f->reason);
		json_end(j, '}');
	}
	json_end(j, ']');
	json_end(j, '}');
}

void
report_json_head(struct json *j, const char *command, const struct job *job,
	const struct outcome *outcome, int status)
{
	json_int(j, "schema", REPORT_SCHEMA);
	json_string(j, "command", command);
	if (outcome->run)
		json_int(j, "run", outcome->run);
	else
		json_null(j, "run");
	if (job_current_key(job))
		json_string(j, "primary", job_current_key(job));
	else
		json_null(j, "primary");
	report_json_time(j, "started", outcome->started);
	report_json_time(j, "finished", outcome->finished);
	json_real(j, "seconds", outcome->seconds, 3);
	json_int(j, "exit", status);
	json_bool(j, "complete", outcome->complete);
	if (outcome->note[0])
		json_string(j, "note", outcome->note);
}

void
report_json_tables(struct json *j, const struct job *job,
	const struct outcome *outcome, bool rotated)
{
	json_array(j, "tables");
	for (size_t t = 0; t < job->targets; t++) {
		if (job_selects(job, t))
			add_table(
				j, &job->target[t], outcome->tally[t], rotated);
	}
	json_end(j, ']');
}
