/* SPDX-License-Identifier: MIT */
#include "source/names.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/helper.h"

#define KNOWN_NS   (60 * NS_PER_SEC)
#define UNKNOWN_NS (5 * NS_PER_SEC) /* the user may be created at this moment */

enum { KEPT_MAX = 64, NSS_BUFFER = 16 * 1024 };

enum kind { USER, GROUP };

struct name {
	struct helper_job job;
	struct names *names;
	char *text; /* owned; NULL: free */
	enum kind kind;
	bool is_asked; /* the thread has it */
	bool is_there;
	uint32_t number;
	int64_t until_ns; /* loop time */
};

struct names {
	struct loop *loop;
	struct helper *thread; /* started when first needed */
	struct name all[KEPT_MAX];
	size_t n_asked;
};

/* Whether there is one. */
static bool look_up(const char *text, enum kind kind, uint32_t *number)
{
	char buffer[NSS_BUFFER];
	struct passwd user, *found_user = NULL;
	struct group group, *found_group = NULL;
	if (kind == USER && getpwnam_r(text, &user, buffer, sizeof(buffer), &found_user) == 0 &&
	    found_user)
		*number = found_user->pw_uid;
	if (kind == GROUP && getgrnam_r(text, &group, buffer, sizeof(buffer), &found_group) == 0 &&
	    found_group)
		*number = found_group->gr_gid;
	return found_user || found_group;
}

static void work(struct helper_job *job)
{
	struct name *n = container_of(job, struct name, job);
	n->is_there = look_up(n->text, n->kind, &n->number);
}

static void done(struct helper_job *job)
{
	struct name *n = container_of(job, struct name, job);
	n->is_asked = false;
	n->names->n_asked--;
	n->until_ns = loop_now(n->names->loop) + (n->is_there ? KNOWN_NS : UNKNOWN_NS);
}

/* That of the name, or a place for it; NULL when all are being looked up. */
static struct name *place_of(struct names *names, struct str text, enum kind kind)
{
	struct name *oldest = NULL;
	for (size_t i = 0; i < KEPT_MAX; i++) {
		struct name *n = &names->all[i];
		if (n->text && n->kind == kind && str_is(text, n->text))
			return n;
		if (!n->is_asked && (!oldest || n->until_ns < oldest->until_ns))
			oldest = n;
	}
	if (!oldest)
		return NULL;
	free(oldest->text);
	*oldest = (struct name){
		.names = names, .text = mem_strndup(text.data, text.len), .kind = kind};
	return oldest;
}

/* 0, -EAGAIN or -ENOENT. */
static int find(struct names *names, struct str text, enum kind kind, uint32_t *number)
{
	struct name *n = place_of(names, text, kind);
	if (!n || n->is_asked)
		return -EAGAIN;
	if (n->until_ns > loop_now(names->loop)) {
		*number = n->number;
		return n->is_there ? 0 : -ENOENT;
	}
	char *why = NULL;
	if (!names->thread && helper_new(names->loop, 1, HELPER_EQUAL, &names->thread, &why)) {
		free(why);
		return -EAGAIN;
	}
	n->job = (struct helper_job){.work = work, .done = done};
	n->is_asked = true;
	names->n_asked++;
	helper_submit(names->thread, &n->job);
	return -EAGAIN;
}

static int refuse(struct str text, enum kind kind, char **why)
{
	*why = mem_printf("there is no %s \"%.*s\" on this machine to own the socket (correct "
			  "its name, or create it)",
			  kind == USER ? "user" : "group", (int)MIN(text.len, (size_t)64),
			  text.data);
	return -EINVAL;
}

int names_find(struct names *names, struct str owner, struct str group, struct address_how *how,
	       char **why)
{
	const struct str texts[] = {owner, group};
	uint32_t numbers[] = {(uint32_t)-1, (uint32_t)-1};
	for (int kind = USER; kind <= GROUP; kind++) {
		int r = texts[kind].len ? find(names, texts[kind], (enum kind)kind, &numbers[kind])
					: 0;
		if (r)
			return r == -ENOENT ? refuse(texts[kind], (enum kind)kind, why) : r;
	}
	how->owner = numbers[USER];
	how->group = numbers[GROUP];
	return 0;
}

int names_find_now(struct str owner, struct str group, struct address_how *how, char **why)
{
	const struct str texts[] = {owner, group};
	uint32_t numbers[] = {(uint32_t)-1, (uint32_t)-1};
	for (int kind = USER; kind <= GROUP; kind++) {
		char *text = mem_strndup(texts[kind].len ? texts[kind].data : "", texts[kind].len);
		bool is_there = !*text || look_up(text, (enum kind)kind, &numbers[kind]);
		free(text);
		if (!is_there)
			return refuse(texts[kind], (enum kind)kind, why);
	}
	how->owner = numbers[USER];
	how->group = numbers[GROUP];
	return 0;
}

struct names *names_new(struct loop *l)
{
	struct names *n = mem_zero(sizeof(*n));
	n->loop = l;
	return n;
}

void names_free(struct names *n)
{
	if (n->n_asked)
		return; /* the thread is at it, for as long as the service takes: the process ends
			 */
	if (n->thread)
		helper_free(n->thread);
	for (size_t i = 0; i < KEPT_MAX; i++)
		free(n->all[i].text);
	free(n);
}
