/* SPDX-License-Identifier: MIT
 *
 * fd - small things done to descriptors.
 */
#ifndef SLUICE_BASE_FD_H
#define SLUICE_BASE_FD_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* Opens /dev/null as each of descriptors 0, 1 and 2 that is closed.  The first thing in
 * every main(): otherwise the next file that is opened, such as a segment of a journal,
 * becomes standard error, and the log is written into it.  Ends the process when there
 * is no /dev/null.
 */
void fd_fill_standard(void);

/* 0 or a negative errno. */
int fd_set_nonblocking(int fd) must_check;

/* Closes and sets to -1; nothing for a negative one. */
void fd_close(int *fd);

/* Closes all from `first` on. */
void fd_close_from(int first);

/* Sends one packet, with a descriptor when `pass` is not negative (the caller
 * keeps its own copy).  0 or a negative errno, -EAGAIN included.
 */
int fd_send_packet(int sock, const void *p, size_t n, int pass) must_check;

/* Receives one packet of at most `max` bytes; *passed gets a descriptor that
 * the caller then owns, or -1.  Returns its length, 0 at the end, or a
 * negative errno; -EMSGSIZE for a packet that did not fit.
 */
ssize_t fd_recv_packet(int sock, void *p, size_t max, int *passed) must_check;

/* Sends to a socket, or writes to what is none (a CGI program's output may be a
 * pipe), never blocking on a socket.  As send(2): -1 with errno.
 */
ssize_t fd_send(int fd, const void *p, size_t n) must_check;

/* The whole file, at most `max` bytes, appended to `out`.  0 or a negative
 * errno; -EFBIG when it is larger.
 */
int fd_read_file(const char *path, size_t max, struct buf *out) must_check;

/* Writes a small file by writing `path`.new and renaming it, synced. */
int fd_replace_file(const char *path, const void *p, size_t n) must_check;

/* mkdir -p with mode 0755 for what is missing. 0 or a negative errno. */
int fd_make_dirs(const char *path) must_check;

/* In the environment of our own processes: the soft limit of open files before. */
#define FD_SOFT_LIMIT "SLUICE_SOFT_LIMIT"

/* Raises the soft limit of open files to the hard one, and returns it.  Programs that
 * others have written get the limit of before (fd_restore_limit()): one that uses
 * select(2) breaks with descriptors above 1024.
 */
int64_t fd_raise_limit(void);

/* How many files this process may have open; the limit may be changed from outside
 * (prlimit(1)).
 */
int64_t fd_limit(void);

/* The lowest descriptor that is free, and so the next one: all below it are in use.  A
 * negative errno when there is none.
 */
int fd_lowest_free(void);

/* Whether several more files can be opened.  One descriptor that was closed a moment ago does not
 * end a shortage.
 */
bool fd_is_plenty(void);

/* Whether an error says that there are no descriptors, or no memory for them, just now. */
bool fd_is_shortage(int error);

/* Sets the soft limit to what it was when the first process of sluice raised it.  For
 * between fork and exec: it only makes system calls.
 */
void fd_restore_limit(void);

#endif
