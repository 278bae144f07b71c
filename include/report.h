/*
 * report.h - what a run did, for people and for programs.
 *
 * One record of facts per command, one renderer per audience. The
 * JSON is versioned and stable; docs/architecture.md names its members. Rows
 * are named by their primary key or ctid, never by content.
 */
#ifndef PGREKEY_REPORT_H
#define PGREKEY_REPORT_H

#include "check.h"
#include "discover.h"
#include "rotate.h"
#include "status.h"
#include "verify.h"

void report_rotate_text(struct buf *ret, const struct outcome *outcome,
	const struct rotate_options *o, int status);
void report_rotate_json(struct buf *ret, const struct outcome *outcome,
	const struct rotate_options *o, int status);

void report_verify_text(struct buf *ret, const struct verify_outcome *outcome,
	const struct verify_options *o, int status);
void report_verify_json(struct buf *ret, const struct verify_outcome *outcome,
	const struct verify_options *o, int status);
/* One test case per column and check, as CI systems read them. */
void report_verify_junit(struct buf *ret, const struct verify_outcome *outcome,
	const struct verify_options *o, int status);

void report_discover_json(struct buf *ret,
	const struct discover_outcome *outcome,
	const struct discover_options *o, int status);

/* A terminal that a report has to fit. */
struct report_screen {
	int rows, columns;
};

/* screen: lines that do not fit are left out, what is least important first;
 * NULL: everything. */
void report_status_text(struct buf *ret, const struct status_outcome *outcome,
	const struct status_options *o, const struct report_screen *screen);
void report_status_json(struct buf *ret, const struct status_outcome *outcome,
	const struct status_options *o);

/* Grouped by subject, in the order of the topics; the refusals once more at
 * the end. quiet: warnings and refusals only. */
void report_check_text(struct buf *ret, const struct check_outcome *outcome,
	const struct check_options *o, int status);
void report_check_json(struct buf *ret, const struct check_outcome *outcome,
	const struct check_options *o, int status);

#endif
