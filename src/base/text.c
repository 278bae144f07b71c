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

const char *
text_plural(int64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

void
text_count(struct buf *b, int64_t n, const char *one, const char *many)
{
	text_grouped(b, n);
	buf_addc(b, ' ');
	buf_adds(b, text_plural(n, one, many));
}

void
text_name(struct buf *b, const char *name)
{
	struct slice rest = slice_str(name);

	while (rest.len > 0) {
		size_t n = utf8_char(rest);

		if (n == 0 || utf8_is_control(slice_of(rest.ptr, n)))
			buf_addc(b, '?');
		else
			buf_add(b, rest.ptr, n);
		rest = slice_skip(rest, n ? n : 1);
	}
}

void
text_bytes(struct buf *b, int64_t n)
{
	static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
	double size = (double)n / 1024;
	size_t i = 0;

	for (; size >= 1024 && i < sizeof(unit) / sizeof(unit[0]) - 1; i++)
		size /= 1024;
	buf_addf(b, "%.*f %s", size < 10 && i > 0 ? 1 : 0, size, unit[i]);
}

void
text_seconds(struct buf *b, int64_t n)
{
	if (n < 60)
		buf_addf(b, "%" PRId64 " s", n);
	else if (n < 3600)
		buf_addf(b, "%" PRId64 " min", n / 60);
	else
		buf_addf(b, "%" PRId64 " h %" PRId64 " min", n / 3600,
			n % 3600 / 60);
}
