#include "tally.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>

static char ids[][3] = {"k1", "k2"};
static struct key key[2];
static struct keyring ring = {.key = key, .count = 2, .primary = 1};

static int
begin(void **state)
{
	for (size_t i = 0; i < 2; i++)
		key[i].id = ids[i];
	*state = xcalloc(1, sizeof(struct tally_column));
	return 0;
}

static int
end(void **state)
{
	tally_column_done(*state);
	free(*state);
	return 0;
}

static int64_t
of_key(const struct tally_column *c, const char *id)
{
	int64_t values = -1;

	for (size_t i = 0; i < c->keys; i++) {
		if (strcmp(c->key[i].id, id) != 0)
			continue;
		assert_int_equal(values, -1); /* a name stands once */
		values = c->key[i].values;
	}
	return values;
}

static void
a_value_counts_under_its_verdict_and_the_key_that_made_it(void **state)
{
	struct tally_column *c = *state;
	struct judgement j = {
		.verdict = VERDICT_OLD,
		.rewrite = true,
		.mislabelled = true,
		.key = 0,
		.label = slice_str("k2"),
	};

	tally_judged(c, &j, &ring);
	j = (struct judgement){.verdict = VERDICT_UNKNOWN_KEY,
		.blocks = true,
		.key = -1,
		.label = slice_str("lost")};
	tally_judged(c, &j, &ring);
	j = (struct judgement){.verdict = VERDICT_CURRENT,
		.nested = true,
		.late = true,
		.key = 1};
	tally_judged(c, &j, &ring);
	j = (struct judgement){.verdict = VERDICT_RAW, .key = -1};
	tally_judged(c, &j, &ring);
	assert_int_equal(tally_scanned(c), 4);
	assert_int_equal(c->verdict[VERDICT_OLD], 1);
	assert_int_equal(c->verdict[VERDICT_UNKNOWN_KEY], 1);
	assert_int_equal(c->findings, 1);
	assert_int_equal(c->left, 1);
	assert_int_equal(of_key(c, "k1"), 1);
	assert_int_equal(of_key(c, "k2"), 1);
	assert_int_equal(of_key(c, "lost"), 1);
	assert_int_equal(c->keys, 3);
	assert_int_equal(c->nested + 10 * c->late + 100 * c->mislabelled, 111);
}

static void
count_label(struct tally_column *c, const char *bytes, size_t len)
{
	tally_key(c, slice_of(bytes, len), 1);
}

static void
labels_are_counted_under_short_plain_names(void **state)
{
	struct tally_column *c = *state;
	char label[TALLY_KEY_MAX + 100], exact[TALLY_KEY_MAX + 1] = {0};
	char cut[TALLY_KEY_MAX + 1] = {0};

	memset(label, 'x', sizeof(label));
	memset(exact, 'x', TALLY_KEY_MAX);
	memset(cut, 'x', TALLY_KEY_MAX);
	memcpy(cut + TALLY_KEY_MAX - 3, "...", 3);
	count_label(c, label, TALLY_KEY_MAX);
	count_label(c, label, TALLY_KEY_MAX + 1);
	count_label(c, label, sizeof(label));
	assert_int_equal(of_key(c, exact), 1);
	assert_int_equal(of_key(c, cut), 2);
	count_label(c, "k\0a", 3);
	count_label(c, "k\0b", 3);
	count_label(c, "\xc3\xa4\xff\n\x7f ~", 7);
	count_label(c, "", 0);
	assert_int_equal(of_key(c, "k?a"), 1);
	assert_int_equal(of_key(c, "k?b"), 1);
	assert_int_equal(of_key(c, "????? ~"), 1);
	assert_int_equal(of_key(c, ""), 1);
}

static void
a_token_in_the_place_of_a_label_is_never_a_name(void **state)
{
	struct tally_column *c = *state;
	char token[150];

	memset(token, 'x', sizeof(token));
	for (size_t n = 90; n < sizeof(token); n++) {
		memcpy(token, "gAAAAAB", 7);
		count_label(c, token, n);
		memcpy(token, "Z0FBQUF", 7);
		count_label(c, token, n);
	}
	assert_int_equal(c->keys, 1);
	assert_int_equal(of_key(c, TALLY_TOKEN), 120);
	count_label(c, token, 89);
	assert_int_equal(c->keys, 2);
}

static void
a_name_that_was_kept_is_the_same_when_it_is_read_again(void **state)
{
	struct tally_column *c = *state, again = {0};
	char label[500];

	for (size_t n = 150; n < 260; n++) {
		memset(label, 'a', sizeof(label));
		memset(label + n, '\xc3', 3);
		count_label(c, label, n + 3);
		count_label(c, label, n + 3);
	}
	tally_merge(&again, c);
	tally_merge(&again, c);
	assert_int_equal(again.keys, c->keys);
	for (size_t i = 0; i < c->keys; i++)
		assert_int_equal(
			of_key(&again, c->key[i].id), 2 * c->key[i].values);
	tally_column_done(&again);
}

static void
too_many_labels_are_counted_as_others(void **state)
{
	struct tally_column *c = *state;
	char label[32];

	for (int i = 0; i < TALLY_KEYS_MAX + 50; i++) {
		snprintf(label, sizeof(label), "k%d", i);
		tally_key(c, slice_str(label), 2);
	}
	assert_int_equal(c->keys, TALLY_KEYS_MAX + 1);
	assert_int_equal(of_key(c, TALLY_OTHER_KEYS), 100);
	tally_key(c, slice_str("k0"), 1);
	assert_int_equal(of_key(c, "k0"), 3);
}

