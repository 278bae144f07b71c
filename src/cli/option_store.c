#include "conn_int.h"
#include "format.h"
#include "keyring.h"
#include "option.h"
#include "sqlname_int.h"
#include "target.h"
#include "value_int.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define DESCRIPTION_MAX 256

static void
describe_words(struct buf *out, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		buf_addf(out, "%s%s",
			i == 0         ? ""
			: words[i + 1] ? ", "
				       : " or ",
			words[i]);
}

static void
describe_formats(struct buf *out)
{
	for (const struct format *const *f = formats; *f; f++)
		buf_addf(out, "%s%s", f == formats ? "" : " or ", (*f)->name);
}

static void
describe_range(struct buf *out, const struct option *o, const char *what,
	void (*add)(struct buf *, int64_t))
{
	buf_addf(out, "%s from ", what);
	add(out, o->min);
	buf_adds(out, " to ");
	add(out, o->max);
}

static void
add_number(struct buf *out, int64_t n)
{
	buf_addf(out, "%" PRId64, n);
}

bool
option_describe(struct buf *out, const struct option *o)
{
	switch (o->type) {
	case OPTION_BOOL:
		buf_adds(out, "on or off");
		return true;
	case OPTION_UINT:
		describe_range(out, o, "a number", add_number);
		return true;
	case OPTION_DURATION:
		describe_range(out, o, "a duration", value_add_duration);
		return true;
	case OPTION_SIZE:
		describe_range(out, o, "a size", value_add_size);
		return true;
	case OPTION_PERCENT:
		describe_range(out, o, "a percentage", value_add_percent);
		return true;
	case OPTION_ENUM:
		describe_words(out, o->words);
		return true;
	case OPTION_FORMAT:
		describe_formats(out);
		return true;
	case OPTION_PIN:
		buf_addf(out, "%d hexadecimal digits", KEY_FINGERPRINT);
		return true;
	case OPTION_FLAG:
	case OPTION_STRING:
	case OPTION_LIST:
	case OPTION_IDENTIFIER:
	case OPTION_TABLE:
	case OPTION_COLUMNS:
	case OPTION_CONN:
		return false;
	}
	return false;
}

/* How the value is spelled, where people guess wrong. */
static const char *
spelling(enum option_type type)
{
	if (type == OPTION_DURATION)
		return "write the unit: 500ms, 30s, 5m or 2h";
	if (type == OPTION_SIZE)
		return "the units are B, KiB, MiB and GiB; a bare number is "
		       "bytes";
	if (type == OPTION_BOOL)
		return "yes or no, true or false, 1 or 0 will do, too";
	return NULL;
}

static int
refuse(const struct option *o, struct err *err)
{
	struct buf what;

	buf_init(&what, DESCRIPTION_MAX);
	option_describe(&what, o);
	err_set(err, ERR_USAGE, "must be %s", buf_str(&what));
	buf_done(&what);
	if (spelling(o->type))
		err_hint(err, "%s", spelling(o->type));
	return -1;
}

/* A field is an int64_t, or what is as wide as an enum or a size_t is. */
static void
put_number(void *field, size_t width, int64_t n)
{
	uint32_t narrow = (uint32_t)n;

	assert(width == sizeof(n) || width == sizeof(narrow));
	if (width == sizeof(n))
		memcpy(field, &n, sizeof(n));
	else
		memcpy(field, &narrow, sizeof(narrow));
}

static int
store_number(const struct option *o, void *field, const char *text,
	bool (*parse)(int64_t *, const char *), struct err *err)
{
	int64_t n;

	if (!parse(&n, text) || n < o->min || n > o->max)
		return refuse(o, err);
	put_number(field, o->width, n);
	return 0;
}

static int
store_word(
	const struct option *o, void *field, const char *text, struct err *err)
{
	for (int i = 0; o->words[i]; i++) {
		if (strcmp(o->words[i], text) != 0)
			continue;
		put_number(field, o->width, i);
		return 0;
	}
	return refuse(o, err);
}

static int
store_bool(
	const struct option *o, bool *field, const char *text, struct err *err)
{
	return value_bool(field, text) ? 0 : refuse(o, err);
}

static int
store_format(const struct option *o, const struct format **field,
	const char *text, struct err *err)
{
	const struct format *format = format_find(text);

	if (!format)
		return refuse(o, err);
	*field = format;
	return 0;
}

static int
store_list(char ***field, const char *text, struct err *err)
{
	if (!list_add_items(field, text))
		return err_set(err, ERR_USAGE, "has an empty item");
	return 0;
}

/* Takes text over. */
static void
put_text(char **field, char *text)
{
	free(*field);
	*field = text;
}

static int
store_identifier(char **field, const char *text, struct err *err)
{
	char *name;

	if (sqlname_parse(&name, text, err) < 0)
		return -1;
	put_text(field, name);
	return 0;
}

static int
store_table(struct target *target, const char *text, struct err *err)
{
	char *schema, *table;

	if (sqlname_parse_table(&schema, &table, text, err) < 0)
		return -1;
	put_text(&target->schema, schema);
	put_text(&target->table, table);
	return 0;
}

static int
store_columns(struct target *target, const char *text, struct err *err)
{
	if (sqlname_parse_list(&target->column, text, err) < 0)
		return -1;
	target->columns = list_count(target->column);
	if (target->columns > TARGET_COLUMNS_MAX)
		return err_set(err, ERR_USAGE, "more than %d columns",
			TARGET_COLUMNS_MAX);
	return 0;
}

/* name is fingerprint.ID */
static int
store_pin(const struct option *o, char ***field, const char *name,
	const char *text, struct err *err)
{
	char *fingerprint;

	if (strlen(text) != KEY_FINGERPRINT ||
		text[strspn(text, "0123456789abcdefABCDEF")] != '\0')
		return refuse(o, err);
	fingerprint = xstrdup(text);
	for (char *c = fingerprint; *c; c++) {
		if (*c >= 'A' && *c <= 'F')
			*c = (char)(*c - 'A' + 'a');
	}
	list_add(field, xstrdup(strchr(name, '.') + 1));
	list_add(field, fingerprint);
	return 0;
}

int
option_store(const struct option *o, void *record, const char *name,
	const char *text, struct err *err)
{
	void *field = (char *)record + o->offset;

	if (*text == '\0' && o->type != OPTION_FLAG)
		return err_set(err, ERR_USAGE, "has no value");
	switch (o->type) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_BOOL:
		return store_bool(o, field, text, err);
	case OPTION_STRING:
		put_text(field, xstrdup(text));
		return 0;
	case OPTION_LIST:
		return store_list(field, text, err);
	case OPTION_UINT:
		return store_number(o, field, text, value_uint, err);
	case OPTION_DURATION:
		return store_number(o, field, text, value_duration, err);
	case OPTION_SIZE:
		return store_number(o, field, text, value_size, err);
	case OPTION_PERCENT:
		return store_number(o, field, text, value_percent, err);
	case OPTION_ENUM:
		return store_word(o, field, text, err);
	case OPTION_IDENTIFIER:
		return store_identifier(field, text, err);
	case OPTION_TABLE:
		return store_table(record, text, err);
	case OPTION_COLUMNS:
		return store_columns(record, text, err);
	case OPTION_FORMAT:
		return store_format(o, field, text, err);
	case OPTION_CONN:
		return conn_store(record, name, text, err);
	case OPTION_PIN:
		return store_pin(o, field, name, text, err);
	}
	return err_set(err, ERR_BUG, "an option has no type");
}
