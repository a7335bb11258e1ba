/* SPDX-License-Identifier: MIT
 *
 * plugins - sluice plugins: what there is, and what a plugin can do, from the
 * tables that it works with.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/unit.h"
#include "base/utf8.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "conf/option_text.h"
#include "host/plugin.h"

static const char usage[] =
	"usage: sluice plugins [--json | --markdown] [NAME | FILE.so]\n\n"
	"Without a name: the plugins that are installed.  With one: its options and the\n"
	"types of its events.\n";

enum form { FORM_TEXT, FORM_JSON, FORM_MARKDOWN };

/* ---- one plugin ---- */

static void text_of(const struct tables *t, struct buf *out)
{
	buf_printf(out, "%s - %s (version %s)\n\noptions:\n", t->name, t->summary,
		   t->version[0] ? t->version : "not told");
	for (const struct sluice_option *o = t->options; o->name; o++) {
		buf_printf(out, "  %s  (", o->name);
		option_put_type(out, o, "");
		option_put_range(out, o);
		if (o->flags & SLUICE_REQUIRED)
			buf_puts(out, "; required");
		if (o->fallback)
			buf_printf(out, "; default %s", o->fallback[0] ? o->fallback : "\"\"");
		buf_printf(out, ")\n      %s\n", o->doc);
		if (o->conflicts)
			buf_printf(out, "      not together with: %s\n", o->conflicts);
	}
	buf_puts(out, "\nevents:\n");
	for (const struct sluice_event_type *ev = t->events; ev->name; ev++) {
		buf_printf(out, "  %s (version %u)  %s\n", ev->name, ev->version, ev->doc);
		for (const struct sluice_field_type *f = ev->fields; f && f->name; f++)
			buf_printf(out, "      %s  (%s%s%s)  %s\n", f->name,
				   option_type_word(f->type), f->unit ? ", " : "",
				   f->unit ? f->unit : "", f->doc);
	}
}

static void markdown_of(const struct tables *t, struct buf *out)
{
	option_put_markdown(out, t->options);
	buf_puts(out, "\n| event | field | value | unit | |\n|---|---|---|---|---|\n");
	for (const struct sluice_event_type *ev = t->events; ev->name; ev++) {
		buf_printf(out, "| `%s` | | | | ", ev->name);
		option_put_cell(out, ev->doc);
		buf_puts(out, " |\n");
		for (const struct sluice_field_type *f = ev->fields; f && f->name; f++) {
			buf_printf(out, "| | `%s` | %s | %s | ", f->name, option_type_word(f->type),
				   f->unit ? f->unit : "");
			option_put_cell(out, f->doc ? f->doc : "");
			buf_puts(out, " |\n");
		}
	}
}

static void json_option(struct json *j, const struct sluice_option *o)
{
	json_open(j, NULL, '{');
	json_cstr(j, "name", o->name);
	json_cstr(j, "type", option_type_word(o->type));
	json_bool(j, "list", o->flags & SLUICE_LIST);
	json_bool(j, "required", o->flags & SLUICE_REQUIRED);
	json_bool(j, "reloadable", o->flags & SLUICE_RELOADABLE);
	json_cstr(j, "default", o->fallback);
	json_open(j, "choices", '[');
	for (size_t i = 0; o->choices && o->choices[i]; i++)
		json_cstr(j, NULL, o->choices[i]);
	json_close(j, ']');
	if (o->min || o->max) {
		json_int(j, "min", o->min);
		json_int(j, "max", o->max);
	}
	json_cstr(j, "conflicts", o->conflicts);
	json_cstr(j, "doc", o->doc);
	json_close(j, '}');
}

