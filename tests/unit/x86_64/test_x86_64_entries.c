/* SPDX-License-Identifier: MIT */
/*
 * x86-64's entries bit by bit, its levels of tables, its kernel half, and the
 * faults that only this processor has.
 */
#include <anonymous.h>
#include <asm/ptrace.h>

#include <tests/unit/entries.h>

/* behaviours: P2, P3 (format of entries, present or not) */
TEST_PLAIN(entry_format)
{
	static const uint64_t pfns[] = {0, 1, 0x12345, 0xffffffffffull};
	pgprot_t rw = __pgprot(_PAGE_BASE | _PAGE_RW | _PAGE_NX);
	unsigned i;

	UNUSED_MACHINE;
	for (i = 0; i < ARRAY_LEN(pfns); i++) {
		pte_t e = pfn_pte(pfns[i], rw),
		      none = pfn_pte(pfns[i], PAGE_NONE);

		CHECK_EQ(e.v, pfns[i] << 12 | 0x8000000000000027);
		CHECK(pte_present(e) && pte_write(e) && !pte_dirty(e));
		CHECK(!pte_protnone(e) && !pte_exec(e) && pte_young(e));
		/* PROT_NONE: present to us, not to the processor; inverted */
		CHECK(pte_present(none) && pte_protnone(none));
		CHECK_EQ(none.v & 1, 0);
		CHECK_EQ(none.v & PTE_PFN_MASK,
			 ~(pfns[i] << 12) & PTE_PFN_MASK);
		CHECK_EQ(pte_pfn(e), pfns[i]);
		CHECK_EQ(pte_pfn(none), pfns[i]);
		/* there and back, keeping what the processor has set */
		e = pte_mkspecial(pte_mkuffd_wp(pte_mkdirty(e)));
		none = pte_modify(e, PAGE_NONE);
		CHECK(pte_protnone(none) && pte_dirty(none));
		CHECK(pte_special(none) && pte_uffd_wp(none));
		CHECK(pte_soft_dirty(none) && !pte_write(none));
		CHECK_EQ(pte_pfn(none), pfns[i]);
		CHECK(pte_same(pte_modify(none, rw), e));
		e = pte_wrprotect(pte_mkclean(pte_mkold(e)));
		CHECK(!pte_write(e) && !pte_dirty(e) && !pte_young(e));
		CHECK(pte_soft_dirty(e) &&
		      !pte_soft_dirty(pte_clear_soft_dirty(e)));
	}
	for (i = 0; i < 64; i++) {
		uint64_t off = 0x155555555555ull >> (i % 44);
		pte_t e = swp_entry_to_pte(swp_entry(i, off));

		CHECK(!pte_present(e) && !pte_none(e) && is_swap_pte(e));
		e = pte_swp_mkexclusive(
			pte_swp_mkuffd_wp(pte_swp_mksoft_dirty(e)));
		CHECK(!pte_present(e) && pte_swp_exclusive(e));
		CHECK(pte_swp_soft_dirty(e) && pte_swp_uffd_wp(e));
		CHECK_EQ(swp_type(pte_to_swp_entry(e)), i);
		CHECK_EQ(swp_offset(pte_to_swp_entry(e)), off);
		e = pte_swp_clear_exclusive(
			pte_swp_clear_soft_dirty(pte_swp_clear_uffd_wp(e)));
		CHECK(pte_same(e, swp_entry_to_pte(swp_entry(i, off))));
		/* a processor that reads ahead finds no memory there */
		CHECK((e.v & PTE_PFN_MASK) > 1ull << 45);
	}
	CHECK(!pte_none(swp_entry_to_pte(swp_entry(0, SWP_MAX_OFFSET))));
	CHECK(!pte_none(swp_entry_to_pte(swp_entry(0, 0))));
}

