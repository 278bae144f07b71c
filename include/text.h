/*
 * text.h - small things said to people, spelled the same everywhere. Pure.
 */
#ifndef PGREKEY_TEXT_H
#define PGREKEY_TEXT_H

#include "buf.h"

/* 1234567 as 1,234,567. */
void text_grouped(struct buf *b, int64_t n);
/* The word for n things; and that number before it: 1 table, 1,234 tables. */
const char *text_plural(int64_t n, const char *one, const char *many);
void text_count(struct buf *b, int64_t n, const char *one, const char *many);
/* A name out of a database or a value may hold anything. A terminal should not
 * obey it, nor a file grow lines by it: ? stands for control characters and for
 * what is not UTF-8. */
void text_name(struct buf *b, const char *name);
/* 4404019 as 4.2 MiB. */
void text_bytes(struct buf *b, int64_t n);
/* 5025 as 1 h 23 min. */
void text_seconds(struct buf *b, int64_t n);

#endif
