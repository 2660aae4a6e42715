/* SPDX-License-Identifier: MIT */
/*
 * PAE's entries bit by bit (Intel SDM vol. 3A, tables 4-8 to 4-11), and the
 * page-directory-pointer table that the processor keeps in registers.
 */
#include <tests/unit/entries.h>

_Static_assert(sizeof(pte_t) == 8 && sizeof(pmd_t) == 8 && sizeof(pud_t) == 8 &&
		       sizeof(uaddr_t) == 4,
	       "entries are 64 bits, addresses 32");

/* behaviour: P2 (36 to 52 bits of frame, no-execute) */
TEST_PLAIN(pae_entry_format)
{
	static const uint64_t pfns[] = {0,	 1,	   0x12345,
					0xfffff, 0x100000, 0xffffffffffull};
	pgprot_t rw = __pgprot(_PAGE_BASE | _PAGE_RW | _PAGE_NX);
	unsigned i;

	UNUSED_MACHINE;
	for (i = 0; i < ARRAY_LEN(pfns); i++) {
		pte_t e = pfn_pte(pfns[i], rw),
		      none = pfn_pte(pfns[i], PAGE_NONE);

		CHECK_EQ(e.v, pfns[i] << 12 | 0x8000000000000027);
		CHECK(pte_present(e) && pte_write(e) && !pte_exec(e));
		CHECK_EQ(none.v, (~(pfns[i] << 12) & 0xffffffffff000) | 0x120);
		CHECK(pte_present(none) && pte_protnone(none));
		CHECK_EQ(pte_pfn(e), pfns[i]);
		CHECK_EQ(pte_pfn(none), pfns[i]);
		e = pte_mkspecial(pte_mkuffd_wp(pte_mkdirty(e)));
		CHECK_EQ(e.v, pfns[i] << 12 | 0x8000000000000e67);
		none = pte_modify(e, PAGE_NONE);
		CHECK(pte_protnone(none) && pte_dirty(none));
		CHECK(pte_special(none) && pte_uffd_wp(none));
		CHECK_EQ(pte_pfn(none), pfns[i]);
		CHECK(pte_same(pte_modify(none, rw), e));
	}
}

/* behaviour: P3 */
TEST_PLAIN(pae_swap_entries)
{
	unsigned type, bit;

	UNUSED_MACHINE;
	for (type = 0; type < 64; type++)
		for (bit = 0; bit < 46; bit++) {
			uint64_t off = 1ull << bit | type;
			pte_t e = swp_entry_to_pte(swp_entry(type, off));

			CHECK(!pte_present(e) && is_swap_pte(e));
			CHECK_EQ(e.v & 0x10f, 0);
			e = pte_swp_mkexclusive(
				pte_swp_mkuffd_wp(pte_swp_mksoft_dirty(e)));
			CHECK_EQ(e.v & 0x10f, 0xe);
			CHECK_EQ(swp_type(pte_to_swp_entry(e)), type);
			CHECK_EQ(swp_offset(pte_to_swp_entry(e)), off);
		}
	CHECK(!pte_none(swp_entry_to_pte(swp_entry(0, SWP_MAX_OFFSET))));
}

/* behaviours: P1 (three levels; pgd and p4d fold away), P5 */
TEST(pae_levels_of_tables)
{
	struct sim_task *t = sim_task_create_bare(m);
	uint64_t before = mm_stats(t).table_bytes;
	uaddr_t high = quire_task_size(sim_quire(m)) - PG;
	pud_t *pdpt = (pud_t *)(void *)t->qt.mm->pgd;
	const uint64_t *ref = sim_phys(m, sim_quire(m)->arch.kernel_root);
	paddr_t pdpte2 = pdpt[2].v;
	unsigned i;

	CHECK_EQ(sim_quire(m)->levels, 3);
	CHECK_EQ(quire_task_size(sim_quire(m)), 0xc0000000);
	/* the top and the user's three directories, there from the start */
	CHECK_EQ(before, 4 * PG);
	for (i = 0; i < 3; i++) {
		/* P and the frame: every other bit below 12 is reserved */
		CHECK_EQ(pdpt[i].v & 0xfff, 1);
		CHECK(!pud_none(pdpt[i]) && !pud_bad(pdpt[i]));
		CHECK(!(ref[i] & 1));
	}
	/* the kernel's directory is one for all */
	CHECK(ref[3] & 1);
	CHECK_EQ(pdpt[3].v, ref[3]);
	CHECK_EQ((uaddr_t)sim_mmap(t, high, PG, RW, ANON | MAP_FIXED, NULL, 0),
		 high);
	put64(t, high, 3);
	CHECK_EQ(mm_stats(t).table_bytes - before, PG);
	CHECK_EQ(pmdp_get(walk_to_pmd(t->qt.mm, high)).v & 0xfff, 0x27);
	CHECK_EQ(pud_addr_end(0x3ffff000, 0xc0000000), 0x40000000);
	CHECK_EQ(pud_addr_end(0xc0000000, 0), 0); /* the very end */
	CHECK_EQ(sim_munmap(t, 0, 0xc0000000), 0);
	/* no PDPTE changes while the address space lives: CR3 holds copies */
	CHECK_EQ(mm_stats(t).table_bytes, before);
	CHECK_EQ(pdpt[2].v, pdpte2);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/*
 * behaviours: P1, P5 (CR3 has 32 bits: the top page lies below 4 GiB though
 * most memory does not)
 */
TEST_WITH(pae_top_page_is_low, .config = {.ram_bytes = 4352ull << 20},
	  .seconds = 120)
{
	struct sim_task *t[64];
	paddr_t root, highest = 0;
	unsigned i;

	for (i = 0; i < 64; i++) {
		uaddr_t a;

		t[i] = sim_task_create(m);
		REQUIRE(t[i]);
		sim_run(t[i]);
		root = sim_current_root(m);
		CHECK_EQ(root >> 32, 0);
		CHECK_EQ(root & 31, 0);
		/* so that tables are not all there is to allocate */
		a = anon(t[i], 64);
		CHECK_EQ(sim_touch_write(t[i], a, 64 * PG, 1), 0);
		if (frame_of(t[i], a) > highest)
			highest = frame_of(t[i], a);
	}
	/* or the test would have shown nothing */
	CHECK(highest >> 32 != 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < 64; i++)
		sim_exit(t[i]);
}
