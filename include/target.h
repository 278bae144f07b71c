/*
 * target.h - what to rotate: configured tables and columns, by name.
 *
 * Made by the cli from the configuration, read-only afterwards and shared by
 * all threads; nothing below the cli knows that a file exists.
 */
#ifndef PGREKEY_TARGET_H
#define PGREKEY_TARGET_H

#include "judge.h"

#define TARGET_COLUMNS_MAX 32

struct target {
	char *label;  /* of the configuration section */
	char *schema; /* identifiers as the catalog spells them, unquoted */
	char *table;
	char **column;
	size_t columns; /* 1 to TARGET_COLUMNS_MAX */
	char *where;    /* SQL condition, or NULL */
	struct policy policy;
	int line; /* of its section, for messages */
};

#endif
