/* SPDX-License-Identifier: MIT */
/*
 * ARM's entries bit by bit, with the values worked out by hand from DDI 0406C
 * B3.5.1 and B3.7; the two levels; the kernel half.
 */
#include <anonymous.h>

#include <tests/unit/entries.h>

/* nG, AP[2:1] = 11 (read-only for user and kernel), access flag, C, B, small */
#define USER_RO 0xa3eu
#define XN	0x001u
#define AP2	0x200u
#define AF	0x010u

/* behaviours: P1, P2 (small pages: frame, XN, AP[2:0], C and B, nG) */
TEST_PLAIN(arm_entry_bits)
{
	static const uint64_t pfns[] = {0, 1, 0x12345, 0xfffff};
	pgprot_t ro = __pgprot(_PAGE_BASE);
	pgprot_t rw = __pgprot(_PAGE_BASE | _PAGE_WRITE | _PAGE_XN);
	unsigned i;

	UNUSED_MACHINE;
	for (i = 0; i < ARRAY_LEN(pfns); i++) {
		uint32_t frame = (uint32_t)pfns[i] << 12;
		pte_t e = pfn_pte(pfns[i], ro);

		CHECK_EQ(e.v, frame | USER_RO);
		CHECK(pte_present(e) && pte_exec(e) && !pte_write(e));
		CHECK(pte_young(e) && !pte_dirty(e) && !pte_protnone(e));
		e = pfn_pte(pfns[i], rw);
		CHECK_EQ(e.v, frame | 0xa7f);
		CHECK(!pte_exec(e) && pte_write(e) && !pte_dirty(e));
		/* only writable and dirty lets the processor write */
		e = pte_mkdirty(e);
		CHECK_EQ(e.v, frame | 0xcff);
		CHECK(!(e.v & AP2) && pte_soft_dirty(e));
		CHECK(pte_same(pte_mkwrite(e), e));
		CHECK(pte_same(pte_mkdirty(e), e));
		CHECK_EQ(pte_mkclean(e).v, frame | 0xe7f);
		CHECK_EQ(pte_wrprotect(e).v, frame | 0xebf);
		CHECK_EQ(pte_mkwrite(pte_wrprotect(e)).v, e.v);
		CHECK_EQ(pte_mkwrite(pte_mkdirty(pfn_pte(pfns[i], ro))).v,
			 frame | 0xcfe);
		CHECK_EQ(pte_mkdirty(pte_mkwrite(pfn_pte(pfns[i], ro))).v,
			 frame | 0xcfe);
		CHECK_EQ(pte_mkold(e).v, e.v & ~AF);
		CHECK(!pte_young(pte_mkold(e)));
		CHECK(pte_same(pte_mkyoung(pte_mkold(e)), e));
		CHECK_EQ(pte_mkspecial(e).v, e.v | 0x100);
		CHECK(!pte_soft_dirty(pte_clear_soft_dirty(e)));
		CHECK_EQ(pte_pfn(e), pfns[i]);
	}
}

/* behaviour: P2 (PROT_NONE: ignored by the processor, the frame inverted) */
TEST_PLAIN(arm_protnone)
{
	pgprot_t rw = __pgprot(_PAGE_BASE | _PAGE_WRITE | _PAGE_XN);
	uint64_t pfn;

	UNUSED_MACHINE;
	for (pfn = 1; pfn < 0x100000; pfn = pfn * 3 + 1) {
		pte_t e = pte_mkspecial(pte_mkdirty(pfn_pte(pfn, rw)));
		pte_t none = pte_modify(e, PAGE_NONE);

		CHECK_EQ(none.v & 3, 0);
		CHECK_EQ(none.v >> 12, ~pfn & 0xfffff);
		CHECK(pte_present(none) && pte_protnone(none));
		CHECK(!is_swap_pte(none) && !pte_exec(none));
		CHECK(pte_dirty(none) && pte_special(none) && pte_young(none));
		CHECK(pte_soft_dirty(none) && !pte_write(none));
		CHECK_EQ(pte_pfn(none), pfn);
		CHECK(pte_same(pte_modify(none, rw), e));
		CHECK(pte_same(pfn_pte(pfn, PAGE_NONE),
			       pte_modify(pfn_pte(pfn, rw), PAGE_NONE)));
		/* to another protection: dirty decides about AP[2] */
		CHECK(pte_modify(e, __pgprot(_PAGE_BASE)).v & AP2);
		e = pte_modify(pte_mkclean(e), rw);
		CHECK((e.v & AP2) && pte_write(e));
	}
}

