/* SPDX-License-Identifier: MIT
 *
 * The head of a FastCGI request, from any peer on the socket; what is found
 * whole goes through libfcgi as it would in a responder.
 */
#include "responder/params.h"
#include "wire/fcgi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	size_t len;
	const char *why;
	if (!ready && params_init())
		return 0;
	ready = true;
	struct str s = {(const char *)data, size};
	if (fcgi_check_head(s, &len, &why) != FCGI_HEAD_WHOLE)
		return 0;
	struct params p;
	if (params_read((struct str){s.data, len}, &p) == 0)
		params_fini(&p);
	return 0;
}
