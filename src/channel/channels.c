/* SPDX-License-Identifier: MIT */
#include "channel/channels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "channel/absorbed.h"
#include "channel/channel.h"
#include "channel/cursors.h"
#include "channel/regexes.h"
#include "channel/state.h"
#include "journal/witness.h"

/* Channels on disk first: those in memory begin after all that these know. */
static int open_all(struct registry *r, bool *is_short, char **why)
{
	const struct settings *s = r->settings;
	r->channels = mem_zero((s->n_channels + 1) * sizeof(r->channels[0]));
	for (int memory = 0; memory < 2; memory++) {
		for (size_t i = 0; i < s->n_channels; i++) {
			if ((s->channels[i].durability == DURABILITY_MEMORY) != memory ||
			    s->channels[i].n_from)
				continue;
			struct channel *c;
			int error = channel_open(r, &s->channels[i], &c, why);
			if (error)
				return error;
			r->channels[r->n_channels++] = c;
			r->last_id = MAX(r->last_id, c->journal.last);
			r->newest_id = MAX(r->newest_id, c->journal.last);
			*is_short |= c->journal.is_short;
		}
	}
	/* Channels in memory are empty now: earlier cursors are below their low-watermark. */
	r->newest_id = MAX(r->newest_id, r->last_id);
	return 0;
}

static int open_journals(struct registry *r, char **why)
{
	char *path = mem_printf("%s/witness", r->settings->hub.state_dir);
	int error = witness_open(path, true, &r->witness);
	if (error)
		*why = mem_printf("%s: %s", path, strerror(-error));
	free(path);
	if (error)
		return error;
	bool is_short = false;
	struct absorbed *absorbed = absorbed_read(r, &is_short);
	error = open_all(r, &is_short, why);
	if (!error && is_short) {
		log_warning("the journals have changed since sluice last ran (see above): a new "
			    "epoch of ids begins, and clients that reconnect receive a gap");
		error = state_new_epoch(r->settings->hub.state_dir, r->epoch, why);
	}
	for (size_t i = 0; !error && i < r->n_channels; i++)
		error = channel_begin(r->channels[i], why);
	absorbed_let_go(absorbed);
	cursors_settle(r->cursors);
	return error;
}

int channels_open(struct registry *r, struct loop *l, const struct settings *s, char **why)
{
	*r = (struct registry){.loop = l, .settings = s, .spare_fd = -1};
	r->cursors = cursors_new();
	r->regexes = regexes_new(l);
	int error = state_open(s->hub.state_dir, r->epoch, why);
	return error ? error : open_journals(r, why);
}

static struct channel *find_any(const struct registry *r, const char *name)
{
	for (size_t i = 0; i < r->n_channels; i++)
		if (strcmp(r->channels[i]->settings.name, name) == 0)
			return r->channels[i];
	return NULL;
}

static bool has_channel(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (!s->channels[i].n_from && strcmp(s->channels[i].name, name) == 0)
			return true;
	return false;
}

int channels_add(struct registry *r, const struct settings *fresh, char **why)
{
	size_t before = r->n_channels;
	int error = 0;
	r->channels =
		mem_resize(r->channels, (before + fresh->n_channels + 1) * sizeof(r->channels[0]));
	for (size_t i = 0; !error && i < fresh->n_channels; i++) {
		const struct channel_settings *s = &fresh->channels[i];
		if (s->n_from)
			continue;
		const struct channel *old = find_any(r, s->name);
		if (old && old->settings.durability != s->durability) {
			*why = mem_printf("channels.%s.durability cannot change while sluice runs "
					  "(restart it)",
					  s->name);
			error = -EINVAL;
		} else if (!old) {
			error = channel_open(r, s, &r->channels[r->n_channels], why);
			r->n_channels += !error;
			if (!error)
				error = channel_begin(r->channels[r->n_channels - 1], why);
		}
	}
	while (error && r->n_channels > before)
		channel_close(r->channels[--r->n_channels]);
	for (size_t i = before; i < r->n_channels; i++)
		r->last_id = MAX(r->last_id, r->channels[i]->journal.last);
	return error;
}

void channels_change(struct registry *r, const struct settings *fresh)
{
	for (size_t i = 0; i < fresh->n_channels; i++)
		if (!fresh->channels[i].n_from)
			channel_change(find_any(r, fresh->channels[i].name), &fresh->channels[i]);
	for (size_t i = 0; i < r->n_channels; i++)
		r->channels[i]->is_removed = !has_channel(fresh, r->channels[i]->settings.name);
	r->settings = fresh;
}

void channels_close_removed(struct registry *r, bool (*is_fed)(void *ctx, const struct channel *c),
			    void *ctx)
{
	for (size_t i = r->n_channels; i-- > 0;) {
		struct channel *c = r->channels[i];
		if (!c->is_removed || !list_is_empty(&c->taps) || c->n_users ||
		    (is_fed && is_fed(ctx, c)))
			continue;
		log_info("channel %s is not in the configuration any more; its journal is kept",
			 c->settings.name);
		channel_close(c);
		memmove(&r->channels[i], &r->channels[i + 1],
			(r->n_channels - i - 1) * sizeof(r->channels[0]));
		r->n_channels--;
	}
}

/* To be called before the epoch is marked "clean", which promises that the journals are whole. */
static void sync_all(struct registry *r)
{
	int error;
	for (size_t i = 0; i < r->n_channels; i++)
		if ((error = journal_sync(&r->channels[i]->journal)))
			log_warning("channel %s: %s", r->channels[i]->settings.name,
				    strerror(-error));
}

void channels_close(struct registry *r)
{
	const char *dir = r->settings->hub.state_dir;
	int error;
	sync_all(r);
	for (size_t i = 0; i < r->n_channels; i++)
		channel_close(r->channels[i]);
	free(r->channels);
	cursors_free(r->cursors);
	regexes_free(r->regexes);
	fd_close(&r->spare_fd);
	if (r->witness && (error = witness_sync(r->witness)))
		log_warning("%s/witness: %s", dir, strerror(-error));
	witness_close(r->witness);
	if (state_mark_clean(dir, r->epoch))
		log_warning("%s: could not note the clean end", dir);
}
