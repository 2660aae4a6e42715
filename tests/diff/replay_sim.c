/* SPDX-License-Identifier: MIT */
/*
 * The backend on the simulated machine: the same operations by Quire's public
 * calls and the simulated processor.  What a kernel's system-call layer does
 * around them (descriptors, read() and write() through a user buffer) is done
 * here, as kernel/ does it.  quire_check() runs as it goes along.
 */
#include "ops.h"
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <sim/sim.h>

#define CHECK_EVERY 64

static uint64_t base, brk_base;
static struct sim_machine *machine;
static struct sim_task *tasks[MAX_PROCS];
static struct sim_file *files[FILE_IDS];
static unsigned ops_done, complaints;
static bool no_exec; /* OP_FETCH only reads */
static bool data_on_disk;
#define USER_TOP ((uint64_t)quire_task_size(sim_quire(machine)))
static char *maps_text; /* of the last OP_MAPS */

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

static uaddr_t address(struct where w)
{
	uint64_t from = w.seg == SEG_ARENA ? base
			: w.seg == SEG_BRK ? brk_base
			: w.seg == SEG_TOP ? USER_TOP
					   : 0;

	return (uaddr_t)(from + (uint64_t)w.off);
}

static void die(const char *what)
{
	fprintf(stderr, "replay_sim: %s\n", what);
	exit(2);
}

/* --------------------------------------------------------------- operations */

static void note_place(struct sim_task *t, struct result *r, sreg_t ret,
		       uint64_t len)
{
	r->ret = ret;
	if (ret < 0 && ret > -4096)
		return;
	r->is_place = true;
	r->place = backend_where((uaddr_t)ret);
	if (r->place.seg < SEG_ABS)
		return;
	r->elsewhere = true;
	sim_munmap(t, (uaddr_t)ret, (uaddr_t)len);
}

/*
 * With an aliasing cache (ARMv6) a private mapping of a file that MAP_FIXED
 * puts under another colour than the file's may see old contents, on Linux too:
 * the checker's complaints of that are the program's fault.
 */
static bool aliases_made;

static void note_alias(const struct op *op)
{
	unsigned colours = sim_get_config(machine)->arm_colours;
	uint64_t apart = address(op->at) ^ op->offset;

	if (colours && (op->flags & MAP_TYPE) == MAP_PRIVATE &&
	    (op->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) &&
	    (apart / PAGE) % colours)
		aliases_made = true;
}

static void do_mmap(struct sim_task *t, const struct op *op, struct result *r)
{
	struct sim_file *f = files[op->file];

	if (op->offset & (PAGE - 1)) {
		r->ret = -EINVAL;
		return;
	}
	if (op->flags & MAP_ANONYMOUS) {
		f = NULL;
	} else if (!f) {
		r->ret = -EBADF;
		return;
	} else {
		note_alias(op);
	}
	note_place(t, r,
		   sim_mmap(t, address(op->at), (uaddr_t)op->len, op->prot,
			    op->flags, f, op->offset),
		   op->len);
}

static void note_signal(struct sim_task *t, struct result *r, int sig)
{
	if (sig < 0) { /* SIM_OOM, SIM_LOOP: nothing Linux ever answers */
		r->ret = -1000 + sig;
		return;
	}
	r->sig = sig;
	r->code = t->sig.code;
	r->sig_at = backend_where(t->sig.addr);
}

static void do_access(struct sim_task *t, const struct op *op, struct result *r)
{
	static unsigned char buf[65536];
	uaddr_t a = address(op->at);
	int sig;

	if (op->kind == OP_STORE) {
		for (uint64_t i = 0; i < op->len; i++)
			buf[i] = store_byte(op, a, i);
		sig = sim_write(t, a, buf, op->len);
	} else {
		sig = sim_read(t, a, buf, op->len);
	}
	r->done = sig ? t->done : op->len;
	r->hash = op->kind == OP_STORE ? HASH_START
				       : hash_bytes(HASH_START, buf, r->done);
	if (!sig && op->kind == OP_FETCH && !no_exec && op->len == CODE_BYTES &&
	    !memcmp(buf, CODE, CODE_BYTES)) {
		sig = sim_fetch(t, a, buf, 1);
		r->done += !sig;
	}
	if (sig)
		note_signal(t, r, sig);
}

