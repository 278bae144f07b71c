/* What the settings mean, where they come from, and what contradicts. */
#include "config_case.h"

static int
check(unsigned needs)
{
	return config_check(&config, needs, &err);
}

static void
set(const char *command, const char *flag, const char *text)
{
	const struct option *o = option_on_command(command, flag);
	const struct config_origin origin = {SOURCE_COMMAND_LINE, 0};

	assert_non_null(o);
	assert_int_equal(
		config_set(&config, o, o->name, text, origin, &err), 0);
}

static void
settings_arrive_in_the_struct(void **state)
{
	(void)state;
	accept("[database]\nhost=/run/postgresql\n"
	       "uri = postgresql://h/db?x=y\n"
	       "[keys]\ndirectory = /etc/keys with blanks \n"
	       "ignore = README*, *~\nfingerprint.k1 = 0123ABCD\n"
	       "strict_permissions = yes\n"
	       "[rotate]\nworkers = 7\nwindow_bytes = 1MiB\n"
	       "synchronous_commit = off\nlock_timeout = 20ms\n");
	assert_string_equal(config.conn_keyword[0], "host");
	assert_string_equal(config.conn_value[0], "/run/postgresql");
	assert_string_equal(config.conn_keyword[1], "dbname");
	assert_string_equal(config.conn_value[1], "postgresql://h/db?x=y");
	assert_null(config.conn_keyword[2]);
	assert_null(config.conn_value[2]);
	assert_string_equal(config.key_directory, "/etc/keys with blanks");
	assert_string_equal(config.key_ignore[1], "*~");
	assert_string_equal(config.pins[0], "k1");
	assert_string_equal(config.pins[1], "0123abcd");
	assert_true(config.strict_permissions);
	assert_int_equal(config.workers, 7);
	assert_int_equal(config.window_bytes, 1048576);
	assert_false(config.synchronous_commit);
	assert_int_equal(config.lock_timeout_ms, 20);
	assert_int_equal(config.chunk_bytes, 33554432); /* default */
}

static void
tables_arrive_in_the_order_of_the_file(void **state)
{
	const struct target *t;

	(void)state;
	accept("[table Creds]\ncolumns = one, \"Two\"\nwhere = x = 'y'\n"
	       "raw = encrypt\nnested = unwrap\nmax_value_bytes = 1KiB\n"
	       "[table \tother one ]\nname = \"S\".\"T\"\ncolumns = c\n"
	       "[keys]\nmethod = plaintext\n");
	assert_int_equal(config.targets, 2);
	t = config.target;
	assert_string_equal(t[0].label, "Creds");
	assert_string_equal(t[0].schema, "public");
	assert_string_equal(t[0].table, "creds");
	assert_int_equal(t[0].columns, 2);
	assert_string_equal(t[0].column[0], "one");
	assert_string_equal(t[0].column[1], "Two");
	assert_string_equal(t[0].where, "x = 'y'");
	assert_int_equal(t[0].policy.raw, RAW_ENCRYPT);
	assert_int_equal(t[0].policy.nested, NESTED_UNWRAP);
	assert_int_equal(t[0].policy.max_value_bytes, 1024);
	assert_int_equal(t[0].policy.method, METHOD_PLAINTEXT);
	assert_string_equal(t[1].label, "other one");
	assert_string_equal(t[1].schema, "S");
	assert_string_equal(t[1].table, "T");
	assert_string_equal(t[1].policy.format->name, "sentry");
	assert_int_equal(t[1].policy.raw, RAW_REPORT);
	assert_int_equal(t[1].policy.max_value_bytes, 64 << 20);
	assert_int_equal(t[1].line, 7);
}

