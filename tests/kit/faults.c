/* Storage faults and a clock of one's own, for a program under test: LD_PRELOAD=libfaults.so (queue 4.5).
 *
 * FAULTS_FILES   only files whose path contains this are counted and fail (default: gatepost.db)
 * FAULTS_FAIL    N:CALL:ERRNO fails the N-th CALL (write, fsync) with that number; later ones work again
 * FAULTS_FOREVER set: the N-th and every later one fails
 * FAULTS_COUNT   a file that gets a line for each: "commit" (the frame that ends a transaction in the write-ahead
 *                log), "sync wal", "sync db", "failed"
 * FAULTS_RECORD  a file that gets what happens to the database and to queue files, in order: writes, cuts, renames,
 *                removals and syncs, as `struct record` says
 * FAULTS_DEAF    set: syncs are not recorded, as if the disk had only said that it did
 * FAULTS_CLOCK   a file with seconds that are added to the real-time clock; missing or empty: none
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long writes, syncs;

/* The file's path goes to `path`, which holds 4096 bytes. */
static int has_path(int fd, char *path) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, 4095);
    if (length <= 0) return 0;
    path[length] = 0;
    return 1;
}

/* True if the file is meant; then its path is in `path`. */
static int is_ours(int fd, char *path) {
    const char *part = getenv("FAULTS_FILES");
    if (!has_path(fd, path)) return 0;
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

/* What is recorded; the path and the bytes follow. `w`: bytes at an offset. `t`: cut to the offset. `r`: renamed, the
 * bytes are the new path. `u`: removed. `s`: synced, a file or a folder. */
struct record { uint64_t kind, inode, offset, path_bytes, bytes; };

/* Above the kind, so that a record which SIGKILL has torn shows at the next one. */
#define MARK 0x67617465706f7300ULL

static int is_recorded(const char *path) {
    return getenv("FAULTS_RECORD") && !strstr(path, "-shm") && (strstr(path, "gatepost.db") || strstr(path, "/var/notify"));
}

/* One write: processes record beside each other, each inside its lock of what it changes. */
static void record(struct record head, const char *path, const void *bytes) {
    int saved = errno;
    int fd = syscall(SYS_openat, AT_FDCWD, getenv("FAULTS_RECORD"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    head.kind |= MARK;
    head.path_bytes = strlen(path);
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path_bytes}, {(void *)bytes, head.bytes}};
    if (fd >= 0) {
        syscall(SYS_writev, fd, parts, 3);
        syscall(SYS_close, fd);
    }
    errno = saved;
}

static void record_file(int fd, struct record head, const void *bytes) {
    char path[4096];
    struct stat about;
    if (!getenv("FAULTS_RECORD") || !has_path(fd, path) || !is_recorded(path) || fstat(fd, &about)) return;
    head.inode = about.st_ino;
    record(head, path, bytes);
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
    /* before it is done: what is written meanwhile is not covered */
    if (!getenv("FAULTS_DEAF")) record_file(fd, (struct record){.kind = 's'}, "");
    if (!is_ours(fd, path)) return 0;
    note(strstr(path, "-wal") ? "sync wal\n" : "sync db\n");
    return fails("fsync", __sync_add_and_fetch(&syncs, 1));
}

ssize_t write(int fd, const void *bytes, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (write_fails(fd, bytes, size)) return -1;
    ssize_t written = real(fd, bytes, size);
    off_t end = written > 0 && getenv("FAULTS_RECORD") ? lseek(fd, 0, SEEK_CUR) : -1;
    if (end >= written) record_file(fd, (struct record){.kind = 'w', .offset = end - written, .bytes = written}, bytes);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    if (write_fails(fd, bytes, size)) return -1;
    ssize_t written = real(fd, bytes, size, at);
    if (written > 0) record_file(fd, (struct record){.kind = 'w', .offset = at, .bytes = written}, bytes);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return pwrite64(fd, bytes, size, at); }

int ftruncate64(int fd, off64_t size) {
    static int (*real)(int, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "ftruncate64");
    int failed = real(fd, size);
    if (!failed) record_file(fd, (struct record){.kind = 't', .offset = size}, "");
    return failed;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int unlink(const char *path) {
    static int (*real)(const char *);
    if (!real) real = dlsym(RTLD_NEXT, "unlink");
    int failed = real(path);
    if (!failed && is_recorded(path)) record((struct record){.kind = 'u'}, path, "");
    return failed;
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "rename");
    int failed = real(from, to);
    if (!failed && is_recorded(to)) record((struct record){.kind = 'r', .bytes = strlen(to)}, from, to);
    return failed;
}

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
