/* SPDX-License-Identifier: MIT
 *
 * plugin_argument - what the commands around plugins have in common: a plugin
 * by its name or its file, options as key=value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/unit.h"
#include "cli/cli.h"
#include "host/plugin.h"

char *plugin_argument(const char *name, char **why)
{
	static const struct hub_settings none;
	size_t n = strlen(name);
	if (strchr(name, '/') || (n > 3 && strcmp(name + n - 3, ".so") == 0)) {
		char *path = strchr(name, '/') ? mem_strdup(name) : mem_printf("./%s", name);
		char *real = realpath(path, NULL);
		if (!real)
			*why = mem_printf("%s: there is no such file", name);
		free(path);
		return real;
	}
	return plugin_find(&none, name, why);
}

/* The option of that name; NULL with *why, owned. */
static const struct sluice_option *find_option(const struct sluice_option *table, const char *name,
					       char **why)
{
	enum { NAMES_MAX = 256 };
	const struct sluice_option *ret = option_lookup(table, name);
	const char *names[NAMES_MAX + 1];
	size_t n = 0;
	for (const struct sluice_option *o = table; !ret && o && o->name && n < NAMES_MAX; o++)
		names[n++] = o->name;
	names[n] = NULL;
	const char *near = ret ? NULL : unit_nearest(name, names);
	if (near)
		*why = mem_printf("the plugin has no such option (did you mean \"%s\"?)", near);
	else if (!ret)
		*why = mem_strdup("the plugin has no such option");
	return ret;
}

/* One argument; an owned sentence when something is wrong with it, or NULL. */
static char *take_option(const char *text, const struct sluice_option *table,
			 struct option_values *ret)
{
	const char *equals = strchr(text, '=');
	if (!equals)
		return mem_strdup("not key=value");
	char *name = mem_strndup(text, (size_t)(equals - text)), *why = NULL;
	const struct sluice_option *o = find_option(table, name, &why);
	bool is_many = o && ((o->flags & SLUICE_LIST) || o->type == SLUICE_MAP);
	free(name);
	if (o && !is_many && option_find(ret, o->name))
		return mem_strdup("given twice");
	if (o)
		why = option_check(o, equals + 1);
	if (!why)
		option_add(ret, o, equals + 1, (struct place){0});
	return why;
}

int plugin_options(int argc, char **argv, const struct sluice_option *table,
		   struct option_values *ret)
{
	bool bad = false;
	for (int i = 0; i < argc; i++) {
		char *why = take_option(argv[i], table, ret);
		if (why)
			cli_print(stderr, "sluice: %s: %s\n", argv[i], why);
		bad |= why != NULL;
		free(why);
	}
	char *why = bad ? NULL : option_check_all(ret, table);
	if (why)
		cli_print(stderr, "sluice: %s\n", why);
	bad |= why != NULL;
	free(why);
	if (!bad)
		option_add_fallbacks(ret, table, (struct place){0});
	return bad ? -1 : 0;
}

int plugin_settings(const char *name, int argc, char **argv, struct tables *tables,
		    struct source_settings *ret)
{
	char *why = NULL, *path = plugin_argument(name, &why);
	*tables = (struct tables){0};
	source_settings_init(ret, "plugin", "plugin");
	ret->plugin = path;
	if (!path || probe_describe(path, tables, &why)) {
		cli_print(stderr, "sluice: %s\n", why);
		free(why);
		return 1;
	}
	free(ret->name);
	free(ret->type);
	ret->name = mem_strdup(tables->name);
	ret->type = mem_strdup(tables->name);
	ret->plugin_flags = tables->flags;
	if (plugin_options(argc, argv, tables->options, &ret->options) == 0)
		return 0;
	cli_print(stderr, "sluice: see sluice plugins %s for its options\n", name);
	return 2;
}
