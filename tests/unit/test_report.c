/* The same facts for people and for programs. */
#include "../../src/engine/report_int.h"
#include "facts.h"
#include <stdio.h>

static void
json_has_every_member_that_its_version_promises(void **state)
{
	struct facts *f = *state;
	struct tally_column *c = f->outcome.tally[0];
	bool selected[2] = {true, false};

	tally_number(c, "verdict", "current", 10);
	tally_number(c, "verdict", "malformed", 1);
	tally_number(c, "key", "k2", 10);
	tally_number(c, "pass", "rewritten", 9);
	c->nested = 2;
	f->outcome.run = 7;
	f->outcome.complete = true;
	f->outcome.started = 0;
	f->outcome.finished = 1700000000;
	f->outcome.seconds = 1.5;
	f->o.job.selected = selected;
	add_finding(f, "{\"id\": \"42\"}", "no key id");
	report_rotate_json(&f->text, &f->outcome, &f->o, 1);
	assert_string_equal(buf_str(&f->text),
		"{\"schema\":1,\"command\":\"rotate\","
		"\"run\":7,\"primary\":\"k2\","
		"\"started\":\"1970-01-01T00:00:00Z\","
		"\"finished\":\"2023-11-14T22:13:20Z\",\"seconds\":1.500,"
		"\"exit\":1,\"complete\":true,\"dry_run\":false,\"partial\":"
		"true,\"tables\":[{"
		"\"label\":\"creds\","
		"\"name\":\"public.creds\",\"columns\":[{\"name\":\"secret\","
		"\"scanned\":11,\"verdicts\":{\"current\":10,\"malformed\":1},"
		"\"counters\":{\"nested\":2},\"keys\":{\"k2\":10},"
		"\"rewritten\":9,\"moved\":0,\"conflict\":0,\"deferred\":0},"
		"{\"name\":\"meta\",\"scanned\":0,\"verdicts\":{},"
		"\"counters\":{},\"keys\":{},\"rewritten\":0,\"moved\":0,"
		"\"conflict\":0,"
		"\"deferred\":0}]}],\"findings\":{\"total\":1,\"listed\":["
		"{\"table\":\"public.creds\",\"column\":\"secret\","
		"\"row\":{\"id\": \"42\"},\"verdict\":\"malformed\","
		"\"reason\":\"no key id\"}]}}\n");
}

static void
json_says_null_where_there_is_nothing(void **state)
{
	struct facts *f = *state;

	f->o.dry_run = true;
	add_finding(f, "", "");
	set_name(f->outcome.note, sizeof(f->outcome.note), "rows are locked");
	report_rotate_json(&f->text, &f->outcome, &f->o, 5);
	assert_says(f, "\"run\":null,");
	assert_says(f, ",\"dry_run\":true,");
	assert_says(f, "\"row\":null,");
	assert_says(f, "\"complete\":false,\"note\":\"rows are locked\",");
	assert_says(f, "\"exit\":5,");
}

static void
no_name_of_a_database_gets_out_of_its_json_string(void **state)
{
	struct facts *f = *state;

	report_rotate_json(&f->text, &f->outcome, &f->o, 0);
	assert_says(f, "\"o\\\"d\\u001b[2Jd\\u009b\xef\xbf\xbd\"");
	assert_silent(f, "\x1b");
}

static void
no_name_of_a_database_moves_a_terminal(void **state)
{
	struct facts *f = *state;

	tally_number(f->outcome.tally[1], "key", "a\x1b[2Jb\n", 1);
	add_finding(f, "{\"id\": \"\x1b[0m\"}", "why\nnot");
	set_name(f->outcome.note, sizeof(f->outcome.note), "note\x07");
	report_rotate_text(&f->text, &f->outcome, &f->o, ERR_STOPPED);
	for (size_t i = 0; i < f->text.len; i++)
		assert_true(f->text.ptr[i] >= ' ' || f->text.ptr[i] == '\n');
	assert_says(f, "public.o\"d?[2Jd?");
	assert_says(f, "a?[2Jb?");
	assert_says(f, "malformed, why?not\n");
	assert_says(f, "note?\n");
}

static void
text_tells_what_was_found_and_done(void **state)
{
	struct facts *f = *state;
	struct tally_column *c = f->outcome.tally[0];

	tally_number(c, "verdict", "current", 1234567);
	tally_number(c, "verdict", "null", 3);
	tally_number(c, "key", "k2", 1234567);
	tally_number(c, "pass", "rewritten", 5000);
	f->outcome.run = 7;
	f->outcome.finished = 1700000000;
	f->outcome.seconds = 12.34;
	report_rotate_text(&f->text, &f->outcome, &f->o, ERR_NONE);
	assert_says(f, "run 7: to primary k2 (0123abcd), 12.3 s\n");
	assert_says(f, "public.creds.secret\n  1,234,570 values: null 3, "
		       "current 1,234,567\n");
	assert_says(f, "  by key: k2 1,234,567\n");
	assert_says(f, "  this run: rewritten 5,000\n");
	assert_says(f, "complete: at 2023-11-14 22:13:20 UTC no committed row");
	assert_says(f, "another label than k2,\n");
	assert_silent(f, "attention");
}

