#include "version.h"

const char pgrekey_version[] = PGREKEY_VERSION;
