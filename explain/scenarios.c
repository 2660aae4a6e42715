/* SPDX-License-Identifier: MIT */
/*
 * scenarios.c - what provokes each kind of fault: the stage is set, then one
 * access is made, and that one is explained.
 */
#include <sys/mman.h>

#include <fault.h>

#include "explain.h"

#define PG     ((uaddr_t)4096)
#define RW     (PROT_READ | PROT_WRITE)
#define ANON   (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHANON (MAP_SHARED | MAP_ANONYMOUS)

static uaddr_t map(struct stage *s, unsigned prot, unsigned flags,
		   struct sim_file *file)
{
	sreg_t r = sim_mmap(s->t, 0, 16 * PG, prot, flags, file, 0);

	if ((uaddr_t)r >= (uaddr_t)-4095) /* an address may have the top bit */
		die("mmap fails with %lld", (long long)r);
	return (uaddr_t)r + 4 * PG; /* somewhere in it */
}

static void must(int r)
{
	if (r)
		die("an access of the preparation ends in %d", r);
}

void stage_read(struct stage *s)
{
	uint8_t v;

	must(sim_load8(s->t, s->addr, &v));
}

static struct sim_file *file_of(struct stage *s)
{
	s->file = sim_file_create(s->m, "/example", 64 * PG, 1);
	if (!s->file)
		die("out of memory");
	return s->file;
}

/* The file's pages are read, so that they are cached. */
static void cache(struct stage *s)
{
	char buf[4096];

	for (uint64_t pos = 0; pos < 16 * PG; pos += PG)
		if (sim_file_read(s->file, pos, buf, sizeof(buf)) <= 0)
			die("reading the file fails");
}

static void fork_it(struct stage *s)
{
	s->other = sim_fork(s->t);
	if (!s->other)
		die("fork fails");
	sim_run(s->t);
}

static void anonymous(struct stage *s)
{
	s->addr = map(s, RW, ANON, NULL);
}

static void anonymous_with_table(struct stage *s)
{
	anonymous(s);
	must(sim_store8(s->t, s->addr - PG, 1));
}

static void anonymous_read(struct stage *s)
{
	anonymous(s);
	stage_read(s);
}

void stage_anonymous_written(struct stage *s)
{
	anonymous(s);
	must(sim_store8(s->t, s->addr, 1));
}

static void private_file(struct stage *s)
{
	s->addr = map(s, RW, MAP_PRIVATE, file_of(s));
}

static void private_file_cached(struct stage *s)
{
	private_file(s);
	cache(s);
}

static void shared_file(struct stage *s)
{
	s->addr = map(s, RW, MAP_SHARED, file_of(s));
}

static void shared_file_read(struct stage *s)
{
	shared_file(s);
	stage_read(s);
}

/* Its write-back has made it clean: the next store is noticed again. */
static void shared_file_stored(struct stage *s)
{
	shared_file(s);
	must(sim_store8(s->t, s->addr, 1));
	if (quire_mapping_sync(sim_file_mapping(s->file), 0, UINT64_MAX,
			       QUIRE_SYNC_START | QUIRE_SYNC_WAIT))
		die("writing the file back fails");
}

/* So much is dirty that the writer must write some of it first. */
static void shared_file_full(struct stage *s)
{
	struct quire *q = s->t->qt.q;

	shared_file(s);
	cache(s);
	must(sim_touch_write(s->t, s->addr + 4 * PG, 8 * PG, 1));
	if (quire_set_tunable(q, QUIRE_TUNABLE_DIRTY_BYTES, 4 * PG))
		die("the limit cannot be set");
}

static void shared_file_refused(struct stage *s)
{
	shared_file_read(s);
	sim_file_fail_mkwrites(s->file, 0, 1, -ENOSPC);
}

/* The disk answers when somebody waits for it, not before. */
static void private_file_late(struct stage *s)
{
	const struct sim_disk_config disk = {.mode = SIM_DISK_LAZY};

	private_file(s);
	if (sim_disk_configure(s->file, &disk))
		die("out of memory");
}

void stage_shared_anonymous(struct stage *s)
{
	s->addr = map(s, RW, SHANON, NULL);
}

/* A device with some frames that are not Quire's memory. */
static int device_mmap(struct quire_file *file, struct quire_device_map *map)
{
	(void)file;
	map->kind = QUIRE_DEVICE_FAULT;
	map->cache = QUIRE_CACHE_DEVICE;
	return 0;
}

static paddr_t device_phys;

