/*
 * Loaded into a node before everything else (LD_PRELOAD): moves its wall clock and fills its disk, by what a file says.
 *
 * CAIRN_CHAOS_CONTROL names the file: two 64-bit integers, how many milliseconds the wall clock is ahead, and whether the
 * disk is full (1) or not (0). The file is mapped, so what a test writes there holds at once. Only regular files are on the
 * disk that is full; sockets and the log on standard error are not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t clock_ahead_ms;
    int64_t disk_is_full;
};

static volatile struct control *control;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("CAIRN_CHAOS_CONTROL");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) control = mapped;
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (result == 0 && id == CLOCK_REALTIME && control) {
        int64_t ns = now->tv_nsec + (control->clock_ahead_ms % 1000) * 1000000;
        now->tv_sec += control->clock_ahead_ms / 1000;
        if (ns < 0) { ns += 1000000000; now->tv_sec -= 1; }
        if (ns >= 1000000000) { ns -= 1000000000; now->tv_sec += 1; }
        now->tv_nsec = ns;
    }
    return result;
}

static int is_full(int file) {
    struct stat found;
    return control && control->disk_is_full && file > 2 && fstat(file, &found) == 0 && S_ISREG(found.st_mode);
}

#define FULL(file) do { if (is_full(file)) { errno = ENOSPC; return -1; } } while (0)

ssize_t write(int file, const void *bytes, size_t count) {
    FULL(file);
    return syscall(SYS_write, file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    FULL(file);
    return syscall(SYS_writev, file, parts, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    FULL(file);
    return syscall(SYS_pwrite64, file, bytes, count, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    FULL(file);
    return syscall(SYS_pwrite64, file, bytes, count, offset);
}

int ftruncate64(int file, off64_t length) {
    struct stat found;
    if (is_full(file) && fstat(file, &found) == 0 && length > found.st_size) { errno = ENOSPC; return -1; }
    return syscall(SYS_ftruncate, file, length);
}

int fallocate64(int file, int mode, off64_t offset, off64_t length) {
    FULL(file);
    return syscall(SYS_fallocate, file, mode, offset, length);
}
