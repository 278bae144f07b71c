/*
 * What to do about a failure, by its SQLSTATE.
 */
#include "pg_int.h"

/* Classes whose primary message names objects or circumstances. The others
 * (22, 23, P0, ...) may quote a value. */
bool
pg_is_quotable(const char *sqlstate)
{
	static const char *const safe[] = {"08", "0A", "25", "26", "28", "3D",
		"3F", "42", "53", "55", "57", "58", "XX"};

	for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++) {
		if (!strncmp(sqlstate, safe[i], 2))
			return true;
	}
	return false;
}

const char *
pg_meaning(const char *sqlstate)
{
	static const struct {
		const char *state, *meaning;
	} table[] = {
		{"22001", "the value is too long for the column"},
		{"23502", "the column may not be NULL"},
		{"23503", "a foreign key forbids it"},
		{"23505", "a unique index has this value already"},
		{"23514", "a check constraint forbids it"},
		{"23P01", "an exclusion constraint forbids it"},
		{"42501", "a privilege is missing"},
		{"53100", "the disk of the server is full"},
		{"53200", "the server is out of memory"},
		{"55P03", "a lock was not to be had in time"},
		{"57014", "it was cancelled, or took too long"},
		{"P0001", "a trigger raised an exception"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!strcmp(sqlstate, table[i].state))
			return table[i].meaning;
	}
	return "";
}

enum pg_class
pg_classify(const struct err *err)
{
	static const struct {
		const char *state; /* whole, or a class */
		enum pg_class what;
	} table[] = {
		{"40001", PG_CLASS_RETRY},
		{"40P01", PG_CLASS_RETRY},
		{"53200", PG_CLASS_RETRY}, /* out of memory: later */
		{"53400", PG_CLASS_RETRY}, /* a limit of the configuration */
		{"55P03", PG_CLASS_LOCK},
		{"57014", PG_CLASS_LOCK},
		{"22012", PG_CLASS_FENCE},
		/* What a function says of its arguments, or of itself. */
		{"20", PG_CLASS_DATA},
		{"21", PG_CLASS_DATA},
		{"2F", PG_CLASS_DATA},
		{"38", PG_CLASS_DATA},
		{"39", PG_CLASS_DATA},
		{"44", PG_CLASS_DATA},
		{"45", PG_CLASS_DATA}, /* the standard's: user-defined */
		{"22", PG_CLASS_DATA},
		{"23", PG_CLASS_DATA},
		{"27", PG_CLASS_DATA},
		{"54", PG_CLASS_DATA},
		{"P0", PG_CLASS_DATA},
		{"08", PG_CLASS_LOST},
		{"53300", PG_CLASS_LOST}, /* too many connections: later */
		{"57P", PG_CLASS_LOST},
		{"25006", PG_CLASS_LOST}, /* read-only: no primary any more */
		{"26000", PG_CLASS_LOST}, /* somebody dropped what it kept */
		{"25P03", PG_CLASS_LOST},
		{"25P04", PG_CLASS_LOST},
		{"53100", PG_CLASS_FULL},
	};

	if (err->code != ERR_DB)
		return PG_CLASS_FATAL;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!strncmp(err->sqlstate, table[i].state,
			    strlen(table[i].state)))
			return table[i].what;
	}
	return PG_CLASS_FATAL;
}
