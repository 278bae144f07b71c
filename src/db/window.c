/*
 * A window's rows in memory. Nothing here needs a server.
 */
#include "rows_int.h"
#include <stdlib.h>

void
window_bytes_init(struct buf *bytes)
{
	/* Raw values and marked plaintext pass through here. */
	buf_init_secret(bytes, (size_t)1 << 31);
}

void
window_init(struct window *w, struct buf *bytes)
{
	*w = (struct window){.bytes = bytes};
}

void
window_done(struct window *w)
{
	free(w->tid);
	free(w->cell);
}

void
window_reset(struct window *w, size_t columns)
{
	if (w->columns != columns) { /* another leaf: other row sizes */
		free(w->tid);
		free(w->cell);
		w->tid = NULL;
		w->cell = NULL;
		w->room = 0;
		w->columns = columns;
	}
	w->rows = 0;
	w->from = w->bytes->len;
}

struct slice
window_value(const struct window *w, const struct cell *c)
{
	return slice_of(w->bytes->ptr + c->at, c->len);
}

/* Lines of the cache. The processor itself goes on where values are longer. */
#define LINE_BYTES 64
#define LINES 8

void
window_expect(const struct window *w, size_t row, size_t step)
{
	size_t next = row + step, behind = next + step;

	if (behind < w->rows)
		__builtin_prefetch(&w->cell[behind * w->columns]);
	for (size_t i = 0; i < w->columns && next < w->rows; i++) {
		const struct cell *c = &w->cell[next * w->columns + i];
		size_t len = c->len < LINES * LINE_BYTES ? c->len
							 : LINES * LINE_BYTES;

		for (size_t n = 0; n < len; n += LINE_BYTES)
			__builtin_prefetch(w->bytes->ptr + c->at + n);
	}
}

uint32_t
rows_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* A tid in binary format: block and offset. What is shorter is the answer to
 * another statement: at (0,0) there is no row that could be written. */
struct tid
rows_tid(struct slice s)
{
	if (s.len < TID_BYTES)
		return (struct tid){0, 0};
	return (struct tid){
		rows_be32(s.ptr), (uint16_t)(s.ptr[4] << 8 | s.ptr[5])};
}

void
rows_put_tid(unsigned char ret[TID_BYTES], struct tid tid)
{
	ret[0] = (unsigned char)(tid.block >> 24);
	ret[1] = (unsigned char)(tid.block >> 16);
	ret[2] = (unsigned char)(tid.block >> 8);
	ret[3] = (unsigned char)tid.block;
	ret[4] = (unsigned char)(tid.offset >> 8);
	ret[5] = (unsigned char)tid.offset;
}

static bool
tid_less(struct tid a, struct tid b)
{
	return a.block < b.block || (a.block == b.block && a.offset < b.offset);
}

void
window_put(struct window *w, struct tid tid, uint32_t oversize,
	const struct slice *value)
{
	struct cell *cell;

	if (w->rows == w->room) {
		w->room = w->room ? 2 * w->room : 256;
		w->tid = xrealloc(w->tid, w->room * sizeof(*w->tid));
		w->cell = xrealloc(
			w->cell, w->room * w->columns * sizeof(*w->cell));
	}
	/* One snapshot delivers a row once; two new values for one row would
	 * leave it to chance which is stored. */
	if (w->rows > 0 && !tid_less(w->tid[w->rows - 1], tid))
		die("rows of a window are not in order");
	w->tid[w->rows] = tid;
	cell = &w->cell[w->rows * w->columns];
	for (size_t i = 0; i < w->columns; i++) {
		cell[i] = (struct cell){.at = w->bytes->len};
		cell[i].oversize = (oversize >> i & 1) != 0;
		cell[i].present = cell[i].oversize || value[i].ptr;
		if (!cell[i].present || cell[i].oversize)
			continue;
		cell[i].len = value[i].len;
		buf_add(w->bytes, value[i].ptr, value[i].len);
	}
	w->rows++;
}

bool
window_is_full(const struct window *w, const struct window_limits *limits)
{
	return w->rows >= limits->rows ||
	       w->bytes->len - w->from >= limits->bytes;
}

void
window_cut(struct window *w, const struct range *asked)
{
	struct tid last = w->tid[w->rows - 1];
	size_t keep = w->rows;

	while (keep > 0 && w->tid[keep - 1].block == last.block)
		keep--;
	if (keep > 0) {
		w->rows = keep;
		buf_cut(w->bytes, w->cell[keep * w->columns].at);
		w->range.hi = (struct tid){last.block, 0};
	} else { /* one page alone exceeds the limit */
		last.offset++;
		w->range.hi = last;
	}
	if (tid_less(asked->hi, w->range.hi))
		w->range.hi = asked->hi;
}
