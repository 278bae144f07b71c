/*
 * args_int.h - the command line.
 */
#ifndef PGREKEY_ARGS_INT_H
#define PGREKEY_ARGS_INT_H

#include "command.h"

/* Finds the command and sets its options in c. *ret is NULL when the words
 * ask for help or the version as a whole; then, and when c->help or
 * c->version is set, nothing else is to be done. ERR_USAGE names the option,
 * never its value. */
int args_parse(const struct command **ret, struct config *c, int argc,
	char **argv, struct err *err) MUST_CHECK;

#endif
