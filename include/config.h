/*
 * config.h - everything the user said, checked, in one struct.
 *
 * Filled from the option table (option.h): defaults, then the environment,
 * then the file, then the command line; each option remembers its source.
 * Owned by main, read-only after loading. No secret has a place in it.
 */
#ifndef PGREKEY_CONFIG_H
#define PGREKEY_CONFIG_H

#include "keyring.h"
#include "option.h"
#include "target.h"

enum output_kind {
	OUTPUT_TEXT,
	OUTPUT_JSON,
	OUTPUT_JUNIT,
};

enum snapshot_kind {
	SNAPSHOT_RUN,   /* one over everything */
	SNAPSHOT_RANGE, /* one per block range */
};

enum triggers_kind {
	TRIGGERS_FIRE,
	TRIGGERS_SUPPRESS,
};

/* In the order of precedence. */
enum config_source {
	SOURCE_DEFAULT,
	SOURCE_ENVIRONMENT,
	SOURCE_FILE,
	SOURCE_COMMAND_LINE,
};

struct config_origin {
	enum config_source source;
	int line; /* of the file */
};

struct config {
	/* [database]: NULL-terminated, for PQconnectdbParams with
	 * expand_dbname; a uri option is passed as dbname. */
	char **conn_keyword;
	char **conn_value;

	/* [keys] */
	char *key_directory;
	char *primary;
	enum seal_method method;
	char **key_ignore; /* NULL-terminated */
	bool strict_permissions;
	bool require_locked_memory;
	char **pins; /* NULL-terminated pairs id, fingerprint */

	/* [rotate] */
	int64_t workers;
	int64_t batch_rows;
	int64_t window_bytes;
	int64_t chunk_bytes;
	int64_t lock_timeout_ms;
	int64_t answer_timeout_ms;
	int64_t max_passes;
	bool synchronous_commit;
	int64_t max_rows_per_second;
	int64_t max_replica_lag_ms;
	int64_t max_slot_wal;
	int64_t max_dead_rows;
	char *throttle_query;
	enum triggers_kind triggers;
	char *state_schema;
	int64_t max_findings;

	/* [verify] */
	int64_t verify_workers;
	int64_t wait_ms;

	/* [table LABEL], in file order */
	struct target *target;
	size_t targets;

	/* command line only */
	char *file;      /* the configuration file that was read */
	char *file_text; /* what it said; NULL: none was read */
	bool help;
	bool version;
	bool dry_run;
	bool thorough;
	bool no_join;
	bool quiet;
	bool verbose;
	bool print;             /* init --print, keygen --print */
	int64_t max_runtime_ms; /* 0: no limit */
	char **only;            /* labels, NULL-terminated, or NULL: all */
	char **retire;          /* key ids, NULL-terminated, or NULL */
	bool quick;
	bool discover;
	char **schemas; /* glob patterns, NULL-terminated, or NULL: all */
	int64_t sample; /* thousandths of a percent; 0: everything */
	enum snapshot_kind snapshot;
	enum output_kind output;
	bool runs;      /* status --runs */
	bool watch;     /* status --watch */
	char *argument; /* keygen ID, status RUN */

	struct config_origin *origin; /* one per row of the option table */
};

/* Defaults, then the environment. config_free() is fine on zeroes. */
int config_init(struct config *c, struct err *err) MUST_CHECK;
void config_free(struct config *c);

/* Sets one option (not one of a table section) unless a stronger source has
 * set it already; the value is checked in either case. */
int config_set(struct config *c, const struct option *o, const char *name,
	const char *text, struct config_origin origin,
	struct err *err) MUST_CHECK;
struct config_origin config_origin(
	const struct config *c, const struct option *o);

/* Reads the configuration file into c: strict, complete, or ERR_USAGE naming
 * file, line and option, never the value. Nothing acts before it returned 0. */
int config_read_file(
	struct config *c, const char *path, struct err *err) MUST_CHECK;
/* Does the file say something else by now? False if it cannot be read. */
bool config_file_changed(const struct config *c);

/* What only the whole can tell: contradictions, a column named twice, labels
 * that do not exist. needs is a set of enum command_need. */
int config_check(
	const struct config *c, unsigned needs, struct err *err) MUST_CHECK;

#endif
