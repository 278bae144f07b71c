#include "command.h"
#include "json.h"
#include "keys_int.h"
#include "log.h"
#include "output_int.h"

#define REPORT_MAX (4 * 1024 * 1024)

static const char no_primary[] =
	"no primary key is configured: rotate, verify and check need one";

static bool
is_primary(const struct key *key, const char *primary)
{
	return primary && !strcmp(primary, key->id);
}

static void
add_json_key(struct json *j, const struct key *key, const char *primary)
{
	json_object(j, NULL);
	json_string(j, "id", key->id);
	json_string(j, "fingerprint", key->fingerprint);
	json_bool(j, "primary", is_primary(key, primary));
	if (key->weakness)
		json_string(j, "weakness", key->weakness);
	json_end(j, '}');
}

static void
add_json_ring(struct json *j, const struct keyring *ring, const char *primary)
{
	size_t warnings = ring ? ring->warnings : 0;
	size_t keys = ring ? ring->count : 0;

	json_array(j, "keys");
	for (size_t i = 0; i < keys; i++)
		add_json_key(j, &ring->key[i], primary);
	json_end(j, ']');
	json_array(j, "warnings");
	for (size_t i = 0; i < warnings; i++)
		json_string(j, NULL, ring->warning[i]);
	if (!primary)
		json_string(j, NULL, no_primary);
	json_end(j, ']');
}

/* why is NULL when nothing stands in the way of the ring as a whole. */
static void
add_json_problems(
	struct json *j, const struct keyring *ring, const struct err *why)
{
	json_array(j, "problems");
	for (size_t i = 0; ring && i < ring->problems; i++)
		json_string(j, NULL, ring->problem[i].msg);
	if (why)
		json_string(j, NULL, why->msg);
	json_end(j, ']');
}

/* ring is NULL when the directory could not be read at all. */
static void
add_json(struct buf *out, const struct keyring *ring, const char *primary,
	const struct err *why)
{
	bool good = ring && ring->problems == 0 && !why;
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	json_int(&j, "schema", 1);
	json_string(&j, "command", "keys");
	if (primary)
		json_string(&j, "primary", primary);
	else
		json_null(&j, "primary");
	json_int(&j, "exit", good ? ERR_NONE : ERR_KEYS);
	add_json_ring(&j, ring, primary);
	add_json_problems(&j, ring, why);
	json_end(&j, '}');
	buf_addc(out, '\n');
}

static void
add_text(struct buf *out, const struct keyring *ring, const char *primary)
{
	int width = (int)strlen("key");

	for (size_t i = 0; i < ring->count; i++) {
		int len = (int)strlen(ring->key[i].id);

		width = len > width ? len : width;
	}
	buf_addf(out, "%-*s  fingerprint\n", width, "key");
	for (size_t i = 0; i < ring->count; i++) {
		const struct key *key = &ring->key[i];

		buf_addf(out, "%-*s  %s", width, key->id, key->fingerprint);
		if (is_primary(key, primary))
			buf_adds(out, "     primary");
		if (key->weakness)
			buf_addf(out, "     weak: %s", key->weakness);
		buf_addc(out, '\n');
	}
}

/* The last problem ends the program, as any other does. */
static int
tell_problems(const struct keyring *ring, struct err *err)
{
	if (ring->problems == 0)
		return 0;
	for (size_t i = 0; i + 1 < ring->problems; i++)
		log_err(&ring->problem[i]);
	*err = ring->problem[ring->problems - 1];
	return -1;
}

static int
keys(const struct config *config, const struct keyring *none, struct err *err)
{
	struct keyring *ring = NULL;
	struct buf out;
	int rc;

	(void)none; /* a ring that cannot be loaded is what we report */
	buf_init(&out, REPORT_MAX);
	rc = keys_survey(&ring, config, err);
	if (rc == 0)
		rc = keys_check_lock(config, err);
	if (config->output == OUTPUT_JSON)
		add_json(&out, ring, config->primary, rc < 0 ? err : NULL);
	else if (ring && ring->count > 0)
		add_text(&out, ring, config->primary);
	output_write(&out);
	output_flush();
	if (!config->primary)
		log_warning("%s", no_primary);
	if (ring) {
		keys_log_warnings(ring);
		rc = rc == 0 ? tell_problems(ring, err) : rc;
	}
	buf_done(&out);
	keyring_free(ring);
	return rc;
}

const struct command cmd_keys = {
	.name = "keys",
	.needs = NEED_KEY_DIR,
	.summary = "list the keys and what is wrong with them",
	.details = "Lists ids and fingerprints of the keys in the key "
		   "directory, marks the primary, and says all that is wrong "
		   "with them. What would keep a command from using them is "
		   "exit status 3; the rest are warnings.",
	.run = keys,
};
