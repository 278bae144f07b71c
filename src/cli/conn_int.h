/*
 * conn_int.h - connection settings, and the passwords that may not be there.
 */
#ifndef PGREKEY_CONN_INT_H
#define PGREKEY_CONN_INT_H

#include "config.h"

/* libpq knows the keyword, or it is a password's and has its own refusal. */
bool conn_is_known(const char *keyword);

/* Says where a password belongs. Always -1. */
int conn_hint_password(struct err *err);

/* Adds one keyword of [database], but nothing that holds a password. */
int conn_store(struct config *c, const char *keyword, const char *value,
	struct err *err) MUST_CHECK;

/* A URI or connection string with a password in it. */
bool conn_has_password(const char *text);

/* The keyword names something that must not be in a file or an argument. */
bool conn_is_secret(const char *keyword);

#endif
