/* SPDX-License-Identifier: MIT */
/*
 * A stream of operations on the simulated machine.  The input's first four
 * bytes set the machine up; then each eight bytes are an operation: which,
 * by which task, on which CPU, at which page, and so on.  All of
 * quire_check()'s invariants hold after every operation, the host's contract is
 * never broken, and nothing is left at the end, also when allocations fail.
 *
 * What was stored must be what the task loads from there next, on this CPU and
 * on the other one, whose TLB has its own idea of the page.  When a file has
 * been synced and nothing was reported, its device has what its cache has.
 */
#include "fuzz/fuzz.h"

#include <limits.h>
#include <string.h>

#include <sim/sim.h>

/* nothing else is mapped here */
#define BASE	  ((uaddr_t)(QUIRE_UADDR_BITS == 64 ? 0x10000000000 : 0x20000000))
#define SPAN	  96u /* pages that operations name */
#define MAX_TASKS 4
#define CPUS	  2
#define PAGE	  ((uaddr_t)4096)

struct op {
	uint8_t kind, who, page, len, a, b, c, d;
};

/* What mappings and calls name. */
enum {
	F_RO,	  /* open for reading only */
	F_SHM,	  /* memory */
	F_BAD,	  /* its device has errors */
	F_DATA,	  /* its device is sound */
	F_DATA2,  /* another open of that */
	F_DATA_R, /* and one for reading */
	FILES
};

struct world {
	struct sim_machine *m;
	struct sim_task *task[MAX_TASKS];
	struct sim_file *file[FILES];
	bool injecting;
	bool nowait;	    /* tasks do not sleep in faults */
	bool failed[FILES]; /* a write failed: what the device has is open */
};

static uaddr_t addr_of(const struct op *op)
{
	uaddr_t a = BASE + (op->page % SPAN) * PAGE;

	/* Now and then not aligned, or far outside. */
	if ((op->d & 0xf0) == 0xf0)
		a += op->d & 15;
	if ((op->d & 0xf0) == 0xe0)
		a = (uaddr_t)op->d << (QUIRE_UADDR_BITS - 4) |
		    (uaddr_t)op->a << (QUIRE_UADDR_BITS - 20);
	return a;
}

static uaddr_t len_of(const struct op *op)
{
	uaddr_t len = (uaddr_t)(op->len % 40) * PAGE;

	if ((op->c & 0xf0) == 0xf0)
		len += op->c & 15;
	if (op->c == 0xef)
		len = ~(uaddr_t)0 - (op->b * PAGE);
	return len;
}

static void do_mmap(struct world *w, unsigned i, const struct op *op)
{
	unsigned flags = 0, prot = op->a & 7;
	struct sim_file *file = NULL;
	static const unsigned kinds[] = {MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE,
					 MAP_SHARED_VALIDATE};

	flags |= kinds[op->b & 3];
	flags |= op->b & 0x04 ? MAP_FIXED : 0;
	flags |= op->b & 0x08 ? MAP_FIXED_NOREPLACE : 0;
	flags |= op->b & 0x10 ? MAP_POPULATE : 0;
	flags |= op->b & 0x20 ? MAP_GROWSDOWN : 0;
	flags |= op->b & 0x40 ? MAP_NORESERVE : 0;
	flags |= op->b & 0x80 ? MAP_LOCKED : 0;
	if (op->a & 0x70)
		file = w->file[((op->a >> 4 & 7) - 1) % FILES];
	else
		flags |= MAP_ANONYMOUS;
	sim_mmap(w->task[i], addr_of(op), len_of(op), prot, flags, file,
		 (uint64_t)(op->c & 15) * PAGE);
}

/* The page that the task waits for comes, or it does not want it any more. */
static void end_wait(struct world *w, struct sim_task *t, bool cancel)
{
	if (!t->qt.fault_waiting)
		return;
	if (cancel)
		quire_fault_cancel(&t->qt);
	else
		sim_disk_step(w->m, UINT_MAX);
	FUZZ_EXPECT(!t->qt.fault_waiting);
}

