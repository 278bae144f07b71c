#include "command.h"

const struct command *const commands[] = {
	&cmd_rotate,
	&cmd_verify,
	&cmd_discover,
	&cmd_check,
	&cmd_status,
	&cmd_pause,
	&cmd_resume,
	&cmd_init,
	&cmd_keygen,
	&cmd_keys,
	NULL,
};
