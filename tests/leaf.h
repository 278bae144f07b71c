/*
 * leaf.h - a leaf with the names that tests of SQL text want, and the text.
 */
#ifndef PGREKEY_TEST_LEAF_H
#define PGREKEY_TEST_LEAF_H

#include "../src/db/rows_int.h"
#include "quote.h"
#include "test.h"
#include <stdlib.h>

#define LEAF_COLUMNS 3

struct scene {
	struct target target;
	struct leaf leaf;
	struct leaf_column column[LEAF_COLUMNS];
	struct buf sql;
	struct sql_view view;
	struct range range;
	struct sql_write write;
};

static inline char *
quoted(const char *before, const char *name)
{
	char *text;
	struct buf b;

	buf_init(&b, 1024);
	buf_adds(&b, before);
	quote_ident(&b, name);
	text = xstrdup(buf_str(&b));
	buf_done(&b);
	return text;
}

/* Columns of the given names, the first of each carrier in turn. */
static inline void
scene_columns(struct scene *s, const char *const *name, size_t columns)
{
	for (size_t i = 0; i < columns; i++)
		s->column[i] = (struct leaf_column){
			.name = xstrdup(name[i]),
			.ref = quoted("t.", name[i]),
			.carrier = (enum carrier)i,
		};
	s->target.columns = columns;
}

static inline int
scene_new(void **state)
{
	struct scene *s = xcalloc(1, sizeof(*s));

	s->target.policy = (struct policy){
		.format = format_find("sentry"), .max_value_bytes = 1000};
	s->leaf = (struct leaf){
		.conf = &s->target,
		.column = s->column,
		.sql_name = xstrdup("\"s\".\"T\""),
	};
	s->view = (struct sql_view){.leaf = &s->leaf, .current_key = "k2"};
	s->range = (struct range){{3, 0}, {7, 2}};
	s->write = (struct sql_write){
		.leaf = &s->leaf,
		.state_schema = "\"pgrekey\"",
	};
	buf_init(&s->sql, 1 << 16);
	*state = s;
	return 0;
}

static inline int
scene_free(void **state)
{
	struct scene *s = *state;

	for (size_t i = 0; i < s->target.columns; i++) {
		free(s->column[i].name);
		free(s->column[i].ref);
	}
	free(s->leaf.sql_name);
	buf_done(&s->sql);
	free(s);
	return 0;
}

static inline void
assert_has(struct scene *s, const char *part)
{
	if (!strstr(buf_str(&s->sql), part))
		fail_msg("no %s in %s", part, buf_str(&s->sql));
}

static inline void
assert_lacks(struct scene *s, const char *part)
{
	if (strstr(buf_str(&s->sql), part))
		fail_msg("%s in %s", part, buf_str(&s->sql));
}

#define WITH_SCENE(test) \
	cmocka_unit_test_setup_teardown(test, scene_new, scene_free)

#endif
