/* SPDX-License-Identifier: MIT */
#include "conf/sources.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/name.h"
#include "conf/redaction.h"
#include "conf/settings.h"
#include "wire/format.h"

#define GIB (1024LL * 1024 * 1024)
#define DAY (86400 * NS_PER_SEC)

static const char *const sandboxes[] = {"auto", "off", "require", NULL};

/* ---- the table ------------------------------------------------------------------------ */

static const struct setting field_rows[] = {
	{AS_TEXT(struct field_settings, name), .flags = SETTING_REQUIRED},
	{AS_TEXT(struct field_settings, unit)},
	{AS_TEXT(struct field_settings, doc)},
	{AS_WORD(struct field_settings, type)},
	{.kind = MEMBER_NONE},
};

static const struct setting type_rows[] = {
	{AS_TEXT(struct type_settings, name), .flags = SETTING_REQUIRED},
	{AS_TEXT(struct type_settings, doc)},
	{AS_WORD(struct type_settings, version)},
	{AS_STRUCTS(struct type_settings, fields, n_fields, struct field_settings, field_rows)},
	{.kind = MEMBER_NONE},
};

static const struct setting option_value_rows[] = {
	{AS_TEXT(struct option_value, name), .flags = SETTING_REQUIRED},
	{AS_WORD(struct option_value, type)},
	{AS_WORD(struct option_value, flags)},
	{AS_LIST(struct option_value, items, n)},
	{AS_OPAQUE(struct option_value, at)},
	{.kind = MEMBER_NONE},
};

static const struct setting types_rows[] = {
	{AS_STRUCTS(struct source_settings, types, n_types, struct type_settings, type_rows)},
	{.kind = MEMBER_NONE},
};