static void do_store(struct world *w, unsigned i, const struct op *op)
{
	struct sim_task *t = w->task[i];
	uaddr_t a = addr_of(op) + op->a * 16;
	uint8_t value;
	int sig;

	t->qt.nowait = w->nowait;
	sig = sim_store8(t, a, op->b);
	t->qt.nowait = false;
	if (sig)
		return;
	/* What may be written may be read. */
	sig = sim_load8(t, a, &value);
	FUZZ_EXPECT(sig == 0 && value == op->b);
	sim_run(NULL);
	sim_bind(w->m, op->who >> 4 & 1 ? 0 : 1);
	sig = sim_load8(t, a, &value);
	FUZZ_EXPECT(sig == SIM_OOM || (sig == 0 && value == op->b));
}

static void do_load(struct world *w, unsigned i, const struct op *op)
{
	struct sim_task *t = w->task[i];
	uint8_t buf[3 * 4096];
	uaddr_t a = addr_of(op) + op->a;
	size_t n = (size_t)(op->len % 3) * 4096 + op->b;
	int sig = 0;

	t->qt.nowait = w->nowait;
	if (op->c & 1)
		sig = sim_read(t, a, buf, n);
	else if (!(op->c & 2))
		sig = sim_fetch(t, a, buf, n % 16 + 1);
	t->qt.nowait = false;
	FUZZ_EXPECT(sig != SIM_WAITS || w->nowait);
	/* Half of those that wait come back when the page is there. */
	if (sig == SIM_WAITS && op->c & 4) {
		end_wait(w, t, false);
		sim_read(t, a, buf, n);
	}
	if (op->c & 2)
		sim_copy_from_user(t, a, buf, n);
}

static void do_write(struct world *w, unsigned i, const struct op *op)
{
	uint8_t buf[2 * 4096];
	uaddr_t a = addr_of(op) + op->a;
	size_t n = (size_t)(op->len % 2) * 4096 + op->b;

	memset(buf, op->b, sizeof(buf));
	if (op->c & 1)
		sim_write(w->task[i], a, buf, n);
	else if (op->c & 2)
		sim_copy_to_user(w->task[i], a, buf, n);
	else
		quire_mm_write(w->task[i]->qt.mm, a, buf, n, op->c & 4);
}

static void do_fork(struct world *w, unsigned i, const struct op *op)
{
	unsigned slot = op->a % MAX_TASKS;

	if (w->task[slot])
		return;
	w->task[slot] =
		op->b & 1 ? sim_thread(w->task[i]) : sim_fork(w->task[i]);
}

static void do_exit(struct world *w, unsigned i, const struct op *op)
{
	if (i == 0) {
		/* Everything is gone after exec; a failed one changes nothing.
		 */
		if (op->a == 77)
			sim_execve(w->task[0]);
		return;
	}
	sim_exit(w->task[i]);
	w->task[i] = NULL;
}

struct user_buffer {
	struct sim_task *t;
	uaddr_t addr;
	bool to_user;
};

static size_t copy_piece(void *cookie, void *kaddr, size_t done, size_t n)
{
	struct user_buffer *u = cookie;
	uaddr_t a = u->addr + (uaddr_t)done;

	return u->to_user ? sim_copy_to_user(u->t, a, kaddr, n)
			  : sim_copy_from_user(u->t, a, kaddr, n);
}

/* read(2) and write(2) of a task, the buffer where it has mapped something. */
static void do_user_io(struct world *w, unsigned i, const struct op *op,
		       unsigned which, bool to_user)
{
	struct user_buffer u = {w->task[i],
				BASE + (op->d % SPAN) * PAGE + op->c * 16u,
				to_user};
	struct quire_file *f = sim_file_quire(w->file[which]);
	uint64_t at = (uint64_t)op->page * 512;

	if (!(to_user ? f->readable : f->writable))
		return;
	sim_run(u.t);
	if (to_user)
		quire_mapping_read(f->mapping, f, at, op->len * 64u, copy_piece,
				   &u);
	else
		quire_mapping_write(f->mapping, f, at, op->len * 64u,
				    copy_piece, &u);
}

/* The device has what read(2) gives. */
static void compare_device(struct world *w, unsigned which)
{
	static uint8_t cached[4096], stored[4096];
	struct sim_file *f = w->file[which];
	long n;

	for (uint64_t at = 0;; at += sizeof(cached)) {
		n = sim_file_read(f, at, cached, sizeof(cached));
		if (n <= 0)
			return;
		sim_file_peek(f, at, stored, (size_t)n);
		FUZZ_EXPECT(memcmp(cached, stored, (size_t)n) == 0);
	}
}

