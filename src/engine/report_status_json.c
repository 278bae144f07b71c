/*
 * What status says, for programs.
 */
#include "json.h"
#include "report.h"
#include "report_int.h"

static void
json_ms(struct json *j, const char *key, int64_t ms)
{
	if (ms > 0)
		report_json_time(j, key, (uint64_t)ms / 1000);
	else
		json_null(j, key);
}

static void
json_head(struct json *j, const struct runs *runs, const struct run_facts *r)
{
	json_int(j, "run", r->id);
	json_string(j, "state", status_word(runs, r));
	json_string(j, "method", r->method);
	json_string(j, "primary", r->primary);
	json_string(j, "fingerprint", r->fingerprint);
	json_raw(j, "from", r->from);
	json_string(j, "role", r->role);
	json_string(j, "os_user", r->os_user);
	json_string(j, "host", r->host);
	json_string(j, "program", r->program);
	json_ms(j, "started", r->started_ms);
	json_ms(j, "finished", r->finished_ms);
	if (r->exit >= 0)
		json_int(j, "exit", r->exit);
	else
		json_null(j, "exit");
	if (r->why[0])
		json_string(j, "waiting", r->why);
	else
		json_null(j, "waiting");
	if (r->why[0] && r->paused_ms) {
		json_object(j, "paused");
		json_string(j, "by", r->paused_by);
		json_ms(j, "since", r->paused_ms);
		json_end(j, '}');
	} else {
		json_null(j, "paused");
	}
}

static void
json_counts(
	struct json *j, const struct run_facts *r, const struct run_rate *rate)
{
	json_int(j, "rewritten", r->rewritten);
	json_int(j, "moved", r->moved);
	json_int(j, "conflict", r->conflict);
	json_int(j, "deferred", r->deferred);
	json_int(j, "findings", r->findings);
	json_object(j, "rate");
	json_real(j, "per_second", rate->per_second, 1);
	json_string(j, "over", rate->sampled ? "sample" : "run");
	json_real(j, "seconds", rate->seconds, 3);
	json_end(j, '}');
}

static void
json_tables(struct json *j, const struct runs *runs, const struct run_facts *r)
{
	json_array(j, "tables");
	for (size_t i = 0; i < runs->tables; i++) {
		const struct table_facts *t = &runs->table[i];

		if (t->run != r->id)
			continue;
		json_object(j, NULL);
		json_string(j, "label", t->label);
		json_string(j, "name", t->name);
		json_string(j, "state", report_table_state(t));
		json_int(j, "pass", t->pass);
		json_int(j, "blocks", t->blocks);
		json_int(j, "blocks_done", t->done);
		json_real(j, "percent", status_percent(t), 1);
		json_int(j, "rewritten", t->rewritten);
		json_int(j, "moved", t->moved);
		json_int(j, "conflict", t->conflict);
		json_int(j, "deferred", t->deferred);
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void
json_workers(struct json *j, const struct runs *runs, const struct run_facts *r)
{
	json_array(j, "workers");
	for (size_t i = 0; i < runs->workers; i++) {
		const struct worker_facts *w = &runs->worker[i];

		if (w->run != r->id)
			continue;
		json_object(j, NULL);
		json_string(j, "role", w->role);
		json_string(j, "os_user", w->os_user);
		json_string(j, "host", w->host);
		json_int(j, "pid", w->os_pid);
		if (w->backend_pid) /* not behind a pooler */
			json_int(j, "backend_pid", w->backend_pid);
		json_bool(j, "alive", w->alive);
		json_ms(j, "started", w->started_ms);
		json_ms(j, "seen", w->seen_ms);
		if (w->table[0])
			json_string(j, "table", w->table);
		else
			json_null(j, "table");
		json_bool(j, "proves", w->alive && w->proves);
		json_end(j, '}');
	}
	json_end(j, ']');
}

void
report_status_json(struct buf *ret, const struct status_outcome *outcome,
	const struct status_options *o)
{
	const struct runs *runs = &outcome->runs;
	struct json j;

	json_init(&j, ret);
	json_object(&j, NULL);
	json_int(&j, "schema", REPORT_SCHEMA);
	json_string(&j, "command", "status");
	json_array(&j, "runs");
	for (size_t i = 0; i < runs->runs; i++) {
		const struct run_facts *r = &runs->run[i];

		json_object(&j, NULL);
		json_head(&j, runs, r);
		json_counts(&j, r, &outcome->rate[i]);
		if (!o->all) {
			json_tables(&j, runs, r);
			json_workers(&j, runs, r);
		}
		json_end(&j, '}');
	}
	json_end(&j, ']');
	json_end(&j, '}');
	buf_addc(ret, '\n');
}
