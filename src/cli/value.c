#include "chars.h"
#include "value_int.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* The largest first. */
static const struct unit duration_units[] = {
	{"h", 60 * 60 * 1000},
	{"m", 60 * 1000},
	{"s", 1000},
	{"ms", 1},
	{NULL, 0},
};
static const struct unit size_units[] = {
	{"GiB", 1024 * 1024 * 1024},
	{"MiB", 1024 * 1024},
	{"KiB", 1024},
	{"B", 1},
	{"", 1},
	{NULL, 0},
};

#define DIGITS "0123456789"
#define DIGITS_MAX 18 /* so many always fit into an int64_t */

/* Number and unit; times the unit's factor. */
static bool
parse(int64_t *ret, const char *text, const struct unit *units)
{
	size_t digits = strspn(text, DIGITS);
	int64_t n = 0;

	if (digits == 0 || digits > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (text[i] - '0');
	for (; units->name; units++) {
		if (strcmp(text + digits, units->name) != 0)
			continue;
		if (n > INT64_MAX / units->factor)
			return false;
		*ret = n * units->factor;
		return true;
	}
	return false;
}

bool
value_uint(int64_t *ret, const char *text)
{
	static const struct unit none[] = {{"", 1}, {NULL, 0}};

	return parse(ret, text, none);
}

bool
value_duration(int64_t *ret, const char *text)
{
	return parse(ret, text, duration_units);
}

bool
value_size(int64_t *ret, const char *text)
{
	return parse(ret, text, size_units);
}

bool
value_percent(int64_t *ret, const char *text)
{
	const char *dot = strchr(text, '.');
	char digits[24];
	int n;

	if (!dot)
		n = snprintf(digits, sizeof(digits), "%.16s000", text);
	else if (dot > text && dot[1] && strlen(dot + 1) <= 3)
		n = snprintf(digits, sizeof(digits), "%.*s%s%.*s",
			(int)(dot - text), text, dot + 1,
			(int)(3 - strlen(dot + 1)), "000");
	else
		return false;
	return n > 0 && (size_t)n < sizeof(digits) && strlen(text) <= 16 &&
	       value_uint(ret, digits);
}

bool
value_bool(bool *ret, const char *text)
{
	static const char *const words[][2] = {
		{"off", "on"},
		{"no", "yes"},
		{"false", "true"},
		{"0", "1"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (int b = 0; b < 2; b++) {
			if (strcmp(text, words[i][b]) != 0)
				continue;
			*ret = b == 1;
			return true;
		}
	}
	return false;
}

static void
add(struct buf *out, int64_t n, const struct unit *units)
{
	while (n % units->factor != 0 || (n == 0 && units->factor != 1))
		units++;
	buf_addf(out, "%" PRId64 "%s", n / units->factor, units->name);
}

void
value_add_duration(struct buf *out, int64_t ms)
{
	add(out, ms, duration_units);
}

void
value_add_size(struct buf *out, int64_t bytes)
{
	add(out, bytes, size_units);
}

size_t
list_count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

void
list_add(char ***list, char *item)
{
	size_t n = list_count(*list);

	*list = xrealloc(*list, (n + 2) * sizeof(char *));
	(*list)[n] = item;
	(*list)[n + 1] = NULL;
}

void
list_free(char **list)
{
	for (char **item = list; item && *item; item++)
		free(*item);
	free(list);
}

char *
trim_dup(const char *text, size_t len)
{
	while (len > 0 && is_blank(*text)) {
		text++;
		len--;
	}
	while (len > 0 && is_blank(text[len - 1]))
		len--;
	return xasprintf("%.*s", (int)len, text);
}

bool
list_add_items(char ***list, const char *text)
{
	char **items = NULL;
	bool ok = true;

	for (;;) {
		size_t len = strcspn(text, ",");
		char *item = trim_dup(text, len);

		ok = ok && *item != '\0';
		list_add(&items, item);
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	if (!ok) {
		list_free(items);
		return false;
	}
	for (char **item = items; *item; item++)
		list_add(list, *item);
	free(items);
	return true;
}

void
value_add_percent(struct buf *out, int64_t thousandths)
{
	buf_addf(out, "%g", (double)thousandths / 1000);
}
