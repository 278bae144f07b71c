#include "fail_point.h"

#ifdef TEST_BUILD

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void
fail_point(const char *name)
{
	static atomic_ulong passed;
	const char *plan = getenv("PGREKEY_FAIL");
	size_t len = strlen(name);
	char *what;

	if (!plan || strncmp(plan, name, len) != 0 || plan[len] != ':')
		return;
	if (atomic_fetch_add(&passed, 1) + 1 !=
		strtoul(plan + len + 1, &what, 10))
		return;
	raise(!strcmp(what, ":stop") ? SIGSTOP : SIGKILL);
}

#endif
