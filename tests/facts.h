/*
 * facts.h - a small job and what came of it, for reports.
 */
#ifndef PGREKEY_TEST_FACTS_H
#define PGREKEY_TEST_FACTS_H

#include "../src/engine/engine_int.h"
#include "report.h"
#include "test.h"
#include <stdlib.h>

#define ODD "o\"d\x1b[2Jd\xc2\x9b\xff"

struct facts {
	char id[2][8];
	struct key key[2];
	struct keyring ring;
	char label[2][8], schema[16], table[2][16], name[3][16];
	char *column[2][2];
	struct target target[2];
	struct rotate_options o;
	struct outcome outcome;
	struct buf text;
};

static inline void
set_name(char *ret, size_t room, const char *text)
{
	assert_true(strlen(text) < room);
	memcpy(ret, text, strlen(text) + 1);
}

/* creds (two columns, odd names) and other (one column). */
static inline int
facts_new(void **state)
{
	struct facts *f = xcalloc(1, sizeof(*f));

	set_name(f->id[0], sizeof(f->id[0]), "k1");
	set_name(f->id[1], sizeof(f->id[1]), "k2");
	for (size_t i = 0; i < 2; i++)
		f->key[i] =
			(struct key){.id = f->id[i], .fingerprint = "0123abcd"};
	f->ring = (struct keyring){
		.key = f->key, .count = 2, .primary = 1, .has_primary = true};
	set_name(f->label[0], sizeof(f->label[0]), "creds");
	set_name(f->label[1], sizeof(f->label[1]), "other");
	set_name(f->schema, sizeof(f->schema), "public");
	set_name(f->table[0], sizeof(f->table[0]), "creds");
	set_name(f->table[1], sizeof(f->table[1]), ODD);
	set_name(f->name[0], sizeof(f->name[0]), "secret");
	set_name(f->name[1], sizeof(f->name[1]), "meta");
	set_name(f->name[2], sizeof(f->name[2]), ODD);
	f->column[0][0] = f->name[0];
	f->column[0][1] = f->name[1];
	f->column[1][0] = f->name[2];
	for (size_t i = 0; i < 2; i++)
		f->target[i] = (struct target){
			.label = f->label[i],
			.schema = f->schema,
			.table = f->table[i],
			.column = f->column[i],
			.columns = 2 - i,
			.policy.format = format_find("sentry"),
		};
	f->o.job = (struct job){
		.ring = &f->ring, .target = f->target, .targets = 2};
	outcome_init(&f->outcome, &f->o.job);
	buf_init(&f->text, 1 << 16);
	*state = f;
	return 0;
}

static inline int
facts_free(void **state)
{
	struct facts *f = *state;

	outcome_done(&f->outcome, &f->o.job);
	buf_done(&f->text);
	free(f);
	return 0;
}

static inline void
add_finding(struct facts *f, const char *row, const char *reason)
{
	const struct finding finding = {
		.table = "public.creds",
		.column = "secret",
		.row = row,
		.verdict = "malformed",
		.reason = reason,
	};

	outcome_add_finding(&f->outcome, &finding);
	f->outcome.total_findings++;
}

static inline void
assert_says(struct facts *f, const char *part)
{
	if (!strstr(buf_str(&f->text), part))
		fail_msg("no %s in %s", part, buf_str(&f->text));
}

static inline void
assert_silent(struct facts *f, const char *part)
{
	if (strstr(buf_str(&f->text), part))
		fail_msg("%s in %s", part, buf_str(&f->text));
}

#define WITH_FACTS(test) \
	cmocka_unit_test_setup_teardown(test, facts_new, facts_free)

#endif
