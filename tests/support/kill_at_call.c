/*
 * Loaded into an unmodified program (LD_PRELOAD), this kills it with SIGKILL right before its Nth
 * call that leaves the process: a write to a TCP connection or to a file, or a flush of a file.
 *
 *   KILL_AT_CALL=N      the call to die at, counted from zero; without it nothing is killed
 *   COUNT_CALLS_IN=FILE at exit, the number of such calls is written there
 *
 * "Right before call N + 1" is "right after call N", so that every N together are every point.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static long kill_at = -1;

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("KILL_AT_CALL");
    if (text != NULL) kill_at = atol(text);
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("COUNT_CALLS_IN");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file == NULL) return;
    fprintf(file, "%ld\n", atomic_load(&calls));
    fclose(file);
}

static int leaves_the_process(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) return 0;
    if (S_ISREG(status.st_mode)) return 1;
    if (!S_ISSOCK(status.st_mode)) return 0;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return 0;
    return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

static void pass(int fd) {
    if (!leaves_the_process(fd)) return;
    if (atomic_fetch_add(&calls, 1) == kill_at) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
}

ssize_t write(int fd, const void *data, size_t size) {
    pass(fd);
    return syscall(SYS_write, fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    pass(fd);
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    pass(fd);
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return pwrite64(fd, data, size, offset);
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    pass(fd);
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    pass(fd);
    return syscall(SYS_sendmsg, fd, message, flags);
}

int fsync(int fd) {
    pass(fd);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    pass(fd);
    return (int)syscall(SYS_fdatasync, fd);
}
