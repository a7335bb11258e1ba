/* SPDX-License-Identifier: MIT
 *
 * intake - what a source process sends to the hub.
 *
 * It is a stranger: each frame is checked by its length, text is bounded and
 * counted, and a process that sends anything else is ended.
 */
#ifndef SLUICE_SOURCE_INTAKE_H
#define SLUICE_SOURCE_INTAKE_H

#include "source/instance.h"

/* Reads and takes, within a budget. */
void intake_on_io(struct loop_io *io, uint32_t events);
/* Its process has ended: takes what it has still sent. */
void intake_drain(struct source *s);
/* Offers again what the journal did not take, or what the rate held back. */
void intake_resume(struct source *s);
/* A line of it for our log; those beyond a rate are counted only. */
void intake_log(struct source *s, int level, struct str text);

void child_output_open(struct child_output *c, struct source *s, int fd, const char *name);
void child_output_close(struct child_output *c);

#endif
