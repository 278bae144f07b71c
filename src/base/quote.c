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
