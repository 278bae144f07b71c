#include "command.h"
#include "log.h"
#include "secret.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Not through stdio, whose buffer would keep a copy. */
static int
print_key(const char text[KEY_TEXT + 1], struct err *err)
{
	char line[KEY_TEXT + 1];
	size_t done = 0;
	int rc = 0;

	memcpy(line, text, KEY_TEXT);
	line[KEY_TEXT] = '\n';
	while (rc == 0 && done < sizeof(line)) {
		ssize_t n =
			write(STDOUT_FILENO, line + done, sizeof(line) - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			rc = err_sys(err, ERR_DB,
				"the key was made, but cannot be printed");
	}
	secret_wipe(line, sizeof(line));
	return rc;
}

static int
keygen(const struct config *config, const struct keyring *ring, struct err *err)
{
	char fingerprint[KEY_FINGERPRINT + 1];
	char text[KEY_TEXT + 1];
	int rc = -1;

	(void)ring;
	if (key_generate(config->key_directory, config->argument,
		    config->print ? text : NULL, fingerprint, err) < 0)
		goto out;
	log_info("new key '%s' in %s, fingerprint %s", config->argument,
		config->key_directory, fingerprint);
	if (config->print && print_key(text, err) < 0)
		goto out;
	rc = 0;
out:
	secret_wipe(text, sizeof(text));
	return rc;
}

const struct command cmd_keygen = {
	.name = "keygen",
	.argument = "ID",
	.needs = NEED_KEY_DIR,
	.summary = "make a new key",
	.details = "Makes a new key in the key directory, as a file called ID "
		   "that only its owner can read. An existing file is never "
		   "touched. Give the key to every instance of the "
		   "application before it becomes the primary.",
	.run = keygen,
};