static void
c11_what_is_unknown_is_refused_and_the_nearest_named(void **state)
{
	(void)state;
	refuse("[rotate]\nworker = 2\n",
		":2: unknown option 'worker' in [rotate]");
	assert_string_equal(err.hint, "did you mean 'workers'?");
	refuse("[rotate]\nWorkers = 2\n",
		":2: unknown option 'Workers' in [rotate]");
	assert_string_equal(err.hint, "did you mean 'workers'?");
	refuse("[keys]\nworkers = 2\n",
		":2: unknown option 'workers' in [keys]");
	assert_string_equal(err.hint, "it belongs into [rotate]");
	refuse("[table t]\ncolumn = c\n",
		":2: unknown option 'column' in [table t]");
	assert_string_equal(err.hint, "did you mean 'columns'?");
	refuse("[Rotate]\n", ":1: unknown section [Rotate]");
	assert_string_equal(err.hint, "did you mean [rotate]?");
	refuse("[tabel t]\n", ":1: unknown section [tabel t]");
	assert_string_equal(err.hint, "a table's section is [table LABEL]");
	refuse("[zzzzzzzz]\n", ":1: unknown section [zzzzzzzz]");
	refuse("[]\n", ":1: unknown section []");
	refuse("[database]\nHost = h\n",
		":2: unknown option 'Host' in [database]");
	refuse("[rotate]\ndry_run = yes\n",
		":2: unknown option 'dry_run' in [rotate]");
}

static void
c11_a_keyword_that_libpq_does_not_know_is_no_exception(void **state)
{
	(void)state;
	refuse("[database]\nhots = h\n",
		":2: unknown option 'hots' in [database]");
	assert_string_equal(err.hint, "did you mean 'host'?");
	refuse("[database]\nport = 1\ntarget_session_attr = any\n",
		":3: unknown option 'target_session_attr' in [database]");
	assert_string_equal(err.hint, "did you mean 'target_session_attrs'?");
	refuse("[database]\nuro = postgresql://h\n",
		":2: unknown option 'uro' in [database]");
	assert_string_equal(err.hint, "did you mean 'uri'?");
	refuse("[database]\nworkers = 2\n",
		":2: unknown option 'workers' in [database]");
	assert_string_equal(err.hint, "it belongs into [rotate]");
	refuse("[database]\npasword = x\n",
		":2: unknown option 'pasword' in [database]");
	assert_string_equal(err.hint, "give the password in a passfile "
				      "(~/.pgpass, 0600) or a service file");
	accept("[database]\ntarget_session_attrs = any\n");
}

static void
c12_what_is_missing_or_empty_is_refused(void **state)
{
	(void)state;
	refuse("[keys]\ndirectory =\n", ":2: directory: has no value");
	refuse("[table a]\ncolumns = c\n[table t]\nraw = allow\n[keys]\n",
		":3: [table t] has no columns");
	refuse("[table]\n",
		":1: a label has at least one character and no comma");
	refuse("[table a,b]\n",
		":1: a label has at least one character and no comma");
	refuse("[table my creds]\ncolumns = c\n",
		":1: [table my creds] needs a name");
}

static void
c13_numbers_are_refused_with_their_range(void **state)
{
	static const char *const bad[] = {"-1", "0", "1e9",
		"99999999999999999999", "10k", "0x10", "+1", "2.0", "65"};
	char text[100];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(
			text, sizeof(text), "[rotate]\nworkers = %s\n", bad[i]);
		refuse(text, ":2: workers: must be a number from 1 to 64");
	}
	refuse("[verify]\nwait = 30\n",
		":2: wait: must be a duration from 0ms to 24h");
	assert_non_null(strstr(err.hint, "30s"));
	refuse("[rotate]\nwindow_bytes = 8MB\n",
		":2: window_bytes: must be a size from 256KiB to 1GiB");
	assert_non_null(strstr(err.hint, "MiB"));
}

static void
c14_booleans_and_words_are_refused_with_their_choice(void **state)
{
	(void)state;
	refuse("[keys]\nstrict_permissions = TRUE\n",
		":2: strict_permissions: must be on or off");
	refuse("[table t]\nraw = Allow\n",
		":2: raw: must be report, encrypt or allow");
	refuse("[table t]\nformat = rails\n", ":2: format: must be sentry");
	refuse("[keys]\nfingerprint.k = 1234567\n",
		":2: fingerprint.k: must be 8 hexadecimal digits");
}

