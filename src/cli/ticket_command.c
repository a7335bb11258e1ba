/* SPDX-License-Identifier: MIT
 *
 * ticket_command - sluice ticket: makes a ticket, or takes one back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "access/revoked.h"
#include "access/ticket.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/unit.h"
#include "base/utf8.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "conf/paths.h"

static const char usage[] =
	"usage: sluice ticket --channel NAME... [--user NAME] [--for DURATION] [-c FILE]\n"
	"       sluice ticket --revoke TICKET [-c FILE]\n"
	"\n"
	"Prints a ticket.  Its bearer may read these channels until it expires.  Pass it\n"
	"in the query, ?ticket=..., or in a cookie named sluice_ticket.\n"
	"\n"
	"Tickets are signed with the key in hub.state_dir/ticket.key: if you remove that\n"
	"file and restart, all tickets are void.  Revoking a ticket ends its streams\n"
	"within seconds.\n";

#define LONGEST_S (31LL * 86400)

/* Of a name what front servers and programs take in a header; of a ticket what a browser
 * takes as a cookie (RFC 6265, section 6.1).
 */
enum { USER_MAX = 255, TEXT_MAX = 4000 };

struct wish {
	struct ticket ticket;
	const char *revoke;
	int64_t for_ns;
};

static char *take_user(void *into, const char *value)
{
	struct wish *w = into;
	struct buf visible = {0};
	size_t n = strlen(value);
	utf8_put_visible(&visible, str_of(value));
	bool is_good = n > 0 && n <= USER_MAX && strcmp(buf_text(&visible), value) == 0 &&
		       !strchr(value, '\t');
	buf_fini(&visible);
	if (!is_good)
		return mem_printf("not a name of 1 to %d bytes without control characters (it has "
				  "%zu)",
				  USER_MAX, n);
	free(w->ticket.user);
	w->ticket.user = mem_strdup(value);
	return NULL;
}

static char *take_channel(void *into, const char *value)
{
	struct wish *w = into;
	if (w->ticket.n_channels >= TICKET_CHANNELS_MAX)
		return mem_printf("a ticket is for %d channels at most", TICKET_CHANNELS_MAX);
	w->ticket.channels[w->ticket.n_channels++] = mem_strdup(value);
	return NULL;
}

static char *take_for(void *into, const char *value)
{
	struct wish *w = into;
	if (unit_parse_duration(value, &w->for_ns) || w->for_ns < NS_PER_SEC ||
	    w->for_ns / NS_PER_SEC > LONGEST_S)
		return mem_strdup("not a duration from 1s to 31d, such as 15m");
	return NULL;
}

static bool has_channel(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (strcmp(s->channels[i].name, name) == 0)
			return true;
	return false;
}

/* Of the configuration's channels the one that was meant, or all. */
static int refuse_channel(const struct settings *s, const char *name)
{
	const char **names = mem_zero((s->n_channels + 1) * sizeof(names[0]));
	struct buf all = {0};
	for (size_t i = 0; i < s->n_channels; i++) {
		names[i] = s->channels[i].name;
		buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	const char *near = unit_nearest(name, names);
	if (near)
		cli_print(
			stderr,
			"sluice ticket: there is no channel \"%s\" in %s (did you mean \"%s\"?)\n",
			name, s->file, near);
	else
		cli_print(stderr,
			  "sluice ticket: there is no channel \"%s\" in %s (there are: %s)\n", name,
			  s->file, buf_text(&all));
	buf_fini(&all);
	free(names);
	return 2;
}

static int make(const struct key *key, struct wish *w)
{
	struct ticket *t = &w->ticket;
	struct buf text = {0};
	int status = 0;
	t->expires_s = (clock_wall_ns() + w->for_ns) / NS_PER_SEC;
	ticket_number(t);
	ticket_put(&text, key, t);
	if (text.len <= TEXT_MAX) {
		puts(buf_text(&text));
	} else {
		fprintf(stderr,
			"sluice ticket: this ticket would have %zu bytes, but a cookie has %d at "
			"most (name fewer channels)\n",
			text.len, TEXT_MAX);
		status = 2;
	}
	buf_fini(&text);
	return status;
}

static int revoke(const struct settings *s, const struct key *key, const char *text)
{
	struct ticket t;
	int64_t now_s = clock_wall_ns() / NS_PER_SEC;
	const char *why = ticket_get(key, str_of(text), now_s, &t);
	if (why) {
		fprintf(stderr, "sluice ticket: that ticket is already void: %s\n", why);
		return 1;
	}
	int r = revoked_add(s->hub.state_dir, t.id, t.expires_s);
	if (r)
		fprintf(stderr, "sluice: %s/tickets.revoked: %s\n", s->hub.state_dir, strerror(-r));
	else
		cli_print(stdout,
			  "revoked: the ticket of \"%s\" (its streams end within seconds)\n",
			  t.user);
	ticket_fini(&t);
	return r ? 1 : 0;
}

static int open_key(const struct settings *s, struct key *key)
{
	int r = key_open(s->hub.state_dir, TICKET_KEY_FILE, key);
	if (r)
		cli_print(stderr, "sluice ticket: %s/ticket.key: %s (%s)\n", s->hub.state_dir,
			  strerror(-r),
			  r == -ENOENT ? "sluice makes hub.state_dir when it runs: start it first"
				       : "run this as the user that sluice runs as");
	return r;
}

static int make_or_revoke(const char *file, struct wish *w)
{
	struct errors e = {0};
	struct settings *s = settings_load(file, &e);
	struct key key;
	int status = 0;
	if (e.count) {
		errors_log(&e);
		status = 2;
	}
	for (size_t i = 0; !status && i < w->ticket.n_channels; i++)
		if (!has_channel(s, w->ticket.channels[i]))
			status = refuse_channel(s, w->ticket.channels[i]);
	if (!status && open_key(s, &key))
		status = 1;
	else if (!status)
		status = w->revoke ? revoke(s, &key, w->revoke) : make(&key, w);
	errors_fini(&e);
	settings_free(s);
	return status;
}

int ticket_command(int argc, char **argv)
{
	struct wish w = {.ticket.user = mem_strdup("guest"), .for_ns = 15 * 60 * NS_PER_SEC};
	const char *config = NULL;
	int status;
	const struct flag flags[] = {
		{"channel", 0, "NAME", "a channel; repeat it for several", take_channel, &w},
		{"user", 0, "NAME", "the user it stands for (default: guest)", take_user, &w},
		{"for", 0, "DURATION", "how long it is valid, up to 31d (default: 15m)", take_for,
		 &w},
		{"revoke", 0, "TICKET", "make this ticket void", take_text, &w.revoke},
		{0}};
	struct arguments a = {
		.command = "ticket", .usage = usage, .flags = flags, .config = &config};
	bool goes_on = arguments_read(&a, argc, argv, &status);
	if (goes_on && !w.revoke && !w.ticket.n_channels)
		status = arguments_refuse(&a, "which channels?  Write --channel NAME");
	else if (goes_on && w.revoke && w.ticket.n_channels)
		status = arguments_refuse(&a, "--channel and --revoke cannot be used together");
	else if (goes_on)
		status = make_or_revoke(path_of_config(config), &w);
	ticket_fini(&w.ticket);
	return status;
}
