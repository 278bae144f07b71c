/*
 * buf.h - growable bytes with a declared maximum.
 *
 * A buf has one owner and serves one thread. Going over the maximum is sticky:
 * the bytes are dropped, buf_over() tells, and nobody needs to check every
 * append. Out of memory ends the program. The bytes may move at any append.
 */
#ifndef PGREKEY_BUF_H
#define PGREKEY_BUF_H

#include "err.h"
#include "slice.h"
#include <stdint.h>

struct buf {
	unsigned char *ptr; /* always NUL-terminated once anything was added */
	size_t len;
	size_t room;
	size_t max;
	size_t used; /* bytes that may have been written since a wipe */
	bool over;
	bool secret; /* wiped when it grows, is reset, or is done */
};

void buf_init(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* frees; zero-initialised is fine */
void buf_reset(struct buf *b); /* empty again, memory kept */
/* Takes so much memory at once: growing in steps has old and new side by
 * side for a moment. What is never written costs nothing, but counts where
 * memory is locked or promised to nobody twice. */
void buf_hold(struct buf *b, size_t room);
void buf_cut(struct buf *b, size_t len); /* drops what is behind len */

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_add_be32(struct buf *b, uint32_t n);
void buf_set_be32(struct buf *b, size_t at, uint32_t n);

/* Room for len more bytes to be written in place, then buf_take() the number
 * really written. NULL (and over) when the maximum forbids it. */
unsigned char *buf_reserve(struct buf *b, size_t len);
void buf_take(struct buf *b, size_t len);

static inline struct slice
buf_slice(const struct buf *b)
{
	return slice_of(b->ptr, b->len);
}

/* As a C string; "" when nothing was added. */
static inline const char *
buf_str(const struct buf *b)
{
	return b->ptr ? (const char *)b->ptr : "";
}

static inline bool
buf_over(const struct buf *b)
{
	return b->over;
}

#endif
