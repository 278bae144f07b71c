#include "judge_int.h"

/* Envelopes within envelopes that are followed; deeper ones are left alone. */
#define NESTED_MAX 8

const struct keyring *
judge_ring(const struct judge *j)
{
	return j->options.ring;
}

static bool
is_primary(const struct judge *j, size_t key)
{
	const struct keyring *ring = j->options.ring;

	return ring->has_primary && key == ring->primary;
}

static uint32_t
watched(const struct judge *j, size_t key)
{
	return j->options.watch ? j->options.watch[key] : 0;
}

/* -- verdicts -------------------------------------------------------------- */

static void
leave(struct judgement *ret, enum verdict verdict, const char *what)
{
	ret->verdict = verdict;
	ret->blocks = true;
	ret->unread = true;
	ret->what = what;
}

static void
judge_raw(struct judgement *ret, const struct policy *policy)
{
	ret->verdict = VERDICT_RAW;
	ret->clear = true;
	ret->rewrite = policy->raw == RAW_ENCRYPT;
	ret->blocks = policy->raw == RAW_REPORT;
}

/* Authentic, but a strict decoder refuses it. Rewriting a lossy spelling would
 * drop what the lenient decoder ignored, perhaps a second secret. */
static void
judge_lenient(struct judgement *ret, const struct opening *o)
{
	ret->verdict = VERDICT_NONCANONICAL;
	ret->what = o->what;
	ret->rewrite = !o->lossy;
	ret->blocks = ret->unread = o->lossy;
}

static void
judge_plaintext(struct judgement *ret, const struct policy *policy,
	const struct opening *o)
{
	ret->clear = true;
	if (o->result != OPENED_OK) {
		leave(ret, VERDICT_MALFORMED, o->what);
	} else if (o->lenient) {
		judge_lenient(ret, o);
	} else if (policy->method == METHOD_PLAINTEXT) {
		ret->verdict = VERDICT_CURRENT;
	} else {
		ret->verdict = VERDICT_PLAINTEXT;
		ret->rewrite = true;
	}
}

static void
judge_opened(struct judgement *ret, struct judge *j,
	const struct policy *policy, const struct envelope *e,
	const struct opening *o)
{
	const struct keyring *ring = j->options.ring;
	bool primary = is_primary(j, o->key);

	ret->key = (long)o->key;
	ret->watched = watched(j, o->key);
	ret->timed = true;
	ret->time = o->time;
	ret->mislabelled =
		!slice_eq(e->key_id, slice_str(ring->key[o->key].id));
	ret->late = !primary && o->time > j->options.run_start &&
		    policy->method == METHOD_FERNET;
	if (o->lenient) {
		judge_lenient(ret, o);
	} else if (policy->method == METHOD_PLAINTEXT || !primary ||
		   ret->mislabelled) {
		ret->verdict = VERDICT_OLD;
		ret->rewrite = true;
	} else if (!o->canonical) { /* one layer of base64 instead of two */
		ret->verdict = VERDICT_NONCANONICAL;
		ret->what = "one layer of base64";
		ret->rewrite = true;
	} else {
		ret->verdict = VERDICT_CURRENT;
	}
}

static void
judge_sealed(struct judgement *ret, struct judge *j,
	const struct policy *policy, const struct envelope *e,
	const struct opening *o)
{
	buf_reset(&j->label);
	buf_add(&j->label, e->key_id.ptr, e->key_id.len);
	ret->label = buf_slice(&j->label);
	switch (o->result) {
	case OPENED_OK:
		judge_opened(ret, j, policy, e, o);
		break;
	case OPENED_UNKNOWN:
		leave(ret, VERDICT_UNKNOWN_KEY,
			keyring_find(j->options.ring, e->key_id) < 0
				? "its key is not in the keyring"
				: "damaged, or labelled with the wrong key");
		break;
	case OPENED_CORRUPT:
		ret->key = (long)o->key;
		ret->watched = watched(j, o->key);
		leave(ret, VERDICT_CORRUPT, o->what);
		break;
	case OPENED_MALFORMED:
		leave(ret, VERDICT_MALFORMED, o->what);
		break;
	}
}

