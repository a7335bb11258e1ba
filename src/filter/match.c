/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "filter/fold.h"
#include "filter/internal.h"
#include "filter/regex_set.h"

void filter_run_init(struct filter_run *run)
{
	memset(run, 0, sizeof(*run));
	regex_run_init(&run->regex);
}

void filter_run_fini(struct filter_run *run)
{
	regex_run_fini(&run->regex);
	buf_fini(&run->scratch);
	buf_fini(&run->folded);
	buf_fini(&run->other);
	free(run->memos);
}

void filter_run_event(struct filter_run *run, const struct event *ev, struct str channel)
{
	run->event = ev;
	run->channel = channel;
	run->turn++;
	run->has_fields = false;
	run->is_scanned = run->is_folded = false;
}

static void scan(struct filter_run *run)
{
	if (run->set && !run->is_scanned)
		regex_set_scan(run->set, run->event->message);
	run->is_scanned = true;
}

void filter_run_prepare(struct filter_run *run)
{
	scan(run);
}

void filter_run_again(struct filter_run *run)
{
	run->turn++;
}

/* ---- what the event holds ----------------------------------------------------------- */

static const struct field *find_field(const struct filter_run *run, struct str name)
{
	for (size_t i = 0; i < run->n_fields; i++)
		if (str_eq(run->fields[i].name, name))
			return &run->fields[i];
	return NULL;
}

/* "a.b.c" below the JSON that the field "a" (or "a.b") holds. */
static bool look_into(const struct filter_run *run, const char *path, struct str *json)
{
	for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
		const struct field *f = find_field(run, (struct str){path, (size_t)(dot - path)});
		if (!f || f->type != FIELD_JSON)
			continue;
		*json = f->string;
		const char *key = dot + 1;
		for (;;) {
			const char *end = strchrnul(key, '.');
			if (!json_member(*json, (struct str){key, (size_t)(end - key)}, json))
				return false;
			if (!*end)
				return true;
			key = end + 1;
		}
	}
	return false;
}

static struct value field_of(struct filter_run *run, const char *name)
{
	struct str json;
	if (!run->has_fields) {
		struct str rest = run->event->fields;
		run->n_fields = 0;
		while (run->n_fields < FIELDS_MAX &&
		       field_next(&rest, &run->fields[run->n_fields]) == 1)
			run->n_fields++;
		run->has_fields = true;
	}
	const struct field *f = find_field(run, str_of(name));
	if (f)
		return value_of_field(f, &run->scratch);
	if (look_into(run, name, &json))
		return value_of_json(json, &run->scratch);
	return (struct value){0};
}

struct value filter_run_field(struct filter_run *run, const char *name)
{
	return field_of(run, name);
}

static struct value subject_of(struct filter_run *run, const struct node *n)
{
	const struct event *ev = run->event;
	switch (n->subject) {
	case SUBJECT_SEVERITY:
		return (struct value){.type = ev->severity == SEVERITY_NONE ? VALUE_NONE
									    : VALUE_INT,
				      .integer = ev->severity};
	case SUBJECT_TIME: return (struct value){.type = VALUE_INT, .integer = ev->time_ns};
	case SUBJECT_MESSAGE: return (struct value){.type = VALUE_STRING, .string = ev->message};
	case SUBJECT_SOURCE: return (struct value){.type = VALUE_STRING, .string = ev->source};
	case SUBJECT_CHANNEL: return (struct value){.type = VALUE_STRING, .string = run->channel};
	case SUBJECT_TYPE: return (struct value){.type = VALUE_STRING, .string = ev->type};
	case SUBJECT_FIELD: break;
	}
	return field_of(run, n->field);
}

/* ---- tests ----------------------------------------------------------------------------- */

/* The message is folded once for all who ask. */
static struct str folded(struct filter_run *run, struct str s)
{
	bool is_message = s.data == run->event->message.data && s.len == run->event->message.len;
	struct buf *to = is_message ? &run->folded : &run->other;
	if (!is_message || !run->is_folded) {
		to->len = 0;
		fold_put(to, s);
		run->is_folded |= is_message;
	}
	return buf_str(to);
}

