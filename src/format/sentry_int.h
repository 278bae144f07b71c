/*
 * sentry_int.h - the markers of the sentry format, for its C and SQL sides.
 */
#ifndef PGREKEY_SENTRY_INT_H
#define PGREKEY_SENTRY_INT_H

#include "format.h"

#define ANY_MARK "enc:"
#define FERNET_MARK "enc:fernet:"
#define PLAINTEXT_MARK "enc:plaintext:"
#define TINK_MARK "enc:tink:"
#define MEMBER "sentry_encrypted_field_value"
/* As json.dumps and PostgreSQL's jsonb both write it. */
#define JSON_HEAD "{\"" MEMBER "\": \""
#define JSON_TAIL "\"}"

/* As it stands behind the marker. A key id is printable ASCII; in JSON two of
 * those are escaped, and jsonb is no text. */
void sentry_add_key_id(struct buf *ret, const char *id, enum carrier carrier);

void sentry_sql_text(struct buf *sql, const char *column, enum carrier carrier);
void sentry_sql_new(struct buf *sql, const char *text, enum carrier carrier);
void sentry_sql_current(struct buf *sql, const char *column,
	enum carrier carrier, const char *key_id);
void sentry_sql_label(
	struct buf *sql, const char *column, enum carrier carrier);
void sentry_sql_candidate(
	struct buf *sql, const char *column, enum carrier carrier);
void sentry_sql_new_length(
	struct buf *sql, const char *column, const char *key_id, bool raw_too);

#endif
