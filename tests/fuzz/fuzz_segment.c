/* SPDX-License-Identifier: MIT
 *
 * A journal segment after its header: reading and finding the way back in.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "journal/segment.h"
#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	struct batch_reader r;
	struct batch b;
	struct segment s = {.fd = fd, .version = SEGMENT_VERSION};
	batch_reader_init(&r, &s, 0, size);
	for (;;) {
		int got = batch_next(&r, &b);
		if (got == 1) {
			struct record rec;
			while (record_next(&b.records, &rec) == 1)
				continue;
		} else if (got == 0 || batch_resync(&r) != 1) {
			break;
		}
	}
	batch_reader_fini(&r);
	close(fd);
	return 0;
}
