/*
 * corpus.h - every file of a corpus of tests/fuzz, fed to its target.
 */
#ifndef PGREKEY_TEST_CORPUS_H
#define PGREKEY_TEST_CORPUS_H

#include "err.h"
#include "test.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define CORPUS_FILE_MAX ((size_t)512 * 1024)

typedef void (*corpus_fn)(const unsigned char *bytes, size_t len);

static inline void
corpus_replay_one(const char *folder, const char *name, corpus_fn target)
{
	unsigned char *bytes = xmalloc(CORPUS_FILE_MAX);
	char *path = xasprintf("%s/%s", folder, name);
	FILE *f = fopen(path, "r");
	size_t len;

	assert_non_null(f);
	len = fread(bytes, 1, CORPUS_FILE_MAX, f);
	fclose(f);
	/* To the byte, so that a sanitizer sees any look behind it. */
	bytes = xrealloc(bytes, len);
	target(bytes, len);
	free(path);
	free(bytes);
}

static inline void
corpus_replay(const char *folder, corpus_fn target, int at_least)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int files = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		corpus_replay_one(folder, entry->d_name, target);
		files++;
	}
	closedir(dir);
	assert_true(files >= at_least);
}

#endif
