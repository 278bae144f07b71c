/*
 * What a run is, and who starts it: two starts with the same target join.
 */
#include "digest.h"
#include "engine_int.h"
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

static void
add_part(struct buf *b, const char *part)
{
	buf_addf(b, "%zu:%s;", strlen(part), part);
}

static char *
target_digest(const struct rotate_options *o)
{
	const struct key *primary = &o->job.ring->key[o->job.ring->primary];
	char hex[DIGEST_HEX + 1];
	struct buf b;

	buf_init(&b, (size_t)1 << 24);
	add_part(&b, primary->id);
	add_part(&b, primary->fingerprint);
	buf_addf(&b, "%d;", o->job.method);
	for (size_t i = 0; i < o->job.targets; i++) {
		const struct target *t = &o->job.target[i];

		add_part(&b, t->schema);
		add_part(&b, t->table);
		add_part(&b, t->policy.format->name);
		add_part(&b, t->where ? t->where : "");
		buf_addf(&b, "%d;%d;", t->policy.raw, t->policy.nested);
		for (size_t c = 0; c < t->columns; c++)
			add_part(&b, t->column[c]);
	}
	digest_hex(hex, buf_slice(&b));
	buf_done(&b);
	return xstrdup(hex);
}

static char *
os_user(void)
{
	struct passwd entry, *found = NULL;
	char text[4096];

	if (getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) == 0 &&
		found)
		return xstrdup(found->pw_name);
	return xasprintf("%lu", (unsigned long)geteuid());
}

static char *
host_name(void)
{
	char name[256];

	if (gethostname(name, sizeof(name)) != 0)
		return xstrdup("?");
	name[sizeof(name) - 1] = '\0';
	return xstrdup(name);
}

void
spec_make(struct run_spec *ret, const struct rotate_options *o,
	const struct catalog *catalog)
{
	*ret = (struct run_spec){
		.target = target_digest(o),
		.ring = o->job.ring,
		.method =
			o->job.method == METHOD_FERNET ? "fernet" : "plaintext",
		.catalog = catalog,
		.host = host_name(),
		.os_user = os_user(),
		.version = o->job.version,
		.os_pid = getpid(),
		.no_join = o->no_join,
	};
}

void
spec_done(struct run_spec *spec)
{
	free(spec->target);
	free(spec->host);
	free(spec->os_user);
}
