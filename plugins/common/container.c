/* SPDX-License-Identifier: MIT */
#include "common/container.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/basics.h"
#include "common/jsontext.h"
#include "common/stamp.h"

enum { ID_LEN = 64, LINKS_MAX = 8, CONFIG_MAX = 1024 * 1024 };

#define LOOK_NS (10 * 1000000000LL)

static bool is(const char *p, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(p, word, n) == 0;
}

/* ---- lines ----------------------------------------------------------------------------- */

const char *container_stream_name(enum container_stream stream)
{
	return stream == CONTAINER_STDERR ? "stderr" : "stdout";
}

static bool read_stream(const char *p, size_t n, enum container_stream *ret)
{
	*ret = is(p, n, "stderr") ? CONTAINER_STDERR : CONTAINER_STDOUT;
	return *ret == CONTAINER_STDERR || is(p, n, "stdout");
}

static bool read_time(const char *p, size_t n, int64_t *ret)
{
	return n && stamp_iso(p, n, ret) == n;
}

/* {"log":"text\n","stream":"stdout","attrs":{...},"time":"2026-11-28T15:00:00.000000000Z"} */
static bool read_docker(const char *p, size_t n, struct fields *memory, struct container_line *ret)
{
	struct jsontext t = {p, p + n};
	struct jsontext_value v, log = {.kind = JSONTEXT_NULL};
	const char *key;
	size_t len;
	bool has_stream = false;
	if (!jsontext_take(&t, '{'))
		return false;
	do {
		if (!jsontext_string(&t, &key, &len) || !jsontext_take(&t, ':') ||
		    !jsontext_value(&t, &v))
			return false;
		bool is_text = v.kind == JSONTEXT_STRING;
		if (is(key, len, "log")) {
			log = v;
		} else if (is_text && is(key, len, "stream")) {
			has_stream = read_stream(v.text, v.len, &ret->stream);
		} else if (is_text && is(key, len, "time")) {
			if (!read_time(v.text, v.len, &ret->time_ns))
				return false;
		} else if (v.kind == JSONTEXT_NESTED && is(key, len, "attrs")) {
			ret->attrs = v.text;
			ret->attrs_len = v.len;
		}
	} while (jsontext_take(&t, ','));
	if (!jsontext_take(&t, '}') || t.p < t.end || log.kind != JSONTEXT_STRING || !has_stream)
		return false;
	bool ignored;
	char *text = fields_alloc(memory, log.len + 1);
	if (!text)
		return false;
	ret->len = jsontext_unescape(log.text, log.len, JSONTEXT_STRICT, text, &ignored);
	ret->text = text;
	ret->is_partial = !ret->len || text[ret->len - 1] != '\n';
	ret->len -= !ret->is_partial;
	return true;
}

/* 2026-11-28T15:00:00.000000000Z stdout F text, with P where the line goes on; more tags may
 * follow behind a colon.
 */
static bool read_cri(const char *p, size_t n, struct container_line *ret)
{
	const char *end = p + n, *blank = memchr(p, ' ', n);
	if (!blank || !read_time(p, (size_t)(blank - p), &ret->time_ns))
		return false;
	const char *stream = blank + 1;
	blank = memchr(stream, ' ', (size_t)(end - stream));
	if (!blank || !read_stream(stream, (size_t)(blank - stream), &ret->stream))
		return false;
	const char *tags = blank + 1;
	blank = memchr(tags, ' ', (size_t)(end - tags));
	const char *tags_end = blank ? blank : end;
	if (tags == tags_end || (*tags != 'P' && *tags != 'F') ||
	    (tags + 1 < tags_end && tags[1] != ':'))
		return false;
	ret->is_partial = *tags == 'P';
	ret->text = blank ? blank + 1 : end;
	ret->len = (size_t)(end - ret->text);
	return true;
}

bool container_read(enum container_format format, const char *p, size_t n, struct fields *memory,
		    struct container_line *ret)
{
	*ret = (struct container_line){0};
	return format == CONTAINER_DOCKER ? read_docker(p, n, memory, ret) : read_cri(p, n, ret);
}

/* ---- names of files ---------------------------------------------------------------------- */

/* The first that is known stays. */
static void learn(struct container *c, enum container_name which, const char *p, size_t n)
{
	if (!c->names[which] && n)
		c->names[which] = must(strndup(p, n));
}

