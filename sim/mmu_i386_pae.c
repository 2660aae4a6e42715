/* SPDX-License-Identifier: MIT */
/*
 * i386's PAE walk: four PDPTEs, then two levels of 512 entries of 64 bits, as
 * Intel SDM vol. 3A, 4.4, tables 4-8 to 4-11.
 *
 *   31 30 29 ...... 21 20 ....... 12 11 ....... 0
 *   PDPTE     PDE         PTE          offset
 *   31 30 29 ...... 21 20 ...................... 0
 *   PDPTE     PDE, PS      offset, 2 MiB
 *
 * The processor holds the PDPTEs in registers, which MOV to CR3 loads (4.4.1):
 * what software writes into one later is not seen before the next load, and a
 * present one with a reserved bit is #GP in that load.  They have no rights and
 * no accessed flag: bits 1, 2, 5 ... 8 and 63 are reserved.  In the other
 * entries bits 62 ... MAXPHYADDR are reserved (four-level paging ignores 62 ...
 * 52), and XD while IA32_EFER.NXE is clear.
 *
 * Written from the manual and not from mm/'s or arch/'s headers, on purpose:
 * a wrong bit there must not cancel out here.
 */
#include <string.h>

#include <sim/mmu_x86.h>

#define E_HIGH_RSVD    (~E_XD & ~((1ull << MAXPHYADDR) - 1))
#define PDPTE_RSVD     (0x1e6ull | E_HIGH_RSVD | E_XD)
#define PDE_2M_RSVD    0x1fe000ull /* bits 20 ... 13 */
#define KERNEL_BASE    0xc0000000u
#define DIRECT_MAP_MAX (896ull << 20) /* of RAM */

static uint64_t *entry_at(struct sim_machine *m, paddr_t phys)
{
	return (uint64_t *)(void *)(m->ram + phys);
}

/* MOV to CR3: bits 31 ... 5 are the address of the four entries. */
static void pae_load(struct sim_cpu *cpu)
{
	paddr_t table = cpu->root & 0xffffffe0u;
	unsigned i;

	if (cpu->root >> 32)
		sim_violation("CR3 %#llx has more than 32 bits",
			      (unsigned long long)cpu->root);
	check_frame(cpu, table, 0, "page-directory-pointer table");
	for (i = 0; i < 4; i++) {
		uint64_t e = __atomic_load_n(entry_at(cpu->m, table + i * 8),
					     __ATOMIC_ACQUIRE);

		if ((e & E_P) && (e & PDPTE_RSVD))
			sim_violation("#GP: PDPTE %u is %#llx", i,
				      (unsigned long long)e);
		cpu->pdpte[i] = e;
	}
}

static bool reserved(const struct sim_machine *m, uint64_t e, bool large)
{
	if ((e & E_HIGH_RSVD) || ((e & E_XD) && !m->has_nx))
		return true;
	return large && (e & PDE_2M_RSVD);
}

/* One walk.  1 found, 0 fault, -1 an entry changed under it. */
static int walk_once(struct x86_access *x)
{
	struct sim_cpu *cpu = x->cpu;
	struct sim_machine *m = cpu->m;
	uint32_t tag = x->addr >> 21;
	struct sim_pwc_entry *pwc = &cpu->tlb.pwc[tag % SIM_PWC_SIZE];
	unsigned flags = TLB_WRITE | TLB_USER, shift = 21;
	uint64_t pdpte = cpu->pdpte[x->addr >> 30], *p, e;
	uint32_t base = x86_base_error(m, x->kind, x->mode);
	paddr_t table = pdpte & E_FRAME;

	x->out->error = base;
	if (pwc->ctx == cpu->tlb.ctx_current && pwc->tag == tag) {
		table = pwc->table;
		flags = pwc->flags;
		shift = 12;
	} else if (!(pdpte & E_P)) {
		return 0;
	}
	for (;; shift = 12) {
		bool large;

		check_frame(cpu, table, x->addr, "page table");
		p = entry_at(m, table + (x->addr >> shift & 511) * 8);
		e = __atomic_load_n(p, __ATOMIC_ACQUIRE);
		if (!(e & E_P))
			return 0;
		large = shift == 21 && (e & E_PS);
		if (reserved(m, e, large)) {
			x->out->error = base | PF_P | PF_RSVD;
			return 0;
		}
		flags = x86_fold(flags, e);
		if (large || shift == 12)
			return x86_finish(x, p, e, shift, flags);
		if (!x86_mark(p, e, E_A))
			return -1;
		table = e & E_FRAME;
		*pwc = (struct sim_pwc_entry){tag, cpu->tlb.ctx_current, table,
					      (uint8_t)flags};
	}
}

static bool pae_walk(struct sim_cpu *cpu, enum sim_access_kind kind,
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

/* The kernel half: RAM from 3 GiB up, in global pages of 2 MiB. */
static paddr_t pae_kernel_tables(struct sim_machine *m)
{
	paddr_t root = 0x1000, dir = 0x2000, p;

	memset(m->ram + root, 0, 0x2000);
	*entry_at(m, root + (KERNEL_BASE >> 30) * 8) = dir | E_P;
	for (p = 0; p < m->ram_end && p < DIRECT_MAP_MAX; p += 2u << 20)
		*entry_at(m, dir + (p >> 21) * 8) =
			p | E_P | E_RW | E_PS | E_G | (m->has_nx ? E_XD : 0);
	return root;
}

const struct sim_mmu_format sim_mmu = {
	.name = "i386_pae",
	.levels = 3,
	.vmalloc_start = 0xf8800000u,
	.vmalloc_bytes = 96u << 20,
	.walk = pae_walk,
	.check = x86_check,
	.load = pae_load,
	.kernel_tables = pae_kernel_tables,
	.fault = x86_fault,
	.debug = x86_debug,
};
