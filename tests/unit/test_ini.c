/* The strict reader: what a line may look like, and the file around it. */
#include "config_case.h"

static void
c01_a_file_that_cannot_be_read_or_is_empty_is_refused(void **state)
{
	(void)state;
	refuse_path("cannot open");
	write_file("", 0);
	refuse_path("is empty");
	write_file("# only a comment\n\n", 18);
	refuse_path("has no settings");
}

static void
c02_a_directory_or_fifo_is_refused_without_waiting(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	refuse_path("is no regular file");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	refuse_path("is no regular file");
	unlink(path);
	assert_int_equal(symlink("/dev/zero", path), 0);
	refuse_path("is no regular file");
}

static void
c03_a_line_that_inih_would_cut_is_refused(void **state)
{
	char text[1024];
	int n;

	(void)state;
	n = snprintf(text, sizeof(text), "[keys]\ndirectory = /%0177d\n", 0);
	accept_bytes(text, (size_t)n);
	assert_int_equal(strlen(config.key_directory), 178);
	n = snprintf(text, sizeof(text), "[keys]\ndirectory = /%0178d\n", 0);
	refuse_bytes(text, (size_t)n, ":2: the line has more than 190 bytes");
	n = snprintf(text, sizeof(text),
		"[rotate]\nmax_passes = 3%0170dworkers=64\n", 0);
	refuse_bytes(text, (size_t)n, ":2: the line has more than 190 bytes");
	n = snprintf(text, sizeof(text), "#%0500d\n" TABLE, 0);
	accept_bytes(text, (size_t)n);
}

static void
c04_a_nul_byte_is_refused(void **state)
{
	static const char text[] = "[rotate]\nworkers = 2\0 4\n";

	(void)state;
	refuse_bytes(text, sizeof(text) - 1, ":2: holds a NUL byte");
}

static void
c05_a_comment_inside_a_line_is_refused(void **state)
{
	(void)state;
	refuse("[table t]\nwhere = a ;b\n",
		":2: a blank and ';' inside a line could be a comment");
	refuse("[table t]\nwhere = a #b\n",
		":2: a blank and '#' inside a line could be a comment");
	refuse("[table t] ; x\n",
		":1: a blank and ';' inside a line could be a comment");
	refuse("[keys]\ndirectory =\t;x\n",
		":2: a blank and ';' inside a line could be a comment");
	accept("[table t]\ncolumns = c\nwhere = a;b#>>'{x}'\n");
	assert_string_equal(config.target[0].where, "a;b#>>'{x}'");
}

static void
c06_an_indented_line_is_refused_but_an_indented_comment_is_not(void **state)
{
	(void)state;
	refuse("[rotate]\nworkers = 2\n  batch_rows = 3\n", ":3: is indented");
	refuse("[rotate]\nworkers = 2\n\t3\n", ":3: is indented");
	refuse(" [rotate]\n", ":1: is indented");
	accept(TABLE " ; a comment\n   \n\t# one more\n");
}

static void
c07_a_duplicate_is_refused_and_both_lines_are_named(void **state)
{
	(void)state;
	refuse("[rotate]\nworkers = 2\n\nworkers = 2\n",
		":4: [rotate] workers is there twice (first on line 2)");
	refuse("[rotate]\nworkers = 2\n[keys]\n[rotate]\n",
		":4: [rotate] is there twice (first on line 1)");
	refuse(TABLE "[table  t ]\n",
		":3: [table t] is there twice (first on line 1)");
	refuse("[database]\nhost = a\nhost = b\n",
		":3: [database] host is there twice (first on line 2)");
	refuse("[keys]\nfingerprint.a = 12345678\nfingerprint.a = 12345678\n",
		":3: [keys] fingerprint.a is there twice (first on line 2)");
	accept("[rotate]\nworkers = 1\n[verify]\nworkers = 2\n");
}

static void
c08_a_name_that_inih_would_cut_is_refused(void **state)
{
	char text[1024];
	int n;

	(void)state;
	n = snprintf(text, sizeof(text),
		"[table %042d]\nname = t\ncolumns = c\n", 0);
	accept_bytes(text, (size_t)n);
	assert_int_equal(strlen(config.target[0].label), 42);
	n = snprintf(text, sizeof(text), "[table %043d]\n", 0);
	refuse_bytes(text, (size_t)n,
		":1: the section's name has more than 48 bytes");
	n = snprintf(text, sizeof(text),
		"[keys]\nfingerprint.%036d = 12345678\n", 0);
	accept_bytes(text, (size_t)n);
	assert_int_equal(strlen(config.pins[0]), 36);
	n = snprintf(text, sizeof(text),
		"[keys]\nfingerprint.%037d = 12345678\n", 0);
	refuse_bytes(text, (size_t)n, ":2: the name has more than 48 bytes");
}

