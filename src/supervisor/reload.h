/* SPDX-License-Identifier: MIT
 *
 * reload - the supervisor's side of taking up another configuration, or another
 * file of a plugin.
 *
 *	IDLE -> CHECKING (a child asks the plugins) -> APPLYING (the hub) -> IDLE
 *
 * All is checked before anything changes; whatever fails on the way leaves the
 * old configuration in place and is told to who has asked.
 */
#ifndef SLUICE_SUPERVISOR_RELOAD_H
#define SLUICE_SUPERVISOR_RELOAD_H

#include "conf/settings.h"

struct reloader;
struct supervisor;

/* Watches the plugins' directories. */
struct reloader *reload_new(struct supervisor *s) must_check;
void reload_free(struct reloader *r);

/* Reads the configuration's files again. */
void reload_begin(struct reloader *r);

/* The hub's answer. */
void reload_hub_says(struct reloader *r, bool taken, const char *text);
void reload_hub_is_gone(struct reloader *r);

/* Settings as a descriptor of packed bytes, or -1 after logging. */
int reload_pack(const struct settings *s) must_check;

#endif
