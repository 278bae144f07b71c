/*
 * keys_int.h - the keyring as the configuration describes it.
 */
#ifndef PGREKEY_KEYS_INT_H
#define PGREKEY_KEYS_INT_H

#include "config.h"

/* With primary, a usable primary must be there; without, none is looked
 * for. */
int keys_load(struct keyring **ret, const struct config *c, bool primary,
	struct err *err) MUST_CHECK;

void keys_log_warnings(const struct keyring *ring);

/* Says that a directory is missing. */
int keys_need_directory(const struct config *c, struct err *err) MUST_CHECK;

#endif
