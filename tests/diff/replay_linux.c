/* SPDX-License-Identifier: MIT */
/*
 * The backend that makes real system calls: for Linux itself, and for Quire's
 * kernel, which runs the same static binary.
 *
 * The driver, which generates and logs, never touches the arena.  Each process
 * of the test is a worker that takes one operation at a time from a pipe, does
 * it and answers through another; so the order of all that happens, across
 * processes too, is the driver's.  A worker made by OP_FORK is a real fork of
 * another worker and takes over the pipes of its number.
 *
 * Minor faults are counted with getrusage() just around the operation.  For
 * the difference to be the operation's alone, a worker touches all its own
 * memory (data, stack, signal stack: copied on write after a fork; text: its
 * tables are not copied by fork) before it takes the next operation.
 */
#define _GNU_SOURCE
#include "machine.h"
#include "ops.h"
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_BYTES (256 << 10)

static uint64_t base, brk_base;
static bool no_exec; /* OP_FETCH only reads */
static int fds[FILE_IDS];
static struct worker_pipes {
	int ask[2], answer[2];
} pipes[MAX_PROCS];
static char text[TEXT_BYTES]; /* the driver's copy of a maps text */

/* What goes through the answer pipe; text_bytes of text follow. */
struct answer {
	struct result res;
	uint64_t sig_addr;
	uint32_t text_bytes;
	pid_t child; /* that OP_FORK made */
};

static void die(const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", what, strerror(errno));
	exit(2);
}

struct where backend_where(uint64_t addr)
{
	if (addr - base < (uint64_t)ARENA_SPAN * PAGE)
		return (struct where){SEG_ARENA, (int64_t)(addr - base)};
	if (addr - brk_base < (BRK_PAGES + 64) * (uint64_t)PAGE)
		return (struct where){SEG_BRK, (int64_t)(addr - brk_base)};
	if (NARROW && addr - USER_TOP < TOP_SPAN)
		return (struct where){SEG_TOP, (int64_t)(addr - USER_TOP)};
	return (struct where){SEG_ABS, (int64_t)addr};
}

static uint64_t address(struct where w)
{
	uint64_t from = w.seg == SEG_ARENA ? base
			: w.seg == SEG_BRK ? brk_base
			: w.seg == SEG_TOP ? USER_TOP
					   : 0;

	return (uint64_t)(from + (uint64_t)w.off);
}

/* ------------------------------------------------------- the worker's calls */

static struct answer answer; /* the worker's */
static sigjmp_buf fault_jump;
static char signal_stack[65536];
static unsigned char io_buffer[4 * PAGE];

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	answer.res.sig = sig;
	answer.res.code = si->si_code;
	answer.sig_addr = (uintptr_t)si->si_addr;
	siglongjmp(fault_jump, 1);
}

static unsigned minor_faults(void)
{
	static struct rusage ru;

	call(SYS_getrusage, RUSAGE_SELF, (uintptr_t)&ru, 0, 0, 0, 0);
	return (unsigned)ru.ru_minflt;
}

/*
 * An access byte by byte, so that what was done before a fault is exact.  The
 * counter is volatile: siglongjmp comes back in the middle of the loop.
 */
static void do_access(const struct op *op)
{
	uint64_t at = address(op->at);
	volatile unsigned char *p = (unsigned char *)(uintptr_t)at;
	volatile uint64_t done = 0;
	/* so far */
	volatile bool code = op->kind == OP_FETCH && op->len == CODE_BYTES;
	volatile uint64_t hash = HASH_START;
	unsigned char c = 0;

	if (!sigsetjmp(fault_jump, 1)) {
		for (; done < op->len; done++) {
			if (op->kind == OP_STORE) {
				store(p + done, store_byte(op, at, done));
				continue;
			}
			c = load(p + done);
			hash = hash_bytes(hash, &c, 1);
			code = code && c == (unsigned char)CODE[done];
		}
		if (code && !no_exec) {
			call_code(p);
			done++;
		}
	}
	answer.res.done = done;
	answer.res.hash = hash;
}

/* A mapping that came to lie somewhere else goes away again. */
static void note_place(long ret, uint64_t len)
{
	struct result *r = &answer.res;

	r->ret = ret;
	if (ret < 0 && ret > -4096)
		return;
	r->is_place = true;
	r->place = backend_where((uintptr_t)ret);
	if (r->place.seg < SEG_ABS)
		return;
	r->elsewhere = true;
	call(SYS_munmap, (uintptr_t)ret, len, 0, 0, 0, 0);
}

