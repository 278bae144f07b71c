/*
 * check_int.h - what the parts of one check share.
 */
#ifndef PGREKEY_CHECK_INT_H
#define PGREKEY_CHECK_INT_H

#include "check.h"
#include "survey.h"

struct check {
	const struct check_options *o;
	struct check_outcome *ret;
	struct remarks to; /* into ret */
	struct pg *pg;
	struct catalog catalog;
};

/* -- check_list.c: the remarks --------------------------------------------- */

/* A sink that adds to the outcome. */
struct remarks check_list_sink(struct check_outcome *ret);
bool check_list_has(const struct check_outcome *ret, enum remark_topic topic,
	size_t target, enum remark_level level);
/* Once all is said: what is fine is only said where nothing else is, and
 * everything stands in the order of the report. */
void check_list_finish(struct check_outcome *ret);

/* -- check_values.c: labels in a sample, lengths --------------------------- */

int check_values(struct check *c, struct err *err) MUST_CHECK;

/* -- check_cost.c: size, WAL, time ----------------------------------------- */

int check_cost(struct check *c, struct err *err) MUST_CHECK;

#endif
