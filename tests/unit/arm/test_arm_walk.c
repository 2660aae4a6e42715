/* SPDX-License-Identifier: MIT */
/*
 * The simulated ARM against tables built by hand, word by word, as DDI 0406C
 * B3 tells: the status and every bit of DFSR and IFSR, domains, AP in both
 * models, XN, PXN, sections and supersections, large pages, TTBCR's split, and
 * what the TLB may keep.
 */
#include <sim/mmu_arm.h>

#include <tests/harness/harness.h>

#define WNR  0x800u
#define IFSR 0x80000000u

/* small page: user may read and write; with access flag; and what to add */
#define SMALL	  0x83eu /* nG, AP[2:0] = 011, C, B, no XN */
#define XN	  0x001u
#define AF	  0x010u
#define USER	  0x020u
#define AP2	  0x200u
#define NG	  0x800u
#define DOMAIN(d) ((uint32_t)(d) << 5)
/* section: nG, AP[2:0] = 011, C, B */
#define SECT	  0x20c0eu
#define SECT_XN	  0x10u
#define SECT_AF	  0x400u
#define SECT_USER 0x800u
#define SECT_AP2  0x8000u
#define SECT_NG	  0x20000u

/* Where the test's tables are. */
struct tables {
	struct sim_machine *m;
	paddr_t top, second, page;
	uaddr_t addr;
};

static uint32_t *first(struct tables *t)
{
	return (uint32_t *)sim_phys(t->m, t->top) + (t->addr >> 20);
}

static uint32_t *second(struct tables *t)
{
	return (uint32_t *)sim_phys(t->m, t->second) + (t->addr >> 12 & 255);
}

/* t->page at addr, in domain 1, with every right; loaded on this CPU. */
static void build(struct tables *t, struct sim_machine *m, uaddr_t addr)
{
	uint64_t bytes;
	paddr_t base = sim_reserved(m, &bytes);

	memset(sim_phys(m, base), 0, 8 * 4096);
	t->m = m;
	t->addr = addr;
	t->top = base;
	t->second = base + 0x4400; /* any KiB will do */
	t->page = base + 0x6000;
	*first(t) = (uint32_t)t->second | DOMAIN(1) | 1;
	*second(t) = (uint32_t)t->page | SMALL;
	sim_load_table(m, t->top, 0, false);
}

/* The answer straight from the tables: FSR, or 0 and the address in *phys. */
static uint32_t walk_to(struct tables *t, enum sim_access_kind kind,
			unsigned mode, paddr_t *phys)
{
	struct sim_walk w;

	quire_host_flush_all(true);
	if (sim_translate(t->m, kind, mode, t->addr, false, &w)) {
		*phys = w.phys;
		return 0;
	}
	CHECK(!w.gp && w.error);
	return w.error;
}

static uint32_t walk(struct tables *t, enum sim_access_kind kind, unsigned mode)
{
	paddr_t phys = t->page | (t->addr & 4095);
	uint32_t e = walk_to(t, kind, mode, &phys);

	CHECK_EQ(phys, t->page | (t->addr & 4095));
	return e;
}

static void back(struct sim_machine *m)
{
	sim_arm_set_dacr(m, 0x15);
	sim_arm_set_ttbcr(m, 0, 0);
	sim_load_table(m, 0x4000, 0, false);
	quire_host_flush_all(true);
}

/* behaviours: E12, P1 (translation faults of both levels) */
TEST(arm_walk_translation_faults)
{
	struct tables t;
	uint32_t d;

	build(&t, m, 0x12345678);
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	CHECK_EQ(walk(&t, SIM_WRITE, 0), 0);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0);
	d = *first(&t);
	*first(&t) = d & ~3u; /* the other bits are ignored */
	CHECK_EQ(walk(&t, SIM_READ, 0), 0x5);
	CHECK_EQ(walk(&t, SIM_WRITE, 0), 0x5 | WNR);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0x5 | IFSR);
	CHECK_EQ(walk(&t, SIM_READ, SIM_KERNEL), 0x5);
	*first(&t) = d;
	*second(&t) &= ~3u;
	CHECK_EQ(walk(&t, SIM_READ, 0), 0x17); /* domain 1 */
	CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), 0x17 | WNR);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0x7 | IFSR);
	back(m);
}

