/* Storage faults and a clock of one's own, for a program under test: LD_PRELOAD=libfaults.so (queue 4.5).
 *
 * FAULTS_FILES   only files whose path contains this are counted and fail (default: gatepost.db)
 * FAULTS_FAIL    N:CALL:ERRNO fails the N-th CALL (write, fsync) with that number; later ones work again
 * FAULTS_FOREVER set: the N-th and every later one fails
 * FAULTS_COUNT   a file that gets a line for each: "commit" (the frame that ends a transaction in the write-ahead
 *                log), "sync wal", "sync db", "failed"
 * FAULTS_CLOCK   a file with seconds that are added to the real-time clock; missing or empty: none
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long writes, syncs;

/* True if the file is meant; then its path is in `path`, which holds 4096 bytes. */
static int is_ours(int fd, char *path) {
    const char *part = getenv("FAULTS_FILES");
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, 4095);
    if (length <= 0) return 0;
    path[length] = 0;
    return strstr(path, part ? part : "gatepost.db") != NULL && strstr(path, "-shm") == NULL;
}

static void note(const char *line) {
    const char *name = getenv("FAULTS_COUNT");
    if (!name) return;
    int fd = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, strlen(line));
    syscall(SYS_close, fd);
}

/* True, with errno set, if this call is to fail. */
static int fails(const char *call, long number) {
    const char *wish = getenv("FAULTS_FAIL");
    if (!wish) return 0;
    char word[16];
    long which;
    int error;
    if (sscanf(wish, "%ld:%15[a-z]:%d", &which, word, &error) != 3 || strcmp(word, call)) return 0;
    if (number != which && !(getenv("FAULTS_FOREVER") && number > which)) return 0;
    errno = error;
    note("failed\n");
    return 1;
}

/* The head of a frame has 24 bytes; bytes 4 to 7 say how large the database is after the commit it ends, else 0. */
static int write_fails(int fd, const unsigned char *bytes, size_t size) {
    char path[4096];
    if (!is_ours(fd, path)) return 0;
    if (fails("write", __sync_add_and_fetch(&writes, 1))) return 1;
    if (size == 24 && strstr(path, "-wal") && (bytes[4] | bytes[5] | bytes[6] | bytes[7])) note("commit\n");
    return 0;
}

static int sync_fails(int fd) {
    char path[4096];
    if (!is_ours(fd, path)) return 0;
    note(strstr(path, "-wal") ? "sync wal\n" : "sync db\n");
    return fails("fsync", __sync_add_and_fetch(&syncs, 1));
}

ssize_t write(int fd, const void *bytes, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    return write_fails(fd, bytes, size) ? -1 : real(fd, bytes, size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    return write_fails(fd, bytes, size) ? -1 : real(fd, bytes, size, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return pwrite64(fd, bytes, size, at); }

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    return sync_fails(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    return sync_fails(fd) ? -1 : real(fd);
}

static long offset(void) {
    const char *name = getenv("FAULTS_CLOCK");
    char text[32];
    if (!name) return 0;
    int fd = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    ssize_t length = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (length <= 0) return 0;
    text[length] = 0;
    return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += offset();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *at) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (at) *at = exact.tv_sec;
    return exact.tv_sec;
}
