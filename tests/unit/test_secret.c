/*
 * What the process does to itself is looked at from children: each begins
 * with an OpenSSL that nobody has used, and takes its hardening away with it.
 */
#include "keys.h"
#include "secret.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define STRANGER 12345 /* a user without rights */
#define THREADS 8
#define FLAGS 512

/* A check in a child: the number of its line is the exit status. */
#define CHECK(condition)                       \
	do {                                   \
		if (!(condition))              \
			return __LINE__ % 256; \
	} while (0)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* Sanitizers make mlock() do nothing and say that it did. */
static const bool real_locks = !SANITIZED;

static void
in_child(int (*checks)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(checks());
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("status %#x, line %d", (unsigned)status,
			WEXITSTATUS(status));
}

/* -- secret_harden --------------------------------------------------------- */

static int
standard_files(void)
{
	int fds[2];

	close(0);
	close(1);
	close(2);
	secret_harden();
	for (int fd = 0; fd < 3; fd++)
		CHECK(fcntl(fd, F_GETFD) >= 0);
	CHECK(pipe(fds) == 0 && fds[0] > 2);
	return 0;
}

static void
missing_standard_files_are_opened(void **state)
{
	(void)state;
	in_child(standard_files);
}

static int
closed_pipe(void)
{
	int fds[2];

	secret_harden();
	CHECK(pipe(fds) == 0);
	close(fds[0]);
	CHECK(write(fds[1], "x", 1) < 0 && errno == EPIPE);
	return 0;
}

static void
writing_to_a_closed_pipe_is_an_error_not_a_signal(void **state)
{
	(void)state;
	in_child(closed_pipe);
}

static int
dumps(void)
{
	struct rlimit core = {1 << 20, 1 << 20};
	char filter[16] = "";
	int fd;

	setrlimit(RLIMIT_CORE, &core);
	fd = open("/proc/self/coredump_filter", O_RDONLY);
	secret_harden();
	CHECK(getrlimit(RLIMIT_CORE, &core) == 0);
	CHECK(core.rlim_cur == 0 && core.rlim_max == 0);
	CHECK(read(fd, filter, sizeof(filter) - 1) > 0);
	CHECK(strtoul(filter, NULL, 16) == 0);
#ifndef TEST_BUILD
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(secret_state().undumpable);
#endif
	return 0;
}

static void
the_process_leaves_no_core_dump(void **state)
{
	(void)state;
	in_child(dumps);
}

/* No algorithm has this property. */
static const char configuration[] = "openssl_conf = init\n"
				    "[init]\n"
				    "alg_section = algorithms\n"
				    "[algorithms]\n"
				    "default_properties = imagined=yes\n";

static bool
can_hash(void)
{
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
	bool yes = md != NULL;

	EVP_MD_free(md);
	return yes;
}

static int
configured(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	CHECK(!can_hash());
	return 0;
}

static int
hardened(void)
{
	secret_harden();
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	CHECK(can_hash());
	return 0;
}

static void
openssl_configuration_of_the_environment_is_ignored(void **state)
{
	struct place *p = *state;
	char *path = path_of(p, "openssl.cnf");

	put(p, "openssl.cnf", configuration);
	setenv("OPENSSL_CONF", path, 1);
	in_child(configured); /* it would have an effect */
	in_child(hardened);
	unsetenv("OPENSSL_CONF");
	free(path);
}

/* -- locked memory --------------------------------------------------------- */

