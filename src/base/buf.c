#include "buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ROOM_MIN 64

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_init_secret(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max, .secret = true};
}

/* A loop through a volatile pointer is not optimised away; base may not use
 * OpenSSL, whose OPENSSL_cleanse does the same. */
static void
wipe(void *ptr, size_t len)
{
	static void *(*const volatile set)(void *, int, size_t) = memset;

	if (len > 0)
		set(ptr, 0, len);
}

void
buf_done(struct buf *b)
{
	if (b->secret && b->ptr)
		wipe(b->ptr, b->used);
	free(b->ptr);
	b->ptr = NULL;
	b->len = b->room = b->used = 0;
}

void
buf_reset(struct buf *b)
{
	if (b->secret && b->ptr)
		wipe(b->ptr, b->used);
	b->used = 0;
	if (b->ptr)
		b->ptr[0] = '\0';
	b->len = 0;
	b->over = false;
}

static void
move(struct buf *b, size_t room)
{
	unsigned char *p;

	if (!b->secret) {
		b->ptr = xrealloc(b->ptr, room);
	} else { /* realloc would leave a copy behind */
		p = xmalloc(room);
		if (b->ptr) {
			memcpy(p, b->ptr, b->len);
			wipe(b->ptr, b->used);
			free(b->ptr);
		}
		b->ptr = p;
	}
	b->room = room;
	b->ptr[b->len] = '\0';
}

void
buf_hold(struct buf *b, size_t room)
{
	if (room > b->room)
		move(b, room);
}

void
buf_cut(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->ptr[len] = '\0';
}

/* Makes room for len more bytes and a NUL. */
static bool
grow(struct buf *b, size_t len)
{
	size_t room = b->room ? b->room : ROOM_MIN;

	if (b->over)
		return false;
	if (len > b->max || b->len > b->max - len) {
		b->over = true;
		return false;
	}
	while (room <= b->len + len)
		room *= 2;
	if (room > b->room)
		move(b, room);
	/* What was reserved counts: who fails halfway takes nothing. */
	if (b->len + len > b->used)
		b->used = b->len + len;
	return true;
}

unsigned char *
buf_reserve(struct buf *b, size_t len)
{
	return grow(b, len) ? b->ptr + b->len : NULL;
}

void
buf_take(struct buf *b, size_t len)
{
	b->len += len;
	b->ptr[b->len] = '\0';
}

void
buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (!grow(b, len))
		return;
	if (len > 0)
		memcpy(b->ptr + b->len, bytes, len);
	buf_take(b, len);
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		die("cannot format a text");
	if (!grow(b, (size_t)n)) /* which has room for the NUL */
		return;
	va_start(args, fmt);
	vsnprintf((char *)b->ptr + b->len, (size_t)n + 1, fmt, args);
	va_end(args);
	buf_take(b, (size_t)n);
}

static void
put_be32(unsigned char *p, uint32_t n)
{
	p[0] = (unsigned char)(n >> 24);
	p[1] = (unsigned char)(n >> 16);
	p[2] = (unsigned char)(n >> 8);
	p[3] = (unsigned char)n;
}

void
buf_add_be32(struct buf *b, uint32_t n)
{
	unsigned char bytes[4];

	put_be32(bytes, n);
	buf_add(b, bytes, sizeof(bytes));
}

void
buf_set_be32(struct buf *b, size_t at, uint32_t n)
{
	put_be32(b->ptr + at, n);
}
