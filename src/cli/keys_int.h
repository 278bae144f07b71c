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

/* The ring with its problems, for a look at all of them: fails only when the
 * directory as a whole cannot be read. */
int keys_survey(struct keyring **ret, const struct config *c,
	struct err *err) MUST_CHECK;

/* require_locked_memory, once the keys are there. */
int keys_check_lock(const struct config *c, struct err *err) MUST_CHECK;

void keys_log_warnings(const struct keyring *ring);

/* Says that a directory is missing. */
int keys_need_directory(const struct config *c, struct err *err) MUST_CHECK;

#endif