static void do_fsync(struct world *w, const struct op *op, unsigned which)
{
	struct quire_file *f = sim_file_quire(w->file[which]);
	uint64_t from = 0, to = UINT64_MAX;
	bool shm = which == F_SHM;
	int err;

	if (op->c & 1) { /* a part */
		from = (uint64_t)op->page * 512;
		to = from + op->len * 64u;
	}
	err = quire_file_fsync(f, from, to, op->c & 2);
	FUZZ_EXPECT(!err || (!shm && (which == F_BAD || w->injecting)));
	w->failed[which] |= err != 0;
	/* another open of the file may be told of it before */
	if (which >= F_DATA)
		w->failed[F_DATA] |= err != 0;
	if (!err && !(op->c & 1) && which == F_DATA && !w->failed[F_DATA])
		compare_device(w, which);
}

static void do_writeback(struct world *w, const struct op *op, unsigned which)
{
	struct address_space *as = sim_file_mapping(w->file[which]);
	uint64_t from = (uint64_t)op->page * 512, to = from + op->len * 64u;

	switch (op->c % 8) {
	case 0:
	case 1:
	case 2:
		quire_mapping_sync(as, from, to, op->c % 8 + 1u);
		break;
	case 3:
		if (which != F_SHM)
			quire_mapping_invalidate(as, from, to);
		break;
	case 4:
		quire_flusher_work(sim_quire(w->m));
		break;
	case 5:
		quire_sync(sim_quire(w->m));
		break;
	case 6:
		quire_set_tunable(sim_quire(w->m), QUIRE_TUNABLE_DIRTY_BYTES,
				  op->d % 16 * PAGE);
		quire_set_tunable(sim_quire(w->m),
				  QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS,
				  op->d & 0x80 ? 0 : 3000);
		break;
	case 7:
		sim_disk_step(w->m, 1u + op->d % 8);
		break;
	}
}

/* Trouble to come, for the device that has it. */
static void do_trouble(struct world *w, const struct op *op)
{
	struct sim_file *f = w->file[F_BAD];
	unsigned skip = op->c % 4, n = op->d % 4;
	int err = op->c & 0x10 ? -28 : -5;

	switch (op->c >> 5 & 3) {
	case 0:
		sim_file_fail_reads(f, skip, n, -5);
		break;
	case 1:
		sim_file_fail_writes(f, skip, n, err);
		break;
	case 2:
		sim_file_fail_flushes(f, skip, n, -5);
		break;
	case 3:
		sim_file_fail_mkwrites(f, skip, n, op->c & 0x80 ? -12 : err);
		break;
	}
}

/* What is read ahead, and mapped along. */
static void do_reading(struct world *w, unsigned i, const struct op *op,
		       unsigned which)
{
	struct sim_file *f = w->file[which];
	struct address_space *as = sim_file_mapping(f);
	struct quire *q = sim_quire(w->m);
	uint64_t at = (uint64_t)op->page * 512;

	switch (op->c % 6) {
	case 0:
		quire_mapping_readahead(as, sim_file_quire(f), at,
					op->len * 512u);
		break;
	case 1:
		quire_mapping_drop_clean(as, at, at + op->len * 512u);
		break;
	case 2:
		sim_file_quire(f)->ra_mode = op->d % 3;
		break;
	case 3:
		quire_set_fault_around(w->task[i]->qt.mm, addr_of(op),
				       len_of(op),
				       op->d & 16 ? 0 : PAGE << op->d % 8);
		break;
	case 4:
		quire_set_tunable(q, QUIRE_TUNABLE_FAULT_AROUND_BYTES,
				  PAGE << op->d % 8);
		break;
	case 5:
		quire_set_tunable(q, QUIRE_TUNABLE_READAHEAD_BYTES,
				  op->d % 64 * PAGE);
		break;
	}
}

