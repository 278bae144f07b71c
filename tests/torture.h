/*
 * torture.h - two tables of secrets in the fake store, the real engine over
 * them, and what must hold of both whatever happened.
 */
#ifndef PGREKEY_TEST_TORTURE_H
#define PGREKEY_TEST_TORTURE_H

#include "fake/store.h"
#include "keys.h"
#include "log.h"
#include "rotate.h"
#include "token.h"

#define CREDS 0
#define NOTES 1
#define CREDS_ROWS 168
#define NOTES_ROWS 24
#define MOST_ROWS CREDS_ROWS
#define LONG_AGO 1700000000u
#define DURING_THE_RUN 1900000000u

static const struct token_key older = {"k2023", KEY};
static const struct token_key old = {"k2024", OTHER_KEY};
static const struct token_key primary = {
	"k2025", "rCZATZHdj3EHiG6C3xdDtk4l5vAlckEAb1VBLmCqSY8="};

static char *values[FAKE_TABLES][MOST_ROWS][FAKE_COLUMNS][FAKE_VERSIONS];
static struct place *place;

/* -- what the tables hold -------------------------------------------------- */

enum kind {
	KIND_NULL,
	KIND_CURRENT,
	KIND_MARKED, /* as plaintext */
	KIND_OLDER,
	KIND_OLD,
};

static inline enum kind
kind_of(size_t table, size_t row, size_t column)
{
	static const enum kind kinds[] = {KIND_OLD, KIND_OLDER, KIND_CURRENT,
		KIND_OLD, KIND_NULL, KIND_OLD, KIND_MARKED};

	/* The third column needs nothing on most rows. */
	if (column == 2 && row % 8 != 0)
		return row % 2 ? KIND_NULL : KIND_CURRENT;
	return kinds[(row + 3 * column + table) % 7];
}

static inline char *
plain_of(size_t table, size_t row, size_t column, enum fake_version version)
{
	return xasprintf("secret %zu of row %zu of table %zu, version %d",
		column, row, table, version);
}

static inline char *
make_marked(const char *plain)
{
	char text[TOKEN_MAX];

	token_encode(text, (const unsigned char *)plain, strlen(plain), false);
	return xasprintf("enc:plaintext:%s", text);
}

static inline char *
make_first(enum kind kind, const char *plain)
{
	switch (kind) {
	case KIND_NULL:
		break;
	case KIND_CURRENT:
		return token_seal(&primary, LONG_AGO, plain);
	case KIND_MARKED:
		return make_marked(plain);
	case KIND_OLDER:
		return token_seal(&older, LONG_AGO, plain);
	case KIND_OLD:
		return token_seal(&old, LONG_AGO, plain);
	}
	return NULL;
}

static inline char *
make_value(size_t table, size_t row, size_t column, enum fake_version version)
{
	char *plain = plain_of(table, row, column, version);
	char *ret;

	if (version == FAKE_FIRST)
		ret = make_first(kind_of(table, row, column), plain);
	else
		ret = token_seal(version == FAKE_NEW ? &primary : &old,
			DURING_THE_RUN, plain);
	free(plain);
	return ret;
}

static const char *
value_of(size_t table, size_t row, size_t column, enum fake_version version)
{
	char **at = &values[table][row][column][version];

	if (!*at)
		*at = make_value(table, row, column, version);
	return *at;
}

static const struct fake_setup setup = {
	.table = {{"creds", 3, CREDS_ROWS, 4}, {"notes", 1, NOTES_ROWS, 3}},
	.value = value_of,
	.current = "enc:fernet:k2025:",
};

/* -- a run ----------------------------------------------------------------- */

static char public[] = "public", creds[] = "creds", notes[] = "notes";
static char secret[] = "secret", token[] = "token", spare[] = "spare";
static char *names[] = {secret, token, spare};

struct run {
	struct target target[FAKE_TABLES];
	struct rotate_options o;
	struct outcome outcome;
	struct err err;
	int status;
};

static inline void
run(struct run *r, int64_t workers)
{
	static const char *const none[] = {NULL};

	*r = (struct run){0};
	for (size_t i = 0; i < FAKE_TABLES; i++)
		r->target[i] = (struct target){
			.label = names[0],
			.schema = public,
			.table = i == NOTES ? notes : creds,
			.column = names,
			.columns = setup.table[i].columns,
			.policy = {.format = format_find("sentry"),
				.max_value_bytes = 1000},
		};
	r->o = (struct rotate_options){
		.job = {.connection = {.keyword = none,
				.value = none,
				.application = "test",
				.synchronous_commit = true},
			.ring = place->ring,
			.target = r->target,
			.targets = FAKE_TABLES,
			.state_schema = "pgrekey",
			.max_findings = 10,
			.wait_ms = 30000,
			.quiet = true,
			.version = "test"},
		.workers = workers,
		.batch_rows = 6,
		.window_bytes = 100000,
		.chunk_bytes = 1000000,
		.lock_timeout_ms = 50,
		.max_passes = 8,
	};
	r->status = rotate_run(&r->outcome, &r->o, &r->err);
}

static inline void
run_done(struct run *r)
{
	outcome_done(&r->outcome, &r->o.job);
}

/* -- what must hold -------------------------------------------------------- */

/* Says where, if it does not hold. */
static const char *where = "";