static void do_mincore(const struct op *op)
{
	static unsigned char vec[2 * ARENA_SPAN];
	struct result *r = &answer.res;
	uint64_t pages = (op->len + PAGE - 1) / PAGE;

	memset(vec, 7, sizeof(vec));
	r->ret = call(SYS_mincore, address(op->at), op->len, (uintptr_t)vec, 0,
		      0, 0);
	if (r->ret || pages > ARENA_SPAN)
		return;
	r->nvec = (unsigned)pages;
	for (unsigned i = 0; i < r->nvec; i++)
		r->vec[i] = (unsigned char)('0' + (vec[i] & 7));
}

static void do_pagemap(void)
{
	static uint64_t entry[ARENA_SPAN];
	struct result *r = &answer.res;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	ssize_t n = pread(fd, entry, sizeof(entry), (off_t)(base / PAGE * 8));

	close(fd);
	r->ret = n / 8;
	if (n < 0)
		return;
	r->nvec = (unsigned)(n / 8);
	for (unsigned i = 0; i < r->nvec; i++) {
		bool present = entry[i] >> 63 & 1, file = entry[i] >> 61 & 1;
		bool exclusive = entry[i] >> 56 & 1;

		r->vec[i] = !present || file ? '.' : exclusive ? 'x' : 'p';
	}
}

