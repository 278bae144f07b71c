/*
 * verify's report as JUnit XML: one test case per column and check, so that a
 * CI system shows which column fails at what.
 */
#include "report.h"
#include "report_int.h"
#include "text.h"
#include <stdio.h>

/* XML has no way to write most control characters, U+FFFE and U+FFFF: they
 * become "?". */
static void
add_xml(struct buf *b, const char *text)
{
	struct buf clean;

	buf_init(&clean, SIZE_MAX);
	text_name(&clean, text);
	for (const char *p = buf_str(&clean); *p; p++) {
		if (!strncmp(p, "\xef\xbf\xbe", 3) ||
			!strncmp(p, "\xef\xbf\xbf", 3)) {
			buf_addc(b, '?');
			p += 2;
			continue;
		}
		switch (*p) {
		case '<':
			buf_adds(b, "&lt;");
			break;
		case '>':
			buf_adds(b, "&gt;");
			break;
		case '&':
			buf_adds(b, "&amp;");
			break;
		case '"':
			buf_adds(b, "&quot;");
			break;
		default:
			buf_addc(b, *p);
		}
	}
	buf_done(&clean);
}

struct suite {
	struct buf *cases;
	int tests, failures, skipped;
};

static void
begin_case(struct suite *s, const char *class, const char *name)
{
	s->tests++;
	buf_adds(s->cases, "    <testcase classname=\"");
	add_xml(s->cases, class);
	buf_adds(s->cases, "\" name=\"");
	add_xml(s->cases, name);
}

static void
skip_case(struct suite *s, const char *class, const char *name, const char *why)
{
	begin_case(s, class, name);
	s->skipped++;
	buf_adds(s->cases, "\">\n      <skipped message=\"");
	add_xml(s->cases, why);
	buf_adds(s->cases, "\"/>\n    </testcase>\n");
}

/* A test case; message NULL: it passed. lines is what a failure goes on to
 * say, already XML. */
static void
add_case(struct suite *s, const char *class, const char *name,
	const char *message, const char *lines)
{
	struct buf *b = s->cases;

	begin_case(s, class, name);
	if (!message) {
		buf_adds(b, "\"/>\n");
		return;
	}
	s->failures++;
	buf_adds(b, "\">\n      <failure message=\"");
	add_xml(b, message);
	buf_adds(b, "\">");
	buf_adds(b, lines);
	buf_adds(b, "</failure>\n    </testcase>\n");
}

/* -- the checks ------------------------------------------------------------ */

static bool
is_readable(enum verdict v)
{
	switch (v) {
	case VERDICT_UNKNOWN_KEY:
	case VERDICT_CORRUPT:
	case VERDICT_MALFORMED:
	case VERDICT_FOREIGN:
	case VERDICT_UNSUPPORTED:
	case VERDICT_OVERSIZE:
		return false;
	default:
		return true;
	}
}

static void
add_line(struct buf *b, const struct finding *f, bool with_column)
{
	add_xml(b, f->table);
	buf_addc(b, ' ');
	if (with_column) {
		add_xml(b, f->column);
		buf_addc(b, ' ');
	}
	add_xml(b, f->row);
	buf_adds(b, ": ");
	add_xml(b, f->verdict);
	buf_adds(b, f->reason[0] ? ", " : "");
	add_xml(b, f->reason);
	buf_addc(b, '\n');
}

/* The findings of a column whose verdict is of that kind. */
static void
add_lines(struct buf *b, const struct outcome *facts, size_t target,
	const char *column, bool readable)
{
	for (size_t i = 0; i < facts->findings; i++) {
		const struct finding *f = &facts->finding[i];
		enum verdict v;

		if (f->target != target || strcmp(f->column, column) != 0 ||
			!verdict_find(&v, f->verdict) ||
			is_readable(v) != readable)
			continue;
		add_line(b, f, false);
	}
}

/* Counts the values that fail a check. What opens may still be wrong in ways
 * that its verdict does not show: an old envelope within a current one. */
static int64_t
failing(const struct tally_column *c, bool readable)
{
	int64_t unreadable = 0;

	for (int v = 0; v < VERDICTS; v++) {
		if (!is_readable((enum verdict)v))
			unreadable += c->verdict[v];
	}
	return readable ? c->findings + c->left - unreadable : unreadable;
}

struct check {
	const char *name;
	bool readable; /* looks at values that open, else at the others */
};

static const struct check checks[] = {
	{"every value opens", false},
	{"every value is sealed by the primary", true},
};

/* Whether a key may go says nothing about the others: such a case could be red
 * where the exit status is 0. What does not open may be under any key. */
static bool
is_asked(const struct verify_options *o, const struct check *check)
{
	return o->retires == 0 || !check->readable;
}

