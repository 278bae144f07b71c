/*
 * fuzz_config - the target for libFuzzer (clang -fsanitize=fuzzer,address);
 * tests/unit/test_fuzz_config.c replays the corpus with every unit test run.
 */
#include "fuzz_config.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len)
{
	fuzz_config(bytes, len);
	return 0;
}
