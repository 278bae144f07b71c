#include "check_int.h"
#include <stdlib.h>

static char *
copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool
same_place(const struct remark *a, const struct remark *b)
{
	return a->topic == b->topic && a->target == b->target;
}

/* Of a hundred partitions with the same trigger one line is enough. */
static bool
join(struct check_outcome *ret, const struct remark *r)
{
	for (size_t i = ret->remarks; i-- > 0;) {
		struct check_remark *other = &ret->remark[i];

		if (!same_place(&other->r, r) || other->r.level != r->level ||
			!same_text(other->r.column, r->column) ||
			!same_text(other->r.text, r->text) ||
			!same_text(other->r.hint, r->hint))
			continue;
		other->more += !same_text(other->r.table, r->table);
		return true;
	}
	return false;
}

static void
add(void *ctx, const struct remark *r)
{
	struct check_outcome *ret = ctx;
	struct check_remark *own;

	if (join(ret, r))
		return;
	ret->remark = xrealloc(
		ret->remark, (ret->remarks + 1) * sizeof(*ret->remark));
	own = &ret->remark[ret->remarks++];
	*own = (struct check_remark){.r = *r, .no = ret->remarks};
	own->r.table = copy(r->table);
	own->r.column = copy(r->column);
	own->r.text = copy(r->text);
	own->r.hint = copy(r->hint);
}

struct remarks
check_list_sink(struct check_outcome *ret)
{
	return (struct remarks){add, ret};
}

static void
remark_done(struct check_remark *own)
{
	xfree(own->r.table);
	xfree(own->r.column);
	xfree(own->r.text);
	xfree(own->r.hint);
}

static bool
is_alone(const struct check_outcome *ret, size_t at)
{
	for (size_t i = 0; i < ret->remarks; i++) {
		if (i != at &&
			same_place(&ret->remark[i].r, &ret->remark[at].r))
			return false;
	}
	return true;
}

static int
compare_sizes(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int
compare(const void *x, const void *y)
{
	const struct check_remark *a = x, *b = y;
	enum remark_subject subject = remark_topic_subject(a->r.topic);
	int order = compare_sizes(subject, remark_topic_subject(b->r.topic));

	if (order == 0 && subject == SUBJECT_TABLE)
		order = compare_sizes(a->r.target, b->r.target);
	if (order == 0)
		order = compare_sizes(a->r.topic, b->r.topic);
	return order ? order : compare_sizes(a->no, b->no);
}

bool
check_list_has(const struct check_outcome *ret, enum remark_topic topic,
	size_t target, enum remark_level level)
{
	for (size_t i = 0; i < ret->remarks; i++) {
		const struct remark *r = &ret->remark[i].r;

		if (r->topic == topic && r->target == target &&
			r->level == level)
			return true;
	}
	return false;
}

void
check_list_finish(struct check_outcome *ret)
{
	size_t kept = 0;
	bool *drop = xcalloc(ret->remarks + 1, sizeof(*drop));

	for (size_t i = 0; i < ret->remarks; i++)
		drop[i] = ret->remark[i].r.fine && !is_alone(ret, i);
	for (size_t i = 0; i < ret->remarks; i++) {
		if (drop[i]) {
			remark_done(&ret->remark[i]);
			continue;
		}
		ret->count[ret->remark[i].r.level]++;
		ret->remark[kept++] = ret->remark[i];
	}
	ret->remarks = kept;
	free(drop);
	if (kept > 0)
		qsort(ret->remark, kept, sizeof(*ret->remark), compare);
}

void
check_outcome_done(struct check_outcome *ret, const struct job *job)
{
	for (size_t i = 0; i < ret->remarks; i++)
		remark_done(&ret->remark[i]);
	free(ret->remark);
	free(ret->estimate);
	outcome_done(&ret->facts, job);
	*ret = (struct check_outcome){0};
}
