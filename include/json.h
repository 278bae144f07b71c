/*
 * json.h - a JSON writer over a buf. Writes, never reads.
 *
 * Commas are its business, matching begin and end the caller's (checked by
 * assert). Strings are UTF-8; invalid bytes become U+FFFD. One owner.
 */
#ifndef PGREKEY_JSON_H
#define PGREKEY_JSON_H

#include "buf.h"
#include <stdint.h>

#define JSON_DEPTH 16

struct json {
	struct buf *out;
	int depth;
	bool more[JSON_DEPTH]; /* the level has a member already */
};

void json_init(struct json *j, struct buf *out);

/* key is NULL for array elements and for the outermost value. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j, char bracket); /* '}' or ']' */
void json_string(struct json *j, const char *key, const char *value);
void json_slice(struct json *j, const char *key, struct slice value);
void json_int(struct json *j, const char *key, int64_t value);
void json_real(struct json *j, const char *key, double value, int digits);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
/* value is JSON text already. */
void json_raw(struct json *j, const char *key, const char *value);

#endif
