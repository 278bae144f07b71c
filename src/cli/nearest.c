#include "nearest_int.h"
#include <stdbool.h>
#include <string.h>

#define WORD_MAX 48

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Upper case and - for _ are the slips that cost nothing. */
static char
plain(char c)
{
	if (c == '-')
		return '_';
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Levenshtein, one row at a time. Both words are at most WORD_MAX long. */
static size_t
edits(const char *a, const char *b)
{
	size_t n = strlen(b), row[WORD_MAX + 1];

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			bool same = plain(a[i - 1]) == plain(b[j - 1]);
			size_t changed = diagonal + !same;

			diagonal = row[j];
			row[j] = least(changed, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

void
nearest_init(struct nearest *n, const char *word)
{
	size_t len = strlen(word);

	/* Further away than a third of the word is another word. */
	*n = (struct nearest){word, NULL, len / 3 + 2};
	if (len > WORD_MAX)
		n->distance = 0;
}

void
nearest_offer(struct nearest *n, const char *candidate)
{
	size_t distance;

	if (n->distance == 0 || strlen(candidate) > WORD_MAX)
		return;
	distance = edits(n->word, candidate);
	if (distance < n->distance) {
		n->distance = distance;
		n->best = candidate;
	}
}
