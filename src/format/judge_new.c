/*
 * The life of a judge.
 */
#include "judge_int.h"
#include <stdlib.h>

/* A value is bounded by the policy; this only stops runaways. */
#define BUF_MAX ((size_t)1 << 30)

int
judge_new(struct judge **ret, const struct judge_options *options,
	struct err *err)
{
	struct judge *j = xcalloc(1, sizeof(*j));

	j->options = *options;
	format_scratch_init(&j->scratch, BUF_MAX);
	format_scratch_init(&j->inner, BUF_MAX);
	buf_init_secret(&j->plain, BUF_MAX);
	buf_init_secret(&j->deeper, BUF_MAX);
	buf_init_secret(&j->again, BUF_MAX);
	buf_init_secret(&j->fresh, BUF_MAX); /* plaintext, on the way back */
	buf_init(&j->label, BUF_MAX);
	if (fernet_new(&j->work, options->ring, err) < 0 ||
		fernet_new(&j->check, options->ring, err) < 0) {
		judge_free(j);
		return -1;
	}
	*ret = j;
	return 0;
}

void
judge_free(struct judge *j)
{
	if (!j)
		return;
	fernet_free(j->work);
	fernet_free(j->check);
	format_scratch_done(&j->scratch);
	format_scratch_done(&j->inner);
	buf_done(&j->plain);
	buf_done(&j->deeper);
	buf_done(&j->again);
	buf_done(&j->fresh);
	buf_done(&j->label);
	free(j);
}

void
judge_preset_ivs(struct judge *j, const unsigned char *ivs, size_t count)
{
	size_t len = count * FERNET_IV;

	/* The pool is handed out from its end. */
	memcpy(j->ivs.bytes + sizeof(j->ivs.bytes) - len, ivs, len);
	j->ivs.left = len;
}
