#include "json.h"
#include "utf8.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>

void
json_init(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

static void
add_escaped(struct buf *out, unsigned char c)
{
	switch (c) {
	case '"':
		buf_adds(out, "\\\"");
		break;
	case '\\':
		buf_adds(out, "\\\\");
		break;
	case '\n':
		buf_adds(out, "\\n");
		break;
	case '\r':
		buf_adds(out, "\\r");
		break;
	case '\t':
		buf_adds(out, "\\t");
		break;
	default:
		buf_addf(out, "\\u%04x", (unsigned)c);
		break;
	}
}

static bool
needs_escape(struct slice c)
{
	return utf8_is_control(c) || slice_eq(c, slice_str("\"")) ||
	       slice_eq(c, slice_str("\\"));
}

static void
add_string(struct buf *out, struct slice s)
{
	size_t n;

	buf_addc(out, '"');
	for (; s.len > 0; s = slice_skip(s, n)) {
		n = utf8_char(s);
		if (n == 0) {
			buf_adds(out, "\xef\xbf\xbd"); /* U+FFFD */
			n = 1;
		} else if (needs_escape(slice_of(s.ptr, n))) {
			add_escaped(out, s.ptr[n - 1]); /* C1 is C2 XX */
		} else {
			buf_add(out, s.ptr, n);
		}
	}
	buf_addc(out, '"');
}

/* What comes before every value: the comma and the key. */
static void
begin_value(struct json *j, const char *key)
{
	bool *more = &j->more[j->depth];

	assert(j->depth > 0 || !*more); /* one outermost value */
	if (*more)
		buf_addc(j->out, ',');
	*more = true;
	if (!key)
		return;
	add_string(j->out, slice_str(key));
	buf_addc(j->out, ':');
}

static void
begin_level(struct json *j, const char *key, char bracket)
{
	begin_value(j, key);
	buf_addc(j->out, bracket);
	assert(j->depth + 1 < JSON_DEPTH);
	j->depth++;
	j->more[j->depth] = false;
}

void
json_object(struct json *j, const char *key)
{
	begin_level(j, key, '{');
}

void
json_array(struct json *j, const char *key)
{
	begin_level(j, key, '[');
}

void
json_end(struct json *j, char bracket)
{
	assert(bracket == '}' || bracket == ']');
	assert(j->depth > 0);
	j->depth--;
	buf_addc(j->out, bracket);
}

void
json_slice(struct json *j, const char *key, struct slice value)
{
	begin_value(j, key);
	add_string(j->out, value);
}

void
json_string(struct json *j, const char *key, const char *value)
{
	json_slice(j, key, slice_str(value));
}

void
json_int(struct json *j, const char *key, int64_t value)
{
	begin_value(j, key);
	buf_addf(j->out, "%" PRId64, value);
}

/* JSON has no infinity and no NaN. */
void
json_real(struct json *j, const char *key, double value, int digits)
{
	begin_value(j, key);
	if (isfinite(value))
		buf_addf(j->out, "%.*f", digits, value);
	else
		buf_adds(j->out, "null");
}

void
json_bool(struct json *j, const char *key, bool value)
{
	begin_value(j, key);
	buf_adds(j->out, value ? "true" : "false");
}

void
json_null(struct json *j, const char *key)
{
	begin_value(j, key);
	buf_adds(j->out, "null");
}

void
json_raw(struct json *j, const char *key, const char *value)
{
	begin_value(j, key);
	buf_adds(j->out, value);
}
