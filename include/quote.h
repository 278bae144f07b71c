/*
 * quote.h - names and literals on their way into SQL text.
 *
 * Pure. The server's standard_conforming_strings does not matter: a literal
 * with a backslash is written in its E'' form.
 */
#ifndef PGREKEY_QUOTE_H
#define PGREKEY_QUOTE_H

#include "buf.h"

void quote_ident(struct buf *sql, const char *name);
/* The same, where it is needed only: for people, and for the configuration. */
void quote_name(struct buf *sql, const char *name);
void quote_literal(struct buf *sql, const char *text);

#endif
