/* Replays the corpus of tests/fuzz/fuzz_config.c. */
#include "../fuzz/fuzz_config.h"
#include "test.h"
#include <dirent.h>
#include <stdlib.h>

#define CORPUS "tests/fuzz/corpus/config"
#define BYTES_MAX (512 * 1024)

static void
replay(const char *name)
{
	unsigned char *bytes = xmalloc(BYTES_MAX);
	char *path = xasprintf("%s/%s", CORPUS, name);
	FILE *f = fopen(path, "r");
	size_t len;

	assert_non_null(f);
	len = fread(bytes, 1, BYTES_MAX, f);
	fclose(f);
	fuzz_config(bytes, len);
	free(path);
	free(bytes);
}

static void
every_file_of_the_corpus_is_accepted_or_refused_in_order(void **state)
{
	DIR *dir = opendir(CORPUS);
	const struct dirent *entry;
	int files = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		replay(entry->d_name);
		files++;
	}
	closedir(dir);
	assert_true(files >= 10);
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
