/*
 * What status says, for people.
 */
#include "lines_int.h"
#include "report.h"
#include "report_int.h"
#include "text.h"

/* Workers that are gone are listed to that number, for people. */
#define GONE_MAX 5

/* What goes first where a terminal has room for a part. */
enum rank {
	RANK_STATE,
	RANK_COUNTS,
	RANK_WALKED, /* tables that somebody is at */
	RANK_TABLES,
	RANK_ORIGIN,
	RANK_WORKERS,
	RANK_GONE,
};

static void
add_age(struct buf *b, int64_t ms)
{
	int64_t s = ms > 0 ? ms / 1000 : 0;

	if (s < 120)
		buf_addf(b, "%lld s", (long long)s);
	else if (s < 7200)
		buf_addf(b, "%lld min", (long long)(s / 60));
	else if (s < 172800)
		buf_addf(b, "%lld h", (long long)(s / 3600));
	else
		buf_addf(b, "%lld d", (long long)(s / 86400));
	buf_adds(b, " ago");
}

static void
add_who(struct buf *b, const char *role, const char *os_user, const char *host)
{
	buf_adds(b, "role ");
	text_name(b, role);
	buf_adds(b, ", user ");
	text_name(b, os_user);
	buf_adds(b, " on ");
	text_name(b, host);
}

static void
add_state(struct buf *b, const struct runs *runs, const struct run_facts *r)
{
	buf_addf(b, "run %lld: %s, ", (long long)r->id, status_word(runs, r));
	if (!strcmp(r->method, "plaintext")) {
		buf_adds(b, "back to plaintext");
	} else {
		buf_adds(b, "to primary ");
		text_name(b, r->primary);
		buf_addf(b, " (%s)", r->fingerprint);
	}
	if (r->from_text[0]) {
		buf_adds(b, " from ");
		text_name(b, r->from_text);
	}
	buf_addc(b, '\n');
}

static void
add_origin(struct buf *b, const struct run_facts *r)
{
	buf_adds(b, "  begun ");
	report_time(b, (uint64_t)r->started_ms / 1000);
	buf_adds(b, " by ");
	add_who(b, r->role, r->os_user, r->host);
	buf_adds(b, ", pgrekey ");
	text_name(b, r->program);
	if (r->finished_ms) {
		buf_adds(b, "\n  ended ");
		report_time(b, (uint64_t)r->finished_ms / 1000);
		if (r->exit >= 0)
			buf_addf(b, ", exit status %d", r->exit);
	}
	buf_addc(b, '\n');
}

static void
add_why(struct buf *b, const struct run_facts *r)
{
	if (!r->why[0])
		return;
	buf_adds(b, r->paused_ms ? "  " : "  waiting: ");
	text_name(b, r->why);
	buf_adds(b, r->paused_ms ? "; `pgrekey resume` lets it go on\n" : "\n");
}

static void
add_counts(
	struct buf *b, const struct run_facts *r, const struct run_rate *rate)
{
	buf_adds(b, "  ");
	text_count(b, r->rewritten, "value", "values");
	buf_adds(b, " rewritten, ");
	text_grouped(b, (int64_t)rate->per_second);
	if (rate->sampled)
		buf_addf(b, "/s in the last %.1f s", rate->seconds);
	else
		buf_adds(b, r->finished_ms ? "/s from its start to its end"
					   : "/s since its start");
	buf_adds(b, "; moved ");
	text_grouped(b, r->moved);
	buf_adds(b, ", conflicts ");
	text_grouped(b, r->conflict);
	buf_adds(b, ", deferred ");
	text_grouped(b, r->deferred);
	buf_adds(b, ", findings ");
	text_grouped(b, r->findings);
	buf_addc(b, '\n');
}

struct table_words {
	const char *state; /* as stored */
	const char *json;
	const char *none; /* for people, before any pass */
	const char *some; /* after or in pass number ... */
};

static const struct table_words table_words[] = {
	{"dirty", "waiting", "waiting", "another pass follows pass"},
	{"walking", "walking", "", "pass"},
	{"settled", "done", "nothing to rewrite", "done with pass"},
	{"exhausted", "exhausted", "given up", "given up after pass"},
	{"gone", "gone", "the table is gone", "the table is gone after pass"},
	{NULL, "?", "?", "?"},
};

static const struct table_words *
words_of(const struct table_facts *t)
{
	const struct table_words *w = table_words;

	while (w->state && strcmp(w->state, t->state) != 0)
		w++;
	return w;
}

const char *
report_table_state(const struct table_facts *t)
{
	return words_of(t)->json;
}

static void
add_leaf(struct buf *b, const struct table_facts *t)
{
	const struct table_words *w = words_of(t);

	text_name(b, t->name);
	if (t->pass == 0)
		buf_addf(b, ": %s, ", w->none);
	else
		buf_addf(b, ": %s %lld, ", w->some, (long long)t->pass);
}

