/* SPDX-License-Identifier: MIT */
#include "redact/redact.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "filter/regex.h"
#include "redact/secrets.h"

enum { HASH_BYTES = 6 };

/* All that the rules may take of one event: beyond it nothing gets through. */
#define EVENT_NS(bytes) (100 * NS_PER_MS + 100 * (int64_t)(bytes))

const char *const redact_names[] = {"headers", "password", "token", "bearer", "keys",
				    "pem",     "cards",    "all",   NULL};

enum step_kind { STEP_REGEX, STEP_WHOLE, STEP_CARDS };

/* What a rule comes to: one search in one field, or in all. */
struct step {
	enum step_kind kind;
	struct regex *regex; /* counted */
	char *field;         /* owned; NULL: the message and every field */
	bool is_builtin;
	const char *fields; /* names of fields that are taken out whole; static */
	char *with;         /* owned */
	enum redact_how how;
};

struct redactor {
	struct step *steps;
	size_t n;
	struct regex_run run;
	struct key key;
	bool knows_pem;
	int key_lines;          /* of a private key that comes line by line */
	int log_key_lines;      /* the same in what goes to the log */
	int64_t begun_ns;       /* by our own clock: the event that is being looked at */
	struct buf text, other; /* of the message or a field: before and after a step */
	struct buf message, fields, unique;
	struct buf words; /* of the field's name */
	struct buf pair, name, pieces;
};

/* ---- replacing ---------------------------------------------------------------------------- */

static void put_replacement(struct redactor *r, const struct step *s, struct str secret,
			    struct buf *out)
{
	unsigned char proof[KEY_PROOF_BYTES];
	switch (s->how) {
	case REDACT_MASK: buf_puts(out, s->with); break;
	case REDACT_DROP: break;
	case REDACT_HASH:
		key_prove(&r->key, secret.data, secret.len, proof);
		buf_putc(out, '#');
		hex_put(out, proof, HASH_BYTES);
		break;
	}
}

/* The next thing to take out of `s` from `from` on: 1 with its place, 0, or -ELIMIT. */
static int find(struct redactor *r, const struct step *s, struct str text, size_t from,
		size_t *begin, size_t *end)
{
	if (s->kind == STEP_CARDS) {
		*begin = from;
		size_t n = secret_card(text, begin);
		*end = *begin + n;
		return n > 0;
	}
	return regex_find(s->regex, &r->run, text, from, s->is_builtin, begin, end);
}

static size_t next_character(struct str s, size_t at)
{
	do
		at++;
	while (at < s.len && ((unsigned char)s.data[at] & 0xc0) == 0x80);
	return at;
}

/* Appends `text` without what the step takes out; whether there was any. */
static bool replace(struct redactor *r, const struct step *s, struct str text, struct buf *out)
{
	size_t at = 0, from = 0, begin, end;
	bool any = false;
	int got;
	while (from <= text.len && (got = find(r, s, text, from, &begin, &end)) != 0) {
		if (got < 0) {
			/* It does not come to an end: nothing of this gets through. */
			out->len = 0;
			buf_puts(out, "*** (a redaction rule took too long here)");
			return true;
		}
		from = end > from ? end : next_character(text, from);
		/* Quotes are no secret, and JSON needs them. */
		if (s->is_builtin && end - begin >= 2 && text.data[begin] == text.data[end - 1] &&
		    strchr("\"'", text.data[begin])) {
			begin++;
			end--;
		}
		if (begin >= end || begin < at)
			continue;
		buf_put(out, text.data + at, begin - at);
		put_replacement(r, s, (struct str){text.data + begin, end - begin}, out);
		at = end;
		any = true;
	}
	if (any)
		buf_put(out, text.data + at, text.len - at);
	return any;
}

/* The name as words in small letters with a blank before each: db_password, dbPassword,
 * DBPassword and db.password are " db password".
 */
static void put_words(struct buf *out, struct str name)
{
	char before = '_';
	out->len = 0;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool is_word = isalnum((unsigned char)c) || (c & 0x80);
		bool is_last_capital = i + 1 < name.len && isupper((unsigned char)before) &&
				       islower((unsigned char)name.data[i + 1]);
		bool begins = is_word && (strchr("_-. ", before) ||
					  (isupper((unsigned char)c) &&
					   (islower((unsigned char)before) || is_last_capital)));
		if (begins)
			buf_putc(out, ' ');
		if (is_word)
			buf_putc(out, (char)tolower((unsigned char)c));
		before = is_word ? c : '_';
	}
}

