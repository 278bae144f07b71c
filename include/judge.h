/*
 * judge.h - the heart: a stored value in, a verdict and a new envelope out.
 *
 * Pure but for the system's random generator: no I/O, no database, no clock,
 * no threads. rotate, verify, the dry run, the tests and the fuzzers share it.
 * A judge serves one thread; its keyring must outlive it.
 */
#ifndef PGREKEY_JUDGE_H
#define PGREKEY_JUDGE_H

#include "format.h"

/* Every value gets exactly one. docs/architecture.md explains each. */
enum verdict {
	VERDICT_NULL,
	VERDICT_CURRENT,
	VERDICT_OLD,
	VERDICT_PLAINTEXT,
	VERDICT_RAW,
	VERDICT_NONCANONICAL,
	VERDICT_UNKNOWN_KEY,
	VERDICT_CORRUPT,
	VERDICT_MALFORMED,
	VERDICT_FOREIGN,
	VERDICT_UNSUPPORTED,
	VERDICT_OVERSIZE,
	VERDICTS
};

const char *verdict_name(enum verdict v);
bool verdict_find(enum verdict *ret, const char *name);

enum seal_method {
	METHOD_FERNET,    /* seal with the primary */
	METHOD_PLAINTEXT, /* the way back: marked, not encrypted */
};

enum raw_policy {
	RAW_REPORT,  /* leave, and say so */
	RAW_ENCRYPT, /* seal */
	RAW_ALLOW,   /* leave, and accept */
};

enum nested_policy {
	NESTED_KEEP,   /* rotate the outer envelope only */
	NESTED_UNWRAP, /* seal what is innermost */
};

struct policy {
	const struct format *format;
	enum seal_method method;
	enum raw_policy raw;
	enum nested_policy nested;
	size_t max_value_bytes;
};

struct judgement {
	enum verdict verdict;
	bool rewrite;     /* fresh holds the new envelope */
	bool blocks;      /* left as it is, the column is not clean */
	bool nested;      /* the plaintext is itself an envelope */
	bool mislabelled; /* opened by another key than its label names */
	bool late;        /* sealed by an old key after the run began */
	bool unread;      /* something in it would not open: any key may be
			     under it */
	bool clear;       /* the stored bytes are plaintext: never a parameter,
			     compare by digest */
	uint32_t watched; /* bits of the watched keys that are in it */
	long key;         /* index of the key that opened it, or -1 */
	long inner_key;   /* nested: key of the first inner envelope that is
			     not the primary's, or -1 */
	bool timed;       /* there is a token, and time is its own */
	uint64_t time;    /* of the token, seconds */
	struct slice label; /* its key id as stored; points into stored or the
			       judge, until the next call */
	const char *what;   /* detail for the report; static text or NULL */
	struct slice fresh; /* new envelope; valid until the next call */
};

struct judge;

struct judge_options {
	const struct keyring *ring;
	uint64_t now;       /* stamps raw and plaintext values, seconds */
	uint64_t run_start; /* old tokens younger than this are late */
	bool seal;          /* make new envelopes; false: judge only */
	/* Per key of the ring, the bits to set in watched where it opened an
	 * envelope, at whatever depth; or NULL. */
	const uint32_t *watch;
};

int judge_new(struct judge **ret, const struct judge_options *options,
	struct err *err) MUST_CHECK;
void judge_free(struct judge *j); /* wipes; NULL is fine */
const struct keyring *judge_ring(const struct judge *j);

/* Judges one value that is not NULL. -1 only if the random generator or the
 * cipher fails, or a new envelope does not open again to the same bytes
 * (ERR_BUG): the run must stop. Plaintext is wiped before it returns. */
int judge_value(struct judgement *ret, struct judge *j,
	const struct policy *policy, enum carrier carrier, struct slice stored,
	struct err *err) MUST_CHECK;

/* Tests only: the next initialisation vectors, instead of random ones. */
void judge_preset_ivs(struct judge *j, const unsigned char *ivs, size_t count);

#endif
