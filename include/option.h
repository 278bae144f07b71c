/*
 * option.h - every option there is, once.
 *
 * One const table drives the configuration file, the command line, the
 * environment, --help, the sample configuration and the check of the manual
 * page. A new option is a new row and a new field.
 */
#ifndef PGREKEY_OPTION_H
#define PGREKEY_OPTION_H

#include "buf.h"
#include <stdint.h>

enum option_type {
	OPTION_FLAG, /* command line only: there or not */
	OPTION_BOOL,
	OPTION_STRING,
	OPTION_LIST, /* comma between the items */
	OPTION_UINT,
	OPTION_DURATION, /* kept in milliseconds */
	OPTION_SIZE,     /* kept in bytes */
	OPTION_PERCENT,  /* kept in thousandths */
	OPTION_ENUM,     /* one of words[]; their order is the enum's */
	OPTION_IDENTIFIER,
	OPTION_TABLE,   /* schema and table of a struct target */
	OPTION_COLUMNS, /* columns of a struct target */
	OPTION_FORMAT,  /* name in the registry of formats */
	OPTION_CONN,    /* keyword of libpq: the option's own name */
	OPTION_PIN,     /* key id (behind the dot of the name), fingerprint */
};

#define OPTION_WORDS 4

struct option {
	const char *section; /* of the file; NULL: command line only */
	const char *name;    /* as in the file */
	const char *pattern; /* glob that file names match instead of name */
	char letter;         /* short form on the command line, or 0 */
	const char *on;      /* commands that take it: words, "*": all, NULL:
				file only; there, - stands for _ in its name */
	const char *env;     /* environment variable that is a default */
	enum option_type type;
	size_t offset;      /* into struct config, in [table] struct target */
	size_t width;       /* of that field */
	const char *preset; /* default, as text; NULL: none */
	int64_t min, max;
	const char *words[OPTION_WORDS]; /* OPTION_ENUM; NULL-terminated */
	const char *argument;            /* what help calls the value */
	const char *example;             /* for the sample, when no preset */
	const char *help;                /* one sentence, no full stop */
	const char *comment;             /* more for the sample, or NULL */
};

#define TABLE_SECTION "table" /* [table LABEL]: one struct target each */

extern const struct option option_table[]; /* ends with a NULL name */
size_t option_count(void);

/* NULL if there is none. section is "table" for every [table LABEL]. */
const struct option *option_in_file(const char *section, const char *name);
/* By name, or by letter when name is one character long. */
const struct option *option_on_command(const char *command, const char *name);
bool option_is_section(const char *section);
bool option_is_on(const struct option *o, const char *command);
/* The name as it is on the command line: - for _. */
void option_flag(char *ret, size_t room, const char *name);

/* Adds what a value must be: "a number from 1 to 64". False when there is
 * nothing to say but "text". */
bool option_describe(struct buf *out, const struct option *o);

/* Checks text and puts it into the field of record, a struct config or struct
 * target. name is the name as written (it matters where a pattern matched).
 * Lists and keywords add to what is there, everything else replaces it.
 * ERR_USAGE says what the value must be, never what it is. */
int option_store(const struct option *o, void *record, const char *name,
	const char *text, struct err *err) MUST_CHECK;

#endif
