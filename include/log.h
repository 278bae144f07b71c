/*
 * log.h - stderr: log lines, and the one progress line of a terminal.
 *
 * Safe from any thread; each line is one write(2). Included by the engine and
 * cli layers only: lower layers return errors and print nothing. Never pass
 * a stored value, key or password: names, numbers and our own words only.
 * Control characters in arguments are printed as '?'.
 */
#ifndef PGREKEY_LOG_H
#define PGREKEY_LOG_H

#include "err.h"

enum log_level {
	LOG_ERROR, /* always printed */
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG,
};

void log_set_level(enum log_level level);
bool log_is_terminal(void); /* stderr is a terminal that can redraw a line */

void log_error(const char *fmt, ...) PRINTF(1, 2);
void log_warning(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_debug(const char *fmt, ...) PRINTF(1, 2);

/* "pgrekey: message" and, if there is one, "hint: ..." on a line of its own. */
void log_err(const struct err *err);

/* Redraws the progress line, cut to the terminal's width; "" removes it. Log
 * lines appear above it. Does nothing when stderr is no terminal. */
void log_progress(const char *line);

#endif