/* The part of p before the first `c` becomes *ret; returns what follows, or NULL. */
static const char *before(const char *p, const char *end, char c, size_t *ret)
{
	const char *at = memchr(p, c, (size_t)(end - p));
	*ret = at ? (size_t)(at - p) : 0;
	return at && at > p ? at + 1 : NULL;
}

static bool is_id(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
			return false;
	return n == ID_LEN;
}

/* POD_NAMESPACE_CONTAINER-ID.log, in /var/log/containers; no name of Kubernetes has an
 * underscore.
 */
static void learn_link(struct container *c, const char *name)
{
	size_t pod, namespace;
	const char *end = name + strlen(name);
	const char *dot = strstr(name, ".log");
	const char *second = before(name, end, '_', &pod);
	const char *third = second ? before(second, end, '_', &namespace) : NULL;
	if (!third || !dot || dot - third < ID_LEN + 2 || dot[-ID_LEN - 1] != '-' ||
	    !is_id(dot - ID_LEN, ID_LEN))
		return;
	learn(c, K8S_POD, name, pod);
	learn(c, K8S_NAMESPACE, second, namespace);
	learn(c, K8S_CONTAINER, third, (size_t)(dot - ID_LEN - 1 - third));
	learn(c, CONTAINER_ID, dot - ID_LEN, ID_LEN);
}

/* NAMESPACE_POD_UID/CONTAINER/RESTARTS.log, in /var/log/pods. */
static void learn_pod(struct container *c, const char *pod, const char *container, const char *name)
{
	size_t namespace, pod_len;
	const char *end = container - 1;
	const char *second = before(pod, end, '_', &namespace);
	const char *uid = second ? before(second, end, '_', &pod_len) : NULL;
	size_t digits = strspn(name, "0123456789");
	if (!uid || uid == end || memchr(uid, '_', (size_t)(end - uid)) || !digits ||
	    strncmp(name + digits, ".log", 4) != 0)
		return;
	learn(c, K8S_NAMESPACE, pod, namespace);
	learn(c, K8S_POD, second, pod_len);
	learn(c, K8S_UID, uid, (size_t)(end - uid));
	learn(c, K8S_CONTAINER, container, (size_t)(name - 1 - container));
	learn(c, K8S_RESTARTS, name, digits);
}

/* From one name: its last three parts, and any directory that is an id. */
static void learn_name(struct container *c, const char *path)
{
	const char *parts[3] = {path, path, path}; /* the last three, from the left */
	for (const char *p = path; (p = strchr(p, '/'));) {
		parts[0] = parts[1];
		parts[1] = parts[2];
		parts[2] = ++p;
		if (is_id(parts[1], (size_t)(p - 1 - parts[1])))
			learn(c, CONTAINER_ID, parts[1], ID_LEN);
	}
	learn_link(c, parts[2]);
	if (parts[0] < parts[1])
		learn_pod(c, parts[0], parts[1], parts[2]);
	/* ID/ID-json.log */
	const char *dir = parts[1], *name = parts[2];
	if (c->config || name - dir != ID_LEN + 1 || strncmp(dir, name, ID_LEN) != 0 ||
	    strncmp(name + ID_LEN, "-json.log", 9) != 0)
		return;
	if (asprintf(&c->config, "%.*sconfig.v2.json", (int)(name - path), path) < 0)
		c->config = NULL;
}

