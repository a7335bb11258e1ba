/* SPDX-License-Identifier: MIT
 *
 * remedies - what to set where, for what a stream suffers on its way.
 */
#ifndef SLUICE_DOCTOR_REMEDIES_H
#define SLUICE_DOCTOR_REMEDIES_H

#include "doctor/layers.h"

enum trouble {
	HELD_BACK,   /* until there is more, or the end */
	DELAYED,     /* each piece for a moment */
	COMPRESSED,  /* by another one than sluice */
	UNPACKED,    /* what sluice has compressed */
	CUT_OFF,     /* before its end */
	FEW_AT_ONCE, /* over one HTTP/2 connection */
};

/* Prints a line or two for each layer that may be the cause, in the order of `l`. */
void remedies_print(const struct layers *l, enum trouble trouble);

#endif