/* -- nested envelopes ------------------------------------------------------ */

/* Opens the envelope that the plaintext is, into plain. */
static bool
descend(struct judge *j, const struct policy *policy, enum carrier carrier,
	struct opening *o, enum envelope_kind *kind)
{
	struct envelope e;
	struct buf swap;

	policy->format->parse_inner(
		&e, buf_slice(&j->plain), carrier, &j->inner);
	*kind = e.kind;
	if (e.kind != ENVELOPE_SEALED && e.kind != ENVELOPE_PLAINTEXT)
		return false;
	*o = policy->format->open(
		&j->deeper, &e, j->work, j->options.ring, &j->inner);
	if (o->result != OPENED_OK || o->lossy)
		return true;
	swap = j->plain;
	j->plain = j->deeper;
	j->deeper = swap;
	return true;
}

/* Walks down as far as it goes. Leaves the innermost plaintext in j->plain
 * when everything opened, which *whole tells. */
static void
judge_nested(struct judgement *ret, struct judge *j,
	const struct policy *policy, enum carrier carrier, bool *whole)
{
	struct opening o = {0};
	enum envelope_kind kind;

	*whole = true;
	for (int depth = 0; descend(j, policy, carrier, &o, &kind); depth++) {
		ret->nested = true;
		if (kind == ENVELOPE_SEALED &&
			(o.result == OPENED_OK || o.result == OPENED_CORRUPT))
			ret->watched |= watched(j, o.key);
		if (o.result != OPENED_OK || o.lossy || depth == NESTED_MAX) {
			*whole = false;
			ret->unread = true;
			break;
		}
		if (kind != ENVELOPE_SEALED)
			continue;
		ret->timed = true;
		ret->time = o.time;
		if (ret->inner_key < 0 && !is_primary(j, o.key))
			ret->inner_key = (long)o.key;
	}
}

/* -- the new envelope ------------------------------------------------------ */

/* The promise that nothing unreadable is ever sent: a context that has nothing
 * to do with the one that sealed opens it, as a stranger would. */
static int
check_fresh(struct judge *j, const struct policy *policy,
	const struct sealing *x, struct err *err)
{
	const struct keyring *ring = j->options.ring;
	struct envelope e;
	struct opening o;
	bool same;

	policy->format->parse(&e, buf_slice(&j->fresh), x->carrier, &j->inner);
	if (e.kind == ENVELOPE_SEALED || e.kind == ENVELOPE_PLAINTEXT) {
		o = policy->format->open(
			&j->again, &e, j->check, ring, &j->inner);
		same = policy->method == METHOD_PLAINTEXT
			       ? e.kind == ENVELOPE_PLAINTEXT
			       : o.key == x->key && o.time == x->time &&
					 slice_eq(e.key_id,
						 slice_str(
							 ring->key[x->key].id));
		if (o.result == OPENED_OK && o.canonical && same &&
			slice_eq(buf_slice(&j->again), x->plain))
			return 0;
	}
	return err_set(err, ERR_BUG,
		"self-check: a new envelope does not open to what was sealed");
}

/* What is above the limit is left alone from then on, also by the next rotation
 * and by who wants to read it: so nothing may grow above it. */
static bool
outgrows(const struct judge *j, const struct policy *policy,
	enum carrier carrier)
{
	return policy->format->text_length(buf_slice(&j->fresh), carrier) >
	       policy->max_value_bytes;
}

static int
make_fresh(struct judgement *ret, struct judge *j, const struct policy *policy,
	enum carrier carrier, struct err *err)
{
	const struct keyring *ring = j->options.ring;
	struct sealing x = {
		.plain = buf_slice(&j->plain),
		.carrier = carrier,
		.key = ring->primary,
		.time = ret->timed ? ret->time : j->options.now,
	};

