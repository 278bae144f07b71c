/*
 * Moments that a torture test names, in test builds only. In the environment
 *
 *	PGREKEY_FAIL=batch_sent:3:kill
 *
 * ends the program (SIGKILL) when it passes FAIL_POINT(batch_sent) for the
 * third time, in whichever thread; `stop` freezes it instead (SIGSTOP). Nothing
 * of this is in any other build. tests/torture/test_fail_points.py visits all
 * of them.
 */
#ifndef PGREKEY_FAIL_POINT_H
#define PGREKEY_FAIL_POINT_H

#ifdef TEST_BUILD
#define FAIL_POINT(name) fail_point(#name)
void fail_point(const char *name);
#else
#define FAIL_POINT(name) ((void)0)
#endif

#endif
