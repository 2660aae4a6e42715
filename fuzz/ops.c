/* SPDX-License-Identifier: MIT */
/*
 * A stream of operations on the simulated machine.  The input's first four
 * bytes set the machine up; then each eight bytes are an operation: which,
 * by which task, on which CPU, at which page, and so on.  All of
 * quire_check()'s invariants hold after every operation, the host's contract is
 * never broken, and nothing is left at the end, also when allocations fail.
 *
 * What was stored must be what the task loads from there next, on this CPU and
 * on the other one, whose TLB has its own idea of the page.
 */
#include "fuzz/fuzz.h"

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

struct world {
	struct sim_machine *m;
	struct sim_task *task[MAX_TASKS];
	struct sim_file *file[3]; /* read-only, shared memory, with errors */
	bool injecting;
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
	if (op->a & 0x30)
		file = w->file[(op->a >> 4 & 3) - 1];
	else
		flags |= MAP_ANONYMOUS;
	sim_mmap(w->task[i], addr_of(op), len_of(op), prot, flags, file,
		 (uint64_t)(op->c & 15) * PAGE);
}

static void do_store(struct world *w, unsigned i, const struct op *op)
{
	struct sim_task *t = w->task[i];
	uaddr_t a = addr_of(op) + op->a * 16;
	uint8_t value;
	int sig;

	if (sim_store8(t, a, op->b) != 0)
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
	uint8_t buf[3 * 4096];
	uaddr_t a = addr_of(op) + op->a;
	size_t n = (size_t)(op->len % 3) * 4096 + op->b;

	if (op->c & 1)
		sim_read(w->task[i], a, buf, n);
	else if (op->c & 2)
		sim_copy_from_user(w->task[i], a, buf, n);
	else
		sim_fetch(w->task[i], a, buf, n % 16 + 1);
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

static void do_file(struct world *w, const struct op *op)
{
	static uint8_t buf[8192];
	struct sim_file *f = w->file[op->a % 3];
	uint64_t at = (uint64_t)op->page * 512;

	switch (op->b % 6) {
	case 0:
		sim_file_truncate(f, at * 2);
		break;
	case 1:
		sim_file_write(f, at, buf, op->len * 32u);
		break;
	case 2:
		sim_file_read(f, at, buf, op->len * 32u);
		break;
	case 3:
		sim_file_fail_reads(w->file[2], op->c % 4, op->d % 4, -5);
		break;
	case 4:
		quire_mapping_punch(sim_file_mapping(w->file[1]), at,
				    at + op->len * 512u);
		break;
	case 5:
		sim_file_set_perm(w->file[0], true, false, op->c & 1);
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
		do_file(w, op);
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
	w->file[0] = sim_file_create(w->m, "a", 9 * PAGE + 100, 7);
	w->file[1] = sim_file_shmem(w->m, "b", 10 * PAGE);
	w->file[2] = sim_file_create(w->m, "c", 5 * PAGE, 8);
	w->task[0] = sim_task_create(w->m);
	FUZZ_EXPECT(w->file[0] && w->file[1] && w->file[2] && w->task[0]);
	w->injecting = setup[2] & 1;
	return w;
}

static void close_world(struct world *w)
{
	sim_inject_reset(w->m);
	for (unsigned i = MAX_TASKS; i-- > 0;)
		if (w->task[i])
			sim_exit(w->task[i]);
	for (unsigned i = 0; i < 3; i++)
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
		FUZZ_EXPECT(quire_check(sim_quire(w->m)) == 0);
		FUZZ_EXPECT(sim_violations(w->m) == 0);
	}
	close_world(w);
	return 0;
}
