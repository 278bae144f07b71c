#include "base64.h"
#include "chars.h"
#include "key_int.h"
#include "secret.h"

struct slice
key_trim(struct slice s)
{
	while (s.len > 0 && is_space(s.ptr[0]))
		s = slice_skip(s, 1);
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool
key_decode(uint8_t ret[KEY_BYTES], struct slice text)
{
	uint8_t bytes[BASE64_DECODED_MAX(KEY_TEXT)];
	bool is_key;

	is_key = text.len == KEY_TEXT &&
		 (base64_decode(bytes, text, BASE64_URL) == KEY_BYTES ||
			 base64_decode(bytes, text, BASE64_STD) == KEY_BYTES);
	if (is_key)
		memcpy(ret, bytes, KEY_BYTES);
	secret_wipe(bytes, sizeof(bytes));
	return is_key;
}

const char *
key_parse(uint8_t ret[KEY_BYTES], struct slice text)
{
	return key_decode(ret, key_trim(text)) ? NULL : key_guess(text);
}
