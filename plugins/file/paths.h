/* SPDX-License-Identifier: MIT
 *
 * paths - what the file system says about names.
 */
#ifndef FILE_PATHS_H
#define FILE_PATHS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* What has this name, with its birth (0: unknown): false when there is nothing. */
bool path_stat(const char *path, struct stat *st, int64_t *born_ns);
/* Whether a later try can succeed, for what is missing is descriptors or memory. */
bool is_shortage(int error);
int times_compare(const struct timespec *a, const struct timespec *b);
/* Both owned; the name of an inode in the directory of `path`, or NULL. */
char *path_dir(const char *path);
char *path_of_inode(const char *path, dev_t dev, ino_t ino);

#endif