/* The checks that a system-call layer makes of a buffer before it is used. */
static bool user_range(uint64_t a, uint64_t len)
{
	uint64_t top = quire_task_size(sim_quire(machine));

	return a <= top && len <= top - a;
}

struct user_buffer {
	struct sim_task *t;
	uaddr_t addr;
	bool to_user;
};

/*
 * Byte by byte, upwards, as Linux's copy does: the buffer may be a mapping of
 * the very page, some bytes further down.
 */
static size_t copy_piece(void *cookie, void *kaddr, size_t done, size_t n)
{
	struct user_buffer *u = cookie;
	uaddr_t a = u->addr + (uaddr_t)done;
	char *k = kaddr;

	for (size_t i = 0; i < n; i++)
		if (!(u->to_user
			      ? sim_copy_to_user(u->t, a + (uaddr_t)i, k + i, 1)
			      : sim_copy_from_user(u->t, a + (uaddr_t)i, k + i,
						   1)))
			return i;
	return n;
}

static bool on_disk(enum file_id f)
{
	return f == FILE_RO || (data_on_disk && f >= FILE_DATA);
}

/* The open file of a call on a descriptor, or NULL. */
static struct quire_file *open_file(const struct op *op)
{
	return files[op->file] ? sim_file_quire(files[op->file]) : NULL;
}

static size_t copy_own(void *cookie, void *kaddr, size_t done, size_t n)
{
	memcpy(kaddr, (unsigned char *)cookie + done, n);
	return n;
}

static int64_t do_file_io(struct sim_task *t, const struct op *op)
{
	static unsigned char own[4 * PAGE];
	struct user_buffer u = {t, address(op->at), op->kind == OP_PREAD};
	struct quire_file *f = open_file(op);

	if (!f || !(u.to_user ? f->readable : f->writable))
		return -EBADF;
	sim_run(t);
	if (!u.to_user && op->offset > quire_mapping_get_size(f->mapping)) {
		for (uint64_t i = 0; i < op->len; i++) /* see replay_linux.c */
			own[i] = store_byte(op, op->offset, i);
		return quire_mapping_write(f->mapping, f, op->offset, op->len,
					   copy_own, own);
	}
	if (!user_range(u.addr, op->len))
		return -EFAULT;
	if (u.to_user)
		return quire_mapping_read(f->mapping, f, op->offset, op->len,
					  copy_piece, &u);
	return quire_mapping_write(f->mapping, f, op->offset, op->len,
				   copy_piece, &u);
}

static int64_t do_sum(const struct op *op, struct result *r)
{
	static unsigned char buf[4 * PAGE];
	struct quire_file *f = open_file(op);
	uint64_t at = 0, h = HASH_START;
	long n;

	if (!f || !f->readable)
		return -EBADF;
	do {
		n = sim_file_read(files[op->file], at, buf, sizeof(buf));
		if (n < 0)
			return n;
		h = hash_bytes(h, buf, (size_t)n);
		at += (uint64_t)n;
	} while (n);
	r->hash = h;
	return (int64_t)at;
}

#define KEEP_SIZE  0x01u
#define PUNCH_HOLE 0x02u

/*
 * As a kernel's fallocate(2) for files that can only be punched.  On a disk
 * nothing is done past the end, as by ext4; the page of the end goes whole.
 */
