/* SPDX-License-Identifier: MIT */
/*
 * x86-64's walk: four or five levels of 512 entries in simulated physical
 * memory, as Intel SDM vol. 3A, 4.5 (4-level and 5-level paging), 4.6 (access
 * rights), 4.7 (page-fault exceptions), 4.8 (accessed and dirty flags).
 *
 *   57 (or 48) bits of address:   [pml5] pml4  pdpt  pd   pt   offset
 *                                   9     9     9    9    9     12
 *
 * The address must be canonical: otherwise #GP.  At each level the entry must
 * be present (else P = 0) and have no reserved bit set (else RSVD).  Rights are
 * the AND of all levels' R/W and U/S and the OR of their XD.  Only a walk that
 * ends in a permitted access sets the leaf's accessed and dirty flags; upper
 * entries are marked accessed as they are used.  The flags are set by compare
 * and exchange, so a change by software in between means a fresh walk.
 *
 * Written from the manual and not from mm/'s or arch/'s headers, on purpose:
 * a wrong bit there must not cancel out here.
 */
#include <string.h>

#include <sim/internal.h>
#include <sim/mmu_x86.h>

/* Bits 51 ... MAXPHYADDR are reserved, 62 ... 52 ignored. */
#define E_HIGH_RSVD (((1ull << 52) - 1) & ~((1ull << MAXPHYADDR) - 1))

static uint64_t *entry_at(struct sim_machine *m, paddr_t phys)
{
	return (uint64_t *)(void *)(m->ram + phys);
}

static bool canonical(const struct sim_machine *m, uaddr_t addr)
{
	unsigned bits = m->levels == 5 ? 57 : 48;
	int64_t s = (int64_t)(addr << (64 - bits)) >> (64 - bits);

	return (uaddr_t)s == addr;
}

/* 4.5.4, table 4-15 ff.: reserved bits of an entry at this level (1 = PT). */
static bool reserved(const struct sim_machine *m, uint64_t e, unsigned level,
		     bool leaf)
{
	if (e & E_HIGH_RSVD)
		return true;
	if ((e & E_XD) && !m->has_nx)
		return true;
	if (level >= 4 && (e & E_PS))
		return true;
	if (leaf && level == 2 && (e & 0x1fe000))
		return true;
	return leaf && level == 3 && (e & 0x3fffe000);
}

static struct sim_pwc_entry *pwc_slot(struct sim_cpu *cpu, uaddr_t addr)
{
	return &cpu->tlb.pwc[(addr >> 21) % SIM_PWC_SIZE];
}

/* One walk from the root, or from the last-level table if that is cached.
 * 1 found, 0 fault, -1 an entry changed under it. */
static int walk_once(struct x86_access *x)
{
	struct sim_cpu *cpu = x->cpu;
	struct sim_machine *m = cpu->m;
	struct sim_pwc_entry *pwc = pwc_slot(cpu, x->addr);
	unsigned flags = TLB_WRITE | TLB_USER, level = m->levels;
	paddr_t table = cpu->root & E_FRAME;
	uint32_t base = x86_base_error(m, x->kind, x->mode);

	if (pwc->ctx == cpu->tlb.ctx_current && pwc->tag == x->addr >> 21) {
		table = pwc->table;
		flags = pwc->flags;
		level = 1;
	}
	for (;; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t *p, e;
		bool leaf;

		check_frame(cpu, table, x->addr, "page table");
		p = entry_at(m, table + ((x->addr >> shift) & 511) * 8);
		e = __atomic_load_n(p, __ATOMIC_ACQUIRE);
		if (!(e & E_P)) {
			x->out->error = base;
			return 0;
		}
		leaf = level == 1 || (level <= 3 && (e & E_PS));
		if (reserved(m, e, level, leaf)) {
			x->out->error = base | PF_P | PF_RSVD;
			return 0;
		}
		flags = x86_fold(flags, e);
		if (leaf)
			return x86_finish(x, p, e, shift, flags);
		if (!x86_mark(p, e, E_A))
			return -1;
		table = e & E_FRAME;
		if (level == 2)
			*pwc = (struct sim_pwc_entry){x->addr >> 21,
						      cpu->tlb.ctx_current,
						      table, (uint8_t)flags};
	}
}

static bool x86_walk(struct sim_cpu *cpu, enum sim_access_kind kind,
		     unsigned mode, uaddr_t addr, struct sim_walk *w)
{
	struct x86_access x = {cpu, kind, mode, addr, w};
	int r;

	*w = (struct sim_walk){0};
	if (!canonical(cpu->m, addr)) {
		w->gp = true;
		return false;
	}
	do {
		r = walk_once(&x);
	} while (r < 0);
	return r;
}

/*
 * The kernel half: all RAM at the direct map's usual place, in 1 GiB global
 * pages, no user, no execute.  Tables in the low megabyte, from 0x1000.
 */
static paddr_t x86_kernel_tables(struct sim_machine *m)
{
	uint64_t start =
		m->levels == 5 ? 0xff11000000000000ull : 0xffff888000000000ull;
	paddr_t root = 0x1000, table = root;
	unsigned level;
	uint64_t p;

	memset(m->ram + 0x1000, 0, 0x3000);
	for (level = m->levels; level > 3; level--) {
		unsigned i = (start >> (12 + 9 * (level - 1))) & 511;

		*entry_at(m, table + i * 8) = (table + 0x1000) | E_P | E_RW;
		table += 0x1000;
	}
	for (p = 0; p < m->ram_end && p >> 30 < 512; p += 1ull << 30)
		*entry_at(m, table + (p >> 30) * 8) =
			p | E_P | E_RW | E_PS | E_G | (m->has_nx ? E_XD : 0);
	return root;
}

const struct sim_mmu_format sim_mmu = {
	.name = "x86_64",
	.levels = 4,
	.walk = x86_walk,
	.check = x86_check,
	.kernel_tables = x86_kernel_tables,
	.fault = x86_fault,
	.debug = x86_debug,
};
