/*
 * judge_int.h - what a judge works with.
 */
#ifndef PGREKEY_JUDGE_INT_H
#define PGREKEY_JUDGE_INT_H

#include "judge.h"
#include "secret.h"

struct judge {
	struct judge_options options;
	struct fernet *work;
	struct fernet *check; /* made separately: opens what work sealed */
	struct format_scratch scratch;
	struct format_scratch inner; /* scratch of nested envelopes */
	struct buf plain;
	struct buf deeper; /* plaintext of a nested envelope */
	struct buf again;  /* plaintext of the new envelope */
	struct buf fresh;
	struct buf label; /* scratch is reused before the caller reads it */
	struct iv_pool ivs;
};

#endif
