/* What a run is, and what it leaves: two starts with one target are one. */
#include "facts.h"

static void
digest_of(struct facts *f, char ret[80])
{
	struct run_spec spec;

	spec_make(&spec, &f->o, NULL);
	assert_int_equal(strlen(spec.target), 64);
	memcpy(ret, spec.target, 65);
	spec_done(&spec);
}

static void
assert_other_run(struct facts *f, bool other)
{
	static const struct facts *of;
	static char first[80];
	char now[80];

	if (of != f)
		digest_of(f, first);
	of = f;
	digest_of(f, now);
	assert_int_equal(strcmp(now, first) != 0, other);
}

/* Changes a text, looks, and changes it back. */
static void
assert_matters(struct facts *f, char *text)
{
	assert_other_run(f, false);
	text[0]++;
	assert_other_run(f, true);
	text[0]--;
	assert_other_run(f, false);
}

static void
everything_that_makes_a_run_another_changes_its_target(void **state)
{
	struct facts *f = *state;
	char where[] = "a = 1";

	assert_matters(f, f->id[1]);
	assert_matters(f, f->key[1].fingerprint);
	assert_matters(f, f->schema);
	assert_matters(f, f->table[1]);
	assert_matters(f, f->name[0]);
	assert_matters(f, f->name[2]);
	f->o.job.method = METHOD_PLAINTEXT;
	assert_other_run(f, true);
	f->o.job.method = METHOD_FERNET;
	f->target[0].policy.raw = RAW_ENCRYPT;
	assert_other_run(f, true);
	f->target[0].policy.raw = RAW_REPORT;
	f->target[1].policy.nested = NESTED_UNWRAP;
	assert_other_run(f, true);
	f->target[1].policy.nested = NESTED_KEEP;
	f->target[1].where = where;
	assert_other_run(f, true);
	f->target[1].where = NULL;
	f->o.job.targets = 1;
	assert_other_run(f, true);
	f->o.job.targets = 2;
	f->target[0].columns = 1;
	assert_other_run(f, true);
	f->target[0].columns = 2;
	assert_other_run(f, false);
}

static void
how_fast_and_what_part_does_not_make_it_another(void **state)
{
	struct facts *f = *state;
	const bool selected[] = {true, false};

	assert_other_run(f, false);
	f->id[0][0] = 'x'; /* a key that is not the primary */
	f->label[0][0] = 'x';
	f->o.workers = 9;
	f->o.thorough = true;
	f->o.job.selected = selected;
	f->target[0].policy.max_value_bytes = 1;
	assert_other_run(f, false);
}

/* Parts are told apart however they are cut. */
static void
names_that_read_the_same_in_a_row_are_different_targets(void **state)
{
	struct facts *f = *state;
	static const char *const pairs[][2] = {{"ab", "c"}, {"a", "bc"},
		{"a;b", "c"}, {"a", "b;c"}, {"a;1:b", "c"}, {"a", "1:b;c"}};
	char digest[6][80];

	for (size_t i = 0; i < 6; i++) {
		set_name(f->name[0], sizeof(f->name[0]), pairs[i][0]);
		set_name(f->name[1], sizeof(f->name[1]), pairs[i][1]);
		digest_of(f, digest[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(digest[k], digest[i]);
	}
}

static void
who_started_it_is_known(void **state)
{
	struct facts *f = *state;
	struct run_spec spec;

	f->o.no_join = true;
	f->o.job.version = "1.2.3";
	spec_make(&spec, &f->o, NULL);
	assert_true(spec.host[0] && spec.os_user[0] && spec.os_pid > 1);
	assert_string_equal(spec.method, "fernet");
	assert_string_equal(spec.version, "1.2.3");
	assert_true(spec.no_join);
	assert_ptr_equal(spec.ring, &f->ring);
	spec_done(&spec);
	f->o.job.method = METHOD_PLAINTEXT;
	spec_make(&spec, &f->o, NULL);
	assert_string_equal(spec.method, "plaintext");
	spec_done(&spec);
}

static void
a_finding_is_a_copy(void **state)
{
	struct facts *f = *state;
	char row[] = "{\"id\": 1}", reason[] = "why";

	for (int i = 0; i < 100; i++)
		add_finding(f, row, reason);
	row[0] = reason[0] = '!';
	assert_int_equal(f->outcome.findings, 100);
	assert_string_equal(f->outcome.finding[0].row, "{\"id\": 1}");
	assert_string_equal(f->outcome.finding[99].reason, "why");
}

static void
what_is_left_counts_only_where_it_should_not_be_there(void **state)
{
	struct facts *f = *state;

	f->outcome.tally[0][0].findings = 3;
	f->outcome.tally[0][1].left = 40;
	f->outcome.tally[1][0].findings = 500;
	outcome_count(&f->outcome, &f->o.job, false);
	assert_int_equal(f->outcome.total_findings, 503);
	outcome_count(&f->outcome, &f->o.job, true); /* adds */
	assert_int_equal(f->outcome.total_findings, 503 + 543);
}

static void
stopping_keeps_the_reason_as_far_as_it_fits(void **state)
{
	struct facts *f = *state;
	char why[2000];

	memset(why, 'w', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	assert_int_equal(outcome_stopped(&f->outcome, "a %s b"), ERR_STOPPED);
	assert_string_equal(f->outcome.note, "a %s b");
	outcome_stopped(&f->outcome, why);
	assert_int_equal(strlen(f->outcome.note), sizeof(f->outcome.note) - 1);
}

static void
an_outcome_can_be_given_up_at_any_time(void **state)
{
	struct facts *f = *state;
	struct outcome zero = {0};

	add_finding(f, "{}", "");
	tally_number(&f->outcome.tally[1][0], "key", "k", 1);
	assert_true(f->outcome.started > 1700000000);
	outcome_done(&f->outcome, &f->o.job);
	assert_null(f->outcome.tally);
	outcome_done(&f->outcome, &f->o.job);
	outcome_done(&zero, &f->o.job);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FACTS(
			everything_that_makes_a_run_another_changes_its_target),
		WITH_FACTS(how_fast_and_what_part_does_not_make_it_another),
		WITH_FACTS(
			names_that_read_the_same_in_a_row_are_different_targets),
		WITH_FACTS(who_started_it_is_known),
		WITH_FACTS(a_finding_is_a_copy),
		WITH_FACTS(
			what_is_left_counts_only_where_it_should_not_be_there),
		WITH_FACTS(stopping_keeps_the_reason_as_far_as_it_fits),
		WITH_FACTS(an_outcome_can_be_given_up_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
