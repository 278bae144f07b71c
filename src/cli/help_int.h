/*
 * help_int.h - help texts, made from the tables of commands and options.
 */
#ifndef PGREKEY_HELP_INT_H
#define PGREKEY_HELP_INT_H

#include "command.h"

/* Of one command, or of the program when command is NULL. To stdout. */
void help_print(const struct command *command);

#endif
