#include "args_int.h"
#include "help_int.h"
#include "keys_int.h"
#include "log.h"
#include "output_int.h"
#include "secret.h"
#include "version.h"
#include <unistd.h>

static void
set_level(const struct config *c)
{
	if (c->quiet)
		log_set_level(LOG_WARNING);
	if (c->verbose)
		log_set_level(LOG_DEBUG);
}

static void
log_origin(const struct config *c, const struct option *o)
{
	struct config_origin origin = config_origin(c, o);

	switch (origin.source) {
	case SOURCE_DEFAULT:
		break;
	case SOURCE_ENVIRONMENT:
		log_debug("%s comes from %s", o->name, o->env);
		break;
	case SOURCE_FILE:
		log_debug("[%s] %s comes from %s:%d", o->section, o->name,
			c->file, origin.line);
		break;
	case SOURCE_COMMAND_LINE:
		log_debug("%s comes from the command line", o->name);
		break;
	}
}

/* Where the file is optional, only the usual place may be empty. */
static bool
may_lack_file(const struct config *c, const struct command *command)
{
	const struct option *o = option_on_command(command->name, "config");

	if (command->needs & NEED_CONFIG)
		return false;
	return config_origin(c, o).source == SOURCE_DEFAULT &&
	       access(c->file, F_OK) < 0;
}

/* Everything the command's record asks for, then the command. */
static int
run_command(const struct command *command, struct config *c,
	struct keyring **ring, struct err *err)
{
	unsigned needs = command->needs;

	if (!may_lack_file(c, command) && config_read_file(c, c->file, err) < 0)
		return -1;
	if (config_check(c, needs, err) < 0)
		return -1;
	for (const struct option *o = option_table; o->name; o++)
		log_origin(c, o);
	if ((needs & MAY_KEYS) && c->key_directory)
		needs |= NEED_KEYS;
	if ((needs & NEED_KEY_DIR) && keys_need_directory(c, err) < 0)
		return -1;
	if (needs & (NEED_KEYS | NEED_PRIMARY)) {
		if (keys_load(ring, c, needs & NEED_PRIMARY, err) < 0)
			return -1;
		keys_log_warnings(*ring);
	}
	return command->run(c, *ring, err);
}

static void
print_version(void)
{
	struct buf text;

	buf_init(&text, 1024);
	buf_addf(&text, "pgrekey %s\n", pgrekey_version);
	output_write(&text);
	buf_done(&text);
}

static int
run(struct config *c, struct keyring **ring, int argc, char **argv,
	struct err *err)
{
	const struct command *command;

	if (config_init(c, err) < 0)
		return -1;
	if (args_parse(&command, c, argc, argv, err) < 0)
		return -1;
	if (c->version)
		print_version();
	else if (c->help)
		help_print(command);
	if (c->version || c->help)
		return ERR_NONE;
	set_level(c);
	return run_command(command, c, ring, err);
}

int
main(int argc, char **argv)
{
	struct config config = {0};
	struct keyring *ring = NULL;
	struct err err;
	int status;

	secret_harden();
	status = run(&config, &ring, argc, argv, &err);
	if (status < 0) {
		log_err(&err);
		status = (int)err.code;
	}
	keyring_free(ring);
	config_free(&config);
	return output_end(status);
}
