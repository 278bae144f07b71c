/*
 * Parameters of a statement. Nothing here needs libpq.
 */
#include "pg.h"

static int
next_arg(struct pg_args *a, enum pg_type type)
{
	if (a->count == PG_ARGS_MAX)
		die("too many parameters");
	a->type[a->count] = type;
	return a->count++;
}

void
pg_arg_text(struct pg_args *a, const char *text)
{
	int i = next_arg(a, PG_TEXT);

	a->value[i] = text;
	a->len[i] = 0;
	a->binary[i] = 0;
}

void
pg_arg_int(struct pg_args *a, int64_t n)
{
	int i = next_arg(a, PG_INT8);
	uint64_t bits = (uint64_t)n;

	for (int byte = 7; byte >= 0; byte--, bits >>= 8)
		a->number[i][byte] = (unsigned char)bits;
	a->value[i] = (const char *)a->number[i];
	a->len[i] = 8;
	a->binary[i] = 1;
}

void
pg_arg_bool(struct pg_args *a, bool b)
{
	int i = next_arg(a, PG_BOOL);

	a->value[i] = b ? "t" : "f";
	a->len[i] = 0;
	a->binary[i] = 0;
}

void
pg_arg_binary(struct pg_args *a, enum pg_type type, struct slice value)
{
	int i = next_arg(a, type);

	a->value[i] = (const char *)value.ptr;
	a->len[i] = (int)value.len;
	a->binary[i] = 1;
}
