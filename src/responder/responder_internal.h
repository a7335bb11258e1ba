/* SPDX-License-Identifier: MIT
 *
 * responder_internal - a responder and its requests, for the files that drive them.
 *
 *	steps.c        what comes next
 *	head.c         a FastCGI head arrives
 *	cgi.c          the environment is the head
 *	answers.c      where it goes
 *	probe.c        a stream without a hub
 *	hub_request.c  the question to the hub, and the hand-over
 *	texts.c        whole answers
 *	shortage.c     no more files may be opened
 *	request.c      the descriptor, and what is written to it
 *
 * Each needs only those below it.
 */
#ifndef SLUICE_RESPONDER_INTERNAL_H
#define SLUICE_RESPONDER_INTERNAL_H

#include "base/clock.h"
#include "base/list.h"
#include "base/peers.h"
#include "base/table.h"
#include "loop/loop.h"
#include "responder/files.h"
#include "responder/hub_client.h"
#include "responder/params.h"
#include "responder/responder.h"
#include "responder/route.h"
#include "wire/fcgi.h"

enum request_state { READING, ASKING, WRITING, HANDING, CLOSED };

struct request;

struct request_ops {
	void (*read)(struct request *q);      /* something has come, while READING */
	void (*late)(struct request *q);      /* the deadline is over */
	void (*hand_over)(struct request *q); /* the head of a stream is written */
	void (*drop)(struct request *q);      /* it ends in whatever state it is */
};

struct request {
	struct list link;
	const struct request_ops *ops;
	struct responder *responder;
	enum request_state state;
	enum handoff_framing framing;
	int fd; /* to the front server */
	struct loop_io io;
	struct loop_timer deadline;
	struct loop_task reaper;
	struct buf head; /* what has arrived of it, while READING */
	bool is_starved; /* its head is whole; there was no descriptor for reading it */
	struct params params;
	char *path; /* the hub's route, while ASKING; owned */
	bool form_has_nul;
	char *form;            /* what a POST has sent; owned, may be NULL */
	int64_t form_since_ns; /* when the parameters were there, while READING the form; or 0 */
	char *query;           /* that of the URL and the form, joined; owned */
	uint32_t serial;       /* of its question to the hub; 0 before */
	struct table_entry by_serial;
	bool is_asked;       /* the question is with the present hub */
	bool promised_gzip;  /* the head says so */
	bool then_hand_over; /* WRITING the head of a stream */
	struct buf answer;   /* parts from the hub, unframed */
	struct buf out;      /* framed, being written */
	size_t out_at;
	bool stays;                        /* WRITING, and there is more to come */
	bool lingers;                      /* answered, it waits for the peer to end */
	struct probe *probe;               /* owned; NULL for all but /probe */
	void (*on_end)(struct request *q); /* or NULL */
};

struct probe;

struct listener {
	struct loop_io io;
	struct responder *responder;
	int fd;
};

struct responder {
	struct loop *loop;
	const struct responder_config *config;
	struct files files;
	struct peers peers;
	struct loop_io ping_io;
	struct listener listeners[RESPONDER_LISTEN_MAX];
	struct loop_timer pause; /* short of descriptors: accept again later */
	int64_t shortage_told_ns;
	struct loop_timer resend; /* the hub was behind: ask again */
	struct loop_timer retire; /* looks whether the last request is over */
	int64_t retired_ns, revived_ns;
	struct loop_timer watch; /* looks whether anybody can come */
	ino_t name_ino;          /* of the socket's file; 0: it was not there */
	dev_t name_dev;
	const char *no_hub; /* why there is none and will not be; or NULL */
	struct list requests;
	struct hub_client hub;
	uint32_t last_serial;
	struct table by_serial; /* requests that have asked the hub */
	int n_probes;
};

/* How long a form may take: between two pieces of it, and in all.  60 KiB, the most that it
 * may have, take a minute at 1 KiB a second.
 */
#define FORM_IDLE_NS  (15 * NS_PER_SEC)
#define FORM_TOTAL_NS (120 * NS_PER_SEC)
#define FORM_IS_SLOW                                                                               \
	"The form did not come whole: nothing came for 15 s, or it took longer than 2 minutes.\n"

/* A request on `fd`, which is taken.  It ends by itself within 2 s unless its head
 * comes.
 */
struct request *request_new(struct responder *r, int fd, enum handoff_framing framing,
			    const struct request_ops *ops) must_check;
/* The same with the steps that all requests take. */
struct request *request_open(struct responder *r, int fd, enum handoff_framing framing) must_check;
void request_finish(struct request *q);
/* At the end of the process, outside its loop. */
void request_free(struct request *q);

/* Accepts nothing for a moment; r->pause says when that is over. */
void responder_pause(struct responder *r);
/* Whether new connections are accepted. */
void responder_listen(struct responder *r, bool on);

/* Takes what has arrived, and goes on once that is a whole head. */
void request_read(struct request *q);

/* The time for the form is over. */
void request_refuse_slow(struct request *q);

/* Its params are read: answers it or asks the hub. */
void request_route(struct request *q);

/* Asks the hub (again), and hands the descriptor over. */
void request_begin_to_ask(struct request *q, char *path_taken);
void request_ask(struct request *q);
void request_hand_over(struct request *q);
void request_lost_hub(struct request *q);
void request_drop(struct request *q);

/* Sends header fields and body, which is cut for HEAD; ends the request unless it
 * becomes a stream.
 */
void request_respond(struct request *q, struct str answer, bool is_stream);
void request_respond_text(struct request *q, const char *status, const char *more_headers,
			  const char *text);
/* Header fields only. */
void request_respond_empty(struct request *q, const char *status, const char *more_headers);
void request_respond_without_hub(struct request *q);
/* At once: waiting for a hub would be in vain. */
void request_respond_hopeless(struct request *q);

/* Appends the header fields that let a configured origin read the answer, and Vary, in which
 * `varies` comes first: "" or such as "Accept, ".
 */
void request_put_cors(const struct request *q, const char *varies, struct buf *out);

/* Text of an answer that comes piece by piece. */
void request_write(struct request *q, struct str text, bool is_last);

/* Answers with probes. */
void probe_begin(struct request *q);

void request_set_deadline(struct request *q, int64_t ns);

/* Makes the one request of a CGI program from its environment and descriptors. */
void cgi_begin(struct responder *r);

#endif
