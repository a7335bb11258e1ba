/* SPDX-License-Identifier: MIT */
#include "access/access.h"

#include <stdlib.h>

#include "access/forwarded.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/unit.h"
#include "conf/subject.h"
#include "wire/query.h"

#define TELL_OF_PROXY_NS (600 * NS_PER_SEC)

enum { NAME_MAX_BYTES = 256, REFUSALS_A_SECOND = 5 };

int access_open(struct access *a, const struct settings *s, char **why)
{
	a->settings = s;
	int r = key_open(s->hub.state_dir, TICKET_KEY_FILE, &a->key);
	if (r)
		*why = mem_printf("%s/ticket.key is no key of 64 hexadecimal digits (remove it: a "
				  "new one is made, and the tickets given out are void): %s",
				  s->hub.state_dir, strerror(-r));
	return r;
}

void access_close(struct access *a)
{
	revoked_fini(&a->revoked);
}

/* ---- who asks -------------------------------------------------------------------------- */

/* A name goes into logs and comparisons: no control characters, no novels. */
static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f)
			return false;
	return s.len <= NAME_MAX_BYTES;
}

/* The value of ticket= in a query; owned, or NULL. */
static char *ticket_in_query(struct str query)
{
	struct buf key = {0}, value = {0};
	char *found = NULL;
	while (!found && query_next(&query, &key, &value) == 1)
		if (str_is(buf_str(&key), "ticket"))
			found = mem_strdup(buf_text(&value));
	buf_fini(&key);
	buf_fini(&value);
	return found;
}

static int take_ticket(struct access *a, struct str text, struct identity *who, struct buf *why)
{
	struct ticket *t = mem_zero(sizeof(*t));
	const char *bad = ticket_get(&a->key, text, clock_wall_ns() / NS_PER_SEC, t);
	revoked_refresh(&a->revoked, a->settings->hub.state_dir);
	if (!bad && a->revoked.is_unreadable)
		bad = "whether it was revoked cannot be read (hub.state_dir/tickets.revoked)";
	else if (!bad && revoked_holds(&a->revoked, t->id))
		bad = "it was revoked";
	if (bad) {
		ticket_free(t);
		buf_printf(why,
			   "The ticket is not good: %s (ask for a new one where it came from).\n",
			   bad);
		return 403;
	}
	who->ticket = t;
	free(who->user);
	who->user = mem_strdup(t->user);
	return 0;
}

static void tell_of_proxy(struct access *a, const struct forwarded *f)
{
	int64_t now = clock_mono_ns();
	if ((a->told_of_proxy_ns && now - a->told_of_proxy_ns < TELL_OF_PROXY_NS) ||
	    !settings_use_net(a->settings))
		return;
	a->told_of_proxy_ns = now;
	int n = (int)MIN(f->address.len, (size_t)64);
	if (f->is_client)
		log_warning(
			"%.*s forwards requests (X-Forwarded-For, Forwarded or X-Real-IP) but is "
			"not in access.trusted_proxies: net: uses its address as the client's "
			"(add it to the list if it is your proxy)",
			n, f->address.data);
	else
		log_warning(
			"%.*s forwards requests (X-Forwarded-For, Forwarded or X-Real-IP): net: "
			"grants them nothing (list your proxies in access.trusted_proxies, or [] "
			"if there are none)",
			n, f->address.data);
}

/* Whose request it is, as far as the web server and proxies of ours say it. */
static void find_address(struct access *a, const struct handoff_request *r, struct identity *ret)
{
	char text[NET_TEXT_MAX];
	struct forwarded f = forwarded_read(&a->settings->access, r);
	ret->is_proxy = !f.is_client;
	ret->address = net_put_address(f.address, text)
			       ? mem_strdup(text)
			       : mem_strndup(f.address.data, f.address.len);
	if (f.is_unlisted)
		tell_of_proxy(a, &f);
}

int identity_of(struct access *a, const struct handoff_request *r, struct identity *ret,
		struct buf *why)
{
	struct str name = r->user.len ? r->user : r->certificate;
	*ret = (struct identity){.user = mem_strndup(name.data, is_name(name) ? name.len : 0)};
	find_address(a, r, ret);
	if (!is_name(name)) {
		buf_puts(why, "The name that the web server gives for you is not one.\n");
		return 403;
	}
	char *in_query = ticket_in_query(r->query);
	int status = 0;
	if (in_query)
		status = take_ticket(a, str_of(in_query), ret, why);
	else if (r->ticket.len && !name.len) /* a cookie that was forgotten harms no user */
		status = take_ticket(a, r->ticket, ret, why);
	free(in_query);
	return status;
}

void identity_fini(struct identity *who)
{
	free(who->user);
	free(who->address);
	ticket_free(who->ticket);
	*who = (struct identity){0};
}

/* ---- rights ------------------------------------------------------------------------------ */

static bool is_member(const struct access_settings *a, const char *group, const char *user)
{
	size_t n = strlen(group), len = strlen(user);
	for (size_t i = 0; i < a->n_members && len; i++) {
		const char *s = a->members[i];
		if (strncmp(s, group, n) != 0 || s[n] != ' ')
			continue;
		for (s += n; *s; s += strcspn(s, " ")) {
			s += strspn(s, " ");
			if (strcspn(s, " ") == len && memcmp(s, user, len) == 0)
				return true;
		}
	}
	return false;
}

