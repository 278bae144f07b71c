/* K numbers are those of the catalogue of bad key directories. */
#include "keys.h"
#include "vectors.h"

static void
k13_to_k19_every_content_of_the_vectors_is_judged_as_proposed(void **state)
{
	struct vectors v = vectors_open("tests/vectors/fernet/fernet_keys.txt");
	struct place *p = *state;

	p->options.primary = "k1";
	while (vectors_next(&v, 3)) {
		struct slice content = vectors_unhex(v.field[2]);
		const char *accept = v.field[1];

		put_bytes(p, "k1", content, 0600);
		p->options.primary = NULL;
		assert_int_equal(load(p), strcmp(accept, "no") == 0 ? -1 : 0);
		if (strcmp(accept, "weak") == 0)
			assert_true(warns(p, "k1 is weak"));
		p->options.primary = "k1";
		assert_int_equal(load(p), strcmp(accept, "yes") == 0 ? 0 : -1);
	}
	assert_int_equal(v.count, 35);
}

struct mistake {
	const char *text;
	size_t len; /* 0: up to the NUL */
	const char *what;
};

#define HEX "ca7cef7530b73128851fc3c214efa062"

static const struct mistake mistakes[] = {
	{"", 0, "is empty"},
	{" \n\t", 0, "nothing but white space"},
	{"\x01\x02\x03 what thirty-two bytes are...", 32, "32 raw bytes"},
	{"\xef\xbb\xbf" KEY, 0, "byte order mark"},
	{"\xff\xfey\0n\0", 6, "UTF-16"},
	{KEY "\0", 45, "NUL"},
	{"-----BEGIN PRIVATE KEY-----\n", 0, "PEM"},
	{"{\"key\": \"" KEY "\"}", 0, "JSON"},
	{"[\"" KEY "\"]", 0, "JSON"},
	{"# the key\n" KEY, 0, "comment"},
	{KEY "\n" OTHER_KEY, 0, "more than one key"},
	{KEY "," OTHER_KEY, 0, "more than one key"},
	{KEY OTHER_KEY, 0, "more than one key"},
	{KEY "=", 0, "one = too many"},
	{KEY "\nmy key", 0, "something else behind the key"},
	{"\"" KEY "\"", 0, "quotes"},
	{"'" KEY "'", 0, "quotes"},
	{"FERNET_KEY=" KEY, 0, "NAME=value"},
	{HEX HEX, 0, "64 hex digits"},
	{"ynzvdTC3MSiFH8PCFO-gYkUuf-DZVE8KM86TOgc6wxc", 0, "lacks the ="},
	{"eW56dmRUQzNNU2lGSDhQQ0ZPLWdZa1V1Zi1EWlZFOEtNODZUT2djNnd4Yz0=", 0,
		"base64 of base64"},
	{"eW56dmRUQzNNU2lGSDhQQ0ZPLWdZa1V1Zi1EWlZFOEtNODZUT2djNnd4Yz0K", 0,
		"base64 of base64"},
	{"_LyoMa8Qa3mwCAVo6vWeYQ==", 0, "fewer than 32"},
	{"RRIqhGMlqMiLJhn-c0tuyZRBBUakEJGokfrtrPCnJnpP", 0, "more than 32"},
	{"ynzvdTC3MSiFH8PCFO-gYkUuf-DZVE8KM86TOgc6wxd=", 0, "stray bits"},
	{"ynzvdTC3MSiFH8PCFO-gYkUuf+DZVE8KM86TOgc6wxc=", 0, "two alphabets"},
	{"ynzvdTC3MSiFH8PC\nFO-gYkUuf-DZVE8KM86TOgc6wxc=", 0,
		"white space inside"},
	{"correct horse battery staple!", 0, "is not base64"},
};

static void
k14_to_k17_a_mistake_is_called_by_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const struct mistake *m = &mistakes[i];
		size_t len = m->len ? m->len : strlen(m->text);
		uint8_t key[KEY_BYTES];
		const char *problem = key_parse(key, slice_of(m->text, len));

		assert_non_null(problem);
		if (!strstr(problem, m->what))
			fail_msg("'%s' is not '%s'", problem, m->what);
	}
}

static void
k18_surrounding_white_space_does_not_matter(void **state)
{
	static const char *const spellings[] = {KEY, KEY "\n", KEY "\r\n",
		KEY "\n\n", "  " KEY " \t\n",
		"ynzvdTC3MSiFH8PCFO+gYkUuf+DZVE8KM86TOgc6wxc=\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		uint8_t key[KEY_BYTES] = {0};

		assert_null(key_parse(key, slice_str(spellings[i])));
		assert_int_equal(key[0], 0xca);
		assert_int_equal(key[31], 0x17);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(
			k13_to_k19_every_content_of_the_vectors_is_judged_as_proposed),
		WITH_PLACE(k14_to_k17_a_mistake_is_called_by_its_name),
		WITH_PLACE(k18_surrounding_white_space_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
