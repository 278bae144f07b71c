/* The statements as text: quoting, filters, what is compared. Whether the
 * server does with them what it should is for tests/db. */
#include "leaf.h"

static const char *const one[] = {"c"};
static const char *const three[] = {"a", "b", "c"};

#define CURRENT                                                \
	"pg_catalog.starts_with(t.\"c\"::text COLLATE \"C\", " \
	"'enc:fernet:k2:')"
#define MEMBER "sentry_encrypted_field_value"
#define JSONB_TEXT                                                            \
	"CASE WHEN CASE WHEN pg_catalog.starts_with(t.\"c\" ->> '" MEMBER     \
	"'::text, 'enc:fernet:') THEN t.\"c\" - '" MEMBER                     \
	"'::text = '{}'::jsonb END THEN t.\"c\" ->> '" MEMBER "'::text ELSE " \
	"t.\"c\"::text END"
#define WINDOW "t.ctid >= (SELECT $2::tid) AND t.ctid < (SELECT $3::tid)"
#define JOINED "pg_catalog.tidlarger(t.ctid, '(0,0)'::tid) = s.tid"
#define RANGE "t.ctid >= '(3,0)'::tid AND t.ctid < '(7,2)'::tid"

static void
a_window_reads_the_values_that_are_not_current_yet(void **state)
{
	struct scene *s = *state;

	scene_columns(s, one, 1);
	sql_read(&s->sql, &s->view, &s->range);
	assert_string_equal(buf_str(&s->sql),
		"SELECT x.ctid, 0 + CASE WHEN pg_catalog.octet_length(x.v0) "
		"> 1000 THEN 1 << 0 ELSE 0 END, CASE WHEN "
		"pg_catalog.octet_length(x.v0) > 1000 THEN '' ELSE x.v0 END "
		"FROM (SELECT t.ctid, t.\"c\"::text AS v0 FROM ONLY "
		"\"s\".\"T\" AS t WHERE " RANGE " AND (NOT " CURRENT
		") OFFSET 0) AS x");
}

static void
reading_everything_has_no_filter_but_for_nulls(void **state)
{
	struct scene *s = *state;

	scene_columns(s, one, 1);
	s->view.everything = true;
	sql_read(&s->sql, &s->view, NULL);
	assert_has(s, "WHERE (t.\"c\" IS NOT NULL)");
	assert_lacks(s, "starts_with");
	assert_lacks(s, "ctid >=");
}

static void
the_way_back_filters_what_is_marked(void **state)
{
	struct scene *s = *state;

	scene_columns(s, one, 1);
	s->view.current_key = NULL;
	sql_read(&s->sql, &s->view, NULL);
	assert_has(s,
		"(NOT pg_catalog.starts_with(t.\"c\"::text COLLATE \"C\", "
		"'enc:plaintext:'))");
}

static void
a_row_is_read_if_any_column_is_not_current_and_only_those_are_sent(void **state)
{
	struct scene *s = *state;

	scene_columns(s, three, 3);
	sql_read(&s->sql, &s->view, &s->range);
	assert_has(s, "(NOT pg_catalog.starts_with(t.\"a\"::text");
	assert_has(s, " OR NOT (pg_catalog.starts_with(t.\"b\"::text");
	assert_has(s, " OR NOT CASE WHEN t.\"c\" IS NOT NULL");
	assert_has(s,
		", CASE WHEN NOT pg_catalog.starts_with(t.\"a\"::text COLLATE "
		"\"C\", 'enc:fernet:k2:') THEN t.\"a\"::text END AS v0");
	/* octet_length() would detoast a json; not asked where none can be. */
	assert_lacks(s, "pg_catalog.octet_length(x.v1");
	buf_reset(&s->sql);
	s->leaf.may_toast = true;
	sql_read(&s->sql, &s->view, NULL);
	assert_has(s, "pg_catalog.octet_length(x.v1) > 1000 THEN 1 << 1");
	assert_has(s, "pg_catalog.octet_length(x.v2) > 1000 THEN 1 << 2");
	assert_has(s, "(x.v2) > 1000 THEN '' ELSE x.v2 END FROM (");
}

