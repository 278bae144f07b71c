/* A batch as PostgreSQL's binary arrays, decoded here by the book. */
#include "digest.h"
#include "rows.h"
#include "test.h"
#include <stdio.h>

static uint32_t
number(const unsigned char **p)
{
	uint32_t n = 0;

	for (int i = 0; i < 4; i++)
		n = n << 8 | *(*p)++;
	return n;
}

/* The element at this place; ptr NULL for NULL. Checks the whole array. */
static struct slice
element(const struct buf *array, uint32_t type, uint32_t count, uint32_t at)
{
	const unsigned char *p = array->ptr;
	struct slice found = {0};

	assert_int_equal(number(&p), 1); /* dimensions */
	assert_int_equal(number(&p), 1); /* may have NULLs */
	assert_int_equal(number(&p), type);
	assert_int_equal(number(&p), count);
	assert_int_equal(number(&p), 1); /* lower bound */
	for (uint32_t i = 0; i < count; i++) {
		uint32_t len = number(&p);

		if (len == UINT32_MAX)
			continue;
		if (i == at)
			found = slice_of(p, len);
		p += len;
	}
	assert_ptr_equal(p, array->ptr + array->len);
	return found;
}

static void
assert_text(const struct buf *array, uint32_t count, uint32_t at,
	const char *expected)
{
	struct slice s = element(array, PG_TEXT, count, at);

	if (!expected) {
		assert_null(s.ptr);
		return;
	}
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.ptr, expected, s.len);
}

static struct change
change(const char *old, const char *fresh)
{
	return (struct change){
		.old = slice_str(old),
		.fresh = fresh ? slice_str(fresh) : (struct slice){0},
	};
}

static void
rows_become_arrays_with_null_for_what_stays(void **state)
{
	struct batch b;
	struct change c[2] = {change("old1", "new1"), change("x", NULL)};

	(void)state;
	batch_init(&b, 2);
	assert_null(element(&b.tid, PG_TID, 0, 0).ptr);
	batch_add(&b, (struct tid){0x01020304, 0x0506}, c, 42);
	c[0] = change("y", NULL);
	c[1] = change("", "new2");
	batch_add(&b, (struct tid){UINT32_MAX, UINT16_MAX}, c, 7);
	assert_int_equal(b.rows, 2);
	assert_int_equal(b.origin[0], 42);
	assert_int_equal(b.origin[1], 7);
	assert_memory_equal(
		element(&b.tid, PG_TID, 2, 0).ptr, "\1\2\3\4\5\6", 6);
	assert_memory_equal(element(&b.tid, PG_TID, 2, 1).ptr,
		"\xff\xff\xff\xff\xff\xff", 6);
	assert_text(&b.old[0], 2, 0, "old1");
	assert_text(&b.fresh[0], 2, 0, "new1");
	assert_text(&b.old[1], 2, 0, NULL); /* not sent: it is not compared */
	assert_text(&b.fresh[1], 2, 0, NULL);
	assert_text(&b.old[0], 2, 1, NULL);
	assert_text(&b.old[1], 2, 1, "");
	assert_text(&b.fresh[1], 2, 1, "new2");
	assert_false(b.digests || b.marked);
	batch_done(&b);
}

/* printf hello | sha256sum */
#define HELLO                                     \
	"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e" \
	"1b161e5c1fa7425e73043362938b9824"
#define EMPTY                                     \
	"sha256:e3b0c44298fc1c149afbf4c8996fb924" \
	"27ae41e4649b934ca495991b7852b855"

static void
plaintext_is_sent_as_its_digest_alone(void **state)
{
	struct batch b;
	struct change c = change("hello", "new");

	(void)state;
	batch_init(&b, 1);
	c.clear = true;
	batch_add(&b, (struct tid){1, 1}, &c, 0);
	c.old = (struct slice){0}; /* an empty value may have no bytes at all */
	batch_add(&b, (struct tid){1, 2}, &c, 0);
	assert_true(b.digests);
	assert_text(&b.old[0], 2, 0, HELLO);
	assert_text(&b.old[0], 2, 1, EMPTY);
	assert_null(memmem(b.old[0].ptr, b.old[0].len, "hello", 5));
	batch_reset(&b);
	assert_false(b.digests);
	c = change("hello", NULL); /* plaintext that stays is not sent at all */
	c.clear = true;
	batch_add(&b, (struct tid){1, 1}, &c, 0);
	assert_text(&b.old[0], 1, 0, NULL);
	batch_done(&b);
}

static void
marks_go_with_their_value(void **state)
{
	struct batch b;
	struct change c = change("a", "b");

	(void)state;
	batch_init(&b, 1);
	batch_add(&b, (struct tid){1, 1}, &c, 0);
	assert_false(b.marked);
	c.marks = MARK_NESTED | MARK_LATE;
	batch_add(&b, (struct tid){1, 2}, &c, 0);
	assert_true(b.marked);
	assert_null(element(&b.marks[0], PG_INT8, 2, 0).ptr);
	assert_memory_equal(
		element(&b.marks[0], PG_INT8, 2, 1).ptr, "\0\0\0\0\0\0\0\5", 8);
	batch_done(&b);
}

static void
a_slice_has_the_rows_asked_for_and_no_others(void **state)
{
	struct batch b, part;
	char old[16], fresh[16];

	(void)state;
	batch_init(&b, 1);
	batch_init(&part, 1);
	for (size_t i = 0; i < 300; i++) { /* more than its first room */
		struct change c;

		snprintf(old, sizeof(old), "%.*zu", (int)(i % 7), i);
		snprintf(fresh, sizeof(fresh), "new%zu", i);
		c = change(old, i % 3 ? fresh : NULL);
		c.clear = i == 200;
		batch_add(&b, (struct tid){(uint32_t)i, 1}, &c, 1000 + i);
	}
	assert_int_equal(b.rows, 300);
	batch_slice(&part, &b, 0, 300);
	assert_int_equal(batch_bytes(&part), batch_bytes(&b));
	assert_memory_equal(part.old[0].ptr, b.old[0].ptr, b.old[0].len);
	batch_slice(&part, &b, 5, 4);
	assert_int_equal(part.rows, 4);
	for (uint32_t i = 0; i < 4; i++) {
		snprintf(fresh, sizeof(fresh), "new%u", 5 + i);
		assert_text(&part.fresh[0], 4, i, (5 + i) % 3 ? fresh : NULL);
		assert_int_equal(part.origin[i], 1005 + i);
		assert_int_equal(
			element(&part.tid, PG_TID, 4, i).ptr[3], 5 + i);
	}
	assert_true(part.digests); /* no row of it, but the statement is one */
	batch_slice(&part, &b, 299, 1);
	assert_int_equal(part.origin[0], 1299);
	batch_slice(&part, &b, 7, 0);
	assert_int_equal(part.rows, 0);
	assert_null(element(&part.fresh[0], PG_TEXT, 0, 0).ptr);
	batch_done(&b);
	batch_done(&part);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_become_arrays_with_null_for_what_stays),
		cmocka_unit_test(plaintext_is_sent_as_its_digest_alone),
		cmocka_unit_test(marks_go_with_their_value),
		cmocka_unit_test(a_slice_has_the_rows_asked_for_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
