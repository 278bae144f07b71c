#include "pg.h"
#include "store_int.h"
#include <stdlib.h>

const char fake_links_pg[] = "pg";

int
pg_open(struct pg **ret, const struct pg_options *options, struct err *err)
{
	struct pg *pg;

	(void)options;
	if (fake_enter(NULL, "pg_open", err) < 0)
		return -1;
	pg = xcalloc(1, sizeof(*pg));
	pg->born = fake.restarts;
	if (fake_leave(pg, err) < 0) {
		pg_close(pg);
		return -1;
	}
	*ret = pg;
	return 0;
}

void
pg_close(struct pg *pg)
{
	if (!pg)
		return;
	fake_lock();
	if (fake.alive_until[pg->worker] == FAKE_NEVER)
		fake.alive_until[pg->worker] = 0;
	fake_unlock();
	for (size_t i = 0; i < 2; i++)
		batch_done(&pg->sent[i].batch);
	free(pg);
}

/* A client only knows what it was told. */
bool
pg_lost(const struct pg *pg)
{
	return pg->lost;
}

bool
pg_refuses_writes(const struct pg *pg)
{
	(void)pg;
	return false;
}

int
pg_server_version(const struct pg *pg)
{
	(void)pg;
	return 150000;
}

bool
pg_is_far(const struct pg *pg)
{
	(void)pg;
	return false;
}

void
pg_cancel(struct pg *pg)
{
	(void)pg;
}

void
pg_end_silent(int64_t limit_ms)
{
	(void)limit_ms;
}

void
pg_be_patient(struct pg *pg, bool patient)
{
	(void)pg, (void)patient;
}

bool
pg_is_pooled(const struct pg *pg)
{
	(void)pg;
	return false;
}

void
pg_add_begin(struct buf *sql, const struct pg *pg, enum pg_mode mode,
	const char *snapshot)
{
	(void)pg, (void)mode, (void)snapshot;
	buf_adds(sql, "BEGIN; ");
}

int
pg_begin(
	struct pg *pg, enum pg_mode mode, const char *snapshot, struct err *err)
{
	(void)mode, (void)snapshot;
	return pg_exec(pg, "BEGIN", err);
}

/* The engine itself says no more than BEGIN and COMMIT. */
int
pg_exec(struct pg *pg, const char *sql, struct err *err)
{
	const char *call = !strncmp(sql, "BEGIN", 5) ? "begin"
			   : !strcmp(sql, "COMMIT")  ? "commit"
						     : "pg_exec";

	if (fake_enter(pg, call, err) < 0)
		return -1;
	if (!strncmp(sql, "BEGIN", 5)) {
		if (pg->transaction)
			fake_wrong("a transaction within a transaction");
		pg->transaction = true;
	} else if (!strcmp(sql, "COMMIT")) {
		if (!pg->transaction)
			fake_wrong("a commit of nothing");
		pg->transaction = false;
	}
	return fake_leave(pg, err);
}

void
pg_rollback(struct pg *pg)
{
	if (!pg->lost)
		fake_forget(pg);
}
