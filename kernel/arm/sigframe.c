/* SPDX-License-Identifier: MIT */
/*
 * sigframe.c - what a signal handler finds on its stack on 32-bit ARM, and the
 * way back.
 *
 *	higher   retcode: the way back, for debuggers that look for it
 *	         ucontext_t: registers, mask, and in uc_regspace the
 *	         floating-point registers with their mark, of a task that has
 *	         used them; of another one, the mark that nothing is there
 *	sp ->    siginfo_t, where the handler wants it (SA_SIGINFO)
 *
 * A handler with SA_SIGINFO gets (number, siginfo, ucontext) and returns to
 * rt_sigreturn; one without gets the number and returns to sigreturn: the two
 * calls differ in where the ucontext lies.  It returns to sa_restorer, or
 * without SA_RESTORER to code of the same kind (ARM or Thumb) in the page of
 * the vectors (kuser.S).
 *
 * Layouts: <asm/sigcontext.h>, <asm/ucontext.h> and <ucontext.h> of the user's
 * headers; the mark and size of the floating-point part as there.
 */
#include <arch_regs.h>
#include "cpu.h"
#include "kuser.h"
#include "proc.h"

#define SA_SIGINFO  4u
#define SA_RESTORER 0x04000000u
#define SA_ONSTACK  0x08000000u

#define VFP_MAGIC     0x56465001u
#define FPSCR_VECTORS 0x00370000u /* vector length and stride */
#define NOT_RT	      0x5ac3c35au /* uc_flags where there is no siginfo */

struct usigcontext {
	uint32_t trap_no, error_code, oldmask;
	uint32_t regs[16]; /* r0 to pc */
	uint32_t cpsr, fault_address;
};
struct uvfp {
	uint32_t magic, size;
	uint64_t d[32];
	uint32_t fpscr, pad0;
	uint32_t fpexc, fpinst, fpinst2, pad1;
};
_Static_assert(sizeof(struct uvfp) == 288, "struct vfp_sigframe");
struct uframe {
	uint32_t flags, link;
	struct user_stack stack;
	struct usigcontext sc;
	uint32_t sigmask[2];
	uint32_t unused[30];
	struct uvfp vfp __attribute__((aligned(8)));
	uint32_t end_magic; /* 0: nothing more in uc_regspace (or in vfp.magic)
			     */
	uint32_t regspace[128 - sizeof(struct uvfp) / 4 - 1];
	uint32_t retcode[4];
};
_Static_assert(offsetof(struct uframe, vfp) == 232, "ucontext_t");
_Static_assert(sizeof(struct uframe) == 232 + 512 + 16, "struct sigframe");
struct rt_uframe {
	uint8_t info[128];
	struct uframe sig;
};

/* What is always written and read back: up to the mask. */
#define HEAD_BYTES offsetof(struct uframe, unused)
#define VFP_BYTES                                                              \
	(offsetof(struct uframe, regspace) - offsetof(struct uframe, vfp))

#define STATE_BYTES (offsetof(struct vfp_state, fpscr) + sizeof(uint32_t))
_Static_assert(offsetof(struct uvfp, fpscr) - offsetof(struct uvfp, d) ==
		       offsetof(struct vfp_state, fpscr),
	       "get_vfp");

static void fill_vfp(struct task *t, struct uframe *f)
{
	const struct vfp_state *now = t->fpu;
	struct uvfp *u = &f->vfp;
	struct vfp_state scalar;

	fpu_sync(t);
	u->magic = VFP_MAGIC;
	u->size = sizeof(*u);
	memcpy(u->d, now->d, sizeof(u->d));
	u->fpscr = now->fpscr;
	u->fpexc = now->fpexc;
	u->fpinst = now->fpinst;
	u->fpinst2 = now->fpinst2;
	u->pad0 = u->pad1 = 0;
	f->end_magic = 0;
	if (now->fpscr & FPSCR_VECTORS) {
		/* code that the compiler made expects scalars */
		scalar = *now;
		scalar.fpscr &= ~FPSCR_VECTORS;
		fpu_write(t, &scalar, true);
	}
}

/* The floating-point part, at its place in the user's frame. */
static bool put_vfp(struct task *t, struct uframe *f, uaddr_t sig)
{
	size_t n = sizeof(f->vfp.magic);

	f->vfp.magic = 0;
	if (t->arch.fpu_used) {
		fill_vfp(t, f);
		n = VFP_BYTES;
	}
	return !copy_to_user(sig + offsetof(struct uframe, vfp), &f->vfp, n);
}

static void fill_head(struct uframe *f, const struct pt_regs *regs,
		      const struct task *t, ksigset_t mask)
{
	f->link = 0;
	f->stack.sp = (uaddr_t)t->ss_sp;
	f->stack.size = (uaddr_t)t->ss_size;
	f->stack.flags = altstack_flags(t, regs->ARM_sp);
	f->sc.trap_no = (uint32_t)t->qt.fault_trapno;
	f->sc.error_code = (uint32_t)t->qt.fault_error;
	f->sc.fault_address = (uint32_t)t->qt.fault_address;
	f->sc.oldmask = (uint32_t)mask;
	memcpy(f->sc.regs, regs->uregs, sizeof(f->sc.regs));
	f->sc.cpsr = regs->ARM_cpsr;
	f->sigmask[0] = (uint32_t)mask;
	f->sigmask[1] = (uint32_t)(mask >> 32);
}

