/*
 * Counts what a process does to the files below FS_PREFIX, and can stop it or make it fail at any one of these calls.
 * Preloaded (LD_PRELOAD); every process that inherits it counts into one shared file, FS_STATE, an array of 64-bit
 * numbers that the test reads and writes while the process runs:
 *
 *   0 count   calls so far                                  4 sticky   1: from call `at` on, until `at` is 0 again
 *   1 pid     the first process that was loaded with it     5 hits     how often it acted
 *   2 at      act at this call; 0: only count               6 nosync   1: fsync and fdatasync do nothing and say 0
 *   3 action  an errno, or SHORT, KILL                      7 fitting  1: only calls that can really fail so
 *   8..       the first call it acted at, as text
 *
 * FS_TRACE names a file that gets a line for each call: number, name, path; the name of one that leaves something else on
 * the disk than before ends in "!".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SHORT = 1000, KILL = 1001 };
/* What kind of call it is: which errors fit it. */
enum { READS = 1, OPENS = 2, CHANGES = 4, CLOSES = 8, FORCES = 16 };

struct state {
  _Atomic int64_t count, pid, at, action, sticky, hits, nosync, fitting;
  char first[512];
};
static struct state *state;
static const char *prefix;
static size_t prefix_length;
static int trace = -1;

#define REAL(name, type) \
  static __typeof__(type) real; \
  if (!real) real = (__typeof__(type))dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void load(void) {
  const char *file = getenv("FS_STATE"), *log = getenv("FS_TRACE");
  prefix = getenv("FS_PREFIX");
  if (!file || !prefix) return;
  prefix_length = strlen(prefix);
  int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (at == MAP_FAILED) return;
  int64_t none = 0;
  atomic_compare_exchange_strong(&((struct state *)at)->pid, &none, getpid());
  if (log) trace = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  state = at;
}

/* Is it the folder or something in it? */
static int is_below(const char *path) {
  return !strncmp(path, prefix, prefix_length) && (path[prefix_length] == '/' || path[prefix_length] == 0);
}

/* The absolute path of what is called `path` as seen from folder `dir`. */
static int absolute(int dir, const char *path, char *into) {
  if (path[0] == '/') return snprintf(into, PATH_MAX, "%s", path) > 0;
  char link[64], from[PATH_MAX];
  if (dir == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
  else snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
  ssize_t n = readlink(link, from, sizeof from - 1);
  if (n < 0) return 0;
  from[n] = 0;
  return snprintf(into, PATH_MAX, "%s/%.1024s", from, path) > 0;
}

static int of_fd(int fd, char *into) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, into, PATH_MAX - 1);
  if (n < 0) return 0;
  into[n] = 0;
  return 1;
}

static int fits(int action, int kind) {
  switch (action) {
    case ENOSPC: case EDQUOT: case EROFS: return kind & (CHANGES | FORCES);
    case EMFILE: return kind & OPENS;
    case EACCES: return kind & (OPENS | CHANGES);
    default: return 1;
  }
}

/* Counts a call; returns what it shall do instead: 0, an errno, or SHORT. Never returns where it kills. */
static int decide(const char *name, const char *path, int kind) {
  if (!state || !is_below(path)) return 0;
  int64_t n = atomic_fetch_add(&state->count, 1) + 1;
  if (trace >= 0) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s%s %s\n", (long)n, name, kind & CHANGES ? "!" : "", path + prefix_length);
    syscall(SYS_write, trace, line, length);
  }
  int64_t at = state->at;
  int action = state->action;
  if (at == 0 || n < at || (n > at && !state->sticky)) return 0;
  if (action == SHORT && strcmp(name, "write") && strcmp(name, "copy")) return 0;
  if (state->fitting && !fits(action, kind)) return 0;
  if (atomic_fetch_add(&state->hits, 1) == 0) snprintf(state->first, sizeof state->first, "%s %s", name, path + prefix_length);
  if (action == KILL) {
    kill(state->pid, SIGKILL);
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  return action;
}

static int at_path(const char *name, int dir, const char *path, int kind) {
  char full[PATH_MAX];
  return state && path && absolute(dir, path, full) ? decide(name, full, kind) : 0;
}

static int at_fd(const char *name, int fd, int kind) {
  char full[PATH_MAX];
  int before = errno, is = state && of_fd(fd, full) ? decide(name, full, kind) : 0;
  errno = before;
  return is;
}

#define FAIL_IF(what) \
  do { \
    int error = (what); \
    if (error && error != SHORT) { errno = error; return -1; } \
  } while (0)

/* ---- opening */

static int opening(int flags) { return OPENS | (flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR) ? CHANGES : READS); }

#define MODE_OF(flags) \
  mode_t mode = 0; \
  if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

