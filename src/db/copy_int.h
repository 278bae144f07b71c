/*
 * copy_int.h - rows as COPY sends them in binary format.
 */
#ifndef PGREKEY_COPY_INT_H
#define PGREKEY_COPY_INT_H

#include "pg.h"

/* One row; the ptr of a NULL is NULL. Valid during the call. False ends it:
 * what is still to come is read and dropped. */
typedef bool (*copy_row_fn)(void *ctx, const struct slice *field);

/* Runs a COPY ... TO STDOUT (FORMAT binary) whose rows have so many fields. */
int copy_rows(struct pg *pg, const char *sql, size_t fields, copy_row_fn fn,
	void *ctx, struct err *err) MUST_CHECK;

#endif
