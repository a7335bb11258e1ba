/* SPDX-License-Identifier: MIT
 *
 * front - sluice.fcgi: started by a web server instead of an administrator.
 *
 * As FastCGI descriptor 0 is a listening socket; as CGI the environment holds one
 * request.  Where no hub runs yet it starts one, apart from itself, that ends when
 * nobody has used it for hub.linger.
 */
#ifndef SLUICE_SUPERVISOR_FRONT_H
#define SLUICE_SUPERVISOR_FRONT_H

#include <stdbool.h>

#include "base/attr.h"

/* Whether this process was started by a web server, as FastCGI or as CGI. */
bool front_is_meant(int argc, char **argv) must_check;
/* Whether arguments are what a client has sent. */
bool front_is_misused(int argc, char **argv) must_check;
/* What it then does; the exit status. */
int front_main(void);
/* For a supervisor started by sluice.fcgi: its hub is running. */
void front_start_worked(const char *state_dir);

#endif
