#include "option.h"
#include <fnmatch.h>

size_t
option_count(void)
{
	size_t n = 0;

	while (option_table[n].name)
		n++;
	return n;
}

static bool
in_section(const struct option *o, const char *section)
{
	return o->section && !strcmp(o->section, section);
}

bool
option_is_section(const char *section)
{
	for (const struct option *o = option_table; o->name; o++) {
		if (in_section(o, section))
			return true;
	}
	return false;
}

static bool
is_called(const struct option *o, const char *name)
{
	if (o->pattern)
		return fnmatch(o->pattern, name, 0) == 0;
	return !strcmp(o->name, name);
}

const struct option *
option_in_file(const char *section, const char *name)
{
	for (const struct option *o = option_table; o->name; o++) {
		if (in_section(o, section) && is_called(o, name))
			return o;
	}
	return NULL;
}

bool
option_is_on(const struct option *o, const char *command)
{
	size_t len = strlen(command);
	const char *word = o->on;

	if (!word || len == 0)
		return false;
	if (!strcmp(word, "*"))
		return true;
	for (; (word = strstr(word, command)); word += len) {
		bool starts = word == o->on || word[-1] == ' ';

		if (starts && (word[len] == ' ' || word[len] == '\0'))
			return true;
	}
	return false;
}

void
option_flag(char *ret, size_t room, const char *name)
{
	size_t len = strnlen(name, room - 1);

	for (size_t i = 0; i < len; i++)
		ret[i] = name[i] == '_' ? '-' : name[i];
	ret[len] = '\0';
}

static bool
is_flag(const struct option *o, const char *name)
{
	char flag[64];

	option_flag(flag, sizeof(flag), o->name);
	return !strcmp(flag, name);
}

const struct option *
option_on_command(const char *command, const char *name)
{
	bool letter = strlen(name) == 1;

	for (const struct option *o = option_table; o->name; o++) {
		if (!option_is_on(o, command))
			continue;
		if (letter ? o->letter == *name : is_flag(o, name))
			return o;
	}
	return NULL;
}
