/* SPDX-License-Identifier: MIT
 *
 * ticket_command - sluice ticket: makes a ticket, or takes one back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/unit.h"
#include "cli/cli.h"
#include "access/revoked.h"
#include "access/ticket.h"

static const char usage[] =
	"usage: sluice ticket --channel NAME [--channel NAME]... [--user NAME] [--for 15m] [-c "
	"FILE]\n"
	"       sluice ticket --revoke TICKET [-c FILE]\n\n"
	"Prints a ticket: whoever has it may read these channels until it expires, as that\n"
	"user (\"guest\").  It goes into the query, ?ticket=..., or into a cookie named\n"
	"sluice_ticket.  Signed with the key in hub.state_dir/ticket.key; without that file\n"
	"all tickets are void.  A ticket that is revoked ends its streams within seconds.\n";

#define LONGEST_S (31LL * 86400)

struct arguments {
	struct ticket ticket;
	const char *revoke;
	int64_t for_ns;
	char *rest[8]; /* for config_argument(); borrowed */
	int n_rest;
	bool wants_help;
};

/* 0, or -1 after printing what is wrong. */
static int read_arguments(int argc, char **argv, struct arguments *a)
{
	for (int i = 0; i < argc; i++) {
		const char *key = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(key, "--help") == 0 || strcmp(key, "-h") == 0) {
			a->wants_help = true;
			return 0;
		}
		if (!value) {
			fprintf(stderr, "sluice: \"%s\" needs a value behind it\n%s", key, usage);
			return -1;
		}
		i++;
		if (strcmp(key, "--user") == 0) {
			free(a->ticket.user);
			a->ticket.user = mem_strdup(value);
		} else if (strcmp(key, "--channel") == 0 &&
			   a->ticket.n_channels < TICKET_CHANNELS_MAX) {
			a->ticket.channels[a->ticket.n_channels++] = mem_strdup(value);
		} else if (strcmp(key, "--revoke") == 0) {
			a->revoke = value;
		} else if (strcmp(key, "--for") == 0) {
			if (unit_parse_duration(value, &a->for_ns) || a->for_ns < NS_PER_SEC ||
			    a->for_ns / NS_PER_SEC > LONGEST_S) {
				fprintf(stderr,
					"sluice: --for %s: a duration from 1s to 31d, such as "
					"15m\n",
					value);
				return -1;
			}
		} else if (strcmp(key, "-c") == 0 && a->n_rest + 2 <= 8) {
			a->rest[a->n_rest++] = argv[i - 1];
			a->rest[a->n_rest++] = argv[i];
		} else {
			fprintf(stderr, "sluice: \"%s\" is not understood\n%s", key, usage);
			return -1;
		}
	}
	return 0;
}

static bool has_channel(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (strcmp(s->channels[i].name, name) == 0)
			return true;
	return false;
}

static int make(const struct settings *s, const struct key *key, struct arguments *a)
{
	struct ticket *t = &a->ticket;
	if (!t->n_channels) {
		fprintf(stderr, "sluice: which channels?  Write --channel NAME\n");
		return 2;
	}
	for (size_t i = 0; i < t->n_channels; i++) {
		if (has_channel(s, t->channels[i]))
			continue;
		fprintf(stderr, "sluice: there is no channel \"%s\" in %s\n", t->channels[i],
			s->file);
		return 2;
	}
	struct buf text = {0};
	t->expires_s = (clock_wall_ns() + a->for_ns) / NS_PER_SEC;
	ticket_number(t);
	ticket_put(&text, key, t);
	puts(buf_text(&text));
	buf_fini(&text);
	return 0;
}

static int revoke(const struct settings *s, const struct key *key, const char *text)
{
	struct ticket t;
	int64_t now_s = clock_wall_ns() / NS_PER_SEC;
	const char *why = ticket_get(key, str_of(text), now_s, &t);
	if (why) {
		fprintf(stderr, "sluice: that ticket is void already: %s\n", why);
		return 1;
	}
	int r = revoked_add(s->hub.state_dir, t.id, t.expires_s);
	if (r)
		fprintf(stderr, "sluice: %s/tickets.revoked: %s\n", s->hub.state_dir, strerror(-r));
	else
		printf("revoked: the ticket of \"%s\" (its streams end within seconds)\n", t.user);
	ticket_fini(&t);
	return r ? 1 : 0;
}

int ticket_command(int argc, char **argv)
{
	struct arguments a = {.ticket.user = mem_strdup("guest"), .for_ns = 15 * 60 * NS_PER_SEC};
	struct errors e = {0};
	struct settings *s = NULL;
	struct key key;
	int status = 2, r;
	const char *file = NULL;
	if (read_arguments(argc, argv, &a))
		goto out;
	if (a.wants_help) {
		fputs(usage, stdout);
		status = 0;
		goto out;
	}
	file = config_argument(a.n_rest, a.rest, usage, &status);
	if (!file)
		goto out;
	s = settings_load(file, &e);
	if (e.count) {
		cli_print_errors(&e);
		goto out;
	}
	r = key_open(s->hub.state_dir, TICKET_KEY_FILE, &key);
	if (r) {
		fprintf(stderr,
			"sluice: %s/ticket.key: %s (run this as the user that sluice runs "
			"as)\n",
			s->hub.state_dir, strerror(-r));
		status = 1;
	} else {
		status = a.revoke ? revoke(s, &key, a.revoke) : make(s, &key, &a);
	}
out:
	ticket_fini(&a.ticket);
	errors_fini(&e);
	settings_free(s);
	return status;
}
