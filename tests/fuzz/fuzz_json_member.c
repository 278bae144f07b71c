/*
 * fuzz_json_member - the target for libFuzzer; see fuzz_config.c.
 */
#include "fuzz_json_member.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len)
{
	fuzz_json_member(bytes, len);
	return 0;
}
