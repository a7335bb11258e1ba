/* SPDX-License-Identifier: MIT
 *
 * paths - where sluice finds its own files: as the environment says, else where they were
 * installed.  All are borrowed.
 */
#ifndef SLUICE_CONF_PATHS_H
#define SLUICE_CONF_PATHS_H

/* The configuration: `given` on a command line (NULL: nothing is), or SLUICE_CONFIG. */
const char *path_of_config(const char *given);

/* The directory of the console's files: SLUICE_CONSOLE_DIR. */
const char *path_of_console(void);

#endif
