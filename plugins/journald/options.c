/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/option.h"
#include "journald.h"

const struct sluice_option journald_options[] = {
	{.name = "units",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "only entries of and about these systemd units, such as nginx.service; * and ? "
		"stand for any characters"},
	{.name = "identifiers",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "only entries with one of these syslog identifiers, such as sshd or kernel"},
	{.name = "priority",
	 .type = SLUICE_STRING,
	 .fallback = "",
	 .doc = "only entries of this priority or more severe: emerg, alert, crit, err, warning, "
		"notice, info, debug, or 0 to 7"},
	{.name = "match",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "only entries with these fields, as FIELD=VALUE; values of the same field are "
		"alternatives"},
	{.name = "boot",
	 .type = SLUICE_STRING,
	 .fallback = "all",
	 .doc = "only entries of one boot: current, or an id of 32 hexadecimal digits; all: of "
		"every boot"},
	{.name = "read_from",
	 .type = SLUICE_STRING,
	 .fallback = "end",
	 .doc = "where to begin at the first start: beginning, end, or a number of last matching "
		"entries such as 100; later starts continue where reading stopped"},
	{.name = "fields",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .fallback = "*",
	 .doc = "names of the fields that events get, or patterns such as _SYSTEMD_*"},
	{.name = "directory",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_LIST | SLUICE_READ,
	 .fallback = "/var/log/journal",
	 .doc = "directories with journal files, or with subdirectories named by a machine id that "
		"hold them"},
	{.name = "runtime_directory",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ,
	 .fallback = "/run/log/journal",
	 .doc = "where journald keeps files that do not survive a reboot; if directory is set, "
		"this is read only if it is set too"},
	{.name = "namespace",
	 .type = SLUICE_STRING,
	 .fallback = "",
	 .doc = "name of the journal namespace to read instead of the default one; *: all "
		"namespaces"},
	{.name = "max_message",
	 .type = SLUICE_SIZE,
	 .fallback = "64KiB",
	 .min = 16,
	 .max = 16 << 20,
	 .doc = "longest message that is kept whole"},
	{.name = "max_field",
	 .type = SLUICE_SIZE,
	 .fallback = "8KiB",
	 .min = 16,
	 .max = 1 << 20,
	 .doc = "longest value of any other field that is kept whole"},
	{.name = "sweep_interval",
	 .type = SLUICE_DURATION,
	 .fallback = "1s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "how often the files are checked, in addition to inotify"},
	{0},
};

static const char persistent[] = "/var/log/journal";

/* The second one belongs to the default of the first. */
const char *options_directory(struct sluice_source *src, size_t i)
{
	const struct sluice_host *h = src->host;
	const char *d = h->option(src, "directory", i);
	if (d || !i || h->option(src, "directory", i - 1) == NULL)
		return d;
	bool is_default = i == 1 && strcmp(h->option(src, "directory", 0), persistent) == 0;
	return is_default || h->is_set(src, "runtime_directory")
		       ? h->option(src, "runtime_directory", 0)
		       : NULL;
}

bool options_is_below(const char *path, const char *root)
{
	size_t n = strlen(root);
	while (n && root[n - 1] == '/')
		n--;
	return strncmp(path, root, n) == 0 && path[n] == '/';
}

bool options_is_volatile(struct sluice_source *src, const char *path)
{
	return options_is_below(path, src->host->option(src, "runtime_directory", 0));
}

static int read_from(struct sluice_source *src, struct options *o)
{
	return option_read_from(src, "entries", &o->read_from);
}

static const struct {
	const char *word;
	int number;
} priorities[] = {
	{"emerg", 0},  {"alert", 1},    {"crit", 2},      {"err", 3},   {"warning", 4},
	{"notice", 5}, {"info", 6},     {"debug", 7},     {"panic", 0}, {"error", 3},
	{"warn", 4},   {"critical", 2}, {"emergency", 0},
};

static int read_priority(struct sluice_source *src, struct options *o)
{
	const char *text = src->host->option(src, "priority", 0);
	o->has_priority = text && *text;
	if (!o->has_priority)
		return 0;
	if (text[0] >= '0' && text[0] <= '7' && !text[1]) {
		o->priority = text[0] - '0';
		return 0;
	}
	for (size_t i = 0; i < sizeof(priorities) / sizeof(priorities[0]); i++)
		if (strcmp(priorities[i].word, text) == 0) {
			o->priority = priorities[i].number;
			return 0;
		}
	return option_refuse(
		src, "priority",
		"\"%.100s\" is not a priority (write emerg, alert, crit, err, warning, notice, "
		"info or debug, or 0 to 7; more severe entries are included)",
		text);
}

static int read_boot(struct sluice_source *src, struct options *o)
{
	const char *text = src->host->option(src, "boot", 0);
	sd_id128_t id;
	if (strcmp(text, "all") == 0)
		return 0;
	if (strcmp(text, "current") == 0) {
		if (sd_id128_get_boot(&id) < 0)
			return src->host->refuse(src, "boot",
						 "the id of the current boot cannot be read (write "
						 "all, or an id from journalctl --list-boots)");
		sd_id128_to_string(id, o->boot);
		return 0;
	}
	if (sd_id128_from_string(text, &id) < 0)
		return src->host->refuse(src, "boot",
					 "write current, all, or an id of 32 hexadecimal digits "
					 "(journalctl --list-boots shows them)");
	sd_id128_to_string(id, o->boot);
	return 0;
}

/* The names of the journal's fields have capitals only. */
static int read_fields(struct sluice_source *src, struct options *o)
{
	const char *text;
	char meant[100];
	(void)o;
	for (size_t i = 0; (text = src->host->option(src, "fields", i)); i++) {
		bool is_pattern = strchr(text, '[') != NULL;
		if (is_pattern || !strpbrk(text, "abcdefghijklmnopqrstuvwxyz-. "))
			continue;
		size_t n = 0;
		for (; text[n] && n + 1 < sizeof(meant); n++)
			meant[n] = text[n] >= 'a' && text[n] <= 'z' ? (char)(text[n] - 32)
				   : strchr("-. ", text[n])         ? '_'
								    : text[n];
		meant[n] = 0;
		return option_refuse(
			src, "fields",
			"no field is called \"%.200s\" (their names have capitals, digits and _: "
			"did you mean \"%s\"?)",
			text, meant);
	}
	return 0;
}

static int read_namespace(struct sluice_source *src, struct options *o)
{
	o->namespace = src->host->option(src, "namespace", 0);
	if (strchr(o->namespace, '/') || (o->namespace[0] == '.' && !o->namespace[1]))
		return src->host->refuse(src, "namespace",
					 "write the name of a journal namespace, or * for all (to "
					 "read files at a path, set directory)");
	return 0;
}

static int read_directory(struct sluice_source *src)
{
	struct stat st;
	const char *d;
	for (size_t i = 0; (d = src->host->option(src, "directory", i)); i++)
		if (stat(d, &st) == 0 && !S_ISDIR(st.st_mode)) {
			return option_refuse(
				src, "directory",
				"%.300s is not a directory (write the directory that holds the "
				"journal files, such as %.200s)",
				d, persistent);
		}
	return 0;
}

/* ---- matches ---- */

static int refuse_match(struct sluice_source *src, const char *text)
{
	char field[80] = "PRIORITY";
	size_t n = strcspn(text, "=:"), end = n;
	const char *value = text[n] ? text + n + 1 : "VALUE";
	while (n && text[n - 1] == ' ')
		n--;
	if (!n && !text[end])
		value = "3";
	if (n && n < sizeof(field)) {
		for (size_t i = 0; i < n; i++)
			field[i] = text[i] >= 'a' && text[i] <= 'z'   ? (char)(text[i] - 32)
				   : text[i] == '-' || text[i] == ' ' ? '_'
								      : text[i];
		field[n] = 0;
	}
	return option_refuse(
		src, "match",
		"\"%.200s\" is not of the form FIELD=VALUE with the field's name in capitals (did "
		"you mean \"%s=%.200s\"?)",
		text, field, value + strspn(value, " "));
}

static bool has_name(const struct match *m, const char *name, size_t n)
{
	return m->name_len == n && memcmp(m->name, name, n) == 0;
}

/* Those of the same field stand together. */
static void add_match(struct options *o, const char *text, size_t name_len)
{
	size_t at = 0;
	o->matches = must(realloc(o->matches, (o->n_matches + 1) * sizeof(o->matches[0])));
	struct match *all = o->matches;
	for (size_t i = 0; i < o->n_matches; i++)
		if (has_name(&all[i], text, name_len))
			at = i + 1;
	bool is_first = !at;
	if (is_first)
		at = o->n_matches;
	memmove(all + at + 1, all + at, (o->n_matches - at) * sizeof(all[0]));
	all[at] = (struct match){.name = text,
				 .name_len = name_len,
				 .value = {text + name_len + 1, strlen(text + name_len + 1)},
				 .is_first = is_first};
	o->n_matches++;
}

static int read_matches(struct sluice_source *src, struct options *o)
{
	const char *text;
	for (size_t i = 0; (text = src->host->option(src, "match", i)); i++) {
		size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		if (!n || n > 64 || text[n] != '=')
			return refuse_match(src, text);
		add_match(o, text, n);
	}
	return 0;
}

/* ---- units ---- */

static const char *const unit_types[] = {".service", ".socket",    ".target", ".device",
					 ".mount",   ".automount", ".swap",   ".timer",
					 ".path",    ".slice",     ".scope"};

static int add_unit(struct sluice_source *src, struct options *o, const char *text)
{
	const char *suffix = strrchr(text, '.');
	bool has_type = strpbrk(text, "*?[") && !suffix;
	for (size_t i = 0; suffix && i < sizeof(unit_types) / sizeof(unit_types[0]); i++)
		has_type |= strcmp(suffix, unit_types[i]) == 0;
	has_type |= suffix && strpbrk(suffix, "*?[");
	if (!*text || strpbrk(text, "/ ,")) {
		return option_refuse(
			src, "units",
			"\"%.200s\" is not the name of a unit (write one name such as "
			"nginx.service for each list item; systemctl list-units shows them)",
			text);
	}
	o->units = must(realloc(o->units, (o->n_units + 1) * sizeof(o->units[0])));
	size_t room = strlen(text) + sizeof(".service");
	o->units[o->n_units] = must(malloc(room));
	snprintf(o->units[o->n_units++], room, "%s%s", text, has_type ? "" : ".service");
	return 0;
}

static int read_units(struct sluice_source *src, struct options *o)
{
	const char *text;
	int r = 0;
	for (size_t i = 0; !r && (text = src->host->option(src, "units", i)); i++)
		r = add_unit(src, o, text);
	return r;
}

int options_read(struct state *s)
{
	struct sluice_source *src = s->src;
	const struct sluice_host *h = src->host;
	struct options *o = &s->options;
	o->max_message = (size_t)h->number(src, "max_message");
	o->max_field = (size_t)h->number(src, "max_field");
	o->sweep_ns = h->number(src, "sweep_interval");
	int (*const parts[])(struct sluice_source *, struct options *) = {
		read_from,   read_priority, read_boot, read_namespace,
		read_fields, read_matches,  read_units};
	int r = read_directory(src);
	for (size_t i = 0; !r && i < sizeof(parts) / sizeof(parts[0]); i++)
		r = parts[i](src, o);
	return r;
}

void options_free(struct options *o)
{
	for (size_t i = 0; i < o->n_units; i++)
		free(o->units[i]);
	free(o->units);
	free(o->matches);
}
