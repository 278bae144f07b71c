/*
 * command.h - one const record per command, one file each (cmd_NAME.c).
 *
 * The dispatcher in main.c does what a record asks for: it reads the
 * configuration and loads the keys once, so that no command does it again.
 */
#ifndef PGREKEY_COMMAND_H
#define PGREKEY_COMMAND_H

#include "config.h"
#include "keyring.h"

enum command_need {
	NEED_CONFIG = 1 << 0,  /* a configuration file */
	NEED_KEYS = 1 << 1,    /* a keyring */
	NEED_PRIMARY = 1 << 2, /* and a usable primary in it */
	NEED_TABLES = 1 << 3,  /* at least one selected table */
	NEED_KEY_DIR = 1 << 4, /* a key directory; the file is optional */
	MAY_KEYS = 1 << 5,     /* a keyring, if a directory is configured */
};

struct command {
	const char *name;
	const char
		*argument;   /* what follows the options, or NULL; [X]: maybe */
	unsigned needs;      /* enum command_need */
	const char *summary; /* one line, for --help */
	const char *details; /* a paragraph, for COMMAND --help */
	/* Returns the exit status; -1 with err filled otherwise. */
	int (*run)(const struct config *config, const struct keyring *ring,
		struct err *err);
};

extern const struct command cmd_rotate, cmd_verify, cmd_discover, cmd_check,
	cmd_status, cmd_pause, cmd_resume, cmd_init, cmd_keygen, cmd_keys;
extern const struct command *const commands[]; /* NULL-terminated */

#endif
