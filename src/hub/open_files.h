/* SPDX-License-Identifier: MIT
 *
 * open_files - descriptors for clients, and those that are kept for the hub itself.
 *
 * A journal that cannot open its next segment stands still, and a source that cannot be
 * started again is silent.  So clients are turned away before the last descriptors are
 * gone.
 */
#ifndef SLUICE_HUB_OPEN_FILES_H
#define SLUICE_HUB_OPEN_FILES_H

#include "hub/hub.h"

/* How many files a hub with these settings must be able to open to begin at all. */
int64_t open_files_needed(const struct settings *s) must_check;

#endif
