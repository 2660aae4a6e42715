/* SPDX-License-Identifier: MIT */
/*
 * The simulated MMU against tables built by hand, entry by entry, as Intel SDM
 * vol. 3A, 4.5 ... 4.10 tells: every bit of the error code, accessed and
 * dirty, reserved bits, large pages, WP, SMEP, SMAP, canonical addresses, and
 * what the TLB may keep.
 */
#include <tests/harness/harness.h>

#define P    1ull
#define RW   2ull
#define US   4ull
#define A    0x20ull
#define D    0x40ull
#define PS   0x80ull
#define G    0x100ull
#define XD   (1ull << 63)
#define LINK (P | RW | US)

/* error code */
#define EP 1u
#define EW 2u
#define EU 4u
#define ER 8u
#define EI 16u

/* Where the test's tables are: root first, then down to the last level. */
struct tables {
	struct sim_machine *m;
	unsigned levels;
	paddr_t at[6]; /* [level] 1 = page table ... levels = root */
	paddr_t page;  /* a 4 KiB page to map */
	uaddr_t addr;
};

static uint64_t *slot(struct tables *t, unsigned level)
{
	unsigned shift = 12 + 9 * (level - 1);

	return (uint64_t *)sim_phys(t->m, t->at[level]) +
	       ((t->addr >> shift) & 511);
}

/* A full path to t->page at addr with every right, loaded on this CPU. */
static void build(struct tables *t, struct sim_machine *m, uaddr_t addr)
{
	uint64_t bytes;
	paddr_t base = sim_reserved(m, &bytes);
	unsigned l;

	memset(sim_phys(m, base), 0, 8 * 4096);
	t->m = m;
	t->addr = addr;
	t->levels = sim_get_config(m)->levels;
	for (l = 1; l <= t->levels; l++)
		t->at[l] = base + (l - 1) * 4096;
	t->page = base + 6 * 4096;
	*slot(t, 1) = t->page | LINK;
	for (l = 2; l <= t->levels; l++)
		*slot(t, l) = t->at[l - 1] | LINK;
	sim_load_table(m, t->at[t->levels], 0, false);
}

/* The answer straight from the tables: error code, or 0. */
static uint32_t walk(struct tables *t, enum sim_access_kind kind, unsigned mode)
{
	struct sim_walk w;

	/* the paging-structure cache must not hide an edit by hand */
	quire_host_flush_all(true);
	if (sim_translate(t->m, kind, mode, t->addr, false, &w)) {
		CHECK_EQ(w.phys, t->page | (t->addr & 4095));
		return 0;
	}
	CHECK(!w.gp);
	return w.error | 0x8000;
}
#define FAULT(e) ((e) | 0x8000u)

static void back(struct sim_machine *m)
{
	sim_load_table(m, 0x1000, 0, false);
	quire_host_flush_all(true);
}

/* behaviour: E1 (the error code that the entry gets) */
TEST(mmu_not_present_at_each_level)
{
	struct tables t;
	unsigned l;

	build(&t, m, 0x123456789123);
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	for (l = t.levels; l >= 1; l--) {
		uint64_t e = *slot(&t, l);

		*slot(&t, l) = e & ~P;
		CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EU));
		CHECK_EQ(walk(&t, SIM_WRITE, 0), FAULT(EU | EW));
		CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EU | EI));
		CHECK_EQ(walk(&t, SIM_READ, SIM_KERNEL), FAULT(0));
		CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), FAULT(EW));
		/* with P clear no other bit matters: not even reserved ones */
		*slot(&t, l) = ~P;
		CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EU));
		*slot(&t, l) = e;
	}
	back(m);
}

TEST(mmu_rights_at_each_level)
{
	struct tables t;
	unsigned l;

	build(&t, m, 0x7f0000201008);
	for (l = t.levels; l >= 1; l--) {
		uint64_t e = *slot(&t, l);

		*slot(&t, l) = e & ~RW;
		CHECK_EQ(walk(&t, SIM_READ, 0), 0);
		CHECK_EQ(walk(&t, SIM_WRITE, 0), FAULT(EP | EW | EU));
		CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), FAULT(EP | EW));
		*slot(&t, l) = e & ~US;
		CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EP | EU));
		CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EP | EU | EI));
		CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), 0);
		*slot(&t, l) = e | XD;
		CHECK_EQ(walk(&t, SIM_READ, 0), 0);
		CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EP | EU | EI));
		CHECK_EQ(walk(&t, SIM_FETCH, SIM_KERNEL), FAULT(EP | EI));
		*slot(&t, l) = e;
	}
	back(m);
}

