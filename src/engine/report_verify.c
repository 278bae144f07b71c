#include "report.h"
#include "report_int.h"
#include "text.h"

static const char *
scope(const struct verify_options *o)
{
	if (o->quick)
		return "labels only";
	if (o->sample > 0)
		return "sample";
	return o->snapshot_range ? "snapshot per range" : "one snapshot";
}

/* -- for people ------------------------------------------------------------ */

static void
add_head(struct buf *b, const struct verify_outcome *outcome,
	const struct verify_options *o)
{
	const struct key *k = &o->job.ring->key[o->job.ring->primary];

	buf_adds(b, "verify: ");
	if (o->job.method == METHOD_FERNET)
		buf_addf(b, "primary %s (%s)", k->id, k->fingerprint);
	else
		buf_adds(b, "plaintext");
	buf_addf(b, ", %s", scope(o));
	if (o->sample > 0)
		buf_addf(b, " of %g %%", o->sample);
	buf_addf(b, "%s%s, %.1f s\n\n",
		job_is_partial(&o->job) ? ", the selected tables alone" : "",
		outcome->standby ? ", as replayed by a standby" : "",
		outcome->facts.seconds);
}

static void
add_retired(struct buf *b, const struct verify_outcome *outcome,
	const struct verify_options *o)
{
	for (size_t i = 0; i < o->retires; i++) {
		buf_addf(b, "\nkey %s: ", o->job.ring->key[o->retire[i]].id);
		if (outcome->retired[i] == 0) {
			buf_adds(b, "no value that was read needs it");
			continue;
		}
		text_count(b, outcome->retired[i], "value needs it",
			"values need it");
	}
	if (o->retires > 0 && outcome->unread > 0) {
		buf_adds(b, "\n");
		text_count(b, outcome->unread,
			"value could not be read: any key may be under it",
			"values could not be read: any key may be under them");
	}
	buf_adds(b, o->retires > 0 ? "\n" : "");
}

static const char unseen[] =
	"Not seen: backups, WAL archives, replicas, dead rows, other\n"
	"databases, columns that are not configured (pgrekey discover), and "
	"what a\nwriter that still seals with an old key will write next.\n";

static void
add_inconclusive(struct buf *b, const struct verify_outcome *outcome,
	const struct verify_options *o)
{
	buf_adds(b, "inconclusive: ");
	if (o->quick)
		buf_adds(b, "labels prove nothing about what opens\n");
	else if (o->sample > 0)
		buf_adds(b, "a sample proves nothing about the rest\n");
	else if (o->snapshot_range)
		buf_adds(b, "a row can hop from one snapshot to the next "
			    "and be seen by none\n");
	if (!outcome->writers[0])
		return;
	text_name(b, outcome->writers);
	buf_adds(b, " wrote before the snapshot and may commit an old value; "
		    "run it again later\n");
}

static void
add_end(struct buf *b, const struct verify_outcome *outcome,
	const struct verify_options *o, int status)
{
	buf_adds(b, "\n");
	switch (status) {
	case ERR_NONE:
		buf_adds(b, o->retires > 0 ? "unused: every value opens, and "
					     "none needs what was asked about."
					   : "clean: every value opens and is "
					     "as it should be.");
		buf_addc(b, '\n');
		buf_adds(b, unseen);
		break;
	case ERR_FINDINGS:
		buf_adds(b, o->retires > 0 ? "not unused\n" : "not clean\n");
		break;
	case ERR_STOPPED:
		text_name(b, outcome->facts.note);
		buf_adds(b, ": nothing is proven\n");
		break;
	case ERR_INCONCLUSIVE:
		add_inconclusive(b, outcome, o);
		break;
	default:
		break;
	}
}

void
report_verify_text(struct buf *ret, const struct verify_outcome *outcome,
	const struct verify_options *o, int status)
{
	add_head(ret, outcome, o);
	report_columns(ret, &outcome->facts, &o->job);
	add_retired(ret, outcome, o);
	report_findings(ret, &outcome->facts);
	add_end(ret, outcome, o, status);
}

/* -- for programs ---------------------------------------------------------- */

static void
add_json_retired(struct json *j, const struct verify_outcome *outcome,
	const struct verify_options *o)
{
	json_object(j, "retire");
	for (size_t i = 0; i < o->retires; i++)
		json_int(j, o->job.ring->key[o->retire[i]].id,
			outcome->retired[i]);
	json_end(j, '}');
	json_int(j, "unread", outcome->unread);
}

void
report_verify_json(struct buf *ret, const struct verify_outcome *outcome,
	const struct verify_options *o, int status)
{
	struct json j;

	json_init(&j, ret);
	json_object(&j, NULL);
	report_json_head(&j, "verify", &o->job, &outcome->facts, status);
	json_string(&j, "scope", scope(o));
	if (o->sample > 0)
		json_real(&j, "sample", o->sample, 3);
	json_bool(&j, "partial", job_is_partial(&o->job));
	json_bool(&j, "standby", outcome->standby);
	if (outcome->writers[0])
		json_string(&j, "writers", outcome->writers);
	if (o->retires > 0)
		add_json_retired(&j, outcome, o);
	report_json_tables(&j, &o->job, &outcome->facts, false);
	report_json_findings(&j, &outcome->facts);
	if (outcome->discovered) {
		json_object(&j, "discover");
		report_json_discovered(&j, outcome->discovered);
		json_end(&j, '}');
	}
	json_end(&j, '}');
	buf_addc(ret, '\n');
}
