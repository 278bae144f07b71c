/*
 * config_case.h - one configuration file after the other, for the tests of
 * the reader. The numbers C01 to C28 in those tests are those of the
 * catalogue of bad configurations that the reader was built against.
 */
#ifndef PGREKEY_CONFIG_CASE_H
#define PGREKEY_CONFIG_CASE_H

#include "command.h"
#include "test.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE "[table t]\ncolumns = c\n"

static char folder[] = "/tmp/test_config.XXXXXX";
static char path[64];
static struct config config;
static struct err err;

static inline int
case_begin_all(void **state)
{
	(void)state;
	unsetenv("PGREKEY_CONFIG");
	unsetenv("DATABASE_ENCRYPTION_FERNET_KEYS_LOCATION");
	unsetenv("DATABASE_ENCRYPTION_FERNET_PRIMARY_KEY_ID");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/f", folder);
	return 0;
}

static inline int
case_end_all(void **state)
{
	(void)state;
	return rmdir(folder);
}

static inline int
case_end(void **state)
{
	(void)state;
	config_free(&config);
	unlink(path);
	return 0;
}

static inline void
write_file(const char *text, size_t len)
{
	FILE *f;

	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	chmod(path, 0600);
}

/* Starts afresh and reads what is at path. */
static inline int
read_path(void)
{
	config_free(&config);
	err = (struct err){0};
	assert_int_equal(config_init(&config, &err), 0);
	return config_read_file(&config, path, &err);
}

static inline void
accept_bytes(const char *text, size_t len)
{
	write_file(text, len);
	if (read_path() < 0)
		fail_msg("%s", err.msg);
}

static inline void
accept(const char *text)
{
	accept_bytes(text, strlen(text));
}

/* message is what it says behind the file's name. */
static inline void
refuse_bytes(const char *text, size_t len, const char *message)
{
	write_file(text, len);
	assert_int_equal(read_path(), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_memory_equal(err.msg, path, strlen(path));
	assert_string_equal(err.msg + strlen(path), message);
}

static inline void
refuse(const char *text, const char *message)
{
	refuse_bytes(text, strlen(text), message);
}

/* The file is there already; message is a part of what it says. */
static inline void
refuse_path(const char *message)
{
	assert_int_equal(read_path(), -1);
	assert_int_equal(err.code, ERR_USAGE);
	if (!strstr(err.msg, message))
		fail_msg("%s", err.msg);
}

#define CASE(f) cmocka_unit_test_teardown(f, case_end)

#endif
