/* Replays the corpora of tests/fuzz/fuzz_judge.c and fuzz_json_member.c. */
#include "../fuzz/fuzz_json_member.h"
#include "../fuzz/fuzz_judge.h"
#include "corpus.h"

static void
every_value_of_the_corpus_gets_its_one_verdict(void **state)
{
	(void)state;
	corpus_replay("tests/fuzz/corpus/judge", fuzz_judge, 30);
}

static void
every_value_of_the_corpus_is_judged_under_every_policy(void **state)
{
	(void)state;
	for (int i = 0; i < 36; i++) {
		unsigned char value[] = "\0"
					"enc:plaintext: aGVsbG8=";

		value[0] = (unsigned char)i;
		fuzz_judge(value, sizeof(value) - 1);
	}
	fuzz_judge(NULL, 0);
}

static void
every_text_of_the_corpus_has_a_member_or_none(void **state)
{
	(void)state;
	corpus_replay("tests/fuzz/corpus/json_member", fuzz_json_member, 20);
	fuzz_json_member(NULL, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_value_of_the_corpus_gets_its_one_verdict),
		cmocka_unit_test(
			every_value_of_the_corpus_is_judged_under_every_policy),
		cmocka_unit_test(every_text_of_the_corpus_has_a_member_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
