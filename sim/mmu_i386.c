/* SPDX-License-Identifier: MIT */
/*
 * i386's two-level walk ("32-bit paging"): 1024 entries of 32 bits a table, as
 * Intel SDM vol. 3A, 4.3, tables 4-3 to 4-6.
 *
 *   31 ........ 22 21 ........ 12 11 ....... 0
 *       PDE            PTE          offset
 *   31 ........ 22 21 ....................... 0
 *       PDE, PS            offset, 4 MiB
 *
 * CR4.PSE and PGE are on.  A PDE with PS maps 4 MiB; bits 20 ... 13 are the
 * page's address bits 39 ... 32 (PSE-36, MAXPHYADDR past 40), bit 21 is
 * reserved.  A PTE has no reserved bit, and no entry has XD.
 *
 * Written from the manual and not from mm/'s or arch/'s headers, on purpose:
 * a wrong bit there must not cancel out here.
 */
#include <string.h>

#include <sim/mmu_x86.h>

#define PDE_FRAME_4M   0xffc00000u
#define PDE_RSVD_4M    (1u << 21)
#define KERNEL_BASE    0xc0000000u
#define DIRECT_MAP_MAX (896ull << 20) /* of RAM */

static uint32_t *entry_at(struct sim_machine *m, paddr_t phys)
{
	return (uint32_t *)(void *)(m->ram + phys);
}

/* Set bits in an entry unless it has changed; false: walk again. */
static bool mark(uint32_t *p, uint32_t seen, uint32_t bits)
{
	if ((seen & bits) == bits)
		return true;
	return __atomic_compare_exchange_n(p, &seen, seen | bits, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* The leaf at *p maps the page at phys.  1 found, 0 fault, -1 walk again. */
static int finish(struct x86_access *x, uint32_t *p, uint32_t e, paddr_t phys,
		  unsigned shift, unsigned flags)
{
	uint32_t bits = (uint32_t)(E_A | (x->kind == SIM_WRITE ? E_D : 0));

	x->out->error = x86_rights_error(x->cpu->m, x->kind, x->mode, flags);
	if (x->out->error)
		return 0;
	if (!mark(p, e, bits))
		return -1;
	x86_found(x, phys, shift, flags, e);
	return 1;
}

static int fault(struct x86_access *x, uint32_t bits)
{
	x->out->error = x86_base_error(x->cpu->m, x->kind, x->mode) | bits;
	return 0;
}

/* The page directory's part: the page table in *table, or as finish(). */
static int walk_directory(struct x86_access *x, paddr_t *table, unsigned *flags)
{
	struct sim_cpu *cpu = x->cpu;
	paddr_t dir = cpu->root & 0xfffff000u, page;
	uint32_t *p, e;

	check_frame(cpu, dir, x->addr, "page directory");
	p = entry_at(cpu->m, dir + (x->addr >> 22) * 4);
	e = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	if (!(e & E_P))
		return fault(x, 0);
	*flags = x86_fold(*flags, e);
	if (e & E_PS) {
		if (e & PDE_RSVD_4M)
			return fault(x, PF_P | PF_RSVD);
		page = (e & PDE_FRAME_4M) | (paddr_t)(e >> 13 & 0xff) << 32;
		return finish(x, p, e, page | (x->addr & 0x3fffff), 22, *flags);
	}
	if (!mark(p, e, (uint32_t)E_A))
		return -1;
	*table = e & 0xfffff000u;
	return 2;
}

static int walk_once(struct x86_access *x)
{
	struct sim_cpu *cpu = x->cpu;
	uint32_t tag = x->addr >> 22;
	struct sim_pwc_entry *pwc = &cpu->tlb.pwc[tag % SIM_PWC_SIZE];
	unsigned flags = TLB_WRITE | TLB_USER;
	uint32_t *p, e;
	paddr_t table = 0;
	int r;

	if (pwc->ctx == cpu->tlb.ctx_current && pwc->tag == tag) {
		table = pwc->table;
		flags = pwc->flags;
	} else {
		r = walk_directory(x, &table, &flags);
		if (r != 2)
			return r;
		*pwc = (struct sim_pwc_entry){tag, cpu->tlb.ctx_current, table,
					      (uint8_t)flags};
	}
	check_frame(cpu, table, x->addr, "page table");
	p = entry_at(cpu->m, table + (x->addr >> 12 & 1023) * 4);
	e = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	if (!(e & E_P))
		return fault(x, 0);
	return finish(x, p, e, (e & 0xfffff000u) | (x->addr & 0xfff), 12,
		      x86_fold(flags, e));
}

static bool i386_walk(struct sim_cpu *cpu, enum sim_access_kind kind,
		      unsigned mode, uaddr_t addr, struct sim_walk *w)
{
	struct x86_access x = {cpu, kind, mode, addr, w};
	int r;

	*w = (struct sim_walk){0};
	do {
		r = walk_once(&x);
	} while (r < 0);
	return r;
}

/* The kernel half: RAM from 3 GiB up, in global pages of 4 MiB. */
static paddr_t i386_kernel_tables(struct sim_machine *m)
{
	paddr_t root = 0x1000, p;

	memset(m->ram + root, 0, 0x1000);
	for (p = 0; p < m->ram_end && p < DIRECT_MAP_MAX; p += 4u << 20)
		*entry_at(m, root + ((KERNEL_BASE + p) >> 22) * 4) =
			(uint32_t)(p | E_P | E_RW | E_PS | E_G);
	return root;
}

const struct sim_mmu_format sim_mmu = {
	.name = "i386",
	.levels = 2,
	.no_nx = true,
	.vmalloc_start = 0xf8800000u,
	.vmalloc_bytes = 96u << 20,
	.walk = i386_walk,
	.check = x86_check,
	.kernel_tables = i386_kernel_tables,
	.fault = x86_fault,
	.debug = x86_debug,
};
