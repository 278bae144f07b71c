#include "base64.h"
#include "chars.h"

/* No character of the alphabet; no value has this bit. */
#define NO 0x80
#define NO4 NO, NO, NO, NO
#define NO16 NO4, NO4, NO4, NO4

/* One row is sixteen characters. */
/* clang-format off */
#define VALUES(plus, minus, slash, underscore)                               \
	{                                                                    \
	NO16, NO16,                                                          \
	NO4, NO4, NO, NO, NO, plus, NO, minus, NO, slash,                    \
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO4,                 \
	NO, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,                \
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO4, underscore,         \
	NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,      \
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO4,                 \
	NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16,                      \
	}
/* clang-format on */

static const unsigned char strict_values[][256] = {
	[BASE64_STD] = VALUES(62, NO, 63, NO),
	[BASE64_URL] = VALUES(NO, 62, NO, 63),
};

/* urlsafe_b64decode translates its two characters and then reads the standard
 * alphabet, so it takes both; b64decode knows the standard one only. */
static const unsigned char lenient_values[][256] = {
	[BASE64_STD] = VALUES(62, NO, 63, NO),
	[BASE64_URL] = VALUES(62, 62, 63, 63),
};

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char letters[][65] = {
	[BASE64_STD] = LETTERS "+/",
	[BASE64_URL] = LETTERS "-_",
};

static inline void
encode_group(char ret[4], const unsigned char p[3], const char *letter)
{
	ret[0] = letter[p[0] >> 2];
	ret[1] = letter[(p[0] & 3) << 4 | p[1] >> 4];
	ret[2] = letter[(p[1] & 15) << 2 | p[2] >> 6];
	ret[3] = letter[p[2] & 63];
}

void
base64_encode(char *ret, struct slice in, enum base64_alphabet alphabet)
{
	const char *letter = letters[alphabet];
	const unsigned char *p = in.ptr;
	unsigned char last[3] = {0};
	size_t left = in.len;

	for (; left >= 3; left -= 3, p += 3, ret += 4)
		encode_group(ret, p, letter);
	if (left == 0)
		return;
	memcpy(last, p, left);
	encode_group(ret, last, letter);
	memset(ret + left + 1, '=', 3 - left);
}

/* What it returns has the bit NO if one of the four was no character of the
 * alphabet; testing that once per text instead of per group is what makes it
 * fast. */
static inline unsigned
decode_group(unsigned char ret[3], const unsigned char p[4],
	const unsigned char *values)
{
	unsigned a = values[p[0]], b = values[p[1]];
	unsigned c = values[p[2]], d = values[p[3]];

	ret[0] = (unsigned char)(a << 2 | b >> 4);
	ret[1] = (unsigned char)(b << 4 | c >> 2);
	ret[2] = (unsigned char)(c << 6 | d);
	return a | b | c | d;
}

long
base64_decode(
	unsigned char *ret, struct slice in, enum base64_alphabet alphabet)
{
	const unsigned char *values = strict_values[alphabet];
	const unsigned char *p = in.ptr;
	unsigned char *out = ret;
	unsigned char group[4], bytes[3];
	unsigned seen = 0;
	size_t pads;

	if (in.len % 4 != 0)
		return -1;
	if (in.len == 0)
		return 0;
	for (size_t left = in.len; left > 4; left -= 4, p += 4, out += 3)
		seen |= decode_group(out, p, values);

	/* The last group: padding counts as zero bits, and the bytes that it
	 * stands for must come out as zero. */
	pads = p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;
	memcpy(group, p, 4);
	memset(group + 4 - pads, 'A', pads);
	seen |= decode_group(bytes, group, values);
	if ((seen & NO) || (pads > 0 && bytes[3 - pads] != 0))
		return -1;
	memcpy(out, bytes, 3 - pads);
	return out - ret + 3 - (long)pads;
}

/* What Python ignores behind the padding that ended decoding. */
static unsigned
notes_behind(struct slice in)
{
	unsigned notes = 0;

	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[i] == '=')
			notes |= BASE64_PADDING;
		else if (is_space(in.ptr[i]))
			notes |= BASE64_SPACE;
		else
			notes |= BASE64_BEHIND;
	}
	return notes;
}

/* Follows binascii.a2b_base64 of CPython step by step: position is the place
 * of the next character in its group of four, rest the bits not yet written,
 * pads the padding seen since the last character. */
long
base64_decode_lenient(unsigned char *ret, unsigned *notes, struct slice in,
	enum base64_alphabet alphabet)
{
	const unsigned char *values = lenient_values[alphabet];
	unsigned char *out = ret;
	unsigned position = 0, rest = 0, pads = 0;

	*notes = 0;
	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = in.ptr[i];
		unsigned value = values[c];

		if (c == '=' && position >= 2 && position + ++pads >= 4) {
			if (rest != 0)
				*notes |= BASE64_TRAILING;
			*notes |= notes_behind(slice_skip(in, i + 1));
			return out - ret;
		} else if (c == '=') {
			if (position < 2)
				*notes |= BASE64_PADDING;
			continue;
		} else if (value == NO) {
			*notes |= is_space(c) ? BASE64_SPACE : BASE64_JUNK;
			continue;
		}
		if (strict_values[alphabet][c] == NO)
			*notes |= BASE64_ALPHABET;
		if (pads > 0) /* not the end after all */
			*notes |= BASE64_PADDING;
		pads = 0;
		if (position > 0)
			*out++ = (unsigned char)(rest << (2 * position) |
						 value >> (6 - 2 * position));
		rest = value & ((1u << (6 - 2 * position)) - 1);
		position = (position + 1) % 4;
	}
	return position == 0 ? out - ret : -1;
}
