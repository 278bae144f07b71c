/*
 * remark.h - one thing that was looked at before a rotation, and what came of
 * it.
 *
 * The rules stand where the facts are read (catalog, lengths, state schema),
 * once. Who starts a rotation gives no sink: the first refusal is the error.
 * Who checks gives one: it receives every remark, and the looking goes on.
 */
#ifndef PGREKEY_REMARK_H
#define PGREKEY_REMARK_H

#include "err.h"
#include <stddef.h>

enum remark_level {
	REMARK_OK,
	REMARK_NOTE,    /* good to know, or could not be seen */
	REMARK_WARNING, /* rotate would start; somebody may be sorry */
	REMARK_REFUSAL, /* rotate would not start */
};
#define REMARK_LEVELS (REMARK_REFUSAL + 1)

enum remark_subject {
	SUBJECT_CONFIGURATION,
	SUBJECT_KEYS,
	SUBJECT_SERVER,
	SUBJECT_TABLE, /* each configured one */
};

/* In the order of the report. */
enum remark_topic {
	TOPIC_FILE,
	TOPIC_METHOD,
	TOPIC_KEYRING,
	TOPIC_MEMORY,
	TOPIC_VERSION,
	TOPIC_ACCESS,
	TOPIC_SETTINGS,
	TOPIC_CONNECTIONS,
	TOPIC_THROTTLING,
	TOPIC_STATE,
	TOPIC_RUNS,
	TOPIC_HORIZON,
	TOPIC_REPLICATION,
	TOPIC_APPLICATION,
	TOPIC_RELATION,
	TOPIC_COLUMNS,
	TOPIC_LENGTHS,
	TOPIC_PRIVILEGES,
	TOPIC_ROW_SECURITY,
	TOPIC_RULES,
	TOPIC_TRIGGERS,
	TOPIC_CONSTRAINTS,
	TOPIC_PUBLICATIONS,
	TOPIC_INDEXES,
	TOPIC_HOT,
	TOPIC_VALUES,
	TOPIC_SIZE,
	TOPIC_TIME,
};
#define REMARK_TOPICS (TOPIC_TIME + 1)

struct remark {
	enum remark_level level;
	enum remark_topic topic;
	size_t target;      /* index, for a topic of tables */
	const char *table;  /* the leaf; NULL: the target as a whole */
	const char *column; /* or NULL */
	const char *text;   /* one line, lower case, no full stop */
	const char *hint;   /* what to do about it, or "" */
	enum err_code code; /* of a refusal: how rotate would end */
	bool fine;          /* by remark_ok() */
};

/* Where remarks go. They are views that live during the call. */
struct remarks {
	void (*add)(void *ctx, const struct remark *r);
	void *ctx;
};

const char *remark_level_name(enum remark_level level);
const char *remark_topic_name(enum remark_topic topic);
enum remark_subject remark_topic_subject(enum remark_topic topic);

/* about says what it is about; its level and text are filled in here. */
void remark_add(const struct remarks *to, const struct remark *about,
	enum remark_level level, const char *fmt, ...) PRINTF(4, 5);
/* Looked at, and nothing found: in the topic's own words. It only counts where
 * nothing else is said about the topic. */
void remark_ok(
	const struct remarks *to, enum remark_topic topic, size_t target);
/* why is a refusal, filled in already. Where somebody collects (to is not
 * NULL), hands it on and returns 0; else it stays the caller's error: -1. */
int remark_refuse(const struct remarks *to, const struct remark *about,
	const struct err *why) MUST_CHECK;
/* why is the failure of a look that is a courtesy. If the role may not, or
 * a lock is in the way, it is noted ("cannot see WHAT: ...") and 0 returned. */
int remark_unseen(const struct remarks *to, const struct remark *about,
	const char *what, const struct err *why) MUST_CHECK;

#endif
