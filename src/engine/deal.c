#include "deal_int.h"

/* Fewer rows than this go together: there is nothing to prune between. */
#define SHARE_MIN 64
/* By how many percent a table may grow, if it can be had. */
#define GROWTH 15

static size_t
at_least(size_t rows, size_t per_share)
{
	return (rows + per_share - 1) / per_share;
}

static size_t
pages_of(const struct window *w)
{
	size_t pages = 1;

	for (size_t i = 1; i < w->rows; i++)
		pages += w->tid[i].block != w->tid[i - 1].block;
	return pages;
}

/* As few turns as will do: of 20 rows a page 7 turns take 3 at most, as 8
 * would, but of 17 rows 9 turns take 2 where 8 would begin with 3. */
static size_t
turns_of(const struct window *w, size_t per_page)
{
	size_t best = TURNS_MIN, n = at_least(w->rows, SHARE_MIN);

	for (size_t turns = TURNS_MIN; turns <= TURNS_MAX; turns++) {
		if (100 * at_least(per_page, turns) <= GROWTH * per_page) {
			best = turns;
			break;
		}
	}
	return n < best ? n : best;
}

void
deal_begin(struct deal *d, const struct window *window, size_t windows)
{
	*d = (struct deal){.window = window, .windows = windows};
	for (size_t i = 0; i < windows; i++) {
		size_t pages = pages_of(&window[i]);
		size_t per_page = at_least(window[i].rows, pages);

		d->turns[i] = turns_of(&window[i], per_page);
		d->share[i] = pages * at_least(per_page, d->turns[i]);
		if (d->turns[i] > d->most)
			d->most = d->turns[i];
	}
}

bool
deal_row(struct deal *d, size_t *row)
{
	const struct window *w = &d->window[d->at];

	if (d->turn >= d->turns[d->at])
		return false;
	for (; d->row < w->rows; d->row++) {
		size_t i = d->row;
		bool same = i > 0 && w->tid[i].block == w->tid[i - 1].block;

		d->rank = same ? d->rank + 1 : 0;
		if (d->rank % d->turns[d->at] != d->turn)
			continue;
		*row = d->row++;
		return true;
	}
	return false;
}

size_t
deal_limit(const struct deal *d, size_t most)
{
	size_t share = d->share[d->at];

	return share ? at_least(share, at_least(share, most)) : most;
}

bool
deal_share(struct deal *d)
{
	d->row = 0;
	d->at++;
	if (d->at >= d->windows) {
		d->at = 0;
		d->turn++;
	}
	return d->turn < d->most;
}