static void
each_key_has_the_days_of_its_oldest_and_newest_token(void **state)
{
	struct facts *f = *state;
	struct judgement j = {
		.verdict = VERDICT_OLD, .key = 0, .timed = true, .time = 86399};

	tally_number(f->outcome.tally[0], "key", "k2", 3);
	tally_judged(f->outcome.tally[0], &j, &f->ring);
	j.time = 1700000000;
	tally_judged(f->outcome.tally[0], &j, &f->ring);
	report_rotate_text(&f->text, &f->outcome, &f->o, ERR_NONE);
	assert_says(f, "  by key: k2 3, k1 2 (1970-01-01 to 2023-11-14)\n");
	j.time = UINT64_MAX >> 1; /* whatever a token may claim */
	tally_judged(f->outcome.tally[0], &j, &f->ring);
	buf_reset(&f->text);
	report_rotate_text(&f->text, &f->outcome, &f->o, ERR_NONE);
	assert_says(f, "k1 3 (1970-01-01 to ?)\n");
}

static void
a_time_outside_of_the_calendar_is_no_time_within_it(void **state)
{
	static const uint64_t times[] = {
		UINT64_MAX >> 1, (UINT64_MAX >> 1) + 1, UINT64_MAX};
	struct facts *f = *state;
	struct json j;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		buf_reset(&f->text);
		report_time(&f->text, times[i]);
		assert_string_equal(buf_str(&f->text), "?");
		buf_reset(&f->text);
		json_init(&j, &f->text);
		json_object(&j, NULL);
		report_json_time(&j, "at", times[i]);
		json_end(&j, '}');
		assert_says(f, "{\"at\":null}");
	}
}

static void
each_end_has_its_words(void **state)
{
	static const struct {
		int status;
		bool dry;
		const char *words;
	} ends[] = {
		{ERR_NONE, true, "a rotation would succeed on every value"},
		{ERR_FINDINGS, true, "what is listed would be left"},
		{ERR_FINDINGS, false, "what is listed was left as it is"},
		{ERR_STOPPED, false, "run the same command again to continue"},
		{ERR_INCONCLUSIVE, false, "inconclusive: nothing is left"},
	};
	struct facts *f = *state;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		buf_reset(&f->text);
		f->o.dry_run = ends[i].dry;
		report_rotate_text(
			&f->text, &f->outcome, &f->o, ends[i].status);
		for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++) {
			if (k == i)
				assert_says(f, ends[k].words);
			else
				assert_silent(f, ends[k].words);
		}
		assert_silent(f, "complete: at"); /* only what was proven */
	}
}

static void
the_way_back_names_no_primary(void **state)
{
	struct facts *f = *state;

	f->o.job.method = METHOD_PLAINTEXT;
	f->outcome.run = 8;
	f->outcome.joined = true;
	report_rotate_text(&f->text, &f->outcome, &f->o, ERR_NONE);
	assert_says(f, "run 8 (joined): back to plaintext");
	assert_says(f, "another label than plaintext,\n");
	assert_silent(f, "k2");
}

static void
findings_are_counted_in_full_and_listed_in_part(void **state)
{
	struct facts *f = *state;
	char row[32];

	add_finding(f, "", "");
	report_rotate_text(&f->text, &f->outcome, &f->o, ERR_FINDINGS);
	assert_says(f, "\n1 value needs attention:\n  public.creds.secret "
		       "(gone): malformed\n");
	for (int i = 2; i <= 60; i++) {
		snprintf(row, sizeof(row), "{\"id\": \"row%d\"}", i);
		add_finding(f, row, "");
	}
	f->outcome.total_findings = 1234; /* more than were kept */
	buf_reset(&f->text);
	report_rotate_text(&f->text, &f->outcome, &f->o, ERR_FINDINGS);
	assert_says(f, "\n1,234 values need attention:\n");
	assert_says(f, "row50\"}");
	assert_silent(f, "row51");
	assert_says(f, "  ... and 1,184 more: see --output json");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FACTS(json_has_every_member_that_its_version_promises),
		WITH_FACTS(json_says_null_where_there_is_nothing),
		WITH_FACTS(no_name_of_a_database_gets_out_of_its_json_string),
		WITH_FACTS(no_name_of_a_database_moves_a_terminal),
		WITH_FACTS(text_tells_what_was_found_and_done),
		WITH_FACTS(
			each_key_has_the_days_of_its_oldest_and_newest_token),
		WITH_FACTS(a_time_outside_of_the_calendar_is_no_time_within_it),
		WITH_FACTS(each_end_has_its_words),
		WITH_FACTS(the_way_back_names_no_primary),
		WITH_FACTS(findings_are_counted_in_full_and_listed_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