static int64_t do_fallocate(const struct op *op)
{
	struct quire_file *f = open_file(op);
	uint64_t start = op->offset, end = start + op->len, size;

	if (!f)
		return -EBADF;
	if (!op->len)
		return -EINVAL;
	if (op->flags != (PUNCH_HOLE | KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!f->writable)
		return -EBADF;
	size = quire_mapping_get_size(f->mapping);
	if (on_disk(op->file)) {
		if (start >= size)
			return 0;
		if (end > size)
			end = (size + PAGE - 1) & -(uint64_t)PAGE;
	}
	sim_file_punch(files[op->file], start, end);
	return 0;
}

/* fsync, truncate, stat */
static int64_t do_file_call(const struct op *op)
{
	struct quire_file *f = open_file(op);

	if (!f)
		return -EBADF;
	switch (op->kind) {
	case OP_TRUNCATE:
		if (!f->writable)
			return -EINVAL;
		sim_file_truncate(files[op->file], op->len);
		return 0;
	case OP_STAT:
		return (int64_t)quire_mapping_get_size(f->mapping);
	default: /* OP_FSYNC */
		return quire_file_fsync(f, 0, UINT64_MAX, op->flags);
	}
}

static void do_mincore(struct sim_task *t, const struct op *op,
		       struct result *r)
{
	static unsigned char vec[2 * ARENA_SPAN];
	uint64_t pages = (op->len + PAGE - 1) / PAGE;

	/* more than the map can have: do not make a buffer for it */
	if (pages > 2 * ARENA_SPAN)
		pages = 2 * ARENA_SPAN;
	memset(vec, 7, sizeof(vec));
	r->ret = sim_mincore(t, address(op->at), (uaddr_t)op->len, vec);
	if (r->ret || pages > ARENA_SPAN)
		return;
	r->nvec = (unsigned)pages;
	for (unsigned i = 0; i < r->nvec; i++)
		r->vec[i] = (unsigned char)('0' + (vec[i] & 7));
}

static void do_pagemap(struct sim_task *t, struct result *r)
{
	static uint64_t entry[ARENA_SPAN];
	size_t n = quire_pagemap(t->qt.mm, (uaddr_t)base, ARENA_SPAN, entry);

	r->ret = (int64_t)n;
	r->nvec = (unsigned)n;
	for (unsigned i = 0; i < r->nvec; i++) {
		bool present = entry[i] >> 63 & 1, file = entry[i] >> 61 & 1;
		bool exclusive = entry[i] >> 56 & 1;

		r->vec[i] = !present || file ? '.' : exclusive ? 'x' : 'p';
	}
}

static void do_maps(struct sim_task *t, struct result *r)
{
	struct quire_mm_stats stats;

	quire_mm_get_stats(t->qt.mm, &stats);
	r->locked = (unsigned)stats.locked_vm;
	free(maps_text);
	maps_text = sim_maps(t);
	r->text = maps_text;
}

static void do_remote(struct sim_task *t, const struct op *op, struct result *r)
{
	static unsigned char buf[4 * PAGE];
	struct mm_struct *mm = tasks[op->other]->qt.mm;
	uaddr_t a = address(op->at);
	size_t n;

	sim_run(t);
	for (uint64_t i = 0; i < op->len; i++)
		buf[i] = (unsigned char)(op->value + i / 16);
	if (op->kind == OP_PEEK)
		n = quire_mm_read(mm, a, buf, op->len);
	else
		n = quire_mm_write(mm, a, buf, op->len, false);
	r->ret = n ? (int64_t)n : -EFAULT;
	if (op->kind == OP_PEEK && n)
		r->hash = hash_bytes(HASH_START, buf, n);
}

static int64_t simple_call(struct sim_task *t, const struct op *op)
{
	struct mm_struct *mm = t->qt.mm;
	uaddr_t a = address(op->at), len = (uaddr_t)op->len;

	sim_run(t);
	switch (op->kind) {
	case OP_MUNMAP:
		return sim_munmap(t, a, len);
	case OP_MPROTECT:
		return sim_mprotect(t, a, len, op->prot);
	case OP_MADVISE:
		return sim_madvise(t, a, len, (int)op->value);
	case OP_MSYNC:
		return quire_msync(mm, a, len, (int)op->flags);
	case OP_MLOCK:
		return quire_mlock(mm, a, len, (int)op->flags);
	case OP_MUNLOCK:
		return quire_munlock(mm, a, len);
	case OP_MLOCKALL:
		return quire_mlockall(mm, (int)op->flags);
	case OP_LIMIT:
		if (op->flags == 0)
			t->limits.cur[QUIRE_RLIMIT_STACK] = len;
		if (op->flags == 1)
			t->limits.cur[QUIRE_RLIMIT_MEMLOCK] = len;
		if (op->flags)
			t->qt.cap_ipc_lock = op->flags == 2;
		return 0;
	case OP_MUNLOCKALL:
		return quire_munlockall(mm);
	case OP_FALLOC:
		return do_fallocate(op);
	case OP_TRUNCATE:
	case OP_FSYNC:
	case OP_STAT:
		return do_file_call(op);
	default:
		return -ENOSYS;
	}
}

static void do_op(struct sim_task *t, const struct op *op, struct result *r)
{
	switch (op->kind) {
	case OP_MMAP:
		do_mmap(t, op, r);
		break;
	case OP_MREMAP:
		note_place(t, r,
			   sim_mremap(t, address(op->at), (uaddr_t)op->len,
				      (uaddr_t)op->new_len, op->flags,
				      address(op->to)),
			   op->new_len);
		break;
	case OP_LOAD:
	case OP_STORE:
	case OP_FETCH:
		do_access(t, op, r);
		break;
	case OP_PREAD:
	case OP_PWRITE:
		r->ret = do_file_io(t, op);
		break;
	case OP_SUM:
		sim_run(t);
		r->ret = do_sum(op, r);
		break;
	case OP_MINCORE:
		do_mincore(t, op, r);
		break;
	case OP_PAGEMAP:
		do_pagemap(t, r);
		break;
	case OP_MAPS:
		do_maps(t, r);
		break;
	case OP_SMAPS:
		free(maps_text);
		maps_text = sim_smaps(t);
		r->text = maps_text;
		break;
	case OP_PEEK:
	case OP_POKE:
		do_remote(t, op, r);
		break;
	case OP_BRK:
		r->is_place = true;
		r->place = backend_where(sim_brk(t, address(op->at)));
		break;
	default:
		r->ret = simple_call(t, op);
		break;
	}
}

/*
 * A fault that finds nothing to do (the TLB still had less than the tables
 * allow) is counted by Linux too; but there the TLB has been switched away
 * from between two operations, and here it keeps all it can.  Nor has the
 * host faults that mark an entry young or dirty: its processor does that.  (A
 * real ARMv6, compared with QDIFF_COLOURS, has them.)
 */
static unsigned spurious;

static void on_event(void *cookie, const struct quire_event *ev)
{
	(void)cookie;
	if (ev->type == QE_FAULT_END &&
	    (ev->kind == QF_SPURIOUS ||
	     (ev->kind == QF_YOUNG_DIRTY &&
	      !sim_get_config(machine)->arm_colours)))
		spurious++;
}

/* QDIFF_SWAP: little memory, and a part of that is taken away after each. */
static bool swapping;

static void take_away(void)
{
	static unsigned turn;

	if (++turn % 3 == 0)
		(void)quire_reclaim(sim_quire(machine), 1 + turn % 64);
}

static void swap_on(unsigned how)
{
	struct sim_swap_config c = {
		.slots = 32768,
		.flags = how % 3 == 2 ? QUIRE_SWAP_SYNC : 0,
		.disk = {.mode = how & 1 ? SIM_DISK_LAZY : SIM_DISK_NOW,
			 .reorder = how & 2,
			 .seed = how + 1},
	};

	if (sim_swapon(machine, &c) < 0)
		die("swapon");
	swapping = true;
}

void backend_run(const struct op *op, struct result *res)
{
	struct sim_task *t = tasks[op->proc];
	uint64_t before = t->qt.min_flt;

	spurious = 0;
	sim_bind(machine, op->proc % sim_cpus(machine));
	if (op->kind == OP_FORK) {
		tasks[op->value] = sim_fork(t);
		res->ret = tasks[op->value] ? 0 : -ENOMEM;
	} else if (op->kind == OP_EXIT) {
		sim_exit(t);
		tasks[op->proc] = NULL;
	} else {
		do_op(t, op, res);
		res->minflt = (unsigned)(t->qt.min_flt - before) - spurious;
	}
	if (swapping)
		take_away();
	if (++ops_done % CHECK_EVERY)
		return;
	while (sim_disk_pending(machine)) /* a page under I/O is locked */
		sim_disk_step(machine, 1);
	if (quire_check(sim_quire(machine))) {
		fprintf(stderr, "quire_check complains after operation %u\n",
			ops_done);
		complaints++;
	}
}

/* ----------------------------------------------------------- start and end */

/* A file in memory, with the contents of file_byte(). */
static struct sim_file *in_memory(const char *name, size_t size)
{
	static unsigned char content[16 * PAGE];
	struct sim_file *f = sim_file_shmem(machine, name, 0);

	for (uint64_t i = 0; i < size; i++)
		content[i] = file_byte(i);
	if (f && sim_file_write(f, 0, content, size) != (long)size)
		die("write");
	return f;
}

/* One file, open in the ways of replay_linux.c's open_modes(). */
static void open_modes(enum file_id first, struct sim_file *f, bool twice)
{
	files[first] = f;
	if (!f)
		die("files");
	files[first + 1] = sim_file_reopen(f, true, false);
	files[first + 2] = sim_file_reopen(f, false, true);
	if (twice)
		files[first + 3] = sim_file_reopen(f, true, true);
}

/* QDIFF_DISK: requests end late, in any order, and in pieces. */
static void make_slow(unsigned how)
{
	struct sim_disk_config c = {
		.mode = how & 1 ? SIM_DISK_LAZY : SIM_DISK_NOW,
		.reorder = how & 2,
		.short_bytes = how & 4 ? 3000 : 0,
		.short_random = true,
		.seed = how + 1,
	};

	if (sim_disk_configure(files[FILE_RO], &c) ||
	    (data_on_disk && sim_disk_configure(files[FILE_DATA], &c)))
		die("disk");
}

static void open_files(const struct backend_options *o)
{
	const char *ro = o->ro_path ? o->ro_path : "qdiff-ro";
	struct sim_file *data;

	open_modes(FILE_SHM, in_memory("qdiff-shm (deleted)", SHM_SIZE), false);
	data_on_disk = o->data_path != NULL;
	if (data_on_disk)
		data = sim_file_open_host(machine, o->data_path, true);
	else
		data = in_memory("qdiff-data (deleted)", DATA_SIZE);
	open_modes(FILE_DATA, data, true);
	files[FILE_RO] = sim_file_open_host(machine, ro, false);
	files[FILE_ZERO] = sim_file_zero_dev(machine);
	if (!files[FILE_RO] || !files[FILE_ZERO])
		die("files");
	if (getenv("QDIFF_DISK"))
		make_slow((unsigned)atoi(getenv("QDIFF_DISK")));
}

void backend_init(const struct backend_options *o)
{
	const char *asids = getenv("QDIFF_ASIDS");
	const char *cpus = getenv("QDIFF_CPUS");
	const char *colours = getenv("QDIFF_COLOURS");
	const char *swap = getenv("QDIFF_SWAP");
	uaddr_t heap;
	struct sim_config config = {.ram_bytes = (swap ? 12ull : 64ull) << 20,
				    .cpus = 1};

	/* hardware address-space ids: TLB entries outlive a switch */
	if (asids)
		config.asids = (unsigned)atoi(asids);
	/* a CPU for each process: its TLB keeps what others make stale */
	if (cpus)
		config.cpus = (unsigned)atoi(cpus);
	no_exec = getenv("QDIFF_NO_EXEC") != NULL;
	/* ARM's format, of the older architecture */
	if (getenv("QDIFF_ARMV6") || colours)
		config.arm_version = 6;
	if (colours)
		config.arm_colours = (unsigned)atoi(colours);
	base = o->base ? o->base : ARENA_BASE;
	machine = sim_machine_create(&config);
	if (!machine)
		die("no machine");
	sim_trace(machine, on_event, NULL);
	if (swap)
		swap_on((unsigned)atoi(swap));
	open_files(o);
	tasks[0] = sim_task_create(machine);
	if (!tasks[0])
		die("no task");
	tasks[0]->qt.cap_ipc_lock = true; /* the other side runs as root */
	/* As a program that has used its heap: one page of it is there. */
	heap = sim_brk(tasks[0], 0) + (uaddr_t)COLOUR_SPAN;
	heap &= -(uaddr_t)COLOUR_SPAN;
	sim_brk(tasks[0], heap);
	sim_store8(tasks[0], heap - (uaddr_t)PAGE, 1);
	brk_base = heap;
}

unsigned backend_finish(void)
{
	uint64_t left;

	for (unsigned i = MAX_PROCS; i-- > 0;) {
		sim_bind(machine, i % sim_cpus(machine));
		if (tasks[i])
			sim_exit(tasks[i]);
	}
	for (unsigned i = 0; i < FILE_IDS; i++)
		if (files[i])
			sim_file_close(files[i]);
	free(maps_text);
	if (aliases_made)
		sim_violations_clear(machine);
	if (swapping &&
	    (sim_vmstat(machine, "pswpout") < 100 || sim_swapoff(machine, 0)))
		complaints++;
	complaints += sim_check(machine);
	left = sim_machine_destroy(machine);
	if (left)
		fprintf(stderr,
			"replay_sim: %llu pages, files or violations "
			"left\n",
			(unsigned long long)left);
	return complaints + (unsigned)left;
}
