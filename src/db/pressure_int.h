/*
 * pressure_int.h - shared by the files of pressure.
 */
#ifndef PGREKEY_PRESSURE_INT_H
#define PGREKEY_PRESSURE_INT_H

#include "pressure.h"

/* As pressure_look(), for the user's own question, or NULL. */
int pressure_look_at_query(char reason[PRESSURE_REASON], const char *query,
	struct pg *pg) MUST_CHECK;

#endif