/* behaviour: P2 (uffd-wp survives what is done to the entry) */
TEST_PLAIN(arm_uffd_wp)
{
	pgprot_t rw = __pgprot(_PAGE_BASE | _PAGE_WRITE | _PAGE_XN);
	pte_t e = pfn_pte(0x777, rw), u, none;

	UNUSED_MACHINE;
	CHECK(!pte_uffd_wp(e) && !pte_uffd_wp(pte_mkdirty(e)));
	CHECK(!pte_uffd_wp(pte_wrprotect(e)));
	CHECK(!pte_uffd_wp(pte_wrprotect(pte_mkdirty(e))));
	u = pte_mkuffd_wp(pte_wrprotect(e));
	CHECK(pte_uffd_wp(u) && !pte_write(u) && (u.v & AP2));
	CHECK(pte_uffd_wp(pte_mkwrite(u)) && pte_uffd_wp(pte_mkdirty(u)));
	CHECK(pte_uffd_wp(pte_mkclean(u)) && pte_uffd_wp(pte_wrprotect(u)));
	CHECK(pte_uffd_wp(pte_mkold(u)) && pte_uffd_wp(pte_mkspecial(u)));
	none = pte_modify(u, PAGE_NONE);
	CHECK(pte_uffd_wp(none) && pte_protnone(none));
	CHECK_EQ(pte_pfn(none), 0x777);
	CHECK(pte_same(pte_modify(none, rw), u));
	u = pte_clear_uffd_wp(u);
	CHECK(!pte_uffd_wp(u) && !pte_write(u) && (u.v & AP2));
	CHECK(pte_write(pte_mkwrite(u)));
}

/* behaviour: P3 (swap entries of 32 bits, with their own bits) */
TEST_PLAIN(arm_swap_entries)
{
	unsigned type;

	UNUSED_MACHINE;
	for (type = 0; type < 32; type++) {
		uint64_t off = 0x155555ull >> (type % 20);
		swp_entry_t swp = swp_entry(type, off);
		pte_t e = swp_entry_to_pte(swp), f;

		CHECK_EQ(e.v & 0x23, 0); /* no type, no mark of PROT_NONE */
		CHECK(is_swap_pte(e) && !pte_present(e) && !pte_none(e));
		f = pte_swp_mkexclusive(
			pte_swp_mkuffd_wp(pte_swp_mksoft_dirty(e)));
		CHECK(is_swap_pte(f) && pte_swp_exclusive(f));
		CHECK(pte_swp_soft_dirty(f) && pte_swp_uffd_wp(f));
		CHECK_EQ(swp_type(pte_to_swp_entry(f)), type);
		CHECK_EQ(swp_offset(pte_to_swp_entry(f)), off);
		f = pte_swp_clear_exclusive(
			pte_swp_clear_soft_dirty(pte_swp_clear_uffd_wp(f)));
		CHECK(pte_same(e, f));
	}
	CHECK(!pte_none(swp_entry_to_pte(swp_entry(0, 0))));
	CHECK(!pte_none(swp_entry_to_pte(swp_entry(0, SWP_MAX_OFFSET))));
	CHECK_EQ(SWP_MAX_OFFSET, (1 << 21) - 2);
}

