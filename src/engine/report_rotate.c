#include "json.h"
#include "report.h"
#include "report_int.h"
#include "text.h"

static void
add_head(struct buf *b, const struct outcome *outcome,
	const struct rotate_options *o)
{
	const struct key *k = &o->job.ring->key[o->job.ring->primary];

	if (o->dry_run)
		buf_adds(b, "dry run");
	else if (outcome->run)
		buf_addf(b, "run %lld%s", (long long)outcome->run,
			outcome->joined ? " (joined)" : "");
	else
		buf_adds(b, "no run");
	if (o->job.method == METHOD_FERNET)
		buf_addf(b, ": to primary %s (%s)", k->id, k->fingerprint);
	else
		buf_adds(b, ": back to plaintext");
	buf_addf(b, ", %.1f s\n\n", outcome->seconds);
}

/* Exactly what was proven, and what no proof from here can see. */
static void
add_proof(struct buf *b, const struct outcome *outcome,
	const struct rotate_options *o)
{
	const char *id = o->job.method == METHOD_FERNET
				 ? o->job.ring->key[o->job.ring->primary].id
				 : "plaintext";

	buf_adds(b, job_is_partial(&o->job)
			    ? "the selected tables are done: at "
			    : "complete: at ");
	report_time(b, outcome->finished);
	buf_addf(b,
		" no committed row\n"
		"of these columns carried another label than %s,\n"
		"and every transaction that had written before had ended.\n"
		"A writer that still seals with an old key, or writes back\n"
		"a value it read earlier, can create new ones.\n",
		id);
	if (job_is_partial(&o->job))
		buf_adds(b, "The run stays open for the other tables.\n");
}

static void
add_end(struct buf *b, const struct outcome *outcome,
	const struct rotate_options *o, int status)
{
	buf_adds(b, "\n");
	if (outcome->note[0]) {
		text_name(b, outcome->note);
		buf_addc(b, '\n');
	}
	switch (status) {
	case ERR_NONE:
		if (o->dry_run)
			buf_adds(b, "a rotation would succeed on every value; "
				    "nothing was written\n");
		else
			add_proof(b, outcome, o);
		break;
	case ERR_FINDINGS:
		buf_adds(b, o->dry_run ? "nothing was written; what is listed "
					 "would be left as it is\n"
				       : "finished, but what is listed was "
					 "left as it is\n");
		break;
	case ERR_STOPPED:
		buf_adds(b, "not finished: run the same command again to "
			    "continue\n");
		break;
	case ERR_INCONCLUSIVE:
		buf_adds(b, "inconclusive: nothing is left to see, but an open "
			    "transaction could still\ncommit an old value; run "
			    "the same command again when it has ended\n");
		break;
	default:
		break;
	}
}

void
report_rotate_text(struct buf *ret, const struct outcome *outcome,
	const struct rotate_options *o, int status)
{
	add_head(ret, outcome, o);
	report_columns(ret, outcome, &o->job);
	report_findings(ret, outcome);
	add_end(ret, outcome, o, status);
}

void
report_rotate_json(struct buf *ret, const struct outcome *outcome,
	const struct rotate_options *o, int status)
{
	struct json j;

	json_init(&j, ret);
	json_object(&j, NULL);
	report_json_head(&j, "rotate", &o->job, outcome, status);
	json_bool(&j, "dry_run", o->dry_run);
	json_bool(&j, "partial", job_is_partial(&o->job));
	report_json_tables(&j, &o->job, outcome, true);
	report_json_findings(&j, outcome);
	json_end(&j, '}');
	buf_addc(ret, '\n');
}
