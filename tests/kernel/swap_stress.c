/* SPDX-License-Identifier: MIT */
/*
 * More memory than there is: eight processes, born by fork, write and verify
 * several times the machine's RAM at random, and their children and
 * grandchildren go on with it.
 *
 * usage: swap_stress [-m MIB] [-s SECONDS] [-r SEED] [-e] [-o] [-x] [FILE]
 *   -m  memory in all (default: four times MemTotal)
 *   -s  how long, after all of it was written once (default 2)
 *   -e  the swap device fails now and then: SIGBUS may come
 *   -x  contents that cannot be compressed
 *   -o  in the end swapoff(2) of every area, which has to bring all back
 *   FILE  is mapped privately: its pages until they are written
 *
 *   PRIVATE  anonymous; each process its own after fork and COW
 *   COPIES   of FILE
 *   SHARED   anonymous, shared by all; each process owns 512 bytes of a page
 *
 * What a page (lane) has to hold is told by its key: who wrote it, where and in
 * which round.  A child inherits its parent's keys.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <time.h>
#include "check.h"

#define PAGE  4096u
#define SLOTS 8u
#define LANE  (PAGE / SLOTS)

#define UNKNOWN UINT64_MAX /* a key: anything */

enum place { PRIVATE, COPIES, SHARED, PLACES };

static struct shared {
	uint32_t bad, began, sigbus, ops, forks;
} * sh;

#define ADD(x, v) __atomic_add_fetch(&(x), v, __ATOMIC_SEQ_CST)
#define LOAD(x)	  __atomic_load_n(&(x), __ATOMIC_SEQ_CST)

