/* SPDX-License-Identifier: MIT */
/*
 * ARM's walk of short-descriptor tables, as DDI 0406C (ARMv7-A) B3.5 and DDI
 * 0100I (ARMv6) B4.7 describe it.
 *
 *   TTBCR.N = 0    TTBR0's table translates all addresses, 4096 words
 *   TTBCR.N = n    it has 4096 >> n words, for addresses below 2^(32-n);
 *                  TTBR1's has those above                          (B3.5.4)
 *
 *   first level    0 fault | 1 table of 256 words | 2 section (1 MiB), or
 *                  supersection (16 MiB) | 3 section with PXN, or fault on v6
 *   second level   0 fault | 1 large page (64 KiB) | 2, 3 small page
 *
 * The checks come in the order of B3.12.2: alignment, external abort on the
 * walk, translation, access flag (with AFE), domain, permission.  A client of
 * a domain is checked against AP and XN, a manager is not, others have no
 * access (B3.7.3).  The result of a fault is the value of DFSR, or with bit 31
 * of IFSR (B3.13.3); bits 7:4 of DFSR name the domain, except where the first
 * level had none to give.
 *
 * A fault leaves the TLB as it is; an entry that gave a translation or access
 * flag fault is never in it (B3.9.1).  From ARMv7 on the first-level descriptor
 * may be cached on its own, even where the second level has nothing; an
 * operation by address drops that address's alone (B3.10.1).
 *
 * Written from the manuals and not from mm/'s or arch/'s headers, on purpose:
 * a wrong bit there must not cancel out here.
 */
#include <string.h>

#include <asm/ptrace.h>
#include <sim/internal.h>
#include <sim/mmu_arm.h>

#define FS_ALIGNMENT	 0x01u
#define FS_ACCESS_FLAG	 0x03u
#define FS_TRANSLATION	 0x05u
#define FS_DOMAIN	 0x09u
#define FS_WALK_EXTERNAL 0x0cu
#define FS_PERMISSION	 0x0du
#define DFSR_WNR	 (1u << 11)
#define IFSR_MARK	 (1u << 31)

#define ATTR_AP	     0x70u
#define ATTR_PXN     0x80u
#define TTBCR_N	     7u
#define TTBCR_PD0    (1u << 4)
#define TTBCR_PD1    (1u << 5)
#define RESET_DACR   0x15u /* domains 0, 1 and 2: client */
#define KERNEL_TABLE 0x4000ull

/* A leaf of either level. */
struct leaf {
	paddr_t phys; /* of the page or section */
	unsigned shift, domain, ap;
	bool xn, pxn, ng;
};

/*
 * The status for an access to something found at the first (section) or second
 * level: most codes of the second are two more, as are the access flag's 3.
 */
static uint32_t fault_status(enum sim_access_kind kind, uint32_t fs,
			     unsigned level, int domain)
{
	if (level == 2)
		fs += fs == FS_ACCESS_FLAG ? 3 : 2;
	if (kind == SIM_FETCH)
		return fs | IFSR_MARK;
	if (domain >= 0)
		fs |= (uint32_t)domain << 4;
	return fs | (kind == SIM_WRITE ? DFSR_WNR : 0);
}

/* LDRT and STRT access as user mode does (A8.8.92). */
static bool privileged(unsigned mode)
{
	return (mode & SIM_KERNEL) && !(mode & SIM_FIXUP);
}

/*
 * AP[2:0] of B3.7.1, table B3-8, or with the access flag table B3-9.  Which of
 * privileged and user mode may read and write.
 */
static void rights(const struct sim_machine *m, unsigned ap, bool priv, bool *r,
		   bool *w)
{
	static const struct {
		bool pr, pw, ur, uw;
	} full[8] = {
		{0, 0, 0, 0}, {1, 1, 0, 0}, {1, 1, 1, 0}, {1, 1, 1, 1},
		{0, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 1, 0}, {1, 0, 1, 0},
	};

	if (!m->config.arm_no_afe) {
		*r = priv || (ap & 2);
		*w = *r && !(ap & 4);
		return;
	}
	*r = priv ? full[ap].pr : full[ap].ur;
	*w = priv ? full[ap].pw : full[ap].uw;
	if (ap == 7 && m->config.arm_version == 6)
		*r = false; /* reserved there: DDI 0100I table B4-1 */
}

/* Domain and permission; 0, or the status. */
static uint32_t access_error(struct sim_cpu *cpu, enum sim_access_kind kind,
			     unsigned mode, unsigned attr, bool xn,
			     unsigned level)
{
	unsigned domain = attr & 15;
	bool priv = privileged(mode), r, w;

	switch (cpu->arm.dacr >> 2 * domain & 3) {
	case 3:
		return 0;
	case 1:
		break;
	default:
		return fault_status(kind, FS_DOMAIN, level, (int)domain);
	}
	rights(cpu->m, (attr & ATTR_AP) >> 4, priv, &r, &w);
	if (kind == SIM_WRITE ? w : r) {
		if (kind != SIM_FETCH)
			return 0;
		if (!xn && !(priv && (attr & ATTR_PXN)))
			return 0;
	}
	return fault_status(kind, FS_PERMISSION, level, (int)domain);
}

