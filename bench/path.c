/* SPDX-License-Identifier: MIT */
/*
 * path.c - how many instructions a fault takes, from do_page_fault's first to
 * its return.
 *
 * The child is a whole memory system on plain memory, without MMU: it calls
 * do_page_fault() as an exception stub would.  The parent runs it step by step
 * (ptrace(2), PTRACE_SINGLESTEP) and counts.  A step of an instruction that
 * repeats (REP STOSQ, REP MOVSQ: a page is cleared or copied) is one
 * repetition; these are counted apart.  Batches are in it: the figures are
 * means over FAULTS faults, which refill the CPU's page list and drain its LRU
 * batch many times.
 *
 * The exit status is 1 when the first write to anonymous memory takes LIMIT
 * instructions or more.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <quire/quire.h>
#include <asm/ptrace.h>
#include <asm/trap_pf.h>

#define FAULTS	  128
#define LIMIT	  300
#define RAM_START 0x100000ull
#define RAM_BYTES (128ull << 20)
#define PG	  4096ull

/* ------------------------------------------------- the host of the system */

struct quire_task *path_current;
unsigned path_cpu, path_preempt = 1000; /* never 0: nothing to reschedule to */

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "path: %s\n", what);
	exit(2);
}

void path_reschedule(void)
{
	die("preemption count is not balanced");
}
void quire_host_signal(struct quire_task *t, const struct quire_signal *sig)
{
	(void)t;
	(void)sig;
	/* a handler's kernel would note it; that is the host's cost */
}
void quire_host_oom(struct quire_task *t)
{
	(void)t;
	die("out of memory");
}
void quire_host_log(int level, const char *text, size_t len)
{
	(void)level;
	fprintf(stderr, "path: %.*s\n", (int)len, text);
}
_Noreturn void quire_host_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "path: %s:%d: %s\n", file, line, what);
	abort();
}
void quire_host_load_table(paddr_t root, unsigned asid, bool noflush)
{
	(void)root;
	(void)asid;
	(void)noflush;
}
void quire_host_flush_all(bool global)
{
	(void)global;
}
int quire_host_wait(uint32_t *word, uint32_t expected, unsigned flags)
{
	(void)word;
	(void)expected;
	(void)flags;
	die("sleeps");
}
void quire_host_wake(uint32_t *word, uint32_t n)
{
	(void)word;
	(void)n;
}
void quire_host_relax(unsigned spins)
{
	if (spins > 1000)
		die("spins");
}
void quire_host_cpu_call(cpumask_t cpus, void (*fn)(void *arg), void *arg)
{
	(void)cpus;
	(void)fn;
	(void)arg;
}
bool quire_host_fatal_signal_pending(struct quire_task *t)
{
	(void)t;
	return false;
}
bool quire_host_signal_pending(struct quire_task *t)
{
	(void)t;
	return false;
}
bool quire_host_fixup_exception(struct pt_regs *regs)
{
	(void)regs;
	return false;
}
bool quire_host_has_fixup(const struct pt_regs *regs)
{
	(void)regs;
	return false;
}
void quire_host_oops(struct pt_regs *regs, uaddr_t addr, const char *report)
{
	(void)regs;
	(void)addr;
	die(report);
}
void quire_host_wake_flusher(struct quire *q)
{
	(void)q;
}
void quire_host_wake_reclaim(struct quire *q)
{
	(void)q;
}
void quire_host_fault_ready(struct quire_task *t)
{
	(void)t;
}
uint64_t quire_host_time_ns(void)
{
	return 0;
}
size_t quire_host_maps_name(struct quire_file *file, char *buf, size_t cap)
{
	(void)file;
	(void)buf;
	(void)cap;
	return 0;
}
void quire_host_file_id(struct quire_file *file, uint32_t *major,
			uint32_t *minor, uint64_t *inode)
{
	(void)file;
	*major = *minor = 0;
	*inode = 0;
}

/* ----------------------------------------------------------- the measured */

static struct pt_regs regs = {.cs = 0x33, .flags = 0x202};
static struct quire *q;
static struct quire_task task[2];
static struct quire_limits limits;

static void fault(unsigned long error, uaddr_t addr)
{
	do_page_fault(&regs, error, addr);
}

