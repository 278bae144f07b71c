/*
 * Four bytes that hold six bits each become three, and back, by two
 * multiplications for sixteen characters, as W. Mula described it
 * (http://0x80.pl/notesen/2016-01-17-sse-base64-decoding.html and -encoding);
 * what a character stands for is told by comparing with the ends of ranges.
 */
#include "base64_int.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SSSE3 __attribute__((target("ssse3")))

struct two {
	char value62, value63;
};

static const struct two last_two[] = {
	[BASE64_STD] = {'+', '/'},
	[BASE64_URL] = {'-', '_'},
};

SSSE3 static inline __m128i
all(int c)
{
	return _mm_set1_epi8((char)c);
}

/* All bits of each byte that is. Those above 127 are negative, so never. */
SSSE3 static inline __m128i
is_between(__m128i c, char first, char last)
{
	return _mm_and_si128(_mm_cmpgt_epi8(c, all(first - 1)),
		_mm_cmpgt_epi8(all(last + 1), c));
}

/* -- decoding -------------------------------------------------------------- */

/* 0 to 63 of each character; *known keeps its bits where it is one. */
SSSE3 static inline __m128i
values_of(__m128i c, __m128i *known, struct two two)
{
	__m128i upper = is_between(c, 'A', 'Z');
	__m128i lower = is_between(c, 'a', 'z');
	__m128i digit = is_between(c, '0', '9');
	__m128i is_62 = _mm_cmpeq_epi8(c, all(two.value62));
	__m128i is_63 = _mm_cmpeq_epi8(c, all(two.value63));
	__m128i add = _mm_and_si128(upper, all(-'A'));

	add = _mm_or_si128(add, _mm_and_si128(lower, all(26 - 'a')));
	add = _mm_or_si128(add, _mm_and_si128(digit, all(52 - '0')));
	add = _mm_or_si128(add, _mm_and_si128(is_62, all(62 - two.value62)));
	add = _mm_or_si128(add, _mm_and_si128(is_63, all(63 - two.value63)));
	*known = _mm_and_si128(*known,
		_mm_or_si128(_mm_or_si128(upper, lower),
			_mm_or_si128(digit, _mm_or_si128(is_62, is_63))));
	return _mm_add_epi8(c, add);
}

/* Twelve bytes, and four that are zero. */
SSSE3 static inline __m128i
join(__m128i values)
{
	/* In each pair the first counts 64 times, in each pair of pairs the
	 * first counts 4,096 times: 24 bits, the lowest byte first. */
	__m128i pairs = _mm_maddubs_epi16(values, _mm_set1_epi32(0x01400140));
	__m128i bits = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00011000));

	return _mm_shuffle_epi8(bits, _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8,
					      14, 13, 12, -1, -1, -1, -1));
}

SSSE3 static size_t
decode(unsigned char *ret, bool *ok, struct slice in, struct two two)
{
	__m128i known = all(-1);
	size_t at = 0;

	/* Twelve of the sixteen bytes count: with a group left, there is room
	 * for them all. */
	for (; in.len - at >= BASE64_WIDE + 4; at += BASE64_WIDE) {
		__m128i c = _mm_loadu_si128((const void *)(in.ptr + at));

		_mm_storeu_si128((void *)(ret + at / 4 * 3),
			join(values_of(c, &known, two)));
	}
	*ok = _mm_movemask_epi8(known) == 0xffff;
	return at;
}

/* -- encoding -------------------------------------------------------------- */

/* Six bits in each byte, of the first twelve. */
SSSE3 static inline __m128i
part(__m128i bytes)
{
	/* Of each three, the second, first, third and second one. */
	__m128i spread =
		_mm_shuffle_epi8(bytes, _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7,
						6, 8, 7, 10, 9, 11, 10));
	/* The first and third value go down by ten and six bits, the second
	 * and fourth one up by four and eight. */
	__m128i down = _mm_mulhi_epu16(
		_mm_and_si128(spread, _mm_set1_epi32(0x0fc0fc00)),
		_mm_set1_epi32(0x04000040));
	__m128i up = _mm_mullo_epi16(
		_mm_and_si128(spread, _mm_set1_epi32(0x003f03f0)),
		_mm_set1_epi32(0x01000010));

	return _mm_or_si128(down, up);
}

/* Each range adds to what the one below it has added. */
SSSE3 static inline __m128i
letters_of(__m128i v, struct two two)
{
	const char lower = 'a' - 26, digit = '0' - 52;
	__m128i above_25 = _mm_cmpgt_epi8(v, all(25));
	__m128i above_51 = _mm_cmpgt_epi8(v, all(51));
	__m128i is_62 = _mm_cmpeq_epi8(v, all(62));
	__m128i is_63 = _mm_cmpeq_epi8(v, all(63));
	__m128i add = all('A');

	add = _mm_add_epi8(add, _mm_and_si128(above_25, all(lower - 'A')));
	add = _mm_add_epi8(add, _mm_and_si128(above_51, all(digit - lower)));
	add = _mm_add_epi8(
		add, _mm_and_si128(is_62, all(two.value62 - 62 - digit)));
	add = _mm_add_epi8(
		add, _mm_and_si128(is_63, all(two.value63 - 63 - digit)));
	return _mm_add_epi8(v, add);
}

SSSE3 static size_t
encode(char *ret, struct slice in, struct two two)
{
	size_t at = 0;

	for (; in.len - at >= BASE64_WIDE; at += 12) {
		__m128i bytes = _mm_loadu_si128((const void *)(in.ptr + at));

		_mm_storeu_si128((void *)(ret + at / 3 * 4),
			letters_of(part(bytes), two));
	}
	return at;
}

size_t
base64_encode_wide(char *ret, struct slice in, enum base64_alphabet alphabet)
{
	if (in.len < BASE64_WIDE || !__builtin_cpu_supports("ssse3"))
		return 0;
	return encode(ret, in, last_two[alphabet]);
}

size_t
base64_decode_wide(unsigned char *ret, bool *ok, struct slice in,
	enum base64_alphabet alphabet)
{
	*ok = true;
	if (in.len < BASE64_WIDE + 4 || !__builtin_cpu_supports("ssse3"))
		return 0;
	return decode(ret, ok, in, last_two[alphabet]);
}

#else

size_t
base64_encode_wide(char *ret, struct slice in, enum base64_alphabet alphabet)
{
	(void)ret, (void)in, (void)alphabet;
	return 0;
}

size_t
base64_decode_wide(unsigned char *ret, bool *ok, struct slice in,
	enum base64_alphabet alphabet)
{
	(void)ret, (void)in, (void)alphabet;
	*ok = true;
	return 0;
}

#endif