/* In linear time, as memmem(3) of glibc is. */
static bool contains_in_either_case(struct filter_run *run, const struct node *n, struct str s)
{
	struct str what = buf_str(&n->folded), in = folded(run, s);
	return what.len <= in.len && memmem(in.data, in.len, what.data, what.len) != NULL;
}

static bool array_holds(struct str json, const struct value *v)
{
	struct str element;
	struct buf scratch = {0};
	bool holds = false;
	while (!holds && json.data[0] != '{' && json_next_element(&json, &element)) {
		struct value e = value_of_json(element, &scratch);
		holds = value_equals(&e, v);
	}
	buf_fini(&scratch);
	return holds;
}

/* contains, icontains, startswith, endswith; an array contains its elements. */
static bool text_test(struct filter_run *run, const struct node *n, const struct value *v)
{
	char small[32], small_what[32];
	struct str what = value_text(&n->values[0], small_what);
	struct str s = value_text(v, small);
	if (v->type == VALUE_JSON)
		return n->kind == NODE_CONTAINS && array_holds(v->string, &n->values[0]);
	if (!s.data)
		return false;
	if (!what.len)
		return true;
	if (n->kind == NODE_ICONTAINS)
		return contains_in_either_case(run, n, s);
	if (what.len > s.len)
		return false;
	if (n->kind == NODE_STARTSWITH)
		return memcmp(s.data, what.data, what.len) == 0;
	if (n->kind == NODE_ENDSWITH)
		return memcmp(s.data + s.len - what.len, what.data, what.len) == 0;
	return memmem(s.data, s.len, what.data, what.len) != NULL;
}

static int search(struct regex *r, struct filter_run *run, struct str s)
{
	int found = r->is_slow ? -ELIMIT : regex_search(r, &run->regex, s);
	if (found < 0)
		run->slow = r;
	return found;
}

/* Each regex searches a message once, however many filters ask; with many of
 * them a set of all says first which can match at all.
 */
static int search_message(struct regex *r, struct filter_run *run)
{
	if (r->slot == REGEX_NO_SLOT)
		return search(r, run, run->event->message);
	if ((size_t)r->slot >= run->n_memos) {
		size_t n = MAX((size_t)r->slot + 1, run->n_memos * 2);
		run->memos = mem_resize(run->memos, n * sizeof(run->memos[0]));
		memset(run->memos + run->n_memos, 0, (n - run->n_memos) * sizeof(run->memos[0]));
		run->n_memos = n;
	}
	struct filter_memo *m = &run->memos[r->slot];
	if (m->turn == run->turn) {
		if (m->result < 0)
			run->slow = r;
		return m->result;
	}
	m->turn = run->turn;
	if (run->set && r->in_set >= 0) {
		scan(run);
		if (!regex_set_may_match(run->set, r->in_set)) {
			m->result = 0;
			return 0;
		}
	}
	m->result = search(r, run, run->event->message);
	return m->result;
}

static int match_regex(const struct node *n, struct filter_run *run)
{
	if (n->subject == SUBJECT_MESSAGE)
		return search_message(n->regex, run);
	char small[32];
	struct value v = subject_of(run, n);
	struct str s = value_text(&v, small);
	return s.data ? search(n->regex, run, s) : 0;
}

static bool compare(struct filter_run *run, const struct node *n, const struct value *v)
{
	int order;
	switch (n->kind) {
	case NODE_EXISTS: return v->type != VALUE_NONE;
	case NODE_EQ: return value_equals(v, &n->values[0]);
	case NODE_IN:
		for (size_t i = 0; i < n->n_values; i++)
			if (value_equals(v, &n->values[i]))
				return true;
		return false;
	case NODE_LT: return value_order(v, &n->values[0]) == -1;
	case NODE_GT: return value_order(v, &n->values[0]) == 1;
	case NODE_LE: order = value_order(v, &n->values[0]); return order == -1 || order == 0;
	case NODE_GE: order = value_order(v, &n->values[0]); return order == 1 || order == 0;
	case NODE_CONTAINS:
	case NODE_ICONTAINS:
	case NODE_STARTSWITH:
	case NODE_ENDSWITH: return text_test(run, n, v);
	case NODE_AND:
	case NODE_OR:
	case NODE_NOT:
	case NODE_MATCHES: break;
	}
	return false;
}