static void make_system(void)
{
	struct quire_region region = {RAM_START, RAM_BYTES, 0};
	struct quire_config config = {
		.regions = &region,
		.nr_regions = 1,
		.direct_map = (void *)QUIRE_DIRECT_MAP_BASE,
		.cpus = 1,
		.nx = true,
	};
	unsigned i;

	if (mmap((void *)(QUIRE_DIRECT_MAP_BASE + RAM_START), RAM_BYTES,
		 PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		die("no memory at the direct map's place");
	for (i = 0; i < 16; i++)
		limits.cur[i] = QUIRE_RLIM_INFINITY;
	q = quire_create(&config);
	if (!q)
		die("no system");
	task[0].q = task[1].q = q;
	task[0].limits = task[1].limits = &limits;
	task[0].mm = quire_mm_create(q);
	if (!task[0].mm)
		die("no address space");
	path_current = &task[0];
	quire_switch_mm(q, task[0].mm);
}

static uaddr_t map(unsigned flags)
{
	sreg_t a = quire_mmap(task[0].mm, 0, (FAULTS + 1) * PG,
			      PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS,
			      NULL, 0);

	if (a <= 0)
		die("mmap");
	return (uaddr_t)a;
}

/* Compressed memory that takes no instructions: a fault's own are what counts.
 */
static void device_write(void *device, uint64_t slot, struct page **pages,
			 unsigned n)
{
	(void)device;
	(void)slot;
	for (unsigned i = 0; i < n; i++)
		quire_page_end_write(q, pages[i], 0);
}

static void device_read(void *device, uint64_t slot, struct page **pages,
			unsigned n)
{
	(void)device;
	(void)slot;
	for (unsigned i = 0; i < n; i++)
		quire_page_end_read(q, pages[i], 0);
}

static void swap_out(uaddr_t a)
{
	static const struct quire_swap_ops ops = {.write = device_write,
						  .read = device_read};
	struct quire_swap_config config = {
		.ops = &ops, .slots = 2 * FAULTS, .flags = QUIRE_SWAP_SYNC};
	struct quire_swap_info info;
	int area = quire_swapon(q, &config);

	if (area < 0 || quire_madvise(task[0].mm, a, FAULTS * PG, MADV_PAGEOUT))
		die("no swap");
	if (quire_swap_info(q, (unsigned)area, &info) || info.used != FAULTS)
		die("not all of it is in swap");
}

static void each(unsigned long error, uaddr_t a)
{
	unsigned i;

	for (i = 0; i < FAULTS; i++)
		fault(error, a + i * PG + 8);
}

/* Between two of these stops the parent counts what is in do_page_fault. */
static void mark(void)
{
	raise(SIGSTOP);
}

#define READ  X86_PF_USER
#define WRITE (X86_PF_USER | X86_PF_WRITE)

enum {
	ANON_WRITE,
	ZERO_READ,
	ZERO_WRITE,
	SHARED_WRITE,
	COW,
	REUSE,
	SEGV,
	SWAP_READ,
	SWAP_WRITE,
	KINDS
};
static const char *const kind_name[KINDS] = {
	"first write, anonymous",
	"first read, zero page",
	"write to the zero page",
	"first write, shared anonymous",
	"copy on write",
	"write by the sole owner",
	"no mapping: SIGSEGV",
	"read, swapped out, device at once",
	"write, swapped out, device at once",
};

/* What comes before the faults of a kind; returns where they go. */
static uaddr_t prepare(unsigned kind)
{
	uaddr_t a;

	make_system();
	a = map(kind == SHARED_WRITE ? MAP_SHARED : MAP_PRIVATE);
	/* the table and the anon_vma are there; only pages are missing */
	fault(WRITE, a + FAULTS * PG);
	if (kind == ZERO_WRITE)
		each(READ, a);
	if (kind == SWAP_READ || kind == SWAP_WRITE) {
		each(WRITE, a);
		swap_out(a);
	}
	if (kind == COW || kind == REUSE) {
		each(WRITE, a);
		task[1].mm = quire_mm_fork(task[0].mm);
		if (!task[1].mm)
			die("fork");
	}
	if (kind == REUSE)
		quire_mm_put(task[1].mm);
	return kind == SEGV ? 0x10000 : a;
}

static void child(unsigned kind)
{
	static const unsigned error[KINDS] = {
		[ANON_WRITE] = WRITE,
		[ZERO_READ] = READ,
		[ZERO_WRITE] = WRITE | X86_PF_PROT,
		[SHARED_WRITE] = WRITE,
		[COW] = WRITE | X86_PF_PROT,
		[REUSE] = WRITE | X86_PF_PROT,
		[SEGV] = WRITE | X86_PF_PROT,
		[SWAP_READ] = READ,
		[SWAP_WRITE] = WRITE,
	};
	uaddr_t a = prepare(kind);

	mark();
	each(error[kind], a);
	mark();
	exit(0);
}

/* ------------------------------------------------------------ the counting */

struct count {
	uint64_t path, bulk; /* instructions, repetitions */
};

static void wait_stop(pid_t pid, int want)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != want)
		die("the child stopped for another reason");
}

/*
 * Step from the first mark to the second.  Inside: from do_page_fault's first
 * instruction until the stack is above where it was then.
 */
static void step(pid_t pid, struct count *c)
{
	struct user_regs_struct r;
	uint64_t top = 0, last = 0;
	bool repeats = false;
	int status;

	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
			die("cannot step");
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			die("the child ended early");
		if (WSTOPSIG(status) == SIGSTOP)
			return;
		if (ptrace(PTRACE_GETREGS, pid, NULL, &r))
			die("cannot read registers");
		if (!top && r.rip == (uint64_t)(uintptr_t)&do_page_fault)
			top = r.rsp;
		else if (top && r.rsp > top)
			top = 0;
		if (!top)
			continue;
		/* the same instruction again: one that repeats itself */
		if (r.rip != last) {
			c->path++;
			repeats = false;
		} else if (repeats) {
			c->bulk++;
		} else {
			c->path--;
			c->bulk += 2;
			repeats = true;
		}
		last = r.rip;
	}
}

static struct count measure(unsigned kind)
{
	struct count c = {0, 0};
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(3);
		child(kind);
	}
	wait_stop(pid, SIGSTOP);
	step(pid, &c);
	ptrace(PTRACE_KILL, pid, NULL, NULL);
	waitpid(pid, NULL, 0);
	return c;
}

int main(void)
{
	bool good = true;
	struct count c;
	unsigned k;

	printf("%-36s %12s %12s\n", "instructions a fault", "path",
	       "clear, copy");
	for (k = 0; k < KINDS; k++) {
		c = measure(k);
		printf("%-36s %12llu %12llu\n", kind_name[k],
		       (unsigned long long)(c.path + FAULTS / 2) / FAULTS,
		       (unsigned long long)(c.bulk + FAULTS / 2) / FAULTS);
		fflush(stdout);
		if (k == ANON_WRITE && c.path >= LIMIT * (uint64_t)FAULTS)
			good = false;
	}
	if (!good)
		printf("path: the first write takes more than %u\n", LIMIT);
	return good ? 0 : 1;
}
