/* SPDX-License-Identifier: MIT */
/*
 * rseq.c - restartable sequences, rseq(2): a thread tells where it keeps the
 * number of its CPU, and which stretch of its code (struct rseq_cs) must not
 * be interrupted half way.  On the way back to user mode after the thread was
 * switched away, and before a signal handler runs, the number is written anew
 * and a thread inside its stretch is sent to the stretch's abort address.
 *
 * Layouts: <linux/rseq.h> as documented in the rseq manual of librseq:
 *	struct rseq     cpu_id_start, cpu_id (u32), rseq_cs (u64), flags
 *	struct rseq_cs  version, flags (u32), start, length, abort (u64)
 * The four bytes before the abort address hold the signature given at
 * registration.
 */
#include "kerrno.h"
#include "proc.h"
#include <arch_regs.h>

#define RSEQ_SIZE	32u
#define RSEQ_UNREGISTER 1
#define AT_RSEQ_CS	8

struct sequence {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

static int abort_sequence(struct task *t, struct pt_regs *regs)
{
	uint64_t at64, none = 0;
	struct sequence s;
	uaddr_t at, ip = regs_ip(regs);
	uint32_t sig;

	if (get_user(&at64, t->rseq + AT_RSEQ_CS))
		return -EFAULT;
	at = (uaddr_t)at64;
	if (!at)
		return 0;
	if (at != at64)
		return -EINVAL;
	if (get_user(&s, at))
		return -EFAULT;
	if (s.version || s.abort - s.start < s.length ||
	    s.abort >= quire_task_size(the_quire))
		return -EINVAL;
	if (ip - s.start >= s.length)
		return put_user(none, t->rseq + AT_RSEQ_CS);
	if (get_user(&sig, (uaddr_t)s.abort - 4) || sig != t->rseq_sig)
		return -EINVAL;
	if (put_user(none, t->rseq + AT_RSEQ_CS))
		return -EFAULT;
	regs_set_ip(regs, (uaddr_t)s.abort);
	return 0;
}

/* A thread with rseq is about to go on in user mode at other circumstances. */
void rseq_resume(struct pt_regs *regs)
{
	struct task *t = current;
	uint32_t cpu[2];

	cpu[0] = cpu[1] = quire_host_cpu();
	if (!abort_sequence(t, regs)) {
		if (cpu[0] == t->rseq_cpu)
			return;
		t->rseq_cpu = cpu[0];
		if (!copy_to_user(t->rseq, cpu, sizeof(cpu)))
			return;
	}
	force_plain_signal(t, SIGSEGV);
}

long sys_rseq(uaddr_t addr, uint32_t len, int flags, uint32_t sig);
long sys_rseq(uaddr_t addr, uint32_t len, int flags, uint32_t sig)
{
	struct task *t = current;
	uint32_t none[2] = {0, ~0u};

	if (flags & RSEQ_UNREGISTER) {
		if (flags != RSEQ_UNREGISTER || !t->rseq || t->rseq != addr ||
		    t->rseq_len != len)
			return -EINVAL;
		if (t->rseq_sig != sig)
			return -EPERM;
		t->rseq = 0;
		return copy_to_user(addr, none, sizeof(none)) ? -EFAULT : 0;
	}
	if (flags)
		return -EINVAL;
	if (t->rseq) {
		if (t->rseq != addr || t->rseq_len != len)
			return -EINVAL;
		return t->rseq_sig == sig ? -EBUSY : -EPERM;
	}
	if ((addr & 31) || len < RSEQ_SIZE)
		return -EINVAL;
	if (!access_ok(addr, len))
		return -EFAULT;
	t->rseq_len = len;
	t->rseq_sig = sig;
	t->rseq_cpu = ~0u;
	t->rseq = addr;
	__atomic_fetch_or(&t->work, TIF_NOTIFY, __ATOMIC_RELAXED);
	return 0;
}
