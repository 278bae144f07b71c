#include "quote.h"

void
quote_ident(struct buf *sql, const char *name)
{
	buf_addc(sql, '"');
	for (; *name; name++) {
		if (*name == '"')
			buf_addc(sql, '"');
		buf_addc(sql, *name);
	}
	buf_addc(sql, '"');
}

static bool
is_plain(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789$");

	return n > 0 && name[n] == '\0' && (name[0] == '_' || name[0] >= 'a');
}

void
quote_name(struct buf *sql, const char *name)
{
	if (is_plain(name))
		buf_adds(sql, name);
	else
		quote_ident(sql, name);
}

void
quote_literal(struct buf *sql, const char *text)
{
	buf_adds(sql, strchr(text, '\\') ? " E'" : "'");
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_addc(sql, *text);
		buf_addc(sql, *text);
	}
	buf_addc(sql, '\'');
}
