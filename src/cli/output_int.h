/*
 * output_int.h - what goes to standard output.
 *
 * A write that fails is remembered with its reason, which stdio forgets; the
 * command goes on, and the program says so at its end.
 */
#ifndef PGREKEY_OUTPUT_INT_H
#define PGREKEY_OUTPUT_INT_H

#include "buf.h"

void output_write(const struct buf *text);
/* Whether everything so far could be written. */
bool output_flush(void);
/* At the end: the exit status, which was status so far. A report that nobody
 * got is a failure, but never hides a worse one. */
int output_end(int status);

#endif
