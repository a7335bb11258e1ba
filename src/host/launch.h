/* SPDX-License-Identifier: MIT
 *
 * launch - starts a program for a plugin: fork, set up, exec.
 */
#ifndef SLUICE_HOST_LAUNCH_H
#define SLUICE_HOST_LAUNCH_H

#include "base/attr.h"
#include "sluice-plugin.h"

/* The pid of a program that has been executed, with s->out and s->err; or a
 * negative errno with *why an owned sentence.
 */
pid_t launch(struct sluice_spawn *s, char **why) must_check;

#endif
