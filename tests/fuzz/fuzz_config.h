/*
 * fuzz_config.h - any bytes as a configuration file: refused in order, or
 * accepted and then as the engine relies on it.
 */
#ifndef PGREKEY_FUZZ_CONFIG_H
#define PGREKEY_FUZZ_CONFIG_H

#include "config.h"
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that only lives in memory; *path leads to it. */
static inline int
make_file(char *path, size_t room, const unsigned char *bytes, size_t len)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	ssize_t n;

	assert(fd >= 0);
	assert(fchmod(fd, 0600) == 0);
	n = write(fd, bytes, len);
	assert(n == (ssize_t)len);
	snprintf(path, room, "/proc/self/fd/%d", fd);
	return fd;
}

/* What the engine may rely on when a file was accepted. */
static inline void
check_accepted(const struct config *c)
{
	assert(c->workers >= 1 && c->workers <= 64);
	for (size_t i = 0; i < c->targets; i++) {
		const struct target *t = &c->target[i];

		assert(t->label[0] && t->schema[0] && t->table[0]);
		assert(strlen(t->schema) <= 63 && strlen(t->table) <= 63);
		assert(t->columns >= 1 && t->columns <= TARGET_COLUMNS_MAX);
		assert(t->policy.format && t->policy.max_value_bytes > 0);
	}
}

static inline void
fuzz_config(const unsigned char *bytes, size_t len)
{
	struct config config;
	struct err err = {0};
	char path[64];
	int fd = make_file(path, sizeof(path), bytes, len);

	assert(config_init(&config, &err) == 0);
	if (config_read_file(&config, path, &err) == 0) {
		check_accepted(&config);
		if (config_check(&config, 0, &err) < 0)
			assert(err.code == ERR_USAGE);
	} else {
		assert(err.code == ERR_USAGE && err.msg[0]);
		assert(!strchr(err.msg, '\n') && !strchr(err.hint, '\n'));
	}
	config_free(&config);
	close(fd);
}

#endif
