/*
 * text.h - small things said to people, spelled the same everywhere. Pure.
 */
#ifndef PGREKEY_TEXT_H
#define PGREKEY_TEXT_H

#include "buf.h"

/* 1234567 as 1,234,567. */
void text_grouped(struct buf *b, int64_t n);

#endif
