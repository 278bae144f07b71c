/*
 * How fast values are opened, sealed, and opened again, with no database.
 *
 *	judge_speed DIRECTORY PRIMARY SECONDS
 *
 * loads the keys as the program does and takes envelopes from standard input,
 * one a line. Prints how many were turned over per second of CPU.
 */
#include "judge.h"
#include <stdlib.h>
#include <time.h>

#define VALUES_MAX 4096

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t
read_values(struct slice *value)
{
	char *line = NULL;
	size_t count = 0, room = 0;
	ssize_t len;

	while (count < VALUES_MAX && (len = getline(&line, &room, stdin)) > 0) {
		unsigned char *copy = xmalloc((size_t)len);

		memcpy(copy, line, (size_t)len);
		value[count++] = slice_of(copy, (size_t)len - 1);
	}
	free(line);
	return count;
}

static void
turn_over(struct judge *j, const struct slice *value, size_t count)
{
	const struct policy policy = {
		.format = format_find("sentry"),
		.max_value_bytes = (size_t)1 << 26,
	};
	struct judgement judgement;
	struct err err;

	for (size_t i = 0; i < count; i++) {
		if (judge_value(&judgement, j, &policy, CARRIER_TEXT, value[i],
			    &err) < 0)
			die(err.msg);
		if (!judgement.rewrite)
			die("a value is not to be rewritten");
	}
}

int
main(int argc, char **argv)
{
	static struct slice value[VALUES_MAX];
	struct keyring_options keys = {0};
	struct judge_options options = {.seal = true};
	struct keyring *ring;
	struct judge *j;
	struct err err;
	double began, seconds;
	size_t count = read_values(value), done = 0;

	if (argc != 4 || count == 0)
		die("judge_speed DIRECTORY PRIMARY SECONDS <ENVELOPES");
	keys.directory = argv[1];
	keys.primary = argv[2];
	if (keyring_load(&ring, &keys, &err) < 0)
		die(err.msg);
	options.ring = ring;
	options.run_start = (uint64_t)time(NULL);
	if (judge_new(&j, &options, &err) < 0)
		die(err.msg);
	turn_over(j, value, count); /* buffers grow, caches fill */
	began = cpu_seconds();
	do {
		turn_over(j, value, count);
		done += count;
		seconds = cpu_seconds() - began;
	} while (seconds < strtod(argv[3], NULL));
	printf("%.0f\n", (double)done / seconds);
	judge_free(j);
	keyring_free(ring);
	return fflush(stdout) == EOF;
}
