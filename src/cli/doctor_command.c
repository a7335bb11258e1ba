/* SPDX-License-Identifier: MIT
 *
 * doctor_command - sluice doctor: hands over to a program of its own, for what that
 * needs nobody else does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

int doctor_command(int argc maybe_unused, char **argv)
{
	const char *path = getenv("SLUICE_DOCTOR");
	if (!path || !*path)
		path = SLUICE_DOCTOR;
	execv(path, argv - 1);
	fprintf(stderr,
		"sluice: %s: %s (sluice was built without libcurl, which the doctor needs)\n", path,
		strerror(errno));
	return 1;
}
