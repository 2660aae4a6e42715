/* SPDX-License-Identifier: MIT */
/*
 * What x86's page-table formats have alike: the rights of an access, the error
 * code, the flags that the processor sets, and the exception.
 *
 * No locks: page-table entries are changed by compare and exchange.
 */
#include <string.h>

#include <asm/ptrace.h>
#include <quire/kmmio.h>
#include <sim/mmu_x86.h>

uint32_t x86_base_error(const struct sim_machine *m, enum sim_access_kind kind,
			unsigned mode)
{
	uint32_t e = mode & SIM_KERNEL ? 0 : PF_U;

	if (kind == SIM_WRITE)
		e |= PF_W;
	/* I/D only exists with XD enabled or SMEP on (4.7) */
	if (kind == SIM_FETCH && (m->has_nx || m->config.smep))
		e |= PF_I;
	return e;
}

static bool allowed(const struct sim_machine *m, enum sim_access_kind kind,
		    unsigned mode, unsigned flags)
{
	bool user_page = flags & TLB_USER;

	if (!(mode & SIM_KERNEL)) {
		if (!user_page)
			return false;
		if (kind == SIM_WRITE)
			return flags & TLB_WRITE;
		return kind == SIM_READ || !(flags & TLB_NX);
	}
	if (kind == SIM_FETCH)
		return !(flags & TLB_NX) && !(user_page && m->config.smep);
	if (user_page && m->config.smap && !(mode & SIM_AC))
		return false;
	return kind == SIM_READ || (flags & TLB_WRITE) || m->config.no_wp;
}

uint32_t x86_rights_error(const struct sim_machine *m,
			  enum sim_access_kind kind, unsigned mode,
			  unsigned flags)
{
	if (sim_likely(allowed(m, kind, mode, flags)))
		return 0;
	return x86_base_error(m, kind, mode) | PF_P;
}

uint32_t x86_check(struct sim_cpu *cpu, enum sim_access_kind kind,
		   unsigned mode, const struct sim_tlb_entry *e)
{
	return x86_rights_error(cpu->m, kind, mode, e->flags);
}

unsigned x86_fold(unsigned flags, uint64_t e)
{
	if (!(e & E_RW))
		flags &= ~TLB_WRITE;
	if (!(e & E_US))
		flags &= ~TLB_USER;
	if (e & E_XD)
		flags |= TLB_NX;
	return flags;
}

bool x86_mark(uint64_t *p, uint64_t seen, uint64_t bits)
{
	if ((seen & bits) == bits)
		return true;
	return __atomic_compare_exchange_n(p, &seen, seen | bits, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void x86_found(struct x86_access *x, paddr_t phys, unsigned shift,
	       unsigned flags, uint64_t e)
{
	x->out->phys = phys;
	x->out->page_shift = shift;
	x->out->global = e & E_G;
	x->out->user = flags & TLB_USER;
	x->out->writable = flags & TLB_WRITE;
	x->out->nx = flags & TLB_NX;
	x->out->dirty = x->kind == SIM_WRITE || (e & E_D);
}

int x86_finish(struct x86_access *x, uint64_t *p, uint64_t e, unsigned shift,
	       unsigned flags)
{
	uint64_t offset = ((uint64_t)1 << shift) - 1;
	uint64_t bits = E_A | (x->kind == SIM_WRITE ? E_D : 0);

	x->out->error = x86_rights_error(x->cpu->m, x->kind, x->mode, flags);
	if (x->out->error)
		return 0;
	if (!x86_mark(p, e, bits))
		return -1;
	x86_found(x, (e & E_FRAME & ~offset) | (x->addr & offset), shift, flags,
		  e);
	return 1;
}

/* The segments of user code and the kernel's, as Linux numbers them. */
#if QUIRE_UADDR_BITS == 64
enum { KERNEL_CS = 0x10, KERNEL_SS = 0x18, USER_CS = 0x33, USER_SS = 0x2b };
#else
enum { KERNEL_CS = 0x60, KERNEL_SS = 0x68, USER_CS = 0x73, USER_SS = 0x7b };
#endif

#define FLAG_TF 0x100u
#define FLAG_IF 0x200u

/*
 * The registers of an exception.  TF is what an earlier exception of the same
 * instruction has left; IF is off with it (that is all there is of a step).
 */
static struct pt_regs trap_regs(const struct sim_cpu *cpu, unsigned mode,
				uint64_t ip)
{
	bool kernel = mode & SIM_KERNEL;
	struct pt_regs regs;

	memset(&regs, 0, sizeof(regs));
	regs.ip = (uaddr_t)ip;
	regs.cs = kernel ? KERNEL_CS : USER_CS;
	regs.ss = kernel ? KERNEL_SS : USER_SS;
	regs.flags = 0x2 | (mode & SIM_AC ? 0x40000 : 0);
	if (cpu->tf)
		regs.flags |= FLAG_TF;
	else if (!(mode & SIM_NOIRQ))
		regs.flags |= FLAG_IF;
	return regs;
}

/* What the exception returns to: TF with IF off, or both as they were. */
static void trap_return(struct sim_cpu *cpu, unsigned mode,
			const struct pt_regs *regs)
{
	unsigned want = mode & SIM_NOIRQ ? 0 : FLAG_IF;

	cpu->tf = regs->flags & FLAG_TF;
	if ((regs->flags & FLAG_IF) != (cpu->tf ? 0 : want))
		sim_violation("an exception returns with EFLAGS %llx",
			      (unsigned long long)regs->flags);
}

void x86_fault(struct sim_cpu *cpu, unsigned mode, uaddr_t addr, uint32_t error,
	       uint64_t *ip)
{
	struct pt_regs regs = trap_regs(cpu, mode, *ip);

	regs.sp = addr & ~(uaddr_t)15;
	do_page_fault(&regs, error, addr);
	trap_return(cpu, mode, &regs);
	*ip = regs.ip;
}

void x86_debug(struct sim_cpu *cpu, unsigned mode, uint64_t ip)
{
	struct pt_regs regs = trap_regs(cpu, mode, ip + 1); /* a trap */

	if (!quire_kmmio_debug(&regs))
		sim_violation("nobody expects a debug exception");
	trap_return(cpu, mode, &regs);
}

/* The exception table: the one instruction of sim_copy_to/from_user. */
bool quire_host_has_fixup(const struct pt_regs *regs)
{
	return regs->ip == SIM_IP_FIXABLE;
}

bool quire_host_fixup_exception(struct pt_regs *regs)
{
	if (!quire_host_has_fixup(regs))
		return false;
	regs->ip = SIM_IP_FIXUP;
	sim_self->task->fixed_up = true;
	return true;
}
