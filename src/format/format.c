#include "format.h"
#include "format_int.h"

const struct format *const formats[] = {
	&format_sentry,
	NULL,
};

const struct format *
format_find(const char *name)
{
	for (const struct format *const *f = formats; *f; f++) {
		if (!strcmp((*f)->name, name))
			return *f;
	}
	return NULL;
}

void
format_scratch_init(struct format_scratch *s, size_t max)
{
	/* A JSON string may hold a value in the clear. */
	buf_init_secret(&s->string, max);
	buf_init(&s->outer, max);
	buf_init(&s->token, max);
	buf_init(&s->spell, max);
}

void
format_scratch_done(struct format_scratch *s)
{
	buf_done(&s->string);
	buf_done(&s->outer);
	buf_done(&s->token);
	buf_done(&s->spell);
}
