#include "remark.h"
#include "pg.h"
#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 600

struct topic {
	const char *name;
	enum remark_subject subject;
	const char *fine; /* what is said where nothing was found */
};

static const struct topic topics[REMARK_TOPICS] = {
	[TOPIC_FILE] = {"file", SUBJECT_CONFIGURATION, "is there"},
	[TOPIC_METHOD] = {"method", SUBJECT_CONFIGURATION,
		"values are sealed by the primary"},
	[TOPIC_KEYRING] = {"keyring", SUBJECT_KEYS, "is complete"},
	[TOPIC_MEMORY] = {"memory", SUBJECT_KEYS,
		"the memory of keys is locked"},
	[TOPIC_VERSION] = {"version", SUBJECT_SERVER, "is known"},
	[TOPIC_ACCESS] = {"access", SUBJECT_SERVER,
		"a primary that can be written to"},
	[TOPIC_SETTINGS] = {"settings", SUBJECT_SERVER,
		"nothing stands in the way"},
	[TOPIC_CONNECTIONS] = {"connections", SUBJECT_SERVER,
		"there are enough"},
	[TOPIC_THROTTLING] = {"throttling", SUBJECT_SERVER,
		"no throttle_query, or one that answers"},
	[TOPIC_STATE] = {"state schema", SUBJECT_SERVER,
		"is there, or can be made"},
	[TOPIC_RUNS] = {"runs", SUBJECT_SERVER, "no other run is in the way"},
	[TOPIC_HORIZON] = {"pruning", SUBJECT_SERVER,
		"no old transaction or slot holds it up"},
	[TOPIC_REPLICATION] = {"replication", SUBJECT_SERVER,
		"nobody receives what is written"},
	[TOPIC_APPLICATION] = {"application", SUBJECT_SERVER, "may go on"},
	[TOPIC_RELATION] = {"relation", SUBJECT_TABLE, "can be walked"},
	[TOPIC_COLUMNS] = {"columns", SUBJECT_TABLE,
		"are there and of a type that is known"},
	[TOPIC_LENGTHS] = {"lengths", SUBJECT_TABLE,
		"every value fits under the new label"},
	[TOPIC_PRIVILEGES] = {"privileges", SUBJECT_TABLE,
		"nothing is missing"},
	[TOPIC_ROW_SECURITY] = {"row security", SUBJECT_TABLE,
		"hides no row from this role"},
	[TOPIC_RULES] = {"rules", SUBJECT_TABLE, "none on UPDATE"},
	[TOPIC_TRIGGERS] = {"triggers", SUBJECT_TABLE, "none would fire"},
	[TOPIC_CONSTRAINTS] = {"constraints", SUBJECT_TABLE,
		"none looks at the columns"},
	[TOPIC_PUBLICATIONS] = {"publications", SUBJECT_TABLE,
		"none sends its updates"},
	[TOPIC_INDEXES] = {"indexes", SUBJECT_TABLE, "none on the columns"},
	[TOPIC_HOT] = {"hot updates", SUBJECT_TABLE,
		"possible: the table hardly grows"},
	[TOPIC_VALUES] = {"values", SUBJECT_TABLE,
		"all labels of the sample are known"},
	[TOPIC_SIZE] = {"size", SUBJECT_TABLE, "nothing to rewrite was seen"},
	[TOPIC_TIME] = {"time", SUBJECT_TABLE, "nothing to rewrite was seen"},
};

const char *
remark_level_name(enum remark_level level)
{
	static const char *const name[REMARK_LEVELS] = {
		"ok", "note", "warning", "refusal"};

	return name[level];
}

const char *
remark_topic_name(enum remark_topic topic)
{
	return topics[topic].name;
}

enum remark_subject
remark_topic_subject(enum remark_topic topic)
{
	return topics[topic].subject;
}

void
remark_add(const struct remarks *to, const struct remark *about,
	enum remark_level level, const char *fmt, ...)
{
	struct remark r = *about;
	char text[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	r.level = level;
	r.text = text;
	if (!r.hint)
		r.hint = "";
	to->add(to->ctx, &r);
}

void
remark_ok(const struct remarks *to, enum remark_topic topic, size_t target)
{
	struct remark about = {
		.topic = topic,
		.target = target,
		.fine = true,
	};

	remark_add(to, &about, REMARK_OK, "%s", topics[topic].fine);
}

int
remark_refuse(const struct remarks *to, const struct remark *about,
	const struct err *why)
{
	struct remark r = *about;

	if (!to)
		return -1;
	r.hint = why->hint;
	r.code = why->code;
	remark_add(to, &r, REMARK_REFUSAL, "%s", why->msg);
	return 0;
}

int
remark_unseen(const struct remarks *to, const struct remark *about,
	const char *what, const struct err *why)
{
	bool denied = !strcmp(why->sqlstate, "42501");

	if (!denied && pg_classify(why) != PG_CLASS_LOCK)
		return -1;
	remark_add(to, about, REMARK_NOTE, "cannot see %s (%s)", what,
		denied ? why->msg : "somebody locks it");
	return 0;
}