/* behaviour: P7 (without the flag: Access flag fault, before all rights) */
TEST(arm_walk_access_flag)
{
	struct tables t;

	build(&t, m, 0x00010000);
	*second(&t) &= ~AF;
	CHECK_EQ(walk(&t, SIM_READ, 0), 0x16);
	CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), 0x16 | WNR);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0x6 | IFSR);
	*second(&t) |= AP2 | XN;
	CHECK_EQ(walk(&t, SIM_WRITE, 0), 0x16 | WNR);
	sim_arm_set_dacr(m, 0);
	CHECK_EQ(walk(&t, SIM_READ, 0), 0x16);
	sim_arm_set_dacr(m, 0xffffffff); /* nor does a manager escape it */
	CHECK_EQ(walk(&t, SIM_READ, 0), 0x16);
	*first(&t) = SECT & ~SECT_AF;
	CHECK_EQ(walk(&t, SIM_READ, 0), 0x3);
	back(m);
}

/* behaviours: P1, E12 (AP[2:1], XN: permission faults of a page) */
TEST(arm_walk_page_rights)
{
	struct tables t;
	uint32_t d;

	build(&t, m, 0xbefff004);
	d = *second(&t);
	*second(&t) = d | AP2;
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	CHECK_EQ(walk(&t, SIM_WRITE, 0), 0x1f | WNR);
	CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), 0x1f | WNR);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0);
	*second(&t) = d & ~USER;
	CHECK_EQ(walk(&t, SIM_READ, 0), 0x1f);
	CHECK_EQ(walk(&t, SIM_WRITE, 0), 0x1f | WNR);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0xf | IFSR);
	CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), 0);
	/* STRT: the kernel with the user's rights */
	CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL | SIM_FIXUP), 0x1f | WNR);
	*second(&t) = d | XN;
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0xf | IFSR);
	CHECK_EQ(walk(&t, SIM_FETCH, SIM_KERNEL), 0xf | IFSR);
	back(m);
}

/* behaviour: P1 (domains: no access, client, reserved, manager) */
TEST(arm_walk_domains)
{
	struct tables t;
	unsigned d;

	build(&t, m, 0x40000ffc);
	for (d = 0; d < 16; d++) {
		uint32_t field = d << 4;

		*first(&t) = (uint32_t)t.second | DOMAIN(d) | 1;
		*second(&t) = (uint32_t)t.page | SMALL | AP2 | XN;
		sim_arm_set_dacr(m, ~(3u << 2 * d)); /* others: manager */
		CHECK_EQ(walk(&t, SIM_READ, 0), 0xb | field);
		CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), 0xb | field | WNR);
		CHECK_EQ(walk(&t, SIM_FETCH, 0), 0xb | IFSR);
		sim_arm_set_dacr(m, 2u << 2 * d); /* reserved: as none */
		CHECK_EQ(walk(&t, SIM_READ, 0), 0xb | field);
		sim_arm_set_dacr(m, 1u << 2 * d); /* client: checked */
		CHECK_EQ(walk(&t, SIM_READ, 0), 0);
		CHECK_EQ(walk(&t, SIM_WRITE, 0), 0xf | field | WNR);
		sim_arm_set_dacr(m, 3u << 2 * d); /* manager: nothing is */
		CHECK_EQ(walk(&t, SIM_WRITE, 0), 0);
		CHECK_EQ(walk(&t, SIM_FETCH, 0), 0);
		*first(&t) = (0x100000u | SECT | SECT_AP2) + DOMAIN(d);
		sim_arm_set_dacr(m, 1u << 2 * d);
		CHECK_EQ(walk(&t, SIM_WRITE, 0), 0xd | field | WNR);
		sim_arm_set_dacr(m, 0);
		CHECK_EQ(walk(&t, SIM_READ, 0), 0x9 | field);
	}
	back(m);
}

