/*
 * fuzz_json_member.h - any bytes as the text of a JSON value: no envelope's
 * object, or one whose string is the same once it is spelled plainly.
 */
#ifndef PGREKEY_FUZZ_JSON_MEMBER_H
#define PGREKEY_FUZZ_JSON_MEMBER_H

#include "../../src/format/format_int.h"
#include <assert.h>
#include <stdlib.h>

/* Every byte that needs an escape gets one; the rest stands as it is. */
static inline void
add_plainly(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < ' ' || s.ptr[i] == '"' || s.ptr[i] == '\\')
			buf_addf(b, "\\u%04x", s.ptr[i]);
		else
			buf_add(b, s.ptr + i, 1);
	}
}

static inline void
check_member(struct slice found)
{
	struct buf text, scratch;
	struct slice again;

	buf_init(&text, SIZE_MAX);
	buf_init(&scratch, SIZE_MAX);
	buf_adds(&text, "{\"m\": \"");
	add_plainly(&text, found);
	buf_adds(&text, "\"}");
	assert(json_only_member(&again, buf_slice(&text), "m", &scratch) ==
		MEMBER_FOUND);
	assert(slice_eq(again, found));
	buf_done(&text);
	buf_done(&scratch);
}

static inline void
fuzz_json_member(const unsigned char *bytes, size_t len)
{
	struct slice text = slice_of(bytes, len), found = {0}, string = {0};
	struct buf scratch, other;
	enum member_result result;
	bool is_string;

	buf_init_secret(&scratch, len + 1);
	buf_init_secret(&other, len + 1);
	result = json_only_member(&found, text, "m", &scratch);
	is_string = json_only_string(&string, text, &other);
	assert(!buf_over(&scratch) && !buf_over(&other));
	assert(result == MEMBER_NONE || !is_string);
	if (result != MEMBER_NONE)
		check_member(found);
	if (is_string)
		check_member(string);
	buf_done(&scratch);
	buf_done(&other);
}

#endif
