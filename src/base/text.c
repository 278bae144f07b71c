#include "text.h"
#include "utf8.h"
#include <inttypes.h>
#include <stdio.h>

void
text_grouped(struct buf *b, int64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, n);

	for (int i = 0; i < len; i++) {
		if (i > (n < 0) && (len - i) % 3 == 0)
			buf_addc(b, ',');
		buf_addc(b, digits[i]);
	}
}

/* Those of one byte, and those of two. */
static bool
is_control(struct slice c)
{
	if (c.len == 2)
		return c.ptr[0] == 0xc2 && c.ptr[1] < 0xa0;
	return c.len == 1 && (c.ptr[0] < 0x20 || c.ptr[0] == 0x7f);
}

void
text_name(struct buf *b, const char *name)
{
	struct slice rest = slice_str(name);

	while (rest.len > 0) {
		size_t n = utf8_char(rest);

		if (n == 0 || is_control(slice_of(rest.ptr, n)))
			buf_addc(b, '?');
		else
			buf_add(b, rest.ptr, n);
		rest = slice_skip(rest, n ? n : 1);
	}
}
