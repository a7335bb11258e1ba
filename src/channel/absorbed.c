/* SPDX-License-Identifier: MIT */
#include "channel/absorbed.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "channel/cursors.h"
#include "journal/journal.h"

/* Whether a channel of this name takes events itself, so that its old journal is not absorbed.
 * This includes a channel with durability memory: it never updates the cursors of that journal,
 * so its sources would fall back to the same old positions after every crash.
 */
static bool takes_events(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (strcmp(s->channels[i].name, name) == 0)
			return !s->channels[i].n_from;
	return false;
}

struct absorbed {
	struct absorbed *next;
	struct registry *registry;
	char *name, *dir; /* owned */
	struct journal journal;
};

static void on_cursor(void *ctx, const struct cursor *cur, event_id at)
{
	struct absorbed *a = ctx;
	cursors_set(a->registry->cursors, cur, at, a);
}

static void checkpoint(void *ctx, struct buf *entries)
{
	struct absorbed *a = ctx;
	cursors_put_of_owner(a->registry->cursors, a, entries);
}

static void absorbed_free(struct absorbed *a)
{
	journal_close(&a->journal);
	free(a->name);
	free(a->dir);
	free(a);
}

static int absorb(struct registry *r, const char *name, struct absorbed **row)
{
	struct absorbed *a = mem_zero(sizeof(*a));
	a->registry = r;
	a->name = mem_strdup(name);
	a->dir = mem_printf("%s/journal/%s", r->settings->hub.state_dir, name);
	struct journal_config config = {.dir = a->dir,
					.epoch = r->epoch,
					.max_bytes = INT64_MAX,
					.witness = r->witness,
					.name = a->name,
					.on_cursor = on_cursor,
					.checkpoint = checkpoint,
					.ctx = a};
	char *why = NULL;
	int error = journal_open(&config, &a->journal, &why);
	free(why);
	if (error) {
		absorbed_free(a);
		return 0; /* what cannot be read is not needed to run */
	}
	log_info("channel %s is not in the configuration any more, or is now derived: %s is kept",
		 name, a->dir);
	r->last_id = MAX(r->last_id, a->journal.last);
	a->next = *row;
	*row = a;
	return a->journal.is_short;
}

struct absorbed *absorbed_read(struct registry *r, bool *is_short)
{
	struct absorbed *row = NULL;
	char *folder = mem_printf("%s/journal", r->settings->hub.state_dir);
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && !takes_events(r->settings, e->d_name))
			*is_short |= absorb(r, e->d_name, &row);
	if (d)
		closedir(d);
	free(folder);
	return row;
}

void absorbed_let_go(struct absorbed *all)
{
	for (struct absorbed *row = all, *next; row; row = next) {
		next = row->next;
		char *why = NULL;
		if (row->journal.is_short && journal_begin(&row->journal, &why))
			log_warning("%s", why);
		free(why);
		absorbed_free(row);
	}
}
