/*
 * file_int.h - the configuration file as bytes, if it can be trusted.
 */
#ifndef PGREKEY_FILE_INT_H
#define PGREKEY_FILE_INT_H

#include "buf.h"

#define FILE_BYTES_MAX (256 * 1024)

/* A regular file that belongs to root or to us and that nobody else can
 * write, or ERR_USAGE. Never blocks. ret is initialised here. */
int file_read(struct buf *ret, const char *path, struct err *err) MUST_CHECK;

#endif