#define EXPECT(c, ...)                                                         \
	do {                                                                   \
		if (!(c) && ADD(sh->bad, 1u) <= 10) {                          \
			printf("FAIL %s:%d: %s: ", __FILE__, __LINE__, #c);    \
			printf(__VA_ARGS__);                                   \
			printf("\n");                                          \
			fflush(stdout);                                        \
		}                                                              \
	} while (0)

static char *at[PLACES];
static uint32_t pages[PLACES];
static uint64_t *key[PLACES]; /* of SHARED: one array, each slot its part */
static const char *copied;    /* FILE's contents, mapped read-only */
static unsigned slot, seconds = 2;
static uint64_t state, round_nr;
static int may_fail, swap_off, dense;
static char *stack_top;

static uint32_t rnd(uint32_t n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((state >> 33) * n >> 31);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ------------------------------------------------------- what must be there */

static uint64_t *key_of(enum place where, uint32_t page)
{
	return &key[where]
		   [where == SHARED ? slot * pages[SHARED] + page : page];
}

static char *address(enum place where, uint32_t page)
{
	return at[where] + (size_t)page * PAGE +
	       (where == SHARED ? slot * LANE : 0);
}

static size_t bytes_of(enum place where)
{
	return where == SHARED ? LANE : PAGE;
}

/*
 * Word i of a page with this key, after v: one in eight is new, so that memory
 * that is compressed is worth its name.  k == 3 of 8: all the same.
 */
static uint64_t next_word(uint64_t v, uint64_t k, size_t i)
{
	if (!dense && (k % 8 == 3 || i % 8))
		return v;
	return (v ^ v >> 29) * 6364136223846793005ull + k;
}

/* Returns the offset of the first wrong byte, or -1. */
static long compare(enum place where, uint32_t page, uint64_t k)
{
	const uint64_t *p = (const void *)address(where, page);
	size_t n = bytes_of(where) / 8, i;
	const uint64_t *want = (const void *)(copied + (size_t)page * PAGE);
	uint64_t v = k;

	for (i = 0; i < n; i++, v = next_word(v, k, i))
		if (p[i] != (k ? v : where == COPIES ? want[i] : 0))
			return (long)i * 8;
	return -1;
}

/* ----------------------------------------------------------- the operations */

static sigjmp_buf back;
static volatile sig_atomic_t may_trap;

static void on_bus(int signo)
{
	if (!may_trap || !may_fail) {
		EXPECT(may_fail, "SIGBUS");
		signal(signo, SIG_DFL);
		raise(signo);
		return;
	}
	may_trap = 0;
	siglongjmp(back, 1);
}

/* A page that is lost: given up, where it is nobody else's. */
static void lost(enum place where, uint32_t page)
{
	ADD(sh->sigbus, 1u);
	if (where == SHARED)
		return;
	/* (locked memory cannot be given up) */
	EXPECT(munlock(address(where, page), PAGE) == 0, "%d", errno);
	EXPECT(madvise(address(where, page), PAGE, MADV_DONTNEED) == 0, "%d",
	       errno);
	*key_of(where, page) = 0;
}

static void verify(enum place where, uint32_t page)
{
	uint64_t k = *key_of(where, page);
	long bad;

	if (k == UNKNOWN)
		return;
	if (sigsetjmp(back, 1)) {
		lost(where, page);
		return;
	}
	may_trap = 1;
	bad = compare(where, page, k);
	may_trap = 0;
	EXPECT(bad < 0, "process %u place %u page %u offset %ld key %llx", slot,
	       where, page, bad, (unsigned long long)k);
}

static void store(enum place where, uint32_t page)
{
	volatile uint64_t *p = (void *)address(where, page);
	uint64_t k = (uint64_t)(where + 1) << 60 | (uint64_t)slot << 56 |
		     (uint64_t)page << 32 | (++round_nr & 0xffffffff);
	uint64_t v = k;
	size_t i;

	if (sigsetjmp(back, 1)) {
		/* a part of a lane may have been written by now */
		*key_of(where, page) = UNKNOWN;
		lost(where, page);
		return;
	}
	may_trap = 1;
	for (i = 0; i < bytes_of(where) / 8; i++, v = next_word(v, k, i))
		p[i] = v;
	may_trap = 0;
	*key_of(where, page) = k;
}

/* A child that looks at and changes what is also its parent's. */
static void short_life(void)
{
	unsigned i;
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		for (i = 0; i < 40; i++) {
			enum place where = rnd(SHARED);
			uint32_t page = rnd(pages[where]);

			verify(where, page);
			if (i % 3 == 0)
				store(where, page);
			verify(where, page);
		}
		_exit(0);
	}
	EXPECT(pid > 0, "errno %d", errno);
	if (pid <= 0)
		return;
	ADD(sh->forks, 1u);
	EXPECT(waitpid(pid, &status, 0) == pid, "errno %d", errno);
	EXPECT(status == 0 || may_fail, "status %#x", status);
}

/* Again, where a page of it had to be read and was not. */
static void lock(const void *from, const void *to)
{
	int tries = 20;

	while (mlock(from, (size_t)((const char *)to - (const char *)from)))
		if (!--tries)
			break;
	EXPECT(tries, "errno %d", errno);
}

/*
 * With a device that fails, what is the test's own is not to be swapped: who
 * sleeps in wait() would wake without a stack for the answer.
 */
static void keep_own(void)
{
	extern char data_start[], _end[];
	char room[2 * PAGE]; /* of the stack: for the calls from here on */
	int p;

	if (!may_fail)
		return;
	for (p = 0; p < PLACES; p++)
		lock(key[p],
		     key[p] + (size_t)pages[p] * (p == SHARED ? SLOTS : 1));
	lock(sh, sh + 1);
	lock(data_start, _end);
	lock(&errno, sbrk(0)); /* the heap, which begins with it */
	lock(room, stack_top);
}

/* The child goes on in this process's place, which gives up its memory. */
static void succession(void)
{
	int status = -1, p;
	pid_t pid = fork();

	EXPECT(pid >= 0, "errno %d", errno);
	if (pid == 0)
		keep_own();
	if (pid <= 0)
		return;
	ADD(sh->forks, 1u);
	for (p = 0; p < PLACES; p++)
		munmap(at[p], (size_t)pages[p] * PAGE);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}

static void advise(void)
{
	static const int advice[] = {MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED};
	enum place where = rnd(PLACES);
	uint32_t n = 1 + rnd(32), page = rnd(pages[where] - n);
	int r = madvise(at[where] + (size_t)page * PAGE, n * PAGE,
			advice[rnd(3)]);

	/* a Linux without swap, or an old one, knows none of it */
	EXPECT(r == 0 || errno == EINVAL, "errno %d", errno);
}

static void lock_a_little(void)
{
	uint32_t page = rnd(pages[PRIVATE] - 8);
	char *a = address(PRIVATE, page);

	/* (a limit, or a page that cannot be read) */
	if (mlock(a, 8 * PAGE))
		EXPECT(errno == ENOMEM || errno == EPERM || errno == EAGAIN,
		       "errno %d", errno);
	verify(PRIVATE, page + 3);
	EXPECT(munlock(a, 8 * PAGE) == 0, "errno %d", errno);
}

static void drop(void)
{
	uint32_t n = 1 + rnd(8), page = rnd(pages[PRIVATE] - n);

	EXPECT(madvise(address(PRIVATE, page), n * PAGE, MADV_DONTNEED) == 0,
	       "errno %d", errno);
	while (n--)
		*key_of(PRIVATE, page + n) = 0;
}

static void work(void)
{
	unsigned turns = 0, left = 2;
	double end;
	uint32_t i;
	int p;

	for (p = 0; p < PLACES; p++)
		for (i = 0; i < pages[p]; i++)
			if (p != COPIES || i % 4)
				store(p, i);
	ADD(sh->began, 1u);
	end = now() + seconds;
	/* (longer than that, where even this much takes longer) */
	while ((now() < end || left) && !LOAD(sh->bad)) {
		for (i = 0; i < 16; i++) {
			enum place where = rnd(PLACES);

			if (rnd(2))
				verify(where, rnd(pages[where]));
			else
				store(where, rnd(pages[where]));
		}
		ADD(sh->ops, 16u);
		if (++turns % 16 == slot)
			advise();
		if (turns % 32 == slot)
			drop();
		if (turns % 64 == 5 * slot)
			lock_a_little();
		if (turns % 100 == 9 * slot)
			short_life();
		if (left && now() > end - seconds / 3.0 * left) {
			left--;
			succession();
		}
	}
	for (p = 0; p < PLACES; p++)
		for (i = 0; i < pages[p] && !LOAD(sh->bad); i++)
			verify(p, i);
}

/* ----------------------------------------------------------------- the frame
 */

static uint64_t mem_total_mib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;

	if (!f || fscanf(f, "MemTotal: %lu kB", &kib) != 1)
		kib = 64 << 10;
	if (f)
		fclose(f);
	return kib >> 10;
}