static int device_frame(struct quire_file *file, uint64_t off, bool write,
			struct quire_frame *frame)
{
	(void)file;
	(void)write;
	frame->phys = device_phys + off;
	return 0;
}

static void *device_address(struct quire_file *file, paddr_t phys)
{
	(void)file;
	return sim_phys(sim_this_machine(), phys);
}

static const struct quire_device_ops device_ops = {
	.mmap = device_mmap,
	.frame = device_frame,
	.address = device_address,
};

static struct sim_file *device_of(struct stage *s)
{
	uint64_t bytes;

	device_phys = sim_reserved(s->m, &bytes);
	sim_file_quire(file_of(s))->device = &device_ops;
	return s->file;
}

static void device_shared(struct stage *s)
{
	s->addr = map(s, RW, MAP_SHARED, device_of(s));
}

static void device_private_read(struct stage *s)
{
	s->addr = map(s, RW, MAP_PRIVATE, device_of(s));
	stage_read(s);
}

static void forked(struct stage *s)
{
	stage_anonymous_written(s);
	fork_it(s);
}

static void forked_alone(struct stage *s)
{
	forked(s);
	sim_exit(s->other);
	s->other = NULL;
	sim_run(s->t);
}

static void below_stack(struct stage *s)
{
	s->addr = sim_stack_top(s->m) - 160 * 1024;
}

pte_t *stage_entry(struct stage *s)
{
	pmd_t *pmd = mm_find_pmd(s->t->qt.mm, s->addr);

	if (!pmd)
		die("the preparation left no table");
	return pte_offset_map(s->t->qt.q, pmd, s->addr);
}

static void hinted(struct stage *s)
{
	pte_t *pte;

	stage_anonymous_written(s);
	pte = stage_entry(s);
	set_pte_at(s->t->qt.mm, s->addr, pte,
		   pte_modify(ptep_get(pte), PAGE_NONE));
	flush_tlb_mm(s->t->qt.mm);
}

/* The TLB has the page read-only, while the entry has it writable. */
static void stale_tlb(struct stage *s)
{
	pte_t *pte, was;

	stage_anonymous_written(s);
	pte = stage_entry(s);
	was = ptep_get(pte);
	set_pte_at(s->t->qt.mm, s->addr, pte, pte_wrprotect(was));
	flush_tlb_mm(s->t->qt.mm);
	stage_read(s);
	set_pte_at(s->t->qt.mm, s->addr, pte, was);
}

static void bad_entry(struct stage *s)
{
	stage_anonymous_written(s);
	set_pte_at(s->t->qt.mm, s->addr, stage_entry(s),
		   swp_entry_to_pte(swp_entry(1, 42)));
	flush_tlb_mm(s->t->qt.mm);
}

/* A page that was written to is out: on a disk that answers when somebody waits
 * for it, or at once. */
static void swapped_out_on(struct stage *s, unsigned flags)
{
	const struct sim_swap_config swap = {
		.slots = 256,
		.flags = flags,
		.disk = {.mode = SIM_DISK_LAZY},
	};

	s->area = sim_swapon(s->m, &swap);
	if (s->area < 0)
		die("swapon fails with %d", s->area);
	must(sim_madvise(s->t, s->addr, PG, MADV_PAGEOUT));
	/* what is written is freed at the next look */
	while (sim_disk_step(s->m, 1))
		;
	quire_reclaim(s->t->qt.q, 1);
	if (pte_present(ptep_get(stage_entry(s))))
		die("the page is not swapped out");
}

void stage_swapped_out(struct stage *s)
{
	stage_anonymous_written(s);
	swapped_out_on(s, 0);
}

static void swapped_out_sync(struct stage *s)
{
	stage_anonymous_written(s);
	swapped_out_on(s, QUIRE_SWAP_SYNC);
}

/* The child has read it back: it is in the swap cache. */
static void swapped_out_shared(struct stage *s)
{
	forked(s);
	swapped_out_on(s, 0);
	sim_run(s->other);
	must(sim_load8(s->other, s->addr, &(uint8_t){0}));
	sim_run(s->t);
}

static void swap_broken(struct stage *s)
{
	stage_swapped_out(s);
	sim_swap_fail_reads(s->m, (unsigned)s->area, 0, 64, -EIO);
}

static void shmem_swapped_out(struct stage *s)
{
	stage_shared_anonymous(s);
	must(sim_store8(s->t, s->addr, 1));
	swapped_out_on(s, 0);
}

