/*
 * fuzz_judge.h - any bytes as a stored value: one verdict, and a new envelope
 * only where it holds what the old one did.
 *
 * The first byte chooses type and policy, the rest is the value. Two keys that
 * only tests have; k2 is the primary.
 */
#ifndef PGREKEY_FUZZ_JUDGE_H
#define PGREKEY_FUZZ_JUDGE_H

#include "judge.h"
#include <assert.h>
#include <stdlib.h>

#define FUZZ_NOW 1800000000
#define FUZZ_VALUE_MAX 4096

struct fuzz_court {
	uint8_t bytes[2][KEY_BYTES];
	char id[2][3];
	struct key key[2];
	struct keyring ring;
	struct judge *judge;
	struct fernet *f; /* the judge's own are another pair */
	struct format_scratch scratch;
	struct buf before, after;
};

static inline struct fuzz_court *
fuzz_court(void)
{
	static struct fuzz_court c;
	struct judge_options options = {
		.ring = &c.ring, .now = FUZZ_NOW, .run_start = 1, .seal = true};
	struct err err;

	if (c.judge)
		return &c;
	key_parse(c.bytes[0],
		slice_str("ynzvdTC3MSiFH8PCFO-gYkUuf-DZVE8KM86TOgc6wxc="));
	key_parse(c.bytes[1],
		slice_str("Q26gMfKal3CIN2MTgrHuHa53UrTZYEFCoXiNiySlQU8="));
	memcpy(c.id, "k1\0k2", sizeof(c.id));
	for (size_t i = 0; i < 2; i++)
		c.key[i] = (struct key){.id = c.id[i], .bytes = c.bytes[i]};
	c.ring = (struct keyring){
		.key = c.key, .count = 2, .primary = 1, .has_primary = true};
	if (judge_new(&c.judge, &options, &err) < 0 ||
		fernet_new(&c.f, &c.ring, &err) < 0)
		die(err.msg);
	format_scratch_init(&c.scratch, 1 << 20);
	buf_init_secret(&c.before, 1 << 20);
	buf_init_secret(&c.after, 1 << 20);
	return &c;
}

/* What the value holds; a raw one holds itself. */
static inline struct opening
fuzz_open(struct buf *ret, struct fuzz_court *c, const struct policy *p,
	enum carrier carrier, struct slice stored)
{
	struct opening o = {.result = OPENED_OK};
	struct envelope e;

	p->format->parse(&e, stored, carrier, &c->scratch);
	buf_reset(ret);
	if (e.kind == ENVELOPE_SEALED || e.kind == ENVELOPE_PLAINTEXT)
		return p->format->open(ret, &e, c->f, &c->ring, &c->scratch);
	assert(e.kind == ENVELOPE_RAW);
	buf_add(ret, stored.ptr, stored.len);
	return o;
}

static inline void
check_new_envelope(struct fuzz_court *c, const struct judgement *j,
	const struct policy *p, enum carrier carrier, struct slice stored)
{
	struct opening old, new;
	struct judgement again;
	struct err err;
	char *fresh = xmalloc(j->fresh.len);
	struct slice copy = slice_of(fresh, j->fresh.len);

	memcpy(fresh, j->fresh.ptr, j->fresh.len);
	old = fuzz_open(&c->before, c, p, carrier, stored);
	new = fuzz_open(&c->after, c, p, carrier, copy);
	assert(old.result == OPENED_OK && !old.lossy);
	assert(new.result == OPENED_OK &&new.canonical);
	if (p->nested == NESTED_KEEP || !j->nested) {
		assert(slice_eq(buf_slice(&c->before), buf_slice(&c->after)));
		assert(p->method == METHOD_PLAINTEXT ||
			new.time == (j->timed ? old.time : FUZZ_NOW));
	}
	assert(p->method == METHOD_PLAINTEXT || new.key == c->ring.primary);
	if (judge_value(&again, c->judge, p, carrier, copy, &err) < 0)
		die(err.msg);
	assert(again.verdict == VERDICT_CURRENT ||
		again.verdict == VERDICT_OVERSIZE || again.nested);
	free(fresh);
}

static inline void
check_judgement(const struct judgement *j, struct slice stored)
{
	assert(j->verdict > VERDICT_NULL && j->verdict < VERDICTS);
	assert(j->rewrite == (j->fresh.ptr != NULL));
	assert(j->verdict != VERDICT_CURRENT || !j->rewrite);
	assert((j->verdict == VERDICT_OVERSIZE) ==
		(stored.len > FUZZ_VALUE_MAX));
	assert(!j->unread || j->blocks);
	assert(j->nested || j->inner_key < 0);
	switch (j->verdict) {
	case VERDICT_UNKNOWN_KEY:
	case VERDICT_CORRUPT:
	case VERDICT_MALFORMED:
	case VERDICT_FOREIGN:
	case VERDICT_UNSUPPORTED:
	case VERDICT_OVERSIZE:
		assert(!j->rewrite && j->blocks && j->unread && j->what);
		break;
	case VERDICT_OLD:
	case VERDICT_PLAINTEXT:
		assert(j->rewrite);
		break;
	default:
		break;
	}
}

static inline void
fuzz_judge(const unsigned char *bytes, size_t len)
{
	struct fuzz_court *c = fuzz_court();
	unsigned choice = len ? bytes[0] : 0;
	struct slice stored = slice_of(bytes + (len > 0), len - (len > 0));
	const enum carrier carrier = (enum carrier)(choice % 3);
	const struct policy policy = {
		.format = formats[0],
		.method = (enum seal_method)(choice / 3 % 2),
		.raw = (enum raw_policy)(choice / 6 % 3),
		.nested = (enum nested_policy)(choice / 18 % 2),
		.max_value_bytes = FUZZ_VALUE_MAX,
	};
	struct judgement j;
	struct err err;

	if (judge_value(&j, c->judge, &policy, carrier, stored, &err) < 0)
		die(err.msg);
	check_judgement(&j, stored);
	if (j.rewrite)
		check_new_envelope(c, &j, &policy, carrier, stored);
}

#endif
