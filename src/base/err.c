#include "err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longer texts are cut; that is fine for a message. */
static PRINTF(3, 0) void format_into(
	char *ret, size_t room, const char *fmt, va_list args)
{
	if (vsnprintf(ret, room, fmt, args) < 0)
		ret[0] = '\0';
}

int
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list args;

	err->code = code;
	err->sqlstate[0] = '\0';
	err->hint[0] = '\0';
	va_start(args, fmt);
	format_into(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	return -1;
}

int
err_sys(struct err *err, enum err_code code, const char *fmt, ...)
{
	int saved = errno;
	char reason[128];
	size_t len;
	va_list args;

	err->code = code;
	err->sqlstate[0] = '\0';
	err->hint[0] = '\0';
	va_start(args, fmt);
	format_into(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
		strerror_r(saved, reason, sizeof(reason)));
	return -1;
}

int
err_hint(struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format_into(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
	return -1;
}

int
err_in(struct err *err, const char *fmt, ...)
{
	char where[sizeof(err->msg)];
	size_t len, rest;
	va_list args;

	va_start(args, fmt);
	format_into(where, sizeof(where) - 2, fmt, args);
	va_end(args);
	len = strlen(where);
	memcpy(where + len, ": ", 2);
	len += 2;
	rest = strlen(err->msg);
	if (len + rest >= sizeof(err->msg))
		rest = sizeof(err->msg) - 1 - len;
	memmove(err->msg + len, err->msg, rest);
	memcpy(err->msg, where, len);
	err->msg[len + rest] = '\0';
	return -1;
}

void
die(const char *what)
{
	static const char head[] = "pgrekey: fatal: ";
	ssize_t n;

	n = write(STDERR_FILENO, head, sizeof(head) - 1);
	n += write(STDERR_FILENO, what, strlen(what));
	n += write(STDERR_FILENO, "\n", 1);
	(void)n; /* nobody is left to tell */
	_exit(ERR_BUG);
}

void *
xmalloc(unsigned long size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		die("out of memory");
	return p;
}

void *
xcalloc(unsigned long count, unsigned long size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		die("out of memory");
	return p;
}

void *
xrealloc(void *old, unsigned long size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		die("out of memory");
	return p;
}

void
xfree(const void *p)
{
	free((void *)(uintptr_t)p);
}

char *
xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}

char *
xasprintf(const char *fmt, ...)
{
	va_list args;
	char *s;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		die("cannot format a text");
	s = xmalloc((size_t)n + 1);
	va_start(args, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, args);
	va_end(args);
	return s;
}