static void program_text(struct stage *s)
{
	s->addr = map(s, PROT_READ | PROT_EXEC, MAP_PRIVATE, file_of(s));
	cache(s);
}

static void nothing_mapped(struct stage *s)
{
	s->addr = 0x3000;
}

static void read_only(struct stage *s)
{
	stage_anonymous_written(s);
	must(sim_mprotect(s->t, s->addr - 4 * PG, 16 * PG, PROT_READ));
}

static void beyond_end(struct stage *s)
{
	private_file(s);
	sim_file_truncate(s->file, PG);
}

static void bad_disk(struct stage *s)
{
	private_file(s);
	sim_file_fail_reads(s->file, 0, 64, -EIO);
}

static void no_memory(struct stage *s)
{
	sim_inject_reset(s->m);
	sim_inject_nth(s->m, 1, false);
}

static void kernel_address(struct stage *s)
{
	s->addr = (uaddr_t)(this_format == ON_X86_64 ? 0xffffc90000000008ull
						     : 0xf8000008ull);
}

#define U  0u
#define K  (SIM_KERNEL | SIM_AC)
#define KX (SIM_KERNEL | SIM_FIXUP | SIM_AC)

static const struct scenario scenarios[] = {
	{"anon_write", "first write to private anonymous memory", ON_ALL,
	 QF_ANON_WRITE, SIM_WRITE, U, anonymous, NULL},
	{"anon_write_table", "the same where the last-level table exists",
	 ON_ALL, QF_ANON_WRITE, SIM_WRITE, U, anonymous_with_table, NULL},
	{"zero_read", "first read of anonymous memory: the zero page", ON_ALL,
	 QF_ZERO_READ, SIM_READ, U, anonymous, NULL},
	{"file_read", "read of a file's page that must come from its device",
	 ON_ALL, QF_FILE_READ, SIM_READ, U, private_file, NULL},
	{"file_read_late",
	 "the same, with a disk to wait for: without the mmap_lock", ON_ALL,
	 QF_FILE_READ, SIM_READ, U, private_file_late, NULL},
	{"file_read_cached",
	 "read of a cached page, mapped with its neighbours", ON_ALL,
	 QF_FILE_READ, SIM_READ, U, private_file_cached, NULL},
	{"exec", "instruction fetch from a cached page of a file", ON_ALL,
	 QF_FILE_READ, SIM_FETCH, U, program_text, NULL},
	{"file_cow", "write to an absent page of a private file mapping",
	 ON_ALL, QF_FILE_COW, SIM_WRITE, U, private_file_cached, NULL},
	{"file_shared", "write to an absent page of a shared file mapping",
	 ON_ALL, QF_FILE_SHARED, SIM_WRITE, U, shared_file, NULL},
	{"shmem", "first write to shared anonymous memory", ON_ALL, QF_SHMEM,
	 SIM_WRITE, U, stage_shared_anonymous, NULL},
	{"cow_copy", "write after fork, while the child has the page too",
	 ON_ALL, QF_COW_COPY, SIM_WRITE, U, forked, NULL},
	{"cow_reuse", "write after fork, when the child is gone", ON_ALL,
	 QF_COW_REUSE, SIM_WRITE, U, forked_alone, NULL},
	{"cow_zero", "write to memory that was only read: the zero page",
	 ON_ALL, QF_COW_ZERO, SIM_WRITE, U, anonymous_read, NULL},
	{"mkwrite", "write to a shared file page that was only read", ON_ALL,
	 QF_MKWRITE, SIM_WRITE, U, shared_file_read, NULL},
	{"mkwrite_again", "the first write after a page was written back",
	 ON_ALL, QF_MKWRITE, SIM_WRITE, U, shared_file_stored, NULL},
	{"mkwrite_throttled", "write when too much is dirty: some is written",
	 ON_ALL, QF_FILE_SHARED, SIM_WRITE, U, shared_file_full, NULL},
	{"device", "first touch of a device's frame", ON_ALL, QF_DEVICE,
	 SIM_WRITE, U, device_shared, NULL},
	{"device_cow", "write to a device's frame in a private mapping", ON_ALL,
	 QF_COW_COPY, SIM_WRITE, U, device_private_read, NULL},
	{"stack_growth", "write below the stack, which grows", ON_ALL,
	 QF_STACK_GROWTH, SIM_WRITE, U, below_stack, NULL},
	{"spurious", "the TLB is older than the entry, which allows it", ON_ALL,
	 QF_SPURIOUS, SIM_WRITE, U, stale_tlb, NULL},
	{"numa", "a hint: PROT_NONE in a mapping that allows access", ON_ALL,
	 QF_NUMA, SIM_READ, U, hinted, NULL},
	{"sigsegv_maperr", "access where nothing is mapped", ON_ALL, QF_SIGSEGV,
	 SIM_READ, U, nothing_mapped, NULL},
	{"sigsegv_accerr", "write to a mapping that is read-only", ON_ALL,
	 QF_SIGSEGV, SIM_WRITE, U, read_only, NULL},
	{"sigsegv_exec", "instruction fetch from memory that is not executable",
	 ON_X86_64 | ON_PAE | ON_ARM, QF_SIGSEGV, SIM_FETCH, U,
	 stage_anonymous_written, NULL},
	{"sigsegv_kernel", "a program reads a kernel address", ON_ALL,
	 QF_SIGSEGV, SIM_READ, U, kernel_address, NULL},
	{"sigbus", "access beyond the end of a mapped file", ON_ALL, QF_SIGBUS,
	 SIM_READ, U, beyond_end, NULL},
	{"sigbus_io", "the device cannot read the file's page", ON_ALL,
	 QF_SIGBUS, SIM_READ, U, bad_disk, NULL},
	{"sigbus_mkwrite", "the file system has no room for what is written",
	 ON_ALL, QF_SIGBUS, SIM_WRITE, U, shared_file_refused, NULL},
	{"sigbus_entry", "an entry that nobody can have written", ON_ALL,
	 QF_SIGBUS, SIM_READ, U, bad_entry, NULL},
	{"swap_in", "read of a page that was swapped out", ON_ALL, QF_SWAP,
	 SIM_READ, U, stage_swapped_out, NULL},
	{"swap_in_write", "write to it: it was this entry's alone", ON_ALL,
	 QF_SWAP, SIM_WRITE, U, stage_swapped_out, NULL},
	{"swap_in_sync", "read, from a device that answers at once", ON_ALL,
	 QF_SWAP, SIM_READ, U, swapped_out_sync, NULL},
	{"swap_cached", "read of a page that another has swapped in", ON_ALL,
	 QF_SWAP, SIM_READ, U, swapped_out_shared, NULL},
	{"swap_cow", "write to such a page, which stays the other's", ON_ALL,
	 QF_COW_COPY, SIM_WRITE, U, swapped_out_shared, NULL},
	{"swap_shmem", "read of shared memory that was swapped out", ON_ALL,
	 QF_SHMEM, SIM_READ, U, shmem_swapped_out, NULL},
	{"sigbus_swap", "the swap device cannot read the page", ON_ALL,
	 QF_SIGBUS, SIM_READ, U, swap_broken, NULL},
	{"sigbus_swapoff", "what the end of its swap area could not read",
	 ON_ALL, QF_SIGBUS, SIM_READ, U, stage_lost_at_swapoff, NULL},
	{"sigbus_broken", "read of memory whose frame is broken", ON_ALL,
	 QF_SIGBUS, SIM_READ, U, stage_broken_memory, NULL},
	{"device_memory", "write to a page that a device has: it comes back",
	 ON_ALL, QF_SWAP, SIM_WRITE, U, stage_device_memory, NULL},
	{"migrating", "read of a page that is being moved: wait for it", ON_ALL,
	 QF_SWAP, SIM_READ, U, stage_migrating, NULL},
	{"oom", "first write when no memory is left", ON_ALL, QF_OOM, SIM_WRITE,
	 U, anonymous, no_memory},
	{"copy_to_user", "the kernel writes to user memory that is absent",
	 ON_ALL, QF_ANON_WRITE, SIM_WRITE, KX, anonymous, NULL},
	{"fixup", "the kernel copies from a bad user address: -EFAULT", ON_ALL,
	 QF_FIXUP, SIM_READ, KX, nothing_mapped, NULL},
	{"oops", "the kernel follows a bad pointer", ON_ALL, QF_OOPS, SIM_READ,
	 K, nothing_mapped, NULL},
	{"oops_kernel", "the kernel reads an unmapped address of its own",
	 ON_ALL, QF_OOPS, SIM_READ, K, kernel_address, NULL},
};

const struct scenario *scenario_at(unsigned i)
{
	const unsigned n = sizeof(scenarios) / sizeof(scenarios[0]);
	const struct scenario *s =
		i < n ? &scenarios[i] : &arch_scenarios[i - n];

	return s->name ? s : NULL;
}
