/*
 * version.h - the version, known to one object only, so that a release does
 * not rebuild all of them.
 */
#ifndef PGREKEY_VERSION_H
#define PGREKEY_VERSION_H

extern const char pgrekey_version[];

#endif
