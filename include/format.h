/*
 * format.h - how a column stores an encrypted value.
 *
 * A format is a const record with a C side and an SQL side; adding one means
 * one .c file, one line in the registry of format.c, one folder of vectors.
 * Nothing here does I/O or knows a database connection: the SQL side writes
 * expressions, the db layer runs them.
 */
#ifndef PGREKEY_FORMAT_H
#define PGREKEY_FORMAT_H

#include "buf.h"
#include "fernet.h"
#include "slice.h"

/* What the column's type does with the string inside it. */
enum carrier {
	CARRIER_TEXT,  /* text, varchar, char, citext, domains over them */
	CARRIER_JSON,  /* json: text as written, no equality */
	CARRIER_JSONB, /* jsonb: normalised, has equality */
};

enum envelope_kind {
	ENVELOPE_RAW,         /* no marker: a value from before encryption */
	ENVELOPE_FOREIGN,     /* no marker of ours, but another system's */
	ENVELOPE_SEALED,      /* key id and a body that claims to be sealed */
	ENVELOPE_PLAINTEXT,   /* marked, not encrypted */
	ENVELOPE_UNSUPPORTED, /* reserved marker: never touch */
	ENVELOPE_MALFORMED,   /* marked, but not readable as anything */
};

/* Points into the stored value or into the scratch memory it was parsed
 * with, and lives as long as both. */
struct envelope {
	enum envelope_kind kind;
	struct slice key_id; /* the label; empty unless SEALED */
	struct slice body;   /* base64 text behind the label */
	bool lossy;          /* parsed, but rewriting would drop something */
	const char *what;    /* FOREIGN: whose; MALFORMED: why. Static text */
};

enum opened {
	OPENED_OK,        /* authentic, plaintext recovered */
	OPENED_UNKNOWN,   /* sound, but no known key made it */
	OPENED_CORRUPT,   /* authentic, but the inside is wrong */
	OPENED_MALFORMED, /* not a token */
};

/* How opening a sealed body went. */
struct opening {
	enum opened result;
	size_t key;       /* OK, CORRUPT: index of the key that made it */
	uint64_t time;    /* OK: seconds, as stored in the token */
	bool canonical;   /* spelled as the format's own writer spells it */
	bool lenient;     /* a strict decoder refuses the spelling */
	bool lossy;       /* and decoding had to drop something */
	const char *what; /* why not, or what was ignored; static text */
};

/* What is sealed, and how. */
struct sealing {
	struct slice plain;
	enum carrier carrier;
	size_t key;    /* index of the keyring */
	uint64_t time; /* seconds, goes into the token */
	unsigned char iv[FERNET_IV];
};

/* Scratch memory of one thread for parsing, opening and sealing. */
struct format_scratch {
	struct buf string; /* the JSON string, unescaped */
	struct buf outer;  /* first base64 layer, decoded */
	struct buf token;  /* token bytes */
	struct buf spell;  /* token text on its way out */
};

void format_scratch_init(struct format_scratch *s, size_t max);
void format_scratch_done(struct format_scratch *s);

#define FORMAT_LABEL_KEY 'k'
#define FORMAT_LABEL_PLAINTEXT 'p'
#define FORMAT_LABEL_RAW 'r'
#define FORMAT_LABEL_OTHER 'o'

struct format {
	const char *name; /* as written in the configuration */

	/* SQL side: appends the text that a value is read, parsed and compared
	 * as. The same text means the same bytes are stored: nothing else may
	 * be printed so. NULL for NULL; it never fails on a value. */
	void (*sql_text)(
		struct buf *sql, const char *column, enum carrier carrier);

	/* Appends the value to store, of the column's own type, from what seal
	 * and mark made: text is an expression of that type. NULL for NULL. */
	void (*sql_new)(
		struct buf *sql, const char *text, enum carrier carrier);

	/* Appends a boolean expression that is true where the
	 * server can tell that a value needs nothing: it is labelled with
	 * key_id, or marked as plaintext where key_id is NULL. NULL for NULL.
	 * column is a quoted reference such as t."secret". Does not detoast a
	 * text value as a whole. */
	void (*sql_current)(struct buf *sql, const char *column,
		enum carrier carrier, const char *key_id);

	/* Appends a text expression: what the server can read off a value,
	 * as one of the letters below, with the key id behind FORMAT_LABEL_KEY.
	 * NULL for NULL. */
	void (*sql_label)(
		struct buf *sql, const char *column, enum carrier carrier);

	/* Appends a boolean expression that is true for every value that may
	 * be an envelope, and for little else; it never fails on a value. What
	 * it finds is for parse and open to confirm. Does not detoast a text
	 * value as a whole. */
	void (*sql_candidate)(
		struct buf *sql, const char *column, enum carrier carrier);

	/* Appends the length in characters that a text value will have once
	 * it is sealed under key_id; 0 for what would be left as it is. */
	void (*sql_new_length)(struct buf *sql, const char *column,
		const char *key_id, bool raw_too);

	/* Value as sql_text shows it, or the whole as text. Never fails: what
	 * cannot be parsed is RAW, FOREIGN or MALFORMED. */
	void (*parse)(struct envelope *ret, struct slice text,
		enum carrier carrier, struct format_scratch *s);

	/* The same for a plaintext: is it an envelope once more, as left
	 * behind by a writer that took one for a value? */
	void (*parse_inner)(struct envelope *ret, struct slice plain,
		enum carrier carrier, struct format_scratch *s);

	/* Opens a SEALED envelope with any key, or decodes a PLAINTEXT one.
	 * The plaintext replaces the contents of plain. */
	struct opening (*open)(struct buf *plain, const struct envelope *e,
		struct fernet *f, const struct keyring *ring,
		struct format_scratch *s);

	/* Replaces the contents of ret by a sealed value, as sql_new takes it.
	 * -1 only if the cipher itself fails. */
	int (*seal)(struct buf *ret, const struct sealing *sealing,
		struct fernet *f, const struct keyring *ring,
		struct format_scratch *s) MUST_CHECK;

	/* Replaces the contents of ret by the marked, unencrypted form. */
	void (*mark)(struct buf *ret, struct slice plain, enum carrier carrier);

	/* Bytes that sql_text shows of what seal or mark made, once stored. */
	size_t (*text_length)(struct slice fresh, enum carrier carrier);
};

/* NULL-terminated. */
extern const struct format *const formats[];
const struct format *format_find(const char *name);

#endif