TEST(mmu_reserved_bits)
{
	struct tables t;
	unsigned l;

	build(&t, m, 0x40000000);
	for (l = t.levels; l >= 1; l--) {
		uint64_t e = *slot(&t, l);

		*slot(&t, l) = e | 1ull << 51;
		CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EP | ER | EU));
		CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), FAULT(EP | ER | EW));
		if (l >= 4) {
			*slot(&t, l) = e | PS;
			CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EP | ER | EU));
		}
		*slot(&t, l) = e;
	}
	/* in a 2 MiB and a 1 GiB page the frame bits below its size */
	*slot(&t, 2) = 0x200000 | PS | LINK | 1ull << 13;
	CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EP | ER | EU));
	*slot(&t, 3) = PS | LINK | 1ull << 29;
	CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EP | ER | EU));
	back(m);
}

TEST_WITH(mmu_without_nx, .config = {.no_nx = true})
{
	struct tables t;

	build(&t, m, 0x40000000);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0);
	/* XD is then a reserved bit, and a fetch is not told from a read */
	*slot(&t, 1) |= XD;
	CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EP | ER | EU));
	*slot(&t, 1) &= ~(XD | P);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EU));
	back(m);
}

TEST_WITH(mmu_smep_smap, .config = {.smep = true, .smap = true})
{
	struct tables t;

	build(&t, m, 0x40000000);
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0);
	CHECK_EQ(walk(&t, SIM_READ, SIM_KERNEL), FAULT(EP));
	CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), FAULT(EP | EW));
	CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL | SIM_AC), 0);
	CHECK_EQ(walk(&t, SIM_FETCH, SIM_KERNEL), FAULT(EP | EI));
	CHECK_EQ(walk(&t, SIM_FETCH, SIM_KERNEL | SIM_AC), FAULT(EP | EI));
	*slot(&t, 1) &= ~US;
	CHECK_EQ(walk(&t, SIM_READ, SIM_KERNEL), 0);
	CHECK_EQ(walk(&t, SIM_FETCH, SIM_KERNEL), 0);
	back(m);
}

TEST_WITH(mmu_write_protect_off, .config = {.no_wp = true})
{
	struct tables t;

	build(&t, m, 0x40000000);
	*slot(&t, 1) &= ~RW;
	CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), 0);
	CHECK_EQ(walk(&t, SIM_WRITE, 0), FAULT(EP | EW | EU));
	back(m);
}

TEST(mmu_accessed_and_dirty)
{
	struct tables t;
	unsigned l;

	build(&t, m, 0x40000000);
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	for (l = t.levels; l >= 1; l--)
		CHECK_EQ(*slot(&t, l) & (A | D), A);
	CHECK_EQ(walk(&t, SIM_WRITE, 0), 0);
	for (l = t.levels; l >= 2; l--)
		CHECK_EQ(*slot(&t, l) & (A | D), A);
	CHECK_EQ(*slot(&t, 1) & (A | D), A | D);
	/* an access that is refused leaves the leaf alone */
	*slot(&t, 1) = t.page | P | US;
	CHECK_EQ(walk(&t, SIM_WRITE, 0), FAULT(EP | EW | EU));
	CHECK_EQ(*slot(&t, 1) & (A | D), 0);
	back(m);
}

