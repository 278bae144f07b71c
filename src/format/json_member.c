/*
 * Reads just enough JSON to know an envelope: an object with one member that
 * holds a string. The text comes from a json or jsonb column or from a
 * decrypted value, so it may be anything; whatever does not fit is "no".
 */
#include "format_int.h"

struct cursor {
	const unsigned char *at, *end;
};

static void
skip_space(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' ||
					 *c->at == '\n' || *c->at == '\r'))
		c->at++;
}

static bool
take(struct cursor *c, unsigned char what)
{
	skip_space(c);
	if (c->at >= c->end || *c->at != what)
		return false;
	c->at++;
	return true;
}

static bool
take_hex4(struct cursor *c, unsigned *ret)
{
	unsigned n = 0;

	if (c->end - c->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		unsigned char x = *c->at++;

		n <<= 4;
		if (x >= '0' && x <= '9')
			n |= (unsigned)(x - '0');
		else if (x >= 'a' && x <= 'f')
			n |= (unsigned)(x - 'a' + 10);
		else if (x >= 'A' && x <= 'F')
			n |= (unsigned)(x - 'A' + 10);
		else
			return false;
	}
	*ret = n;
	return true;
}

static void
add_utf8(struct buf *b, unsigned n)
{
	if (n < 0x80) {
		buf_addc(b, (char)n);
		return;
	}
	if (n < 0x800) {
		buf_addc(b, (char)(0xc0 | n >> 6));
	} else {
		if (n < 0x10000) {
			buf_addc(b, (char)(0xe0 | n >> 12));
		} else {
			buf_addc(b, (char)(0xf0 | n >> 18));
			buf_addc(b, (char)(0x80 | (n >> 12 & 0x3f)));
		}
		buf_addc(b, (char)(0x80 | (n >> 6 & 0x3f)));
	}
	buf_addc(b, (char)(0x80 | (n & 0x3f)));
}

/* The second half of a surrogate pair, if it is there. */
static bool
take_low_surrogate(struct cursor *c, unsigned *ret)
{
	struct cursor ahead = *c;

	if (c->end - c->at < 2 || c->at[0] != '\\' || c->at[1] != 'u')
		return false;
	ahead.at += 2;
	if (!take_hex4(&ahead, ret) || *ret < 0xdc00 || *ret > 0xdfff)
		return false;
	*c = ahead;
	return true;
}

/* A json column takes halves of surrogate pairs, and the application's parser
 * passes them on as they are. Here they become bytes that are no UTF-8. */
static bool
take_unicode(struct cursor *c, struct buf *scratch)
{
	unsigned n, low;

	if (!take_hex4(c, &n))
		return false;
	if (n >= 0xd800 && n < 0xdc00 && take_low_surrogate(c, &low))
		n = 0x10000 + ((n - 0xd800) << 10) + (low - 0xdc00);
	add_utf8(scratch, n);
	return true;
}

static bool
take_escape(struct cursor *c, struct buf *scratch)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (c->at >= c->end)
		return false;
	if (*c->at == 'u') {
		c->at++;
		return take_unicode(c, scratch);
	}
	found = *c->at ? strchr(from, *c->at) : NULL;
	if (!found)
		return false;
	c->at++;
	buf_addc(scratch, to[found - from]);
	return true;
}

/* A string without escapes, which is every envelope, is not copied. */
static bool
take_string(struct cursor *c, struct slice *ret, struct buf *scratch)
{
	const unsigned char *start;
	bool copied = false;

	if (!take(c, '"'))
		return false;
	start = c->at;
	while (c->at < c->end && *c->at != '"') {
		if (*c->at < ' ')
			return false;
		if (*c->at != '\\') {
			if (copied)
				buf_addc(scratch, (char)*c->at);
			c->at++;
			continue;
		}
		if (!copied) {
			buf_reset(scratch);
			buf_add(scratch, start, (size_t)(c->at - start));
			copied = true;
		}
		c->at++;
		if (!take_escape(c, scratch))
			return false;
	}
	if (c->at >= c->end)
		return false;
	*ret = copied ? buf_slice(scratch)
		      : slice_of(start, (size_t)(c->at - start));
	c->at++;
	return !buf_over(scratch);
}

static bool
at_end(struct cursor *c)
{
	skip_space(c);
	return c->at == c->end;
}

/* A value of any type, up to the comma or bracket behind it. The server has
 * checked that it is one. */
static bool
take_value(struct cursor *c, struct buf *scratch)
{
	struct slice string;

	for (int depth = 0; c->at < c->end;) {
		if (*c->at == '"') {
			if (!take_string(c, &string, scratch))
				return false;
			continue;
		}
		if (depth == 0 && (*c->at == ',' || *c->at == '}'))
			return true;
		depth += (*c->at == '[') + (*c->at == '{');
		depth -= (*c->at == ']') + (*c->at == '}');
		c->at++;
	}
	return false;
}

enum member_result
json_only_member(struct slice *ret, struct slice text, const char *name,
	struct buf *scratch)
{
	struct cursor c = {text.ptr, text.ptr + text.len};
	struct slice key;
	bool string;
	int seen = 0;

	if (text.len == 0 || !take(&c, '{'))
		return MEMBER_NONE;
	do {
		if (!take_string(&c, &key, scratch) ||
			!slice_eq(key, slice_str(name)) || !take(&c, ':'))
			return MEMBER_NONE;
		skip_space(&c);
		string = c.at < c.end && *c.at == '"';
		if (!(string ? take_string(&c, ret, scratch)
			     : take_value(&c, scratch)))
			return MEMBER_NONE;
		seen++;
	} while (take(&c, ','));
	if (!string || !take(&c, '}') || !at_end(&c))
		return MEMBER_NONE;
	return seen == 1 ? MEMBER_FOUND : MEMBER_TWICE;
}

bool
json_only_string(struct slice *ret, struct slice text, struct buf *scratch)
{
	struct cursor c = {text.ptr, text.ptr + text.len};

	return text.len > 0 && take_string(&c, ret, scratch) && at_end(&c);
}
