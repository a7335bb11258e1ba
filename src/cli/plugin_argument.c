/* SPDX-License-Identifier: MIT
 *
 * plugin_argument - what the commands around plugins have in common: a plugin
 * by its name or its file, options as key=value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "source/plugin.h"

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

int plugin_options(int argc, char **argv, const struct sluice_option *table,
		   struct option_values *ret)
{
	struct place nowhere = {0};
	int bad = 0;
	for (int i = 0; i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		char *name = mem_strndup(argv[i], equals ? (size_t)(equals - argv[i]) : 0);
		const struct sluice_option *o = option_lookup(table, name);
		const struct option_value *before = o ? option_find(ret, o->name) : NULL;
		char *why = NULL;
		if (!equals)
			why = mem_printf("\"%s\" is not key=value", argv[i]);
		else if (!o)
			why = mem_printf(
				"%s: the plugin has no such option (sluice plugins FILE.so "
				"lists them)",
				name);
		else if (before && !(o->flags & SLUICE_LIST) && o->type != SLUICE_MAP)
			why = mem_printf("%s: given twice", name);
		else
			why = option_check(o, equals + 1);
		if (why)
			fprintf(stderr, "sluice: %s\n", why);
		else
			option_add(ret, o, equals + 1, nowhere);
		bad |= why != NULL;
		free(why);
		free(name);
	}
	char *why = bad ? NULL : option_check_all(ret, table);
	if (why)
		fprintf(stderr, "sluice: %s\n", why);
	bad |= why != NULL;
	free(why);
	for (const struct sluice_option *o = table; !bad && o && o->name; o++)
		if (o->fallback && !option_find(ret, o->name) &&
		    (o->type == SLUICE_ADDRESS || (o->flags & (SLUICE_READ | SLUICE_WRITE))))
			option_add(ret, o, o->fallback, nowhere);
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
		fprintf(stderr, "sluice: %s\n", why);
		free(why);
		return 1;
	}
	free(ret->name);
	free(ret->type);
	ret->name = mem_strdup(tables->name);
	ret->type = mem_strdup(tables->name);
	ret->plugin_flags = tables->flags;
	return plugin_options(argc, argv, tables->options, &ret->options) ? 2 : 0;
}
