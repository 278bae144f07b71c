/*
 * fuzz_judge - the target for libFuzzer; see fuzz_config.c.
 */
#include "fuzz_judge.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len)
{
	fuzz_judge(bytes, len);
	return 0;
}