/* behaviour: P1 (sections, supersections, large pages are read) */
TEST(arm_walk_large)
{
	struct tables t;
	paddr_t phys;

	build(&t, m, 0x21765432);
	*first(&t) = 0x00200000 | SECT;
	CHECK_EQ(walk_to(&t, SIM_FETCH, 0, &phys), 0);
	CHECK_EQ(phys, 0x00265432);
	*first(&t) |= SECT_XN;
	CHECK_EQ(walk_to(&t, SIM_FETCH, 0, &phys), 0xd | IFSR);
	CHECK_EQ(walk_to(&t, SIM_WRITE, 0, &phys), 0);
	*first(&t) = (0x00200000 | SECT) & ~SECT_USER;
	CHECK_EQ(walk_to(&t, SIM_READ, 0, &phys), 0xd);
	CHECK_EQ(walk_to(&t, SIM_READ, SIM_KERNEL, &phys), 0);
	/* 16 MiB; what would be the domain is address, and domain 0 holds */
	*first(&t) = 0x02000000 | SECT | 1u << 18;
	CHECK_EQ(walk_to(&t, SIM_READ, 0, &phys), 0);
	CHECK_EQ(phys, 0x02765432);
	*first(&t) |= DOMAIN(5) | 3u << 20;
	CHECK_EQ(walk_to(&t, SIM_READ, 0, &phys), 0);
	CHECK_EQ(phys, 0x5302765432ull);
	sim_arm_set_dacr(m, 0xfffffffc);
	CHECK_EQ(walk_to(&t, SIM_READ, 0, &phys), 0x9);
	sim_arm_set_dacr(m, 0x15);
	/* 64 KiB: XN is bit 15, TEX lies above it */
	*first(&t) = (uint32_t)t.second | DOMAIN(1) | 1;
	*second(&t) = 0x00230000 | (SMALL & ~2u) | 1;
	CHECK_EQ(walk_to(&t, SIM_FETCH, 0, &phys), 0);
	CHECK_EQ(phys, 0x00235432);
	*second(&t) |= 0x8000;
	CHECK_EQ(walk_to(&t, SIM_FETCH, 0, &phys), 0xf | IFSR);
	CHECK_EQ(walk_to(&t, SIM_READ, 0, &phys), 0);
	back(m);
}

/* Type 3 of the first level: a section with PXN, or reserved on ARMv6. */
TEST(arm_walk_pxn)
{
	bool v7 = sim_get_config(m)->arm_version == 7;
	struct tables t;
	paddr_t phys = 0;

	build(&t, m, 0x30012345);
	*first(&t) = 0x00200000 | SECT | 1;
	CHECK_EQ(walk_to(&t, SIM_FETCH, 0, &phys), v7 ? 0 : 0x5 | IFSR);
	CHECK_EQ(walk_to(&t, SIM_FETCH, SIM_KERNEL, &phys),
		 v7 ? 0xd | IFSR : 0x5 | IFSR);
	*first(&t) = (uint32_t)t.second | DOMAIN(1) | 4 | 1;
	CHECK_EQ(walk_to(&t, SIM_FETCH, SIM_KERNEL, &phys),
		 v7 ? 0xf | IFSR : 0);
	CHECK_EQ(walk_to(&t, SIM_READ, SIM_KERNEL, &phys), 0);
	back(m);
}

/* behaviour: P1 (AP[2:0] where AP[0] is no access flag: table B3-8) */
TEST_WITH(arm_walk_full_ap, .config = {.arm_no_afe = true})
{
	/* kernel reads, writes; user reads, writes */
	static const bool may[8][4] = {
		{0, 0, 0, 0}, {1, 1, 0, 0}, {1, 1, 1, 0}, {1, 1, 1, 1},
		{0, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 1, 0}, {1, 0, 1, 0},
	};
	struct tables t;
	unsigned ap;

	build(&t, m, 0x7ffff000);
	for (ap = 0; ap < 8; ap++) {
		if (ap == 7 && sim_get_config(m)->arm_version == 6)
			continue; /* reserved there */
		*second(&t) = (uint32_t)t.page | 0x80e | (ap & 3) << 4 |
			      (ap & 4) << 7;
		CHECK_EQ(walk(&t, SIM_READ, SIM_KERNEL), may[ap][0] ? 0 : 0x1f);
		CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL),
			 may[ap][1] ? 0 : 0x1f | WNR);
		CHECK_EQ(walk(&t, SIM_READ, 0), may[ap][2] ? 0 : 0x1f);
		CHECK_EQ(walk(&t, SIM_WRITE, 0), may[ap][3] ? 0 : 0x1f | WNR);
		CHECK_EQ(walk(&t, SIM_FETCH, 0), may[ap][2] ? 0 : 0xf | IFSR);
	}
	back(m);
}

