/*
 * value_int.h - numbers with and without units, booleans, lists: as text.
 *
 * Pure. Exact spellings only, so that nobody's typo means something else.
 */
#ifndef PGREKEY_VALUE_INT_H
#define PGREKEY_VALUE_INT_H

#include "buf.h"
#include <stdint.h>

bool value_uint(int64_t *ret, const char *text);     /* digits */
bool value_duration(int64_t *ret, const char *text); /* ms; 500ms 30s 5m 2h */
bool value_size(int64_t *ret, const char *text);     /* 4096 512B 8MiB 1GiB */
bool value_percent(int64_t *ret, const char *text);  /* thousandths; 2.5 */
bool value_bool(bool *ret, const char *text); /* on yes true 1 off no false 0 */

/* In the largest unit that is exact. */
void value_add_duration(struct buf *out, int64_t ms);
void value_add_size(struct buf *out, int64_t bytes);
void value_add_percent(struct buf *out, int64_t thousandths);

/* A copy without the blanks around it. */
char *trim_dup(const char *text, size_t len);

/* NULL-terminated lists of strings on the heap; NULL is the empty list. */
size_t list_count(char *const *list);
void list_add(char ***list, char *item); /* takes item over */
void list_free(char **list);

/* Adds what stands between the commas, without the blanks around it. False
 * (and the list as before) when something is empty. */
bool list_add_items(char ***list, const char *text);

#endif