static void do_file(struct world *w, unsigned i, const struct op *op)
{
	static uint8_t buf[8192];
	unsigned which = op->a % FILES;
	struct sim_file *f = w->file[which];
	uint64_t at = (uint64_t)op->page * 512;

	sim_run(w->task[i]);
	switch (op->b % 12) {
	case 0:
		sim_file_truncate(f, at * 2);
		break;
	case 1:
		memset(buf, op->c, sizeof(buf));
		sim_file_write(f, at, buf, op->len * 32u);
		break;
	case 2:
		sim_file_read(f, at, buf, op->len * 32u);
		break;
	case 3:
		do_trouble(w, op);
		break;
	case 4:
		sim_file_punch(f, at, at + op->len * 512u);
		break;
	case 5:
		sim_file_set_perm(w->file[F_RO], true, false, op->c & 1);
		break;
	case 6:
	case 7:
		do_user_io(w, i, op, which, true);
		break;
	case 8:
		do_user_io(w, i, op, which, false);
		break;
	case 9:
		do_fsync(w, op, which);
		break;
	case 10:
		do_writeback(w, op, which);
		break;
	case 11:
		do_reading(w, i, op, which);
		break;
	}
}

static void do_other(struct world *w, unsigned i, const struct op *op)
{
	struct mm_struct *mm = w->task[i]->qt.mm;
	unsigned char vec[SPAN];
	uint64_t pagemap[SPAN];

	sim_run(w->task[i]);
	switch (op->a % 9) {
	case 0:
		quire_mlock(mm, addr_of(op), len_of(op), op->b & 1);
		break;
	case 1:
		quire_munlock(mm, addr_of(op), len_of(op));
		break;
	case 2:
		quire_mlockall(mm, op->b & 7);
		break;
	case 3:
		quire_munlockall(mm);
		break;
	case 4:
		quire_msync(mm, addr_of(op), len_of(op), op->b & 7);
		break;
	case 5:
		if (len_of(op) <= SPAN * PAGE)
			sim_mincore(w->task[i], addr_of(op), len_of(op), vec);
		break;
	case 6:
		quire_pagemap(mm, BASE, SPAN, pagemap);
		break;
	case 7:
		free(op->b & 1 ? sim_smaps(w->task[i]) : sim_maps(w->task[i]));
		break;
	case 8:
		quire_clear_refs(mm, op->b % 6);
		break;
	}
}

static const int advice[] = {0,	 1,  2,	 3,  4,	 8,  9,	 10, 11,
			     18, 19, 20, 21, 22, 23, 24, 25, 77};

static void run_op(struct world *w, const struct op *op)
{
	unsigned i = op->who % MAX_TASKS;
	struct sim_task *t = w->task[i];

	if (!t)
		return;
	sim_bind(w->m, op->who >> 4 & 1 ? 1 : 0);
	end_wait(w, t, op->kind % 16 == 11);
	switch (op->kind % 16) {
	case 0:
		do_mmap(w, i, op);
		break;
	case 1:
		sim_munmap(t, addr_of(op), len_of(op));
		break;
	case 2:
		sim_mprotect(t, addr_of(op), len_of(op), op->a & 15);
		break;
	case 3:
		sim_mremap(t, addr_of(op), len_of(op), (op->b % 48) * PAGE,
			   op->a & 7, BASE + (op->c % SPAN) * PAGE);
		break;
	case 4:
		sim_madvise(
			t, addr_of(op), len_of(op),
			advice[op->a % (sizeof(advice) / sizeof(advice[0]))]);
		break;
	case 5:
	case 6:
		do_store(w, i, op);
		break;
	case 7:
	case 8:
		do_load(w, i, op);
		break;
	case 9:
		do_write(w, i, op);
		break;
	case 10:
		do_fork(w, i, op);
		break;
	case 11:
		do_exit(w, i, op);
		break;
	case 12:
		do_file(w, i, op);
		break;
	case 13:
		do_other(w, i, op);
		break;
	case 14:
		sim_brk(t, sim_brk(t, 0) + (uaddr_t)op->a * 512 - 0x8000);
		break;
	case 15:
		if (w->injecting)
			sim_inject_random(w->m, 1u + op->a % 32, op->b);
		if (op->c & 1)
			sim_inject_reset(w->m);
		break;
	}
}

