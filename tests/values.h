/*
 * values.h - stored values under the two test keys, and a judge for them.
 *
 * The tokens were made by python3-cryptography: "hello" at SEALED_AT, unless
 * the name says otherwise. What begins with NEW is sealed under k2 with the
 * initialisation vector NEW_IV, which is what the judge must make.
 */
#ifndef PGREKEY_TEST_VALUES_H
#define PGREKEY_TEST_VALUES_H

#include "judge.h"
#include "test.h"
#include <stdlib.h>

#define K1 "enc:fernet:k1:"
#define K2 "enc:fernet:k2:"
#define LOST "enc:fernet:lost:"
#define MARKED "enc:plaintext:"
#define HEAD "{\"sentry_encrypted_field_value\": \""
#define TAIL "\"}"
#define NEW_IV "0123456789abcdef"
#define SEALED_AT 1500000000
#define RUN_START 1700000000
#define NOW 1800000000

#define OLD_BODY                                                         \
	"Z0FBQUFBQlphQzhBWVdKalpHVm1aMmhwYW10c2JXNXZjR1B4RDVxZDktLVZkcz" \
	"l2aHhlNEVHN2lQTW9ucmpEeDlLbkQ2WVBncTZNaHRvUmEtTldyd0R2UjNkb1Jx" \
	"VS0tMGc9PQ=="

#define NEW_BODY                                                         \
	"Z0FBQUFBQlphQzhBTURFeU16UTFOamM0T1dGaVkyUmxaakdjSkNVM21qTUJWck" \
	"ViaFRZX3pUUlpsRGVyQTktV3ZnR21QVEE1QllXeEI4amVJU1FQS2QteHJvN2tD" \
	"MFIzMmc9PQ=="

#define EMPTY_BODY                                                       \
	"Z0FBQUFBQlphQzhBWVdKalpHVm1aMmhwYW10c2JXNXZjUHh0N2NqUHNmMnN2aV" \
	"RtWFg3QkpYeXhEdzYxRm4zZy0wdkhNVmlSVUxzVU9mNjllSUtHTUlTMHVfUkJn" \
	"STlUR0E9PQ=="

#define NEW_EMPTY_BODY                                                   \
	"Z0FBQUFBQlphQzhBTURFeU16UTFOamM0T1dGaVkyUmxabDI5UWcxZFF2ZUp1aU" \
	"Z4Zm4yZTlqYTM5WF9MT29ZTG5NdkxpNURoZ3JWTVEwNWd4ejNoQ3ZrTEZCQmVO" \
	"WlNHNlE9PQ=="

#define ONE_LAYER                                                        \
	"gAAAAABZaC8AYWJjZGVmZ2hpamtsbW5vcFTmcVE7tpaxRubp-DjPXuFJstOiqH" \
	"0JQml9JwdKTTL-07gwPrFKiXbSgoK3U01IBg=="

#define LATE_BODY                                                        \
	"Z0FBQUFBQmxVX0VCWVdKalpHVm1aMmhwYW10c2JXNXZjR1B4RDVxZDktLVZkcz" \
	"l2aHhlNEVHNGdLXzd5enplWjR2aXRtVXRaRWhnaHYwUDc2YWNueVE3VnRyMVU0" \
	"SDljaUE9PQ=="

#define NOW_BODY                                                         \
	"Z0FBQUFBQnJTZElBTURFeU16UTFOamM0T1dGaVkyUmxaakdjSkNVM21qTUJWck" \
	"ViaFRZX3pUVFk5VDhBVVhSNHc2S2xHb2JEcWlrY3VZVGtJa0laTjk5Y0Ntc0sw" \
	"UzdjdUE9PQ=="

#define NESTED_BODY                                                      \
	"Z0FBQUFBQlphQzhBWVdKalpHVm1aMmhwYW10c2JXNXZjSXRzMVFIYUlLVkN5Un" \
	"F6bkNDVjV4dWgxa2piSXBrYTFTazJUUGlGaW5KR1VlS3NwNkR2Ulh5NTlzVGVE" \
	"T1dTbTM4bzJ2RFJEYXhGU1FlT3A5UEhMeHhSUWRsUS02SkdMZGtNMHJjRWN0TU" \
	"pJTjQ5SzJkbGhTRV93b3RNeFpGRXpsTjloekRWWkRTcGN2S2VicXQ5eDdDajJN" \
	"dDk4UHJXRGc2dVhzTmNIUkF1cFZ5QkZ5ZDJBODRLcldZRHd1eWhUN1BsS243eU" \
	"lfZ196d0ppYVZseWk4cm5vdnUxam01QWMyMnRiWTBHd0tUUDhyS2UxZUtnc2F4" \
	"ZU9zLUxTbW13VFE9PQ=="

#define NESTED_SAME_BODY                                                 \
	"Z0FBQUFBQlphQzhBWVdKalpHVm1aMmhwYW10c2JXNXZjS1hkVWtHUTlPNEx4Rm" \
	"5vNF9tczFrWmNoMVlTc0VvNkllVmFZdjRxU3N3TWJTUkNwUVpTSFlfYkRjT003" \
	"NXktUTl0dGx0Z3FPanQ0Y2txSHVTWkFqYVc4bHhlaFBSREQ3TUl3RlBULXJBTE" \
	"N3aEpLMVpCWGZabWhsOTg1cXRfaTZ3bGFwRWFvVU81TDNzVklQWVB2ZEhiMV90" \
	"REYtZFRyMW9YNXc0eWJPWFhyWHdKTjJfdlBkd3hrUEdTREl5RlZvLUNoR3UwZz" \
	"VqaVdBNHFhcVdqdnFSTndNVmY1ay1Ud2tOMjBSU1lBUjlLbWJMSDl5eGFDM1g5" \
	"OWtqUnoxV2wzWkE9PQ=="

