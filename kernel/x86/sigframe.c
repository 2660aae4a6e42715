/* SPDX-License-Identifier: MIT */
/*
 * sigframe.c - what a signal handler finds on its stack, and the way back.
 *
 *	higher   floating-point state, 64-byte aligned, with Linux's marks
 *	         siginfo_t
 *	         ucontext_t
 *	sp ->    return address: the restorer, which calls rt_sigreturn
 *
 * Layouts: the x86-64 ABI as in <ucontext.h> and sigaction(2); the marks in
 * the XSAVE image as <asm/sigcontext.h> documents them for user programs.
 */
#include <asm/ptrace.h>
#include "cpu.h"
#include "proc.h"

#define FP_MAGIC1	     0x46505853u
#define FP_MAGIC2	     0x46505845u
#define UC_FP_XSTATE	     1u
#define UC_SIGCONTEXT_SS     2u
#define UC_STRICT_RESTORE_SS 4u
#define FPU_MAX		     1024u
#define SA_ONSTACK	     0x08000000u
#define SA_RESTORER	     0x04000000u
#define USER_FLAGS                                                             \
	0x44dd5ull /* what a program may set: CF ... OF, TF, DF,               \
		    * AC */

struct ustack {
	uint64_t sp;
	int32_t flags, pad;
	uint64_t size;
};
struct usigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate;
	uint64_t reserved[8];
};
struct uframe {
	uint64_t restorer;
	uint64_t uc_flags, uc_link;
	struct ustack stack;
	struct usigcontext sc;
	uint64_t sigmask;
	uint8_t info[128];
};
struct sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t features;
	uint32_t size, padding[7];
};

static size_t fpu_frame_size(void)
{
	return cpu_features.xsave_size + (cpu_features.xsave ? 4 : 0);
}

static bool put_fpu(struct task *t, uint64_t at)
{
	uint8_t area[FPU_MAX] __attribute__((aligned(64)));
	uint32_t size = cpu_features.xsave_size;
	struct sw_bytes sw = {
		FP_MAGIC1, size + 4, cpu_features.xcr0, size, {0}};
	uint32_t magic2 = FP_MAGIC2;

	fpu_read(t, area);
	if (cpu_features.xsave) {
		memcpy(area + 464, &sw, sizeof(sw));
		if (copy_to_user(at + size, &magic2, sizeof(magic2)))
			return false;
	}
	return copy_to_user(at, area, size) == 0;
}

static void fill_context(struct usigcontext *sc, const struct pt_regs *r,
			 const struct task *t, uint64_t mask, uint64_t fp)
{
	memcpy(&sc->r8,
	       (uint64_t[]){r->r8, r->r9, r->r10, r->r11, r->r12, r->r13,
			    r->r14, r->r15},
	       64);
	sc->di = r->di;
	sc->si = r->si;
	sc->bp = r->bp;
	sc->bx = r->bx;
	sc->dx = r->dx;
	sc->ax = r->ax;
	sc->cx = r->cx;
	sc->sp = r->sp;
	sc->ip = r->ip;
	sc->flags = r->flags;
	sc->cs = (uint16_t)r->cs;
	sc->ss = (uint16_t)r->ss;
	sc->err = t->qt.fault_error;
	sc->trapno = t->qt.fault_trapno;
	sc->cr2 = t->qt.fault_address;
	sc->oldmask = mask;
	sc->fpstate = fp;
}

