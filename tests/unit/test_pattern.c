/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "../../plugins/file/pattern.h"

START_TEST(braces_stand_for_each_of_their_alternatives)
{
	static const struct {
		const char *text;
		const char *want; /* separated by spaces */
	} cases[] = {
		{"/a/*.log", "/a/*.log"},
		{"/a/*.{log,err}", "/a/*.log /a/*.err"},
		{"/{a,b}/{c,d}", "/a/c /a/d /b/c /b/d"},
		{"/{a,b{1,2}}x", "/ax /b1x /b2x"},
		{"/a{,.1}", "/a /a.1"},
		{"/a{b}", "/ab"},
		{"/a\\{b,c}", "/a\\{b,c}"},
		{"/{a\\,b,c}", "/a\\,b /c"},
		{"/a{b,c", "/a{b,c"},
		{"/a}b{c,d}", "/a}bc /a}bd"},
		{"/{a{b,c}", "/{ab /{ac"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct patterns p = {0};
		char got[256] = "";
		ck_assert_int_eq(patterns_add(&p, cases[i].text), 0);
		for (size_t k = 0; k < p.n; k++) {
			strcat(got, k ? " " : "");
			strcat(got, p.all[k]);
		}
		ck_assert_str_eq(got, cases[i].want);
		patterns_fini(&p);
	}
	struct patterns many = {0};
	ck_assert_int_ne(patterns_add(&many, "/{a,b,c,d}{a,b,c,d}{a,b,c,d}{a,b,c,d}{a,b,c,d}"), 0);
	patterns_fini(&many);
}
END_TEST

UNIT_MAIN("pattern", braces_stand_for_each_of_their_alternatives)
