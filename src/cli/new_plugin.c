/* SPDX-License-Identifier: MIT
 *
 * new_plugin - sluice new-plugin: the beginning of a plugin, made from the
 * templates that are installed with sluice.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"

enum { TEMPLATE_MAX = 256 * 1024 };

static const char usage[] =
	"usage: sluice new-plugin NAME\n\n"
	"Makes a directory NAME with a plugin that builds, works and tests itself:\n"
	"NAME.c, NAME.md, Makefile, test.sh.  Then: make -C NAME check\n";

static const struct {
	const char *from; /* in the directory of templates */
	const char *to;   /* %s: the name */
	mode_t mode;
} files[] = {
	{"plugin.c.in", "%s/%s.c", 0644},
	{"plugin.md.in", "%s/%s.md", 0644},
	{"make.in", "%s/Makefile", 0644},
	{"test.sh.in", "%s/test.sh", 0755},
};

/* Letters, digits and _ , as the name of a file and of a type. */
static bool is_good_name(const char *name)
{
	if (!islower((unsigned char)name[0]) || strlen(name) > 32)
		return false;
	for (; *name; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    *name != '_' && *name != '-')
			return false;
	return true;
}

static void fill_in(struct str template, const char *name, struct buf *out)
{
	static const char mark[] = "@NAME@";
	for (size_t i = 0; i < template.len;) {
		if (template.len - i >= strlen(mark) &&
		    memcmp(template.data + i, mark, strlen(mark)) == 0) {
			buf_puts(out, name);
			i += strlen(mark);
		} else {
			buf_putc(out, template.data[i++]);
		}
	}
}

static int make_file(const char *dir, size_t i, const char *name)
{
	struct buf template = {0}, text = {0};
	char *from = mem_printf("%s/%s", dir, files[i].from);
	struct buf to = {0};
	int r = fd_read_file(from, TEMPLATE_MAX, &template);
	if (r)
		fprintf(stderr, "sluice: %s: %s (is sluice installed whole?)\n", from,
			strerror(-r));
	for (const char *p = files[i].to; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			buf_puts(&to, name);
			p++;
		} else {
			buf_putc(&to, *p);
		}
	}
	fill_in(buf_str(&template), name, &text);
	int fd = r ? -1
		   : open(buf_text(&to), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, files[i].mode);
	if (!r && (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)) {
		r = -errno;
		fprintf(stderr, "sluice: %s: %s\n", buf_text(&to), strerror(errno));
	}
	fd_close(&fd);
	if (!r)
		printf("%s\n", buf_text(&to));
	buf_fini(&template);
	buf_fini(&text);
	buf_fini(&to);
	free(from);
	return r;
}

int new_plugin_command(int argc, char **argv)
{
	const char *dir = getenv("SLUICE_TEMPLATE_DIR");
	if (!dir || !*dir)
		dir = SLUICE_TEMPLATE_DIR;
	int status;
	struct arguments a = {.command = "new-plugin", .usage = usage, .words_max = 1};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	if (!a.n_words)
		return arguments_refuse(&a, "no name given: use sluice new-plugin NAME");
	const char *name = a.words[0];
	if (!is_good_name(name))
		return arguments_refuse(
			&a,
			"\"%s\" cannot name a plugin: use lower-case letters, digits, - and _, "
			"starting with a letter, at most 32 characters",
			name);
	static const char *const ours[] = {"file", "syslog", "command", "metrics"};
	for (size_t i = 0; i < array_size(ours); i++)
		if (strcmp(name, ours[i]) == 0)
			return arguments_refuse(
				&a,
				"\"%s\" is one of sluice's own plugins: take another "
				"name",
				name);
	if (mkdir(name, 0755) < 0) {
		cli_print(stderr, "sluice new-plugin: %s: %s\n", name, strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < array_size(files); i++)
		if (make_file(dir, i, name))
			return 1;
	printf("\nnow: make -C %s check\n", name);
	return 0;
}
