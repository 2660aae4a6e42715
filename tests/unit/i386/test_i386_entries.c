/* SPDX-License-Identifier: MIT */
/*
 * i386's two-level entries bit by bit (Intel SDM vol. 3A, tables 4-5 and 4-6;
 * the bits that the processor leaves to software are 9, 10 and 11).
 */
#include <tests/unit/entries.h>

_Static_assert(sizeof(pte_t) == 4 && sizeof(pmd_t) == 4 && sizeof(pgd_t) == 4,
	       "entries are 32 bits");

/* behaviour: P2 */
TEST_PLAIN(i386_entry_format)
{
	static const uint32_t pfns[] = {0, 1, 0x12345, 0xfffff};
	pgprot_t rw = __pgprot(_PAGE_BASE | _PAGE_RW);
	unsigned i;

	UNUSED_MACHINE;
	for (i = 0; i < ARRAY_LEN(pfns); i++) {
		pte_t e = pfn_pte(pfns[i], rw),
		      none = pfn_pte(pfns[i], PAGE_NONE);

		/* P, RW, US, A */
		CHECK_EQ(e.v, pfns[i] << 12 | 0x27);
		CHECK(pte_present(e) && pte_write(e) && !pte_dirty(e));
		CHECK(!pte_protnone(e) && pte_exec(e) && pte_young(e));
		/* PROT_NONE: P clear, G and A set, the frame inverted */
		CHECK_EQ(none.v, (~(pfns[i] << 12) & 0xfffff000) | 0x120);
		CHECK(pte_present(none) && pte_protnone(none));
		CHECK_EQ(pte_pfn(e), pfns[i]);
		CHECK_EQ(pte_pfn(none), pfns[i]);
		e = pte_mkdirty(e);
		CHECK_EQ(e.v, pfns[i] << 12 | 0x867); /* D, soft-dirty */
		e = pte_mkspecial(pte_mkuffd_wp(e));
		CHECK_EQ(e.v, pfns[i] << 12 | 0xe67);
		none = pte_modify(e, PAGE_NONE);
		CHECK(pte_protnone(none) && pte_dirty(none));
		CHECK(pte_special(none) && pte_uffd_wp(none));
		CHECK(pte_soft_dirty(none) && !pte_write(none));
		CHECK_EQ(pte_pfn(none), pfns[i]);
		CHECK(pte_same(pte_modify(none, rw), e));
		e = pte_wrprotect(pte_mkclean(pte_mkold(e)));
		CHECK_EQ(e.v, pfns[i] << 12 | 0xe05);
	}
}

/* behaviour: P3 (32 types, 22 bits of offset, and the three bits) */
TEST_PLAIN(i386_swap_entries)
{
	unsigned type, bit;

	UNUSED_MACHINE;
	CHECK_EQ(SWP_MAX_OFFSET, (1u << 22) - 2);
	for (type = 0; type < 32; type++)
		for (bit = 0; bit < 22; bit++) {
			uint64_t off = 1ull << bit | (type * 0x1357ull >> 1);
			pte_t e, was;

			off &= SWP_OFFSET_MASK;
			was = swp_entry_to_pte(swp_entry(type, off));
			CHECK(!pte_present(was) && is_swap_pte(was));
			/* P, the three bits and PROT_NONE's */
			CHECK_EQ(was.v & 0x10f, 0);
			CHECK_EQ(was.v >> 12, ~off & 0xfffff);
			e = pte_swp_mkexclusive(
				pte_swp_mkuffd_wp(pte_swp_mksoft_dirty(was)));
			CHECK(!pte_present(e) && pte_swp_exclusive(e));
			CHECK(pte_swp_soft_dirty(e) && pte_swp_uffd_wp(e));
			CHECK_EQ(e.v, was.v | 0xe);
			CHECK_EQ(swp_type(pte_to_swp_entry(e)), type);
			CHECK_EQ(swp_offset(pte_to_swp_entry(e)), off);
			e = pte_swp_clear_exclusive(pte_swp_clear_uffd_wp(
				pte_swp_clear_soft_dirty(e)));
			CHECK(pte_same(e, was));
		}
	CHECK(!pte_none(swp_entry_to_pte(swp_entry(0, SWP_MAX_OFFSET))));
	CHECK(!pte_none(swp_entry_to_pte(swp_entry(0, 0))));
}

/* behaviours: P1 (pgd, p4d and pud fold away), P5 (every table is given back)
 */
TEST(i386_levels_of_tables)
{
	struct sim_task *t = sim_task_create_bare(m);
	uint64_t before = mm_stats(t).table_bytes;
	uaddr_t high = quire_task_size(sim_quire(m)) - PG;
	pmd_t *dir = (pmd_t *)(void *)t->qt.mm->pgd;

	CHECK_EQ(sim_quire(m)->levels, 2);
	CHECK_EQ(quire_task_size(sim_quire(m)), 0xc0000000);
	CHECK_EQ(before, PG); /* the directory itself */
	CHECK_EQ((uaddr_t)sim_mmap(t, high, PG, RW, ANON | MAP_FIXED, NULL, 0),
		 high);
	put64(t, high, 3);
	CHECK_EQ(mm_stats(t).table_bytes - before, PG);
	/* P, RW, US, A; and the frame of a page */
	CHECK_EQ(dir[767].v & 0xfff, 0x27);
	CHECK(walk_to_pmd(t->qt.mm, high) == &dir[767]);
	CHECK(!pmd_none(dir[767]) && !pmd_bad(dir[767]));
	CHECK(!pmd_large(dir[767]) && pmd_present(dir[767]));
	CHECK_EQ(pmd_addr_end(high, 0xc0000000), 0xc0000000);
	CHECK_EQ(pmd_addr_end(0xffc00000, 0), 0); /* the very end */
	CHECK_EQ(pmd_addr_end(0x003ff000, 0xc0000000), 0x00400000);
	CHECK_EQ(pgd_addr_end(0x1000, 0xc0000000), 0xc0000000);
	CHECK_EQ(get64(t, high), 3);
	CHECK_EQ(sim_munmap(t, high, PG), 0);
	CHECK_EQ(mm_stats(t).table_bytes, before);
	CHECK_EQ(dir[767].v, 0);
	sim_exit(t);
}

/* behaviour: P5 (the kernel's entries are the reference table's) */
TEST(i386_kernel_half_is_copied)
{
	struct sim_task *t = sim_task_create(m), *c = sim_fork(t);
	const uint32_t *ref = sim_phys(m, sim_quire(m)->arch.kernel_root);

	CHECK(ref[768] & 1); /* the direct map: not an empty comparison */
	CHECK_EQ(memcmp((uint32_t *)(void *)t->qt.mm->pgd + 768, ref + 768,
			1024),
		 0);
	CHECK_EQ(memcmp((uint32_t *)(void *)c->qt.mm->pgd + 768, ref + 768,
			1024),
		 0);
	sim_exit(c);
	sim_exit(t);
}

/* behaviour: P1 (a frame past 4 GiB fits in no entry) */
TEST(i386_refuses_memory_past_4_gib)
{
	struct sim_config big = {.ram_bytes = (4ull << 30) + (1u << 20)};

	sim_quiet(m, true);
	CHECK(!sim_machine_create(&big));
	UNUSED_MACHINE;
}
