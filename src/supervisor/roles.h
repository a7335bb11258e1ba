/* SPDX-License-Identifier: MIT
 *
 * roles - what a process of sluice does that another one has started.
 *
 * argv[0] is the parent's process id; the exit status is returned.
 */
#ifndef SLUICE_SUPERVISOR_ROLES_H
#define SLUICE_SUPERVISOR_ROLES_H

int hub_role(int argc, char **argv);
int responder_role(int argc, char **argv);
int source_role(int argc, char **argv);
int nursery_role(int argc, char **argv);

#endif
