/* SPDX-License-Identifier: MIT
 *
 * options - what the plugin can be told.
 */
#ifndef FILE_OPTIONS_H
#define FILE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/container.h"
#include "common/traces.h"
#include "sluice-plugin.h"

enum long_line { LONG_TRUNCATE, LONG_SPLIT, LONG_SKIP };
enum on_invalid { INVALID_REPLACE, INVALID_ESCAPE };
enum parse {
	PARSE_NONE,
	PARSE_JSON,
	PARSE_LOGFMT,
	PARSE_CLF,
	PARSE_REGEX,
	PARSE_SYSLOG,
	PARSE_NGINX,
	PARSE_VHOST_COMBINED,
	PARSE_APACHE_ERROR,
	PARSE_HAPROXY,
	PARSE_CADDY,
	PARSE_DOCKER,
	PARSE_CRI
};

struct options {
	size_t max_line; /* bytes */
	enum long_line on_long_line;
	bool strip_cr, strip_ansi, detect_severity;
	const char *path_field; /* "" : none */
	bool from_beginning;
	uint64_t from_lines; /* the last so many lines; 0 with !from_beginning: none */
	int64_t sweep_ns, rotate_wait_ns;
	bool use_inotify;
	int64_t ignore_older_ns, close_inactive_ns; /* 0: never */
	int64_t max_files;
	size_t read_budget; /* bytes of one file before the next one's turn */
	bool skip_empty, decompress, follow_links, fifos;
	const char *encoding; /* as iconv(3) knows it; "auto": by the byte order mark, else UTF-8 */
	enum on_invalid on_invalid;
	enum parse parse;    /* of the line; in containers of the message */
	bool has_containers; /* each line is one of a container's log */
	enum container_format container;
	size_t max_text; /* of a container's line: bytes; max_line is of the runtime's then */
	int64_t partial_timeout_ns;
	bool has_time_format;
	bool has_groups; /* multiline */
	enum trace_preset preset;
	int64_t group_timeout_ns;
	size_t group_lines, group_bytes; /* at most */
};

extern const struct sluice_option options_table[];

/* All but the patterns; texts are borrowed of the host.  0, or -EINVAL after refusing one. */
int options_read(struct sluice_source *src, struct options *ret);

#endif
