/*
 * Nothing presses, but that standbys may be gone: other throttling is tested
 * where there is a server to press.
 */
#include "pressure.h"
#include "store_int.h"
#include <stdio.h>

static atomic_llong gone;

void
fake_standbys_gone(int64_t count)
{
	atomic_store(&gone, count);
}

int
pressure_check(const struct remarks *to, struct pg *pg,
	const struct pressure_limits *limits, struct err *err)
{
	(void)to, (void)limits;
	if (fake_enter(pg, "pressure_check", err) < 0)
		return -1;
	return fake_leave(pg, err);
}

int
pressure_begin(struct pressure *ret, struct state *s,
	const struct selection *sel, const struct pressure_limits *limits,
	struct err *err)
{
	(void)s, (void)sel, (void)err;
	*ret = (struct pressure){.limits = *limits, .standbys = 2};
	return 0;
}

int
pressure_look(char reason[PRESSURE_REASON], struct pressure *p, struct state *s,
	const struct selection *sel, struct err *err)
{
	(void)s, (void)sel, (void)err;
	p->missing = atomic_load(&gone);
	snprintf(reason, PRESSURE_REASON, "%s",
		p->missing > 0 ? "standbys gone" : "");
	return 0;
}

int
pressure_tell(struct state *s, const struct run_spec *spec, const char *reason,
	struct err *err)
{
	(void)s, (void)spec, (void)reason, (void)err;
	return 0;
}

int
pressure_workers(int64_t *ret, struct state *s, struct err *err)
{
	(void)s, (void)err;
	*ret = 1;
	return 0;
}