/* Each look at it through ::text would print it once more. */
static void
a_jsonb_is_printed_at_most_once_when_it_is_read(void **state)
{
	struct scene *s = *state;
	const char *first;

	scene_columns(s, three, 3);
	s->leaf.may_toast = true;
	sql_read(&s->sql, &s->view, NULL);
	first = strstr(buf_str(&s->sql), "t.\"c\"::text");
	assert_non_null(first);
	assert_null(strstr(first + 1, "t.\"c\"::text"));
	assert_has(s, "t.\"c\"::text END END AS v2 FROM ONLY");
	assert_has(s, " OFFSET 0) AS x");
}

static void
the_configured_condition_holds_in_every_reading_statement(void **state)
{
	static char where[] = "a OR b";
	struct scene *s = *state;

	scene_columns(s, one, 1);
	s->target.where = where;
	s->column[0].max_chars = 100;
	sql_read(&s->sql, &s->view, NULL);
	assert_has(s, ") AND (a OR b)");
	buf_reset(&s->sql);
	sql_count(&s->sql, &s->view);
	assert_has(s, "WHERE true AND (a OR b)");
	buf_reset(&s->sql);
	assert_true(sql_overflow(&s->sql, &s->view, 0));
	assert_has(s, CURRENT " AND (a OR b)) AS x WHERE n > 100");
}

static void
counting_counts_nulls_and_what_the_label_says(void **state)
{
	struct scene *s = *state;

	scene_columns(s, one, 1);
	sql_count(&s->sql, &s->view);
	assert_string_equal(buf_str(&s->sql),
		"SELECT pg_catalog.count(*), pg_catalog.count(*) - "
		"pg_catalog.count(t.\"c\"), pg_catalog.count(*) FILTER "
		"(WHERE " CURRENT ") FROM ONLY \"s\".\"T\" AS t WHERE true");
	buf_reset(&s->sql);
	s->view.everything = true;
	sql_count(&s->sql, &s->view);
	assert_lacks(s, "starts_with");
}

static void
copying_reads_every_row_of_its_part(void **state)
{
	struct scene *s = *state;
	struct copy_range part = {.range = &s->range};

	scene_columns(s, one, 1);
	s->view.everything = true;
	sql_copy(&s->sql, &s->view, &part);
	assert_has(s, "COPY (SELECT t.ctid, t.\"c\"::text AS v0 FROM");
	assert_has(s, " FROM ONLY \"s\".\"T\" AS t WHERE " RANGE
		      ") TO STDOUT (FORMAT binary)");
	assert_lacks(s, "starts_with");
	buf_reset(&s->sql);
	part = (struct copy_range){.sample = 2.5, .limited = true};
	sql_copy(&s->sql, &s->view, &part);
	assert_has(s, "COPY (SELECT x.ctid, 0 + CASE");
	assert_has(s, "AS t TABLESAMPLE SYSTEM (2.5) WHERE true OFFSET 0) AS x)"
		      " TO STDOUT");
}

static void
lengths_matter_only_where_there_is_a_limit_and_a_label(void **state)
{
	struct scene *s = *state;

	scene_columns(s, one, 1);
	assert_false(sql_overflow(&s->sql, &s->view, 0));
	s->column[0].max_chars = 100;
	s->view.current_key = NULL;
	assert_false(sql_overflow(&s->sql, &s->view, 0));
	s->view.current_key = "k2";
	assert_true(sql_overflow(&s->sql, &s->view, 0));
	assert_lacks(s, "octet_length"); /* raw values are left as they are */
	buf_reset(&s->sql);
	s->target.policy.raw = RAW_ENCRYPT;
	assert_true(sql_overflow(&s->sql, &s->view, 0));
	assert_has(s, "octet_length");
}

