/*
 * A batch as the binary arrays it is sent in. Nothing here needs a server.
 */
#include "digest.h"
#include "rows_int.h"
#include <stdlib.h>

#define ARRAY_MAX ((size_t)1 << 30)
#define ARRAY_HEAD 20
#define ARRAY_COUNT_AT 12

/* -- binary arrays --------------------------------------------------------- */

/* One dimension, with NULLs, no elements yet, lower bound 1. */
static void
array_begin(struct buf *b, enum pg_type element)
{
	buf_reset(b);
	buf_add_be32(b, 1);
	buf_add_be32(b, 1);
	buf_add_be32(b, element);
	buf_add_be32(b, 0);
	buf_add_be32(b, 1);
}

static void
array_add(struct buf *b, struct slice value)
{
	if (!value.ptr) {
		buf_add_be32(b, UINT32_MAX); /* NULL */
		return;
	}
	buf_add_be32(b, (uint32_t)value.len);
	buf_add(b, value.ptr, value.len);
}

void
batch_init(struct batch *b, size_t columns)
{
	*b = (struct batch){.columns = columns};
	buf_init(&b->tid, ARRAY_MAX);
	b->old = xcalloc(columns, sizeof(*b->old));
	b->fresh = xcalloc(columns, sizeof(*b->fresh));
	b->marks = xcalloc(columns, sizeof(*b->marks));
	for (size_t i = 0; i < columns; i++) {
		buf_init(&b->old[i], ARRAY_MAX);
		buf_init(&b->fresh[i], ARRAY_MAX);
		buf_init(&b->marks[i], ARRAY_MAX);
	}
	batch_reset(b);
}

void
batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->columns && b->old; i++) {
		buf_done(&b->old[i]);
		buf_done(&b->fresh[i]);
		buf_done(&b->marks[i]);
	}
	buf_done(&b->tid);
	free(b->old);
	free(b->fresh);
	free(b->marks);
	free(b->origin);
	free(b->took);
	*b = (struct batch){0};
}

void
batch_reset(struct batch *b)
{
	array_begin(&b->tid, PG_TID);
	for (size_t i = 0; i < b->columns; i++) {
		array_begin(&b->old[i], PG_TEXT);
		array_begin(&b->fresh[i], PG_TEXT);
		array_begin(&b->marks[i], PG_INT8);
	}
	b->rows = 0;
	b->digests = b->marked = false;
}

size_t
batch_bytes(const struct batch *b)
{
	size_t sum = b->tid.len;

	for (size_t i = 0; i < b->columns; i++)
		sum += b->old[i].len + b->fresh[i].len;
	return sum;
}

static void
set_origin(struct batch *b, size_t origin)
{
	if (b->rows == b->room) {
		b->room = b->room ? 2 * b->room : 256;
		b->origin = xrealloc(b->origin, b->room * sizeof(*b->origin));
		b->took = xrealloc(b->took, b->room * sizeof(*b->took));
	}
	b->origin[b->rows++] = origin;
	buf_set_be32(&b->tid, ARRAY_COUNT_AT, (uint32_t)b->rows);
	for (size_t i = 0; i < b->columns; i++) {
		buf_set_be32(&b->old[i], ARRAY_COUNT_AT, (uint32_t)b->rows);
		buf_set_be32(&b->fresh[i], ARRAY_COUNT_AT, (uint32_t)b->rows);
		buf_set_be32(&b->marks[i], ARRAY_COUNT_AT, (uint32_t)b->rows);
	}
}

static void
add_tid(struct batch *b, struct tid tid)
{
	unsigned char bytes[TID_BYTES];

	rows_put_tid(bytes, tid);
	array_add(&b->tid, slice_of(bytes, sizeof(bytes)));
}

static void
add_marks(struct batch *b, size_t column, unsigned marks)
{
	const unsigned char bytes[8] = {
		0, 0, 0, 0, 0, 0, 0, (unsigned char)marks};

	array_add(&b->marks[column],
		marks ? slice_of(bytes, sizeof(bytes)) : (struct slice){0});
	b->marked |= marks != 0;
}

void
batch_add(struct batch *b, struct tid tid, const struct change *change,
	size_t origin)
{
	static const char mark[] = "sha256:";
	char digest[sizeof(mark) + DIGEST_HEX];
	const struct slice nothing = {0};

	add_tid(b, tid);
	for (size_t i = 0; i < b->columns; i++) {
		const struct change *c = &change[i];

		array_add(&b->fresh[i], c->fresh);
		add_marks(b, i, c->marks);
		if (!c->fresh.ptr) {
			array_add(&b->old[i], nothing);
		} else if (c->clear) { /* never a plaintext as a parameter */
			memcpy(digest, mark, sizeof(mark));
			digest_hex(digest + sizeof(mark) - 1, c->old);
			array_add(&b->old[i], slice_str(digest));
			b->digests = true;
		} else {
			array_add(&b->old[i], c->old);
		}
	}
	set_origin(b, origin);
}

/* Copies elements first to first + count of one array behind another. */
static void
array_slice(struct buf *ret, const struct buf *from, size_t first, size_t count)
{
	const unsigned char *p = from->ptr + ARRAY_HEAD, *start = p;

	for (size_t i = 0; i < first + count; i++) {
		uint32_t len = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			       (uint32_t)p[2] << 8 | p[3];

		p += 4 + (len == UINT32_MAX ? 0 : len);
		if (i + 1 == first)
			start = p;
	}
	buf_add(ret, start, (size_t)(p - start));
}

void
batch_slice(
	struct batch *ret, const struct batch *b, size_t first, size_t count)
{
	batch_reset(ret);
	array_slice(&ret->tid, &b->tid, first, count);
	for (size_t i = 0; i < b->columns; i++) {
		array_slice(&ret->old[i], &b->old[i], first, count);
		array_slice(&ret->fresh[i], &b->fresh[i], first, count);
		array_slice(&ret->marks[i], &b->marks[i], first, count);
	}
	ret->digests = b->digests;
	ret->marked = b->marked;
	for (size_t i = 0; i < count; i++)
		set_origin(ret, b->origin[first + i]);
}
