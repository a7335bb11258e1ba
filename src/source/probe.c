/* SPDX-License-Identifier: MIT */
#include "source/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "host/plugin.h"
#include "source/driver.h"

/* How many are asked at the same time. */
enum { PATIENCE_MS = 10000, AT_ONCE = 4, WARNINGS_MAX = 16 * 1024 };

struct question {
	const struct source_settings *src;
	struct driver d;
	int result; /* of starting it */
	int64_t until_ns;
	struct buf warnings; /* one a line */
};

static void begin(struct question *q, const struct nursery *nursery, enum opening_mode mode,
		  const struct source_settings *src, char **why)
{
	q->src = src;
	q->warnings = (struct buf){0};
	q->result = driver_start(&q->d, nursery, mode, src, (struct str){NULL, 0}, why);
	q->until_ns = clock_mono_ns() + PATIENCE_MS * NS_PER_MS;
}

/* What the plugin warns of while it looks at its options. */
static void take_log(struct question *q, struct str body)
{
	struct reader r = reader_of(body.data, body.len);
	uint8_t level = get_byte(&r);
	struct str text = get_short_str(&r);
	if (r.failed || level > SLUICE_LOG_WARNING || q->warnings.len > WARNINGS_MAX)
		return;
	for (size_t i = 0; i < text.len; i++)
		buf_put_u8(&q->warnings, (uint8_t)(text.data[i] == '\n' ? ' ' : text.data[i]));
	buf_puts(&q->warnings, "\n");
}

/* The first frame that settles the question, with the process left to its end.
 * 0, or -EIO with *why.
 */
static int await(struct question *q, struct frame *ret, char **why)
{
	while (!q->result) {
		int64_t left = (q->until_ns - clock_mono_ns()) / NS_PER_MS;
		int got = driver_next(&q->d, (int)MAX(left, 0), ret);
		if (got == 1 && (ret->type == FRAME_DESCRIBE || ret->type == FRAME_OPENED ||
				 ret->type == FRAME_REFUSED))
			return 0;
		if (got == 1 && ret->type == FRAME_LOG)
			take_log(q, ret->body);
		if (got == 1 && left > 0)
			continue;
		int status;
		driver_end(&q->d, got == -EPIPE ? 1000 : 0, &status);
		char *how = process_describe_status(status);
		if (got >= 0)
			*why = mem_printf("%s: the plugin did not answer within %d s",
					  q->src->plugin, PATIENCE_MS / 1000);
		else
			*why = mem_printf("%s: the plugin broke off while it was asked (%s)",
					  q->src->plugin, how);
		free(how);
		return -EIO;
	}
	return -EIO;
}

static char *text_of(struct str s)
{
	return mem_strndup(s.data, s.len);
}

static int describe(const struct nursery *nursery, const char *path, struct tables *ret, char **why)
{
	struct question q;
	struct frame f;
	struct source_settings src;
	source_settings_init(&src, "describe", "");
	src.plugin = mem_strdup(path);
	*ret = (struct tables){0};
	begin(&q, nursery, OPENING_DESCRIBE, &src, why);
	int r = await(&q, &f, why) ? -EINVAL : 0;
	if (!r && f.type == FRAME_REFUSED) {
		struct reader rd = reader_of(f.body.data, f.body.len);
		get_short_str(&rd);
		*why = text_of(get_short_str(&rd));
		r = -EINVAL;
	} else if (!r && tables_get(f.body, ret)) {
		*why = mem_printf("%s: the plugin's tables cannot be read", path);
		tables_fini(ret);
		r = -EINVAL;
	}
	if (q.d.pid)
		driver_end(&q.d, 1000, NULL);
	buf_fini(&q.warnings);
	source_settings_fini(&src);
	return r;
}

int probe_describe(const char *path, struct tables *ret, char **why)
{
	return describe(NULL, path, ret, why);
}

/* Like probe_open(), for a check that was started before. */
static int finish_open(struct question *q, char **option, char **why)
{
	struct frame f;
	*option = NULL;
	int r = await(q, &f, why);
	if (!r && f.type == FRAME_REFUSED) {
		struct reader rd = reader_of(f.body.data, f.body.len);
		struct str name = get_short_str(&rd);
		*why = text_of(get_short_str(&rd));
		*option = name.len ? text_of(name) : NULL;
		r = -EINVAL;
	}
	/* Closing may crash as well: wait for its end. */
	int status = 0;
	if (q->d.pid)
		driver_end(&q->d, PATIENCE_MS, &status);
	if (!r && (WIFSIGNALED(status) || WEXITSTATUS(status))) {
		char *how = process_describe_status(status);
		*why = mem_printf("%s: the plugin's close() failed (%s)", q->src->plugin, how);
		free(how);
		r = -EIO;
	}
	return r;
}

int probe_open(const struct source_settings *src, char **option, char **why)
{
	struct question q;
	begin(&q, NULL, OPENING_CHECK, src, why);
	int r = finish_open(&q, option, why);
	buf_fini(&q.warnings);
	return r;
}

/* ---- all sources of a configuration -------------------------------------------------- */

