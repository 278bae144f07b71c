/*
 * What a text that is no key looks like instead. Its content may not be shown,
 * so the name of the mistake is all the help there is.
 */
#include "base64.h"
#include "key_int.h"
#include "secret.h"

#define DECODE_MAX                                                 \
	256 /* longer texts are not decoded to guess what they are \
	     */

static bool
is_key(struct slice text)
{
	uint8_t bytes[KEY_BYTES];
	bool yes = key_decode(bytes, text);

	secret_wipe(bytes, sizeof(bytes));
	return yes;
}

static bool
has_byte(struct slice s, int byte)
{
	return s.len > 0 && memchr(s.ptr, byte, s.len) != NULL;
}

/* -- guesses about the file as it is --------------------------------------- */

static bool
is_empty(struct slice file)
{
	return file.len == 0;
}

static bool
is_raw(struct slice file)
{
	if (file.len != KEY_BYTES)
		return false;
	for (size_t i = 0; i < file.len; i++) {
		if (file.ptr[i] < ' ' || file.ptr[i] > '~')
			return true;
	}
	return false;
}

static bool
has_mark(struct slice file)
{
	return slice_starts(file, "\xef\xbb\xbf");
}

static bool
is_utf16(struct slice file)
{
	return slice_starts(file, "\xff\xfe") || slice_starts(file, "\xfe\xff");
}

static bool
has_nul(struct slice file)
{
	return has_byte(file, '\0');
}

/* -- guesses about the text without white space around it ------------------ */

static bool
is_pem(struct slice text)
{
	return slice_starts(text, "-----BEGIN");
}

static bool
is_json(struct slice text)
{
	return slice_starts(text, "{") || slice_starts(text, "[");
}

static bool
is_comment(struct slice text)
{
	return slice_starts(text, "#") || slice_starts(text, ";");
}

static bool
is_key_and_more(struct slice text)
{
	return text.len > KEY_TEXT && is_key(slice_of(text.ptr, KEY_TEXT));
}

static bool
is_two_keys(struct slice text)
{
	if (!is_key_and_more(text))
		return false;
	for (text = slice_skip(text, KEY_TEXT); text.len >= KEY_TEXT;
		text = slice_skip(text, 1)) {
		if (is_key(slice_of(text.ptr, KEY_TEXT)))
			return true;
	}
	return false;
}

static bool
is_overpadded(struct slice text)
{
	return is_key_and_more(text) && text.ptr[KEY_TEXT] == '=';
}

static bool
has_quotes(struct slice text)
{
	return has_byte(text, '"') || has_byte(text, '\'');
}

/* A = with something other than padding behind it. */
static bool
is_assignment(struct slice text)
{
	const unsigned char *equals;

	if (!has_byte(text, '='))
		return false;
	equals = memchr(text.ptr, '=', text.len);
	return equals + 1 < text.ptr + text.len && equals[1] != '=';
}

static bool
is_hex(struct slice text)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	if (text.len != (size_t)2 * KEY_BYTES)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!memchr(digits, text.ptr[i], sizeof(digits) - 1))
			return false;
	}
	return true;
}

static bool
is_long(struct slice text)
{
	return text.len > DECODE_MAX;
}

static bool
is_unpadded(struct slice text)
{
	unsigned char padded[KEY_TEXT];
	bool yes;

	if (text.len != KEY_TEXT - 1)
		return false;
	memcpy(padded, text.ptr, text.len);
	padded[KEY_TEXT - 1] = '=';
	yes = is_key(slice_of(padded, KEY_TEXT));
	secret_wipe(padded, sizeof(padded));
	return yes;
}

/* Bytes that an indulgent reader gets out of the text, or -1. */
static long
decode_any(uint8_t ret[BASE64_DECODED_MAX(DECODE_MAX)], unsigned *notes,
	struct slice text)
{
	long n = base64_decode_lenient(ret, notes, text, BASE64_URL);

	return (*notes & BASE64_LOSSY) ? -1 : n;
}

static bool
is_twice_encoded(struct slice text)
{
	uint8_t bytes[BASE64_DECODED_MAX(DECODE_MAX)];
	unsigned notes;
	long n = decode_any(bytes, &notes, text);
	bool yes = n > 0 && is_key(key_trim(slice_of(bytes, (size_t)n)));

	secret_wipe(bytes, sizeof(bytes));
	return yes;
}

/* How many bytes the text stands for, or -1; what the decoder overlooked. */
static long
decoded_size(unsigned *notes, struct slice text)
{
	uint8_t bytes[BASE64_DECODED_MAX(DECODE_MAX)];
	long n = decode_any(bytes, notes, text);

	secret_wipe(bytes, sizeof(bytes));
	return n;
}

static bool
is_short(struct slice text)
{
	unsigned notes;
	long n = decoded_size(&notes, text);

	return n >= 0 && n < KEY_BYTES;
}

static bool
is_large(struct slice text)
{
	unsigned notes;

	return decoded_size(&notes, text) > KEY_BYTES;
}

/* One key in two spellings would pass for two keys. */
static bool
has_stray_bits(struct slice text)
{
	unsigned notes;

	return decoded_size(&notes, text) >= 0 && (notes & BASE64_TRAILING);
}

static bool
is_mixed(struct slice text)
{
	unsigned notes;

	return decoded_size(&notes, text) >= 0 && (notes & BASE64_ALPHABET);
}

static bool
is_wrapped(struct slice text)
{
	unsigned notes;

	return decoded_size(&notes, text) >= 0 && (notes & BASE64_SPACE);
}

/* The first that fits is named. */
struct guess {
	bool (*fits)(struct slice s);
	const char *problem;
};

static const struct guess file_guesses[] = {
	{is_empty, "is empty"},
	{is_raw, "looks like the 32 raw bytes of a key, not base64 of them"},
	{has_mark, "starts with a byte order mark"},
	{is_utf16, "is UTF-16 text"},
	{has_nul, "contains a NUL byte"},
	{NULL, NULL},
};

static const struct guess text_guesses[] = {
	{is_empty, "holds nothing but white space"},
	{is_pem, "is a PEM file"},
	{is_json, "looks like JSON"},
	{is_comment, "starts with a comment"},
	{is_two_keys, "holds more than one key"},
	{is_overpadded, "has one = too many at its end"},
	{is_key_and_more, "holds something else behind the key"},
	{has_quotes, "has quotes around the key"},
	{is_assignment, "looks like a NAME=value line"},
	{is_hex, "looks like the key as 64 hex digits, not base64"},
	{is_long, "is too long for a key"},
	{is_unpadded, "lacks the = at the end of the key"},
	{is_twice_encoded, "is base64 of base64: encoded once too often"},
	{is_short, "is base64 of fewer than 32 bytes"},
	{is_large, "is base64 of more than 32 bytes"},
	{has_stray_bits, "is no canonical base64: stray bits before the ="},
	{is_mixed, "mixes the two alphabets of base64"},
	{is_wrapped, "has white space inside the key"},
	{NULL, NULL},
};

static const char *
first_fitting(const struct guess *guess, struct slice s)
{
	while (guess->fits && !guess->fits(s))
		guess++;
	return guess->problem;
}

const char *
key_guess(struct slice file)
{
	const char *problem = first_fitting(file_guesses, file);

	if (!problem)
		problem = first_fitting(text_guesses, key_trim(file));
	return problem ? problem : "is not base64";
}
