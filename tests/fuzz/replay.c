/* SPDX-License-Identifier: MIT
 *
 * replay - feeds a fuzz target the files of its corpus, each whole, cut at
 * every length and with every byte changed: what `make check` runs where there
 * is no libFuzzer.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of its own size, so that a sanitizer sees a step beyond. */
static void feed(const char *p, size_t n)
{
	uint8_t *copy = mem_zero(n);
	memcpy(copy, p, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : getenv("FUZZ_CORPUS");
	DIR *d = dir ? opendir(dir) : NULL;
	int files = 0;
	if (!d) {
		fprintf(stderr, "replay: no corpus %s\n", dir ? dir : "(set FUZZ_CORPUS)");
		return 1;
	}
	for (struct dirent *e; (e = readdir(d));) {
		struct buf b = {0};
		if (e->d_name[0] == '.')
			continue;
		char *path = mem_printf("%s/%s", dir, e->d_name);
		if (fd_read_file(path, 1 << 20, &b) == 0) {
			files++;
			for (size_t n = 0; n <= b.len; n++)
				feed(b.data, n);
			for (size_t i = 0; i < b.len; i++) {
				b.data[i] ^= (char)(1 << (i % 8));
				feed(b.data, b.len);
				b.data[i] ^= (char)(1 << (i % 8));
			}
		}
		free(path);
		buf_fini(&b);
	}
	closedir(d);
	printf("%d corpus files\n", files);
	return files == 0;
}
