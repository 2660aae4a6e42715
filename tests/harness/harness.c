/* SPDX-License-Identifier: MIT */
/*
 * The test program's main(): runs the registered tests, each in a child
 * process, and prints what failed and "N passed, N failed".
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tests/harness/harness.h>

static struct test_case *first, **last = &first;
static unsigned failures;
static char context[256];
static const struct test_shape shapes[] = {TEST_SHAPES};
static const struct test_shape *shape = shapes;

void test_register(struct test_case *t)
{
	*last = t;
	last = &t->next;
}

/* ------------------------------------------------------------------ checks */

void test_failed(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	__atomic_fetch_add(&failures, 1u, __ATOMIC_RELAXED);
	fflush(stdout);
	fprintf(stderr, "  %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s%s\n", *context ? "   in " : "", context);
}

void test_context(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
}

void test_give_up(void)
{
	fflush(stdout);
	fflush(stderr);
	_exit(1);
}

unsigned test_failures(void)
{
	return __atomic_load_n(&failures, __ATOMIC_RELAXED);
}

bool test_eq(const char *file, int line, const char *a, const char *b,
	     long long x, long long y)
{
	if (x == y)
		return true;
	test_failed(file, line, "%s == %s: %lld (%#llx), %lld (%#llx)", a, b, x,
		    (unsigned long long)x, y, (unsigned long long)y);
	return false;
}

bool test_str(const char *file, int line, const char *what, const char *got,
	      const char *want)
{
	if (got && !strcmp(got, want))
		return true;
	test_failed(file, line, "%s:\n--- got\n%s\n--- wanted\n%s", what,
		    got ? got : "(null)", want);
	return false;
}

const struct test_shape *test_shape(void)
{
	return shape;
}

void test_set_shape(struct sim_config *config)
{
	if (shape->config.levels)
		config->levels = shape->config.levels;
	if (shape->config.arm_version)
		config->arm_version = shape->config.arm_version;
	if (shape->config.arm_colours)
		config->arm_colours = shape->config.arm_colours;
}

unsigned test_extra_seconds(void)
{
	const char *minutes = getenv("QUIRE_TEST_MINUTES");

	return minutes ? (unsigned)(60 * strtod(minutes, NULL)) : 0;
}

unsigned test_levels(struct sim_machine *m)
{
	return sim_get_config(m)->levels;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
/*
 * A private copy of a page may be made while truncation zeroes the page's end
 * or a program stores to it: either content is right.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:wp_make_copy\n";
}
#endif
#endif

/* --------------------------------------------------------------- one test */

/* In the child: 0 passed, 1 failed. */
static int run_case(struct test_case *t)
{
	struct sim_config config = t->config;
	const char *seed = getenv("QUIRE_TEST_SEED");
	struct sim_machine *m = NULL;

	if (seed)
		config.seed = strtoull(seed, NULL, 10);

	if (!t->plain) {
		test_set_shape(&config);
		m = sim_machine_create(&config);
		if (!m) {
			fprintf(stderr, "  no machine\n");
			return 1;
		}
	}
	t->fn(m);
	test_context("%s", "");
	if (!m)
		return failures != 0;
	sim_bind(m, 0);
	sim_run(NULL);
	CHECK_EQ(sim_check(m), 0);
	CHECK_EQ(sim_violations(m), 0);
	sim_violations_clear(m);
	CHECK_EQ(sim_machine_destroy(m), 0);
	return failures != 0;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Wait for the child, at most so long. */
static int wait_child(pid_t pid, unsigned seconds, bool *late)
{
	struct sigaction sa = {.sa_handler = on_alarm};
	int status = 0;

	*late = false;
	sigaction(SIGALRM, &sa, NULL);
	alarm(seconds);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
		*late = true;
		kill(pid, SIGKILL);
	}
	alarm(0);
	return status;
}

/* A limit is for what hangs: a machine that is busy with something else may be
 * a good deal slower than the one that the tests' were found on. */
#define LIMIT_FACTOR 4u
#define LIMIT_MOST   600u

static unsigned limit_of(const struct test_case *t)
{
	unsigned n = t->seconds ? t->seconds : 60;
	unsigned more = n * LIMIT_FACTOR;

	if (more > LIMIT_MOST)
		more = LIMIT_MOST;
	return (more > n ? more : n) + test_extra_seconds();
}

static bool run_one(struct test_case *t, bool verbose)
{
	struct timespec a, b;
	bool late, ok;
	int status;
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	clock_gettime(CLOCK_MONOTONIC, &a);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return false;
	}
	if (!pid) {
		int r = run_case(t);

		fflush(stdout);
		fflush(stderr);
		exit(r);
	}
	status = wait_child(pid, limit_of(t), &late);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ok = !late && WIFEXITED(status) && !WEXITSTATUS(status);
	if (!ok) {
		printf("FAIL %s", t->name);
		if (!t->plain)
			printf("/%s", shape->name);
		printf(" (%s", t->file);
		if (late)
			printf(", time limit");
		else if (WIFSIGNALED(status))
			printf(", %s", strsignal(WTERMSIG(status)));
		printf(")\n");
	} else if (verbose) {
		printf("ok   %s/%s  %ld ms\n", t->name, shape->name,
		       (b.tv_sec - a.tv_sec) * 1000 +
			       (b.tv_nsec - a.tv_nsec) / 1000000);
	}
	fflush(stdout);
	return ok;
}

