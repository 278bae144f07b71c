/*
 * report_int.h - what reports have in common.
 */
#ifndef PGREKEY_REPORT_INT_H
#define PGREKEY_REPORT_INT_H

#include "discover.h"
#include "json.h"
#include "outcome.h"
#include "runs.h"
#include <time.h>

/* False for what is outside of the calendar: a token may claim any time. */
bool report_calendar(struct tm *ret, uint64_t seconds);

/* -- for people ------------------------------------------------------------ */

void report_time(struct buf *b, uint64_t seconds);
/* What each selected column holds, by verdict and by key. */
void report_columns(
	struct buf *b, const struct outcome *outcome, const struct job *job);
/* The first findings, one per line. */
void report_findings(struct buf *b, const struct outcome *outcome);

/* -- for programs ---------------------------------------------------------- */

#define REPORT_SCHEMA 1

void report_json_time(struct json *j, const char *key, uint64_t seconds);
void report_json_head(struct json *j, const char *command,
	const struct job *job, const struct outcome *outcome, int status);
/* rotated: with what was rewritten, else with the times of the tokens. */
void report_json_tables(struct json *j, const struct job *job,
	const struct outcome *outcome, bool rotated);
void report_json_findings(struct json *j, const struct outcome *outcome);
/* The state of a table of a run, in the words of the report. */
const char *report_table_state(const struct table_facts *t);
/* Members of an object. */
void report_json_discovered(
	struct json *j, const struct discover_outcome *outcome);

#endif
