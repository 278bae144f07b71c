#include "report.h"
#include "report_int.h"
#include "text.h"

/* -- for people ------------------------------------------------------------ */

static bool
is_of(const struct remark *r, enum remark_subject subject, size_t target)
{
	return remark_topic_subject(r->topic) == subject &&
	       (subject != SUBJECT_TABLE || r->target == target);
}

/* The leaf's name, unless it is the table's own, or in the text already. */
static void
add_place(struct buf *b, const struct remark *r, const struct job *job)
{
	const struct target *t = &job->target[r->target];
	struct buf name;

	if (!r->table || r->level == REMARK_REFUSAL)
		return;
	buf_init(&name, 1024);
	buf_addf(&name, "%s.%s", t->schema, t->table);
	if (strcmp(buf_str(&name), r->table) != 0) {
		text_name(b, r->table);
		buf_adds(b, ": ");
	}
	buf_done(&name);
}

static void
add_remark(struct buf *b, const struct check_remark *own, const struct job *job)
{
	const struct remark *r = &own->r;

	buf_addf(b, "  %-8s %-13s ", remark_level_name(r->level),
		remark_topic_name(r->topic));
	add_place(b, r, job);
	if (r->column && r->topic == TOPIC_VALUES) {
		text_name(b, r->column);
		buf_adds(b, ": ");
	}
	text_name(b, r->text);
	if (own->more > 0)
		buf_addf(b, " (and %zu more like it)", own->more);
	buf_addc(b, '\n');
	if (!r->hint[0])
		return;
	buf_adds(b, "                         hint: ");
	text_name(b, r->hint);
	buf_addc(b, '\n');
}

static void
add_heading(struct buf *b, const struct job *job, enum remark_subject subject,
	size_t target)
{
	static const char *const heading[] = {
		"configuration", "keys", "server", "table"};

	buf_adds(b, heading[subject]);
	if (subject == SUBJECT_TABLE) {
		buf_addf(b, " %s: ", job->target[target].label);
		text_name(b, job->target[target].schema);
		buf_addc(b, '.');
		text_name(b, job->target[target].table);
	}
	buf_addc(b, '\n');
}

/* The heading comes with the first line below it. */
static void
add_group(struct buf *b, const struct check_outcome *outcome,
	const struct job *job, enum remark_subject subject, size_t target)
{
	bool any = false;

	for (size_t i = 0; i < outcome->remarks; i++) {
		const struct check_remark *own = &outcome->remark[i];

		if (!is_of(&own->r, subject, target) ||
			(job->quiet && own->r.level < REMARK_WARNING))
			continue;
		if (!any)
			add_heading(b, job, subject, target);
		any = true;
		add_remark(b, own, job);
	}
	buf_adds(b, any ? "\n" : "");
}

static void
add_count(struct buf *b, size_t n, const char *one, const char *many, bool *any)
{
	if (n == 0)
		return;
	buf_adds(b, *any ? ", " : "");
	text_count(b, (int64_t)n, one, many);
	*any = true;
}

static void
add_time(struct buf *b, const struct check_outcome *outcome,
	const struct job *job)
{
	int64_t seconds = 0, wal = 0;

	for (size_t i = 0; i < job->targets; i++) {
		seconds += outcome->estimate[i].seconds;
		wal += outcome->estimate[i].wal;
	}
	if (seconds == 0)
		return;
	buf_adds(b, "all tables: about ");
	text_seconds(b, seconds);
	buf_adds(b, " and ");
	text_bytes(b, wal);
	buf_adds(b, " of WAL; rotate --dry-run tells more\n");
}

static void
add_end(struct buf *b, const struct check_outcome *outcome,
	const struct job *job)
{
	bool any = false;

	for (size_t i = 0; i < outcome->remarks; i++) {
		const struct remark *r = &outcome->remark[i].r;

		if (r->level != REMARK_REFUSAL)
			continue;
		buf_adds(b, any ? "  " : "refused:\n  ");
		text_name(b, r->text);
		buf_addc(b, '\n');
		any = true;
	}
	if (!any && !job->quiet)
		add_time(b, outcome, job);
	any = false;
	add_count(
		b, outcome->count[REMARK_REFUSAL], "refusal", "refusals", &any);
	add_count(
		b, outcome->count[REMARK_WARNING], "warning", "warnings", &any);
	add_count(b, outcome->count[REMARK_NOTE], "note", "notes", &any);
	buf_addf(b, "%srotate would %s\n", any ? ": " : "",
		outcome->count[REMARK_REFUSAL] > 0 ? "not start" : "start");
}