#define LOST_BODY                                                        \
	"Z0FBQUFBQUFBQUFCWVdKalpHVm1aMmhwYW10c2JXNXZjQzdLZXlva09xUEtQQk" \
	"FHeTN0Y2ZQT1hhRzJjTFRuUFBScWlaOFA2VnpYcjBmWWpqc1hOZFpTallLenBu" \
	"ZWJGd1E9PQ=="

#define NESTED_LOST_BODY                                                 \
	"Z0FBQUFBQlphQzhBWVdKalpHVm1aMmhwYW10c2JXNXZjTXdjSldwZ1lKWXNKM1" \
	"pQZFBIeWswWTJFNWptZFVfcGx4ZGpvemcyLVlYcGpUVmtaZmwzN0EySW1ObEVG" \
	"MkVZRkt3UlVkdUg4UGR2NGg4UzVzVlhtNU1NZlU5bXpSTEpOLXlwdENHdF9nTS" \
	"1OZi1YSjBEZExWdThRa0p3eV9FSS1QZ29TbkN3ZnA2d3Ntc3Z4TmlCaTBqb3Bu" \
	"aTdyalRDNUI3Sndyb0xEUG5rU0laNEZnM0ZXUGtkbGdqcGtGbnpxY00wdGx2NE" \
	"tkR3V6OTNPVTFtM1lWUkVyb0Mzdkg5OXllY3d5ZWlqZDlkVjVGNGs0ZGdCRXZN" \
	"RDhNdi1IcHlUMnc9PQ=="

#define JSON_BODY                                                        \
	"Z0FBQUFBQlphQzhBWVdKalpHVm1aMmhwYW10c2JXNXZjRXk3T1NYR09Mc3pOek" \
	"FuZV9TbW1fOTd3VnRTalBhSlRJd3ItcXZCYjVRb204UmI2bk9kRUhuYVF2VmpY" \
	"RUxOY1E9PQ=="

#define NEW_JSON_BODY                                                    \
	"Z0FBQUFBQlphQzhBTURFeU16UTFOamM0T1dGaVkyUmxaamZXVERCVkl0X0ozV2" \
	"9VU2NEaWdlZTNfbWxSbmJoT1hlMzlzRWRUaUpvZ2lOazFOZlRLQ1JZcEVxanlZ" \
	"Y3ZFbnc9PQ=="

#define PAD_BODY                                                         \
	"Z0FBQUFBQlphQzhBWVdKalpHVm1aMmhwYW10c2JXNXZjS0JzbTZCQjNJd0VZZ0" \
	"R5SXRqaFdQbU5LaVJyN3RpenEtVE4xSHpIMHdkbXlVMDVjeXBuOHBXSk5FYkho" \
	"NDZyd1E9PQ=="

#define ODD_BODY                                                         \
	"Z0FBQUFBQlphQzhBWVdKalpHVm1aMmhwYW10c2JXNXZjSGg0ZUhoNGVIaDRlSG" \
	"g0ZUhoNGVIaDRTZ2lIN211YlU2N2hLLVJxYmpQTHlrZldZMmFpV0xWNDAyaHNX" \
	"RGhSZmhnPQ=="

#define NONE_BODY                                                        \
	"Z0FBQUFBQlphQzhBWVdKalpHVm1aMmhwYW10c2JXNXZjRHE0dXU0c0F0TEVYdl" \
	"QxMWo2bUc4SnBiV3h2Z0pWbnpyVFdmQ0NaMGNRaA=="

/* A ring of k1 and k2, of which k2 is the primary. */
struct court {
	uint8_t bytes[2][KEY_BYTES];
	struct key key[2];
	struct keyring ring;
	struct judge *judge;
	struct policy policy;
	struct judgement got;
	struct err err;
};

static inline int
court_new(void **state)
{
	struct court *c = xcalloc(1, sizeof(*c));
	struct judge_options options = {
		.ring = &c->ring,
		.now = NOW,
		.run_start = RUN_START,
		.seal = true,
	};

	assert_null(key_parse(c->bytes[0],
		slice_str("ynzvdTC3MSiFH8PCFO-gYkUuf-DZVE8KM86TOgc6wxc=")));
	assert_null(key_parse(c->bytes[1],
		slice_str("Q26gMfKal3CIN2MTgrHuHa53UrTZYEFCoXiNiySlQU8=")));
	c->key[0] = (struct key){.id = xstrdup("k1"), .bytes = c->bytes[0]};
	c->key[1] = (struct key){.id = xstrdup("k2"), .bytes = c->bytes[1]};
	c->ring = (struct keyring){
		.key = c->key, .count = 2, .primary = 1, .has_primary = true};
	c->policy = (struct policy){
		.format = format_find("sentry"), .max_value_bytes = 4096};
	assert_int_equal(judge_new(&c->judge, &options, &c->err), 0);
	*state = c;
	return 0;
}

static inline int
court_free(void **state)
{
	struct court *c = *state;

	judge_free(c->judge);
	free(c->key[0].id);
	free(c->key[1].id);
	free(c);
	return 0;
}

/* Judges with NEW_IV, so that the new envelope is known beforehand. */
static inline const struct judgement *
judged(struct court *c, enum carrier carrier, const char *stored)
{
	judge_preset_ivs(c->judge, (const unsigned char *)NEW_IV, 1);
	if (judge_value(&c->got, c->judge, &c->policy, carrier,
		    slice_str(stored), &c->err) < 0)
		fail_msg("%s", c->err.msg);
	return &c->got;
}

#define WITH_COURT(test) \
	cmocka_unit_test_setup_teardown(test, court_new, court_free)

#endif
