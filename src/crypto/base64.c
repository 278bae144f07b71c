#include "base64_int.h"
#include "chars.h"

/* No character of the alphabet. */
#define NO 0x80
#define NO4(X) X(NO), X(NO), X(NO), X(NO)
#define NO16(X) NO4(X), NO4(X), NO4(X), NO4(X)

/* The value of each character, as X makes of it. One row is sixteen of them. */
/* clang-format off */
#define VALUES(X, plus, minus, slash, underscore)                            \
	{                                                                    \
	NO16(X), NO16(X),                                                    \
	NO4(X), NO4(X), X(NO), X(NO), X(NO), X(plus),                        \
		X(NO), X(minus), X(NO), X(slash),                            \
	X(52), X(53), X(54), X(55), X(56), X(57), X(58), X(59),              \
		X(60), X(61), X(NO), X(NO), NO4(X),                          \
	X(NO), X(0), X(1), X(2), X(3), X(4), X(5), X(6),                     \
		X(7), X(8), X(9), X(10), X(11), X(12), X(13), X(14),         \
	X(15), X(16), X(17), X(18), X(19), X(20), X(21), X(22),              \
		X(23), X(24), X(25), NO4(X), X(underscore),                  \
	X(NO), X(26), X(27), X(28), X(29), X(30), X(31), X(32),              \
		X(33), X(34), X(35), X(36), X(37), X(38), X(39), X(40),      \
	X(41), X(42), X(43), X(44), X(45), X(46), X(47), X(48),              \
		X(49), X(50), X(51), X(NO), NO4(X),                          \
	NO16(X), NO16(X), NO16(X), NO16(X),                                  \
	NO16(X), NO16(X), NO16(X), NO16(X),                                  \
	}
/* clang-format on */

/* urlsafe_b64decode translates its two characters and then reads the standard
 * alphabet, so it takes both; b64decode knows the standard one only. */
#define AS_IS(value) (value)
static const unsigned char lenient_values[][256] = {
	[BASE64_STD] = VALUES(AS_IS, 62, NO, 63, NO),
	[BASE64_URL] = VALUES(AS_IS, 62, 62, 63, 63),
};

/* Strictly, each character at its place in the 24 bits of its group. No value
 * has the bit BAD. */
#define BAD (1u << 24)
#define AT(value, shift) ((value) == NO ? BAD : (uint32_t)(value) << (shift))
#define FIRST(value) AT(value, 18)
#define SECOND(value) AT(value, 12)
#define THIRD(value) AT(value, 6)
#define FOURTH(value) AT(value, 0)
#define PLACES(...)                                                      \
	{                                                                \
		VALUES(FIRST, __VA_ARGS__), VALUES(SECOND, __VA_ARGS__), \
			VALUES(THIRD, __VA_ARGS__),                      \
			VALUES(FOURTH, __VA_ARGS__),                     \
	}

static const uint32_t strict_places[][4][256] = {
	[BASE64_STD] = PLACES(62, NO, 63, NO),
	[BASE64_URL] = PLACES(NO, 62, NO, 63),
};

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char letters[][65] = {
	[BASE64_STD] = LETTERS "+/",
	[BASE64_URL] = LETTERS "-_",
};

static inline void
encode_group(char ret[4], const unsigned char p[3], const char *letter)
{
	uint32_t bits = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

	ret[0] = letter[bits >> 18];
	ret[1] = letter[bits >> 12 & 63];
	ret[2] = letter[bits >> 6 & 63];
	ret[3] = letter[bits & 63];
}

void
base64_encode(char *ret, struct slice in, enum base64_alphabet alphabet)
{
	size_t wide = base64_encode_wide(ret, in, alphabet);
	const char *letter = letters[alphabet];
	unsigned char last[3] = {0};
	const unsigned char *p;
	size_t left;

	if (wide > 0)
		in = slice_skip(in, wide);
	ret += BASE64_ENCODED_SIZE(wide);
	p = in.ptr;
	left = in.len;
	for (; left >= 3; left -= 3, p += 3, ret += 4)
		encode_group(ret, p, letter);
	if (left == 0)
		return;
	memcpy(last, p, left);
	encode_group(ret, last, letter);
	memset(ret + left + 1, '=', 3 - left);
}

/* What it returns has the bit BAD if one of the four was no character of the
 * alphabet; testing that once per text instead of per group is what makes it
 * fast. */
static inline uint32_t
decode_group(unsigned char ret[3], const unsigned char p[4],
	const uint32_t place[4][256])
{
	uint32_t bits = place[0][p[0]] | place[1][p[1]] | place[2][p[2]] |
			place[3][p[3]];

	ret[0] = (unsigned char)(bits >> 16);
	ret[1] = (unsigned char)(bits >> 8);
	ret[2] = (unsigned char)bits;
	return bits;
}

long
base64_decode(
	unsigned char *ret, struct slice in, enum base64_alphabet alphabet)
{
	const uint32_t(*place)[256] = strict_places[alphabet];
	unsigned char group[4], bytes[3];
	unsigned char *out = ret;
	const unsigned char *p;
	uint32_t seen = 0;
	size_t pads, wide;
	bool ok;

	if (in.len % 4 != 0)
		return -1;
	if (in.len == 0)
		return 0;
	wide = base64_decode_wide(ret, &ok, in, alphabet);
	if (!ok)
		return -1;
	p = in.ptr + wide;
	out += wide / 4 * 3;
	for (size_t left = in.len - wide; left > 4; left -= 4, p += 4, out += 3)
		seen |= decode_group(out, p, place);

	/* The last group: padding counts as zero bits, and the bytes that it
	 * stands for must come out as zero. */
	pads = p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;
	memcpy(group, p, 4);
	memset(group + 4 - pads, 'A', pads);
	seen |= decode_group(bytes, group, place);
	if ((seen & BAD) || (pads > 0 && bytes[3 - pads] != 0))
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
		if (strict_places[alphabet][3][c] == BAD)
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