/* Leaves of one table section that has several. */
static void
add_leaves(struct buf *b, const struct table_facts *t, size_t count)
{
	int64_t pass = 0;

	buf_addf(b, "%zu tables: ", count);
	for (const struct table_words *w = table_words; w->state; w++) {
		size_t n = 0;

		for (size_t i = 0; i < count; i++)
			n += words_of(&t[i]) == w;
		if (n > 0)
			buf_addf(b, "%zu %s, ", n, w->json);
	}
	for (size_t i = 0; i < count; i++)
		pass = t[i].pass > pass ? t[i].pass : pass;
	if (pass > 0)
		buf_addf(b, "pass %lld, ", (long long)pass);
}

static void
add_table(struct buf *b, const struct table_facts *t, size_t count)
{
	struct table_facts sum = t[0];

	for (size_t i = 1; i < count; i++) {
		sum.pass += t[i].pass;
		sum.blocks += t[i].blocks;
		sum.done += t[i].done;
		sum.rewritten += t[i].rewritten;
	}
	buf_adds(b, "  [");
	text_name(b, t->label);
	buf_adds(b, "] ");
	if (count == 1)
		add_leaf(b, t);
	else
		add_leaves(b, t, count);
	/* Never 100 % before it is so. */
	buf_addf(b, "%d %%, ", (int)status_percent(&sum));
	text_count(b, sum.rewritten, "value", "values");
	buf_addc(b, '\n');
}

static bool
is_walked(const struct table_facts *t, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(t[i].state, "walking"))
			return true;
	}
	return false;
}

static void
add_tables(struct lines *l, const struct runs *runs, const struct run_facts *r)
{
	for (size_t i = 0, n; i < runs->tables; i += n) {
		const struct table_facts *t = &runs->table[i];

		for (n = 1; i + n < runs->tables && t[n].run == t->run &&
			    !strcmp(t[n].label, t->label);
			n++)
			;
		if (t->run != r->id)
			continue;
		add_table(&l->text, t, n);
		lines_end(l, is_walked(t, n) ? RANK_WALKED : RANK_TABLES);
	}
}

static void
add_worker(struct buf *b, const struct worker_facts *w, int64_t now_ms)
{
	buf_adds(b, "  worker of ");
	add_who(b, w->role, w->os_user, w->host);
	buf_addf(b, ", process %lld", (long long)w->os_pid);
	if (w->backend_pid) /* not behind a pooler */
		buf_addf(b, ", backend %lld", (long long)w->backend_pid);
	buf_addf(b, ": %s, last sign of life ", w->alive ? "alive" : "gone");
	add_age(b, now_ms - w->seen_ms);
	if (w->alive && w->proves) {
		buf_adds(b, ", proves the end");
	} else if (w->table[0]) {
		buf_adds(b, ", ");
		text_name(b, w->table);
	}
	buf_addc(b, '\n');
}

static void
add_workers(struct lines *l, const struct runs *runs, const struct run_facts *r)
{
	size_t gone = 0;

	for (size_t i = 0; i < runs->workers; i++) {
		const struct worker_facts *w = &runs->worker[i];

		if (w->run != r->id || (!w->alive && gone++ >= GONE_MAX))
			continue;
		add_worker(&l->text, w, r->now_ms);
		lines_end(l, w->alive ? RANK_WORKERS : RANK_GONE);
	}
	if (gone > GONE_MAX)
		buf_addf(&l->text, "  ... and %zu more that are gone\n",
			gone - GONE_MAX);
	lines_end(l, RANK_GONE);
}

static void
add_run(struct lines *l, const struct status_outcome *outcome, size_t i,
	bool parts)
{
	const struct runs *runs = &outcome->runs;
	const struct run_facts *r = &runs->run[i];

	add_state(&l->text, runs, r);
	lines_end(l, RANK_STATE);
	add_origin(&l->text, r);
	lines_end(l, RANK_ORIGIN);
	add_why(&l->text, r);
	lines_end(l, RANK_STATE);
	add_counts(&l->text, r, &outcome->rate[i]);
	lines_end(l, RANK_COUNTS);
	if (!parts)
		return;
	add_tables(l, runs, r);
	add_workers(l, runs, r);
}

void
report_status_text(struct buf *ret, const struct status_outcome *outcome,
	const struct status_options *o, const struct report_screen *screen)
{
	struct lines l;

	lines_init(&l);
	if (outcome->runs.runs == 0)
		buf_adds(&l.text, "no run yet\n");
	for (size_t i = 0; i < outcome->runs.runs; i++) {
		buf_adds(&l.text, i ? "\n" : "");
		add_run(&l, outcome, i, !o->all);
	}
	lines_end(&l, RANK_STATE);
	lines_fit(ret, &l, screen);
	lines_done(&l);
}
