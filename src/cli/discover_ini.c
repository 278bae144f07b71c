/*
 * What was discovered, in the language of the configuration file: what our own
 * reader accepts, and nothing that a name could add to it.
 */
#include "discover_int.h"
#include "ini_int.h"
#include "quote.h"
#include "text.h"
#include "utf8.h"
#include "value_int.h"

#define LINE 78 /* where a list of columns goes on in the next line */

/* -- names ----------------------------------------------------------------- */

/* Can it stand in a line of the file? See ini.c for what is refused. */
static bool
is_writable(const char *name)
{
	struct slice rest = slice_str(name);
	size_t n;

	for (; rest.len > 0; rest = slice_skip(rest, n)) {
		unsigned char c = rest.ptr[0];

		n = utf8_char(rest);
		if (n == 0 || c < 0x20 || c == 0x7f)
			return false;
		if (c == ' ' && rest.len > 1 &&
			(rest.ptr[1] == ';' || rest.ptr[1] == '#'))
			return false;
	}
	return true;
}

static void
add_name(struct buf *line, const struct target *t)
{
	buf_adds(line, "name = ");
	quote_name(line, t->schema);
	buf_addc(line, '.');
	quote_name(line, t->table);
}

static bool
table_is_writable(const struct discover_table *t)
{
	bool fits = is_writable(t->schema) && is_writable(t->table);
	struct buf line;

	buf_init(&line, INI_LINE_MAX);
	if (fits)
		add_name(&line, &t->section);
	fits = fits && !buf_over(&line);
	buf_done(&line);
	return fits;
}

/* -- comments -------------------------------------------------------------- */

static bool
is_known(const struct keyring *ring, const char *id)
{
	return !ring || keyring_find(ring, slice_str(id)) >= 0;
}

/* "; column a: 12 values, by key k2023 4, k2024 8". */
static void
add_found(struct buf *b, const struct discover_column *c)
{
	buf_adds(b, "; ");
	text_name(b, c->name);
	buf_adds(b, ": ");
	text_count(b, c->values, "value", "values");
	for (size_t i = 0; i < c->labels.keys; i++) {
		buf_adds(b, i ? ", " : ", by key ");
		text_name(b, c->labels.key[i].id);
		buf_addc(b, ' ');
		text_grouped(b, c->labels.key[i].values);
	}
	if (c->oversize > 0) {
		buf_adds(b, ", too large to be looked at ");
		text_grouped(b, c->oversize);
	}
	buf_addc(b, '\n');
}

static void
add_unknown_keys(struct buf *b, const struct discover_column *c,
	const struct keyring *ring)
{
	for (size_t i = 0; i < c->labels.keys; i++) {
		const char *id = c->labels.key[i].id;

		if (is_known(ring, id) || !strcmp(id, TALLY_OTHER_KEYS))
			continue;
		buf_adds(b, "; WARNING: the key ");
		text_name(b, id);
		buf_adds(b, " is not in the keyring\n");
	}
}

/* Why the column is in no section, or NULL. */
static const char *
problem_of(const struct discover_table *t, const struct discover_column *c)
{
	if (c->problem)
		return c->problem;
	if (!table_is_writable(t) || !is_writable(c->name))
		return "its name cannot be written into this file";
	return NULL;
}

static void
add_column_comments(struct buf *b, const struct discover_table *t,
	const struct keyring *ring)
{
	for (size_t i = 0; i < t->columns; i++) {
		const struct discover_column *c = &t->column[i];
		const char *problem = problem_of(t, c);

		add_found(b, c);
		add_unknown_keys(b, c, ring);
		if (!problem)
			continue;
		buf_adds(b, ";   not in a section: ");
		text_name(b, problem);
		buf_addc(b, '\n');
	}
}

static void
add_replaced(struct buf *b, const struct discover_table *t)
{
	const char *separator = "; new are ";

	for (size_t i = 0; i < t->replaces; i++) {
		buf_adds(b, i ? ", " : "; replaces ");
		buf_adds(b, "[table ");
		text_name(b, t->replaced[i]->label);
		buf_addf(b, "] of line %d", t->replaced[i]->line);
	}
	for (size_t i = 0; i < t->columns; i++) {
		if (problem_of(t, &t->column[i]))
			continue;
		buf_adds(b, separator);
		text_name(b, t->column[i].name);
		separator = ", ";
	}
	buf_addc(b, '\n');
}

