/*
 * secret.h - the process as a safe place for keys.
 *
 * secret_harden() is called once, first thing in main, before any thread and
 * any other use of OpenSSL: no core dumps, no ptrace by the same user, file
 * descriptors 0 to 2 open, SIGPIPE ignored, OpenSSL configuration of the
 * environment ignored, memory locked as far as the limits allow.
 */
#ifndef PGREKEY_SECRET_H
#define PGREKEY_SECRET_H

#include "err.h"
#include <stddef.h>

struct secret_state {
	bool keys_locked; /* no secret_alloc() so far can be swapped out */
	bool all_locked;  /* nor anything else (mlockall), such as the copies
			     of keys in OpenSSL's contexts */
	bool undumpable;
};

void secret_harden(void);
struct secret_state secret_state(void);

/* Locked, undumpable memory between guard pages, for the life of the process
 * or until secret_free(), which wipes. Zeroed. Never NULL: out of memory dies.
 * Takes whole pages: for the few things that are worth it. */
void *secret_alloc(size_t size);
void secret_free(void *ptr, size_t size); /* NULL is fine */

/* A wipe that the compiler keeps. */
void secret_wipe(void *ptr, size_t size);

#endif
