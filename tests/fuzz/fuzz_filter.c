/* SPDX-License-Identifier: MIT
 *
 * A filter's text, and an event to match with it: whatever is accepted has a
 * canonical text that is the same filter, and a set of regexes changes nothing.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "filter/filter.h"
#include "filter/fold.h"
#include "filter/node.h"
#include "filter/regex_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int decide(struct filter *f, struct filter_run *run, struct str message, struct str json)
{
	struct buf fields = {0};
	field_put(&fields,
		  &(struct field){.name = STR("a"), .type = FIELD_STRING, .string = message});
	field_put(&fields, &(struct field){.name = STR("n"), .type = FIELD_INT, .integer = 42});
	if (json_check(json))
		field_put(&fields,
			  &(struct field){.name = STR("j"), .type = FIELD_JSON, .string = json});
	struct event ev = {.id = 1,
			   .severity = (uint8_t)(message.len % 9),
			   .type = STR("log"),
			   .source = STR("s"),
			   .message = message,
			   .fields = buf_str(&fields)};
	filter_run_event(run, &ev, STR("c"));
	int is = filter_match(f, run);
	buf_fini(&fields);
	return is;
}

/* The first line is the filter, the second a JSON text, the rest the message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = memchr(text, '\n', size);
	struct str first = {text, end ? (size_t)(end - text) : size};
	struct str rest = {text + first.len + (end != NULL), size - first.len - (end != NULL)};
	end = rest.len ? memchr(rest.data, '\n', rest.len) : NULL;
	struct str json = {rest.data, end ? (size_t)(end - rest.data) : 0};
	struct str message = {rest.data + json.len, rest.len - json.len};
	struct regex_pool pool;
	struct filter_run run;
	struct buf why = {0}, clean = {0}, clean_json = {0}, grep = {0};
	int64_t ns;
	utf8_put(&clean, message);
	utf8_put(&clean_json, json);
	regex_pool_init(&pool);
	filter_run_init(&run);
	struct filter *f = filter_parse(&pool, first, &why);
	check(f || why.len);
	if (f) {
		int is = decide(f, &run, buf_str(&clean), buf_str(&clean_json));
		struct filter *again = filter_compose(&pool, filter_text(f), &why);
		check(again && str_eq(filter_text(again), filter_text(f)));
		check(decide(again, &run, buf_str(&clean), buf_str(&clean_json)) == is);
		struct regex_set *set = regex_set_new(&pool);
		regex_set_compile(set);
		regex_set_adopt(set);
		run.set = regex_set_size(set) ? set : NULL;
		int in_set = decide(f, &run, buf_str(&clean), buf_str(&clean_json));
		check(in_set == is || is < 0 || in_set < 0);
		run.set = NULL;
		regex_set_free(set);
		filter_unref(again);
		filter_unref(f);
	}
	/* What is put together of any text is a filter, but for lists that are too long. */
	size_t commas = 0;
	for (size_t i = 0; i < first.len; i++)
		commas += first.data[i] == ',';
	if (commas < NODES_MAX && utf8_valid_prefix(first.data, first.len) == first.len &&
	    !memchr(first.data ? first.data : "", 0, first.len) && first.len < 500) {
		filter_put_one_of(&grep, "source", first);
		f = filter_parse(&pool, buf_str(&grep), &why);
		check(f != NULL);
		filter_unref(f);
	}
	/* Text stays text, folding once is enough, and what is no UTF-8 is not read beyond. */
	struct buf folded = {0}, again = {0};
	fold_put(&folded, message);
	folded.len = 0;
	fold_put(&folded, buf_str(&clean));
	check(utf8_valid_prefix(folded.data, folded.len) == folded.len);
	fold_put(&again, buf_str(&folded));
	check(str_eq(buf_str(&again), buf_str(&folded)));
	buf_fini(&folded);
	buf_fini(&again);
	if (timestamp_parse(first, 0, &ns) == 0) {
		int64_t back;
		grep.len = 0;
		timestamp_put(&grep, ns);
		check(ns < 0 ||
		      (timestamp_parse(buf_str(&grep), 0, &back) == 0 && back / 1000 == ns / 1000));
	}
	filter_run_fini(&run);
	regex_pool_fini(&pool);
	buf_fini(&why);
	buf_fini(&clean);
	buf_fini(&clean_json);
	buf_fini(&grep);
	return 0;
}
