#include "report.h"
#include "text.h"
#include <stdio.h>
#include <time.h>

/* Lines of findings on paper; the JSON report and the state table have all. */
#define LISTED_MAX 50

/* A database's names may hold anything; a terminal should not obey them. */
static void
add_name(struct buf *b, const char *name)
{
	const unsigned char *p = (const unsigned char *)name;

	for (; *p; p++) {
		if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p++; /* a control character of two bytes */
		else if (*p >= 0x20 && *p != 0x7f) {
			buf_addc(b, (char)*p);
			continue;
		}
		buf_addc(b, '?');
	}
}

static void
add_item(struct buf *b, const char *name, int64_t n, bool *any)
{
	if (n == 0)
		return;
	buf_adds(b, *any ? ", " : "");
	add_name(b, name);
	buf_addc(b, ' ');
	text_grouped(b, n);
	*any = true;
}

static void
add_column(struct buf *b, const struct target *t, size_t column,
	const struct tally_column *c)
{
	bool any = false;

	add_name(b, t->schema);
	buf_addc(b, '.');
	add_name(b, t->table);
	buf_addc(b, '.');
	add_name(b, t->column[column]);
	buf_adds(b, "\n  ");
	text_grouped(b, tally_scanned(c));
	buf_adds(b, " values: ");
	for (int v = 0; v < VERDICTS; v++)
		add_item(b, verdict_name((enum verdict)v), c->verdict[v], &any);
	buf_adds(b, "\n");
	any = false;
	for (size_t k = 0; k < c->keys; k++) {
		buf_adds(b, any ? "" : "  by key: ");
		add_item(b, c->key[k].id, c->key[k].values, &any);
	}
	buf_adds(b, any ? "\n" : "");
	any = false;
	if (c->rewritten || c->conflict || c->deferred || c->nested ||
		c->mislabelled || c->late) {
		buf_adds(b, "  this run: ");
		add_item(b, "rewritten", c->rewritten, &any);
		add_item(b, "conflict", c->conflict, &any);
		add_item(b, "deferred", c->deferred, &any);
		add_item(b, "nested", c->nested, &any);
		add_item(b, "mislabelled", c->mislabelled, &any);
		add_item(b, "late", c->late, &any);
		buf_adds(b, "\n");
	}
}

static void
add_findings(struct buf *b, const struct outcome *outcome)
{
	size_t n =
		outcome->findings < LISTED_MAX ? outcome->findings : LISTED_MAX;

	if (outcome->total_findings == 0)
		return;
	buf_adds(b, "\n");
	text_grouped(b, outcome->total_findings);
	buf_adds(b, outcome->total_findings == 1 ? " value needs attention:\n"
						 : " values need attention:\n");
	for (size_t i = 0; i < n; i++) {
		const struct finding *f = &outcome->finding[i];

		buf_adds(b, "  ");
		add_name(b, f->table);
		buf_addc(b, '.');
		add_name(b, f->column);
		buf_addc(b, ' ');
		add_name(b, f->row && f->row[0] ? f->row : "(gone)");
		buf_addf(b, ": %s", f->verdict);
		if (f->reason[0]) {
			buf_adds(b, ", ");
			add_name(b, f->reason);
		}
		buf_addc(b, '\n');
	}
	if (outcome->total_findings > (int64_t)n) {
		buf_adds(b, "  ... and ");
		text_grouped(b, outcome->total_findings - (int64_t)n);
		buf_adds(b, " more: see --output json and the state schema\n");
	}
}

static void
add_head(struct buf *b, const struct outcome *outcome,
	const struct rotate_options *o)
{
	const struct key *k = &o->job.ring->key[o->job.ring->primary];

	if (o->dry_run)
		buf_adds(b, "dry run");
	else if (outcome->run)
		buf_addf(b, "run %lld%s", (long long)outcome->run,
			outcome->joined ? " (joined)" : "");
	else
		buf_adds(b, "no run");
	if (o->job.method == METHOD_FERNET)
		buf_addf(b, ": to primary %s (%s)", k->id, k->fingerprint);
	else
		buf_adds(b, ": back to plaintext");
	buf_addf(b, ", %.1f s\n\n", outcome->seconds);
}

static void
add_time(struct buf *b, uint64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[40];

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	buf_adds(b, text);
}

/* Exactly what was proven, and what no proof from here can see. */
static void
add_proof(struct buf *b, const struct outcome *outcome,
	const struct rotate_options *o)
{
	const char *id = o->job.method == METHOD_FERNET
				 ? o->job.ring->key[o->job.ring->primary].id
				 : "plaintext";

	buf_adds(b, "complete: at ");
	add_time(b, outcome->finished);
	buf_addf(b,
		" no committed row of these columns carried another label\n"
		"than %s, and every transaction that had written before had "
		"ended. A writer\nthat still seals with an old key, or writes "
		"back a value it read earlier, can\ncreate new ones.\n",
		id);
}

static void
add_end(struct buf *b, const struct outcome *outcome,
	const struct rotate_options *o, int status)
{
	buf_adds(b, "\n");
	if (outcome->note[0]) {
		add_name(b, outcome->note);
		buf_addc(b, '\n');
	}
	switch (status) {
	case ERR_NONE:
		if (o->dry_run)
			buf_adds(b, "a rotation would succeed on every value; "
				    "nothing was written\n");
		else
			add_proof(b, outcome, o);
		break;
	case ERR_FINDINGS:
		buf_adds(b, o->dry_run ? "nothing was written; what is listed "
					 "would be left as it is\n"
				       : "finished, but what is listed was "
					 "left as it is\n");
		break;
	case ERR_STOPPED:
		buf_adds(b, "not finished: run the same command again to "
			    "continue\n");
		break;
	case ERR_INCONCLUSIVE:
		buf_adds(b, "inconclusive: nothing is left to see, but an open "
			    "transaction could still\ncommit an old value; run "
			    "the same command again when it has ended\n");
		break;
	default:
		break;
	}
}

void
report_text(struct buf *ret, const struct outcome *outcome,
	const struct rotate_options *o, int status)
{
	add_head(ret, outcome, o);
	for (size_t t = 0; t < o->job.targets; t++) {
		if (!job_selects(&o->job, t))
			continue;
		for (size_t c = 0; c < o->job.target[t].columns; c++)
			add_column(ret, &o->job.target[t], c,
				&outcome->tally[t][c]);
	}
	add_findings(ret, outcome);
	add_end(ret, outcome, o, status);
}
