/* SPDX-License-Identifier: MIT
 *
 * unit - what the unit tests share: one case per program, run by check.
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define ck_str_is(s, literal)                                                                      \
	do {                                                                                       \
		struct str ck_s_ = (s);                                                            \
		ck_assert_msg(str_is(ck_s_, literal), "\"%.*s\" is not \"%s\"", (int)ck_s_.len,    \
			      ck_s_.data, literal);                                                \
	} while (0)

/* main() that runs the tests named. */
#define UNIT_MAIN(name, ...)                                                                       \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const all[] = {__VA_ARGS__};                                          \
		Suite *suite = suite_create(name);                                                 \
		TCase *tests = tcase_create(name);                                                 \
		tcase_set_timeout(tests, 120);                                                     \
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)                          \
			tcase_add_test(tests, all[i]);                                             \
		suite_add_tcase(suite, tests);                                                     \
		SRunner *runner = srunner_create(suite);                                           \
		srunner_run_all(runner, CK_NORMAL);                                                \
		int failed = srunner_ntests_failed(runner);                                        \
		srunner_free(runner);                                                              \
		return failed != 0;                                                                \
	}

#endif