/* Disks: how they behave is in setup[2]. */
static void open_files(struct world *w, const uint8_t *setup)
{
	struct sim_disk_config disk = {
		.mode = setup[2] & 2 ? SIM_DISK_LAZY : SIM_DISK_NOW,
		.reorder = setup[2] & 4,
		.short_bytes = setup[2] & 8 ? 3000 : 0,
		.short_random = true,
		.write_cache = setup[2] & 16,
		.seed = setup[1] + 1u,
	};

	w->file[F_RO] = sim_file_create(w->m, "a", 9 * PAGE + 100, 7);
	w->file[F_SHM] = sim_file_shmem(w->m, "b", 10 * PAGE);
	w->file[F_BAD] = sim_file_create(w->m, "c", 5 * PAGE, 8);
	w->file[F_DATA] = sim_file_create(w->m, "d", 7 * PAGE + 300, 9);
	FUZZ_EXPECT(w->file[F_RO] && w->file[F_SHM] && w->file[F_BAD] &&
		    w->file[F_DATA]);
	w->file[F_DATA2] = sim_file_reopen(w->file[F_DATA], true, true);
	w->file[F_DATA_R] = sim_file_reopen(w->file[F_DATA], true, false);
	FUZZ_EXPECT(w->file[F_DATA2] && w->file[F_DATA_R]);
	sim_file_set_perm(w->file[F_RO], true, false, false);
	FUZZ_EXPECT(!sim_disk_configure(w->file[F_DATA], &disk));
	disk.read_error_one_in = setup[2] & 32 ? 20 : 0;
	disk.write_error_one_in = setup[2] & 64 ? 20 : 0;
	FUZZ_EXPECT(!sim_disk_configure(w->file[F_BAD], &disk));
}

static struct world *open_world(const uint8_t *setup)
{
	struct sim_config config = {
		.ram_bytes = UINT64_C(8) << 20,
		.cpus = CPUS,
		.levels = QUIRE_UADDR_BITS < 64 ? 0
			  : setup[0] & 1	? 5
						: 4,
		.arm_version = setup[0] & 1 ? 6 : 7, /* ARM's format */
		.asids = setup[0] & 2 ? 6 : 0,
		.overcommit = (setup[0] >> 2) % 3,
		.max_map_count = setup[0] & 0x80 ? 24 : 0,
		.tlb_sets = 16,
		.smep = true,
		.smap = setup[0] & 0x40,
		.seed = setup[1] + 1u,
		.stack_guard_gap = setup[0] & 0x20 ? 1 : 0,
	};
	struct world *w = calloc(1, sizeof(*w));

	w->m = sim_machine_create(&config);
	FUZZ_EXPECT(w->m);
	sim_quiet(w->m, true);
	open_files(w, setup);
	w->task[0] = sim_task_create(w->m);
	FUZZ_EXPECT(w->task[0]);
	w->injecting = setup[2] & 1;
	w->nowait = setup[2] & 128;
	return w;
}

static void close_world(struct world *w)
{
	sim_inject_reset(w->m);
	for (unsigned i = MAX_TASKS; i-- > 0;) {
		if (!w->task[i])
			continue;
		end_wait(w, w->task[i], i & 1);
		sim_exit(w->task[i]);
	}
	quire_sync(sim_quire(w->m));
	if (!w->injecting)
		compare_device(w, F_DATA);
	for (unsigned i = 0; i < FILES; i++)
		sim_file_close(w->file[i]);
	sim_quiet(w->m, false);
	FUZZ_EXPECT(sim_check(w->m) == 0);
	FUZZ_EXPECT(sim_machine_destroy(w->m) == 0);
	free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w;
	struct op op;

	if (size < 4 || size > 4 + 200 * sizeof(op))
		return 0;
	w = open_world(data);
	for (data += 4, size -= 4; size >= sizeof(op);
	     data += sizeof(op), size -= sizeof(op)) {
		memcpy(&op, data, sizeof(op));
		run_op(w, &op);
		/* pages under I/O are locked: some operations later, perhaps */
		if (op.d & 1)
			sim_disk_step(w->m, UINT_MAX);
		if (!sim_disk_pending(w->m))
			FUZZ_EXPECT(quire_check(sim_quire(w->m)) == 0);
		FUZZ_EXPECT(sim_violations(w->m) == 0);
	}
	close_world(w);
	return 0;
}
