/* SPDX-License-Identifier: MIT
 *
 * container - log files of containers: their lines, and what their names say.
 *
 * Docker's json-file writes JSON objects, containerd and CRI-O write what Kubernetes calls CRI.
 * Nothing here asks a daemon: names come from paths and from docker's own file beside the log.
 */
#ifndef COMMON_CONTAINER_H
#define COMMON_CONTAINER_H

#include <time.h>

#include "common/fields.h"

enum container_format { CONTAINER_DOCKER, CONTAINER_CRI };
enum container_stream { CONTAINER_STDOUT, CONTAINER_STDERR, CONTAINER_STREAMS };

struct container_line {
	int64_t time_ns;
	enum container_stream stream;
	const char *text; /* without its line end; borrowed from the line or the memory */
	size_t len;
	bool is_partial;   /* the container's line goes on */
	const char *attrs; /* docker: labels and environment, a JSON object; NULL: none */
	size_t attrs_len;
};

/* Whether the line has this form. */
bool container_read(enum container_format format, const char *p, size_t n, struct fields *memory,
		    struct container_line *ret);
const char *container_stream_name(enum container_stream stream);

enum container_name {
	K8S_NAMESPACE,
	K8S_POD,
	K8S_UID,
	K8S_CONTAINER,
	K8S_RESTARTS,
	CONTAINER_ID,
	CONTAINER_NAME,
	CONTAINER_IMAGE,
	CONTAINER_NAMES
};

/* What is known of one container. */
struct container {
	char *names[CONTAINER_NAMES]; /* owned; NULL: not known */
	char *config;                 /* owned: docker's file about it; NULL: none */
	struct timespec config_time;
	int64_t looked_ns; /* CLOCK_MONOTONIC: at the config */
};

/* Learns from the names of a log file: its own, and those that it links to. */
void container_learn(struct container *c, const char *path);
/* Looks at docker's file again, every ten seconds at most: names change. */
void container_refresh(struct container *c);
/* As fields with OpenTelemetry's names, borrowed until the next refresh. */
void container_put(const struct container *c, struct fields *f);
void container_fini(struct container *c);

#endif