#define must(what)                                                \
	do {                                                      \
		if (!(what))                                      \
			fail_msg("%s: not so: %s", where, #what); \
	} while (0)

static inline bool
needs_work(size_t table, size_t row, size_t column, enum fake_version version)
{
	if (version == FAKE_FIRST)
		return kind_of(table, row, column) >= KIND_MARKED;
	return version == FAKE_OLD;
}

/* A value is as the application wrote it, or sealed once under the primary. */
static inline void
check_value(size_t table, size_t row, size_t column)
{
	struct fake_value v = fake_value(table, row, column);
	char *plain;

	if (v.written == 0) {
		must(v.text == value_of(table, row, column, v.version));
		return;
	}
	must(v.written == 1);
	must(needs_work(table, row, column, v.version));
	plain = plain_of(table, row, column, v.version);
	must(token_opens(v.text, &primary, plain));
	free(plain);
}

/* All of a row's columns that need it were written together, or none. */
static inline void
check_row(size_t table, size_t row, bool done)
{
	int written = -1;

	for (size_t c = 0; c < setup.table[table].columns; c++) {
		struct fake_value v = fake_value(table, row, c);

		check_value(table, row, c);
		if (!v.text || !needs_work(table, row, c, v.version))
			continue;
		must(written < 0 || written == v.written);
		written = v.written;
		must(!done || written == 1);
	}
}

static inline void
check_rows(bool done)
{
	for (size_t t = 0; t < FAKE_TABLES; t++) {
		for (size_t r = 0; r < setup.table[t].rows; r++)
			check_row(t, r, done);
	}
}

/* Values of the old key that were written during the run, and are done, were
 * counted as late, if the application wrote them only once. */
static inline void
check_late(void)
{
	int64_t late = 0;

	for (size_t t = 0; t < FAKE_TABLES; t++) {
		for (size_t r = 0; r < setup.table[t].rows; r++) {
			for (size_t c = 0; c < setup.table[t].columns; c++) {
				struct fake_value v = fake_value(t, r, c);

				late += v.version == FAKE_OLD && v.written;
			}
		}
	}
	for (int64_t i = 1; i <= fake_facts().runs; i++)
		late -= fake_count(i, COUNT_LATE);
	must(late == 0);
}

/* What the state says was written is what was written, no more, no less. */
static inline void
check_run_counts(int64_t run)
{
	for (size_t t = 0; t < FAKE_TABLES; t++) {
		for (size_t c = 0; c < setup.table[t].columns; c++)
			must(fake_written(run, t, c) ==
				fake_counted(run, t, c));
	}
	must(fake_count(run, COUNT_NESTED) == 0);
	must(fake_count(run, COUNT_MISLABELLED) == 0);
}

static inline void
check_counts(void)
{
	struct fake_facts f = fake_facts();

	must(f.wrong == NULL);
	for (int64_t run = 1; run <= f.runs; run++)
		check_run_counts(run);
}

static inline void
check_tally(const struct tally_column *n, size_t table, size_t column)
{
	int64_t run = fake_facts().runs, rows, nulls = 0;

	rows = (int64_t)setup.table[table].rows;
	for (size_t r = 0; r < setup.table[table].rows; r++)
		nulls += fake_value(table, r, column).text == NULL;
	must(tally_scanned(n) == rows);
	must(n->verdict[VERDICT_NULL] == nulls);
	must(n->verdict[VERDICT_CURRENT] == rows - nulls);
	must(n->findings == 0 && n->left == 0);
	must(n->rewritten == fake_counted(run, table, column));
	must(n->keys == 1 && !strcmp(n->key[0].id, primary.id) &&
		n->key[0].values == rows - nulls);
}

/* The run that nobody disturbed has finished the work. */
static inline void
check_finished(const struct run *r)
{
	if (r->status != ERR_NONE)
		fail_msg("%s: then status %d: %s%s", where, r->status,
			r->err.msg, r->outcome.note);
	must(r->outcome.complete);
	must(r->outcome.total_findings == 0 && r->outcome.findings == 0);
	must(fake_facts().findings == 0);
	must(!strcmp(fake_run_state(fake_facts().runs), "complete"));
	check_rows(true);
	for (size_t t = 0; t < FAKE_TABLES; t++) {
		for (size_t c = 0; c < setup.table[t].columns; c++)
			check_tally(&r->outcome.tally[t][c], t, c);
	}
}

/* -- setting up ------------------------------------------------------------ */

static inline int
torture_begin(void **state)
{
	void *p = NULL;

	(void)state;
	log_set_level(LOG_ERROR);
	place_new(&p);
	place = p;
	put(place, older.id, older.text);
	put(place, old.id, old.text);
	put(place, primary.id, primary.text);
	place->options.primary = primary.id;
	assert_loads(place, 3);
	return 0;
}

static inline void
free_values(void)
{
	for (size_t t = 0; t < FAKE_TABLES; t++) {
		for (size_t r = 0; r < MOST_ROWS; r++) {
			for (size_t c = 0; c < FAKE_COLUMNS; c++) {
				for (size_t v = 0; v < FAKE_VERSIONS; v++)
					free(values[t][r][c][v]);
			}
		}
	}
}

static inline int
torture_end(void **state)
{
	void *p = place;

	(void)state;
	fake_unload();
	free_values();
	return place_free(&p);
}

#endif