static void
a_write_compares_bytes_and_sets_nothing_but_the_values(void **state)
{
	struct scene *s = *state;

	scene_columns(s, one, 1);
	sql_write(&s->sql, &s->write);
	assert_has(s, "u AS (UPDATE ONLY \"s\".\"T\" AS t SET \"c\" = "
		      "coalesce(s.n0, t.\"c\") FROM (SELECT p.tid, p.i, p.o0,"
		      " p.n0 AS n0 FROM ROWS FROM (");
	assert_has(s, " WHERE " JOINED " AND " WINDOW
		      " AND (s.n0 IS NULL OR t.\"c\"::text COLLATE \"C\" = "
		      "s.o0) IS TRUE RETURNING s.i");
	assert_lacks(s, "sha256");
	assert_lacks(s, "FOR ");
	assert_has(s, "SELECT 1 / (SELECT pg_catalog.count(*)::int FROM k)");
	/* The checkpoint's parameters come behind the arrays. */
	assert_has(s, "UPDATE \"pgrekey\".chunk AS c SET pos = greatest("
		      "c.pos, $6)");
	assert_has(s, "c.run_id = $7 AND c.leaf = $8 AND c.no = $9 AND "
		      "c.epoch = $10");
	assert_lacks(s, "$12");
}

static void
every_column_is_compared_cast_and_checked_as_its_type_needs(void **state)
{
	struct scene *s = *state;

	scene_columns(s, three, 3);
	sql_write(&s->sql, &s->write);
	assert_has(s, "\"b\" = coalesce(s.n1, t.\"b\")");
	assert_has(s, "\"c\" = coalesce(s.n2, t.\"c\")");
	assert_has(s, ", p.o1, p.n1::json AS n1, p.o2, CASE WHEN p.n2 IS NOT "
		      "NULL THEN pg_catalog.jsonb_object(ARRAY['" MEMBER
		      "'::text, p.n2]) END AS n2 FROM ROWS FROM (");
	assert_has(s, " OFFSET 0) AS s WHERE ");
	assert_has(s, "(s.n0 IS NULL OR t.\"a\"::text COLLATE \"C\" = s.o0)");
	assert_has(s, "(s.n1 IS NULL OR t.\"b\"::text COLLATE \"C\" = s.o1)");
	assert_has(s, "(s.n2 IS NULL OR " JSONB_TEXT " COLLATE \"C\" = s.o2)");
	assert_has(s, "(s.n1 IS NULL OR t.\"b\"::text COLLATE \"C\" = "
		      "s.n1::text) IS TRUE");
	assert_has(s, "(s.n2 IS NULL OR t.\"c\" = s.n2) IS TRUE");
	assert_has(s, "unnest((SELECT $8::text[])), "
		      "pg_catalog.unnest((SELECT $9::text[]))");
	assert_has(s, "greatest(c.pos, $10)");
	assert_lacks(s, "varchar");
}

static void
marks_shift_the_parameters_and_are_counted(void **state)
{
	struct scene *s = *state;

	scene_columns(s, three, 3);
	s->write.marked = true;
	sql_write(&s->sql, &s->write);
	assert_has(s, "unnest((SELECT $4::text[])), "
		      "pg_catalog.unnest((SELECT $5::text[])), "
		      "pg_catalog.unnest((SELECT $6::int8[]))");
	assert_has(s, "unnest((SELECT $12::int8[]))");
	assert_has(s, "greatest(c.pos, $13)");
	assert_has(s, "c.epoch = $17");
}

static void
plaintext_is_compared_by_its_digest(void **state)
{
	struct scene *s = *state;

	scene_columns(s, one, 1);
	s->write.digests = true;
	sql_write(&s->sql, &s->write);
	assert_has(s, "CASE WHEN pg_catalog.starts_with(s.o0, 'sha256:') THEN "
		      "'sha256:' || pg_catalog.encode(pg_catalog.sha256("
		      "pg_catalog.textsend(t.\"c\"::text)), 'hex') "
		      "ELSE t.\"c\"::text END COLLATE \"C\" = s.o0");
}

/* No text of one can be that of the other: see test_sentry. */
static void
a_jsonb_in_the_clear_is_compared_by_the_digest_of_what_was_read(void **state)
{
	struct scene *s = *state;

	scene_columns(s, three, 3);
	s->write.digests = true;
	sql_write(&s->sql, &s->write);
	assert_has(s,
		"sha256(pg_catalog.textsend(" JSONB_TEXT
		")), 'hex') ELSE " JSONB_TEXT " END COLLATE \"C\" = s.o2");
}

