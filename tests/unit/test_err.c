#include "err.h"
#include "test.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char long_text[2000];

static int
fill(void **state)
{
	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	return 0;
}

static void
setting_returns_failure_and_forgets_what_was_before(void **state)
{
	struct err err = {.code = ERR_DB, .sqlstate = "22001", .hint = "old"};

	(void)state;
	assert_int_equal(err_set(&err, ERR_KEYS, "key %s is %d", "k", 7), -1);
	assert_int_equal(err.code, ERR_KEYS);
	assert_string_equal(err.msg, "key k is 7");
	assert_string_equal(err.sqlstate, "");
	assert_string_equal(err.hint, "");
	assert_int_equal(err_hint(&err, "use %s", "another"), -1);
	assert_string_equal(err.hint, "use another");
	assert_string_equal(err.msg, "key k is 7");
}

static void
a_system_error_tells_its_reason(void **state)
{
	struct err err = {.hint = "old", .sqlstate = "22001"};

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&err, ERR_USAGE, "cannot open %s", "f"), -1);
	assert_string_equal(
		err.msg, "cannot open f: No such file or directory");
	assert_string_equal(err.hint, "");
	assert_string_equal(err.sqlstate, "");
	assert_int_equal(err.code, ERR_USAGE);
}

static void
a_place_goes_before_the_message_and_keeps_the_rest(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, ERR_DB, "refused");
	err_hint(&err, "grant it");
	assert_int_equal(err_in(&err, "table %s", "t"), -1);
	assert_string_equal(err.msg, "table t: refused");
	assert_string_equal(err.hint, "grant it");
	assert_int_equal(err.code, ERR_DB);
	assert_int_equal(err_in(&err, "%s", ""), -1);
	assert_string_equal(err.msg, ": table t: refused");
}

static void
what_is_too_long_is_cut_and_still_ends(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, ERR_DB, "%s", long_text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	err_hint(&err, "%s", long_text);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
	errno = EIO;
	err_sys(&err, ERR_DB, "%s", long_text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	for (size_t n = 0; n < sizeof(err.msg) + 8; n++) {
		err_set(&err, ERR_DB, "refused");
		err_in(&err, "%.*s", (int)n, long_text);
		assert_true(strlen(err.msg) < sizeof(err.msg));
		if (n + strlen(": refused") < sizeof(err.msg)) {
			assert_string_equal(err.msg + n, ": refused");
		} else {
			assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
			assert_memory_equal(err.msg, long_text, 500);
		}
	}
	assert_int_equal(err.hint[0], '\0');
}

static void
allocation_of_nothing_is_something(void **state)
{
	unsigned char *zero = xcalloc(3, 5);
	char *copy = xstrdup(""), *text = xasprintf("%s-%d", "a", 5);
	char *grown;
	void *none = xmalloc(0);

	(void)state;
	assert_non_null(none);
	free(none);
	none = xcalloc(0, 0);
	assert_non_null(none);
	grown = xrealloc(none, 0);
	assert_non_null(grown);
	for (size_t i = 0; i < 15; i++)
		assert_int_equal(zero[i], 0);
	assert_string_equal(copy, "");
	assert_string_equal(text, "a-5");
	free(zero);
	free(copy);
	free(grown);
	xfree(text);
	xfree(NULL);
}

/* In a child: what it says on stderr, and how it ends. */
static int
status_of(void (*fn)(void), char *said, size_t room)
{
	int ends[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], said + len, room - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
dying(void)
{
	die("of a test");
}

static void
dying_is_a_bug_with_one_line(void **state)
{
	char said[200];

	(void)state;
	assert_int_equal(status_of(dying, said, sizeof(said)), ERR_BUG);
	assert_string_equal(said, "pgrekey: fatal: of a test\n");
}

#ifndef TEST_BUILD /* a sanitizer's allocator has its own opinion */
static void
allocating_too_much(void)
{
	xmalloc((unsigned long)-1 / 4);
}

static void
reallocating_too_much(void)
{
	xrealloc(xmalloc(1), (unsigned long)-1 / 4);
}

static void
allocating_what_overflows(void)
{
	xcalloc((unsigned long)-1 / 2, 4);
}
#endif

static void
out_of_memory_ends_the_program(void **state)
{
#ifndef TEST_BUILD
	static void (*const much[])(void) = {allocating_too_much,
		reallocating_too_much, allocating_what_overflows};
	char said[200];

	for (size_t i = 0; i < sizeof(much) / sizeof(much[0]); i++) {
		assert_int_equal(
			status_of(much[i], said, sizeof(said)), ERR_BUG);
		assert_string_equal(said, "pgrekey: fatal: out of memory\n");
	}
#endif
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			setting_returns_failure_and_forgets_what_was_before),
		cmocka_unit_test(a_system_error_tells_its_reason),
		cmocka_unit_test(
			a_place_goes_before_the_message_and_keeps_the_rest),
		cmocka_unit_test(what_is_too_long_is_cut_and_still_ends),
		cmocka_unit_test(allocation_of_nothing_is_something),
		cmocka_unit_test(dying_is_a_bug_with_one_line),
		cmocka_unit_test(out_of_memory_ends_the_program),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
