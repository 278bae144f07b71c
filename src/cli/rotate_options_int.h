/*
 * rotate_options_int.h - from the user's words to the engine's options.
 */
#ifndef PGREKEY_ROTATE_OPTIONS_INT_H
#define PGREKEY_ROTATE_OPTIONS_INT_H

#include "config.h"
#include "rotate.h"

/* ret borrows from config and ring; free with rotate_options_done(). */
void rotate_options_make(struct rotate_options *ret,
	const struct config *config, const struct keyring *ring);
void rotate_options_done(struct rotate_options *o);

#endif
