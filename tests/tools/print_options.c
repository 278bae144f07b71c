/*
 * print_options - the option table as text, for the checks of the documents.
 *
 * print_options            one line per option: section name default
 * print_options --sample   conf/pgrekey.ini
 *
 * A section or default that does not exist is printed as -.
 */
#include "option.h"
#include <stdio.h>

#define WIDTH 79

static void
print_table(void)
{
	for (const struct option *o = option_table; o->name; o++)
		printf("%s\t%s%s\t%s\n", o->section ? o->section : "-",
			o->section ? "" : "--", o->name,
			o->preset ? o->preset : "-");
}

/* As comment lines. */
static void
print_wrapped(const char *text)
{
	size_t at = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (at == 0 || at + 1 + len > WIDTH)
			at = (size_t)printf("%s#", at ? "\n" : "");
		printf(" %.*s", (int)len, text);
		at += 1 + len;
		text += len + strspn(text + len, " ");
	}
	putchar('\n');
}

static void
print_explanation(const struct option *o)
{
	struct buf text, what;
	const char *help = o->help;

	buf_init(&text, 4096);
	buf_init(&what, 4096);
	buf_addf(&text, "%c%s", help[0] & ~0x20, help + 1);
	if (option_describe(&what, o))
		buf_addf(&text, ": %s", buf_str(&what));
	buf_adds(&text, ".");
	if (o->comment)
		buf_addf(&text, " %s", o->comment);
	if (o->env)
		buf_addf(&text, " Default: %s.", o->env);
	print_wrapped(buf_str(&text));
	buf_done(&what);
	buf_done(&text);
}

/* The options of one section. What a table must have is not commented out:
 * the sample is a whole configuration. */
static void
print_section(const char *section)
{
	bool table = !strcmp(section, TABLE_SECTION);

	printf("\n[%s%s]\n", section, table ? " credentials" : "");
	for (const struct option *o = option_table; o->name; o++) {
		const char *value = o->preset ? o->preset : o->example;

		if (!o->section || strcmp(o->section, section) != 0)
			continue;
		if (!value && o->pattern)
			continue; /* stands for names that nobody can list */
		if (!value)
			die("an option has neither default nor example");
		print_explanation(o);
		printf("%s%s = %s\n",
			o->type == OPTION_TABLE || o->type == OPTION_COLUMNS
				? ""
				: ";",
			o->name, value);
	}
}

static void
print_sample(void)
{
	const char *last = "";

	puts("# pgrekey - see pgrekey(1). Every option is here at its default, "
	     "or with an");
	puts("# example where it has none. Comments stand on lines of their "
	     "own. A line has");
	puts("# at most 190 bytes. Values are taken as they are written: no "
	     "quotes around");
	puts("# them, no variables in them, and no passwords: use a passfile "
	     "or a service.");
	for (const struct option *o = option_table; o->name; o++) {
		if (!o->section || !strcmp(o->section, last))
			continue;
		last = o->section;
		print_section(last);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--sample"))
		print_sample();
	else
		print_table();
	return ferror(stdout) ? 1 : 0;
}