bool setup_frame(struct pt_regs *regs, const struct ksigaction *sa,
		 const struct ksiginfo *info, ksigset_t oldset)
{
	struct task *t = current;
	struct uframe f = {0};
	uint64_t sp = regs->sp - 128, fp;
	bool entering = (sa->flags & SA_ONSTACK) && t->ss_size &&
			!on_altstack(t, regs->sp);

	if (entering)
		sp = t->ss_sp + t->ss_size;
	fp = K_ALIGN_DOWN(sp - fpu_frame_size(), 64ull);
	sp = K_ALIGN_DOWN(fp - sizeof(f), 16ull) - 8;
	if ((entering || on_altstack(t, regs->sp)) && sp < t->ss_sp)
		return false; /* the alternate stack is too small */
	if (!(sa->flags & SA_RESTORER) || !put_fpu(t, fp))
		return false;
	f.restorer = sa->restorer;
	f.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
		     (cpu_features.xsave ? UC_FP_XSTATE : 0);
	f.stack.sp = t->ss_sp;
	f.stack.size = t->ss_size;
	f.stack.flags = altstack_flags(t, regs->sp);
	fill_context(&f.sc, regs, t, oldset, fp);
	f.sigmask = oldset;
	siginfo_to_user_layout(info, f.info);
	if (copy_to_user(sp, &f, sizeof(f)))
		return false;
	if ((unsigned)t->ss_flags & SS_AUTODISARM) {
		t->ss_sp = t->ss_size = 0;
		t->ss_flags = SS_DISABLE;
	}
	fpu_reset(t);
	regs->sp = sp;
	regs->ip = sa->handler;
	regs->ax = 0;
	regs->di = (uint64_t)info->signo;
	regs->si = sp + offsetof(struct uframe, info);
	regs->dx = sp + offsetof(struct uframe, uc_flags);
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs->flags &= ~0x40500ull; /* DF, TF, AC */
	return true;
}

static bool get_fpu(struct task *t, uint64_t at)
{
	uint8_t area[FPU_MAX] __attribute__((aligned(64)));
	uint32_t size = cpu_features.xsave_size, magic2 = 0;
	struct sw_bytes sw;
	bool extended;

	if (!at) {
		fpu_reset(t);
		return true;
	}
	if (copy_from_user(area, at, 512))
		return false;
	memcpy(&sw, area + 464, sizeof(sw));
	extended = cpu_features.xsave && sw.magic1 == FP_MAGIC1 &&
		   sw.size == size && !get_user(&magic2, at + size) &&
		   magic2 == FP_MAGIC2;
	if (extended && copy_from_user(area, at, size))
		return false;
	fpu_write(t, area, extended);
	return true;
}

static void restore_context(struct pt_regs *r, const struct usigcontext *sc)
{
	r->r8 = sc->r8;
	r->r9 = sc->r9;
	r->r10 = sc->r10;
	r->r11 = sc->r11;
	r->r12 = sc->r12;
	r->r13 = sc->r13;
	r->r14 = sc->r14;
	r->r15 = sc->r15;
	r->di = sc->di;
	r->si = sc->si;
	r->bp = sc->bp;
	r->bx = sc->bx;
	r->dx = sc->dx;
	r->ax = sc->ax;
	r->cx = sc->cx;
	r->sp = sc->sp;
	r->ip = sc->ip;
	r->cs = USER_CS;
	r->ss = USER_DS;
	r->flags = (r->flags & ~USER_FLAGS) | (sc->flags & USER_FLAGS) | 0x202;
}

long sys_rt_sigreturn(void);
long sys_rt_sigreturn(void)
{
	struct task *t = current;
	struct pt_regs *regs = task_regs(t);
	struct uframe f;
	unsigned long flags;

	/* The restorer's call has popped the return address. */
	if (copy_from_user(&f, regs->sp - 8, offsetof(struct uframe, info)) ||
	    !get_fpu(t, f.sc.fpstate))
		goto bad;
	flags = spin_lock_irqsave(&t->proc->siglock);
	t->blocked = f.sigmask & ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
	recalc_sigpending(t);
	spin_unlock_irqrestore(&t->proc->siglock, flags);
	restore_context(regs, &f.sc);
	t->ss_sp = f.stack.sp;
	t->ss_size = (unsigned)f.stack.flags & SS_DISABLE ? 0 : f.stack.size;
	/* Out through IRET, with all registers. */
	__atomic_fetch_or(&t->work, TIF_REGS, __ATOMIC_RELAXED);
	return (long)regs->ax;
bad:
	force_plain_signal(t, SIGSEGV);
	return 0;
}
