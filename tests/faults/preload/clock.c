/* Another clock for one process: everything that asks for the time of day is told it with an offset.

   Loaded before a worker (LD_PRELOAD). The offset, a signed 64-bit number of nanoseconds, stands in the file that
   FAULT_CLOCK names and may change at any moment. Waits until a time of day follow it as the kernel's do: a step
   forwards ends them, a step back makes them longer. The monotonic clock is left alone, as a machine leaves it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define LOOK (50 * 1000000LL)      /* a wait looks so often whether the clock was set */
#define A_DATE (1000000000LL)      /* seconds: a deadline above is a time of day, below it is the monotonic clock's */

static volatile int64_t none, *offset = &none;
static int (*cond)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*cnd)(cnd_t *, mtx_t *, const struct timespec *);
static int (*sem)(sem_t *, const struct timespec *);

static void *next(const char *name, const char *version) {
    void *found = dlvsym(RTLD_NEXT, name, version); /* without a version some names give one that is older than Linux 2.6 */
    return found ? found : dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void open_clock(void) {
    cond = next("pthread_cond_timedwait", "GLIBC_2.3.2");
    cnd = next("cnd_timedwait", "GLIBC_2.28");
    sem = next("sem_timedwait", "GLIBC_2.34");
    const char *name = getenv("FAULT_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *seen = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (seen != MAP_FAILED) offset = seen;
    if (file >= 0) close(file);
}

static int64_t told(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return now.tv_sec * SECOND + now.tv_nsec + *offset;
}

static struct timespec as_timespec(int64_t ns) {
    struct timespec made = {ns / SECOND, ns % SECOND};
    return made;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *now = as_timespec(told());
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    int64_t ns = told();
    now->tv_sec = ns / SECOND;
    now->tv_usec = ns % SECOND / 1000;
    return 0;
}

time_t time(time_t *now) {
    time_t seconds = told() / SECOND;
    if (now) *now = seconds;
    return seconds;
}

int timespec_get(struct timespec *now, int base) {
    if (base != TIME_UTC) return 0;
    *now = as_timespec(told());
    return base;
}

/* The real deadline of the next look; 0 when the time of day given has come. */
static int until(const struct timespec *day, struct timespec *look) {
    int64_t left = day->tv_sec * SECOND + day->tv_nsec - told();
    if (left <= 0) return 0;
    *look = as_timespec(told() - *offset + (left < LOOK ? left : LOOK));
    return 1;
}

int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *day) {
    struct timespec look;
    if (day->tv_sec < A_DATE) return cond(c, m, day);
    while (until(day, &look)) {
        int ended = cond(c, m, &look);
        if (ended != ETIMEDOUT) return ended;
    }
    return ETIMEDOUT;
}

int cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *day) {
    struct timespec look;
    while (until(day, &look)) {
        int ended = cnd(c, m, &look);
        if (ended != thrd_timedout) return ended;
    }
    return thrd_timedout;
}

int sem_timedwait(sem_t *s, const struct timespec *day) {
    struct timespec look;
    while (until(day, &look)) {
        int ended = sem(s, &look);
        if (!ended || errno != ETIMEDOUT) return ended;
    }
    if (sem_trywait(s) == 0) return 0;
    errno = ETIMEDOUT;
    return -1;
}