/* Whether "name=value" would be one of its secrets; whatever the value is. */
static bool is_named(struct redactor *r, const struct step *s, struct str name, struct str value)
{
	size_t begin, end;
	if (!s->is_builtin || !s->fields || !name.len || str_is(name, "message"))
		return false;
	r->pair.len = 0;
	buf_put_str(&r->pair, name);
	buf_puts(&r->pair, value.len && value.data[0] == '/' ? "=/" : "=x");
	return regex_find(s->regex, &r->run, buf_str(&r->pair), 0, true, &begin, &end) == 1 &&
	       end == r->pair.len;
}

static bool is_in_list(const char *list, struct str words)
{
	for (; list && *list; list += strcspn(list, ","), list += *list == ',') {
		size_t n = strcspn(list, ",");
		if (words.len > n && memcmp(words.data + words.len - n, list, n) == 0 &&
		    words.data[words.len - n - 1] == ' ')
			return true;
	}
	return false;
}

/* Runs all steps over a text; the result, borrowed, is `text` itself when there was
 * nothing.  *gone when it is left out.
 */
static struct str clean(struct redactor *r, struct str name, struct str text, bool *gone)
{
	*gone = false;
	put_words(&r->words, name);
	for (size_t i = 0; i < r->n && !*gone; i++) {
		const struct step *s = &r->steps[i];
		if (s->field && !str_is(name, s->field))
			continue;
		if (clock_read(CLOCK_THREAD_CPUTIME_ID) - r->begun_ns > EVENT_NS(text.len))
			return STR("*** (the redaction rules took too long here)");
		bool whole = s->kind == STEP_WHOLE || is_in_list(s->fields, buf_str(&r->words)) ||
			     is_named(r, s, name, text);
		r->other.len = 0;
		if (whole && s->how == REDACT_DROP) {
			*gone = true;
		} else if (whole) {
			put_replacement(r, s, text, &r->other);
		} else if (!replace(r, s, text, &r->other)) {
			continue;
		}
		struct buf swap = r->text;
		r->text = r->other;
		r->other = swap;
		text = buf_str(&r->text);
	}
	return text;
}

/* ---- events -----------------------------------------------------------------------------------
 */

/* A JSON text stays one: a secret is replaced inside of its strings, and where that
 * cannot be, all of it.
 */
static void fix_json(struct redactor *r, struct field *f)
{
	if (f->type != FIELD_JSON || json_check(f->string))
		return;
	r->text.len = 0;
	buf_puts(&r->text, "\"***\"");
	f->string = buf_str(&r->text);
}

/* As it is read: a number can be a card, and whatever it is, have a name. */
static struct str as_text(const struct field *f, struct buf *out)
{
	switch (f->type) {
	case FIELD_STRING:
	case FIELD_JSON: return f->string;
	case FIELD_INT: buf_printf(out, "%lld", (long long)f->integer); break;
	case FIELD_DOUBLE: buf_printf(out, "%.17g", f->number); break;
	case FIELD_BOOL: buf_puts(out, f->integer ? "true" : "false"); break;
	case FIELD_NULL: break;
	}
	return buf_str(out);
}

/* Names are words; what is not may be anything, where a program makes names of its data. */
static struct str clean_name(struct redactor *r, struct str name)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	enum { USUAL = 24 };
	bool is_plain = name.len <= USUAL, gone;
	for (size_t i = 0; is_plain && i < name.len; i++)
		is_plain = name.data[i] && strchr(plain, name.data[i]);
	if (is_plain)
		return name;
	struct str after = clean(r, STR(""), name, &gone);
	r->name.len = 0;
	buf_put_str(&r->name, gone ? STR("") : after);
	return after.data == name.data && !gone ? name : buf_str(&r->name);
}

static bool redact_fields(struct redactor *r, struct str *fields)
{
	struct str rest = *fields;
	struct field f;
	struct buf number = {0};
	bool any = false, is_renamed = false;
	r->fields.len = r->unique.len = 0;
	while (field_next(&rest, &f) == 1) {
		bool gone = false;
		number.len = 0;
		struct str name = clean_name(r, f.name);
		struct str before = as_text(&f, &number);
		struct str after = clean(r, f.name, before, &gone);
		if (gone || after.data != before.data) {
			any = true;
			f.string = after;
			if (f.type != FIELD_JSON)
				f.type = FIELD_STRING;
			fix_json(r, &f);
		}
		is_renamed |= name.data != f.name.data;
		f.name = name;
		if (!gone)
			field_put(&r->fields, &f);
	}
	any |= is_renamed;
	if (any)
		*fields = buf_str(&r->fields);
	/* Two names with a secret may have become the same. */
	if (is_renamed && fields_clean(*fields, &r->unique, fields))
		*fields = STR("");
	buf_fini(&number);
	return any;
}