/* An abort that a test has asked for comes before everything else. */
static uint32_t injected(struct sim_cpu *cpu, enum sim_access_kind kind)
{
	uint32_t fs = cpu->arm.injected;

	if (sim_likely(!fs))
		return 0;
	cpu->arm.injected = 0;
	fs = (fs & 15) | (fs & 16) << 6;
	if (kind == SIM_FETCH)
		return fs | IFSR_MARK;
	return fs | (kind == SIM_WRITE ? DFSR_WNR : 0);
}

static uint32_t arm_check(struct sim_cpu *cpu, enum sim_access_kind kind,
			  unsigned mode, const struct sim_tlb_entry *e)
{
	uint32_t error = injected(cpu, kind);

	if (sim_unlikely(error))
		return error;
	return access_error(cpu, kind, mode, e->attr, e->flags & TLB_NX,
			    e->shift >= 20 ? 1 : 2);
}

struct arm_walk {
	struct sim_cpu *cpu;
	enum sim_access_kind kind;
	unsigned mode;
	uaddr_t addr;
	struct sim_walk *out;
};

static bool fail(struct arm_walk *x, uint32_t fs, unsigned level, int domain)
{
	x->out->error = fault_status(x->kind, fs, level, domain);
	return false;
}

static bool finish(struct arm_walk *x, const struct leaf *l)
{
	unsigned level = l->shift >= 20 ? 1 : 2;
	unsigned attr = l->domain | l->ap << 4 | (l->pxn ? ATTR_PXN : 0);
	paddr_t offset = ((paddr_t)1 << l->shift) - 1;
	struct sim_walk *w = x->out;
	uint32_t error;

	if (!x->cpu->m->config.arm_no_afe && !(l->ap & 1))
		return fail(x, FS_ACCESS_FLAG, level, (int)l->domain);
	error = access_error(x->cpu, x->kind, x->mode, attr, l->xn, level);
	if (error) {
		w->error = error;
		return false;
	}
	w->phys = (l->phys & ~offset) | (x->addr & offset);
	w->page_shift = l->shift;
	w->attr = attr;
	w->global = !l->ng;
	rights(x->cpu->m, l->ap, false, &w->user, &w->writable);
	w->writable = !(l->ap & 4);
	w->nx = l->xn;
	w->dirty = true; /* the format has no such flag */
	return true;
}

/* Section or supersection: descriptor d (figure B3-4). */
static bool walk_section(struct arm_walk *x, uint32_t d)
{
	struct leaf l = {
		.phys = d & 0xfff00000u,
		.shift = 20,
		.domain = d >> 5 & 15,
		.ap = (d >> 10 & 3) | (d >> 13 & 4),
		.xn = d & 1u << 4,
		.pxn = d & 1,
		.ng = d & 1u << 17,
	};

	if (d & 1u << 18) { /* B3.5.1: 40 bits of address, domain 0 */
		l.shift = 24;
		l.phys = (d & 0xff000000u) | (paddr_t)(d >> 20 & 15) << 32 |
			 (paddr_t)(d >> 5 & 15) << 36;
		l.domain = 0;
	}
	return finish(x, &l);
}

/* Second-level descriptor d (figure B3-5). */
static bool walk_page(struct arm_walk *x, uint32_t d, unsigned domain, bool pxn)
{
	struct leaf l = {
		.phys = d & 0xfffff000u,
		.shift = 12,
		.domain = domain,
		.ap = (d >> 4 & 3) | (d >> 7 & 4),
		.xn = d & 1,
		.pxn = pxn,
		.ng = d & 1u << 11,
	};

	if (!(d & 3))
		return fail(x, FS_TRANSLATION, 2, (int)domain);
	if (!(d & 2)) {
		l.shift = 16;
		l.phys = d & 0xffff0000u;
		l.xn = d & 1u << 15;
	}
	return finish(x, &l);
}

/* The word of addr's first-level descriptor; false: walks of it are off. */
static bool first_level(const struct sim_cpu *cpu, uaddr_t addr, paddr_t *at)
{
	unsigned n = cpu->arm.ttbcr & TTBCR_N;
	uint32_t index = addr >> 20;

	if (n && addr >> (32 - n)) {
		*at = (cpu->arm.ttbr1 & ~0x3fffull) + index * 4;
		return !(cpu->arm.ttbcr & TTBCR_PD1);
	}
	*at = (cpu->root & ~(0x3fffull >> n)) + index * 4;
	return !(cpu->arm.ttbcr & TTBCR_PD0);
}

