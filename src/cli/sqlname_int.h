/*
 * sqlname_int.h - names as they are written in SQL.
 *
 * Unquoted names fold to lower case, quoted ones are taken as they are, ""
 * inside quotes is one quote. Pure. What is returned is how the catalog
 * spells the name.
 */
#ifndef PGREKEY_SQLNAME_INT_H
#define PGREKEY_SQLNAME_INT_H

#include "err.h"

#define SQLNAME_MAX 63 /* bytes; the server would cut longer names silently */

/* One name, nothing else. */
int sqlname_parse(char **ret, const char *text, struct err *err) MUST_CHECK;

/* name or schema.name; without a schema it is public. */
int sqlname_parse_table(char **schema, char **table, const char *text,
	struct err *err) MUST_CHECK;

/* Names with commas between them; adds to the NULL-terminated *list. */
int sqlname_parse_list(
	char ***list, const char *text, struct err *err) MUST_CHECK;

#endif