void
report_check_text(struct buf *ret, const struct check_outcome *outcome,
	const struct check_options *o, int status)
{
	const struct job *job = &o->rotate.job;

	(void)status;
	add_group(ret, outcome, job, SUBJECT_CONFIGURATION, 0);
	add_group(ret, outcome, job, SUBJECT_KEYS, 0);
	add_group(ret, outcome, job, SUBJECT_SERVER, 0);
	for (size_t i = 0; i < job->targets; i++)
		add_group(ret, outcome, job, SUBJECT_TABLE, i);
	add_end(ret, outcome, job);
}

/* -- for programs ---------------------------------------------------------- */

/* "row security" as row_security. */
static void
add_word(struct json *j, const char *key, const char *words)
{
	struct buf b;

	buf_init(&b, 100);
	for (; *words; words++)
		buf_addc(&b, *words == ' ' ? '_' : *words);
	json_string(j, key, buf_str(&b));
	buf_done(&b);
}

static void
add_json_remark(
	struct json *j, const struct check_remark *own, const struct job *job)
{
	const struct remark *r = &own->r;

	json_object(j, NULL);
	json_string(j, "level", remark_level_name(r->level));
	add_word(j, "topic", remark_topic_name(r->topic));
	if (remark_topic_subject(r->topic) == SUBJECT_TABLE)
		json_string(j, "label", job->target[r->target].label);
	if (r->table)
		json_string(j, "table", r->table);
	if (r->column)
		json_string(j, "column", r->column);
	json_string(j, "text", r->text);
	if (r->hint[0])
		json_string(j, "hint", r->hint);
	if (own->more > 0)
		json_int(j, "more", (int64_t)own->more);
	if (r->level == REMARK_REFUSAL)
		json_int(j, "exit", (int64_t)r->code);
	json_end(j, '}');
}

static void
add_json_estimates(struct json *j, const struct check_outcome *outcome,
	const struct job *job)
{
	json_array(j, "estimates");
	for (size_t i = 0; i < job->targets; i++) {
		const struct check_estimate *e = &outcome->estimate[i];

		if (!job_selects(job, i))
			continue;
		json_object(j, NULL);
		json_string(j, "label", job->target[i].label);
		if (e->rows < 0)
			json_null(j, "rows");
		else
			json_int(j, "rows", e->rows);
		json_int(j, "heap_bytes", e->heap);
		json_int(j, "toast_bytes", e->toast);
		json_int(j, "index_bytes", e->indexes);
		json_real(j, "share", e->share, 3);
		json_int(j, "wal_bytes", e->wal);
		json_int(j, "seconds", e->seconds);
		json_end(j, '}');
	}
	json_end(j, ']');
}

void
report_check_json(struct buf *ret, const struct check_outcome *outcome,
	const struct check_options *o, int status)
{
	const struct job *job = &o->rotate.job;
	struct json j;

	json_init(&j, ret);
	json_object(&j, NULL);
	report_json_head(&j, "check", job, &outcome->facts, status);
	json_object(&j, "counts");
	for (int level = 0; level < REMARK_LEVELS; level++)
		json_int(&j, remark_level_name((enum remark_level)level),
			(int64_t)outcome->count[level]);
	json_end(&j, '}');
	json_array(&j, "remarks");
	for (size_t i = 0; i < outcome->remarks; i++)
		add_json_remark(&j, &outcome->remark[i], job);
	json_end(&j, ']');
	add_json_estimates(&j, outcome, job);
	report_json_tables(&j, job, &outcome->facts, false);
	json_end(&j, '}');
	buf_addc(ret, '\n');
}
