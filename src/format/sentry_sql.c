/*
 * The SQL side of the sentry format: what the server can tell by itself.
 */
#include "quote.h"
#include "sentry_int.h"

/* What a value that needs nothing begins with. */
static void
current_prefix(struct buf *ret, const char *key_id, enum carrier carrier)
{
	if (key_id) {
		buf_adds(ret, FERNET_MARK);
		sentry_add_key_id(ret, key_id, carrier);
		buf_addc(ret, ':');
	} else {
		buf_adds(ret, PLAINTEXT_MARK);
	}
}

/* json has no equality: the text must be spelled as we spell it, so that the
 * first quote behind the prefix is the one that closes the object. Another
 * spelling is fetched and judged, which is slower but never wrong. */
static void
json_current(struct buf *sql, const char *column, const char *prefix)
{
	struct buf head;
	size_t len;

	buf_init(&head, SIZE_MAX);
	buf_adds(&head, JSON_HEAD);
	buf_adds(&head, prefix);
	len = head.len;
	buf_addf(sql, "(pg_catalog.starts_with(%s::text COLLATE \"C\", ",
		column);
	quote_literal(sql, buf_str(&head));
	buf_addf(sql,
		") AND pg_catalog.strpos(pg_catalog.substr(%s::text COLLATE "
		"\"C\", %zu), '\"') = "
		"pg_catalog.length(%s::text COLLATE \"C\") - %zu)",
		column, len + 1, column, len + 1);
	buf_done(&head);
}

/* Is the object's only member ours, and its string begins so? NULL and false
 * both mean no. Only of an object a member can be taken away; what is none has
 * no member by that name, and is not asked. No number, array or object prints
 * as a prefix of ours, so what begins so is a string. */
static void
add_jsonb_begins(struct buf *sql, const char *column, const char *prefix)
{
	buf_addf(sql,
		"CASE WHEN pg_catalog.starts_with(%s ->> '" MEMBER "'::text, ",
		column);
	quote_literal(sql, prefix);
	buf_addf(sql, ") THEN %s - '" MEMBER "'::text = '{}'::jsonb END",
		column);
}

static void
jsonb_current(struct buf *sql, const char *column, const char *prefix)
{
	buf_addf(sql, "CASE WHEN %s IS NOT NULL THEN coalesce(", column);
	add_jsonb_begins(sql, column, prefix);
	buf_adds(sql, ", false) END");
}

/* To take a string out of a jsonb is a copy; to print the whole goes through
 * it character by character. */
void
sentry_sql_text(struct buf *sql, const char *column, enum carrier carrier)
{
	if (carrier != CARRIER_JSONB) {
		buf_addf(sql, "%s::text", column);
		return;
	}
	buf_adds(sql, "CASE WHEN ");
	add_jsonb_begins(sql, column, FERNET_MARK);
	buf_addf(sql, " THEN %s ->> '" MEMBER "'::text ELSE %s::text END",
		column, column);
}

/* Parsing would look at each character, and jsonb_build_object() looks up the
 * types of its arguments for each row. */
void
sentry_sql_new(struct buf *sql, const char *text, enum carrier carrier)
{
	switch (carrier) {
	case CARRIER_TEXT:
		buf_adds(sql, text);
		break;
	case CARRIER_JSON:
		buf_addf(sql, "%s::json", text);
		break;
	case CARRIER_JSONB:
		buf_addf(sql,
			"CASE WHEN %s IS NOT NULL THEN pg_catalog.jsonb_object("
			"ARRAY['" MEMBER "'::text, %s]) END",
			text, text);
		break;
	}
}

void
sentry_sql_current(struct buf *sql, const char *column, enum carrier carrier,
	const char *key_id)
{
	struct buf prefix;

	buf_init(&prefix, SIZE_MAX);
	current_prefix(&prefix, key_id, carrier);
	switch (carrier) {
	case CARRIER_TEXT:
		buf_addf(sql, "pg_catalog.starts_with(%s::text COLLATE \"C\", ",
			column);
		quote_literal(sql, buf_str(&prefix));
		buf_addc(sql, ')');
		break;
	case CARRIER_JSON:
		json_current(sql, column, buf_str(&prefix));
		break;
	case CARRIER_JSONB:
		jsonb_current(sql, column, buf_str(&prefix));
		break;
	}
	buf_done(&prefix);
}

/* A key id has no colon, and labels are short: a look at the first bytes does
 * not detoast the whole. */
#define LABEL_CHARS 300

/* A json may hold escapes that no text can hold, and then ->> fails, whatever
 * member it asks for: the text is looked at instead, as far as it has no other
 * escapes than those of a key id. */
static const char json_string[] =
	"^[[:space:]]*[{][[:space:]]*\"" MEMBER
	"\"[[:space:]]*:[[:space:]]*\"((?:[^\"\\\\]|\\\\[\"\\\\])*)";
static const char json_escape[] = "\\\\([\"\\\\])";

