/* Replays the corpus of tests/fuzz/fuzz_config.c. */
#include "../fuzz/fuzz_config.h"
#include "corpus.h"

static void
every_file_of_the_corpus_is_accepted_or_refused_in_order(void **state)
{
	(void)state;
	corpus_replay("tests/fuzz/corpus/config", fuzz_config, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_file_of_the_corpus_is_accepted_or_refused_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
