/*
 * report.h - what a run did, for people and for programs.
 *
 * One record of facts (struct outcome), one renderer per audience. The
 * JSON is versioned and stable; docs/architecture.md names its members. Rows
 * are named by their primary key or ctid, never by content.
 */
#ifndef PGREKEY_REPORT_H
#define PGREKEY_REPORT_H

#include "rotate.h"

void report_text(struct buf *ret, const struct outcome *outcome,
	const struct rotate_options *o, int status);
void report_json(struct buf *ret, const struct outcome *outcome,
	const struct rotate_options *o, int status);

#endif
