#include "err.h"
#include "log.h"
#include "output_int.h"
#include <errno.h>
#include <stdio.h>

static int reason; /* errno of the first write that failed */

void
output_write(const struct buf *text)
{
	if (text->len > 0 &&
		fwrite(text->ptr, 1, text->len, stdout) < text->len && !reason)
		reason = errno;
}

bool
output_flush(void)
{
	if (fflush(stdout) != 0 && !reason)
		reason = errno;
	return !reason;
}

int
output_end(int status)
{
	struct err err;

	if (output_flush())
		return status;
	errno = reason;
	(void)err_sys(&err, ERR_DB, "cannot write to standard output");
	if (status == ERR_NONE || status == ERR_FINDINGS) {
		err_hint(&err,
			"the command itself has done its work; its exit status "
			"would have been %d",
			status);
		status = ERR_DB;
	}
	log_err(&err);
	return status;
}