const struct setting source_rows[] = {
	{AS_TEXT(struct source_settings, name), .flags = SETTING_REQUIRED},
	{{"type", SLUICE_STRING, SLUICE_REQUIRED, NULL, NULL, 0, 0, "the plugin, such as file",
	  NULL, NULL},
	 AS_TEXT(struct source_settings, type),
	 .flags = SETTING_BY_HAND | SETTING_REQUIRED},
	{{"channel", SLUICE_STRING, SLUICE_REQUIRED, NULL, NULL, 0, 0, "where its events go", NULL,
	  NULL},
	 AS_TEXT(struct source_settings, channel),
	 .flags = SETTING_BY_HAND},
	{{"user", SLUICE_STRING, 0, NULL, NULL, 0, 0,
	  "the user of its process, if sluice runs as root; default: a user of its own", NULL,
	  NULL},
	 AS_TEXT(struct source_settings, user)},
	{{"groups", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "further groups of its process, such as adm", NULL, NULL},
	 AS_LIST(struct source_settings, groups, n_groups)},
	{{"limits.memory", SLUICE_SIZE, 0, "1GiB", NULL, 0, 1024 * GIB,
	  "memory that its process may allocate; 0: no limit", NULL, NULL},
	 AS_NUMBER(struct source_settings, limits.memory)},
	{{"limits.open_files", SLUICE_INT, 0, "0", NULL, 0, 10000000,
	  "open files of its process; 0: what the system allows", NULL, NULL},
	 AS_NUMBER(struct source_settings, limits.open_files)},
	{{"limits.processes", SLUICE_INT, 0, "0", NULL, 0, 10000000,
	  "processes of its user, as RLIMIT_NPROC counts them; 0: no limit", NULL, NULL},
	 AS_NUMBER(struct source_settings, limits.processes)},
	{{"limits.cpu_time", SLUICE_DURATION, 0, "0", NULL, 0, 3650 * DAY,
	  "CPU time after which it is restarted; 0: no limit", NULL, NULL},
	 AS_NUMBER(struct source_settings, limits.cpu_time_ns)},
	{{"limits.file_size", SLUICE_SIZE, 0, "0", NULL, 0, 1024 * GIB,
	  "the largest file that it or its children may write; 0: no limit", NULL, NULL},
	 AS_NUMBER(struct source_settings, limits.file_size)},
	{{"restart.backoff", SLUICE_RANGE, 0, "100ms..60s", NULL, NS_PER_MS, DAY,
	  "how long to wait before restarting it, from the first failure in a row to the last",
	  NULL, NULL},
	 AS_RANGE(struct source_settings, backoff_ns, backoff_max_ns)},
	{{"restart.attempts", SLUICE_INT, 0, "20", NULL, 0, 1000000,
	  "after how many crashes in a row to give up; 0: never", NULL, NULL},
	 AS_NUMBER(struct source_settings, attempts)},
	{{"watchdog", SLUICE_DURATION, 0, "60s", NULL, 0, DAY,
	  "restart it if its plugin has not answered for this long; 0: never", NULL, NULL},
	 AS_NUMBER(struct source_settings, watchdog_ns)},
	{{"rate_limit", SLUICE_INT, 0, "0", NULL, 0, 1000000000,
	  "how many events it may send per second; beyond that it waits, or drops events and "
	  "counts them; 0: no limit",
	  NULL, NULL},
	 AS_NUMBER(struct source_settings, rate_limit)},
	{{"rate_burst", SLUICE_INT, 0, "0", NULL, 0, 1000000000,
	  "how many events may exceed rate_limit at once; 0: those of one second", NULL, NULL},
	 AS_NUMBER(struct source_settings, rate_burst)},
	{{"filter", SLUICE_STRING, 0, NULL, NULL, 0, 0,
	  "which of its events are kept; the others are counted. See sluice-filters(7)", NULL,
	  NULL},
	 AS_TEXT(struct source_settings, filter),
	 .check = setting_check_filter},
	{{"redact", SLUICE_STRING, OPTION_TREE, NULL, NULL, 0, 0,
	  "secrets that are removed from its events before anything is stored; see "
	  "sluice-access(7)",
	  NULL, NULL},
	 AS_STRUCTS(struct source_settings, redact, n_redact, struct redact_rule, redact_rows),
	 .flags = SETTING_BY_HAND},
	{{"sandbox", SLUICE_ENUM, 0, "auto", sandboxes, 0, 0,
	  "how its process is confined. auto: as far as the kernel can. require: fully, or it does "
	  "not start. off: not at all",
	  NULL, NULL},
	 AS_CHOICE(struct source_settings, sandbox)},
	{{"allow_read", SLUICE_PATH, SLUICE_LIST, NULL, NULL, 0, 0,
	  "paths that it may read besides those in its options", NULL, NULL},
	 AS_LIST(struct source_settings, allow_read, n_allow_read)},
	{AS_OPAQUE(struct source_settings, tree)},
	{AS_TEXT(struct source_settings, plugin), .flags = SETTING_REQUIRED},
	{AS_TEXT(struct source_settings, trouble)},
	{AS_TEXT(struct source_settings, warnings), .flags = SETTING_LOCAL},
	{AS_WORD(struct source_settings, plugin_flags)},
	{AS_STRUCTS(struct source_settings, options.all, options.n, struct option_value,
		    option_value_rows)},
	{AS_STRUCTS(struct source_settings, types, n_types, struct type_settings, type_rows)},
	{.kind = MEMBER_NONE},
};

/* ---- what a plugin says --------------------------------------------------------------- */

