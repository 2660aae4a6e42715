/* SPDX-License-Identifier: MIT */
/*
 * user_return.c - the slow way back to user mode, and the tick: what is done
 * when current->work says that something is to be done.  Both ways in have
 * interrupts off and leave them off.
 */
#include "cpu.h"
#include "proc.h"
#include <arch_regs.h>

/* syscall: regs are those of a system call, which may be repeated. */
static void do_work(struct pt_regs *regs, bool syscall)
{
	struct task *t = current;
	uint32_t work;

	while ((work = K_READ(t->work))) {
		irq_enable();
		__atomic_fetch_and(&t->work, ~(TIF_NOTIFY | TIF_REGS),
				   __ATOMIC_ACQ_REL);
		if (work & TIF_NOTIFY) {
			trace_flush();
			if (t->rseq)
				rseq_resume(regs);
		}
		if (work & TIF_RESCHED)
			schedule();
		if (work & TIF_SIGNAL) {
			do_signal(regs, syscall);
			/* The rest of a sleep is slept from here: the user's
			 * registers keep the number of the first call. */
			syscall = t->restart_now;
			t->restart_now = false;
			if (syscall)
				regs_set_result(regs, sys_restart_syscall());
		}
		irq_disable();
	}
}

void exit_to_user_work(struct pt_regs *regs)
{
	do_work(regs, false);
}

void syscall_exit_work(struct pt_regs *regs)
{
	do_work(regs, !(K_READ(current->work) & TIF_REGS));
}

static void send_plain_signal(struct process *p, int signo)
{
	struct ksiginfo info = {.signo = signo, .code = SI_KERNEL};

	send_signal_process(p, &info);
}

static void count_down(struct task *t, uint64_t *left, uint64_t interval,
		       uint64_t ns, int signo)
{
	if (!*left)
		return;
	if (*left > ns) {
		*left -= ns;
		return;
	}
	*left = interval;
	send_plain_signal(t->proc, signo);
}

/* setrlimit(2): SIGXCPU at the soft limit and each second after, SIGKILL at
 * the hard one. */
static void limit_cpu(struct process *p, uint64_t ns)
{
	uint64_t before = p->cpu_ns / NSEC_PER_SEC, now;

	p->cpu_ns += ns;
	now = p->cpu_ns / NSEC_PER_SEC;
	if (k_likely(now == before) || now < p->rlim[RLIMIT_CPU].cur)
		return;
	send_plain_signal(p,
			  now >= p->rlim[RLIMIT_CPU].max ? SIGKILL : SIGXCPU);
}

/* Each 10 ms that a task runs. */
void sched_tick(struct pt_regs *regs)
{
	struct task *t = current;
	struct process *p = t->proc;
	bool user = user_mode(regs);

	if (user)
		t->utime_ticks++;
	else
		t->stime_ticks++;
	if (t->fpu && p) {
		limit_cpu(p, NS_PER_CLK);
		if (user)
			count_down(t, &p->virt_left, p->virt_interval,
				   NS_PER_CLK, SIGVTALRM);
		count_down(t, &p->prof_left, p->prof_interval, NS_PER_CLK,
			   SIGPROF);
	}
	if (this_cpu()->nr_queued)
		__atomic_fetch_or(&t->work, TIF_RESCHED, __ATOMIC_ACQ_REL);
}
