/* SPDX-License-Identifier: MIT
 *
 * examine - fetches sluice's probes through whatever lies between, and notes when each
 * frame came.
 */
#ifndef SLUICE_DOCTOR_EXAMINE_H
#define SLUICE_DOCTOR_EXAMINE_H

#include "base/buf.h"
#include "base/json.h"

enum { EXAMINE_FRAMES_MAX = 250, EXAMINE_MAX = 2 };

struct examination {
	char *error; /* why there is no answer; owned; NULL: there is one */
	long status; /* HTTP */
	bool is_http2;
	char server[128];    /* who has answered, by its header */
	char encoding[32];   /* Content-Encoding */
	char type[64];       /* Content-Type */
	char location[256];  /* Location */
	struct buf head;     /* all header fields, as they came */
	bool has_lower_case; /* names of ours, over HTTP/1: sluice does not write them so */
	int64_t local_port, port;
	/* as sluice's first frame says */
	char software[128]; /* the web server that it is mounted under */
	char way[16];       /* socket, spawned, cgi */
	bool is_packed;     /* it was sent compressed */
	struct buf hello;   /* all that it says, JSON */
	/* of the frames: milliseconds, from the first one on */
	int64_t sent_ms[EXAMINE_FRAMES_MAX], came_ms[EXAMINE_FRAMES_MAX];
	size_t n;
	bool has_last;             /* it was not cut off */
	int64_t first_ms, took_ms; /* since it was asked */
};

struct examine_how {
	const char *base; /* of the URL; borrowed */
	int frames;
	int64_t interval_ms;
	bool takes_gzip;
	bool http1, http2; /* alone; else as browsers do */
	bool insecure;     /* any certificate will do */
	const char *user;  /* name:password, or NULL */
};

/* `n` fetches side by side, EXAMINE_MAX at most. */
void examine(const struct examine_how *how, struct examination *ret, size_t n);
void examination_fini(struct examination *e);

/* A field of the answer, several of that name with commas between; false when there is none. */
bool examine_field(const struct examination *e, const char *name, char *ret, size_t size);

/* What sluice's first frame says: 0 or "" when it does not. */
int64_t examine_number(const struct examination *e, const char *key) must_check;
void examine_text(const struct examination *e, const char *key, char *ret, size_t size);

/* `n` probes at once over one HTTP/2 connection: how many had their first frame before the
 * first of them can have ended; negative when that protocol is not spoken.
 */
int examine_at_once(const struct examine_how *how, int n) must_check;

#endif