static void
a_careful_write_locks_what_it_can_have_at_once(void **state)
{
	struct scene *s = *state;

	scene_columns(s, one, 1);
	s->write.skip_locked = true;
	sql_write(&s->sql, &s->write);
	assert_has(s, "FOR NO KEY UPDATE OF t SKIP LOCKED");
	assert_has(s, " FROM l AS s WHERE t.ctid = s.tid AND " WINDOW);
	/* Compared when it is locked, and again when it is written. */
	assert_has(s, "(n.n0 IS NULL OR t.\"c\"::text COLLATE \"C\" = n.o0)");
	assert_has(s, "(s.n0 IS NULL OR t.\"c\"::text COLLATE \"C\" = s.o0)");
	buf_reset(&s->sql);
	s->leaf.lock_for_update = true;
	sql_write(&s->sql, &s->write);
	assert_has(s, "FOR UPDATE OF t SKIP LOCKED");
}

static void
a_canary_touches_no_state(void **state)
{
	struct scene *s = *state;

	scene_columns(s, one, 1);
	s->write.state_schema = NULL;
	sql_write(&s->sql, &s->write);
	assert_lacks(s, "chunk");
	assert_has(s, "SELECT 1 / 1 AS fence");
}

#define LONGEST \
	"Abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh\"23"

/* C22, in every statement that names a column. */
static void
odd_names_are_quoted_wherever_they_stand(void **state)
{
	static const char *const odd[] = {
		"Mixed Case", "a\"; DROP TABLE x; --", LONGEST};
	static const char *const as[] = {"\"Mixed Case\"",
		"\"a\"\"; DROP TABLE x; --\"",
		("\"Abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
		 "abcdefgh\"\"23\"")};
	struct scene *s = *state;

	scene_columns(s, odd, 3);
	for (int i = 0; i < 4; i++) {
		s->write.skip_locked = i == 3;
		if (i == 0)
			sql_read(&s->sql, &s->view, NULL);
		else if (i == 1)
			sql_count(&s->sql, &s->view);
		else
			sql_write(&s->sql, &s->write);
		for (int c = 0; c < 3; c++)
			assert_has(s, as[c]);
		assert_lacks(s, "a\"; DROP");
		assert_lacks(s, "h\"23");
		buf_reset(&s->sql);
	}
}

static void
odd_key_ids_stay_within_their_literal(void **state)
{
	struct scene *s = *state;

	scene_columns(s, three, 3);
	s->view.current_key = "k' OR 'a'='a";
	sql_read(&s->sql, &s->view, NULL);
	assert_has(s, "'enc:fernet:k'' OR ''a''=''a:'");
	assert_lacks(s, "k' OR");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCENE(a_window_reads_the_values_that_are_not_current_yet),
		WITH_SCENE(reading_everything_has_no_filter_but_for_nulls),
		WITH_SCENE(the_way_back_filters_what_is_marked),
		WITH_SCENE(
			a_row_is_read_if_any_column_is_not_current_and_only_those_are_sent),
		WITH_SCENE(a_jsonb_is_printed_at_most_once_when_it_is_read),
		WITH_SCENE(
			the_configured_condition_holds_in_every_reading_statement),
		WITH_SCENE(copying_reads_every_row_of_its_part),
		WITH_SCENE(counting_counts_nulls_and_what_the_label_says),
		WITH_SCENE(
			lengths_matter_only_where_there_is_a_limit_and_a_label),
		WITH_SCENE(
			a_write_compares_bytes_and_sets_nothing_but_the_values),
		WITH_SCENE(
			every_column_is_compared_cast_and_checked_as_its_type_needs),
		WITH_SCENE(marks_shift_the_parameters_and_are_counted),
		WITH_SCENE(plaintext_is_compared_by_its_digest),
		WITH_SCENE(
			a_jsonb_in_the_clear_is_compared_by_the_digest_of_what_was_read),
		WITH_SCENE(a_careful_write_locks_what_it_can_have_at_once),
		WITH_SCENE(a_canary_touches_no_state),
		WITH_SCENE(odd_names_are_quoted_wherever_they_stand),
		WITH_SCENE(odd_key_ids_stay_within_their_literal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
