#include "digest.h"
#include "err.h"
#include <openssl/sha.h>

void
digest_hex(char ret[DIGEST_HEX + 1], struct slice bytes)
{
	static const char digit[] = "0123456789abcdef";
	unsigned char md[SHA256_DIGEST_LENGTH];

	if (!SHA256(bytes.ptr ? bytes.ptr : (const unsigned char *)"",
		    bytes.len, md))
		die("no SHA-256");
	for (size_t i = 0; i < sizeof(md); i++) {
		ret[2 * i] = digit[md[i] >> 4];
		ret[2 * i + 1] = digit[md[i] & 15];
	}
	ret[DIGEST_HEX] = '\0';
}
