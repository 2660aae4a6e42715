/* SPDX-License-Identifier: MIT */
/*
 * The simulated MMU against PAE's tables built by hand, entry by entry, as
 * Intel SDM vol. 3A, 4.4 and 4.6 ... 4.8 tell: the PDPTE registers, 2 MiB
 * pages, no-execute, reserved bits, error codes.
 */
#include <tests/harness/harness.h>

#define P  1ull
#define RW 2ull
#define US 4ull
#define A  0x20ull
#define D  0x40ull
#define PS 0x80ull
#define XD (1ull << 63)

/* error code */
#define EP	 1u
#define EW	 2u
#define EU	 4u
#define ER	 8u
#define EI	 16u
#define FAULT(e) ((e) | 0x8000u)

#define ADDR 0xbfc07123u /* PDPTE 2, PDE 510, PTE 7 */

struct tables {
	struct sim_machine *m;
	paddr_t root;
	uint64_t *pdpte, *pde, *pte;
	paddr_t page;
};

/* The pointer table lies in the middle of a page: 32 bytes of it are read. */
static struct tables build(struct sim_machine *m)
{
	uint64_t bytes;
	paddr_t base = sim_reserved(m, &bytes);
	struct tables t = {.m = m, .root = base + 0x4e0, .page = base + 0x3000};

	memset(sim_phys(m, base), 0, 0x4000);
	t.pdpte = (uint64_t *)sim_phys(m, t.root) + 2;
	t.pde = (uint64_t *)sim_phys(m, base + 0x1000) + 510;
	t.pte = (uint64_t *)sim_phys(m, base + 0x2000) + 7;
	*t.pdpte = (base + 0x1000) | P;
	*t.pde = (base + 0x2000) | P | RW | US;
	*t.pte = t.page | P | RW | US;
	sim_load_table(m, t.root, 0, false);
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
	return 0;
}

/* behaviours: P1, E1 */
TEST(pae_walk_not_present_and_rights)
{
	struct tables t = build(m);
	uint64_t *entry[2] = {t.pde, t.pte}, was;
	unsigned i;

	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	for (i = 0; i < 2; i++) {
		was = *entry[i];
		*entry[i] = ~P;
		CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EU));
		CHECK_EQ(walk(&t, SIM_WRITE, SIM_KERNEL), FAULT(EW));
		CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EU | EI));
		*entry[i] = was & ~RW;
		CHECK_EQ(walk(&t, SIM_READ, 0), 0);
		CHECK_EQ(walk(&t, SIM_WRITE, 0), FAULT(EP | EU | EW));
		*entry[i] = was & ~US;
		CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EP | EU));
		CHECK_EQ(walk(&t, SIM_READ, SIM_KERNEL), 0);
		*entry[i] = was | XD;
		CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EP | EU | EI));
		CHECK_EQ(walk(&t, SIM_READ, 0), 0);
		*entry[i] = was;
	}
	CHECK_EQ(walk(&t, SIM_WRITE, 0), 0);
	CHECK_EQ(*t.pte & (A | D), A | D);
	CHECK_EQ(*t.pde & (A | D), A);
	CHECK_EQ(*t.pdpte & 0xfff, P); /* never marked */
	back(m);
}

/* behaviour: P1 (bits 62 ... MAXPHYADDR; four-level paging ignores some) */
TEST(pae_walk_reserved)
{
	struct tables t = build(m);
	uint64_t *entry[2] = {t.pde, t.pte}, was;
	unsigned i, bit;

	for (i = 0; i < 2; i++)
		for (bit = 46; bit < 63; bit++) {
			was = *entry[i];
			*entry[i] = was | 1ull << bit;
			CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EP | EU | ER));
			*entry[i] = was;
		}
	for (bit = 13; bit < 21; bit++) {
		*t.pde = 0x200000 | 1ull << bit | P | RW | US | PS;
		CHECK_EQ(walk(&t, SIM_WRITE, 0), FAULT(EP | EU | EW | ER));
	}
	back(m);
}

TEST_WITH(pae_walk_without_nx, .config = {.no_nx = true})
{
	struct tables t = build(m);

	*t.pte |= XD;
	CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EP | EU | ER));
	*t.pte = 0;
	CHECK_EQ(walk(&t, SIM_FETCH, 0), FAULT(EU)); /* no I/D bit either */
	back(m);
}

/* behaviour: P1 (2 MiB pages; frames past 4 GiB) */
TEST(pae_walk_large)
{
	struct tables t = build(m);
	struct sim_walk w;

	*t.pde = 0x3f00a00000 | P | RW | US | PS | XD;
	CHECK(sim_translate(m, SIM_WRITE, 0, ADDR, false, &w));
	CHECK_EQ(w.phys, 0x3f00a00000 | (ADDR & 0x1fffff));
	CHECK_EQ(w.page_shift, 21);
	CHECK(w.nx && w.writable);
	CHECK_EQ(*t.pde & (A | D), A | D);
	back(m);
}

/* behaviour: P1 (PDPTEs are read when CR3 is loaded, and then only) */
TEST(pae_pdptes_are_registers)
{
	struct tables t = build(m);
	uint64_t was = *t.pdpte;
	struct sim_walk w;

	*t.pdpte = 0;
	CHECK_EQ(walk(&t, SIM_READ, 0), 0); /* no flush makes it read again */
	sim_load_table(m, t.root, 0, false);
	CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EU));
	*t.pdpte = was;
	CHECK_EQ(walk(&t, SIM_READ, 0), FAULT(EU));
	sim_load_table(m, t.root, 0, false);
	CHECK_EQ(walk(&t, SIM_READ, 0), 0);
	/* an address of another PDPTE, which is not present */
	CHECK(!sim_translate(m, SIM_READ, 0, ADDR - 0x40000000, false, &w));
	CHECK_EQ(w.error, EU);
	back(m);
}

/* A present PDPTE with a reserved bit is #GP in the load: never Quire's. */
TEST(pae_pdptes_have_no_rights)
{
	struct tables t = build(m);
	static const uint64_t bad[] = {RW, US, A, D, PS, 0x100, XD, 1ull << 50};
	uint64_t was = *t.pdpte;
	unsigned i;

	sim_quiet(m, true);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sim_violations_clear(m);
		*t.pdpte = was | bad[i];
		sim_load_table(m, t.root, 0, false);
		CHECK_EQ(sim_violations(m), 1);
		*t.pdpte = bad[i]; /* not present: the rest is ignored */
		sim_load_table(m, t.root, 0, false);
		CHECK_EQ(sim_violations(m), 1);
	}
	sim_violations_clear(m);
	*t.pdpte = was;
	back(m);
}