static void
check_column(struct suite *s, const struct verify_outcome *outcome,
	const struct verify_options *o, size_t target, size_t column)
{
	const struct tally_column *c = &outcome->facts.tally[target][column];
	const struct target *t = &o->job.target[target];
	char class[300], name[300], message[100];
	struct buf lines;

	snprintf(class, sizeof(class), "%.140s.%.140s", t->schema, t->table);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		int64_t n = failing(c, checks[i].readable);

		snprintf(name, sizeof(name), "%.200s: %s", t->column[column],
			checks[i].name);
		if (!is_asked(o, &checks[i])) {
			skip_case(s, class, name,
				"verify --retire does not ask for it");
			continue;
		}
		snprintf(message, sizeof(message), "%lld %s", (long long)n,
			text_plural(n, "value does not", "values do not"));
		buf_init(&lines, SIZE_MAX);
		add_lines(&lines, &outcome->facts, target, t->column[column],
			checks[i].readable);
		add_case(s, class, name, n > 0 ? message : NULL,
			buf_str(&lines));
		buf_done(&lines);
	}
}

static void
check_keys(struct suite *s, const struct verify_outcome *outcome,
	const struct verify_options *o)
{
	char name[300], message[100];
	struct buf lines;

	for (size_t i = 0; i < o->retires; i++) {
		buf_init(&lines, SIZE_MAX);
		for (size_t f = 0; f < outcome->facts.findings; f++) {
			if (outcome->facts.finding[f].keys >> i & 1)
				add_line(&lines, &outcome->facts.finding[f],
					true);
		}
		snprintf(name, sizeof(name), "key %.200s is unused",
			o->job.ring->key[o->retire[i]].id);
		snprintf(message, sizeof(message),
			"%lld %s it, %lld could not be read",
			(long long)outcome->retired[i],
			text_plural(outcome->retired[i], "value needs",
				"values need"),
			(long long)outcome->unread);
		add_case(s, "keys", name,
			outcome->retired[i] + outcome->unread > 0 ? message
								  : NULL,
			buf_str(&lines));
		buf_done(&lines);
	}
}

/* Everything passes, and still it is no proof: a CI must not be green. */
static void
check_proof(struct suite *s, const struct verify_outcome *outcome, int status)
{
	char message[400];

	snprintf(message, sizeof(message), "inconclusive%s%.255s",
		outcome->writers[0] ? ": not ended is " : "", outcome->writers);
	if (status == ERR_STOPPED)
		snprintf(message, sizeof(message), "%.300s",
			outcome->facts.note);
	add_case(s, "verify", "one snapshot shows all of it",
		status == ERR_INCONCLUSIVE || status == ERR_STOPPED ? message
								    : NULL,
		"");
}

/* One case for all that is not configured: a CI must not be green. */
static void
check_discovered(struct suite *s, const struct discover_outcome *d)
{
	char message[100];
	struct buf lines;

	buf_init(&lines, SIZE_MAX);
	for (size_t t = 0; t < d->tables; t++) {
		for (size_t c = 0; c < d->table[t].columns; c++) {
			add_xml(&lines, d->table[t].schema);
			buf_addc(&lines, '.');
			add_xml(&lines, d->table[t].table);
			buf_addc(&lines, '.');
			add_xml(&lines, d->table[t].column[c].name);
			buf_addc(&lines, '\n');
		}
	}
	for (size_t i = 0; i < d->unreads; i++) {
		buf_adds(&lines, "not read: ");
		add_xml(&lines, d->unread[i].table);
		buf_addc(&lines, '\n');
	}
	snprintf(message, sizeof(message),
		"%lld %s envelopes, %zu %s could not be read",
		(long long)d->columns,
		text_plural(d->columns, "column holds", "columns hold"),
		d->unreads,
		text_plural((int64_t)d->unreads, "table", "tables"));
	add_case(s, "discover", "every encrypted column is configured",
		d->columns > 0 || d->unreads > 0 ? message : NULL,
		buf_str(&lines));
	buf_done(&lines);
}

void
report_verify_junit(struct buf *ret, const struct verify_outcome *outcome,
	const struct verify_options *o, int status)
{
	struct buf cases;
	struct suite s = {.cases = &cases};

	buf_init(&cases, SIZE_MAX);
	for (size_t t = 0; t < o->job.targets; t++) {
		if (!job_selects(&o->job, t))
			continue;
		for (size_t c = 0; c < o->job.target[t].columns; c++)
			check_column(&s, outcome, o, t, c);
	}
	check_keys(&s, outcome, o);
	check_proof(&s, outcome, status);
	if (outcome->discovered)
		check_discovered(&s, outcome->discovered);
	buf_addf(ret,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites>\n  <testsuite name=\"pgrekey verify\" "
		"tests=\"%d\" failures=\"%d\" errors=\"0\" skipped=\"%d\" "
		"time=\"%.3f\">\n",
		s.tests, s.failures, s.skipped, outcome->facts.seconds);
	buf_add(ret, cases.ptr, cases.len);
	buf_adds(ret, "  </testsuite>\n</testsuites>\n");
	buf_done(&cases);
}
