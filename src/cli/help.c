#include "help_int.h"
#include "option.h"
#include "output_int.h"
#include <stdio.h>

#define WIDTH 79
#define HELP_MAX (64 * 1024)
#define COLUMN 28 /* where the explanation of an option begins */

struct status {
	enum err_code code;
	const char *meaning;
};

static const struct status statuses[] = {
	{ERR_NONE, "done and clean"},
	{ERR_FINDINGS, "finished, but something needs attention"},
	{ERR_USAGE, "command line or configuration"},
	{ERR_KEYS, "key directory, key file or primary key"},
	{ERR_DB, "database: unreachable, privileges, read-only; or no report"},
	{ERR_STOPPED, "stopped early; run again: rotate continues"},
	{ERR_INCONCLUSIVE, "open transactions could still bring old values"},
	{ERR_BUG, "a self-check failed"},
};

/* Words with line breaks; the first line is `at` columns wide already. */
static void
add_wrapped(struct buf *out, size_t at, size_t indent, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (at > indent && at + 1 + len > WIDTH) {
			buf_addc(out, '\n');
			at = 0;
		}
		if (at < indent)
			buf_addf(out, "%*s", (int)(indent - at), "");
		else if (at > indent)
			buf_addc(out, ' ');
		at = (at < indent ? indent : at + (at > indent)) + len;
		buf_add(out, text, len);
		text += len + strspn(text + len, " ");
	}
	buf_addc(out, '\n');
}

/* A term on the left, its explanation on the right. */
static void
add_item(struct buf *out, size_t column, const char *term, const char *text)
{
	size_t at = 2 + strlen(term);

	buf_addf(out, "  %s", term);
	if (at + 2 > column) {
		buf_addc(out, '\n');
		at = 0;
	}
	add_wrapped(out, at, column, text);
}

static void
add_remarks(struct buf *text, const struct option *o)
{
	const char *separator = " (";
	struct buf what;

	buf_init(&what, HELP_MAX);
	if (option_describe(&what, o)) {
		buf_addf(text, "%s%s", separator, buf_str(&what));
		separator = "; ";
	}
	buf_done(&what);
	if (o->preset) {
		buf_addf(text, "%sdefault %s", separator, o->preset);
		separator = "; ";
	}
	if (o->env) {
		buf_addf(text, "%sor %s", separator, o->env);
		separator = "; ";
	}
	if (separator[0] == ';')
		buf_addc(text, ')');
}

static void
add_option(struct buf *out, const struct option *o)
{
	struct buf term, text;
	char flag[64];

	buf_init(&term, HELP_MAX);
	buf_init(&text, HELP_MAX);
	if (o->letter)
		buf_addf(&term, "-%c, ", o->letter);
	option_flag(flag, sizeof(flag), o->name);
	buf_addf(&term, "--%s", flag);
	if (o->argument)
		buf_addf(&term, " %s", o->argument);
	buf_adds(&text, o->help);
	add_remarks(&text, o);
	add_item(out, COLUMN, buf_str(&term), buf_str(&text));
	buf_done(&term);
	buf_done(&text);
}

static void
add_command_help(struct buf *out, const struct command *c)
{
	buf_addf(out, "Usage: pgrekey %s [options]%s%s\n\n", c->name,
		c->argument ? " " : "", c->argument ? c->argument : "");
	add_wrapped(out, 0, 0, c->details);
	buf_adds(out, "\nOptions:\n");
	for (const struct option *o = option_table; o->name; o++) {
		if (option_is_on(o, c->name))
			add_option(out, o);
	}
}

static void
add_program_help(struct buf *out)
{
	buf_adds(out, "Usage: pgrekey COMMAND [options]\n\n");
	add_wrapped(out, 0, 0,
		"Re-encrypts encrypted columns of PostgreSQL tables in bulk "
		"after a key change.");
	buf_adds(out, "\nCommands:\n");
	for (const struct command *const *c = commands; *c; c++)
		add_item(out, 12, (*c)->name, (*c)->summary);
	buf_adds(out, "\nOptions of every command:\n");
	for (const struct option *o = option_table; o->name; o++) {
		if (o->on && !strcmp(o->on, "*"))
			add_option(out, o);
	}
	buf_adds(out, "\nExit status:\n");
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		char code[16];

		snprintf(code, sizeof(code), "%d", (int)statuses[i].code);
		add_item(out, 6, code, statuses[i].meaning);
	}
	buf_adds(out, "\n`pgrekey COMMAND --help` says more.\n");
}

void
help_print(const struct command *command)
{
	struct buf out;

	buf_init(&out, HELP_MAX);
	if (command)
		add_command_help(&out, command);
	else
		add_program_help(&out);
	output_write(&out);
	buf_done(&out);
}
