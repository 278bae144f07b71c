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
#include "target.h"

enum output_kind {
	OUTPUT_TEXT,
	OUTPUT_JSON,
};

enum trigger_mode {
	TRIGGERS_FIRE,
	TRIGGERS_SUPPRESS, /* session_replication_role = replica */
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
	int64_t max_passes;
	int64_t max_rows_per_second; /* 0: no limit */
	int64_t max_replica_lag_ms;
	bool synchronous_commit;
	enum trigger_mode triggers;
	char *state_schema;
	int64_t max_findings;

	/* [verify] */
	int64_t verify_workers;
	int64_t wait_ms;

	/* [table LABEL], in file order */
	struct target *target;
	size_t targets;

	/* command line only */
	char *file; /* the configuration file that was read */
	bool dry_run;
	bool thorough;
	bool no_join;
	bool quiet;
	bool verbose;
	bool print;             /* init --print, keygen --print */
	int64_t max_runtime_ms; /* 0: no limit */
	char **only;            /* labels, NULL-terminated, or NULL: all */
	enum output_kind output;
	char *argument; /* keygen ID */
};

void config_free(struct config *c);

/* Reads the configuration file into c: strict, complete, or ERR_USAGE naming
 * file, line and option, never the value. Nothing acts before it returned 0. */
int config_read_file(
	struct config *c, const char *path, struct err *err) MUST_CHECK;

#endif