static bool wanted(const struct test_case *t, int argc, char **argv)
{
	bool any = false;
	int i;

	for (i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		any = true;
		if (strstr(t->name, argv[i]) || strstr(t->file, argv[i]))
			return true;
	}
	return !any;
}

static bool option(int argc, char **argv, const char *o)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], o))
			return true;
	return false;
}

/* Is a shape asked for by -NAME, and not this one? */
static bool other_shape(int argc, char **argv, const struct test_shape *s)
{
	bool asked = false;
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		char o[16];

		snprintf(o, sizeof(o), "-%s", shapes[i].name);
		if (!option(argc, argv, o))
			continue;
		if (&shapes[i] == s)
			return false;
		asked = true;
	}
	return asked;
}

int main(int argc, char **argv)
{
	bool verbose = option(argc, argv, "-v"),
	     list = option(argc, argv, "-l");
	unsigned passed = 0, failed = 0;
	struct test_case *t;
	size_t i;

	for (t = first; t; t = t->next) {
		if (!wanted(t, argc, argv))
			continue;
		if (list) {
			printf("%s  %s\n", t->name, t->file);
			continue;
		}
		for (i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
			shape = &shapes[i];
			if (t->plain ? i > 0 : other_shape(argc, argv, shape))
				continue;
			if (run_one(t, verbose))
				passed++;
			else
				failed++;
		}
	}
	if (!list)
		printf("%u passed, %u failed\n", passed, failed);
	return failed || (!list && !passed);
}

/* ------------------------------------------------------------- death tests */

bool test_dies(struct sim_machine *m, void (*fn)(struct sim_machine *m))
{
	pid_t pid;
	bool late;
	int status, null;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (!pid) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		dup2(null, 2);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		fn(m);
		_exit(0);
	}
	if (pid < 0)
		return false;
	status = wait_child(pid, 30 * LIMIT_FACTOR, &late);
	return !late &&
	       (WIFSIGNALED(status) ||
		/* AddressSanitizer ends by exit, and says so by its status */
		(WIFEXITED(status) && WEXITSTATUS(status)));
}

/* -------------------------------------------- every allocation failed in turn
 */

/* One round on a fresh machine; fail_at 0: none. */
static uint64_t inject_round(const struct sim_config *config,
			     test_scenario scenario, void *arg,
			     uint64_t fail_at, bool single)
{
	struct sim_machine *m = sim_machine_create(config);
	uint64_t n;

	REQUIRE(m != NULL);
	if (fail_at)
		sim_inject_nth(m, fail_at, single);
	else
		sim_inject_reset(m);
	scenario(m, arg);
	n = sim_inject_count(m);
	if (fail_at)
		CHECK(sim_inject_hits(m) >= 1);
	sim_inject_reset(m);
	sim_bind(m, 0);
	sim_run(NULL);
	CHECK_EQ(sim_check(m), 0);
	CHECK_EQ(sim_machine_destroy(m), 0);
	return n;
}

unsigned test_every_failure(const struct sim_config *config,
			    test_scenario scenario, void *arg)
{
	struct sim_config c = {.ram_bytes = 16u << 20, .check_ops = true};
	const char *s = getenv("QUIRE_INJECT_STRIDE");
	uint64_t stride = s ? strtoull(s, NULL, 10) : 1, n, i;

	if (config)
		c = *config;
	test_set_shape(&c);
	test_context("the round without failures");
	n = inject_round(&c, scenario, arg, 0, false);
	CHECK(n > 0);
	for (i = 1; i <= n && test_failures() < 10; i += stride ? stride : 1) {
		test_context("allocation %llu of %llu failed alone",
			     (unsigned long long)i, (unsigned long long)n);
		inject_round(&c, scenario, arg, i, true);
		test_context("allocations %llu ... of %llu failed",
			     (unsigned long long)i, (unsigned long long)n);
		inject_round(&c, scenario, arg, i, false);
	}
	test_context("%s", "");
	return (unsigned)n;
}
