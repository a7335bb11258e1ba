/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "journald.h"

enum { NAMES_MAX = 8192 };

static const struct {
	const char *name;
	enum known known;
	bool is_number;
} special[] = {
	{"MESSAGE", KNOWN_MESSAGE, false},
	{"PRIORITY", KNOWN_PRIORITY, true},
	{"SYSLOG_IDENTIFIER", KNOWN_IDENTIFIER, false},
	{"_SOURCE_REALTIME_TIMESTAMP", KNOWN_SOURCE_TIME, false},
	{"_SYSTEMD_UNIT", KNOWN_UNIT, false},
	{"_PID", KNOWN_PID, true},
	{"_UID", KNOWN_UID, true},
	{"UNIT", KNOWN_ABOUT_UNIT, false},
	{"OBJECT_SYSTEMD_UNIT", KNOWN_OBJECT_UNIT, false},
	{"COREDUMP_UNIT", KNOWN_COREDUMP_UNIT, false},
	{"_GID", KNOWN_NOT, true},
	{"SYSLOG_FACILITY", KNOWN_NOT, true},
	{"SYSLOG_PID", KNOWN_NOT, true},
	{"CODE_LINE", KNOWN_NOT, true},
	{"ERRNO", KNOWN_NOT, true},
	{"TID", KNOWN_NOT, true},
	{"EXIT_STATUS", KNOWN_NOT, true},
	{"OBJECT_PID", KNOWN_NOT, true},
	{"OBJECT_UID", KNOWN_NOT, true},
	{"OBJECT_GID", KNOWN_NOT, true},
	{"_AUDIT_SESSION", KNOWN_NOT, true},
	{"_AUDIT_LOGINUID", KNOWN_NOT, true},
	{"_SYSTEMD_OWNER_UID", KNOWN_NOT, true},
};

static bool is_wanted(const struct state *s, const char *name)
{
	const char *pattern;
	for (size_t i = 0; (pattern = s->src->host->option(s->src, "fields", i)); i++)
		if (fnmatch(pattern, name, 0) == 0)
			return true;
	return false;
}

static struct name *new_name(const struct state *s, const char *p, size_t n)
{
	struct name *ret = must(calloc(1, sizeof(*ret) + n + 1));
	memcpy(ret->text, p, n);
	ret->len = n;
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (strcmp(special[i].name, ret->text) == 0) {
			ret->known = special[i].known;
			ret->is_number = special[i].is_number;
		}
	ret->is_wanted = is_wanted(s, ret->text);
	return ret;
}

/* The name, kept until names_forget(). */
static const struct name *intern(struct state *s, const char *p, size_t n)
{
	uint32_t h = 5381;
	for (size_t i = 0; i < n; i++)
		h = h * 33 + (unsigned char)p[i];
	struct name **slot = &s->names[h % (sizeof(s->names) / sizeof(s->names[0]))];
	for (struct name *k = *slot; k; k = k->next)
		if (k->len == n && memcmp(k->text, p, n) == 0)
			return k;
	struct name *k = new_name(s, p, n);
	k->next = *slot;
	*slot = k;
	s->n_names++;
	return k;
}

static void add(struct state *s, const char *p, size_t n)
{
	struct entry *e = &s->entry;
	const char *equals = memchr(p, '=', n);
	const struct name *name = equals && equals > p ? intern(s, p, (size_t)(equals - p)) : NULL;
	if (!name || e->n == RAWS_MAX) {
		e->n_dropped++;
		return;
	}
	size_t size = n - name->len - 1;
	size_t max = name->known == KNOWN_MESSAGE ? s->options.max_message : s->options.max_field;
	size_t kept = size < max ? size : max;
	struct raw *raw = &e->all[e->n++];
	*raw = (struct raw){.name = name,
			    .value = {fields_copy(&s->fields, equals + 1, kept), kept},
			    .size = size,
			    .is_cut = kept < size};
	if (name->known && !e->known[name->known])
		e->known[name->known] = raw;
}

static void names_forget(struct state *s)
{
	for (size_t i = 0; i < sizeof(s->names) / sizeof(s->names[0]); i++)
		while (s->names[i]) {
			struct name *k = s->names[i];
			s->names[i] = k->next;
			free(k);
		}
	s->n_names = 0;
}

int entry_read(struct state *s, sd_journal *j)
{
	struct entry *e = &s->entry;
	const void *data;
	size_t n;
	sd_id128_t boot;
	uint64_t mono;
	/* Programs choose them, and can choose new ones without end. */
	if (s->n_names > NAMES_MAX)
		names_forget(s);
	fields_reset(&s->fields);
	e->n = e->n_dropped = 0;
	memset(e->known, 0, sizeof(e->known));
	e->boot[0] = 0;
	e->time = 0;
	if (sd_journal_get_realtime_usec(j, &e->time) < 0)
		return -EBADMSG;
	if (s->options.boot[0] && sd_journal_get_monotonic_usec(j, &mono, &boot) >= 0)
		sd_id128_to_string(boot, e->boot);
	sd_journal_restart_data(j);
	while (sd_journal_enumerate_available_data(j, &data, &n) > 0)
		add(s, data, n);
	return e->n ? 0 : -EBADMSG;
}

void entry_free(struct state *s)
{
	names_forget(s);
	fields_free(&s->fields);
}
