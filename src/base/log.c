#include "log.h"
#include "utf8.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define ERASE_LINE "\r\033[K"
#define WIDTH_UNKNOWN 80

/* One process has one stderr: this is the state that belongs to it. */
static atomic_int threshold = LOG_INFO;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char progress[LINE_MAX_BYTES]; /* what is on the screen; under lock */

void
log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

bool
log_is_terminal(void)
{
	const char *term = getenv("TERM");

	if (!isatty(STDERR_FILENO))
		return false;
	return term && *term && strcmp(term, "dumb") != 0;
}

/* Nobody is left to tell when stderr itself fails. */
static void
put(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

/* Names come from a database or a directory: they may hold anything. */
static void
clean(char *text)
{
	struct slice s = slice_str(text);
	char *to = text;
	size_t n;

	for (; s.len > 0; s = slice_skip(s, n)) {
		n = utf8_char(s);
		if (n == 0 || utf8_is_control(slice_of(s.ptr, n))) {
			*to++ = '?';
			n = n ? n : 1;
		} else {
			memmove(to, s.ptr, n);
			to += n;
		}
	}
	*to = '\0';
}

static size_t
terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
		return WIDTH_UNKNOWN;
	return size.ws_col;
}

/* Leaves the last column free: some terminals wrap when it is filled. Fields
 * have two blanks between them, and half a number is another number. */
static void
cut(char *text, size_t width)
{
	struct slice s = slice_str(text);
	char *end = NULL;

	for (size_t used = 0; s.len > 0; used++) {
		char *here = text + strlen(text) - s.len;

		if (slice_starts(s, "  "))
			end = here;
		if (used + 1 >= width) {
			*(end ? end : here) = '\0';
			return;
		}
		s = slice_skip(s, utf8_char(s));
	}
}

/* Whole lines, with the progress line out of their way. */
static void
put_lines(const char *lines)
{
	char out[3 * LINE_MAX_BYTES];
	bool redraw;
	int n;

	pthread_mutex_lock(&lock);
	redraw = progress[0] != '\0';
	n = snprintf(out, sizeof(out), "%s%s%s", redraw ? ERASE_LINE : "",
		lines, progress);
	if (n > 0)
		put(out, strlen(out));
	pthread_mutex_unlock(&lock);
}

PRINTF(3, 0)
static void
put_message(
	enum log_level level, const char *kind, const char *fmt, va_list args)
{
	char text[LINE_MAX_BYTES - 32];
	char line[LINE_MAX_BYTES];

	if ((int)level > atomic_load(&threshold))
		return;
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		return;
	clean(text);
	snprintf(line, sizeof(line), "pgrekey: %s%s\n", kind, text);
	put_lines(line);
}

void
log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_message(LOG_ERROR, "", fmt, args);
	va_end(args);
}

void
log_warning(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_message(LOG_WARNING, "warning: ", fmt, args);
	va_end(args);
}

void
log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_message(LOG_INFO, "", fmt, args);
	va_end(args);
}

void
log_debug(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_message(LOG_DEBUG, "", fmt, args);
	va_end(args);
}

void
log_err(const struct err *err)
{
	char lines[LINE_MAX_BYTES];
	struct err e = *err;

	clean(e.msg);
	clean(e.hint);
	snprintf(lines, sizeof(lines), "pgrekey: %s\n%s%s%s", e.msg,
		e.hint[0] ? "hint: " : "", e.hint, e.hint[0] ? "\n" : "");
	put_lines(lines);
}

void
log_progress(const char *line)
{
	char out[LINE_MAX_BYTES + sizeof(ERASE_LINE)];

	if (!log_is_terminal())
		return;
	pthread_mutex_lock(&lock);
	snprintf(progress, sizeof(progress), "%s", line);
	clean(progress);
	cut(progress, terminal_width());
	snprintf(out, sizeof(out), ERASE_LINE "%s", progress);
	put(out, strlen(out));
	pthread_mutex_unlock(&lock);
}