static void
c09_a_section_without_end_is_refused(void **state)
{
	(void)state;
	refuse("[keys]\n[rotate\nworkers = 3\n", ":2: the section has no ]");
	refuse("[", ":1: the section has no ]");
}

static void
c10_something_behind_a_section_is_refused(void **state)
{
	(void)state;
	refuse("[rotate] workers = 3\n", ":1: something follows the ]");
	refuse("[rotate]]\n", ":1: something follows the ]");
	accept("[rotate] \t\nworkers = 3\n");
}

static void
c15_a_byte_order_mark_and_crlf_are_accepted(void **state)
{
	(void)state;
	accept("\xef\xbb\xbf[rotate]\r\nworkers = 5\r\n\r\n# x\r\n");
	assert_int_equal(config.workers, 5);
	accept("[rotate]\nworkers = 6");
	assert_int_equal(config.workers, 6);
	refuse("[rotate]\rworkers = 5\r", ":1: holds a control character");
}

static void
c16_another_encoding_is_refused(void **state)
{
	static const char le[] = "\xff\xfe[\0k\0]\0";
	static const char be[] = "\xfe\xff\0[\0k\0]";
	static const char bare[] = "[\0k\0]\0";

	(void)state;
	refuse_bytes(le, sizeof(le) - 1, ": is UTF-16");
	refuse_bytes(be, sizeof(be) - 1, ": is UTF-16");
	refuse_bytes(bare, sizeof(bare) - 1, ":1: holds a NUL byte");
	refuse("[table t]\nname = \xe4pfel\n", ":2: is not UTF-8");
	refuse("# \xff\n" TABLE, ":1: is not UTF-8");
	refuse("[rotate]\nworkers = 2\x1b\n", ":2: holds a control character");
	accept("[table \xc3\xa4pfel]\ncolumns = \xe2\x82\xac\n");
	assert_string_equal(config.target[0].table, "\xc3\xa4pfel");
}

static void
c17_a_file_that_others_can_change_is_refused(void **state)
{
	(void)state;
	write_file(TABLE, strlen(TABLE));
	chmod(path, 0664);
	refuse_path("can be written by others");
	chmod(path, 0602);
	refuse_path("can be written by others");
	chmod(path, 0644);
	assert_int_equal(read_path(), 0);
	if (geteuid() != 0)
		return; /* only root can give a file away */
	assert_int_equal(chown(path, 12345, 0), 0);
	refuse_path("belongs neither to root nor to this user");
}

static void
a_line_that_is_no_setting_is_refused(void **state)
{
	(void)state;
	refuse("[rotate]\nworkers\n", ":2: is no setting");
	refuse("[rotate]\nworkers: 2\n", ":2: is no setting");
	refuse("[rotate]\n= 2\n", ":2: has no name before the =");
	refuse("workers = 2\n",
		":1: a setting stands before the first [section]");
}

static void
a_huge_file_is_refused(void **state)
{
	size_t len = 300 * 1024;
	char *text = xmalloc(len);

	(void)state;
	memset(text, '\n', len);
	write_file(text, len);
	refuse_path("has more than 256 KiB");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(c01_a_file_that_cannot_be_read_or_is_empty_is_refused),
		CASE(c02_a_directory_or_fifo_is_refused_without_waiting),
		CASE(c03_a_line_that_inih_would_cut_is_refused),
		CASE(c04_a_nul_byte_is_refused),
		CASE(c05_a_comment_inside_a_line_is_refused),
		CASE(c06_an_indented_line_is_refused_but_an_indented_comment_is_not),
		CASE(c07_a_duplicate_is_refused_and_both_lines_are_named),
		CASE(c08_a_name_that_inih_would_cut_is_refused),
		CASE(c09_a_section_without_end_is_refused),
		CASE(c10_something_behind_a_section_is_refused),
		CASE(c15_a_byte_order_mark_and_crlf_are_accepted),
		CASE(c16_another_encoding_is_refused),
		CASE(c17_a_file_that_others_can_change_is_refused),
		CASE(a_line_that_is_no_setting_is_refused),
		CASE(a_huge_file_is_refused),
	};

	return cmocka_run_group_tests(tests, case_begin_all, case_end_all);
}