static struct sim_pwc_entry *pwc_slot(struct sim_cpu *cpu, uaddr_t addr)
{
	return &cpu->tlb.pwc[(addr >> 20) % SIM_PWC_SIZE];
}

/* The first-level descriptor; *ok false: the error is in x->out. */
static uint32_t read_first(struct arm_walk *x, bool *ok)
{
	struct sim_cpu *cpu = x->cpu;
	struct sim_pwc_entry *pwc = pwc_slot(cpu, x->addr);
	paddr_t at;
	uint32_t d;

	*ok = true;
	if (pwc->ctx == cpu->tlb.ctx_current && pwc->tag == x->addr >> 20)
		return (uint32_t)pwc->table;
	if (!first_level(cpu, x->addr, &at)) {
		*ok = fail(x, FS_TRANSLATION, 1, -1);
		return 0;
	}
	check_frame(cpu, at, x->addr, "page table");
	d = sim_arm_table_word(cpu, at, x->addr);
	if ((d & 3) == 1 && cpu->m->config.arm_version >= 7)
		*pwc = (struct sim_pwc_entry){x->addr >> 20,
					      cpu->tlb.ctx_current, d, 0};
	return d;
}

static bool arm_walk(struct sim_cpu *cpu, enum sim_access_kind kind,
		     unsigned mode, uaddr_t addr, struct sim_walk *w)
{
	struct arm_walk x = {cpu, kind, mode, addr, w};
	bool v7 = cpu->m->config.arm_version >= 7, ok;
	paddr_t at;
	uint32_t d;

	*w = (struct sim_walk){.error = injected(cpu, kind)};
	if (w->error)
		return false;
	d = read_first(&x, &ok);
	if (!ok)
		return false;
	switch (d & 3) {
	case 3:
		/* with PXN where the processor has it, else reserved */
		if (!v7)
			break;
		/* fallthrough */
	case 2:
		return walk_section(&x, d);
	case 1:
		at = (d & 0xfffffc00u) + (addr >> 12 & 255) * 4;
		check_frame(cpu, at, addr, "page table");
		return walk_page(&x, sim_arm_table_word(cpu, at, addr),
				 d >> 5 & 15, v7 && (d & 4));
	}
	return fail(&x, FS_TRANSLATION, 1, -1);
}

/*
 * The kernel half: RAM as far as it reaches at 0xc0000000, in global sections
 * of domain 0, for the kernel only, no execute.
 */
static paddr_t arm_kernel_tables(struct sim_machine *m)
{
	uint32_t *word = (uint32_t *)(void *)(m->ram + KERNEL_TABLE);
	uint64_t p;

	memset(word, 0, 0x4000);
	for (p = 0; p < m->ram_end && p < 0x30000000u; p += 1u << 20)
		word[(0xc0000000u + p) >> 20] =
			(uint32_t)p | 2 | 3u << 2 | 1u << 4 | 1u << 10;
	return KERNEL_TABLE;
}

static void arm_cpu_init(struct sim_cpu *cpu)
{
	cpu->arm.dacr = RESET_DACR;
}

static void arm_fault(struct sim_cpu *cpu, unsigned mode, uaddr_t addr,
		      uint32_t error, uint64_t *ip)
{
	struct pt_regs regs;

	(void)cpu;
	memset(&regs, 0, sizeof(regs));
	regs.uregs[13] = addr & ~7u;
	regs.uregs[15] = (uint32_t)*ip;
	/* user or supervisor mode, asynchronous aborts on, fast interrupts off
	 */
	regs.uregs[16] = (mode & SIM_KERNEL ? 0x13u : 0x10u) |
			 (mode & SIM_NOIRQ ? 0xc0u : 0x40u);
	regs.uregs[17] = ~0u;
	if (error & IFSR_MARK)
		do_PrefetchAbort(addr, error & ~IFSR_MARK, &regs);
	else
		do_DataAbort(addr, error, &regs);
	*ip = regs.uregs[15];
}

void sim_arm_set_dacr(struct sim_machine *m, uint32_t dacr)
{
	(void)m;
	sim_self->arm.dacr = dacr;
}

void sim_arm_set_ttbcr(struct sim_machine *m, uint32_t ttbcr, paddr_t ttbr1)
{
	(void)m;
	sim_self->arm.ttbcr = ttbcr;
	sim_self->arm.ttbr1 = ttbr1;
}

void sim_arm_inject(struct sim_machine *m, uint32_t status)
{
	(void)m;
	sim_self->arm.injected = status;
}

const struct sim_mmu_format sim_mmu = {
	.name = "arm",
	.levels = 2,
	.fault_keeps_entry = true,
	.walk_shift = 20,
	.walk = arm_walk,
	.check = arm_check,
	.kernel_tables = arm_kernel_tables,
	.fault = arm_fault,
	.init = sim_arm_init,
	.fini = sim_arm_fini,
	.cpu_init = arm_cpu_init,
	.pages_freed = sim_arm_pages_freed,
	.used = sim_arm_used,
};
