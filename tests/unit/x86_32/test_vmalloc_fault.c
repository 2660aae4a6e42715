/* SPDX-License-Identifier: MIT */
/*
 * Kernel table entries that appear in the reference table after an address
 * space was made (E3): copied on the fault, and only then.
 *
 * Two levels: what appears is a page-directory entry, and the directories are
 * each address space's own.  PAE: all share the kernel's directory, so there
 * is only a PDPTE to copy, where the reference table had none; and its copy is
 * no use before CR3 is loaded again.
 */
#include <asm/pgtable.h>

#include <tests/unit/common.h>

#define PAE (sizeof(pte_t) == 8)

static void put_entry(struct sim_machine *m, paddr_t table, unsigned i,
		      uint64_t e)
{
	if (PAE)
		((uint64_t *)sim_phys(m, table))[i] = e;
	else
		((uint32_t *)sim_phys(m, table))[i] = (uint32_t)e;
}

/* Hand-built: a kernel directory (PAE), a page table, a page. */
struct hand {
	paddr_t root, dir, table, page;
	uaddr_t addr;
};

/* All but the topmost entry, for a page at the n-th 8 MiB of the area. */
static struct hand build(struct sim_machine *m, unsigned n)
{
	uint64_t bytes;
	paddr_t base = sim_reserved(m, &bytes) + n * 4 * PG;
	struct hand h = {.root = sim_quire(m)->arch.kernel_root,
			 .dir = base,
			 .table = base + PG,
			 .page = base + 2 * PG};

	h.addr = sim_quire(m)->config.vmalloc_start + n * (8u << 20);
	memset(sim_phys(m, base), 0, 3 * PG);
	put_entry(m, h.table, pte_index(h.addr), h.page | 3);
	if (PAE)
		put_entry(m, h.dir, pmd_index(h.addr), h.table | 3);
	*(uint64_t *)sim_phys(m, h.page) = 4711 + n;
	return h;
}

/* The topmost entry, in the reference table. */
static void publish(struct sim_machine *m, const struct hand *h)
{
	if (PAE)
		put_entry(m, h->root, h->addr >> 30, h->dir | 1);
	else
		put_entry(m, h->root, h->addr >> 22, h->table | 3);
}

/* A machine whose reference table has no kernel directory at all. */
static void no_kernel_half(struct sim_machine *m)
{
	if (PAE)
		put_entry(m, sim_quire(m)->arch.kernel_root, 3, 0);
}

static int kernel_load(struct sim_task *t, uaddr_t a, uint64_t *v)
{
	*v = 0;
	return sim_access(t, SIM_READ, SIM_KERNEL, a, v, 8);
}

/* behaviour: E3 (a missing upper-level kernel entry is copied) */
TEST(missing_kernel_entry_is_copied)
{
	struct sim_task *before, *other, *since;
	struct hand h, h2;
	uint64_t v;

	no_kernel_half(m);
	before = sim_task_create(m);
	other = sim_task_create(m);
	sim_run(before); /* loaded while there is nothing */
	h = build(m, 0);
	publish(m, &h);
	since = sim_task_create(m);
	CHECK_EQ(kernel_load(before, h.addr + 8, &v), 0);
	CHECK_EQ(v, 0);
	CHECK_EQ(before->faults, 1);
	CHECK_EQ(before->error, 0); /* a kernel read of what is not present */
	CHECK_EQ(kernel_load(before, h.addr, &v), 0);
	CHECK_EQ(v, 4711);
	CHECK_EQ(before->faults, 0);
	CHECK_EQ(kernel_load(other, h.addr, &v), 0);
	CHECK_EQ(v, 4711);
	/* PAE: switched to after it was there, it must still be copied */
	CHECK_EQ(other->faults, 1);
	CHECK_EQ(kernel_load(since, h.addr, &v), 0);
	CHECK_EQ(since->faults, 0);
	CHECK(!before->oopsed && !other->oopsed);
	/* one more area entry: two levels miss again, PAE shares it */
	h2 = build(m, 1);
	if (PAE)
		put_entry(m, h.dir, pmd_index(h2.addr), h2.table | 3);
	else
		publish(m, &h2);
	CHECK_EQ(kernel_load(before, h2.addr, &v), 0);
	CHECK_EQ(v, 4712);
	CHECK_EQ(before->faults, PAE ? 0 : 1);
	CHECK_SYSTEM(m);
	sim_exit(since);
	sim_exit(other);
	sim_exit(before);
}

/* behaviour: E3 (and nothing else is) */
TEST(other_kernel_faults_are_not_vmalloc)
{
	struct sim_task *t;
	struct hand h, outside;
	uint64_t v;

	no_kernel_half(m);
	t = sim_task_create(m);
	sim_run(t);
	sim_quiet(m, true);
	h = build(m, 0);
	publish(m, &h);
	/* user mode gets its signal, and no entry for its trouble */
	CHECK_SIGNAL(t, sim_load64(t, h.addr, &v), SIGSEGV, QUIRE_SEGV_MAPERR,
		     h.addr);
	CHECK_EQ(t->faults, 1);
	/* in the area, but the reference table has no page there either */
	CHECK_EQ(kernel_load(t, h.addr + PG, &v), SIM_OOPS);
	CHECK_EQ(kernel_load(t, h.addr + (16u << 20), &v), SIM_OOPS);
	/* mapped since, but not in the area: a bug, not a stale table */
	outside = h;
	outside.addr -= 64u << 20;
	if (PAE)
		put_entry(m, h.dir, pmd_index(outside.addr), h.table | 3);
	else
		publish(m, &outside);
	put_entry(m, h.table, pte_index(outside.addr), h.page | 3);
	CHECK_EQ(kernel_load(t, outside.addr, &v), SIM_OOPS);
	/* an access that the page does not allow */
	put_entry(m, h.table, pte_index(h.addr), h.page | 1);
	CHECK_EQ(sim_access(t, SIM_WRITE, SIM_KERNEL, h.addr, &v, 8), SIM_OOPS);
	CHECK_EQ(t->error, X86_PF_PROT | X86_PF_WRITE);
	CHECK_EQ(t->faults, 2); /* first the copy, then the refusal */
	/* with an exception-table entry the kernel lives on */
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_FIXUP, h.addr + PG,
			    &v, 8),
		 SIM_EFAULT);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* ------------------------------------------------------- several CPUs */

static struct hand raced;
static struct sim_task *racer[4];

static void race_on(unsigned cpu, void *arg)
{
	struct sim_task *t = racer[cpu];
	uint64_t v;

	(void)arg;
	CHECK_EQ(kernel_load(t, raced.addr, &v), 0);
	CHECK_EQ(v, 4711);
	CHECK(t->faults <= 1);
	CHECK(!t->oopsed);
}

/* behaviour: E3 (CPUs that run one address space miss the entry together) */
TEST_WITH(missing_kernel_entry_on_four_cpus, .config = {.cpus = 4})
{
	unsigned i;

	no_kernel_half(m);
	racer[0] = sim_task_create(m);
	for (i = 1; i < 4; i++)
		racer[i] = sim_thread(racer[0]);
	for (i = 0; i < 4; i++) {
		sim_bind(m, i);
		sim_run(racer[i]);
		sim_run(NULL);
	}
	sim_bind(m, 0);
	raced = build(m, 0);
	publish(m, &raced);
	sim_parallel(m, 4, race_on, NULL);
	CHECK_SYSTEM(m);
	for (i = 0; i < 4; i++)
		sim_exit(racer[i]);
}
