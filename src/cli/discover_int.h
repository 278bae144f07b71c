/*
 * discover_int.h - the discovery as two commands ask for it and print it.
 */
#ifndef PGREKEY_DISCOVER_INT_H
#define PGREKEY_DISCOVER_INT_H

#include "config.h"
#include "discover.h"

/* job is copied; it goes on being the caller's. */
void discover_options_make(struct discover_options *ret,
	const struct config *config, const struct job *job);

/* Appends the sections that are missing, as the file has them; what cannot be
 * configured, and how much was found, in comments. */
void discover_ini(struct buf *ret, const struct discover_outcome *outcome,
	const struct discover_options *o, int status);

#endif
