#include "utf8.h"

/* The number of bytes a lead byte announces, and the range of the second
 * byte, which is what excludes overlong forms, surrogates and the rest. */
struct lead {
	unsigned char first, last; /* lead bytes */
	unsigned char len;
	unsigned char low, high; /* second byte */
};

static const struct lead leads[] = {
	{0xc2, 0xdf, 2, 0x80, 0xbf},
	{0xe0, 0xe0, 3, 0xa0, 0xbf},
	{0xe1, 0xec, 3, 0x80, 0xbf},
	{0xed, 0xed, 3, 0x80, 0x9f},
	{0xee, 0xef, 3, 0x80, 0xbf},
	{0xf0, 0xf0, 4, 0x90, 0xbf},
	{0xf1, 0xf3, 4, 0x80, 0xbf},
	{0xf4, 0xf4, 4, 0x80, 0x8f},
};

static bool
follows(const struct lead *lead, struct slice s)
{
	if (s.len < lead->len)
		return false;
	if (s.ptr[1] < lead->low || s.ptr[1] > lead->high)
		return false;
	for (size_t i = 2; i < lead->len; i++) {
		if ((s.ptr[i] & 0xc0) != 0x80)
			return false;
	}
	return true;
}

size_t
utf8_char(struct slice s)
{
	if (s.len == 0)
		return 0;
	if (s.ptr[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
		const struct lead *lead = &leads[i];

		if (s.ptr[0] >= lead->first && s.ptr[0] <= lead->last)
			return follows(lead, s) ? lead->len : 0;
	}
	return 0;
}

bool
utf8_is_control(struct slice c)
{
	if (c.len == 2)
		return c.ptr[0] == 0xc2 && c.ptr[1] < 0xa0;
	return c.len == 1 && (c.ptr[0] < 0x20 || c.ptr[0] == 0x7f);
}
