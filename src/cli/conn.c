#include "conn_int.h"
#include "pg.h"
#include "value_int.h"

bool
conn_is_secret(const char *keyword)
{
	static const char *const parts[] = {
		"password", "passwd", "secret", "scram_client_key", NULL};

	for (const char *const *part = parts; *part; part++) {
		if (strcasestr(keyword, *part))
			return true;
	}
	return false;
}

/* scheme://user:password@host, where libpq looks for it, and a bit further:
 * a password may hold a slash that should have been escaped. */
static bool
uri_has_password(const char *text)
{
	const char *start = strstr(text, "://");
	const char *at, *colon;

	if (!start)
		return false;
	start += 3;
	at = memchr(start, '@', strcspn(start, "/"));
	if (!at)
		at = memchr(start, '@', strcspn(start, "?#"));
	if (!at)
		return false;
	colon = strchr(start, ':');
	return colon && colon < at;
}

/* password=... as a parameter of either form, sslpassword=... included. */
bool
conn_has_password(const char *text)
{
	static const char *const words[] = {"password", "passwd", NULL};

	if (uri_has_password(text))
		return true;
	for (const char *const *word = words; *word; word++) {
		const char *p = text;

		while ((p = strcasestr(p, *word))) {
			p += strlen(*word);
			if (p[strspn(p, " \t")] == '=')
				return true;
		}
	}
	return false;
}

bool
conn_is_known(const char *keyword)
{
	char **known = pg_keywords_new();
	bool found = !strcmp(keyword, "uri") || conn_is_secret(keyword);

	for (char **k = known; *k && !found; k++)
		found = !strcmp(*k, keyword);
	list_free(known);
	return found;
}

int
conn_hint_password(struct err *err)
{
	return err_hint(err,
		"give the password in a passfile (~/.pgpass, 0600) or a "
		"service file");
}

int
conn_store(struct config *c, const char *keyword, const char *value,
	struct err *err)
{
	if (conn_is_secret(keyword) || conn_has_password(value)) {
		err_set(err, ERR_USAGE, "a password has no place here");
		return conn_hint_password(err);
	}
	list_add(&c->conn_keyword,
		xstrdup(!strcmp(keyword, "uri") ? "dbname" : keyword));
	list_add(&c->conn_value, xstrdup(value));
	return 0;
}