static void *map(size_t bytes, int flags, int fd)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED) {
		printf("FAIL mmap of %zu bytes: errno %d\n", bytes, errno);
		exit(1);
	}
	return p;
}

static void map_all(uint64_t mib, const char *file)
{
	uint32_t all = (uint32_t)(mib << 8), p; /* pages */
	struct stat st = {0};
	int fd = file ? open(file, O_RDONLY) : -1;

	if (fd >= 0 && fstat(fd, &st))
		exit(1);
	pages[SHARED] = all / 8;
	pages[COPIES] = (uint32_t)((uint64_t)st.st_size / PAGE);
	if (pages[COPIES] > all / 64)
		pages[COPIES] = all / 64;
	if (!pages[COPIES]) /* never without one */
		pages[COPIES] = 1;
	pages[PRIVATE] = (all - pages[SHARED] - SLOTS * pages[COPIES]) / SLOTS;
	for (p = 0; p < PLACES; p++)
		key[p] = map((size_t)pages[p] * 8 * (p == SHARED ? SLOTS : 1),
			     MAP_ANONYMOUS |
				     (p == SHARED ? MAP_SHARED : MAP_PRIVATE),
			     -1);
	at[PRIVATE] = map((size_t)pages[PRIVATE] * PAGE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1);
	at[SHARED] = map((size_t)pages[SHARED] * PAGE,
			 MAP_SHARED | MAP_ANONYMOUS, -1);
	at[COPIES] = map((size_t)pages[COPIES] * PAGE,
			 MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd);
	copied = map((size_t)pages[COPIES] * PAGE,
		     MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd);
	sh = map(PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
	if (fd >= 0)
		close(fd);
}

/* Every area off; what the caller holds must be whole afterwards. */
static void swap_all_off(void)
{
	static char line[512], name[256];
	uint32_t i, n = 512, areas = 0;
	FILE *f;

	slot = 0;
	munmap(at[SHARED], (size_t)pages[SHARED] * PAGE);
	for (i = 0; i < n; i++)
		store(PRIVATE, i);
	madvise(address(PRIVATE, 0), n * PAGE, MADV_PAGEOUT);
	for (;;) {
		f = fopen("/proc/swaps", "r");
		if (!f || !fgets(line, sizeof(line), f) ||
		    !fgets(line, sizeof(line), f) ||
		    sscanf(line, "%255s", name) != 1)
			break;
		fclose(f);
		f = NULL;
		areas++;
		if (swapoff(name)) {
			EXPECT(0, "swapoff %s: errno %d", name, errno);
			break;
		}
	}
	if (f)
		fclose(f);
	EXPECT(areas > 0, "no area");
	for (i = 0; i < n; i++)
		verify(PRIVATE, i);
}

static void parse(int argc, char **argv, uint64_t *mib)
{
	int o;

	state = 1;
	while ((o = getopt(argc, argv, "m:s:r:eox")) != -1) {
		if (o == 'm')
			*mib = strtoull(optarg, NULL, 10);
		else if (o == 's')
			seconds = (unsigned)strtoul(optarg, NULL, 10);
		else if (o == 'r')
			state = strtoull(optarg, NULL, 10);
		else if (o == 'e')
			may_fail = 1;
		else if (o == 'o')
			swap_off = 1;
		else if (o == 'x')
			dense = 1;
		else
			exit(2);
	}
}

/* behaviours: R1, R2, R3, F11, F12, C5 */
int main(int argc, char **argv)
{
	uint64_t mib = 4 * mem_total_mib();
	unsigned died = 0;
	int status;

	parse(argc, argv, &mib);
	stack_top = __builtin_frame_address(0);
	/* what no child writes to is shared by all */
	CHECK(!may_fail || mlockall(MCL_CURRENT) == 0);
	map_all(mib, argv[optind]);
	signal(SIGBUS, on_bus);
	keep_own();
	for (slot = 0; slot < SLOTS; slot++) {
		fflush(stdout);
		switch (fork()) {
		case 0:
			state = state * 31 + slot + 1;
			keep_own();
			work();
			fflush(stdout);
			_exit(LOAD(sh->bad) != 0);
		case -1:
			CHECK(!"fork");
		}
	}
	while (wait(&status) > 0) {
		/* its stack or its code is what was lost */
		if (may_fail && WIFSIGNALED(status) &&
		    (WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGSEGV))
			died++;
		else
			CHECK(status == 0);
	}
	CHECK(LOAD(sh->bad) == 0);
	CHECK(LOAD(sh->began) + died >= SLOTS && died < SLOTS);
	CHECK(LOAD(sh->forks) >= SLOTS || died);
	if (swap_off) {
		swap_all_off();
		CHECK(LOAD(sh->bad) == 0);
	}
	printf("%u MiB, %u operations, %u forks, %u SIGBUS, %u died\n",
	       (unsigned)mib, LOAD(sh->ops), LOAD(sh->forks), LOAD(sh->sigbus),
	       died);
	return check_done();
}