/* NULL for what is no object, or has no such member. */
static void
add_beginning(struct buf *sql, const char *column, enum carrier carrier)
{
	switch (carrier) {
	case CARRIER_TEXT:
		buf_addf(sql, "pg_catalog.substr(%s::text, 1, %d)", column,
			LABEL_CHARS);
		break;
	case CARRIER_JSON:
		buf_addf(sql,
			"pg_catalog.regexp_replace(substring("
			"pg_catalog.substr(%s::text, 1, %d) FROM ",
			column, 2 * LABEL_CHARS);
		quote_literal(sql, json_string);
		buf_adds(sql, "), ");
		quote_literal(sql, json_escape);
		buf_adds(sql, ", E'\\\\1', 'g')");
		break;
	case CARRIER_JSONB:
		buf_addf(sql,
			"CASE WHEN pg_catalog.jsonb_typeof(%s) = 'object' THEN "
			"pg_catalog.substr(%s ->> '" MEMBER
			"'::text, 1, %d) END",
			column, column, LABEL_CHARS);
		break;
	}
}

void
sentry_sql_label(struct buf *sql, const char *column, enum carrier carrier)
{
	buf_addf(sql,
		"CASE WHEN %s IS NULL THEN NULL ELSE (SELECT CASE"
		" WHEN v IS NULL THEN '%c'"
		" WHEN pg_catalog.starts_with(v, '" FERNET_MARK
		"') AND pg_catalog.split_part(v, ':', 4) <> ''"
		" THEN '%c' || pg_catalog.split_part(v, ':', 3)"
		" WHEN pg_catalog.starts_with(v, '" PLAINTEXT_MARK
		"') THEN '%c'"
		" WHEN pg_catalog.starts_with(v, 'enc:') THEN '%c' ELSE '%c' "
		"END"
		" FROM (SELECT ",
		column, FORMAT_LABEL_RAW, FORMAT_LABEL_KEY,
		FORMAT_LABEL_PLAINTEXT, FORMAT_LABEL_OTHER, FORMAT_LABEL_RAW);
	add_beginning(sql, column, carrier);
	buf_adds(sql, " COLLATE \"C\" AS v) AS label) END");
}

/* A json operator would fail on a value that holds \u0000, so that is looked
 * through as text. */
void
sentry_sql_candidate(struct buf *sql, const char *column, enum carrier carrier)
{
	switch (carrier) {
	case CARRIER_TEXT:
		buf_addf(sql,
			"pg_catalog.substr(%s::text, 1, 4) COLLATE \"C\" = "
			"'enc:'",
			column);
		break;
	case CARRIER_JSON:
		buf_addf(sql,
			"pg_catalog.strpos(%s::text COLLATE \"C\", '\"" MEMBER
			"\"') > 0",
			column);
		break;
	case CARRIER_JSONB:
		buf_addf(sql,
			"pg_catalog.starts_with(%s ->> '" MEMBER
			"'::text, 'enc:')",
			column);
		break;
	}
}

/* The token of n bytes, through both layers of base64. Integer divisions, as
 * in FERNET_SEALED_SIZE and BASE64_ENCODED_SIZE. */
static void
add_sealed_length(struct buf *sql, const char *bytes, size_t head)
{
	buf_addf(sql,
		"%zu + (((57 + (%s / 16 + 1) * 16 + 2) / 3 * 4) + 2) / 3 * 4",
		head, bytes);
}

/* A body of one layer of base64 gets its second one. */
static void
add_resealed_length(struct buf *sql, const char *column, size_t head)
{
	struct buf body;

	buf_init(&body, SIZE_MAX);
	buf_addf(&body,
		"pg_catalog.substr(%s::text COLLATE \"C\", %zu + "
		"pg_catalog.length(pg_catalog.split_part(%s::text COLLATE "
		"\"C\", ':', 3)))",
		column, strlen(FERNET_MARK) + 2, column);
	buf_addf(sql,
		"%zu + CASE WHEN pg_catalog.starts_with(%s, 'gAAAA') THEN "
		"(pg_catalog.length(%s) + 2) / 3 * 4 ELSE "
		"pg_catalog.length(%s) END",
		head, buf_str(&body), buf_str(&body), buf_str(&body));
	buf_done(&body);
}

void
sentry_sql_new_length(
	struct buf *sql, const char *column, const char *key_id, bool raw_too)
{
	size_t head = strlen(FERNET_MARK) + strlen(key_id) + 1;
	struct buf bytes;

	buf_init(&bytes, SIZE_MAX);
	buf_addf(sql,
		"CASE WHEN pg_catalog.starts_with(%s::text COLLATE \"C\", "
		"'" FERNET_MARK "') THEN ",
		column);
	add_resealed_length(sql, column, head);
	buf_addf(sql,
		" WHEN pg_catalog.starts_with(%s::text COLLATE \"C\", "
		"'" PLAINTEXT_MARK "') THEN ",
		column);
	buf_addf(&bytes,
		"(pg_catalog.length(pg_catalog.rtrim(pg_catalog.substr(%s::"
		"text COLLATE \"C\", %zu), '=')) * 3 "
		"/ 4)",
		column, strlen(PLAINTEXT_MARK) + 1);
	add_sealed_length(sql, buf_str(&bytes), head);
	if (raw_too) {
		buf_reset(&bytes);
		buf_addf(&bytes,
			"pg_catalog.octet_length(%s::text COLLATE \"C\")",
			column);
		buf_addf(sql,
			" WHEN NOT pg_catalog.starts_with(%s::text COLLATE "
			"\"C\", 'enc:') "
			"THEN ",
			column);
		add_sealed_length(sql, buf_str(&bytes), head);
	}
	buf_adds(sql, " ELSE 0 END");
	buf_done(&bytes);
}
