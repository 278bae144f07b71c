/*
 * job_int.h - from the user's words to the engine's options.
 */
#ifndef PGREKEY_JOB_INT_H
#define PGREKEY_JOB_INT_H

#include "config.h"
#include "rotate.h"

/* ret borrows from config and ring; free with job_done(). */
void job_make(struct job *ret, const struct config *config,
	const struct keyring *ring);
void job_done(struct job *job);

/* The run that the argument names; 0 when there is none. */
int job_run_number(
	int64_t *ret, const struct config *config, struct err *err) MUST_CHECK;

/* The same with what rotate alone is told; job_done() its job. */
void rotate_options_make(struct rotate_options *ret,
	const struct config *config, const struct keyring *ring);

#endif
