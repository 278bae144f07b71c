/*
 * Why not OpenSSL's secure heap: its size is fixed at the start, OpenSSL then
 * takes every HMAC key of every context from it, and a full one fails. Pages
 * of our own cost a few system calls per process and have no such limit.
 */
#include "secret.h"
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Below this, mlockall() would make later allocations and threads fail. */
#define LOCK_ALL_MIN (256ul << 20)

#define ALIGNMENT 16

/* Facts about the process, written by secret_harden() and secret_alloc(). */
static atomic_bool some_unlocked, all_locked, undumpable;

/* A file opened later must not become standard output by its number. Nor may
 * a report that nobody can get seem to have been written. */
static void
open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int how = fd == STDOUT_FILENO ? O_RDONLY : O_RDWR;

		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", how) != fd)
			die("cannot open /dev/null");
	}
}

static void
forbid_dumps(void)
{
	static const struct rlimit none = {0, 0};
	int fd;

	setrlimit(RLIMIT_CORE, &none);
	/* Where a dump is forced all the same, it has no anonymous memory.
	 * Before the next step, which takes /proc/self away from us. */
	fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = write(fd, "0", 1);

		(void)n; /* the other three measures stand */
		close(fd);
	}
#ifndef TEST_BUILD /* sanitizers need ptrace */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
	atomic_store(&undumpable, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
}

/* On fault only: reserved but unused stacks do not become resident. */
static void
lock_all(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
		limit.rlim_cur < LOCK_ALL_MIN)
		return;
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
		atomic_store(&all_locked, true);
}

void
secret_harden(void)
{
	open_standard_files();
	signal(SIGPIPE, SIG_IGN);
	forbid_dumps();
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		die("cannot initialise OpenSSL");
	lock_all();
}

struct secret_state
secret_state(void)
{
	return (struct secret_state){
		.keys_locked = !atomic_load(&some_unlocked),
		.all_locked = atomic_load(&all_locked),
		.undumpable = atomic_load(&undumpable),
	};
}

static size_t
page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t
round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

/* The bytes end where the guard page begins, or less than ALIGNMENT before it,
 * so that going over the end faults at once. */
void *
secret_alloc(size_t size)
{
	size_t page = page_size(), room = round_up(size ? size : 1, ALIGNMENT);
	size_t len = round_up(room, page);
	uint8_t *map, *data;

	map = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	if (map == MAP_FAILED)
		die("out of memory");
	data = map + page;
	if (mprotect(data, len, PROT_READ | PROT_WRITE) < 0)
		die("out of memory");
	if (mlock(data, len) < 0)
		atomic_store(&some_unlocked, true);
	madvise(data, len, MADV_DONTDUMP);
	return data + len - room;
}

void
secret_free(void *ptr, size_t size)
{
	size_t page = page_size(), room = round_up(size ? size : 1, ALIGNMENT);
	uint8_t *data;

	if (!ptr)
		return;
	secret_wipe(ptr, size);
	data = (uint8_t *)ptr - (uintptr_t)ptr % page;
	munmap(data - page, round_up(room, page) + 2 * page);
}

void
secret_wipe(void *ptr, size_t size)
{
	OPENSSL_cleanse(ptr, size);
}
