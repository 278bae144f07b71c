/*
 * What must hold for every row, so that a new option is covered before it has
 * tests of its own.
 */
#include "../../src/cli/nearest_int.h"
#include "../../src/cli/value_int.h"
#include "command.h"
#include "test.h"

#define EACH_OPTION                            \
	const struct option *o = option_table; \
	o->name;                               \
	o++
#define EACH_COMMAND                               \
	const struct command *const *c = commands; \
	*c;                                        \
	c++

/* Stores text in a record of its own; *number is the field if it is one. */
static int
store(const struct option *o, const char *name, const char *text,
	int64_t *number, struct err *err)
{
	bool table = o->section && !strcmp(o->section, TABLE_SECTION);
	struct config config = {0};
	const char *field;
	void *record;
	int rc;

	config.target = xcalloc(1, sizeof(*config.target));
	config.targets = 1;
	record = table ? (void *)config.target : (void *)&config;
	field = (const char *)record + o->offset;
	rc = option_store(o, record, name, text, err);
	*number = 0;
	if (rc == 0 && o->width <= sizeof(*number))
		memcpy(number, field, o->width);
	config_free(&config);
	return rc;
}

static bool
has_range(const struct option *o)
{
	return o->type == OPTION_UINT || o->type == OPTION_DURATION ||
	       o->type == OPTION_SIZE;
}

static void
every_name_of_the_file_finds_its_row(void **state)
{
	(void)state;
	for (EACH_OPTION) {
		if (o->section && !o->pattern)
			assert_ptr_equal(
				option_in_file(o->section, o->name), o);
	}
	assert_string_equal(
		option_in_file("database", "keepalives")->name, "KEYWORD");
	assert_string_equal(option_in_file("keys", "fingerprint.k1")->name,
		"fingerprint.ID");
	assert_null(option_in_file("keys", "fingerprint."));
	assert_null(option_in_file("keys", "workers"));
	assert_null(option_in_file("rotate", "dry-run"));
}

static void
every_flag_and_letter_finds_its_row(void **state)
{
	char name[64];

	(void)state;
	for (EACH_OPTION) {
		const char letter[2] = {o->letter, '\0'};

		option_flag(name, sizeof(name), o->name);
		for (EACH_COMMAND) {
			if (!option_is_on(o, (*c)->name))
				continue;
			assert_ptr_equal(
				option_on_command((*c)->name, name), o);
			if (o->letter)
				assert_ptr_equal(
					option_on_command((*c)->name, letter),
					o);
		}
	}
}

static void
dashes_stand_for_underscores_on_the_command_line_only(void **state)
{
	(void)state;
	assert_non_null(option_on_command("rotate", "batch-rows"));
	assert_null(option_on_command("rotate", "batch_rows"));
	assert_null(option_in_file("rotate", "batch-rows"));
	assert_null(option_on_command("init", "batch-rows"));
	assert_null(option_on_command("rot", "batch-rows"));
	assert_null(option_on_command("", "batch-rows"));
}

static void
every_row_is_for_commands_that_exist(void **state)
{
	(void)state;
	for (EACH_OPTION) {
		const char *word = o->on;
		size_t len;

		if (!word || !strcmp(word, "*"))
			continue;
		for (; *word; word += len + strspn(word + len, " ")) {
			size_t known = 0;

			len = strcspn(word, " ");
			for (EACH_COMMAND)
				known += strlen((*c)->name) == len &&
					 !strncmp((*c)->name, word, len);
			assert_int_equal(known, 1);
		}
	}
}

static void
every_row_can_be_given_somewhere_and_explains_itself(void **state)
{
	(void)state;
	for (EACH_OPTION) {
		size_t len = strlen(o->help);

		assert_true(o->section || o->on);
		assert_true(o->type == OPTION_FLAG || o->argument);
		assert_true(o->type != OPTION_FLAG || o->on);
		assert_in_range(len, 5, 70);
		assert_true(o->help[len - 1] != '.');
		if (o->comment)
			assert_int_equal(
				o->comment[strlen(o->comment) - 1], '.');
	}
}

static void
every_default_and_example_is_accepted(void **state)
{
	struct err err;
	int64_t n;

	(void)state;
	for (EACH_OPTION) {
		if (o->preset)
			assert_int_equal(
				store(o, o->name, o->preset, &n, &err), 0);
		if (o->example)
			assert_int_equal(
				store(o, o->name, o->example, &n, &err), 0);
	}
}

static void
spell(struct buf *out, const struct option *o, int64_t n)
{
	buf_reset(out);
	if (o->type == OPTION_DURATION)
		value_add_duration(out, n);
	else if (o->type == OPTION_SIZE)
		value_add_size(out, n);
	else
		buf_addf(out, "%lld", (long long)n);
}

