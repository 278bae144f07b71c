/*
 * snapshot.h - one snapshot for several connections.
 */
#ifndef PGREKEY_SNAPSHOT_H
#define PGREKEY_SNAPSHOT_H

#include "pg.h"

#define SNAPSHOT_ID 64

/* Begins a read-only transaction whose snapshot others may share until it
 * ends. It may idle for as long as they read. */
int snapshot_take(
	char id[SNAPSHOT_ID], struct pg *pg, struct err *err) MUST_CHECK;
/* Begins a read-only transaction under that snapshot, or, where id is empty,
 * under one of its own. */
int snapshot_share(struct pg *pg, const char *id, struct err *err) MUST_CHECK;

#endif
