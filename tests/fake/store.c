#include "store_int.h"
#include <stdlib.h>

struct fake_store fake;

/* An object of the fake is linked only if somebody needs it before the library
 * is searched; the library's would be taken later otherwise. */
static const char *const links[] = {
	fake_links_pg,
	fake_links_rows,
	fake_links_send,
	fake_links_state,
	fake_links_pass,
	fake_links_result,
	fake_links_catalog,
};

/* -- rows ------------------------------------------------------------------ */

struct fake_table *
fake_table(uint32_t oid)
{
	return &fake.table[(oid - FAKE_OID) % FAKE_TABLES];
}

struct fake_row *
fake_row_at(const struct fake_table *t, struct tid tid)
{
	size_t i;

	if (tid.block >= t->blocks || tid.offset < 1 || tid.offset > FAKE_SLOTS)
		return NULL;
	i = t->slot[tid.block][tid.offset - 1];
	return i ? &t->row[i - 1] : NULL;
}

bool
fake_is_locked(const struct fake_row *row)
{
	return row->locked_until > fake_now();
}

static bool
find_slot(struct tid *ret, struct fake_table *t, uint32_t block, size_t used)
{
	for (size_t i = 0; i < used; i++) {
		if (!t->slot[block][i]) {
			*ret = (struct tid){block, (uint16_t)(i + 1)};
			return true;
		}
	}
	return false;
}

static void
put_row(struct fake_table *t, struct fake_row *row, struct tid tid)
{
	t->slot[tid.block][tid.offset - 1] = (size_t)(row - t->row) + 1;
	row->tid = tid;
}

void
fake_write(struct fake_row *row, size_t column, struct slice value)
{
	free(row->own[column]);
	row->own[column] =
		xasprintf("%.*s", (int)value.len, (const char *)value.ptr);
	row->cell[column].text = row->own[column];
	row->cell[column].written++;
}

/* On the same page while it has room, else behind all others. The old address
 * may be another row's soon. */
void
fake_move(struct fake_table *t, struct fake_row *row)
{
	struct tid old = row->tid, tid;

	if (!find_slot(&tid, t, old.block, FAKE_SLOTS) &&
		!find_slot(&tid, t, t->blocks - 1, FAKE_SLOTS)) {
		if (t->blocks == FAKE_PAGES)
			die("the fake table is full");
		tid = (struct tid){t->blocks++, 1};
	}
	put_row(t, row, tid);
	t->slot[old.block][old.offset - 1] = 0;
}

static void
set_value(struct fake_row *row, size_t column, const char *text,
	enum fake_version version)
{
	free(row->own[column]);
	row->own[column] = NULL;
	row->cell[column] = (struct fake_value){text, version, 0};
}

void
fake_change(
	struct fake_table *t, struct fake_row *row, enum fake_version version)
{
	size_t table = (size_t)(t - fake.table);
	size_t number = (size_t)(row - t->row);

	for (size_t i = 0; i < t->layout.columns; i++) {
		if (row->cell[i].text)
			set_value(row, i,
				fake.setup.value(table, number, i, version),
				version);
	}
	fake_move(t, row);
}

/* -- loading --------------------------------------------------------------- */

static void
load_table(size_t table)
{
	struct fake_table *t = &fake.table[table];
	size_t per_page;

	t->layout = fake.setup.table[table];
	per_page = t->layout.rows_per_page;
	t->row = xcalloc(t->layout.rows + 1, sizeof(*t->row));
	for (size_t r = 0; r < t->layout.rows; r++) {
		struct tid tid = {
			(uint32_t)(r / per_page), (uint16_t)(r % per_page + 1)};

		if (tid.block >= FAKE_PAGES || per_page > FAKE_SLOTS)
			die("the fake table is too large");
		put_row(t, &t->row[r], tid);
		t->blocks = tid.block + 1;
		for (size_t c = 0; c < t->layout.columns; c++)
			set_value(&t->row[r], c,
				fake.setup.value(table, r, c, FAKE_FIRST),
				FAKE_FIRST);
	}
}

void
fake_unload(void)
{
	for (size_t i = 0; i < FAKE_TABLES; i++) {
		struct fake_table *t = &fake.table[i];

		for (size_t r = 0; r < t->layout.rows; r++) {
			for (size_t c = 0; c < FAKE_COLUMNS; c++)
				free(t->row[r].own[c]);
		}
		free(t->row);
	}
	for (int64_t i = 1; i <= fake.runs; i++)
		fake_run_done(&fake.run[i]);
	memset(&fake, 0, sizeof(fake));
	fake.victim = -1;
}

void
fake_load(const struct fake_setup *setup)
{
	fake_unload();
	fake.setup = *setup;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (!links[i][0])
			die("an object of the fake is not linked");
	}
	for (size_t i = 0; i < FAKE_TABLES; i++)
		load_table(i);
}

/* -- what happened --------------------------------------------------------- */

struct fake_value
fake_value(size_t table, size_t row, size_t column)
{
	return fake.table[table].row[row].cell[column];
}

struct fake_facts
fake_facts(void)
{
	struct fake_facts ret = fake.facts;
	const struct fake_run *r = &fake.run[fake.runs];

	ret.runs = fake.runs;
	ret.proofs = r->proofs;
	ret.reopened = r->reopened;
	for (const struct fake_finding *f = r->finding; f; f = f->next)
		ret.findings++;
	if (fake.victim >= 0) {
		const struct fake_row *row =
			&fake.table[fake.victim_table].row[fake.victim];

		for (size_t i = 0; i < FAKE_COLUMNS; i++)
			ret.victim_old |= row->cell[i].text &&
					  !fake_is_current(row->cell[i].text);
	}
	return ret;
}

int64_t
fake_written(int64_t run, size_t table, size_t column)
{
	return fake.run[run].written[table][column];
}

static int64_t
count(const struct fake_run *r, enum fake_counter which, size_t table,
	size_t column)
{
	int64_t sum = r->leaf[table].sums.n[which][column];

	for (size_t i = 0; i < r->chunks[table]; i++)
		sum += r->chunk[table][i].sums.n[which][column];
	return sum;
}

int64_t
fake_counted(int64_t run, size_t table, size_t column)
{
	return count(&fake.run[run], COUNT_REWRITTEN, table, column);
}

int64_t
fake_count(int64_t run, enum fake_counter which)
{
	int64_t sum = 0;

	for (size_t t = 0; t < FAKE_TABLES; t++) {
		for (size_t c = 0; c < FAKE_COLUMNS; c++)
			sum += count(&fake.run[run], which, t, c);
	}
	return sum;
}

const char *
fake_run_state(int64_t run)
{
	return fake.run[run].state;
}