/* 1, 0 or -ELIMIT; what is undecided does not matter where others decide. */
static int match(const struct node *n, struct filter_run *run)
{
	int undecided = 0;
	struct value v;
	switch (n->kind) {
	case NODE_AND:
	case NODE_OR:
		for (size_t i = 0; i < n->n_children; i++) {
			int r = match(n->children[i], run);
			if (r == (n->kind == NODE_OR))
				return r;
			undecided = r < 0 ? r : undecided;
		}
		return undecided ? undecided : n->kind == NODE_AND;
	case NODE_NOT:
		undecided = match(n->children[0], run);
		return undecided < 0 ? undecided : !undecided;
	case NODE_MATCHES: return match_regex(n, run);
	case NODE_EXISTS:
	case NODE_EQ:
	case NODE_LT:
	case NODE_LE:
	case NODE_GT:
	case NODE_GE:
	case NODE_IN:
	case NODE_CONTAINS:
	case NODE_ICONTAINS:
	case NODE_STARTSWITH:
	case NODE_ENDSWITH: break;
	}
	v = subject_of(run, n);
	return compare(run, n, &v);
}

/* ---- events of which only a part is known ------------------------------------------------- */

enum { MAY_BE_FALSE = 1, MAY_BE_TRUE = 2 };

/* Subjects that are known: of what was lost, and of all events of one severity. */
enum {
	KNOWN_OF_LOST = 1 << SUBJECT_SOURCE | 1 << SUBJECT_CHANNEL | 1 << SUBJECT_TIME,
	KNOWN_BY_SEVERITY = 1 << SUBJECT_SEVERITY | 1 << SUBJECT_CHANNEL
};

static int match_partly(const struct node *n, struct filter_run *run, unsigned known)
{
	/* "and" is false by one, and true by all; "or" the other way round. */
	int by_one = n->kind == NODE_AND ? MAY_BE_FALSE : MAY_BE_TRUE;
	int by_all = MAY_BE_TRUE + MAY_BE_FALSE - by_one;
	switch (n->kind) {
	case NODE_AND:
	case NODE_OR: {
		int ret = 0;
		bool may_all = true;
		for (size_t i = 0; i < n->n_children; i++) {
			int r = match_partly(n->children[i], run, known);
			ret |= r & by_one;
			may_all &= (r & by_all) != 0;
		}
		return ret | (may_all ? by_all : 0);
	}
	case NODE_NOT: {
		int r = match_partly(n->children[0], run, known);
		return (r & MAY_BE_TRUE ? MAY_BE_FALSE : 0) | (r & MAY_BE_FALSE ? MAY_BE_TRUE : 0);
	}
	default: break;
	}
	if (!(known & 1u << n->subject))
		return MAY_BE_TRUE | MAY_BE_FALSE;
	int r = match(n, run);
	return r < 0 ? MAY_BE_TRUE | MAY_BE_FALSE : r ? MAY_BE_TRUE : MAY_BE_FALSE;
}

int filter_match(const struct filter *f, struct filter_run *run)
{
	if (run->event->flags & EVENT_GAP)
		return (match_partly(f->root, run, KNOWN_OF_LOST) & MAY_BE_TRUE) != 0;
	return match(f->root, run);
}

void filter_by_severity(const struct filter *f, struct str channel, uint32_t *always,
			uint32_t *never)
{
	struct filter_run run;
	filter_run_init(&run);
	*always = *never = 0;
	for (unsigned i = 0; i < SEVERITIES; i++) {
		const struct event ev = {.severity =
						 i < SEVERITIES - 1 ? (uint8_t)i : SEVERITY_NONE};
		filter_run_event(&run, &ev, channel);
		int may_be = match_partly(f->root, &run, KNOWN_BY_SEVERITY);
		*always |= may_be == MAY_BE_TRUE ? 1u << i : 0;
		*never |= may_be == MAY_BE_FALSE ? 1u << i : 0;
	}
	filter_run_fini(&run);
}
