/*
 * The triggers that our UPDATE would fire, and the columns that they set.
 */
#include "survey_int.h"

/* Does the function's text set NEW.column, or, if it is written in C
 * (moddatetime and its kind), is the column one of its arguments? A guess, but
 * one that finds how updated_at is kept everywhere. */
#define SETS                                                                   \
	"(SELECT pg_catalog.string_agg(a.attname::text, ', ' ORDER BY"         \
	" a.attnum) FROM pg_catalog.pg_attribute a"                            \
	" WHERE a.attrelid = g.tgrelid AND a.attnum > 0"                       \
	" AND NOT a.attisdropped AND CASE WHEN l.lanname = 'c' THEN"           \
	" pg_catalog.strpos(pg_catalog.encode(g.tgargs, 'escape'),"            \
	" a.attname::text || E'\\\\000') > 0 ELSE p.prosrc ~* ("               \
	"'(^|;|\\mbegin|\\mthen|\\melse|\\mloop)\\s*new\\.\"?' ||"             \
	" pg_catalog.regexp_replace(a.attname::text, '(\\W)', '\\\\\\1', 'g')" \
	" || '\"?\\s*:?=') END)"

static const char triggers_sql[] =
	"SELECT g.tgname, p.proname, g.tgtype & 1::int2 <> 0, g.tgtype & "
	"2::int2 <> 0,"
	" g.tgqual IS NOT NULL,"
	" CASE WHEN g.tgtype & 3::int2 = 3 THEN " SETS " END "
	"FROM pg_catalog.pg_trigger g"
	" JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid"
	" JOIN pg_catalog.pg_language l ON l.oid = p.prolang "
	"WHERE g.tgrelid = $1::oid AND NOT g.tgisinternal"
	" AND g.tgenabled IN ('O', 'A') AND g.tgtype & 16::int2 = 16"
	/* UPDATE OF other columns does not concern us. */
	" AND (g.tgattr::text = '' OR EXISTS (SELECT FROM"
	"  pg_catalog.pg_attribute a WHERE a.attrelid = g.tgrelid"
	"  AND a.attnum = ANY (g.tgattr::int2[])"
	"  AND a.attname = ANY (" COLUMN_NAMES "))) "
	"ORDER BY g.tgname";

static void
tell(const struct survey *s, const struct pg_result *r, int i)
{
	const char *name = pg_text(r, i, 0), *function = pg_text(r, i, 1);
	const char *when = pg_bool(r, i, 4) ? " when its condition holds" : "";

	if (!pg_bool(r, i, 2))
		remark_add(s->to, &s->about, REMARK_NOTE,
			"trigger %s (%s) would fire once per batch", name,
			function);
	else if (!pg_bool(r, i, 3))
		remark_add(s->to, &s->about, REMARK_NOTE,
			"trigger %s (%s) would fire after each rewritten "
			"row%s",
			name, function, when);
	else if (pg_is_null(r, i, 5))
		remark_add(s->to, &s->about, REMARK_WARNING,
			"trigger %s (%s) would fire before each rewritten "
			"row%s, and may change or suppress it",
			name, function, when);
	else
		remark_add(s->to, &s->about, REMARK_WARNING,
			"trigger %s (%s) would fire before each rewritten "
			"row%s and set %s",
			name, function, when, pg_text(r, i, 5));
}

int
survey_triggers(struct survey *s, const struct pg_args *args, struct err *err)
{
	struct pg_result *r;

	s->about.topic = TOPIC_TRIGGERS;
	if (survey_query(&r, s, "the triggers", triggers_sql, args, err) < 0)
		return -1;
	if (!r)
		return 0;
	for (int i = 0; i < pg_rows(r); i++)
		tell(s, r, i);
	pg_free(r);
	remark_ok(s->to, TOPIC_TRIGGERS, s->about.target);
	return 0;
}
