/*
 * snapshot.h - one snapshot for several connections.
 */
#ifndef PGREKEY_SNAPSHOT_H
#define PGREKEY_SNAPSHOT_H

#include "catalog.h"

#define SNAPSHOT_ID 64

/* Begins a read-only transaction whose snapshot others may share until it
 * ends. It may idle for as long as they read. */
int snapshot_take(
	char id[SNAPSHOT_ID], struct pg *pg, struct err *err) MUST_CHECK;
/* Begins a read-only transaction under that snapshot, or, where id is empty,
 * under one of its own. */
int snapshot_share(struct pg *pg, const char *id, struct err *err) MUST_CHECK;
/* The last statement of one that begins in another way. What is locked behind
 * it can be let go again. */
#define SNAPSHOT_MARK "SAVEPOINT look"
/* To be asked behind a look at the leaf, whose lock it needs, and lets go: was
 * that the leaf of the snapshot? TRUNCATE, and ALTER TABLE where it rewrites,
 * leave nothing for older snapshots to see; nor does a younger table that took
 * its name. So an ALTER TABLE waits for the look at its own table only, and no
 * lock table is filled. */
int snapshot_shows(bool *ret, struct pg *pg, const struct leaf *leaf,
	struct err *err) MUST_CHECK;

#endif
