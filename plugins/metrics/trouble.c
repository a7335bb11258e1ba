/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/say.h"
#include "metrics.h"

struct trouble {
	struct trouble *next;
	char *key;
};

/* Where the link to it is; or to the end. */
static struct trouble **find(struct state *s, const char *key)
{
	struct trouble **p = &s->troubles;
	while (*p && strcmp((*p)->key, key) != 0)
		p = &(*p)->next;
	return p;
}

static void end(struct state *s, struct trouble **p)
{
	struct trouble *t = *p;
	say(s->src, SLUICE_LOG_INFO, "%.500s: no longer a problem", t->key);
	*p = t->next;
	free(t->key);
	free(t);
	s->n_troubles--;
}

void trouble(struct state *s, bool is_fine, const char *option, const char *item, const char *fmt,
	     ...)
{
	char key[400], text[1400];
	int n = snprintf(text, sizeof(text), "%s: ", option);
	snprintf(key, sizeof(key), "%s: %s", option, item);
	struct trouble **p = find(s, key);
	if (is_fine && *p)
		end(s, p);
	if (is_fine || *p)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	*p = must(calloc(1, sizeof(**p)));
	(*p)->key = must(strdup(key));
	s->n_troubles++;
	s->src->host->log(s->src, SLUICE_LOG_ERROR, text);
}

/* A list such as [sd*, nvme*] may be meant for several machines: a pattern need not match as
 * long as something does.
 */
void trouble_about_includes(struct state *s, const char *prefix, const char *what)
{
	const struct devices *d = &s->sample.devices;
	const char *pattern;
	char option[64];
	snprintf(option, sizeof(option), "%s.include", prefix);
	for (size_t i = 0; (pattern = s->src->host->option(s->src, option, i)); i++) {
		bool is_pattern = strpbrk(pattern, "*?[") != NULL;
		bool is_fine = devices_match(d, pattern) || (is_pattern && d->len);
		trouble(s, is_fine, option, pattern, "no %s matches \"%.200s\" (%s%s)", what,
			pattern, d->others[0] ? "there are: " : "there are none", d->others);
	}
}

void troubles_forget(struct state *s)
{
	while (s->troubles) {
		struct trouble *t = s->troubles;
		s->troubles = t->next;
		free(t->key);
		free(t);
	}
	s->n_troubles = 0;
}