TEST(mmu_large_pages)
{
	struct sim_walk w;
	struct tables t;

	build(&t, m, 0x40000000 + 0x2abcde);
	*slot(&t, 2) = 0x600000 | PS | LINK;
	CHECK(sim_translate(m, SIM_WRITE, 0, t.addr, true, &w));
	CHECK_EQ(w.phys, 0x600000 + 0x0abcde);
	CHECK_EQ(w.page_shift, 21);
	CHECK_EQ(*slot(&t, 2) & (A | D), A | D);
	/* INVLPG of any address in it ends all its entries */
	CHECK(sim_translate(m, SIM_READ, 0, t.addr + 4096, true, &w));
	*slot(&t, 2) = 0;
	CHECK(sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	quire_host_flush_page(t.addr - 0x5000);
	CHECK(!sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	CHECK(!sim_translate(m, SIM_READ, 0, t.addr + 4096, true, &w));
	*slot(&t, 3) = PS | LINK | G;
	quire_host_flush_all(true);
	CHECK(sim_translate(m, SIM_READ, 0, t.addr, false, &w));
	CHECK_EQ(w.phys, 0x2abcde);
	CHECK_EQ(w.page_shift, 30);
	CHECK(w.global);
	back(m);
}

TEST(mmu_canonical)
{
	bool five = test_levels(m) == 5;
	struct sim_walk w;
	struct tables t;

	build(&t, m, five ? 0x00ffffffffffeff8 : 0x00007fffffffeff8);
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	CHECK(!sim_translate(m, SIM_READ, 0, 0x0000800000000000, true, &w));
	CHECK_EQ(w.gp, !five);
	CHECK(!sim_translate(m, SIM_READ, 0, 0x0100000000000000, true, &w));
	CHECK(w.gp);
	CHECK(!sim_translate(m, SIM_READ, 0, 0x8000000000000000, true, &w));
	CHECK(w.gp);
	CHECK(!sim_translate(m, SIM_READ, 0, 0xffff800000000000, true, &w));
	CHECK(!w.gp);
	back(m);
}

/* The kernel half's direct map, in global large pages. */
TEST(mmu_kernel_direct_map)
{
	uaddr_t base =
		test_levels(m) == 5 ? 0xff11000000000000 : 0xffff888000000000;
	struct sim_walk w;

	back(m);
	CHECK(sim_translate(m, SIM_WRITE, SIM_KERNEL, base + 0x123456, true,
			    &w));
	CHECK_EQ(w.phys, 0x123456);
	CHECK(w.global && !w.user && w.nx);
	CHECK(!sim_translate(m, SIM_READ, 0, base + 0x123456, true, &w));
	CHECK_EQ(w.error, EP | EU);
}

/*
 * What hardware may keep: without a flush the old translation goes on; with
 * too few rights it faults once, and that fault ends it.
 */
TEST_WITH(mmu_tlb_keeps_what_is_not_flushed, .config = {.asids = 8})
{
	struct sim_walk w;
	struct tables t;
	paddr_t root;

	build(&t, m, 0x40000000);
	root = t.at[t.levels];
	sim_load_table(m, root, 3, false);
	CHECK(sim_translate(m, SIM_WRITE, 0, t.addr, true, &w));
	*slot(&t, 1) = 0;
	CHECK(sim_translate(m, SIM_WRITE, 0, t.addr, true, &w));
	CHECK_EQ(w.phys, t.page);
	/* another id does not see it, and on coming back it is still there */
	sim_load_table(m, root, 4, false);
	CHECK(!sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	sim_load_table(m, root, 3, true);
	CHECK(sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	sim_load_table(m, root, 3, false);
	CHECK(!sim_translate(m, SIM_READ, 0, t.addr, true, &w));

	/* spurious: the entry in the TLB is read-only, the table is not */
	*slot(&t, 1) = t.page | P | US;
	CHECK(sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	*slot(&t, 1) = t.page | LINK;
	CHECK(!sim_translate(m, SIM_WRITE, 0, t.addr, true, &w));
	CHECK_EQ(w.error, EP | EW | EU);
	CHECK(sim_translate(m, SIM_WRITE, 0, t.addr, true, &w));

	/* a write through an entry cached clean sets dirty in the table */
	*slot(&t, 1) = t.page | LINK;
	quire_host_flush_page(t.addr);
	CHECK(sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	CHECK(!(*slot(&t, 1) & D));
	CHECK(sim_translate(m, SIM_WRITE, 0, t.addr, true, &w));
	CHECK(*slot(&t, 1) & D);

	/* a table taken out without a flush is still walked */
	quire_host_flush_page(t.addr);
	CHECK(sim_translate(m, SIM_READ, 0, t.addr + 1, true, &w));
	*slot(&t, 2) = 0;
	t.addr += 4096;
	*slot(&t, 1) = t.page | LINK;
	CHECK(sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	quire_host_flush_page(t.addr);
	CHECK(!sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	back(m);
}

TEST_WITH(mmu_global_entries, .config = {.asids = 8})
{
	struct sim_walk w;
	struct tables t;
	paddr_t root;

	build(&t, m, 0x40000000);
	root = t.at[t.levels];
	*slot(&t, 1) |= G;
	sim_load_table(m, root, 1, false);
	CHECK(sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	*slot(&t, 1) = 0;
	sim_load_table(m, root, 2, false);
	CHECK(sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	quire_host_flush_all(false);
	CHECK(sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	quire_host_flush_all(true);
	CHECK(!sim_translate(m, SIM_READ, 0, t.addr, true, &w));
	back(m);
}

/* With random evictions every answer still agrees with the tables. */
TEST_WITH(mmu_random_evictions,
	  .config = {.tlb_evict = 3, .tlb_sets = 4, .tlb_ways = 2})
{
	struct sim_walk w;
	struct tables t;
	unsigned i;

	build(&t, m, 0x40000000);
	for (i = 0; i < 512; i++)
		((uint64_t *)sim_phys(m, t.at[1]))[i] =
			(0x100000 + i * 4096ull) | LINK;
	for (i = 0; i < 20000; i++) {
		uaddr_t a = t.addr + (i * 7919ull % 512) * 4096 + 5;

		if (!sim_translate(m, i & 1 ? SIM_READ : SIM_WRITE, 0, a, true,
				   &w) ||
		    w.phys != 0x100000 + (a - t.addr))
			break;
	}
	CHECK_EQ(i, 20000);
	back(m);
}
