/*
 * ini_int.h - a strict reader in front of inih.
 *
 * The packaged inih cuts long lines and names, ends values at " ;", glues
 * indented lines to the key above and reports none of it. So it sees only
 * lines that it cannot misread; everything else is refused with its number.
 */
#ifndef PGREKEY_INI_INT_H
#define PGREKEY_INI_INT_H

#include "err.h"
#include "slice.h"

#define INI_LINE_MAX 190 /* bytes; inih has room for 199 */
#define INI_NAME_MAX 48  /* bytes of a section or a name; inih cuts at 49 */

/* What a file consists of, in its order. Both return 0 or -1 with err filled;
 * the reader puts "FILE:LINE: " before the message and stops. */
struct ini_handler {
	int (*section)(
		void *user, const char *section, int line, struct err *err);
	int (*entry)(void *user, const char *name, const char *value, int line,
		struct err *err);
};

/* file is its name for messages, text what is in it. */
int ini_read(const char *file, struct slice text,
	const struct ini_handler *handler, void *user,
	struct err *err) MUST_CHECK;

#endif
