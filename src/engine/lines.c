#include "lines_int.h"
#include "text.h"
#include <limits.h>
#include <stdlib.h>

struct lines_part {
	size_t end; /* in the text */
	int rank;
};

void
lines_init(struct lines *ret)
{
	*ret = (struct lines){0};
	buf_init(&ret->text, SIZE_MAX);
}

void
lines_done(struct lines *l)
{
	buf_done(&l->text);
	free(l->part);
}

static size_t
start_of(const struct lines *l, size_t i)
{
	return i > 0 ? l->part[i - 1].end : 0;
}

void
lines_end(struct lines *l, int rank)
{
	if (l->text.len == start_of(l, l->count))
		return;
	l->part = xrealloc(l->part, (l->count + 1) * sizeof(*l->part));
	l->part[l->count++] = (struct lines_part){l->text.len, rank};
}

/* Rows of a terminal. Characters of three bytes and more may be twice as wide
 * as others: taken for it, no line is ever too long. */
static int64_t
rows_of(const unsigned char *text, size_t len, int columns)
{
	int64_t rows = 0, width = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			rows += width > 0 ? (width + columns - 1) / columns : 1;
			width = 0;
		} else if ((text[i] & 0xc0) != 0x80) {
			width += text[i] >= 0xe0 ? 2 : 1;
		}
	}
	return rows;
}

static int64_t
rows_of_part(const struct lines *l, size_t i, int columns)
{
	size_t start = start_of(l, i);

	return rows_of(l->text.ptr + start, l->part[i].end - start, columns);
}

static void
add_part(struct buf *ret, const struct lines *l, size_t i)
{
	size_t start = start_of(l, i);

	buf_add(ret, l->text.ptr + start, l->part[i].end - start);
}

static void
add_left_out(struct buf *ret, size_t count)
{
	buf_adds(ret, "... ");
	text_count(ret, (int64_t)count, "more line does not fit",
		"more lines do not fit");
	buf_addc(ret, '\n');
}

/* The least rank behind that one; INT_MAX if there is none. */
static int
next_rank(const struct lines *l, int rank)
{
	int next = INT_MAX;

	for (size_t i = 0; i < l->count; i++) {
		if (l->part[i].rank > rank && l->part[i].rank < next)
			next = l->part[i].rank;
	}
	return next;
}

/* Marks lines in the order of their ranks until one does not fit. Returns how
 * many are left out. */
static size_t
choose(bool *keep, const struct lines *l, int64_t room, int columns)
{
	size_t left = l->count;

	for (int rank = next_rank(l, -1); rank < INT_MAX;
		rank = next_rank(l, rank)) {
		for (size_t i = 0; i < l->count; i++) {
			if (l->part[i].rank != rank)
				continue;
			room -= rows_of_part(l, i, columns);
			if (room < 0 && left < l->count)
				return left;
			keep[i] = true;
			left--;
		}
	}
	return left;
}

void
lines_fit(struct buf *ret, const struct lines *l,
	const struct report_screen *screen)
{
	int64_t room = screen ? screen->rows - 1 : INT64_MAX;
	int columns = screen ? screen->columns : INT_MAX;
	bool *keep = xcalloc(l->count + 1, sizeof(*keep));
	struct buf note;
	size_t left = 0;

	buf_init(&note, 100);
	if (rows_of(l->text.ptr, l->text.len, columns) > room) {
		add_left_out(&note, l->count);
		room -= rows_of(note.ptr, note.len, columns);
		left = choose(keep, l, room, columns);
	}
	for (size_t i = 0; i < l->count; i++) {
		if (left == 0 || keep[i])
			add_part(ret, l, i);
	}
	if (left > 0)
		add_left_out(ret, left);
	buf_done(&note);
	free(keep);
}
