#include "chars.h"
#include "ini_int.h"
#include "utf8.h"
#include <assert.h>
#include <ini.h>

struct reader {
	struct slice rest; /* what inih has not seen yet */
	int line;
	const struct ini_handler *handler;
	void *user;
	struct err *err;
	bool failed;
};

/* The server wants UTF-8 names, and no editor shows a control character. */
static int
check_bytes(struct slice line, struct err *err)
{
	size_t n;

	for (; line.len > 0; line = slice_skip(line, n)) {
		unsigned char c = line.ptr[0];

		n = utf8_char(line);
		if (n == 0)
			return err_set(err, ERR_USAGE, "is not UTF-8");
		if (c == '\0')
			return err_set(err, ERR_USAGE, "holds a NUL byte");
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return err_set(
				err, ERR_USAGE, "holds a control character");
	}
	return 0;
}

/* Whether or not inih would cut the value here: a reader might think so. */
static int
check_comment(const char *line, struct err *err)
{
	for (const char *p = line; *p; p++) {
		if (!is_blank(*p) || (p[1] != ';' && p[1] != '#'))
			continue;
		err_set(err, ERR_USAGE,
			"a blank and '%c' inside a line could be a comment",
			p[1]);
		return err_hint(err, "comments stand on lines of their own; "
				     "in a value, leave out the blank");
	}
	return 0;
}

static int
check_section(const char *line, struct err *err)
{
	const char *end = strchr(line, ']');

	if (!end)
		return err_set(err, ERR_USAGE, "the section has no ]");
	if (end[1 + strspn(end + 1, " \t")] != '\0')
		return err_set(err, ERR_USAGE, "something follows the ]");
	if (end - line - 1 > INI_NAME_MAX)
		return err_set(err, ERR_USAGE,
			"the section's name has more than %d bytes",
			INI_NAME_MAX);
	return 0;
}

static int
check_entry(const char *line, struct err *err)
{
	size_t len = strcspn(line, "=:");

	if (line[len] != '=') {
		err_set(err, ERR_USAGE, "is no setting");
		return err_hint(err, "a setting is written name = value");
	}
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (len == 0)
		return err_set(err, ERR_USAGE, "has no name before the =");
	if (len > INI_NAME_MAX)
		return err_set(err, ERR_USAGE,
			"the name has more than %d bytes", INI_NAME_MAX);
	return 0;
}

/* line is neither empty nor a comment. */
static int
check_line(const char *line, struct err *err)
{
	if (is_blank(line[0])) {
		err_set(err, ERR_USAGE, "is indented");
		return err_hint(err, "values do not continue on a second line");
	}
	if (check_comment(line, err) < 0)
		return -1;
	return line[0] == '[' ? check_section(line, err)
			      : check_entry(line, err);
}

/* Takes the next line off the text, without its end. */
static struct slice
take_line(struct reader *r)
{
	struct slice line = r->rest;
	const unsigned char *end = memchr(line.ptr, '\n', line.len);

	if (end)
		line.len = (size_t)(end - line.ptr);
	r->rest = slice_skip(r->rest, line.len + (end ? 1 : 0));
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	r->line++;
	return line;
}

static bool
says_nothing(struct slice line)
{
	while (line.len > 0 && is_blank(line.ptr[0]))
		line = slice_skip(line, 1);
	return line.len == 0 || line.ptr[0] == ';' || line.ptr[0] == '#';
}

static int
announce_section(struct reader *r, const char *line)
{
	char name[INI_NAME_MAX + 1];
	size_t len = strcspn(line + 1, "]");

	memcpy(name, line + 1, len);
	name[len] = '\0';
	return r->handler->section(r->user, name, r->line, r->err);
}

/* Makes ret the next line for inih: "" for what says nothing. */
static int
next_line(struct reader *r, char *ret)
{
	struct slice line = take_line(r);

	ret[0] = '\0';
	if (check_bytes(line, r->err) < 0)
		return -1;
	if (says_nothing(line))
		return 0;
	if (line.len > INI_LINE_MAX) {
		err_set(r->err, ERR_USAGE, "the line has more than %d bytes",
			INI_LINE_MAX);
		return err_hint(r->err, "leave out blanks that are not needed; "
					"a line cannot be continued");
	}
	memcpy(ret, line.ptr, line.len);
	ret[line.len] = '\0';
	if (check_line(ret, r->err) < 0)
		return -1;
	return ret[0] == '[' ? announce_section(r, ret) : 0;
}

/* inih's fgets. After a failure there is nothing more to read. */
static char *
feed(char *ret, int room, void *stream)
{
	struct reader *r = stream;
	char line[INI_LINE_MAX + 1];
	size_t len;

	if (r->failed || r->rest.len == 0)
		return NULL;
	if (next_line(r, line) < 0) {
		r->failed = true;
		return NULL;
	}
	len = strlen(line);
	assert(room > INI_LINE_MAX + 1);
	memcpy(ret, line, len);
	memcpy(ret + len, "\n", 2);
	return ret;
}

static int
take_entry(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;

	(void)section; /* announced already, with its line */
	if (r->failed)
		return 0;
	if (r->handler->entry(r->user, name, value, r->line, r->err) < 0)
		r->failed = true;
	return !r->failed;
}

static bool
is_utf16(struct slice text)
{
	return slice_starts(text, "\xff\xfe") || slice_starts(text, "\xfe\xff");
}

int
ini_read(const char *file, struct slice text, const struct ini_handler *handler,
	void *user, struct err *err)
{
	struct reader r = {.handler = handler, .user = user, .err = err};
	int rc;

	if (is_utf16(text)) {
		err_set(err, ERR_USAGE, "%s: is UTF-16", file);
		return err_hint(err, "save it as UTF-8");
	}
	if (slice_starts(text, "\xef\xbb\xbf"))
		text = slice_skip(text, 3);
	r.rest = text;
	rc = ini_parse_stream(feed, &r, take_entry, &r);
	if (rc != 0 && !r.failed) {
		r.line = rc;
		r.failed = true;
		err_set(err, ERR_USAGE, "is not understood");
	}
	return r.failed ? err_in(err, "%s:%d", file, r.line) : 0;
}
