/*
 * Opens, seals and decodes at a test's command: one line in, one line out.
 * Arguments are separated by one blank; bytes are in hex. Test keys only.
 *
 *	seal KEY SECONDS IV PLAIN	the token as text
 *	open KEY TOKEN			"ok SECONDS PLAIN", forged, corrupt, no
 *	encode ALPHABET BYTES		the text; ALPHABET is std or url
 *	strict ALPHABET TEXT		"ok BYTES" or no
 *	lenient ALPHABET TEXT		"ok BYTES NOTES" or no
 *	key TEXT			"ok BYTES", or what is wrong
 */
#include "base64.h"
#include "fernet.h"
#include "hex.h"
#include <inttypes.h>

#define ARGUMENTS 4

static void
print_ok(struct slice bytes)
{
	fputs("ok ", stdout);
	print_hex(bytes);
}

static struct fernet *
with_key(const char *text)
{
	static uint8_t bytes[KEY_BYTES];
	struct key key = {.id = NULL, .bytes = bytes};
	struct keyring ring = {.key = &key, .count = 1};
	struct fernet *f;
	struct err err;

	if (key_parse(bytes, slice_str(text)) != NULL ||
		fernet_new(&f, &ring, &err) < 0)
		die("not a key");
	return f;
}

static void
seal(char **argument)
{
	struct fernet *f = with_key(argument[0]);
	uint64_t seconds = strtoull(argument[1], NULL, 10);
	struct slice iv, plain;
	char *iv_bytes = unhex(&iv, argument[2]);
	char *plain_bytes = unhex(&plain, argument[3]);
	size_t size = FERNET_SEALED_SIZE(plain.len);
	unsigned char *token = xmalloc(size);
	char *text = xmalloc(BASE64_ENCODED_SIZE(size));

	if (iv.len != FERNET_IV ||
		fernet_seal(f, 0, seconds, iv.ptr, plain, token) < 0)
		die("cannot seal");
	base64_encode(text, slice_of(token, size), BASE64_URL);
	fwrite(text, 1, BASE64_ENCODED_SIZE(size), stdout);
	free(text);
	free(token);
	free(plain_bytes);
	free(iv_bytes);
	fernet_free(f);
}

static void
open_token(struct fernet *f, struct slice token)
{
	unsigned char *plain = xmalloc(token.len);
	long n;

	if (fernet_shape(token) == FERNET_NOT) {
		fputs("no", stdout);
	} else if (!fernet_authentic(f, 0, token)) {
		fputs("forged", stdout);
	} else if ((n = fernet_decrypt(f, 0, token, plain)) < 0) {
		fputs("corrupt", stdout);
	} else {
		printf("ok %" PRIu64 " ", fernet_time(token));
		print_hex(slice_of(plain, (size_t)n));
	}
	free(plain);
}

static void
open_text(char **argument)
{
	struct fernet *f = with_key(argument[0]);
	struct slice text = slice_str(argument[1]);
	unsigned char *token = xmalloc(BASE64_DECODED_MAX(text.len));
	long n = base64_decode(token, text, BASE64_URL);

	if (n < 0)
		fputs("no", stdout);
	else
		open_token(f, slice_of(token, (size_t)n));
	free(token);
	fernet_free(f);
}

static enum base64_alphabet
alphabet(const char *name)
{
	return strcmp(name, "std") == 0 ? BASE64_STD : BASE64_URL;
}

static void
encode(char **argument)
{
	struct slice bytes;
	char *owned = unhex(&bytes, argument[1]);
	char *text = xmalloc(BASE64_ENCODED_SIZE(bytes.len));

	base64_encode(text, bytes, alphabet(argument[0]));
	fwrite(text, 1, BASE64_ENCODED_SIZE(bytes.len), stdout);
	free(text);
	free(owned);
}

static void
strict(char **argument)
{
	struct slice text;
	char *owned = unhex(&text, argument[1]);
	unsigned char *bytes = xmalloc(BASE64_DECODED_MAX(text.len));
	long n = base64_decode(bytes, text, alphabet(argument[0]));

	if (n < 0)
		fputs("no", stdout);
	else
		print_ok(slice_of(bytes, (size_t)n));
	free(bytes);
	free(owned);
}

static void
lenient(char **argument)
{
	struct slice text;
	char *owned = unhex(&text, argument[1]);
	unsigned char *bytes = xmalloc(BASE64_DECODED_MAX(text.len));
	unsigned notes;
	long n = base64_decode_lenient(
		bytes, &notes, text, alphabet(argument[0]));

	if (n < 0) {
		fputs("no", stdout);
	} else {
		print_ok(slice_of(bytes, (size_t)n));
		printf(" %u", notes);
	}
	free(bytes);
	free(owned);
}

static void
key(char **argument)
{
	struct slice text;
	char *owned = unhex(&text, argument[0]);
	uint8_t bytes[KEY_BYTES];
	const char *problem = key_parse(bytes, text);

	if (problem)
		fputs(problem, stdout);
	else
		print_ok(slice_of(bytes, KEY_BYTES));
	free(owned);
}

static const struct tool {
	const char *name;
	size_t arguments;
	void (*run)(char **argument);
} tools[] = {
	{"seal", 4, seal},
	{"open", 2, open_text},
	{"encode", 2, encode},
	{"strict", 2, strict},
	{"lenient", 2, lenient},
	{"key", 1, key},
};

static void
obey(char *line)
{
	char *argument[ARGUMENTS] = {NULL}, *rest = line;
	const char *name = strsep(&rest, " ");
	size_t n = 0;

	for (; rest && n < ARGUMENTS; n++)
		argument[n] = strsep(&rest, " ");
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		if (strcmp(name, tools[i].name) == 0 &&
			n == tools[i].arguments && !rest) {
			tools[i].run(argument);
			putchar('\n');
			return;
		}
	}
	die("not a command");
}

int
main(void)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		obey(line);
	}
	free(line);
	return ferror(stdin) || fflush(stdout) == EOF;
}
