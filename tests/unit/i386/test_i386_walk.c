/* SPDX-License-Identifier: MIT */
/*
 * The simulated MMU against two-level tables built by hand, entry by entry, as
 * Intel SDM vol. 3A, 4.3 and 4.6 ... 4.8 tell: 4 KiB and 4 MiB pages, rights,
 * error codes, accessed and dirty, the reserved bit, what the TLB may keep.
 */
#include <tests/harness/harness.h>

#define P  1u
#define RW 2u
#define US 4u
#define A  0x20u
#define D  0x40u
#define PS 0x80u
#define G  0x100u

/* error code */
#define EP	 1u
#define EW	 2u
#define EU	 4u
#define ER	 8u
#define EI	 16u
#define FAULT(e) ((e) | 0x8000u)

#define ADDR 0xbf807123u /* PDE 766, PTE 7 */

struct tables {
	struct sim_machine *m;
	uint32_t *pde, *pte;
	paddr_t page;
};

static struct tables build(struct sim_machine *m)
{
	uint64_t bytes;
	paddr_t base = sim_reserved(m, &bytes);
	struct tables t = {.m = m, .page = base + 0x2000};

	memset(sim_phys(m, base), 0, 0x3000);
	t.pde = (uint32_t *)sim_phys(m, base) + 766;
	t.pte = (uint32_t *)sim_phys(m, base + 0x1000) + 7;
	*t.pde = (uint32_t)(base + 0x1000) | P | RW | US;
	*t.pte = (uint32_t)t.page | P | RW | US;
	sim_load_table(m, base, 0, false);
	return t;
}

static void back(struct sim_machine *m)
{
	sim_load_table(m, 0x1000, 0, false);
	quire_host_flush_all(true);
}

/* The answer straight from the tables: 0, or FAULT(error code). */
static uint32_t walk(struct tables *t, enum sim_access_kind kind, unsigned mode)
{
	struct sim_walk w;

	quire_host_flush_all(true);
	if (!sim_translate(t->m, kind, mode, ADDR, false, &w))
		return FAULT(w.error);
	CHECK_EQ(w.phys, t->page | (ADDR & 4095));
	CHECK_EQ(w.page_shift, 12);
	return 0;
}

/* behaviours: P1, E1 (the error code that the entry gets) */
TEST(i386_walk_not_present)
{
	struct tables t = build(m);
	uint32_t *entry[2] = {t.pde, t.pte}, was;
	unsigned i;

	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	for (i = 0; i < 2; i++) {
		was = *entry[i];
		*entry[i] = ~P; /* no other bit matters */
		CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EU));
		CHECK_EQ(walk(&t, SIM_WRITE, 0), FAULT(EU | EW));
		CHECK_EQ(walk(&t, SIM_READ, SIM_KERNEL), FAULT(0));
		/* neither XD nor SMEP: a fetch looks like a read (4.7) */
		CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EU));
		*entry[i] = was;
	}
	back(m);
}

TEST(i386_walk_rights)
{
	struct tables t = build(m);
	uint32_t *entry[2] = {t.pde, t.pte}, was;
	unsigned i;

	for (i = 0; i < 2; i++) {
		was = *entry[i];
		*entry[i] = was & ~RW;
		CHECK_EQ(walk(&t, SIM_READ, 0), 0);
		CHECK_EQ(walk(&t, SIM_WRITE, 0), FAULT(EP | EU | EW));
		CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), FAULT(EP | EW));
		CHECK_EQ(walk(&t, SIM_FETCH, 0), 0);
		*entry[i] = was & ~US;
		CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EP | EU));
		CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EP | EU));
		CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), 0);
		*entry[i] = was;
	}
	back(m);
}

TEST_WITH(i386_walk_smep_smap, .config = {.smep = true, .smap = true})
{
	struct tables t = build(m);

	CHECK_EQ(walk(&t, SIM_FETCH, SIM_KERNEL), FAULT(EP | EI));
	CHECK_EQ(walk(&t, SIM_FETCH, 0), 0);
	CHECK_EQ(walk(&t, SIM_READ, SIM_KERNEL), FAULT(EP));
	CHECK_EQ(walk(&t, SIM_READ, SIM_KERNEL | SIM_AC), 0);
	*t.pte = 0;
	CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EU | EI));
	back(m);
}

/* behaviour: P1 (accessed and dirty are the processor's to set) */
TEST(i386_walk_accessed_dirty)
{
	struct tables t = build(m);

	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	CHECK_EQ(*t.pde & (A | D), A);
	CHECK_EQ(*t.pte & (A | D), A);
	CHECK_EQ(walk(&t, SIM_WRITE, 0), 0);
	CHECK_EQ(*t.pte & (A | D), A | D);
	CHECK_EQ(*t.pde & (A | D), A);
	/* a refused access marks no page */
	*t.pte &= ~(A | D | RW);
	CHECK_EQ(walk(&t, SIM_WRITE, 0), FAULT(EP | EU | EW));
	CHECK_EQ(*t.pte & (A | D), 0);
	back(m);
}

/* behaviour: P1 (4 MiB pages; bits 20 ... 13 are address bits 39 ... 32) */
TEST(i386_walk_large)
{
	struct tables t = build(m);
	struct sim_walk w;

	*t.pde = 0x00800000 | P | RW | US | PS | G;
	quire_host_flush_all(true);
	REQUIRE(sim_translate(m, SIM_WRITE, 0, ADDR, false, &w));
	CHECK_EQ(w.phys, 0x00800000 | (ADDR & 0x3fffff));
	CHECK_EQ(w.page_shift, 22);
	CHECK(w.global && w.writable && w.user && !w.nx);
	CHECK_EQ(*t.pde & (A | D), A | D);
	/* bit 12 is PAT, not part of the address */
	*t.pde |= 0x1000;
	CHECK(sim_translate(m, SIM_READ, 0, ADDR, false, &w));
	CHECK_EQ(w.phys, 0x00800000 | (ADDR & 0x3fffff));
	*t.pde = 0x00800000 | 0x5a << 13 | P | RW | US | PS;
	CHECK(sim_translate(m, SIM_READ, 0, ADDR, false, &w));
	CHECK_EQ(w.phys, 0x5a00800000 | (ADDR & 0x3fffff));
	*t.pde = 0x00800000 | 1 << 21 | P | RW | US | PS;
	CHECK(!sim_translate(m, SIM_READ, 0, ADDR, false, &w));
	CHECK_EQ(w.error, EP | EU | ER);
	/* in a PTE bit 7 is PAT */
	t = build(m);
	*t.pte |= PS;
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	back(m);
}

/* What was changed without a flush goes on as it was. */
TEST(i386_walk_stale)
{
	struct tables t = build(m);
	struct sim_walk w;

	REQUIRE(sim_translate(m, SIM_READ, 0, ADDR, true, &w));
	*t.pte = 0;
	CHECK(sim_translate(m, SIM_READ, 0, ADDR, true, &w));
	quire_host_flush_page(ADDR);
	CHECK(!sim_translate(m, SIM_READ, 0, ADDR, true, &w));
	/* the directory is cached apart from the page */
	*t.pte = (uint32_t)t.page | P | RW | US;
	REQUIRE(sim_translate(m, SIM_READ, 0, ADDR, true, &w));
	t.pte[1] = *t.pte;
	*t.pde = 0;
	CHECK(sim_translate(m, SIM_READ, 0, ADDR + 0x1000, true, &w));
	quire_host_flush_all(false);
	CHECK(!sim_translate(m, SIM_READ, 0, ADDR, true, &w));
	CHECK_EQ(w.error, EU);
	back(m);
}
