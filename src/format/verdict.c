#include "judge.h"

static const char *const verdict_names[VERDICTS] = {
	[VERDICT_NULL] = "null",
	[VERDICT_CURRENT] = "current",
	[VERDICT_OLD] = "old",
	[VERDICT_PLAINTEXT] = "plaintext",
	[VERDICT_RAW] = "raw",
	[VERDICT_NONCANONICAL] = "noncanonical",
	[VERDICT_UNKNOWN_KEY] = "unknown_key",
	[VERDICT_CORRUPT] = "corrupt",
	[VERDICT_MALFORMED] = "malformed",
	[VERDICT_FOREIGN] = "foreign",
	[VERDICT_UNSUPPORTED] = "unsupported",
	[VERDICT_OVERSIZE] = "oversize",
};

const char *
verdict_name(enum verdict v)
{
	return v < VERDICTS ? verdict_names[v] : "?";
}

bool
verdict_find(enum verdict *ret, const char *name)
{
	for (int i = 0; i < VERDICTS; i++) {
		if (!strcmp(name, verdict_names[i])) {
			*ret = (enum verdict)i;
			return true;
		}
	}
	return false;
}