/* C13, C23 */
static void
every_range_includes_its_borders_and_ends_there(void **state)
{
	struct buf text;
	struct err err;
	int64_t n;

	(void)state;
	buf_init(&text, 100);
	for (EACH_OPTION) {
		if (!has_range(o))
			continue;
		assert_true(o->min < o->max);
		spell(&text, o, o->min);
		assert_int_equal(
			store(o, o->name, buf_str(&text), &n, &err), 0);
		assert_true(n == o->min);
		spell(&text, o, o->max);
		assert_int_equal(
			store(o, o->name, buf_str(&text), &n, &err), 0);
		assert_true(n == o->max);
		spell(&text, o, o->max + 1);
		assert_int_equal(
			store(o, o->name, buf_str(&text), &n, &err), -1);
		if (o->min == 0)
			continue;
		spell(&text, o, o->min - 1);
		assert_int_equal(
			store(o, o->name, buf_str(&text), &n, &err), -1);
	}
	buf_done(&text);
}

static void
every_word_stands_for_its_place_in_the_enum(void **state)
{
	struct err err;
	int64_t n;

	(void)state;
	for (EACH_OPTION) {
		if (o->type != OPTION_ENUM)
			continue;
		assert_null(o->words[OPTION_WORDS - 1]);
		for (int i = 0; o->words[i]; i++) {
			assert_int_equal(
				store(o, o->name, o->words[i], &n, &err), 0);
			assert_int_equal(n, i);
		}
		assert_int_equal(store(o, o->name, "REPORT", &n, &err), -1);
	}
}

/* C12 */
static void
an_empty_value_is_refused_everywhere(void **state)
{
	struct err err;
	int64_t n;

	(void)state;
	for (EACH_OPTION) {
		if (o->type == OPTION_FLAG)
			continue;
		assert_int_equal(store(o, o->name, "", &n, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
	}
}

static void
a_refusal_never_shows_the_value(void **state)
{
	static const char secret[] = "s3cr3t,,!\"";
	struct err err;
	int64_t n;

	(void)state;
	for (EACH_OPTION) {
		if (o->type == OPTION_FLAG || o->type == OPTION_STRING ||
			o->type == OPTION_CONN)
			continue;
		assert_int_equal(store(o, o->name, secret, &n, &err), -1);
		assert_null(strstr(err.msg, "s3cr3t"));
		assert_null(strstr(err.hint, "s3cr3t"));
	}
}

/* C19 */
static void
a_password_in_the_connection_settings_is_refused(void **state)
{
	static const char *const names[] = {"password", "sslpassword",
		"oauth_client_secret", "scram_client_key"};
	static const char *const values[] = {"postgresql://u:x@h/db",
		"postgres://u:p/w@h/db", "postgresql://u:p?w@h",
		"postgresql://h/db?password=x", "host=h password=x",
		"host=h PASSWORD = x", "sslpassword=x"};
	static const char *const fine[] = {"postgresql://u@h:5432/db",
		"postgresql://h:5432/db", "postgresql://[::1]:5432/db",
		"postgresql:///db?host=/run/x", "-c password_encryption=md5",
		"db", "h:5432"};
	const struct option *uri = option_in_file("database", "uri");
	struct err err;
	int64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(store(uri, names[i], "x", &n, &err), -1);
		assert_non_null(strstr(err.hint, "passfile"));
	}
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_int_equal(store(uri, "uri", values[i], &n, &err), -1);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		assert_int_equal(store(uri, "uri", fine[i], &n, &err), 0);
	assert_int_equal(store(uri, "passfile", "/x", &n, &err), 0);
}

static const char *
guess(const char *word)
{
	static const char *const known[] = {
		"workers", "batch_rows", "wait", "window_bytes"};
	struct nearest near;

	nearest_init(&near, word);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		nearest_offer(&near, known[i]);
	return near.best;
}

static void
a_slip_finds_the_word_that_was_meant(void **state)
{
	(void)state;
	assert_string_equal(guess("worker"), "workers");
	assert_string_equal(guess("wrokers"), "workers");
	assert_string_equal(guess("WORKERS"), "workers");
	assert_string_equal(guess("batch-rows"), "batch_rows");
	assert_string_equal(guess("wiat"), "wait");
	assert_null(guess("password"));
	assert_null(guess(""));
	assert_null(
		guess("a_word_that_is_much_longer_than_any_name_of_ours_is"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_of_the_file_finds_its_row),
		cmocka_unit_test(every_flag_and_letter_finds_its_row),
		cmocka_unit_test(
			dashes_stand_for_underscores_on_the_command_line_only),
		cmocka_unit_test(every_row_is_for_commands_that_exist),
		cmocka_unit_test(
			every_row_can_be_given_somewhere_and_explains_itself),
		cmocka_unit_test(every_default_and_example_is_accepted),
		cmocka_unit_test(
			every_range_includes_its_borders_and_ends_there),
		cmocka_unit_test(every_word_stands_for_its_place_in_the_enum),
		cmocka_unit_test(an_empty_value_is_refused_everywhere),
		cmocka_unit_test(a_refusal_never_shows_the_value),
		cmocka_unit_test(
			a_password_in_the_connection_settings_is_refused),
		cmocka_unit_test(a_slip_finds_the_word_that_was_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