static void
numbers_arrive_by_name_and_unknown_ones_are_ignored(void **state)
{
	struct tally_column *c = *state, zero = {0};

	tally_number(c, "verdict", "old", 5);
	tally_number(c, "verdict", "old", 2);
	tally_number(c, "key", "k1", 3);
	tally_number(c, "counter", "findings", 4);
	tally_number(c, "pass", "rewritten", 6);
	tally_number(c, "pass", "moved", 5);
	tally_number(c, "pass", "conflict", 7);
	tally_number(c, "pass", "deferred", 8);
	tally_number(c, "verdict", "better", 9);
	tally_number(c, "counter", "rewritten", 9);
	tally_number(c, "odd", "old", 9);
	assert_int_equal(c->verdict[VERDICT_OLD], 7);
	assert_int_equal(tally_scanned(c), 7);
	assert_int_equal(of_key(c, "k1"), 3);
	assert_int_equal(c->findings, 4);
	assert_int_equal(c->rewritten, 6);
	assert_int_equal(c->moved, 5);
	assert_int_equal(c->conflict, 7);
	assert_int_equal(c->deferred, 8);
	tally_column_done(c);
	assert_memory_equal(c, &zero, sizeof(zero));
}

static void
add_up(void *ctx, const char *kind, const char *name, int64_t value)
{
	assert_string_not_equal(kind, "pass");
	assert_int_not_equal(value, 0);
	(void)name;
	*(int64_t *)ctx += value;
}

static void
each_and_merge_tell_everything_but_what_passes_did(void **state)
{
	struct tally_column *c = *state, sum = {0};
	int64_t total = 0;

	for (int v = 0; v < VERDICTS; v++)
		tally_number(c, "verdict", verdict_name((enum verdict)v),
			v == VERDICT_RAW ? 0 : v + 1);
	tally_number(c, "key", "k1", 100);
	tally_number(c, "counter", "left", 1000);
	tally_number(c, "pass", "rewritten", 10000);
	tally_each(c, add_up, &total);
	assert_int_equal(total, 78 - (VERDICT_RAW + 1) + 1100);
	tally_merge(&sum, c);
	tally_merge(&sum, c);
	assert_int_equal(tally_scanned(&sum), 2 * tally_scanned(c));
	assert_int_equal(sum.left, 2000);
	assert_int_equal(of_key(&sum, "k1"), 200);
	assert_int_equal(sum.rewritten, 0);
	tally_column_done(&sum);
}

static void
times_of_tokens_widen_and_survive_a_merge(void **state)
{
	struct tally_column *c = *state, sum = {0};
	struct judgement j = {
		.verdict = VERDICT_OLD, .key = 0, .timed = true, .time = 50};

	tally_judged(c, &j, &ring);
	j.time = 20;
	tally_judged(c, &j, &ring);
	j.time = 70;
	tally_judged(c, &j, &ring);
	j.timed = false;
	j.time = 5;
	tally_judged(c, &j, &ring);
	assert_int_equal(c->key[0].oldest, 20);
	assert_int_equal(c->key[0].newest, 70);
	tally_merge(&sum, c);
	assert_int_equal(sum.key[0].oldest, 20);
	assert_int_equal(sum.key[0].newest, 70);
	assert_int_equal(sum.key[0].values, 4);
	tally_column_done(&sum);
}

static void
a_label_looks_like_what_its_values_should_be(void **state)
{
	static const struct {
		struct label label;
		const char *current; /* NULL: plaintext is */
		enum verdict verdict;
	} looks[] = {
		{{LABEL_NULL, NULL, 1}, "k2", VERDICT_NULL},
		{{LABEL_SEALED, "k2", 10}, "k2", VERDICT_CURRENT},
		{{LABEL_SEALED, "k1", 100}, "k2", VERDICT_OLD},
		{{LABEL_SEALED, "k2", 1000}, NULL, VERDICT_OLD},
		{{LABEL_PLAINTEXT, NULL, 10000}, "k2", VERDICT_PLAINTEXT},
		{{LABEL_PLAINTEXT, NULL, 100000}, NULL, VERDICT_CURRENT},
		{{LABEL_RAW, NULL, 1000000}, "k2", VERDICT_RAW},
		{{LABEL_OTHER, NULL, 10000000}, "k2", VERDICT_FOREIGN},
	};
	struct tally_column *c = *state;

	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		assert_int_equal(
			tally_label(c, &looks[i].label, looks[i].current),
			looks[i].verdict);
	assert_int_equal(c->verdict[VERDICT_CURRENT], 100010);
	assert_int_equal(c->verdict[VERDICT_OLD], 1100);
	assert_int_equal(tally_scanned(c), 11111111);
	assert_int_equal(c->keys, 2);
	assert_int_equal(c->key[0].values, 1010);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_value_counts_under_its_verdict_and_the_key_that_made_it),
		TEST(labels_are_counted_under_short_plain_names),
		TEST(a_token_in_the_place_of_a_label_is_never_a_name),
		TEST(a_name_that_was_kept_is_the_same_when_it_is_read_again),
		TEST(too_many_labels_are_counted_as_others),
		TEST(numbers_arrive_by_name_and_unknown_ones_are_ignored),
		TEST(each_and_merge_tell_everything_but_what_passes_did),
		TEST(times_of_tokens_widen_and_survive_a_merge),
		TEST(a_label_looks_like_what_its_values_should_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
