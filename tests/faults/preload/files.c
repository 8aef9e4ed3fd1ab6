/* A bad disk for one process: errors and slowness for files below one folder, and nowhere else.

   Loaded before a worker (LD_PRELOAD). FAULT_FILES names the folder; the file that FAULT_PLAN names holds one line,
   read at every call: KIND NUMBER. `write N`, `read N`, `sync N`: from the N-th such call on each fails with EIO;
   `slow MS`: each sync takes so many milliseconds more; `none 0`. A byte is added to FAULT_DONE for each injection. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *folder, *plan, *done;
static size_t length;

__attribute__((constructor)) static void look(void) {
    folder = getenv("FAULT_FILES");
    plan = getenv("FAULT_PLAN");
    done = getenv("FAULT_DONE");
    length = folder ? strlen(folder) : 0;
}

static int ours(int file) {
    char link[64], path[4096];
    if (!length) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, path, sizeof path - 1);
    return n > (ssize_t)length && !strncmp(path, folder, length) && path[length] == '/';
}

static void count(void) {
    int file = open(done, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    syscall(SYS_write, file, ".", 1);
    close(file);
}

/* The number of the plan if it is of this kind, else -1. */
static long planned(const char *kind) {
    char text[64] = "", name[16] = "";
    long number = -1;
    int file = open(plan, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    syscall(SYS_read, file, text, sizeof text - 1);
    close(file);
    return sscanf(text, "%15s %ld", name, &number) == 2 && !strcmp(name, kind) ? number : -1;
}

static int fails(const char *kind, int file, long *calls) {
    if (!ours(file)) return 0;
    long from = planned(kind);
    if (from < 0 || __atomic_add_fetch(calls, 1, __ATOMIC_RELAXED) < from) return 0;
    count();
    errno = EIO;
    return 1;
}

static long writes, reads, syncs;

static void slowly(int file) {
    long ms = ours(file) ? planned("slow") : -1;
    if (ms <= 0) return;
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
    count();
}

ssize_t write(int file, const void *bytes, size_t size) {
    return fails("write", file, &writes) ? -1 : syscall(SYS_write, file, bytes, size);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    return fails("write", file, &writes) ? -1 : syscall(SYS_pwrite64, file, bytes, size, at);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) { return pwrite64(file, bytes, size, at); }

ssize_t read(int file, void *bytes, size_t size) {
    return fails("read", file, &reads) ? -1 : syscall(SYS_read, file, bytes, size);
}

ssize_t pread64(int file, void *bytes, size_t size, off64_t at) {
    return fails("read", file, &reads) ? -1 : syscall(SYS_pread64, file, bytes, size, at);
}

ssize_t pread(int file, void *bytes, size_t size, off_t at) { return pread64(file, bytes, size, at); }

int fsync(int file) {
    slowly(file);
    return fails("sync", file, &syncs) ? -1 : (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    slowly(file);
    return fails("sync", file, &syncs) ? -1 : (int)syscall(SYS_fdatasync, file);
}
