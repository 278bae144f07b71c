/*
 * What the reports for people have in common.
 */
#include "report_int.h"
#include "text.h"
#include <stdio.h>

/* Lines of findings on paper; the JSON report and the state table have all. */
#define LISTED_MAX 50

static void
add_item(struct buf *b, const char *name, int64_t n, bool *any)
{
	if (n == 0)
		return;
	buf_adds(b, *any ? ", " : "");
	text_name(b, name);
	buf_addc(b, ' ');
	text_grouped(b, n);
	*any = true;
}

/* What does not fit would become a time before 1970. */
bool
report_calendar(struct tm *ret, uint64_t seconds)
{
	time_t t = (time_t)seconds;

	return t >= 0 && (uint64_t)t == seconds && gmtime_r(&t, ret);
}

/* 2023-11-02, of seconds since 1970. */
static void
add_date(struct buf *b, uint64_t seconds)
{
	char text[40] = "?";
	struct tm tm;

	if (report_calendar(&tm, seconds))
		strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	buf_adds(b, text);
}

static void
add_key(struct buf *b, const struct key_count *k, bool *any)
{
	add_item(b, k->id, k->values, any);
	if (!k->timed)
		return;
	buf_adds(b, " (");
	add_date(b, k->oldest);
	buf_adds(b, " to ");
	add_date(b, k->newest);
	buf_addc(b, ')');
}

static void
add_verdicts(struct buf *b, const struct tally_column *c)
{
	bool any = false;

	buf_adds(b, "\n  ");
	if (tally_scanned(c) == 0) {
		buf_adds(b, "no values counted\n");
		return;
	}
	text_count(b, tally_scanned(c), "value", "values");
	buf_adds(b, ": ");
	for (int v = 0; v < VERDICTS; v++)
		add_item(b, verdict_name((enum verdict)v), c->verdict[v], &any);
	buf_adds(b, "\n");
}

static void
add_column(struct buf *b, const struct target *t, size_t column,
	const struct tally_column *c)
{
	bool any = false;

	text_name(b, t->schema);
	buf_addc(b, '.');
	text_name(b, t->table);
	buf_addc(b, '.');
	text_name(b, t->column[column]);
	if (t->where) {
		buf_adds(b, " where ");
		text_name(b, t->where);
	}
	add_verdicts(b, c);
	for (size_t k = 0; k < c->keys; k++) {
		buf_adds(b, any ? "" : "  by key: ");
		add_key(b, &c->key[k], &any);
	}
	buf_adds(b, any ? "\n" : "");
	any = false;
	if (c->rewritten || c->moved || c->conflict || c->deferred ||
		c->nested || c->mislabelled || c->late) {
		buf_adds(b,
			c->rewritten || c->moved || c->conflict || c->deferred
				? "  this run: "
				: "  of them: ");
		add_item(b, "rewritten", c->rewritten, &any);
		add_item(b, "moved", c->moved, &any);
		add_item(b, "conflict", c->conflict, &any);
		add_item(b, "deferred", c->deferred, &any);
		add_item(b, "nested", c->nested, &any);
		add_item(b, "mislabelled", c->mislabelled, &any);
		add_item(b, "late", c->late, &any);
		buf_adds(b, "\n");
	}
}

void
report_findings(struct buf *b, const struct outcome *outcome)
{
	size_t n =
		outcome->findings < LISTED_MAX ? outcome->findings : LISTED_MAX;

	if (outcome->total_findings == 0)
		return;
	buf_adds(b, "\n");
	text_count(b, outcome->total_findings, "value needs attention",
		"values need attention");
	buf_adds(b, n > 0 ? ":\n" : "\n");
	for (size_t i = 0; i < n; i++) {
		const struct finding *f = &outcome->finding[i];

		buf_adds(b, "  ");
		text_name(b, f->table);
		buf_addc(b, '.');
		text_name(b, f->column);
		buf_addc(b, ' ');
		text_name(b, f->row && f->row[0] ? f->row : "(gone)");
		buf_addf(b, ": %s", f->verdict);
		if (f->reason[0]) {
			buf_adds(b, ", ");
			text_name(b, f->reason);
		}
		buf_addc(b, '\n');
	}
	if (n > 0 && outcome->total_findings > (int64_t)n) {
		buf_adds(b, "  ... and ");
		text_grouped(b, outcome->total_findings - (int64_t)n);
		buf_adds(b, " more: see --output json, and --max-findings\n");
	}
}

void
report_time(struct buf *b, uint64_t seconds)
{
	char text[40] = "?";
	struct tm tm;

	if (report_calendar(&tm, seconds))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	buf_adds(b, text);
}

void
report_columns(
	struct buf *b, const struct outcome *outcome, const struct job *job)
{
	for (size_t t = 0; t < job->targets; t++) {
		if (!job_selects(job, t))
			continue;
		for (size_t c = 0; c < job->target[t].columns; c++)
			add_column(
				b, &job->target[t], c, &outcome->tally[t][c]);
	}
}