/* The next name of a chain of links; false at its end. */
static bool follow_link(char path[PATH_MAX])
{
	char target[PATH_MAX], whole[2 * PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = 0;
	const char *slash = strrchr(path, '/');
	if (*target == '/' || !slash)
		snprintf(whole, sizeof(whole), "%s", target);
	else
		snprintf(whole, sizeof(whole), "%.*s/%s", (int)(slash - path), path, target);
	if (strlen(whole) >= PATH_MAX)
		return false;
	strcpy(path, whole);
	return true;
}

void container_learn(struct container *c, const char *path)
{
	char at[PATH_MAX], whole[PATH_MAX];
	if (strlen(path) >= sizeof(at))
		return;
	strcpy(at, path);
	int links = 0;
	do
		learn_name(c, at);
	while (links++ < LINKS_MAX && follow_link(at));
	if (realpath(path, whole))
		learn_name(c, whole);
	container_refresh(c);
}

/* ---- docker's file ------------------------------------------------------------------------ */

/* What stands under a key is another one from now on. */
static void replace(struct container *c, enum container_name which, const struct jsontext_value *v,
		    struct fields *memory)
{
	bool ignored;
	char *text = v->kind == JSONTEXT_STRING && v->len ? fields_alloc(memory, v->len) : NULL;
	if (!text)
		return;
	size_t n = jsontext_unescape(v->text, v->len, JSONTEXT_STRICT, text, &ignored);
	size_t slash = which == CONTAINER_NAME && n > 1 && *text == '/';
	free(c->names[which]);
	c->names[which] = must(strndup(text + slash, n - slash));
}

/* Calls `fn` with each member of an object. */
static void each_member(const char *p, size_t n,
			void (*fn)(struct container *, const char *key, size_t len,
				   const struct jsontext_value *, struct fields *),
			struct container *c, struct fields *memory)
{
	struct jsontext t = {p, p + n};
	struct jsontext_value v;
	const char *key;
	size_t len;
	if (!jsontext_take(&t, '{'))
		return;
	do {
		if (!jsontext_string(&t, &key, &len) || !jsontext_take(&t, ':') ||
		    !jsontext_value(&t, &v))
			return;
		fn(c, key, len, &v, memory);
	} while (jsontext_take(&t, ','));
}

static void on_label(struct container *c, const char *key, size_t len,
		     const struct jsontext_value *v, struct fields *memory)
{
	static const struct {
		const char *key;
		enum container_name which;
	} labels[] = {
		{"io.kubernetes.pod.namespace", K8S_NAMESPACE},
		{"io.kubernetes.pod.name", K8S_POD},
		{"io.kubernetes.pod.uid", K8S_UID},
		{"io.kubernetes.container.name", K8S_CONTAINER},
		{"annotation.io.kubernetes.container.restartCount", K8S_RESTARTS},
	};
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (is(key, len, labels[i].key))
			replace(c, labels[i].which, v, memory);
}

static void on_config(struct container *c, const char *key, size_t len,
		      const struct jsontext_value *v, struct fields *memory)
{
	if (is(key, len, "Image"))
		replace(c, CONTAINER_IMAGE, v, memory);
	if (is(key, len, "Labels"))
		each_member(v->text, v->len, on_label, c, memory);
}

static void on_member(struct container *c, const char *key, size_t len,
		      const struct jsontext_value *v, struct fields *memory)
{
	if (is(key, len, "Name"))
		replace(c, CONTAINER_NAME, v, memory);
	if (is(key, len, "Config") && v->kind == JSONTEXT_NESTED)
		each_member(v->text, v->len, on_config, c, memory);
}

static char *read_file(const char *path, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = fd >= 0 ? must(malloc(CONFIG_MAX)) : NULL;
	ssize_t got = 1;
	for (*n = 0; fd >= 0 && got > 0 && *n<CONFIG_MAX; *n += got> 0 ? (size_t)got : 0)
		got = read(fd, text + *n, CONFIG_MAX - *n);
	if (fd >= 0)
		close(fd);
	return text;
}

static void learn_config(struct container *c)
{
	struct fields memory = {0};
	size_t n;
	char *text = read_file(c->config, &n);
	if (text)
		each_member(text, n, on_member, c, &memory);
	fields_free(&memory);
	free(text);
}

void container_refresh(struct container *c)
{
	struct stat st;
	if (!c->config || (c->looked_ns && mono_ns() - c->looked_ns < LOOK_NS))
		return;
	c->looked_ns = mono_ns();
	if (stat(c->config, &st) < 0 || (st.st_mtim.tv_sec == c->config_time.tv_sec &&
					 st.st_mtim.tv_nsec == c->config_time.tv_nsec))
		return;
	c->config_time = st.st_mtim;
	learn_config(c);
}

void container_put(const struct container *c, struct fields *f)
{
	static const char *const names[CONTAINER_NAMES] = {
		[K8S_NAMESPACE] = "k8s.namespace.name",
		[K8S_POD] = "k8s.pod.name",
		[K8S_UID] = "k8s.pod.uid",
		[K8S_CONTAINER] = "k8s.container.name",
		[K8S_RESTARTS] = "k8s.container.restart_count",
		[CONTAINER_ID] = "container.id",
		[CONTAINER_NAME] = "container.name",
		[CONTAINER_IMAGE] = "container.image.name",
	};
	for (int i = 0; i < CONTAINER_NAMES; i++) {
		if (!c->names[i])
			continue;
		if (i == K8S_RESTARTS)
			fields_int(f, names[i], atoll(c->names[i]));
		else
			fields_cstr(f, names[i], c->names[i]);
	}
}

void container_fini(struct container *c)
{
	for (int i = 0; i < CONTAINER_NAMES; i++)
		free(c->names[i]);
	free(c->config);
}
