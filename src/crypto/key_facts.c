/*
 * What can be said about a key without using it.
 */
#include "digest.h"
#include "key_int.h"

#define ID_MAX 128

const char *
key_id_problem(const char *id)
{
	size_t len = strlen(id);

	if (len == 0)
		return "is empty";
	if (len > ID_MAX)
		return "is longer than 128 bytes";
	if (id[0] == '.')
		return "starts with a dot, which hides it";
	for (size_t i = 0; i < len; i++) {
		if (id[i] == ':' || id[i] == '/')
			return "contains ':' or '/'";
		if (id[i] < ' ' || id[i] > '~')
			return "contains characters that are not printable "
			       "ASCII";
	}
	return NULL;
}

/* Keys that anybody can look up, in the spelling they are found under. */
static const struct published {
	const char *text;
	const char *where;
} published[] = {
	{"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
		"it is the example of the Fernet specification"},
	{"46BKJoQYlPPOexq0OhDZnIlNepKFf87WFwLbfzqDDho=",
		"it is published as an example for Airflow"},
	{"81HqDtbqAywKSOumSha3BhWNOdQ26slT6K0YaZeZyPs=",
		"it is published as an example for Airflow"},
};

const char *
key_weakness(const uint8_t key[KEY_BYTES])
{
	uint8_t known[KEY_BYTES];

	/* Equal to itself moved by one byte: all bytes are the same. */
	if (memcmp(key, key + 1, KEY_BYTES - 1) == 0)
		return key[0] == 0 ? "all its bytes are zero"
				   : "all its bytes are the same";
	if (memcmp(key, key + KEY_BYTES / 2, KEY_BYTES / 2) == 0)
		return "its two halves are equal";
	for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
		if (key_decode(known, slice_str(published[i].text)) &&
			memcmp(key, known, KEY_BYTES) == 0)
			return published[i].where;
	}
	return NULL;
}

void
key_fingerprint(char ret[KEY_FINGERPRINT + 1], const uint8_t key[KEY_BYTES])
{
	char hex[DIGEST_HEX + 1];

	digest_hex(hex, slice_of(key, KEY_BYTES));
	memcpy(ret, hex, KEY_FINGERPRINT);
	ret[KEY_FINGERPRINT] = '\0';
}