/* behaviours: P1 (four levels or five; absent ones fold away), F2 */
TEST(levels_of_tables)
{
	struct sim_task *t = sim_task_create_bare(m);
	uaddr_t high = sim_quire(m)->levels == 5 ? 0x00ff000000000000
						 : 0x00007f0000000000;
	uint64_t before = mm_stats(t).table_bytes;

	CHECK_EQ(sim_quire(m)->levels, test_levels(m));
	CHECK_EQ(quire_task_size(sim_quire(m)),
		 test_levels(m) == 5 ? 0x00fffffffffff000 : 0x00007ffffffff000);
	CHECK_EQ(sim_mmap(t, high, PG, RW, ANON | MAP_FIXED, NULL, 0), high);
	put64(t, high, 3);
	/* pte, pmd, pud; and the p4d of five levels */
	CHECK_EQ(mm_stats(t).table_bytes - before, (test_levels(m) - 1) * PG);
	CHECK_EQ(get64(t, high), 3);
	CHECK_EQ(sim_munmap(t, high, PG), 0);
	CHECK_EQ(mm_stats(t).table_bytes, before);
	sim_exit(t);
}

/* behaviour: P5 (the kernel half is the reference table's, in every mm) */
TEST(kernel_half_is_shared)
{
	struct quire *q = sim_quire(m);
	uint64_t *ref = phys_to_virt(q, q->arch.kernel_root);
	struct sim_task *t, *c;
	unsigned i;

	for (i = 256; i < 512; i += 17)
		ref[i] = 0x1000u * i | 0x63;
	t = sim_task_create(m);
	c = sim_fork(t);
	CHECK_EQ(memcmp((uint64_t *)t->qt.mm->pgd + 256, ref + 256, PG / 2), 0);
	CHECK_EQ(memcmp((uint64_t *)c->qt.mm->pgd + 256, ref + 256, PG / 2), 0);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
	/* the tables below are the kernel's: still there */
	CHECK_EQ(ref[256], 0x1000u * 256 | 0x63);
	memset(ref + 256, 0, PG / 2);
}

/*
 * behaviour: E7 (SEGV_PKUERR with the page's key; the simulated processor has
 * no keys, so the exception is made by hand)
 */
TEST(protection_key_fault)
{
	struct sim_task *t = sim_task_create(m);
	struct pt_regs regs = {.cs = 0x33, .flags = X86_EFLAGS_IF};
	uaddr_t a = anon(t, 1);
	pte_t e;

	put64(t, a, 1);
	e = ptep_get(pte_at(t, a));
	poke(t, a, (pte_t){e.v | 5ull << 59});
	do_page_fault(&regs,
		      X86_PF_PK | X86_PF_USER | X86_PF_PROT | X86_PF_WRITE,
		      a + 8);
	CHECK_EQ(t->nr_queued, 1);
	CHECK_EQ(t->queue[0].signo, SIGSEGV);
	CHECK_EQ(t->queue[0].code, QUIRE_SEGV_PKUERR);
	CHECK_EQ(t->queue[0].addr, a + 8);
	CHECK_EQ(t->queue[0].pkey, 5);
	t->nr_queued = 0;
	poke(t, a, e);
	CHECK_EQ(get64(t, a), 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E3 (the report says what, where, by whom, and the tables) */
TEST(oops_report)
{
	static const char *const want[] = {
		"unable to handle page fault for address: 1000",
		"supervisor write access in kernel mode",
		"error_code(0x2) - not-present page", "RIP: ", "R15: "};
	struct sim_task *t = sim_task_create(m);
	uint64_t v = 0;
	unsigned i;

	sim_quiet(m, true);
	CHECK_EQ(sim_access(t, SIM_WRITE, SIM_KERNEL, 0x1000, &v, 8), SIM_OOPS);
	for (i = 0; i < ARRAY_LEN(want); i++)
		CHECK(sim_log_contains(m, want[i]));
	CHECK(sim_log_contains(m, test_levels(m) == 5 ? "PGD " : "P4D "));
	sim_log_clear(m);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, 0x10, &v, 8), SIM_OOPS);
	CHECK(sim_log_contains(m, "NULL pointer dereference, address: 10"));
	sim_exit(t);
}
