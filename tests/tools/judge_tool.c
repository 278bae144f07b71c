/*
 * Judges values at a test's command: one line in, one line out.
 *
 *	judge_tool DIRECTORY PRIMARY NOW RUN_START
 *
 * loads the keys as the program does; PRIMARY may be "-". Each line is
 *
 *	CARRIER METHOD RAW NESTED MAX VALUE
 *
 * text|json|jsonb, fernet|plaintext, report|encrypt|allow, keep|unwrap, bytes,
 * hex. The answer has the verdict, then words for what else is true of it,
 * then NAME=VALUE for what has a value; label and fresh are in hex, and has-ID=
 * is there for each key that opened anything in it.
 */
#include "hex.h"
#include "judge.h"
#include <inttypes.h>

#define FIELDS 6

static size_t
choose(const char *word, const char *const *among)
{
	for (size_t i = 0; among[i]; i++) {
		if (!strcmp(word, among[i]))
			return i;
	}
	die("not a word of the tool");
}

static void
flag(const char *name, bool set)
{
	if (set)
		printf(" %s", name);
}

static void
key(const char *name, const struct keyring *ring, long index)
{
	if (index >= 0)
		printf(" %s=%s", name, ring->key[index].id);
}

static void
bytes(const char *name, struct slice s)
{
	if (!s.ptr)
		return;
	printf(" %s=", name);
	print_hex(s);
}

static void
answer(const struct judgement *j, const struct keyring *ring)
{
	fputs(verdict_name(j->verdict), stdout);
	flag("rewrite", j->rewrite);
	flag("blocks", j->blocks);
	flag("nested", j->nested);
	flag("mislabelled", j->mislabelled);
	flag("late", j->late);
	flag("clear", j->clear);
	flag("unread", j->unread);
	key("key", ring, j->key);
	key("inner", ring, j->inner_key);
	for (size_t i = 0; i < ring->count; i++) {
		if (j->watched >> i & 1)
			printf(" has-%s=", ring->key[i].id);
	}
	if (j->timed)
		printf(" time=%" PRIu64, j->time);
	bytes("label", j->label);
	bytes("fresh", j->fresh);
	putchar('\n');
}

static void
obey(struct judge *j, char *line)
{
	static const char *const carriers[] = {"text", "json", "jsonb", NULL};
	static const char *const methods[] = {"fernet", "plaintext", NULL};
	static const char *const raws[] = {"report", "encrypt", "allow", NULL};
	static const char *const nesteds[] = {"keep", "unwrap", NULL};
	char *field[FIELDS] = {NULL}, *rest = line, *owned;
	struct judgement judgement;
	struct policy policy;
	struct slice value;
	struct err err;

	for (size_t i = 0; i < FIELDS; i++) {
		field[i] = strsep(&rest, " ");
		if (!field[i])
			die("a field is missing");
	}
	policy = (struct policy){
		.format = format_find("sentry"),
		.method = (enum seal_method)choose(field[1], methods),
		.raw = (enum raw_policy)choose(field[2], raws),
		.nested = (enum nested_policy)choose(field[3], nesteds),
		.max_value_bytes = (size_t)strtoull(field[4], NULL, 10),
	};
	owned = unhex(&value, field[5]);
	if (judge_value(&judgement, j, &policy,
		    (enum carrier)choose(field[0], carriers), value, &err) < 0)
		die(err.msg);
	answer(&judgement, judge_ring(j));
	free(owned);
}

int
main(int argc, char **argv)
{
	struct keyring_options keys = {0};
	struct judge_options options = {.seal = true};
	struct keyring *ring;
	uint32_t watch[KEYRING_MAX];
	struct judge *j;
	struct err err;
	char *line = NULL;
	size_t room = 0;

	if (argc != 5)
		die("judge_tool DIRECTORY PRIMARY NOW RUN_START");
	keys.directory = argv[1];
	keys.primary = strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
	if (keyring_load(&ring, &keys, &err) < 0)
		die(err.msg);
	for (size_t i = 0; i < ring->count; i++)
		watch[i] = 1u << i;
	options.watch = watch;
	options.ring = ring;
	options.now = strtoull(argv[3], NULL, 10);
	options.run_start = strtoull(argv[4], NULL, 10);
	if (judge_new(&j, &options, &err) < 0)
		die(err.msg);
	while (getline(&line, &room, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		obey(j, line);
	}
	free(line);
	judge_free(j);
	keyring_free(ring);
	return ferror(stdin) || fflush(stdout) == EOF;
}