/* What a plugin has said of itself, asked once for all its instances. */
struct answer {
	char *path;
	int result;
	struct tables tables;
	char *why;
};

/* An open() that is under way. */
struct opening_check {
	struct question question;
	struct source_settings *src;
	bool is_whole; /* no option is missing because it was wrong */
	char *why;
};

struct asker {
	struct nursery nursery;
	struct answer *all;
	size_t n;
	struct opening_check checks[AT_ONCE]; /* a ring: the oldest, and how many */
	size_t first, n_checks;
};

static const struct answer *describe_once(struct asker *a, const char *path)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->all[i].path, path) == 0)
			return &a->all[i];
	a->all = mem_resize(a->all, (a->n + 1) * sizeof(a->all[0]));
	struct answer *ret = &a->all[a->n++];
	*ret = (struct answer){.path = mem_strdup(path)};
	ret->result = describe(&a->nursery, path, &ret->tables, &ret->why);
	return ret;
}

static void asker_fini(struct asker *a)
{
	for (size_t i = 0; i < a->n; i++) {
		tables_fini(&a->all[i].tables);
		free(a->all[i].path);
		free(a->all[i].why);
	}
	free(a->all);
	pid_t pid = a->nursery.pid;
	nursery_close(&a->nursery);
	while (pid && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* Where options are missing because they were wrong, only a refusal of one that is there
 * and right is told: the others may follow from that.
 */
static void finish_check(struct asker *a, struct errors *e)
{
	struct opening_check *c = &a->checks[a->first];
	struct source_settings *src = c->src;
	char *option = NULL;
	a->first = (a->first + 1) % AT_ONCE;
	a->n_checks--;
	int r = finish_open(&c->question, &option, &c->why);
	if (c->question.warnings.len)
		src->warnings = mem_strdup(buf_text(&c->question.warnings));
	buf_fini(&c->question.warnings);
	const struct option_value *v = option ? option_find(&src->options, option) : NULL;
	if (r == -EINVAL && (c->is_whole || (v && v->n && !(v->flags & OPTION_FALLBACK)))) {
		char *where = mem_printf("sources.%s%s%s", src->name, option ? "." : "",
					 option ? option : "");
		errors_add(e, v ? v->at : src->tree->at, where, "%s", c->why);
		free(where);
	} else if (r && r != -EINVAL && c->is_whole) {
		src->trouble = c->why;
		c->why = NULL;
	}
	free(option);
	free(c->why);
}

static void begin_check(struct asker *a, struct source_settings *src, bool is_whole,
			struct errors *e)
{
	if (a->n_checks == AT_ONCE)
		finish_check(a, e);
	struct opening_check *c = &a->checks[(a->first + a->n_checks++) % AT_ONCE];
	*c = (struct opening_check){.src = src, .is_whole = is_whole};
	begin(&c->question, &a->nursery, OPENING_CHECK, src, &c->why);
}

/* As the plugin whose name was meant, so that a mistake in the name hides no other. */
static void check_as_nearest(struct asker *a, const struct settings *s, struct source_settings *src,
			     const char *type, struct errors *e)
{
	char *path = plugin_nearest(&s->hub, type);
	const struct answer *said = path ? describe_once(a, path) : NULL;
	if (said && !said->result)
		settings_read_options(src, said->tables.options, e);
	free(path);
}

static void probe_source(struct asker *a, struct settings *s, struct source_settings *src,
			 struct errors *e)
{
	const struct tree *type = tree_get(src->tree, "type");
	if (!type || type->kind != TREE_SCALAR)
		return; /* the error has been reported */
	char *where = mem_printf("sources.%s", src->name);
	char *why = NULL;
	int before = e->count;
	if (src->type)
		src->plugin = plugin_find(&s->hub, src->type, &why);
	if (why)
		errors_add(e, type->at, where, "%s", why);
	free(why);
	const struct answer *said = src->plugin ? describe_once(a, src->plugin) : NULL;
	if (!said) {
		check_as_nearest(a, s, src, type->text, e);
	} else if (said->result) {
		src->trouble = mem_strdup(said->why);
	} else {
		src->plugin_flags = said->tables.flags;
		settings_read_options(src, said->tables.options, e);
		settings_read_types(src, said->tables.events);
		begin_check(a, src, e->count == before, e);
	}
	free(where);
}

void probe_sources(struct settings *s, struct errors *e)
{
	struct asker a = {.nursery.fd = -1};
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (s->n_sources > 1 && nursery_open(&a.nursery))
		nursery_close(&a.nursery); /* each process is started by itself */
	for (size_t i = 0; i < s->n_sources; i++)
		probe_source(&a, s, &s->sources[i], e);
	while (a.n_checks)
		finish_check(&a, e);
	asker_fini(&a);
}

void probe_tell_troubles(const struct settings *s, struct errors *e)
{
	for (size_t i = 0; i < s->n_sources; i++) {
		const struct source_settings *src = &s->sources[i];
		if (!src->trouble)
			continue;
		char *where = mem_printf("sources.%s", src->name);
		errors_add(e, tree_get(src->tree, "type")->at, where, "%s", src->trouble);
		free(where);
	}
}