/* maps text, and VmLck of the status text, into the worker's `text`. */
static size_t read_whole(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && n < TEXT_BYTES - 1 &&
	       (got = read(fd, text + n, TEXT_BYTES - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = 0;
	return n;
}

static void do_maps(void)
{
	unsigned kib = 0;
	char *s;

	read_whole("/proc/self/status");
	s = strstr(text, "VmLck:");
	if (s)
		kib = (unsigned)strtoul(s + 6, NULL, 10);
	answer.res.locked = kib / 4;
	answer.text_bytes = (uint32_t)read_whole("/proc/self/maps");
}

/* The other process's id comes in `offset`. */
static void do_remote(const struct op *op)
{
	static unsigned char buf[4 * PAGE];
	struct iovec local = {buf, (size_t)op->len};
	struct iovec remote = {(void *)(uintptr_t)address(op->at),
			       (size_t)op->len};
	long nr = op->kind == OP_PEEK ? SYS_process_vm_readv
				      : SYS_process_vm_writev;

	for (uint64_t i = 0; i < op->len; i++)
		buf[i] = (unsigned char)(op->value + i / 16);
	answer.res.ret = call(nr, op->offset, (uintptr_t)&local, 1,
			      (uintptr_t)&remote, 1, 0);
	if (op->kind == OP_PEEK && answer.res.ret > 0)
		answer.res.hash =
			hash_bytes(HASH_START, buf, (size_t)answer.res.ret);
}

static long set_stack_limit(uint64_t bytes)
{
	static struct rlimit limit;

	getrlimit(RLIMIT_STACK, &limit);
	limit.rlim_cur = (rlim_t)bytes;
	return setrlimit(RLIMIT_STACK, &limit) ? -errno : 0;
}

/* CAP_IPC_LOCK, with which RLIMIT_MEMLOCK means nothing: one has it, or no. */
static long set_lock_cap(bool have)
{
	static struct __user_cap_header_struct head;
	static struct __user_cap_data_struct data[2];
	long ret;

	head.version = _LINUX_CAPABILITY_VERSION_3;
	head.pid = 0;
	ret = call(SYS_capget, (uintptr_t)&head, (uintptr_t)data, 0, 0, 0, 0);
	if (ret)
		return ret;
	if (have)
		data[0].effective |= 1u << CAP_IPC_LOCK;
	else
		data[0].effective &= ~(1u << CAP_IPC_LOCK);
	return call(SYS_capset, (uintptr_t)&head, (uintptr_t)data, 0, 0, 0, 0);
}

static long set_lock_limit(uint64_t bytes)
{
	static struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	limit.rlim_cur = (rlim_t)bytes;
	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		return -errno;
	return set_lock_cap(false);
}

static long set_limit(const struct op *op)
{
	if (op->flags == 0)
		return set_stack_limit(op->len);
	return op->flags == 1 ? set_lock_limit(op->len) : set_lock_cap(true);
}

static void do_brk(const struct op *op)
{
	long now = call(SYS_brk, address(op->at), 0, 0, 0, 0, 0);

	answer.res.is_place = true;
	answer.res.place = backend_where((uintptr_t)now);
}

static long file_size(int fd)
{
	static struct stat st;

	return fstat(fd, &st) ? -errno : (long)st.st_size;
}

/*
 * A write that begins beyond the end has a buffer of this program's: on Linux
 * one whose buffer has to be faulted in makes the file longer before it has
 * written.
 */
static long write_file(const struct op *op)
{
	int fd = fds[op->file];
	uint64_t from = address(op->at);
	long size = file_size(fd);

	if (size >= 0 && op->offset > (uint64_t)size) {
		for (uint64_t i = 0; i < op->len; i++)
			io_buffer[i] = store_byte(op, op->offset, i);
		from = (uintptr_t)io_buffer;
	}
	return call_pwrite(fd, from, op->len, op->offset);
}

static long sum_file(const struct op *op)
{
	uint64_t at = 0, h = HASH_START;
	ssize_t n;

	do {
		n = pread(fds[op->file], io_buffer, sizeof(io_buffer),
			  (off_t)at);
		if (n < 0)
			return -errno;
		h = hash_bytes(h, io_buffer, (size_t)n);
		at += (uint64_t)n;
	} while (n);
	answer.res.hash = h;
	return (long)at;
}

static long simple_call(const struct op *op)
{
	uint64_t a = address(op->at), len = op->len;

	switch (op->kind) {
	case OP_MUNMAP:
		return call(SYS_munmap, a, len, 0, 0, 0, 0);
	case OP_MPROTECT:
		return call(SYS_mprotect, a, len, op->prot, 0, 0, 0);
	case OP_MADVISE:
		return call(SYS_madvise, a, len, op->value, 0, 0, 0);
	case OP_MSYNC:
		return call(SYS_msync, a, len, op->flags, 0, 0, 0);
	case OP_MLOCK:
		if (op->flags)
			return call(SYS_mlock2, a, len, op->flags, 0, 0, 0);
		return call(SYS_mlock, a, len, 0, 0, 0, 0);
	case OP_MUNLOCK:
		return call(SYS_munlock, a, len, 0, 0, 0, 0);
	case OP_MLOCKALL:
		return call(SYS_mlockall, op->flags, 0, 0, 0, 0, 0);
	case OP_LIMIT:
		return set_limit(op);
	case OP_MUNLOCKALL:
		return call(SYS_munlockall, 0, 0, 0, 0, 0, 0);
	case OP_PREAD:
		return call_pread(fds[op->file], a, len, op->offset);
	case OP_PWRITE:
		return write_file(op);
	case OP_TRUNCATE:
		return call_ftruncate(fds[op->file], len);
	case OP_FALLOC:
		return call_fallocate(fds[op->file], op->flags, op->offset,
				      len);
	case OP_FSYNC:
		return call(op->flags ? SYS_fdatasync : SYS_fsync,
			    (uint64_t)fds[op->file], 0, 0, 0, 0, 0);
	case OP_STAT:
		return file_size(fds[op->file]);
	case OP_SUM:
		return sum_file(op);
	default:
		return -ENOSYS;
	}
}

static void do_op(const struct op *op)
{
	switch (op->kind) {
	case OP_MMAP:
		note_place(call_mmap(address(op->at), op->len, op->prot,
				     op->flags, fds[op->file], op->offset),
			   op->len);
		break;
	case OP_MREMAP:
		note_place(call(SYS_mremap, address(op->at), op->len,
				op->new_len, op->flags, address(op->to), 0),
			   op->new_len);
		break;
	case OP_LOAD:
	case OP_STORE:
	case OP_FETCH:
		do_access(op);
		break;
	case OP_MINCORE:
		do_mincore(op);
		break;
	case OP_PAGEMAP:
		do_pagemap();
		break;
	case OP_MAPS:
		do_maps();
		break;
	case OP_SMAPS:
		answer.text_bytes = (uint32_t)read_whole("/proc/self/smaps");
		break;
	case OP_PEEK:
	case OP_POKE:
		do_remote(op);
		break;
	case OP_BRK:
		do_brk(op);
		break;
	default:
		answer.res.ret = simple_call(op);
		break;
	}
}

/* --------------------------------------------------------- the worker itself
 */

static void put(int fd, const void *buf, size_t n)
{
	const char *p = buf;

	while (n) {
		ssize_t k = write(fd, p, n);

		if (k <= 0)
			_exit(3);
		p += k;
		n -= (size_t)k;
	}
}

static void get(int fd, void *buf, size_t n)
{
	char *p = buf;

	while (n) {
		ssize_t k = read(fd, p, n);

		if (k <= 0)
			_exit(3);
		p += k;
		n -= (size_t)k;
	}
}

/* The program's own segments, from its program headers. */
static struct segment {
	char *start, *end;
	bool write;
} segments[16];
static unsigned nr_segments;

static void find_segments(void)
{
	const ElfW(Phdr) *ph = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	unsigned n = (unsigned)getauxval(AT_PHNUM);
	char *relro_end = NULL;

	for (unsigned i = 0; i < n; i++)
		if (ph[i].p_type == PT_GNU_RELRO)
			relro_end = (char *)(ph[i].p_vaddr + ph[i].p_memsz);
	for (unsigned i = 0; i < n && nr_segments < 15; i++) {
		struct segment *s = &segments[nr_segments];

		if (ph[i].p_type != PT_LOAD)
			continue;
		s->start = (char *)(ph[i].p_vaddr & -(uintptr_t)PAGE);
		s->end = (char *)(ph[i].p_vaddr + ph[i].p_memsz);
		s->write = (ph[i].p_flags & PF_W) != 0;
		if (s->write && relro_end > s->start && relro_end < s->end) {
			s[1] = *s;
			s->end = relro_end;
			s->write = false;
			s[1].start = relro_end;
			nr_segments++;
		}
		nr_segments++;
	}
}

/* Touch all that the worker uses, so that it faults no more. */
static __attribute__((noinline)) void settle(void)
{
	volatile char stack[49152];
	volatile char *p;

	for (unsigned i = 0; i < nr_segments; i++)
		for (p = segments[i].start; p < segments[i].end; p += PAGE) {
			char c = *p;

			if (segments[i].write)
				*p = c;
		}
	for (size_t i = 0; i < sizeof(stack); i += PAGE)
		stack[i] = 0;
	errno = 0; /* thread-local data, in the heap */
	minor_faults();
}

static void worker_fork(const struct op *op, unsigned *self, pid_t *children)
{
	pid_t pid = fork();

	answer.res.ret = pid < 0 ? -errno : 0;
	if (pid == 0) {
		*self = op->value;
		memset(children, 0, MAX_PROCS * sizeof(*children));
	} else {
		children[op->value] = pid;
		answer.child = pid;
	}
}

/*
 * Operations until told to exit.  OP_EXIT comes to the process itself, and
 * then to its parent with `value` 1, to reap it.
 */
static _Noreturn void worker(void)
{
	static pid_t children[MAX_PROCS];
	static struct op op;
	unsigned self = 0, before;
	bool settled = false;
	int status;

	for (;;) {
		if (!settled)
			settle();
		get(pipes[self].ask[0], &op, sizeof(op));
		memset(&answer, 0, sizeof(answer));
		if (op.kind == OP_EXIT && op.value == 0)
			_exit(0);
		settled = op.kind != OP_FORK;
		before = minor_faults();
		if (op.kind == OP_EXIT)
			waitpid(children[op.proc], &status, 0);
		else if (op.kind == OP_FORK)
			worker_fork(&op, &self, children);
		else
			do_op(&op);
		answer.res.minflt = minor_faults() - before;
		if (op.kind == OP_FORK && self == op.value)
			continue; /* the parent answers */
		put(pipes[self].answer[1], &answer, sizeof(answer));
		put(pipes[self].answer[1], text, answer.text_bytes);
	}
}

/* --------------------------------------------------------------- the driver */

static int parent_of[MAX_PROCS];
static pid_t pid_of[MAX_PROCS];
static pid_t last_child; /* of the last answer heard */

static void ask(unsigned proc, const struct op *op)
{
	put(pipes[proc].ask[1], op, sizeof(*op));
}

static void hear(unsigned proc, struct result *res)
{
	struct answer a;

	alarm(60);
	get(pipes[proc].answer[0], &a, sizeof(a));
	get(pipes[proc].answer[0], text, a.text_bytes);
	text[a.text_bytes] = 0;
	*res = a.res;
	last_child = a.child;
	res->text = a.text_bytes ? text : NULL;
	if (res->sig)
		res->sig_at = backend_where(a.sig_addr);
}

void backend_run(const struct op *op, struct result *res)
{
	struct op reap = *op, sent = *op;

	if (op->kind == OP_PEEK || op->kind == OP_POKE)
		sent.offset = (uint64_t)pid_of[op->other];
	ask(op->proc, &sent);
	if (op->kind == OP_EXIT) {
		reap.value = 1;
		ask((unsigned)parent_of[op->proc], &reap);
		hear((unsigned)parent_of[op->proc], res);
		return;
	}
	if (op->kind == OP_FORK)
		parent_of[op->value] = (int)op->proc;
	hear(op->proc, res);
	if (op->kind == OP_FORK)
		pid_of[op->value] = last_child;
}

/* One file's descriptors: read-write, read-only, write-only, read-write. */
static void open_modes(enum file_id first, const char *path, bool twice)
{
	static const int modes[] = {O_RDWR, O_RDONLY, O_WRONLY, O_RDWR};

	for (unsigned i = 0; i < (twice ? 4 : 3); i++) {
		fds[first + i] = open(path, modes[i]);
		if (fds[first + i] < 0)
			die(path);
	}
}

/*
 * A file of `size` bytes in memory, opened in the ways of three or four
 * successive ids, without a name any more.
 */
static void open_in_memory(enum file_id first, const char *name, int64_t size,
			   bool twice)
{
	static const char *const dirs[] = {"/dev/shm", "/tmp"};
	static unsigned char page[PAGE];
	char path[64];
	int fd = -1;

	for (unsigned i = 0; i < 2 && fd < 0; i++) {
		snprintf(path, sizeof(path), "%s/%s-%d", dirs[i], name,
			 (int)getpid());
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	}
	if (fd < 0)
		die(name);
	for (int64_t off = 0; off < size; off += PAGE) {
		size_t n =
			size - off < PAGE ? (size_t)(size - off) : (size_t)PAGE;

		for (size_t i = 0; i < n; i++)
			page[i] = file_byte((uint64_t)off + i);
		if (write(fd, page, n) != (ssize_t)n)
			die(path);
	}
	close(fd);
	open_modes(first, path, twice);
	unlink(path);
}

static void open_files(const struct backend_options *o)
{
	const char *ro_path = o->ro_path ? o->ro_path : "qdiff-ro";

	open_in_memory(FILE_SHM, "qdiff-shm", SHM_SIZE, false);
	if (o->data_path)
		open_modes(FILE_DATA, o->data_path, true);
	else
		open_in_memory(FILE_DATA, "qdiff-data", DATA_SIZE, true);
	fds[FILE_NONE] = -1;
	fds[FILE_BAD] = 987;
	fds[FILE_RO] = open(ro_path, O_RDONLY);
	if (fds[FILE_RO] < 0)
		die(ro_path);
	fds[FILE_ZERO] = open("/dev/zero", O_RDWR);
	if (fds[FILE_ZERO] < 0)
		die("/dev/zero");
}

/* The first worker: signal handlers, and a break that begins on a page. */
static _Noreturn void first_worker(void)
{
	struct sigaction sa = {0};
	stack_t ss = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};

	sigaltstack(&ss, NULL);
	sa.sa_sigaction = on_fault;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	alarm(0);
	worker();
}

void backend_init(const struct backend_options *o)
{
	struct rlimit core = {0, 0};
	pid_t pid;

	setrlimit(RLIMIT_CORE, &core);
	no_exec = getenv("QDIFF_NO_EXEC") != NULL;
	base = o->base ? o->base : ARENA_BASE;
	open_files(o);
	for (unsigned i = 0; i < MAX_PROCS; i++)
		if (pipe(pipes[i].ask) || pipe(pipes[i].answer))
			die("pipe");
	find_segments();
	brk_base = (uintptr_t)sbrk(0);
	brk_base = (brk_base + PAGE + COLOUR_SPAN - 1) & -(uint64_t)COLOUR_SPAN;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	pid_of[0] = pid;
	if (pid)
		return;
	if (call(SYS_brk, brk_base, 0, 0, 0, 0, 0) != (long)brk_base)
		die("brk");
	*(volatile char *)(uintptr_t)(brk_base - PAGE) = 1;
	first_worker();
}

unsigned backend_finish(void)
{
	struct op op = {.kind = OP_EXIT};

	for (unsigned i = MAX_PROCS; i-- > 0;)
		ask(i, &op);
	wait(NULL);
	return 0;
}