static char *copy(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

/* As clients see it; "gap" is the type of what a plugin flags as SLUICE_GAP. */
static char *type_for_clients(const char *name)
{
	struct str type = str_of(name);
	if (!str_is(type, "gap"))
		type = format_type(type);
	return mem_strndup(type.data, type.len);
}

void settings_read_types(struct source_settings *src, const struct sluice_event_type *table)
{
	/* Asked again when its file was replaced. */
	settings_release(types_rows, src);
	for (const struct sluice_event_type *ev = table; ev && ev->name; ev++) {
		src->types = mem_resize(src->types, (src->n_types + 1) * sizeof(src->types[0]));
		struct type_settings *t = &src->types[src->n_types++];
		*t = (struct type_settings){.name = type_for_clients(ev->name),
					    .doc = copy(ev->doc),
					    .version = ev->version};
		for (const struct sluice_field_type *f = ev->fields; f && f->name; f++) {
			t->fields = mem_resize(t->fields, (t->n_fields + 1) * sizeof(t->fields[0]));
			t->fields[t->n_fields++] = (struct field_settings){
				mem_strdup(f->name), copy(f->unit), copy(f->doc), f->type};
		}
	}
}

void settings_read_options(struct source_settings *src, const struct sluice_option *table,
			   struct errors *e)
{
	char *where = mem_printf("sources.%s", src->name);
	struct sluice_option *ours = settings_options(source_rows);
	option_read(src->tree, where, table, ours, &src->options, e);
	free(ours);
	option_add_fallbacks(&src->options, table, src->tree->at);
	free(where);
}

/* ---- reading -------------------------------------------------------------------------- */

void source_settings_init(struct source_settings *src, const char *name, const char *type)
{
	static const struct option_values none;
	*src = (struct source_settings){.name = mem_strdup(name), .type = mem_strdup(type)};
	settings_set(source_rows, &none, "", src, NULL);
}

void source_settings_fini(struct source_settings *src)
{
	settings_release(source_rows, src);
	src->tree = NULL;
}

const struct source_settings *settings_source(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_sources; i++)
		if (strcmp(s->sources[i].name, name) == 0)
			return &s->sources[i];
	return NULL;
}

static void read_names(struct source_settings *src, const struct option_values *v,
		       const char *where, struct errors *e)
{
	const struct option_value *type_set = option_find(v, "type");
	const struct option_value *channel_set = option_find(v, "channel");
	const char *type = type_set && type_set->n ? type_set->items[0] : NULL;
	const char *channel = channel_set && channel_set->n ? channel_set->items[0] : NULL;
	if (type && !name_is_valid(type))
		errors_add(e, type_set->at, where, "\"%s\" cannot name a plugin", type);
	else if (type)
		src->type = mem_strdup(type);
	if (!channel)
		return;
	if (!name_is_valid(channel))
		errors_add(e, channel_set->at, where,
			   "\"%s\" cannot name a channel "
			   "(letters, digits, _ . and -, at most 64)",
			   channel);
	else if (strcmp(channel, SETTINGS_OWN_CHANNEL) == 0)
		errors_add(e, channel_set->at, where,
			   "the channel \"%s\" is the one that sluice reports on itself in (choose "
			   "another name)",
			   channel);
	else
		src->channel = mem_strdup(channel);
}

void sources_read_one(struct settings *s, const struct tree *key, const struct tree *map,
		      struct errors *e)
{
	char *where = mem_printf("sources.%s", key->text);
	struct option_values v = {0};
	if (!name_is_valid(key->text))
		errors_add(e, key->at, where,
			   "not a name (letters, digits, _ . and -, at most 64)");
	if (settings_source(s, key->text))
		errors_add(e, key->at, where, "is in another file already (remove or rename one)");
	if (strcmp(key->text, SETTINGS_OWN_CHANNEL) == 0)
		errors_add(e, key->at, where,
			   "the name \"%s\" is sluice's own (choose another one)", key->text);
	if (map->kind != TREE_MAP) {
		errors_add(e, map->at, where,
			   "%s where a map is expected (indent \"type:\" and \"channel:\" "
			   "below the name of the source)",
			   tree_kind_name(map));
		free(where);
		return;
	}
	s->sources = mem_resize(s->sources, (s->n_sources + 1) * sizeof(s->sources[0]));
	struct source_settings *src = &s->sources[s->n_sources++];
	*src = (struct source_settings){.name = mem_strdup(key->text), .tree = map};
	/* The plugin's options cannot be known here; take ours alone. */
	struct sluice_option *options = settings_options(source_rows);
	option_read_known(map, where, options, &v, e);
	free(options);
	settings_set(source_rows, &v, where, src, e);
	read_names(src, &v, where, e);
	redaction_read(src, tree_get(map, "redact"), where, e);
	option_values_fini(&v);
	free(where);
}
