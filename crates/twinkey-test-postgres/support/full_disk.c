/* A disk that is full for as long as the file FULL_DISK is there: what exists may be overwritten, and no
   file grows. If the file is empty, the write-ahead log is on a disk of its own. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_log(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, "/pg_wal/") != NULL;
}

static int has_no_room(int file, off64_t end) {
    const char *flag = getenv("FULL_DISK");
    struct stat64 full, written;
    if (file <= STDERR_FILENO || flag == NULL || stat64(flag, &full) != 0) return 0;
    if (fstat64(file, &written) != 0 || !S_ISREG(written.st_mode) || end <= written.st_size) return 0;
    return full.st_size > 0 || !is_log(file);
}

static ssize_t refuse(void) {
    errno = ENOSPC;
    return -1;
}

static off64_t length(const struct iovec *parts, int count) {
    off64_t sum = 0;
    for (int at = 0; at < count; at++) sum += parts[at].iov_len;
    return sum;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *bytes, size_t count) {
    static __typeof__(&write) next;
    if (next == NULL) next = NEXT(write);
    off64_t at = file <= STDERR_FILENO ? -1 : lseek64(file, 0, SEEK_CUR);
    return at >= 0 && has_no_room(file, at + count) ? refuse() : next(file, bytes, count);
}

#define WRITE_AT(name)                                                                    \
    ssize_t name(int file, const void *bytes, size_t count, off64_t at) {                 \
        static __typeof__(&name) next;                                                    \
        if (next == NULL) next = NEXT(name);                                              \
        return has_no_room(file, at + count) ? refuse() : next(file, bytes, count, at);   \
    }
WRITE_AT(pwrite)
WRITE_AT(pwrite64)

#define WRITE_PARTS_AT(name)                                                              \
    ssize_t name(int file, const struct iovec *parts, int count, off64_t at) {            \
        static __typeof__(&name) next;                                                    \
        if (next == NULL) next = NEXT(name);                                              \
        off64_t end = at + length(parts, count);                                          \
        return has_no_room(file, end) ? refuse() : next(file, parts, count, at);          \
    }
WRITE_PARTS_AT(pwritev)
WRITE_PARTS_AT(pwritev64)

#define ALLOCATE(name)                                                                    \
    int name(int file, off64_t at, off64_t count) {                                       \
        static __typeof__(&name) next;                                                    \
        if (next == NULL) next = NEXT(name);                                              \
        return has_no_room(file, at + count) ? ENOSPC : next(file, at, count);            \
    }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)
