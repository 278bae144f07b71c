/*
 * digest.h - SHA-256, for comparing what must not be sent, or kept.
 *
 * Pure, any thread; dies if OpenSSL has no SHA-256.
 */
#ifndef PGREKEY_DIGEST_H
#define PGREKEY_DIGEST_H

#include "slice.h"
#include <stdint.h>

#define DIGEST_HEX 64

/* 64 lower-case hex characters and a NUL. */
void digest_hex(char ret[DIGEST_HEX + 1], struct slice bytes);

/* Its first eight bytes, for tables in memory. */
uint64_t digest_short(struct slice bytes);

#endif
