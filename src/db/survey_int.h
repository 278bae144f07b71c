/*
 * survey_int.h - what the parts of the survey share.
 */
#ifndef PGREKEY_SURVEY_INT_H
#define PGREKEY_SURVEY_INT_H

#include "survey.h"

/* A question whose answer is a courtesy. */
struct survey {
	const struct remarks *to;
	struct pg *pg;
	struct remark about;
};

/* what names the answer, for the note that it could not be seen; then *ret is
 * NULL. */
int survey_query(struct pg_result **ret, const struct survey *s,
	const char *what, const char *sql, const struct pg_args *args,
	struct err *err) MUST_CHECK;

/* SQL: the names of the target's columns, of which $2 is a JSON array. */
#define COLUMN_NAMES \
	"ARRAY(SELECT pg_catalog.json_array_elements_text($2::json))"

/* args: the leaf's oid and the names of its columns. */
int survey_triggers(struct survey *s, const struct pg_args *args,
	struct err *err) MUST_CHECK;

#endif
