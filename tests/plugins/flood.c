/* SPDX-License-Identifier: MIT
 *
 * A plugin that sends its hub too much of one thing; option `what` says of which.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sluice-plugin.h>

static const char *const whats[] = {"nothing", "listen",  "end",     "open", "refused", "log",
				    "stderr",  "counter", "cursors", "pong", "passing", NULL};

static const struct sluice_option options[] = {
	{.name = "what",
	 .type = SLUICE_ENUM,
	 .fallback = "nothing",
	 .choices = whats,
	 .doc = "which"},
	{.name = "armed_by",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ,
	 .doc = "floods only while this file is there"},
	{.name = "address", .type = SLUICE_ADDRESS, .doc = "to listen on"},
	{.name = NULL},
};

static const struct sluice_event_type events[] = {
	{.name = "tick", .version = 1, .doc = "a number"},
	{.name = NULL},
};

/* wire/frame.h: this plugin speaks behind its host's back. */
enum { REFUSED = 34, END = 38, PONG = 39, WANT_LISTEN = 41, WANT_OPEN = 42 };
enum { LINK = 3, GRANTS = 4, BATCH = 8, FRAME_MAX = 128, CURSORS = 20000 };

static size_t put_number(char *p, uint32_t n)
{
	memcpy(p, &n, sizeof(n));
	return sizeof(n);
}

static size_t put_text(char *p, const char *s)
{
	uint16_t n = (uint16_t)strlen(s);
	memcpy(p, &n, sizeof(n));
	memcpy(p + sizeof(n), s, n);
	return sizeof(n) + n;
}

static size_t put_frame(struct sluice_source *src, char *p, const char *what, unsigned n)
{
	char name[32];
	const char *address = src->host->option(src, "address", 0);
	char *body = p + 5;
	size_t len = 0;
	snprintf(name, sizeof(name), "nobody%u", n);
	if (strcmp(what, "listen") == 0) {
		p[4] = WANT_LISTEN;
		len += put_text(body, address ? address : "");
		len += put_number(body + len, 0660);
		len += put_text(body + len, name);
		len += put_text(body + len, "");
		len += put_number(body + len, 0);
	} else if (strcmp(what, "open") == 0) {
		p[4] = WANT_OPEN;
		len = strlen(strcpy(body, "/nowhere/to/be/found"));
	} else if (strcmp(what, "end") == 0) {
		p[4] = END;
		body[0] = 0;
		len = 1 + strlen(strcpy(body + 1, "it ends and ends and ends"));
	} else if (strcmp(what, "pong") == 0) {
		p[4] = PONG;
	} else {
		p[4] = REFUSED;
		len += put_text(body, "what");
		len += put_text(body + len, "not today");
	}
	put_number(p, (uint32_t)len);
	return 5 + len;
}

static void write_frames(struct sluice_source *src, const char *what)
{
	static unsigned n;
	char frames[BATCH * FRAME_MAX], waste[2048];
	size_t len = 0;
	for (int i = 0; i < BATCH; i++)
		len += put_frame(src, frames + len, what, n++);
	for (size_t at = 0; at < len;) {
		ssize_t w = write(LINK, frames + at, len - at);
		if (w < 0)
			_exit(0);
		at += (size_t)w;
		/* The answers are taken: who does not listen is ended for that. */
		while (recv(GRANTS, waste, sizeof(waste), MSG_DONTWAIT) > 0)
			continue;
	}
}

static int emit(struct sluice_source *src, unsigned n)
{
	char text[32], key[32];
	snprintf(text, sizeof(text), "%u", n);
	snprintf(key, sizeof(key), "key %u", n % CURSORS);
	struct sluice_cursor cursor = {key, strlen(key), text, strlen(text)};
	struct sluice_event ev = {.type = "tick",
				  .severity = SLUICE_NO_SEVERITY,
				  .body = text,
				  .body_len = strlen(text),
				  .cursor = &cursor};
	return src->host->emit(src, &ev);
}

/* Numbered, two kilobytes each, and kept nowhere. */
static int emit_passing(struct sluice_source *src, unsigned n)
{
	char text[2048];
	memset(text, 'x', sizeof(text));
	text[snprintf(text, 32, "%u", n)] = ' ';
	struct sluice_event ev = {.type = "tick",
				  .severity = SLUICE_NO_SEVERITY,
				  .flags = SLUICE_TRANSIENT,
				  .body = text,
				  .body_len = sizeof(text)};
	return src->host->emit(src, &ev);
}

static int flood(struct sluice_source *src, const char *what, unsigned n)
{
	if (strcmp(what, "cursors") == 0)
		return emit(src, n);
	if (strcmp(what, "passing") == 0)
		return emit_passing(src, n);
	if (strcmp(what, "log") == 0)
		src->host->log(src, SLUICE_LOG_ERROR, "nothing has happened, and yet it is said");
	else if (strcmp(what, "counter") == 0)
		src->host->counter(src, n % 2 ? "odd" : "even", n);
	else if (strcmp(what, "stderr") == 0)
		fputs("nothing has happened, and yet it is written here\n", stderr);
	else
		write_frames(src, what);
	return n % 64 ? 0 : src->host->wait(src, NULL, 0, 0);
}

static int run(struct sluice_source *src, void *state)
{
	const char *what = src->host->option(src, "what", 0);
	const char *file = src->host->option(src, "armed_by", 0);
	int r = 0;
	(void)state;
	for (unsigned n = 0; r >= 0;) {
		bool rests = strcmp(what, "nothing") == 0 ||
			     (n % 64 == 0 && file && access(file, F_OK) != 0);
		r = rests ? src->host->wait(src, NULL, 0, 20) : flood(src, what, ++n);
	}
	return r;
}

static const struct sluice_plugin plugin = {
	.magic = SLUICE_PLUGIN_MAGIC,
	.abi_version = SLUICE_ABI_VERSION,
	.struct_size = sizeof(struct sluice_plugin),
	.sizes = SLUICE_SIZES,
	.name = "flood",
	.version = "1",
	.summary = "sends too much of one thing",
	.options = options,
	.events = events,
	.run = run,
};

SLUICE_PLUGIN(plugin)