bool redact_event(struct redactor *r, struct event *ev)
{
	bool gone, any = false;
	struct str message;
	r->begun_ns = clock_read(CLOCK_THREAD_CPUTIME_ID);
	bool was_inside = r->key_lines > 0;
	if (r->knows_pem && secret_key_line(ev->message, &r->key_lines)) {
		message = STR("*** (private key)");
		gone = false;
	} else {
		r->pieces.len = 0;
		if (was_inside && r->key_lines)
			secret_key_pieces(ev->message, &r->key_lines, &r->pieces);
		if (r->pieces.len) {
			ev->message = buf_str(&r->pieces);
			any = true;
		}
		message = clean(r, STR("message"), ev->message, &gone);
	}
	if (gone || message.data != ev->message.data) {
		r->message.len = 0;
		if (!gone)
			buf_put_str(&r->message, message);
		ev->message = buf_str(&r->message);
		any = true;
	}
	return redact_fields(r, &ev->fields) || any;
}

int redact_place(const struct redactor *r)
{
	return r ? r->key_lines : 0;
}

void redact_go_on_from(struct redactor *r, int place)
{
	if (r)
		r->key_lines = place;
}

struct str redact_text(struct redactor *r, struct str text)
{
	bool gone;
	/* A log says what it likes; regexes need UTF-8. */
	r->message.len = 0;
	utf8_put(&r->message, text);
	text = buf_str(&r->message);
	r->begun_ns = clock_read(CLOCK_THREAD_CPUTIME_ID);
	if (r->knows_pem && secret_key_line(text, &r->log_key_lines))
		return STR("*** (private key)");
	struct str after = clean(r, STR("message"), text, &gone);
	return gone ? STR("") : after;
}

/* ---- life --------------------------------------------------------------------------------------
 */

static struct step *add_step(struct redactor *r, const struct redact_rule *rule)
{
	r->steps = mem_resize(r->steps, (r->n + 1) * sizeof(r->steps[0]));
	struct step *s = &r->steps[r->n++];
	*s = (struct step){.kind = STEP_WHOLE,
			   .field = rule->field ? mem_strdup(rule->field) : NULL,
			   .with = mem_strdup(rule->with ? rule->with : "***"),
			   .how = rule->how};
	return s;
}

static int add_regex(struct step *s, const char *regex, const char *flags, struct buf *why)
{
	size_t at;
	s->kind = STEP_REGEX;
	return regex_get(NULL, str_of(regex), flags, &s->regex, &at, why);
}

static int add_builtin(struct redactor *r, const struct redact_rule *rule, struct buf *why)
{
	bool all = strcmp(rule->name, "all") == 0;
	for (const struct secret_pattern *p = secret_patterns; p->rule; p++) {
		if (!all && strcmp(p->rule, rule->name) != 0)
			continue;
		struct step *s = add_step(r, rule);
		s->fields = p->fields;
		s->is_builtin = true;
		if (add_regex(s, p->regex, "i", why))
			return -1;
	}
	if (all || strcmp(rule->name, "cards") == 0)
		add_step(r, rule)->kind = STEP_CARDS;
	r->knows_pem |= all || strcmp(rule->name, "pem") == 0;
	return 0;
}

struct redactor *redactor_new(const struct redact_rule *rules, size_t n, const struct key *key,
			      struct buf *why)
{
	struct redactor *r = mem_zero(sizeof(*r));
	regex_run_init(&r->run);
	if (key)
		r->key = *key;
	for (size_t i = 0; i < n; i++) {
		int bad;
		if (rules[i].name)
			bad = add_builtin(r, &rules[i], why);
		else if (rules[i].regex)
			bad = add_regex(add_step(r, &rules[i]), rules[i].regex, "", why);
		else
			bad = !add_step(r, &rules[i]);
		if (bad) {
			redactor_free(r);
			return NULL;
		}
	}
	return r;
}

void redactor_free(struct redactor *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		regex_unref(r->steps[i].regex);
		free(r->steps[i].field);
		free(r->steps[i].with);
	}
	free(r->steps);
	regex_run_fini(&r->run);
	buf_fini(&r->text);
	buf_fini(&r->other);
	buf_fini(&r->message);
	buf_fini(&r->fields);
	buf_fini(&r->unique);
	buf_fini(&r->words);
	buf_fini(&r->pair);
	buf_fini(&r->name);
	buf_fini(&r->pieces);
	free(r);
}
