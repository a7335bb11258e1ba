/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <string.h>

#include "common/container.h"
#include "common/option.h"
#include "common/stamp.h"
#include "common/times.h"
#include "common/traces.h"
#include "encoding.h"

#define MS 1000000LL

/* A runtime's line: docker cuts at 16 KiB, of which JSON may make six times as much. */
enum { WRAPPED_MAX = 256 * 1024 };

static const char *const long_lines[] = {"truncate", "split", "skip", NULL};
static const char *const watches[] = {"auto", "inotify", "poll", NULL};
static const char *const parses[] = {
	"none",           "json",         "logfmt",  "clf",   "regex",  "syslog", "nginx",
	"vhost_combined", "apache_error", "haproxy", "caddy", "docker", "cri",    NULL};
/* What a container writes may have any of the forms but those of the runtimes. */
static const char *const messages[] = {"none",         "json",    "logfmt", "clf",
				       "regex",        "syslog",  "nginx",  "vhost_combined",
				       "apache_error", "haproxy", "caddy",  NULL};
static const char *const ansis[] = {"keep", "strip", NULL};
static const char *const invalids[] = {"replace", "escape", NULL};

const struct sluice_option options_table[] = {
	{.name = "include",
	 .type = SLUICE_GLOB,
	 .flags = SLUICE_LIST | SLUICE_REQUIRED | SLUICE_READ,
	 .doc = "files to follow, as glob(7) patterns; {a,b} matches a or b, and ** any number of "
		"directories"},
	{.name = "exclude",
	 .type = SLUICE_GLOB,
	 .flags = SLUICE_LIST,
	 .doc = "files that are not followed, although include matches them"},
	{.name = "follow_links",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "follow links to directories below ** too; each directory is entered once",
	 .needs = "include~**"},
	{.name = "fifos",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "read FIFOs (named pipes) too; each start but the first declares a gap"},
	{.name = "read_from",
	 .type = SLUICE_STRING,
	 .fallback = "end",
	 .doc = "where to begin in files that exist at the first start: beginning, end, or a "
		"number of last lines such as 100; files that appear later are read from their "
		"beginning"},
	{.name = "max_line",
	 .type = SLUICE_SIZE,
	 .fallback = "64KiB",
	 .min = 16,
	 .max = 64 << 20,
	 .doc = "longest line that is kept whole"},
	{.name = "on_long_line",
	 .type = SLUICE_ENUM,
	 .fallback = "truncate",
	 .choices = long_lines,
	 .doc = "truncate: cut the line and flag it; split: make several events of it; skip: leave "
		"it out and declare a gap"},
	{.name = "strip_cr",
	 .type = SLUICE_BOOL,
	 .fallback = "true",
	 .doc = "drop the CR of a line that ends in CR LF"},
	{.name = "severity",
	 .type = SLUICE_BOOL,
	 .fallback = "true",
	 .doc = "look for a level word such as ERROR near the start of the line"},
	{.name = "ansi",
	 .type = SLUICE_ENUM,
	 .fallback = "keep",
	 .choices = ansis,
	 .doc = "escape sequences that set a terminal's colours: keep them in the line, or strip "
		"them"},
	{.name = "path_field",
	 .type = SLUICE_STRING,
	 .fallback = "log.file.path",
	 .doc = "name of the field that holds the file's name; empty for none"},
	{.name = "watch",
	 .type = SLUICE_ENUM,
	 .fallback = "auto",
	 .choices = watches,
	 .doc = "inotify, poll (for network file systems), or auto: inotify where it works"},
	{.name = "sweep_interval",
	 .type = SLUICE_DURATION,
	 .fallback = "1s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "how often all files are checked, in addition to inotify"},
	{.name = "rotate_wait",
	 .type = SLUICE_DURATION,
	 .fallback = "5s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "how long a rotated file must be quiet before it is closed"},
	{.name = "ignore_older",
	 .type = SLUICE_DURATION,
	 .fallback = "0",
	 .max = 3650LL * 86400 * 1000 * MS,
	 .doc = "do not read files that were last written to longer ago than this, until they are "
		"written to again; 0: read all"},
	{.name = "close_inactive",
	 .type = SLUICE_DURATION,
	 .fallback = "0",
	 .max = 3650LL * 86400 * 1000 * MS,
	 .doc = "close files that have not changed for this time, until they change again; 0: "
		"never"},
	{.name = "max_files",
	 .type = SLUICE_INT,
	 .fallback = "100000",
	 .min = 1,
	 .max = 10000000,
	 .doc = "how many files are followed at most; further files are reported and not followed"},
	{.name = "read_budget",
	 .type = SLUICE_SIZE,
	 .fallback = "2MiB",
	 .min = 4096,
	 .max = 1 << 30,
	 .doc = "bytes that are read from one file before the next file has its turn"},
	{.name = "skip_empty",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "leave empty lines out"},
	{.name = "encoding",
	 .type = SLUICE_STRING,
	 .fallback = "auto",
	 .doc = "auto: as the byte order mark says, else UTF-8; or a name that iconv(1) knows, "
		"such as ISO-8859-1 or UTF-16LE"},
	{.name = "on_invalid",
	 .type = SLUICE_ENUM,
	 .fallback = "replace",
	 .choices = invalids,
	 .doc = "what stands for bytes that are not valid characters; replace: U+FFFD; escape: "
		"\\xNN"},
	{.name = "decompress",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "read .gz, .zst and .xz files too; lines that were read before they were "
		"compressed are not read again"},
	{.name = "multiline.preset",
	 .type = SLUICE_ENUM,
	 .fallback = "none",
	 .choices = traces_names,
	 .doc = "time: a line that begins with a time begins an event; a language: its stack "
		"traces are joined; you can write multiline: java for multiline: {preset: java}"},
	{.name = "multiline.start",
	 .type = SLUICE_REGEX,
	 .doc = "a line that matches begins an event; other lines belong to the event before them"},
	{.name = "multiline.continue",
	 .type = SLUICE_REGEX,
	 .doc = "a line that matches belongs to the event before it; other lines begin an event"},
	{.name = "multiline.end",
	 .type = SLUICE_REGEX,
	 .doc = "a line that matches is the last one of its event"},
	{.name = "multiline.timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "1s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "an event ends when no line has followed for this time",
	 .needs = "multiline.preset multiline.start multiline.continue multiline.end"},
	{.name = "multiline.max_lines",
	 .type = SLUICE_INT,
	 .fallback = "500",
	 .min = 2,
	 .max = 1000000,
	 .doc = "most lines in an event; the next line begins another event",
	 .needs = "multiline.preset multiline.start multiline.continue multiline.end"},
	{.name = "multiline.max_bytes",
	 .type = SLUICE_SIZE,
	 .fallback = "64KiB",
	 .min = 16,
	 .max = 64 << 20,
	 .doc = "longest event that is kept whole",
	 .needs = "multiline.preset multiline.start multiline.continue multiline.end"},
	{.name = "parse",
	 .type = SLUICE_ENUM,
	 .fallback = "none",
	 .choices = parses,
	 .doc = "form of the lines, from which fields, time and severity are taken; a line of "
		"another form is kept as it is, with the field \"unparsed\""},
	{.name = "parse_message",
	 .type = SLUICE_ENUM,
	 .fallback = "none",
	 .choices = messages,
	 .doc = "with parse: docker or cri: the form of the lines that the container itself "
		"writes, such as json"},
	{.name = "partial_timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "30s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "with parse: docker or cri: how long to wait for the rest of a line; then it is "
		"emitted as it is, flagged partial",
	 .needs = "parse=docker parse=cri"},
	{.name = "regex",
	 .type = SLUICE_REGEX,
	 .doc = "with parse: regex: the pattern; named groups become fields, except that "
		"(?<message>), (?<time>) and (?<level>) set the event's message, time and "
		"severity"},
	{.name = "time_format",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "formats to try before the built-in ones, in the notation of strptime(3), such as "
		"\"%d.%m.%Y %H:%M:%S.%f\"; or epoch, epoch_ms, epoch_us, epoch_ns"},
	{.name = "time_zone",
	 .type = SLUICE_STRING,
	 .fallback = "",
	 .doc = "zone of times that do not name one, such as Europe/Berlin or +02:00; empty: this "
		"machine's zone",
	 .needs = "parse"},
	{0},
};

/* ---- options ---------------------------------------------------------------------- */

static void read_all(struct sluice_source *src, struct options *o)
{
	const struct sluice_host *h = src->host;
	o->max_line = (size_t)h->number(src, "max_line");
	o->on_long_line = (enum long_line)h->number(src, "on_long_line");
	o->strip_cr = h->number(src, "strip_cr");
	o->detect_severity = h->number(src, "severity");
	o->strip_ansi = h->number(src, "ansi") == 1;
	o->path_field = h->option(src, "path_field", 0);
	o->sweep_ns = h->number(src, "sweep_interval");
	o->rotate_wait_ns = h->number(src, "rotate_wait");
	o->use_inotify = h->number(src, "watch") != 2;
	o->ignore_older_ns = h->number(src, "ignore_older");
	o->close_inactive_ns = h->number(src, "close_inactive");
	o->max_files = h->number(src, "max_files");
	o->read_budget = (size_t)h->number(src, "read_budget");
	o->skip_empty = h->number(src, "skip_empty");
	o->decompress = h->number(src, "decompress");
	o->follow_links = h->number(src, "follow_links");
	o->fifos = h->number(src, "fifos");
	o->encoding = h->option(src, "encoding", 0);
	o->on_invalid = (enum on_invalid)h->number(src, "on_invalid");
	o->has_time_format = h->option(src, "time_format", 0);
	o->parse = (enum parse)h->number(src, "parse");
	o->max_text = o->max_line;
	o->partial_timeout_ns = h->number(src, "partial_timeout");
	o->has_containers = o->parse == PARSE_DOCKER || o->parse == PARSE_CRI;
	if (o->has_containers) {
		o->container = o->parse == PARSE_CRI ? CONTAINER_CRI : CONTAINER_DOCKER;
		o->parse = (enum parse)h->number(src, "parse_message");
		o->max_line = o->max_line < WRAPPED_MAX ? WRAPPED_MAX : o->max_line;
	}
	o->preset = (enum trace_preset)h->number(src, "multiline.preset");
	o->has_groups = o->preset != TRACE_NONE || h->option(src, "multiline.start", 0) ||
			h->option(src, "multiline.continue", 0) ||
			h->option(src, "multiline.end", 0);
	o->group_timeout_ns = h->number(src, "multiline.timeout");
	o->group_lines = (size_t)h->number(src, "multiline.max_lines");
	o->group_bytes = (size_t)h->number(src, "multiline.max_bytes");
	/* Characters of two or four bytes are not cut in two. */
	o->max_line -= o->max_line % 4;
}

/* (?<name>...), (?P<name>...) or (?'name'...). */
static bool has_named_group(const char *regex)
{
	const char *p = regex;
	while ((p = strstr(p, "(?"))) {
		p += 2;
		if (*p == '\'' || (p[0] == 'P' && p[1] == '<') ||
		    (p[0] == '<' && p[1] != '=' && p[1] != '!'))
			return true;
	}
	return false;
}

static int check_options(struct sluice_source *src, const struct options *o)
{
	const struct sluice_host *h = src->host;
	const char *zone = h->option(src, "time_zone", 0);
	if (!encoding_unit(o->encoding))
		return option_refuse(src, "encoding",
				     "\"%.100s\" is not supported: iconv does not know it, or its "
				     "line feed cannot be found, as in EBCDIC (iconv -l lists the "
				     "names)",
				     o->encoding);
	if (!o->has_containers && h->number(src, "parse_message"))
		return h->refuse(
			src, "parse_message",
			"is used only with parse: docker or cri (for other files, set parse)");
	if (o->parse == PARSE_REGEX && !h->option(src, "regex", 0))
		return h->refuse(src, "regex",
				 "is missing: parse: regex needs one, such as '(?<level>\\w+) "
				 "(?<message>.*)'");
	if (o->parse != PARSE_REGEX && h->option(src, "regex", 0))
		return h->refuse(src, "regex",
				 "is used only with parse: regex (set that, or remove regex)");
	if (o->parse == PARSE_REGEX && !has_named_group(h->option(src, "regex", 0)))
		return h->refuse(src, "regex",
				 "has no named group, so it makes no field (write (?<name>...) "
				 "around each part that is to be a field)");
	if (*zone && stamp_set_zone(zone))
		return option_refuse_zone(src, "time_zone", zone);
	for (size_t i = 0; h->option(src, "time_format", i); i++) {
		const char *why = times_check_format(h->option(src, "time_format", i));
		if (why)
			return option_refuse(src, "time_format", "\"%.100s\" %s",
					     h->option(src, "time_format", i), why);
	}
	if (o->parse == PARSE_NONE && !o->has_containers && o->has_time_format)
		return h->refuse(src, "time_format",
				 "is used only with parse, which finds the time of a line (set "
				 "that, or remove time_format)");
	return 0;
}

int options_read(struct sluice_source *src, struct options *ret)
{
	struct read_from from;
	read_all(src, ret);
	int r = option_read_from(src, "lines", &from);
	if (r)
		return r;
	ret->from_beginning = from.beginning;
	ret->from_lines = from.last;
	return check_options(src, ret);
}
