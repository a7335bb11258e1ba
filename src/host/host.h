/* SPDX-License-Identifier: MIT
 *
 * host - the source process: one plugin, one instance, one connection to the hub.
 *
 * Gives the plugin its struct sluice_host.  Events are gathered into frames
 * and sent when the frame is full, old enough, or the plugin waits; credits
 * from the hub stop it when the hub is behind.
 */
#ifndef SLUICE_HOST_HOST_H
#define SLUICE_HOST_HOST_H

/* Runs until the plugin ends or the hub says so; the process's exit status. */
int host_main(void);

#endif
