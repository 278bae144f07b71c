/*
 * stderr is replaced by a pipe or a pseudo-terminal while a test talks to it;
 * assertions come after it is back, or their own words would be captured.
 */
#include "log.h"
#include "test.h"
#include <pthread.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SHOWN_MAX 65536

static char shown[SHOWN_MAX];

struct capture {
	int saved;
	int from; /* what was written to stderr arrives here */
};

static struct capture
replace_stderr(int from, int to)
{
	struct capture c = {.saved = dup(STDERR_FILENO), .from = from};

	dup2(to, STDERR_FILENO);
	close(to);
	return c;
}

static struct capture
capture_pipe(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	return replace_stderr(fds[0], fds[1]);
}

static struct capture
capture_terminal(unsigned short columns)
{
	struct winsize size = {.ws_col = columns, .ws_row = 25};
	int master, slave;

	setenv("TERM", "vt100", 1);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	return replace_stderr(master, slave);
}

/* Everything so far is in shown[]; stderr is itself again. That closed the
 * other side, so the reading ends. */
static void
release(struct capture c)
{
	size_t len = 0;
	ssize_t n;

	dup2(c.saved, STDERR_FILENO);
	close(c.saved);
	while ((n = read(c.from, shown + len, SHOWN_MAX - 1 - len)) > 0)
		len += (size_t)n;
	shown[len] = '\0';
	close(c.from);
}

static void
messages_have_a_prefix_and_a_level(void **state)
{
	struct capture c = capture_pipe();

	(void)state;
	log_set_level(LOG_INFO);
	log_error("e%d", 1);
	log_warning("w%d", 2);
	log_info("i%d", 3);
	log_debug("d%d", 4);
	release(c);
	assert_string_equal(
		shown, "pgrekey: e1\npgrekey: warning: w2\npgrekey: i3\n");
}

static void
errors_are_printed_at_every_level(void **state)
{
	struct capture c = capture_pipe();

	(void)state;
	log_set_level(LOG_ERROR);
	log_error("e");
	log_warning("w");
	log_set_level(LOG_DEBUG);
	log_debug("d");
	log_set_level(LOG_INFO);
	release(c);
	assert_string_equal(shown, "pgrekey: e\npgrekey: d\n");
}

static void
an_error_has_its_hint_on_a_line_of_its_own(void **state)
{
	struct err plain, full;
	struct capture c;

	(void)state;
	err_set(&plain, ERR_USAGE, "no file");
	err_set(&full, ERR_DB, "cannot read public.t");
	err_hint(&full, "grant it");
	c = capture_pipe();
	log_err(&plain);
	log_err(&full);
	release(c);
	assert_string_equal(shown, "pgrekey: no file\n"
				   "pgrekey: cannot read public.t\n"
				   "hint: grant it\n");
}

static void
control_characters_cannot_reach_the_terminal(void **state)
{
	struct err err;
	struct capture c;

	(void)state;
	err_set(&err, ERR_DB, "a\x1b[2Jb");
	err_hint(&err, "c\nd");
	c = capture_pipe();
	log_info("%s", "x\ny\x1b\x7f|\xc2\x9b|\xff|\xc3\xa9");
	log_err(&err);
	release(c);
	assert_string_equal(shown, "pgrekey: x?y??|?|?|\xc3\xa9\n"
				   "pgrekey: a?[2Jb\nhint: c?d\n");
}

static void
a_line_of_any_length_is_one_line(void **state)
{
	struct capture c = capture_pipe();
	char text[10000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	release(c);
	assert_true(strlen(shown) > 1000);
	assert_ptr_equal(strchr(shown, '\n'), shown + strlen(shown) - 1);
}

static void
there_is_no_progress_line_without_a_terminal(void **state)
{
	struct capture c = capture_pipe();

	(void)state;
	log_progress("10 %");
	log_info("done");
	log_progress("");
	release(c);
	assert_string_equal(shown, "pgrekey: done\n");
}

static void
a_dumb_terminal_has_no_progress_line(void **state)
{
	struct capture c = capture_terminal(80);
	bool terminal;

	(void)state;
	setenv("TERM", "dumb", 1);
	terminal = log_is_terminal();
	log_progress("10 %");
	release(c);
	assert_false(terminal);
	assert_string_equal(shown, "");
}

static void
log_lines_appear_above_the_progress_line(void **state)
{
	struct capture c = capture_terminal(80);
	bool terminal = log_is_terminal();

	(void)state;
	log_progress("10 %");
	log_info("hello");
	log_progress("20 %");
	log_progress("");
	log_info("end");
	release(c);
	assert_true(terminal);
	assert_string_equal(shown, "\r\033[K10 %"
				   "\r\033[Kpgrekey: hello\r\n10 %"
				   "\r\033[K20 %"
				   "\r\033[K"
				   "pgrekey: end\r\n");
}

static void
the_progress_line_is_cut_to_the_width_in_characters(void **state)
{
	struct capture c = capture_terminal(10);

	(void)state;
	log_progress("\xc3\xa9"
		     "bcdefghijkl");
	log_progress("123456789");
	log_progress("");
	release(c);
	assert_string_equal(shown, "\r\033[K\xc3\xa9"
				   "bcdefghi"
				   "\r\033[K123456789\r\033[K");
}

static void
a_field_that_does_not_fit_is_left_out_whole(void **state)
{
	struct capture c = capture_terminal(16);

	(void)state;
	log_progress("pass 1  t  1,234,567 values");
	log_progress("pass 1  t  1,234");
	log_progress("pass 1  t  1,23");
	log_progress("pass 1, \xc3\xa9\xc3\xa9 done  1,234");
	log_progress("");
	release(c);
	assert_string_equal(shown, "\r\033[Kpass 1  t"
				   "\r\033[Kpass 1  t"
				   "\r\033[Kpass 1  t  1,23"
				   "\r\033[Kpass 1, \xc3\xa9\xc3\xa9 done"
				   "\r\033[K");
}

#define THREADS 4
#define LINES 50

static void *
talk(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("%s", (const char *)arg);
	return NULL;
}

static void
lines_of_threads_are_never_mixed(void **state)
{
	static char word[THREADS][2] = {"a", "b", "c", "d"};
	struct capture c = capture_pipe();
	pthread_t thread[THREADS];
	int lines = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, talk, word[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	release(c);
	for (const char *line = shown; *line; line += 11, lines++) {
		assert_memory_equal(line, "pgrekey: ", 9);
		assert_int_equal(line[10], '\n');
	}
	assert_int_equal(lines, THREADS * LINES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_have_a_prefix_and_a_level),
		cmocka_unit_test(errors_are_printed_at_every_level),
		cmocka_unit_test(an_error_has_its_hint_on_a_line_of_its_own),
		cmocka_unit_test(control_characters_cannot_reach_the_terminal),
		cmocka_unit_test(a_line_of_any_length_is_one_line),
		cmocka_unit_test(there_is_no_progress_line_without_a_terminal),
		cmocka_unit_test(a_dumb_terminal_has_no_progress_line),
		cmocka_unit_test(log_lines_appear_above_the_progress_line),
		cmocka_unit_test(
			the_progress_line_is_cut_to_the_width_in_characters),
		cmocka_unit_test(a_field_that_does_not_fit_is_left_out_whole),
		cmocka_unit_test(lines_of_threads_are_never_mixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
