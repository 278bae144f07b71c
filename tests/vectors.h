/*
 * vectors.h - reads tests/vectors: one case per line, fields between tabs.
 *
 * Lines that start with # explain the columns. Bytes are written in hex. A
 * file that is missing, or a line of another shape, ends the test program.
 */
#ifndef PGREKEY_TEST_VECTORS_H
#define PGREKEY_TEST_VECTORS_H

#include "slice.h"
#include <stdio.h>
#include <stdlib.h>

#define VECTOR_FIELDS 10

struct vectors {
	const char *path;
	FILE *file;
	char *line;
	size_t room;
	char *field[VECTOR_FIELDS];
	size_t count; /* cases so far */
};

static inline struct vectors
vectors_open(const char *path)
{
	struct vectors v = {.path = path, .file = fopen(path, "r")};

	if (!v.file) {
		perror(path);
		exit(1);
	}
	return v;
}

/* The next case, which must have that many fields; false at the end. */
static inline bool
vectors_next(struct vectors *v, size_t fields)
{
	char *rest;
	size_t n = 0;

	do {
		if (getline(&v->line, &v->room, v->file) < 0) {
			fclose(v->file);
			free(v->line);
			return false;
		}
	} while (v->line[0] == '#');
	v->line[strcspn(v->line, "\n")] = '\0';
	for (rest = v->line; rest && n < VECTOR_FIELDS; n++)
		v->field[n] = strsep(&rest, "\t");
	if (n != fields || rest) {
		fprintf(stderr, "%s: case %zu: not %zu fields\n", v->path,
			v->count, fields);
		exit(1);
	}
	v->count++;
	return true;
}

/* Turns hex into bytes in its own place. */
static inline struct slice
vectors_unhex(char *hex)
{
	unsigned char *out = (unsigned char *)hex;
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
			fprintf(stderr, "not hex\n");
			exit(1);
		}
		out[i] = (unsigned char)byte;
	}
	return slice_of(out, n);
}

#endif