static void
c18_c19_a_password_is_refused_wherever_it_hides(void **state)
{
	(void)state;
	refuse("[database]\npassword = x\n",
		":2: password: a password has no place here");
	assert_non_null(strstr(err.hint, "passfile"));
	refuse("[database]\nuri = postgresql://u:x@h/db\n",
		":2: uri: a password has no place here");
	refuse("[database]\ndbname = host=h password=x\n",
		":2: dbname: a password has no place here");
	refuse("[database]\noptions = postgres://u:x@h\n",
		":2: options: a password has no place here");
}

static void
c20_a_column_configured_twice_is_refused(void **state)
{
	(void)state;
	accept("[table a]\nname = T\ncolumns = x, C\n"
	       "[table b]\nname = public.\"t\"\ncolumns = y, \"c\"\n");
	assert_int_equal(check(0), -1);
	assert_string_equal(err.msg,
		"column 'c' of public.t is configured twice (lines 1 and 4)");
	accept("[table a]\ncolumns = x, x\n");
	assert_int_equal(check(0), -1);
	assert_string_equal(
		err.msg, "column 'x' of public.a is configured twice (line 1)");
	accept("[table a]\ncolumns = c\n[table b]\ncolumns = c\n"
	       "[table c]\nname = s.a\ncolumns = c, \"C\"\n");
	assert_int_equal(check(0), 0);
}

static void
c21_nothing_to_do_is_never_success(void **state)
{
	(void)state;
	accept("[rotate]\nworkers = 1\n");
	assert_int_equal(check(0), 0);
	assert_int_equal(check(NEED_TABLES), -1);
	assert_int_equal(err.code, ERR_USAGE);
	accept("[table a]\ncolumns = c\n[table b]\ncolumns = c\n");
	set("rotate", "only", "b");
	assert_int_equal(check(NEED_TABLES), 0);
	set("rotate", "only", "x");
	assert_int_equal(check(NEED_TABLES), -1);
	assert_string_equal(err.msg, "--only: there is no [table x]");
	assert_string_equal(err.hint, "the labels are: a, b");
}

static void
c22_names_are_quoted_as_in_sql_or_refused(void **state)
{
	(void)state;
	accept("[table t]\nname = \"We\"\"ird\".\"x'; DROP TABLE y--\"\n"
	       "columns = \"a,b\", \"c d\", \xc3\x84\n");
	assert_string_equal(config.target[0].schema, "We\"ird");
	assert_string_equal(config.target[0].table, "x'; DROP TABLE y--");
	assert_int_equal(config.target[0].columns, 3);
	refuse("[table t]\nname = a b\n",
		":2: name: something follows the name");
	refuse("[table t]\nname = a.b.c\n",
		":2: name: something follows the name");
	refuse("[table t]\ncolumns = a-b\n",
		":2: columns: something follows the name");
	refuse("[table t]\ncolumns = a,\n",
		":2: columns: must be a name of SQL");
	refuse("[table t]\nname = abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq"
	       "rstuvwxyzabcdefgh1234\n",
		":2: name: a name of SQL has at most 63 bytes");
	refuse("[rotate]\nstate_schema = a.b\n",
		":2: state_schema: something follows the name");
}

static void
more_columns_than_a_table_may_have_are_refused(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 1000);
	buf_adds(&text, "[table t]\ncolumns = c0");
	for (int i = 1; i < TARGET_COLUMNS_MAX; i++)
		buf_addf(&text, ",c%d", i);
	accept(buf_str(&text));
	assert_int_equal(config.target[0].columns, TARGET_COLUMNS_MAX);
	buf_adds(&text, ",d");
	refuse(buf_str(&text), ":2: columns: more than 32 columns");
	buf_done(&text);
}