/* behaviour: P1 (TTBCR.N: which table, and where its first word is) */
TEST(arm_walk_split)
{
	struct tables t;
	uint64_t bytes;
	paddr_t base = sim_reserved(m, &bytes), phys, low;
	unsigned n;

	for (n = 1; n < 8; n++) {
		build(&t, m, (1u << (32 - n)) - 0x1000);
		/* the short table is aligned to its own size only */
		low = base + 0x8000 + (0x4000u >> n);
		memset(sim_phys(m, base + 0x8000), 0, 0x4000);
		((uint32_t *)sim_phys(m, low))[t.addr >> 20] =
			0x00200000 | SECT;
		sim_load_table(m, low, 0, false);
		sim_arm_set_ttbcr(m, n, t.top);
		*first(&t) = 0;
		CHECK_EQ(walk_to(&t, SIM_READ, 0, &phys), 0);
		CHECK_EQ(phys, 0x00200000 | (t.addr & 0xfffff));
		/* the first address above is TTBR1's, whose table is whole */
		t.addr += 0x1000;
		*first(&t) = 0x00300000 | SECT;
		CHECK_EQ(walk_to(&t, SIM_READ, 0, &phys), 0);
		CHECK_EQ(phys, 0x00300000);
		sim_arm_set_ttbcr(m, n | 1u << 5, t.top); /* PD1 */
		CHECK_EQ(walk_to(&t, SIM_READ, 0, &phys), 0x5);
		t.addr -= 0x1000;
		CHECK_EQ(walk_to(&t, SIM_READ, 0, &phys), 0);
		sim_arm_set_ttbcr(m, n | 1u << 4, t.top); /* PD0 */
		CHECK_EQ(walk_to(&t, SIM_WRITE, 0, &phys), 0x5 | WNR);
	}
	back(m);
}

static bool cached(struct tables *t, enum sim_access_kind kind, unsigned mode,
		   uint32_t *error)
{
	struct sim_walk w;
	bool ok = sim_translate(t->m, kind, mode, t->addr, true, &w);

	*error = w.error;
	return ok;
}

/* What a TLB keeps: rights, domain; not an old entry; by ASID or global. */
TEST_WITH(arm_tlb_keeps, .config = {.asids = 4})
{
	struct tables t;
	uint32_t e;

	build(&t, m, 0x50000000);
	sim_load_table(m, t.top, 1, false);
	*second(&t) |= AP2;
	CHECK(cached(&t, SIM_READ, 0, &e));
	*second(&t) &= ~AP2;
	/* the fault does not end the entry: a flush does */
	CHECK(!cached(&t, SIM_WRITE, 0, &e) && e == (0x1f | WNR));
	CHECK(!cached(&t, SIM_WRITE, 0, &e) && e == (0x1f | WNR));
	quire_host_flush_page(t.addr);
	CHECK(cached(&t, SIM_WRITE, 0, &e));
	/* the domain is kept with it, DACR is read at each access */
	sim_arm_set_dacr(m, 0);
	CHECK(!cached(&t, SIM_READ, 0, &e) && e == 0x1b);
	sim_arm_set_dacr(m, 0x15);
	CHECK(cached(&t, SIM_READ, 0, &e));
	/* an old or absent entry was never kept */
	quire_host_flush_page(t.addr);
	*second(&t) &= ~AF;
	CHECK(!cached(&t, SIM_READ, 0, &e) && e == 0x16);
	*second(&t) |= AF;
	CHECK(cached(&t, SIM_READ, 0, &e));
	/* nG: of ASID 1 only; without it everybody's */
	*second(&t) &= ~NG;
	sim_load_table(m, t.top, 2, true);
	CHECK(cached(&t, SIM_READ, 0, &e));
	*second(&t) = 0;
	sim_load_table(m, t.top, 1, true);
	CHECK(cached(&t, SIM_READ, 0, &e));
	quire_host_flush_asid_range(1, t.addr, t.addr + 4096);
	sim_load_table(m, t.top, 3, true);
	CHECK(!cached(&t, SIM_READ, 0, &e) && e == 0x17);
	back(m);
}

/* behaviour: E12 (aborts that come from no table) */
TEST(arm_injected_aborts)
{
	struct tables t;

	build(&t, m, 0x60000000);
	sim_arm_inject(m, 0x08);
	CHECK_EQ(walk(&t, SIM_READ, 0), 0x08);
	sim_arm_inject(m, 0x16);
	CHECK_EQ(walk(&t, SIM_WRITE, 0), 0x406 | WNR);
	sim_arm_inject(m, 0x0e);
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0x0e | IFSR);
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	back(m);
}