/* behaviour: P1 (four hardware tables in a page; the four words together) */
TEST(arm_two_levels)
{
	struct sim_task *t = sim_task_create_bare(m);
	uint64_t before = mm_stats(t).table_bytes;
	uaddr_t a = 0x10300000;
	uint32_t *top = (uint32_t *)(void *)t->qt.mm->pgd;
	uint32_t *table;
	unsigned i;

	CHECK_EQ(before, 0x4000);
	CHECK_EQ(virt_to_phys(sim_quire(m), top) & 0x3fff, 0);
	CHECK_EQ(sim_mmap(t, a, PG, RW, ANON | MAP_FIXED, NULL, 0), a);
	put64(t, a, 3);
	CHECK_EQ(mm_stats(t).table_bytes - before, PG);
	for (i = 0; i < 4; i++) {
		uint32_t d = top[0x100 + i];

		/* type 1, domain 1, each 1 KiB after the one before */
		CHECK_EQ(d & 0x3ff, 0x21);
		CHECK_EQ(d >> 10, (top[0x100] >> 10) + i);
	}
	CHECK_EQ(top[0x100] & 0xc00, 0);
	CHECK_EQ(top[0xff] | top[0x104], 0);
	table = sim_phys(m, top[0x103] & ~0x3ffu);
	/* written: AP[2] clear, XN */
	CHECK_EQ(table[0] & 0x23f, 0x3f);
	CHECK_EQ(table[1], 0);
	CHECK_EQ(sim_munmap(t, a, PG), 0);
	CHECK_EQ(top[0x100] | top[0x101] | top[0x102] | top[0x103], 0);
	CHECK_EQ(mm_stats(t).table_bytes, before);
	sim_exit(t);
}

/* behaviour: P1 (protections as the tables of B3.7.1 give them) */
TEST(arm_protections)
{
	static const struct {
		unsigned prot, flags;
		uint32_t bits; /* of the entry that a read makes */
	} want[] = {
		{PROT_READ, ANON, USER_RO | XN},
		{PROT_READ | PROT_EXEC, ANON, USER_RO},
		{PROT_WRITE, SHANON, USER_RO | XN},
		{RW | PROT_EXEC, SHANON, USER_RO},
	};
	struct sim_task *t = sim_task_create(m);
	unsigned i;

	for (i = 0; i < ARRAY_LEN(want); i++) {
		uaddr_t a =
			must_map(t, PG, want[i].prot, want[i].flags, NULL, 0);

		CHECK_EQ(sim_touch_read(t, a, 1), 0);
		CHECK_EQ(ptep_get(pte_at(t, a)).v & 0xa3f, want[i].bits);
	}
	sim_exit(t);
}

/* behaviours: P5, E13 (the kernel half; a word of it that came later) */
TEST(arm_kernel_half)
{
	struct quire *q = sim_quire(m);
	uint32_t *ref = phys_to_virt(q, q->arch.kernel_root);
	struct sim_task *t = sim_task_create(m), *c;
	uint32_t *top = (uint32_t *)(void *)t->qt.mm->pgd;

	c = sim_fork(t);
	CHECK_EQ(memcmp(top + 0xbf0, ref + 0xbf0, 0x410 * 4), 0);
	CHECK_EQ(memcmp((uint32_t *)(void *)c->qt.mm->pgd + 0xbf0, ref + 0xbf0,
			0x410 * 4),
		 0);
	CHECK_EQ(arch_copy_kernel_entry(q, t->qt.mm->pgd, 0xf1200000), -1);
	ref[0xf12] = 0x00100412; /* a section; its neighbours stay away */
	CHECK_EQ(arch_copy_kernel_entry(q, t->qt.mm->pgd, 0xf1234567), 1);
	CHECK_EQ(top[0xf12], 0x00100412);
	CHECK_EQ(top[0xf11] | top[0xf13], 0);
	CHECK_EQ(arch_copy_kernel_entry(q, t->qt.mm->pgd, 0xf1234567), 0);
	CHECK_EQ(arch_copy_kernel_entry(q, t->qt.mm->pgd, 0x10000), -1);
	ref[0xf12] = 0;
	sim_exit(c);
	sim_exit(t);
}
