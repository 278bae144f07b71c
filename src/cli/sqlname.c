#include "buf.h"
#include "sqlname_int.h"
#include "value_int.h"
#include <stdlib.h>

#define BLANKS " \t"

/* As the server's scanner: any byte of a multi-byte character is a letter. */
static bool
is_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (c & 0x80) != 0;
}

static bool
is_inside(char c)
{
	return is_start(c) || (c >= '0' && c <= '9') || c == '$';
}

/* Both take the name off the front of *text. */
static int
take_quoted(struct buf *name, const char **text, struct err *err)
{
	const char *p = *text + 1;

	for (;; p++) {
		if (*p == '\0')
			return err_set(err, ERR_USAGE,
				"a quoted name must end with a quote");
		if (*p == '"' && p[1] != '"')
			break;
		if (*p == '"')
			p++;
		buf_addc(name, *p);
	}
	*text = p + 1;
	return 0;
}

static int
take_plain(struct buf *name, const char **text, struct err *err)
{
	const char *p = *text;

	if (!is_start(*p)) {
		err_set(err, ERR_USAGE, "must be a name of SQL");
		return err_hint(err, "a name with other characters than "
				     "letters, digits, _ and $ is written in "
				     "double quotes");
	}
	for (; is_inside(*p); p++) {
		bool upper = *p >= 'A' && *p <= 'Z';

		buf_addc(name, upper ? (char)(*p - 'A' + 'a') : *p);
	}
	*text = p;
	return 0;
}

/* One name and the blanks around it. */
static int
take_name(char **ret, const char **text, struct err *err)
{
	struct buf name;
	int rc = -1;

	buf_init(&name, SQLNAME_MAX);
	*text += strspn(*text, BLANKS);
	if (**text == '"')
		rc = take_quoted(&name, text, err);
	else
		rc = take_plain(&name, text, err);
	if (rc < 0)
		goto out;
	*text += strspn(*text, BLANKS);
	if (buf_over(&name))
		rc = err_set(err, ERR_USAGE,
			"a name of SQL has at most %d bytes", SQLNAME_MAX);
	else if (name.len == 0)
		rc = err_set(err, ERR_USAGE, "a name of SQL cannot be empty");
	else
		*ret = xstrdup(buf_str(&name));
out:
	buf_done(&name);
	return rc;
}

static int
refuse_rest(const char *rest, struct err *err)
{
	if (*rest == '\0')
		return 0;
	err_set(err, ERR_USAGE, "something follows the name");
	return err_hint(err, "a name with other characters than letters, "
			     "digits, _ and $ is written in double quotes");
}

int
sqlname_parse(char **ret, const char *text, struct err *err)
{
	char *name = NULL;

	if (take_name(&name, &text, err) < 0)
		return -1;
	if (refuse_rest(text, err) < 0) {
		free(name);
		return -1;
	}
	*ret = name;
	return 0;
}

int
sqlname_parse_table(
	char **schema, char **table, const char *text, struct err *err)
{
	char *first = NULL, *second = NULL;
	int rc = -1;

	if (take_name(&first, &text, err) < 0)
		goto out;
	if (*text == '.') {
		text++;
		if (take_name(&second, &text, err) < 0)
			goto out;
	}
	if (refuse_rest(text, err) < 0)
		goto out;
	*schema = second ? first : xstrdup("public");
	*table = second ? second : first;
	first = second = NULL;
	rc = 0;
out:
	free(first);
	free(second);
	return rc;
}

int
sqlname_parse_list(char ***list, const char *text, struct err *err)
{
	for (;;) {
		char *name = NULL;

		if (take_name(&name, &text, err) < 0)
			return -1;
		list_add(list, name);
		if (*text != ',')
			return refuse_rest(text, err);
		text++;
	}
}