	if (policy->method == METHOD_PLAINTEXT) {
		policy->format->mark(&j->fresh, x.plain, carrier);
	} else {
		if (iv_take(&j->ivs, x.iv) < 0)
			return err_set(err, ERR_BUG,
				"the random generator of the system failed");
		if (policy->format->seal(
			    &j->fresh, &x, j->work, ring, &j->scratch) < 0)
			return err_set(err, ERR_BUG, "cannot seal a value");
	}
	if (check_fresh(j, policy, &x, err) < 0)
		return -1;
	if (outgrows(j, policy, carrier)) {
		ret->rewrite = false;
		ret->blocks = true;
		ret->what = "its new envelope would be over max_value_bytes";
		return 0;
	}
	ret->fresh = buf_slice(&j->fresh);
	return 0;
}

/* -- one value ------------------------------------------------------------- */

/* The verdict; on return j->plain holds what a new envelope would seal. */
static void
judge_stored(struct judgement *ret, struct judge *j,
	const struct policy *policy, enum carrier carrier, struct slice stored)
{
	struct envelope e;
	struct opening o;

	policy->format->parse(&e, stored, carrier, &j->scratch);
	switch (e.kind) {
	case ENVELOPE_RAW:
		judge_raw(ret, policy);
		if (ret->rewrite && j->options.seal)
			buf_add(&j->plain, stored.ptr, stored.len);
		break;
	case ENVELOPE_FOREIGN:
		ret->clear = true;
		leave(ret, VERDICT_FOREIGN, e.what);
		break;
	case ENVELOPE_UNSUPPORTED:
		leave(ret, VERDICT_UNSUPPORTED, e.what);
		break;
	case ENVELOPE_MALFORMED:
		leave(ret, VERDICT_MALFORMED, e.what);
		break;
	case ENVELOPE_PLAINTEXT:
	case ENVELOPE_SEALED:
		o = policy->format->open(
			&j->plain, &e, j->work, j->options.ring, &j->scratch);
		if (e.kind == ENVELOPE_PLAINTEXT)
			judge_plaintext(ret, policy, &o);
		else
			judge_sealed(ret, j, policy, &e, &o);
		break;
	}
}

/* Follows a plaintext that is an envelope itself. */
static void
judge_inside(struct judgement *ret, struct judge *j,
	const struct policy *policy, enum carrier carrier, struct buf *outer)
{
	uint64_t time = ret->time;
	bool timed = ret->timed;
	struct envelope e;
	bool whole;

	policy->format->parse_inner(
		&e, buf_slice(&j->plain), carrier, &j->inner);
	if (e.kind != ENVELOPE_SEALED && e.kind != ENVELOPE_PLAINTEXT)
		return; /* nearly always; spares the copy */
	buf_add(outer, j->plain.ptr, j->plain.len);
	judge_nested(ret, j, policy, carrier, &whole);
	if (ret->nested && whole && policy->nested == NESTED_UNWRAP &&
		!ret->blocks) {
		if (ret->verdict == VERDICT_CURRENT)
			ret->verdict = VERDICT_NONCANONICAL;
		ret->rewrite = true;
		ret->what = "an envelope within an envelope";
		return;
	}
	if (ret->nested && (!whole || ret->inner_key >= 0)) {
		ret->blocks = true;
		if (!ret->what)
			ret->what = "holds an envelope of another key";
	}
	ret->time = time;
	ret->timed = timed;
	buf_reset(&j->plain);
	buf_add(&j->plain, outer->ptr, outer->len);
}

int
judge_value(struct judgement *ret, struct judge *j, const struct policy *policy,
	enum carrier carrier, struct slice stored, struct err *err)
{
	int rc = 0;

	*ret = (struct judgement){.key = -1, .inner_key = -1};
	if (stored.len > policy->max_value_bytes) {
		leave(ret, VERDICT_OVERSIZE, "over max_value_bytes");
		return 0;
	}
	judge_stored(ret, j, policy, carrier, stored);
	if (j->plain.len > 0 && ret->verdict != VERDICT_RAW)
		judge_inside(ret, j, policy, carrier, &j->again);
	if (ret->rewrite && j->options.seal)
		rc = make_fresh(ret, j, policy, carrier, err);
	buf_reset(&j->plain);
	buf_reset(&j->deeper);
	buf_reset(&j->again);
	buf_reset(&j->scratch.string);
	buf_reset(&j->inner.string);
	return rc;
}
