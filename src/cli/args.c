#include "args_int.h"
#include "conn_int.h"
#include "nearest_int.h"
#include <stdlib.h>

#define FLAG_MAX 48 /* bytes; no option's name is longer */

struct args {
	char **next; /* NULL-terminated */
	const struct command *command;
	struct config *config;
};

static const struct command *
find_command(const char *name)
{
	for (const struct command *const *c = commands; *c; c++) {
		if (!strcmp((*c)->name, name))
			return *c;
	}
	return NULL;
}

static int
refuse_command(const char *word, struct err *err)
{
	struct nearest near;

	nearest_init(&near, word);
	for (const struct command *const *c = commands; *c; c++)
		nearest_offer(&near, (*c)->name);
	err_set(err, ERR_USAGE, "unknown command '%s'", word);
	if (near.best)
		return err_hint(err, "did you mean '%s'?", near.best);
	return err_hint(err, "pgrekey --help lists the commands");
}

/* Of --name=value the name: a value may be called as it likes. */
static bool
names_secret(const char *word)
{
	char *name = xstrdup(word);
	bool secret;

	name[strcspn(name, "=")] = '\0';
	secret = word[0] == '-' && conn_is_secret(name);
	free(name);
	return secret;
}

/* Every user of the machine can list our arguments. */
static int
refuse_passwords(char **words, struct err *err)
{
	for (; *words; words++) {
		if (!conn_has_password(*words) && !names_secret(*words))
			continue;
		err_set(err, ERR_USAGE,
			"a password on the command line is refused");
		return err_hint(err,
			"the process list shows arguments to everybody; use a "
			"passfile (~/.pgpass, 0600) or a service file");
	}
	return 0;
}

static int
refuse_option(const struct args *a, const char *dashes, const char *name,
	struct err *err)
{
	const struct option *in_file = option_in_file("database", name);
	struct nearest near;

	err_set(err, ERR_USAGE, "unknown option '%s%s' of %s", dashes, name,
		a->command->name);
	if (in_file && !in_file->pattern)
		return err_hint(err, "connection settings stand in [database] "
				     "of the file, or in PG* variables");
	nearest_init(&near, name);
	for (const struct option *o = option_table; o->name; o++) {
		if (option_is_on(o, a->command->name))
			nearest_offer(&near, o->name);
	}
	if (near.best) {
		char flag[FLAG_MAX + 1];

		option_flag(flag, sizeof(flag), near.best);
		return err_hint(err, "did you mean '--%s'?", flag);
	}
	return err_hint(
		err, "pgrekey %s --help lists the options", a->command->name);
}

/* The value behind the = or in the next word; NULL if there is none. */
static const char *
take_value(struct args *a, const char *equals)
{
	if (equals)
		return equals + 1;
	if (!a->next[0] || a->next[0][0] == '-')
		return NULL;
	return *a->next++;
}

static int
set_option(struct args *a, const struct option *o, const char *equals,
	struct err *err)
{
	const struct config_origin origin = {SOURCE_COMMAND_LINE, 0};
	struct config_origin old = config_origin(a->config, o);
	const char *value = "";

	if (o->type == OPTION_FLAG && equals)
		return err_set(err, ERR_USAGE, "takes no value");
	if (o->type != OPTION_FLAG)
		value = take_value(a, equals);
	if (!value)
		return err_set(
			err, ERR_USAGE, "needs a value: %s", o->argument);
	if (old.source == SOURCE_COMMAND_LINE && o->type != OPTION_LIST)
		return err_set(err, ERR_USAGE, "is there twice");
	return config_set(a->config, o, o->name, value, origin, err);
}

/* -c or --config or --config=value, taken off already. */
static int
take_option(struct args *a, const char *word, struct err *err)
{
	const char *dashes = word[1] == '-' ? "--" : "-";
	const char *equals = strchr(word, '=');
	const struct option *o = NULL;
	char name[FLAG_MAX + 1];
	size_t len;

	word += strlen(dashes);
	len = equals ? (size_t)(equals - word) : strlen(word);
	if (len > FLAG_MAX)
		return err_set(err, ERR_USAGE, "unknown option of %s",
			a->command->name);
	memcpy(name, word, len);
	name[len] = '\0';
	if ((dashes[1] == '\0') == (len == 1)) /* -c, but not --c */
		o = option_on_command(a->command->name, name);
	if (!o)
		return refuse_option(a, dashes, name, err);
	if (set_option(a, o, equals, err) < 0)
		return err_in(err, "%s%s", dashes, name);
	return 0;
}

static int
take_argument(struct args *a, const char *word, struct err *err)
{
	if (!a->command->argument)
		return err_set(err, ERR_USAGE, "%s takes no argument",
			a->command->name);
	if (a->config->argument)
		return err_set(err, ERR_USAGE, "%s takes one argument",
			a->command->name);
	a->config->argument = xstrdup(word);
	return 0;
}

/* What follows the command. Help and version end it: they always work. */
static int
take_rest(struct args *a, struct err *err)
{
	bool options_end = false;
	int rc = 0;

	while (rc == 0 && *a->next) {
		const char *word = *a->next++;

		if (a->config->help || a->config->version)
			return 0;
		if (options_end || word[0] != '-' || word[1] == '\0')
			rc = take_argument(a, word, err);
		else if (!strcmp(word, "--"))
			options_end = true;
		else
			rc = take_option(a, word, err);
	}
	return rc;
}

static int
require_argument(const struct args *a, struct err *err)
{
	const struct config *c = a->config;

	if (c->help || c->version || c->argument || !a->command->argument ||
		a->command->argument[0] == '[')
		return 0;
	err_set(err, ERR_USAGE, "%s needs an argument: %s", a->command->name,
		a->command->argument);
	return err_hint(err, "pgrekey %s --help says more", a->command->name);
}

/* Words that stand in the place of a command. True if it was one of them. */
static bool
take_global(struct args *a)
{
	const char *word = *a->next;

	if (!strcmp(word, "--version"))
		return a->config->version = true;
	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		return a->config->help = true;
	if (strcmp(word, "help") != 0)
		return false;
	a->next++;
	return a->config->help = true;
}

int
args_parse(const struct command **ret, struct config *c, int argc, char **argv,
	struct err *err)
{
	struct args a = {.config = c, .next = argv + (argc > 0)};

	*ret = NULL;
	if (refuse_passwords(a.next, err) < 0)
		return -1;
	if (!*a.next) {
		err_set(err, ERR_USAGE, "no command");
		return err_hint(err, "pgrekey --help lists the commands");
	}
	if (take_global(&a) && (!*a.next || a.next[0][0] == '-'))
		return 0;
	if (a.next[0][0] == '-') {
		err_set(err, ERR_USAGE, "a command comes before the options");
		return err_hint(err, "pgrekey --help lists the commands");
	}
	a.command = find_command(*a.next);
	if (!a.command)
		return refuse_command(*a.next, err);
	a.next++;
	*ret = a.command;
	if (take_rest(&a, err) < 0)
		return -1;
	return require_argument(&a, err);
}
