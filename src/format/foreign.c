/*
 * Envelopes of other systems, known by how they begin. Sealing one of them
 * would encrypt a secret twice, and then only we could read it.
 */
#include "base64.h"
#include "format_int.h"

static const struct {
	const char *begins;
	const char *also; /* and has this somewhere behind, or NULL */
	const char *whose;
} known[] = {
	{"enc:", NULL, "an envelope with an unknown marker"},
	{"vault:v", ":", "HashiCorp Vault transit"},
	{"v1.aesgcm256.", NULL, "prisma-field-encryption"},
	{"v1.aesgcm128.", NULL, "prisma-field-encryption"},
	{"eyJpdiI6", NULL, "Laravel"},
	{"{\"iv\":", "\"mac\":", "Laravel, decoded"},
	{"{\"p\":", "\"iv\":", "Rails Active Record Encryption"},
	{"{\"h\":", "\"iv\":", "Rails Active Record Encryption"},
	{"U2FsdGVkX1", NULL, "OpenSSL salted"},
	{"Salted__", NULL, "OpenSSL salted, decoded"},
	{"QEVuQ", NULL, "symmetric-encryption"},
	{"$ANSIBLE_VAULT;", NULL, "Ansible Vault"},
	{"-----BEGIN PGP MESSAGE-----", NULL, "PGP"},
	{"-----BEGIN AGE ENCRYPTED FILE-----", NULL, "age"},
	{"age-encryption.org/v1", NULL, "age"},
};

static bool
has_behind(struct slice value, const char *begins, const char *text)
{
	struct slice rest = slice_skip(value, strlen(begins));

	return memmem(rest.ptr, rest.len, text, strlen(text)) != NULL;
}

/* Begins with 0x80 and a time before the year 4147, and is base64url. */
static bool
is_bare_fernet(struct slice value)
{
	unsigned char head[BASE64_DECODED_MAX(100)];

	if (value.len < 100 || !slice_starts(value, "gAAAA"))
		return false;
	return base64_decode(head, slice_of(value.ptr, 96), BASE64_URL) > 0;
}

const char *
foreign_envelope(struct slice value)
{
	if (is_bare_fernet(value))
		return "bare Fernet token";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (slice_starts(value, known[i].begins) &&
			(!known[i].also || has_behind(value, known[i].begins,
						   known[i].also)))
			return known[i].whose;
	}
	return NULL;
}