static bool
set_lock_limit(rlim_t bytes)
{
	struct rlimit limit = {bytes, bytes};

	return setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

static int
drop_rights(void)
{
	return getuid() == 0 ? setuid(STRANGER) : 0;
}

static int
nothing_may_be_locked(void)
{
	CHECK(set_lock_limit(0) && drop_rights() == 0);
	secret_harden();
	CHECK(secret_state().keys_locked);
	secret_alloc(KEY_BYTES);
	CHECK(secret_state().keys_locked == !real_locks);
	CHECK(!secret_state().all_locked);
	return 0;
}

static void
memory_that_could_not_be_locked_is_admitted(void **state)
{
	(void)state;
	in_child(nothing_may_be_locked);
}

static void *
return_argument(void *argument)
{
	return argument;
}

static bool
threads_start(void)
{
	pthread_t thread[THREADS];
	int n = 0;

	while (n < THREADS &&
		!pthread_create(&thread[n], NULL, return_argument, NULL))
		n++;
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	return n == THREADS;
}

static int
little_may_be_locked(void)
{
	CHECK(set_lock_limit(64 << 10) && drop_rights() == 0);
	secret_harden();
	secret_alloc((size_t)KEYRING_MAX * KEY_BYTES);
	CHECK(secret_state().keys_locked);
	CHECK(!secret_state().all_locked);
	CHECK(threads_start());
	return 0;
}

static void
a_thousand_keys_fit_into_the_usual_lock_limit_and_threads_start(void **state)
{
	(void)state;
	in_child(little_may_be_locked);
}

/* Only root can raise the limit; for others it is what it is. */
static int
all_may_be_locked(void)
{
	struct rlimit limit;
	bool large;

	set_lock_limit(RLIM_INFINITY);
	CHECK(getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	large = limit.rlim_cur >= 256ul << 20;
	CHECK(drop_rights() == 0);
	secret_harden();
	CHECK(secret_state().all_locked == large);
	CHECK(threads_start());
	return 0;
}

static void
all_memory_is_locked_where_the_limit_is_large(void **state)
{
	(void)state;
	in_child(all_may_be_locked);
}

/* A page that the kernel cannot read for us is a page we cannot read. */
static bool
is_readable(const void *ptr, int fd)
{
	return write(fd, ptr, 1) == 1;
}

static void
secret_memory_stands_between_guard_pages(void **state)
{
	static const size_t sizes[] = {
		16, KEY_BYTES, 4096, KEY_FILE_MAX + 16, 65536};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i];
		unsigned char *p = secret_alloc(size);
		uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
		unsigned char *begin = p - (uintptr_t)p % page;

		for (size_t j = 0; j < size; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xff, size);
		assert_true(is_readable(p + size - 1, fds[1]));
		assert_false(is_readable(p + size, fds[1]));
		assert_true(is_readable(begin, fds[1]));
		assert_false(is_readable(begin - 1, fds[1]));
		secret_free(p, size);
		assert_false(is_readable(p, fds[1]));
	}
	secret_free(secret_alloc(0), 0);
	secret_free(NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

/* The flags of the mapping that ptr lies in, from /proc/self/smaps. */
static void
flags_of(char ret[FLAGS], const void *ptr)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long begin, end;
	bool here = false;
	char line[FLAGS];

	assert_non_null(smaps);
	ret[0] = '\0';
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			here = (uintptr_t)ptr >= begin && (uintptr_t)ptr < end;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(ret, FLAGS, "%s", line);
	}
	fclose(smaps);
}

static void
secret_memory_is_locked_and_left_out_of_dumps(void **state)
{
	unsigned char *p = secret_alloc(KEY_BYTES);
	char flags[FLAGS];

	(void)state;
	flags_of(flags, p);
	assert_non_null(strstr(flags, " dd"));
	assert_int_equal(strstr(flags, " lo") != NULL, real_locks);
	secret_free(p, KEY_BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* First the children that need an unused OpenSSL. */
		cmocka_unit_test_setup_teardown(
			openssl_configuration_of_the_environment_is_ignored,
			place_new, place_free),
		cmocka_unit_test(missing_standard_files_are_opened),
		cmocka_unit_test(
			writing_to_a_closed_pipe_is_an_error_not_a_signal),
		cmocka_unit_test(the_process_leaves_no_core_dump),
		cmocka_unit_test(memory_that_could_not_be_locked_is_admitted),
		cmocka_unit_test(
			a_thousand_keys_fit_into_the_usual_lock_limit_and_threads_start),
		cmocka_unit_test(all_memory_is_locked_where_the_limit_is_large),
		cmocka_unit_test(secret_memory_stands_between_guard_pages),
		cmocka_unit_test(secret_memory_is_locked_and_left_out_of_dumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