static void json_of(const struct tables *t, const char *path, struct buf *out)
{
	struct json j = {out, false};
	json_open(&j, NULL, '{');
	json_cstr(&j, "name", t->name);
	json_cstr(&j, "file", path);
	json_cstr(&j, "version", t->version);
	json_cstr(&j, "summary", t->summary);
	json_open(&j, "options", '[');
	for (const struct sluice_option *o = t->options; o->name; o++)
		json_option(&j, o);
	json_close(&j, ']');
	json_open(&j, "events", '[');
	for (const struct sluice_event_type *ev = t->events; ev->name; ev++) {
		json_open(&j, NULL, '{');
		json_cstr(&j, "name", ev->name);
		json_int(&j, "version", ev->version);
		json_cstr(&j, "doc", ev->doc);
		json_open(&j, "fields", '[');
		for (const struct sluice_field_type *f = ev->fields; f && f->name; f++) {
			json_open(&j, NULL, '{');
			json_cstr(&j, "name", f->name);
			json_cstr(&j, "type", option_type_word(f->type));
			json_cstr(&j, "unit", f->unit);
			json_cstr(&j, "doc", f->doc);
			json_close(&j, '}');
		}
		json_close(&j, ']');
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	buf_putc(out, '\n');
}

/* It contains text from the plugin. */
static void print_form(enum form form, const struct buf *out)
{
	struct buf visible = {0};
	if (form == FORM_JSON)
		utf8_put_visible_json(&visible, buf_str(out));
	else
		utf8_put_visible_lines(&visible, buf_str(out), "");
	fputs(buf_text(&visible), stdout);
	buf_fini(&visible);
}

static int describe(const char *name, enum form form)
{
	char *why = NULL, *path = plugin_argument(name, &why);
	struct tables t = {0};
	struct buf out = {0};
	int status = 1;
	if (!path || probe_describe(path, &t, &why)) {
		cli_print(stderr, "sluice plugins: %s\n", why);
	} else {
		if (form == FORM_JSON)
			json_of(&t, path, &out);
		else if (form == FORM_MARKDOWN)
			markdown_of(&t, &out);
		else
			text_of(&t, &out);
		print_form(form, &out);
		status = 0;
	}
	tables_fini(&t);
	buf_fini(&out);
	free(path);
	free(why);
	return status;
}

/* ---- all of them ---- */

static int is_plugin(const struct dirent *e)
{
	size_t n = strlen(e->d_name);
	return n > 3 && strcmp(e->d_name + n - 3, ".so") == 0;
}

static void list_one(const char *path, enum form form, bool first)
{
	struct tables t = {0};
	struct buf out = {0};
	char *why = NULL;
	bool good = probe_describe(path, &t, &why) == 0;
	if (form == FORM_JSON && good) {
		if (!first)
			putchar(',');
		json_of(&t, path, &out);
		print_form(form, &out);
	} else if (form != FORM_JSON) {
		if (good)
			cli_print(stdout, "%-12s %-8s %s\n", t.name, t.version, t.summary);
		else
			cli_print(stdout, "%s: cannot be used: %s\n", path, why);
	} else {
		cli_print(stderr, "sluice plugins: %s\n", why);
	}
	tables_fini(&t);
	buf_fini(&out);
	free(why);
}

static int list(enum form form)
{
	static const struct hub_settings none;
	char **dirs = plugin_dirs(&none);
	bool first = true;
	if (form == FORM_JSON)
		putchar('[');
	for (size_t i = 0; dirs[i]; i++) {
		struct dirent **names;
		int n = scandir(dirs[i], &names, is_plugin, alphasort);
		for (int k = 0; k < n; k++) {
			char *path = mem_printf("%s/%s", dirs[i], names[k]->d_name);
			list_one(path, form, first);
			first = false;
			free(path);
			free(names[k]);
		}
		if (n >= 0)
			free(names);
	}
	if (form == FORM_JSON)
		puts("]");
	else if (first)
		cli_print(stderr,
			  "sluice plugins: there are no plugins in %s (set "
			  "SLUICE_PLUGIN_DIR)\n",
			  dirs[0]);
	plugin_dirs_free(dirs);
	return first;
}

static char *take_json(void *into, const char *value maybe_unused)
{
	*(enum form *)into = FORM_JSON;
	return NULL;
}

static char *take_markdown(void *into, const char *value maybe_unused)
{
	*(enum form *)into = FORM_MARKDOWN;
	return NULL;
}

int plugins_command(int argc, char **argv)
{
	enum form form = FORM_TEXT;
	int status;
	const struct flag flags[] = {
		{"json", 0, NULL, "print JSON", take_json, &form},
		{"markdown", 0, NULL, "print tables in Markdown", take_markdown, &form},
		{0}};
	struct arguments a = {.command = "plugins", .usage = usage, .flags = flags, .words_max = 1};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	return a.n_words ? describe(a.words[0], form) : list(form);
}
