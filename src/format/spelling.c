/*
 * base64 between buffers, as every format needs it.
 */
#include "base64.h"
#include "format_int.h"

long
spelling_decode(struct buf *ret, struct slice in, enum base64_alphabet alphabet)
{
	unsigned char *room;
	long n;

	buf_reset(ret);
	room = buf_reserve(ret, BASE64_DECODED_MAX(in.len));
	n = room ? base64_decode(room, in, alphabet) : -1;
	if (n >= 0)
		buf_take(ret, (size_t)n);
	return n;
}

long
spelling_decode_lenient(struct buf *ret, unsigned *notes, struct slice in,
	enum base64_alphabet alphabet)
{
	unsigned char *room;
	unsigned noted = 0;
	long n;

	buf_reset(ret);
	room = buf_reserve(ret, BASE64_DECODED_MAX(in.len));
	n = room ? base64_decode_lenient(room, &noted, in, alphabet) : -1;
	if (n >= 0)
		buf_take(ret, (size_t)n);
	*notes |= noted;
	return n;
}

const char *
spelling_overlooked(unsigned notes)
{
	if (notes & BASE64_BEHIND)
		return "data behind the padding";
	if (notes & BASE64_JUNK)
		return "characters outside the alphabet";
	if (notes & BASE64_SPACE)
		return "white space in the base64";
	if (notes & BASE64_PADDING)
		return "surplus padding";
	if (notes & BASE64_ALPHABET)
		return "the other base64 alphabet";
	return "trailing bits that are not zero";
}

void
spelling_encode(struct buf *ret, struct slice in, enum base64_alphabet alphabet)
{
	size_t size = BASE64_ENCODED_SIZE(in.len);
	unsigned char *room = buf_reserve(ret, size);

	if (!room)
		return;
	base64_encode((char *)room, in, alphabet);
	buf_take(ret, size);
}
