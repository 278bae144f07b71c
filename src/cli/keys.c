#include "keys_int.h"
#include "log.h"
#include "secret.h"

#define IDS_MAX 400

int
keys_need_directory(const struct config *c, struct err *err)
{
	if (c->key_directory)
		return 0;
	err_set(err, ERR_KEYS, "no key directory is configured");
	return err_hint(err, "set directory in [keys], or "
			     "DATABASE_ENCRYPTION_FERNET_KEYS_LOCATION");
}

static int
load(struct keyring **ret, const struct config *c, const char *primary,
	bool survey, struct err *err)
{
	struct keyring_options options = {
		.directory = c->key_directory,
		.primary = primary,
		.ignore = (const char *const *)c->key_ignore,
		.strict_permissions = c->strict_permissions,
		.pins = (const char *const *)c->pins,
		.survey = survey,
	};

	return keyring_load(ret, &options, err);
}

/* The ids help to see what was meant. */
static int
refuse_no_primary(const struct config *c, struct err *err)
{
	struct keyring *ring = NULL;
	struct buf ids;

	if (load(&ring, c, NULL, false, err) < 0)
		return -1;
	buf_init(&ids, IDS_MAX);
	for (size_t i = 0; i < ring->count; i++)
		buf_addf(&ids, "%s%s", i ? ", " : "", ring->key[i].id);
	err_set(err, ERR_KEYS, "no primary key is configured");
	err_hint(err, "set primary in [keys]; known key ids: %s%s",
		buf_str(&ids), buf_over(&ids) ? ", ..." : "");
	buf_done(&ids);
	keyring_free(ring);
	return -1;
}

int
keys_check_lock(const struct config *c, struct err *err)
{
	if (!c->require_locked_memory || secret_state().keys_locked)
		return 0;
	err_set(err, ERR_KEYS, "the memory of keys cannot be locked");
	return err_hint(err, "raise the limit of locked memory (ulimit -l, "
			     "LimitMEMLOCK=), or set require_locked_memory = "
			     "no");
}

int
keys_load(struct keyring **ret, const struct config *c, bool primary,
	struct err *err)
{
	struct keyring *ring = NULL;

	if (keys_need_directory(c, err) < 0)
		return -1;
	if (primary && !c->primary)
		return refuse_no_primary(c, err);
	if (load(&ring, c, primary ? c->primary : NULL, false, err) < 0)
		return -1;
	if (keys_check_lock(c, err) < 0) {
		keyring_free(ring);
		return -1;
	}
	*ret = ring;
	return 0;
}

int
keys_survey(struct keyring **ret, const struct config *c, struct err *err)
{
	return load(ret, c, c->primary, true, err);
}

void
keys_log_warnings(const struct keyring *ring)
{
	for (size_t i = 0; i < ring->warnings; i++)
		log_warning("%s", ring->warning[i]);
	if (!secret_state().keys_locked)
		log_warning("the memory of keys is not locked: they could be "
			    "swapped out");
}
