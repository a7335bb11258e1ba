/* SPDX-License-Identifier: MIT
 *
 * control - what a supervisor and the processes it starts agree on.
 */
#ifndef SLUICE_SUPERVISOR_CONTROL_H
#define SLUICE_SUPERVISOR_CONTROL_H

/* Descriptors as the hub and the responders find them. */
enum { HUB_GATE_FD = 3, HUB_CONFIG_FD = 4, HUB_CONTROL_FD = 5 };
enum { RESPONDER_PING_FD = 3, RESPONDER_FIRST_FD = 4 };

/* Exit status of a hub that refuses to start; its log says why. */
enum { HUB_CANNOT_OPEN = 3 };

/* What the hub is told on HUB_CONTROL_FD, with a descriptor of packed settings;
 * it answers with a sentence, whose first byte says whether it has taken them.
 */
enum control {
	CONTROL_RELOAD = 'r',
	CONTROL_RELOAD_PLUGINS = 'p',
	CONTROL_DRAIN = 'd',
	CONTROL_PING = 'i'
};
enum {
	CONTROL_TAKEN = '+',
	CONTROL_REFUSED = '-',
	CONTROL_READY = '!', /* it has opened everything */
	CONTROL_PONG = 'o',
	CONTROL_DRAINING = 'D', /* and a sentence */
	CONTROL_UNUSED = 'u',   /* said by itself: nobody has used it for hub.linger */
	CONTROL_TEXT_MAX = 4000
};

#endif
