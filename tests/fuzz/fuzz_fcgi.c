/* SPDX-License-Identifier: MIT
 *
 * The head of a FastCGI request, from any peer on the socket; what is found
 * whole goes through libfcgi as it would in a responder.
 */
#include <errno.h>
#include <stdlib.h>

#include "responder/params.h"
#include "wire/fcgi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	if (!ready && params_init())
		return 0;
	ready = true;
	struct buf head = {0}, answer = {0};
	struct fcgi_request request = {0};
	struct params p;
	buf_put(&head, data, size);
	if (fcgi_take_management(&head, 1024, &answer) == 0 &&
	    fcgi_check_head(buf_str(&head), &request) == FCGI_HEAD_WHOLE) {
		/* What was found sound must be taken, and taken alike. */
		int r = params_read(&request, "SSL_CLIENT_S_DN", &p);
		if ((r && r != -EEXIST) || p.id != request.id)
			abort();
		params_fini(&p);
	}
	buf_fini(&request.params);
	buf_fini(&request.body);
	buf_fini(&head);
	buf_fini(&answer);
	return 0;
}