#define OPEN(function) \
  int function(const char *path, int flags, ...) { \
    MODE_OF(flags) \
    FAIL_IF(at_path("open", AT_FDCWD, path, opening(flags))); \
    REAL(#function, int (*)(const char *, int, ...)); \
    return real(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(function) \
  int function(int dir, const char *path, int flags, ...) { \
    MODE_OF(flags) \
    FAIL_IF(at_path("open", dir, path, opening(flags))); \
    REAL(#function, int (*)(int, const char *, int, ...)); \
    return real(dir, path, flags, mode); \
  }
OPENAT(openat)
OPENAT(openat64)

/* A close that fails has closed all the same. */
int close(int fd) {
  int error = at_fd("close", fd, CLOSES);
  REAL("close", int (*)(int));
  int done = real(fd);
  if (error && error != SHORT) { errno = error; return -1; }
  return done;
}

/* ---- reading and writing */

ssize_t read(int fd, void *into, size_t n) {
  FAIL_IF(at_fd("read", fd, READS));
  REAL("read", ssize_t (*)(int, void *, size_t));
  return real(fd, into, n);
}

#define PREAD(function) \
  ssize_t function(int fd, void *into, size_t n, off_t at) { \
    FAIL_IF(at_fd("read", fd, READS)); \
    REAL(#function, ssize_t (*)(int, void *, size_t, off_t)); \
    return real(fd, into, n, at); \
  }
PREAD(pread)
PREAD(pread64)

/* Half of it, and of one byte all. */
static size_t part(int action, size_t n) { return action == SHORT && n > 1 ? n / 2 : n; }

ssize_t write(int fd, const void *from, size_t n) {
  int action = at_fd("write", fd, CHANGES);
  FAIL_IF(action);
  REAL("write", ssize_t (*)(int, const void *, size_t));
  return real(fd, from, part(action, n));
}

#define PWRITE(function) \
  ssize_t function(int fd, const void *from, size_t n, off_t at) { \
    int action = at_fd("write", fd, CHANGES); \
    FAIL_IF(action); \
    REAL(#function, ssize_t (*)(int, const void *, size_t, off_t)); \
    return real(fd, from, part(action, n), at); \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

/* Of many pieces a short write writes half of the first. */
ssize_t writev(int fd, const struct iovec *from, int n) {
  int action = at_fd("write", fd, CHANGES);
  FAIL_IF(action);
  REAL("writev", ssize_t (*)(int, const struct iovec *, int));
  if (action != SHORT || n < 1) return real(fd, from, n);
  struct iovec first = {from[0].iov_base, part(SHORT, from[0].iov_len)};
  return real(fd, &first, 1);
}

#define PWRITEV(function) \
  ssize_t function(int fd, const struct iovec *from, int n, off_t at) { \
    int action = at_fd("write", fd, CHANGES); \
    FAIL_IF(action); \
    REAL(#function, ssize_t (*)(int, const struct iovec *, int, off_t)); \
    if (action != SHORT || n < 1) return real(fd, from, n, at); \
    struct iovec first = {from[0].iov_base, part(SHORT, from[0].iov_len)}; \
    return real(fd, &first, 1, at); \
  }
PWRITEV(pwritev)
PWRITEV(pwritev64)

ssize_t copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t n, unsigned flags) {
  int action = at_fd("copy", out, CHANGES);
  FAIL_IF(action);
  REAL("copy_file_range", ssize_t (*)(int, off_t *, int, off_t *, size_t, unsigned));
  return real(in, in_at, out, out_at, part(action, n), flags);
}

ssize_t sendfile64(int out, int in, off_t *at, size_t n) {
  int action = at_fd("copy", out, CHANGES);
  FAIL_IF(action);
  REAL("sendfile64", ssize_t (*)(int, int, off_t *, size_t));
  return real(out, in, at, part(action, n));
}
ssize_t sendfile(int out, int in, off_t *at, size_t n) { return sendfile64(out, in, at, n); }

#define SYNC(function) \
  int function(int fd) { \
    FAIL_IF(at_fd(#function, fd, FORCES)); \
    if (state && state->nosync) return 0; \
    REAL(#function, int (*)(int)); \
    return real(fd); \
  }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(function) \
  int function(int fd, off_t length) { \
    FAIL_IF(at_fd("ftruncate", fd, CHANGES)); \
    REAL(#function, int (*)(int, off_t)); \
    return real(fd, length); \
  }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

/* ---- names */

int rename(const char *from, const char *to) {
  FAIL_IF(at_path("rename", AT_FDCWD, to, CHANGES));
  REAL("rename", int (*)(const char *, const char *));
  return real(from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
  FAIL_IF(at_path("rename", to_dir, to, CHANGES));
  REAL("renameat2", int (*)(int, const char *, int, const char *, unsigned));
  return real(from_dir, from, to_dir, to, flags);
}

int link(const char *from, const char *to) {
  FAIL_IF(at_path("link", AT_FDCWD, to, CHANGES));
  REAL("link", int (*)(const char *, const char *));
  return real(from, to);
}

#define ONE_PATH(function) \
  int function(const char *path) { \
    FAIL_IF(at_path(#function, AT_FDCWD, path, CHANGES)); \
    REAL(#function, int (*)(const char *)); \
    return real(path); \
  }
ONE_PATH(unlink)
ONE_PATH(rmdir)

int unlinkat(int dir, const char *path, int flags) {
  FAIL_IF(at_path("unlink", dir, path, CHANGES));
  REAL("unlinkat", int (*)(int, const char *, int));
  return real(dir, path, flags);
}

int mkdir(const char *path, mode_t mode) {
  FAIL_IF(at_path("mkdir", AT_FDCWD, path, CHANGES));
  REAL("mkdir", int (*)(const char *, mode_t));
  return real(path, mode);
}
