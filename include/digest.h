/*
 * digest.h - SHA-256 as text, for comparing what must not be sent.
 *
 * Pure, any thread; dies if OpenSSL has no SHA-256.
 */
#ifndef PGREKEY_DIGEST_H
#define PGREKEY_DIGEST_H

#include "slice.h"

#define DIGEST_HEX 64

/* 64 lower-case hex characters and a NUL. */
void digest_hex(char ret[DIGEST_HEX + 1], struct slice bytes);

#endif
