/* SPDX-License-Identifier: MIT */
#include "conf/settings.h"

#include <glob.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/unit.h"
#include "conf/values.h"

static const struct sluice_option top_options[] = {
	{"hub", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL, NULL},
	{"access", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL, NULL},
	{"channels", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL, NULL},
	{"sources", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL, NULL},
	{0},
};

const struct setting settings_rows[] = {
	{AS_TEXT(struct settings, file), .flags = SETTING_REQUIRED},
	{AS_OPAQUE(struct settings, files)},
	{AS_OPAQUE(struct settings, trees)},
	{AS_OPAQUE(struct settings, n_files)},
	{AS_STRUCT(struct settings, hub, struct hub_settings, hub_rows)},
	{AS_STRUCT(struct settings, access, struct access_settings, access_rows)},
	{AS_STRUCTS(struct settings, channels, n_channels, struct channel_settings, channel_rows)},
	{AS_STRUCTS(struct settings, sources, n_sources, struct source_settings, source_rows)},
	{.kind = MEMBER_NONE},
};

/* The map below a key, or NULL when it is not there; tells when it is none. */
static const struct tree *sub_map(const struct tree *map, const char *key, struct errors *e)
{
	const struct tree *t = tree_get(map, key);
	if (!t || (t->kind == TREE_SCALAR && !t->is_quoted && !t->text[0]))
		return NULL;
	if (t->kind != TREE_MAP) {
		errors_add(e, t->at, key,
			   "%s where a map is expected (write \"%s:\" and indent "
			   "\"name: value\" lines below it)",
			   tree_kind_name(t), key);
		return NULL;
	}
	return t;
}

static void check_top(const struct tree *root, struct errors *e)
{
	struct option_values none = {0};
	for (size_t i = 0; i < root->n; i++) {
		/* Only the names are looked at here, so unknown ones are told. */
		struct tree *values[1] = {
			&(struct tree){.kind = TREE_SCALAR, .text = (char[]){"x"}}};
		struct tree one = {
			.kind = TREE_MAP, .n = 1, .keys = &root->keys[i], .values = values};
		if (!option_lookup(top_options, root->keys[i]->text))
			option_read(&one, "configuration", top_options, NULL, &none, e);
	}
	option_values_fini(&none);
}

static void read_root(struct settings *s, const struct tree *root, struct errors *e)
{
	const struct tree *channels = sub_map(root, "channels", e);
	for (size_t i = 0; channels && i < channels->n; i++)
		channels_read_one(s, channels->keys[i], channels->values[i], e);
	const struct tree *sources = sub_map(root, "sources", e);
	for (size_t i = 0; sources && i < sources->n; i++)
		sources_read_one(s, sources->keys[i], sources->values[i], e);
}

/* The root map of a file, or NULL after telling. */
static const struct tree *load_file(struct settings *s, const char *file, struct errors *e)
{
	s->files = mem_resize(s->files, (s->n_files + 1) * sizeof(s->files[0]));
	s->trees = mem_resize(s->trees, (s->n_files + 1) * sizeof(s->trees[0]));
	s->files[s->n_files] = mem_strdup(file);
	struct tree *t = tree_load(s->files[s->n_files], e);
	s->trees[s->n_files++] = t;
	if (t && t->kind != TREE_MAP)
		errors_add(e, t->at, NULL, "%s where \"sources:\" is expected", tree_kind_name(t));
	if (!t || t->kind != TREE_MAP)
		return NULL;
	check_top(t, e);
	return t;
}

/* conf.d/NAME.yaml beside the main file, in the order of their names. */
static void load_more(struct settings *s, struct errors *e)
{
	const char *slash = strrchr(s->file, '/');
	char *pattern =
		mem_printf("%.*sconf.d/*.yaml", slash ? (int)(slash + 1 - s->file) : 0, s->file);
	glob_t g = {0};
	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++) {
			const struct tree *root = load_file(s, g.gl_pathv[i], e);
			static const char *const mains[] = {"hub", "access"};
			for (size_t k = 0; root && k < array_size(mains); k++) {
				const struct tree *main_only = tree_get(root, mains[k]);
				if (main_only)
					errors_add(e, main_only->at, mains[k],
						   "belongs into the main file, %s (move it there)",
						   s->file);
			}
			if (root)
				read_root(s, root, e);
		}
	}
	globfree(&g);
	free(pattern);
}

/* Not where they are only wrong, or called otherwise: that is told. */
static bool lacks_sources(const struct settings *s, const struct tree *root)
{
	static const char *const names[] = {"sources", NULL};
	const struct tree *t = tree_get(root, "sources");
	bool is_empty = !t || (t->kind == TREE_SCALAR ? !t->text[0] : !t->n);
	for (size_t i = 0; !t && i < root->n; i++)
		if (unit_nearest(root->keys[i]->text, names))
			return false;
	return is_empty && !s->n_sources && !root->is_cut_off;
}

struct settings *settings_load(const char *file, struct errors *e)
{
	struct settings *s = mem_zero(sizeof(*s));
	s->file = mem_strdup(file);
	free(e->main_file);
	e->main_file = mem_strdup(file);
	const struct tree *root = load_file(s, file, e);
	hub_settings_read(&s->hub, sub_map(root, "hub", e), e);
	access_read(&s->access, sub_map(root, "access", e), e);
	if (root) {
		read_root(s, root, e);
		load_more(s, e);
	}
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].channel)
			settings_channel(s, s->sources[i].channel);
	settings_channel(s, SETTINGS_OWN_CHANNEL);
	channels_check(s, e);
	if (root && lacks_sources(s, root))
		errors_add(e, root->at, NULL, "no sources (add \"sources:\" with at least one)");
	return s;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	settings_release(settings_rows, s);
	for (size_t i = 0; i < s->n_files; i++)
		tree_free(s->trees[i]);
	list_free(s->files, s->n_files);
	free(s->trees);
	free(s);
}

static bool lists_net(const struct acl *w)
{
	for (size_t i = 0; w && i < w->n; i++)
		if (strncmp(w->items[i], "net:", 4) == 0)
			return true;
	return false;
}

bool settings_use_net(const struct settings *s)
{
	bool uses = lists_net(s->access.admin);
	for (size_t i = 0; !uses && i < s->n_channels; i++)
		uses = lists_net(s->channels[i].access) || lists_net(s->channels[i].replay) ||
		       lists_net(s->channels[i].admin);
	return uses;
}