/* -- sections -------------------------------------------------------------- */

/* The value as it would be written; false if there is none. */
static bool
show_option(
	struct buf *value, const struct option *o, const struct target *target)
{
	const char *field = (const char *)target + o->offset;
	int word = 0;

	switch (o->type) {
	case OPTION_ENUM:
		memcpy(&word, field, sizeof(word));
		buf_adds(value, o->words[word]);
		return true;
	case OPTION_SIZE:
		value_add_size(value, (int64_t) * (const size_t *)field);
		return true;
	case OPTION_FORMAT:
		buf_adds(value, (*(const struct format *const *)field)->name);
		return true;
	case OPTION_STRING:
		if (*(const char *const *)field)
			buf_adds(value, *(const char *const *)field);
		return *(const char *const *)field != NULL;
	default:
		return false;
	}
}

/* What is not as it would be without the line. Of a new section only the
 * format is known. */
static void
add_options(struct buf *b, const struct discover_table *t)
{
	for (const struct option *o = option_table; o->name; o++) {
		struct buf value;

		if (!o->section || strcmp(o->section, TABLE_SECTION) != 0 ||
			(t->replaces == 0 && o->type != OPTION_FORMAT))
			continue;
		buf_init(&value, INI_LINE_MAX);
		if (show_option(&value, o, &t->section) &&
			(!o->preset || strcmp(o->preset, buf_str(&value)) != 0))
			buf_addf(b, "%s = %s\n", o->name, buf_str(&value));
		buf_done(&value);
	}
}

static void
add_columns(struct buf *b, const struct target *t)
{
	struct buf line, name;

	buf_init(&line, SIZE_MAX);
	buf_init(&name, SIZE_MAX);
	for (size_t i = 0; i < t->columns; i++) {
		if (!is_writable(t->column[i]))
			continue;
		buf_reset(&name);
		quote_name(&name, t->column[i]);
		if (line.len > 0 && line.len + 2 + name.len > LINE) {
			buf_addf(b, "%s\n", buf_str(&line));
			buf_reset(&line);
		}
		buf_adds(&line, line.len > 0 ? ", " : "columns = ");
		buf_adds(&line, buf_str(&name));
	}
	buf_addf(b, "%s\n", buf_str(&line));
	buf_done(&line);
	buf_done(&name);
}

static bool
has_section(const struct discover_table *t)
{
	for (size_t i = 0; i < t->columns; i++) {
		if (!problem_of(t, &t->column[i]))
			return true;
	}
	return false;
}

static void
add_table(struct buf *b, const struct discover_table *t,
	const struct keyring *ring)
{
	buf_adds(b, "\n; table ");
	text_name(b, t->schema);
	buf_addc(b, '.');
	text_name(b, t->table);
	buf_addc(b, '\n');
	add_column_comments(b, t, ring);
	if (!has_section(t))
		return;
	if (t->replaces > 0)
		add_replaced(b, t);
	buf_addf(b, "[%s %s]\n", TABLE_SECTION, t->section.label);
	add_name(b, &t->section);
	buf_addc(b, '\n');
	add_columns(b, &t->section);
	add_options(b, t);
}

/* -- all of it ------------------------------------------------------------- */

void
discover_ini(struct buf *ret, const struct discover_outcome *outcome,
	const struct discover_options *o, int status)
{
	buf_adds(ret, "; ");
	text_count(ret, outcome->columns,
		"column holds encrypted values and is not configured; ",
		"columns hold encrypted values and are not configured; ");
	text_count(
		ret, outcome->read, "table was read\n", "tables were read\n");
	if (o->sample > 0)
		buf_addf(ret,
			"; a sample of %g %%: it proves nothing about the "
			"rest\n",
			o->sample);
	if (status == ERR_STOPPED)
		buf_adds(ret, "; stopped early: not all was looked at\n");
	for (size_t i = 0; i < outcome->unreads; i++) {
		buf_adds(ret, "; not read: ");
		text_name(ret, outcome->unread[i].table);
		buf_adds(ret, ", ");
		text_name(ret, outcome->unread[i].reason);
		buf_addc(ret, '\n');
	}
	for (size_t i = 0; i < outcome->tables; i++)
		add_table(ret, &outcome->table[i], o->job.ring);
}
