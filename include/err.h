/*
 * err.h - how a failure travels: one caller-owned struct, last parameter.
 *
 * A function that can fail returns 0 or -1 and fills *err on -1. Nothing below
 * the engine prints; whoever stops passing an error up prints it, once.
 * No heap, no secrets: a message names objects, never values.
 */
#ifndef PGREKEY_ERR_H
#define PGREKEY_ERR_H

#include <stdbool.h>

#if defined(__GNUC__)
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MUST_CHECK
#define PRINTF(fmt, args)
#endif

/* The values are the exit statuses of the program; they never change. */
enum err_code {
	ERR_NONE = 0,
	ERR_FINDINGS = 1,     /* finished, something needs attention */
	ERR_USAGE = 2,        /* command line or configuration */
	ERR_KEYS = 3,         /* key directory, key file, primary */
	ERR_DB = 4,           /* server unreachable, privileges; or no report */
	ERR_STOPPED = 5,      /* stopped early; run again */
	ERR_INCONCLUSIVE = 6, /* open transactions could still commit */
	ERR_BUG = 70,         /* self-check failed, or our own mistake */
};

struct err {
	enum err_code code;
	char sqlstate[6]; /* empty when the server had no part in it */
	char msg[512];    /* one line, lower case, no full stop */
	char hint[512];   /* what to do about it, or empty */
};

/* Fills err and returns -1, so that failing is one line. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	PRINTF(3, 4);
/* The same with ": strerror(errno)" behind. */
int err_sys(struct err *err, enum err_code code, const char *fmt, ...)
	PRINTF(3, 4);
/* Adds the hint; returns -1. */
int err_hint(struct err *err, const char *fmt, ...) PRINTF(2, 3);
/* Puts "where: " before the message; returns -1. */
int err_in(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* Ends the program with status 70 and a fixed message. For out of memory
 * (every batch is a transaction and resumes) and for broken promises. */
_Noreturn void die(const char *what);

/* malloc and friends that end the program instead of returning NULL. */
void *xmalloc(unsigned long size);
void *xcalloc(unsigned long count, unsigned long size);
void *xrealloc(void *old, unsigned long size);
char *xstrdup(const char *s);
/* free() for what its owner keeps as const. NULL is fine. */
void xfree(const void *p);
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);

#endif