static void
c26_values_are_literal(void **state)
{
	(void)state;
	accept("[keys]\ndirectory = ${HOME}/%(x)s/~/\"q\"\n");
	assert_string_equal(config.key_directory, "${HOME}/%(x)s/~/\"q\"");
}

static void
c28_contradictions_are_refused(void **state)
{
	(void)state;
	accept("[database]\nuri = postgresql://h\ndbname = d\n");
	assert_int_equal(check(0), -1);
	assert_int_equal(err.code, ERR_USAGE);
	accept(TABLE);
	set("rotate", "quiet", "");
	set("rotate", "verbose", "");
	assert_int_equal(check(0), -1);
	assert_int_equal(err.code, ERR_USAGE);
}

static enum config_source
source_of(const char *section, const char *name)
{
	return config_origin(&config, option_in_file(section, name)).source;
}

static void
the_command_line_wins_over_the_file_over_the_environment(void **state)
{
	static const char text[] = "[rotate]\nworkers = 3\nmax_passes = 3\n"
				   "[keys]\nprimary = file\n";

	(void)state;
	setenv("DATABASE_ENCRYPTION_FERNET_KEYS_LOCATION", "/env", 1);
	setenv("DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID", "env", 1);
	write_file(text, strlen(text));
	assert_int_equal(config_init(&config, &err), 0);
	set("rotate", "workers", "5");
	assert_int_equal(config_read_file(&config, path, &err), 0);
	assert_int_equal(config.workers, 5);
	assert_int_equal(config.max_passes, 3);
	assert_int_equal(config.batch_rows, 1000);
	assert_string_equal(config.key_directory, "/env");
	assert_string_equal(config.primary, "file");
	assert_int_equal(source_of("rotate", "workers"), SOURCE_COMMAND_LINE);
	assert_int_equal(source_of("rotate", "max_passes"), SOURCE_FILE);
	assert_int_equal(source_of("rotate", "batch_rows"), SOURCE_DEFAULT);
	assert_int_equal(source_of("keys", "directory"), SOURCE_ENVIRONMENT);
	unsetenv("DATABASE_ENCRYPTION_FERNET_KEYS_LOCATION");
	unsetenv("DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID");
}

static void
a_value_that_is_overridden_is_checked_all_the_same(void **state)
{
	(void)state;
	write_file("[rotate]\nworkers = x\n", 21);
	assert_int_equal(config_init(&config, &err), 0);
	set("rotate", "workers", "5");
	assert_int_equal(config_read_file(&config, path, &err), -1);
}

static void
an_empty_variable_is_one_that_is_not_set(void **state)
{
	(void)state;
	setenv("DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID", "", 1);
	accept(TABLE);
	assert_null(config.primary);
	unsetenv("DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(settings_arrive_in_the_struct),
		CASE(tables_arrive_in_the_order_of_the_file),
		CASE(c11_what_is_unknown_is_refused_and_the_nearest_named),
		CASE(c11_a_keyword_that_libpq_does_not_know_is_no_exception),
		CASE(c12_what_is_missing_or_empty_is_refused),
		CASE(c13_numbers_are_refused_with_their_range),
		CASE(c14_booleans_and_words_are_refused_with_their_choice),
		CASE(c18_c19_a_password_is_refused_wherever_it_hides),
		CASE(c20_a_column_configured_twice_is_refused),
		CASE(c21_nothing_to_do_is_never_success),
		CASE(c22_names_are_quoted_as_in_sql_or_refused),
		CASE(more_columns_than_a_table_may_have_are_refused),
		CASE(c26_values_are_literal),
		CASE(c28_contradictions_are_refused),
		CASE(the_command_line_wins_over_the_file_over_the_environment),
		CASE(a_value_that_is_overridden_is_checked_all_the_same),
		CASE(an_empty_variable_is_one_that_is_not_set),
	};

	return cmocka_run_group_tests(tests, case_begin_all, case_end_all);
}