static bool is_one_of(const struct access *a, const struct acl *list, const struct identity *who)
{
	for (size_t i = 0; i < list->n; i++) {
		struct subject s;
		char *why = NULL;
		if (subject_parse(list->items[i], &s, &why)) {
			free(why); /* was checked when it was read */
			continue;
		}
		bool is = false;
		switch (s.kind) {
		case SUBJECT_ANYONE: is = true; break;
		case SUBJECT_AUTHENTICATED: is = who->user[0] != 0; break;
		case SUBJECT_USER: is = who->user[0] && strcmp(who->user, s.name) == 0; break;
		case SUBJECT_GROUP: is = is_member(&a->settings->access, s.name, who->user); break;
		case SUBJECT_NET:
			is = !who->is_proxy && subject_holds_address(&s, str_of(who->address));
			break;
		}
		if (is)
			return true;
	}
	return false;
}

static bool is_admin(const struct access *a, const struct identity *who)
{
	const struct access_settings *s = &a->settings->access;
	if (s->admin)
		return is_one_of(a, s->admin, who);
	/* Where somebody was given a right, others have less: they are not told of it. */
	bool allows = s->allows;
	for (size_t i = 0; i < a->settings->n_channels; i++)
		allows &= !a->settings->channels[i].access;
	return allows;
}

static const struct channel_settings *settings_of(const struct access *a, const char *name)
{
	for (size_t i = 0; i < a->settings->n_channels; i++)
		if (strcmp(a->settings->channels[i].name, name) == 0)
			return &a->settings->channels[i];
	return NULL;
}

static bool may_read(const struct access *a, const struct identity *who, const char *channel)
{
	const struct channel_settings *c = settings_of(a, channel);
	if (!c)
		return false;
	if (c->access)
		return is_one_of(a, c->access, who);
	if (strcmp(channel, SETTINGS_OWN_CHANNEL) == 0)
		return is_admin(a, who);
	/* A derived channel is as restricted as the channels it is derived from. */
	for (size_t i = 0; i < c->n_from; i++)
		if (!may_read(a, who, c->from[i]))
			return false;
	return c->n_from || a->settings->access.allows;
}

static bool may_replay(const struct access *a, const struct identity *who, const char *channel)
{
	const struct channel_settings *c = settings_of(a, channel);
	if (c && c->replay)
		return is_one_of(a, c->replay, who);
	for (size_t i = 0; c && i < c->n_from; i++)
		if (!may_replay(a, who, c->from[i]))
			return false;
	return true;
}

static bool has_ticket_for(const struct identity *who, const char *channel)
{
	for (size_t i = 0; i < who->ticket->n_channels; i++)
		if (strcmp(who->ticket->channels[i], channel) == 0)
			return true;
	return false;
}

bool authorize(const struct access *a, const struct identity *who, const char *channel,
	       enum right right)
{
	if (right == RIGHT_ADMIN) {
		const struct channel_settings *c = channel ? settings_of(a, channel) : NULL;
		bool is = is_admin(a, who) || (c && c->admin && is_one_of(a, c->admin, who));
		return !who->ticket && is;
	}
	if (who->ticket)
		return has_ticket_for(who, channel);
	if (!may_read(a, who, channel))
		return false;
	return right == RIGHT_READ || may_replay(a, who, channel);
}

bool access_is_some_admin(const struct access *a, const struct identity *who)
{
	bool is = authorize(a, who, NULL, RIGHT_ADMIN);
	for (size_t i = 0; !is && i < a->settings->n_channels; i++)
		is = authorize(a, who, a->settings->channels[i].name, RIGHT_ADMIN);
	return is;
}

const char *access_lost(const struct access *a, const struct identity *who, struct str names,
			enum right right)
{
	struct str quoted;
	if (who->ticket && who->ticket->expires_s <= clock_wall_ns() / NS_PER_SEC)
		return "the ticket has expired";
	if (who->ticket && revoked_holds(&a->revoked, who->ticket->id))
		return "the ticket was revoked";
	while (json_next_element(&names, &quoted)) {
		char *name = mem_strndup(quoted.data + 1, quoted.len - 2);
		/* One that is not configured any more stays for those who read it. */
		bool may = !settings_of(a, name) || authorize(a, who, name, right);
		free(name);
		if (!may)
			return "access";
	}
	return NULL;
}

void access_log_refusal(struct access *a, const struct handoff_request *r,
			const struct identity *who, const char *what)
{
	int64_t second = clock_mono_ns() / NS_PER_SEC;
	a->n_denied++;
	if (a->denied_second != second) {
		if (a->denied_in_second > REFUSALS_A_SECOND)
			log_warning("%d further %s refused within a second",
				    a->denied_in_second - REFUSALS_A_SECOND,
				    plural((uint64_t)(a->denied_in_second - REFUSALS_A_SECOND),
					   "request was", "requests were"));
		a->denied_second = second;
		a->denied_in_second = 0;
	}
	if (++a->denied_in_second > REFUSALS_A_SECOND)
		return;
	log_warning("refused: %.*s (user \"%.*s\", address %.64s, host \"%.*s\", %.*s)",
		    (int)strcspn(what, "\n"), what, (int)MIN(r->user.len, (size_t)64), r->user.data,
		    who->address, (int)MIN(r->host.len, (size_t)64), r->host.data,
		    (int)MIN(r->route.len, (size_t)64), r->route.data);
}