/* Where the handler returns to. */
static uint32_t return_address(const struct ksigaction *sa, bool rt, bool thumb)
{
	if (sa->flags & SA_RESTORER)
		return (uint32_t)sa->restorer;
	if (thumb)
		return VECTORS + KUSER_SIGRETURN + KUSER_THUMB +
		       (rt ? KUSER_RT / 2 : 0) + 1;
	return VECTORS + KUSER_SIGRETURN + (rt ? KUSER_RT : 0);
}

static void enter_handler(struct pt_regs *regs, const struct ksigaction *sa,
			  int signo, uaddr_t sp, bool rt)
{
	uint32_t handler = (uint32_t)sa->handler;
	uint32_t psr = regs->ARM_cpsr &
		       ~(uint32_t)(PSR_T_BIT | PSR_IT_MASK | PSR_E_BIT);

	regs->ARM_lr = return_address(sa, rt, handler & 1);
	regs->ARM_r0 = (uint32_t)signo;
	if (rt) {
		regs->ARM_r1 = sp;
		regs->ARM_r2 = sp + offsetof(struct rt_uframe, sig);
	}
	regs->ARM_sp = sp;
	regs->ARM_pc = handler & ~1u;
	regs->ARM_cpsr = psr | (handler & 1 ? PSR_T_BIT : 0);
}

bool setup_frame(struct pt_regs *regs, const struct ksigaction *sa,
		 const struct ksiginfo *info, ksigset_t oldset)
{
	struct task *t = current;
	bool rt = sa->flags & SA_SIGINFO;
	bool entering = (sa->flags & SA_ONSTACK) && t->ss_size &&
			!on_altstack(t, regs->ARM_sp);
	size_t skip = rt ? 0 : offsetof(struct rt_uframe, sig);
	uaddr_t sp = entering ? (uaddr_t)(t->ss_sp + t->ss_size) : regs->ARM_sp;
	size_t bytes = sizeof(struct rt_uframe) - skip;
	struct rt_uframe f;
	uaddr_t sig;

	sp = K_ALIGN_DOWN(sp - bytes, 8u);
	if ((entering || on_altstack(t, regs->ARM_sp)) && sp < t->ss_sp)
		return false; /* the alternate stack is too small */
	sig = sp + offsetof(struct rt_uframe, sig) - skip;
	if (rt)
		siginfo_to_user_layout(info, f.info);
	fill_head(&f.sig, regs, t, oldset);
	f.sig.flags = rt ? 0 : NOT_RT;
	if (copy_to_user(sp, (char *)&f + skip, sig - sp + HEAD_BYTES) ||
	    !put_vfp(t, &f.sig, sig) ||
	    copy_to_user(sig + offsetof(struct uframe, retcode),
			 kuser_sigreturn + (rt ? KUSER_RT : 0), KUSER_RT))
		return false;
	if ((unsigned)t->ss_flags & SS_AUTODISARM) {
		t->ss_sp = t->ss_size = 0;
		t->ss_flags = SS_DISABLE;
	}
	enter_handler(regs, sa, info->signo, sp, rt);
	return true;
}

/* ---------------------------------------------------------- the way back */

static bool get_vfp(struct task *t, uaddr_t at)
{
	struct vfp_state state;
	uint32_t mark[2];

	if (get_user(&mark[0], at))
		return false;
	if (!mark[0]) {
		/* As before the handler: it has not computed. */
		if (t->arch.fpu_used)
			fpu_reset(t);
		return true;
	}
	/* d and fpscr lie together in both */
	if (get_user(&mark, at) || mark[0] != VFP_MAGIC ||
	    mark[1] != sizeof(struct uvfp) ||
	    copy_from_user(&state, at + offsetof(struct uvfp, d), STATE_BYTES))
		return false;
	state.fpexc = state.fpinst = state.fpinst2 = 0;
	fpu_write(t, &state, true);
	return true;
}

static void restore_head(struct pt_regs *regs, const struct uframe *f)
{
	struct task *t = current;
	ksigset_t mask = f->sigmask[0] | (ksigset_t)f->sigmask[1] << 32;
	unsigned long flags;

	flags = spin_lock_irqsave(&t->proc->siglock);
	t->blocked = mask & ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
	recalc_sigpending(t);
	spin_unlock_irqrestore(&t->proc->siglock, flags);
	memcpy(regs->uregs, f->sc.regs, sizeof(f->sc.regs));
	regs->ARM_cpsr = PSR_MODE_USR | (f->sc.cpsr & (uint32_t)PSR_USER_BITS);
	t->ss_sp = f->stack.sp;
	t->ss_size = (unsigned)f->stack.flags & SS_DISABLE ? 0 : f->stack.size;
	__atomic_fetch_or(&t->work, TIF_REGS, __ATOMIC_RELAXED);
}

static long do_sigreturn(size_t skip)
{
	struct pt_regs *regs = task_regs(current);
	uaddr_t sig = regs->ARM_sp + skip;
	struct uframe f;

	/* Handlers keep the stack aligned: another one is no frame of ours. */
	if ((regs->ARM_sp & 7) || copy_from_user(&f, sig, HEAD_BYTES) ||
	    !get_vfp(current, sig + offsetof(struct uframe, vfp))) {
		force_plain_signal(current, SIGSEGV);
		return 0;
	}
	restore_head(regs, &f);
	return (long)regs->ARM_r0;
}

long sys_sigreturn(void);
long sys_sigreturn(void)
{
	return do_sigreturn(0);
}

long sys_rt_sigreturn(void);
long sys_rt_sigreturn(void)
{
	return do_sigreturn(offsetof(struct rt_uframe, sig));
}
