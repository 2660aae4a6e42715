/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - what a processor has, what each needs at its start, and the user
 * registers that are in no pt_regs: thread pointers, floating point and SIMD.
 *
 * Floating point.  A task begins without: the unit is off (FPEXC.EN), its
 * first instruction of that kind is undefined, and fpu_first_use() turns the
 * unit on and says so in task.arch.fpu_used.  From then on the task is one
 * that uses it, and its state is saved whenever it leaves the CPU and loaded
 * when it comes back, unless the registers still hold it.  So a program that
 * never computes (most of those that only fork and exec) pays nothing at a
 * switch, and one that does pays no trap at each; and a task that does not run
 * has its state in memory, whatever CPU it goes to next.
 *
 * What a VFP11 (ARM1176) hands over to software, operations on denormal numbers
 * out of its flush-to-zero mode, is not done here: the program gets SIGILL.
 * QEMU's never hands anything over.
 *
 * Registers: ARM ARM DDI 0406C, B1.11 (CPACR, FPEXC), B6.1 (FPSID, MVFR).
 */
#include "board.h"
#include "proc.h"

#define FPEXC_EN (1u << 30)
#define CPACR_FP (15u << 20) /* coprocessors 10 and 11, full access */

struct arm_cpu_features cpu_features;

/* vfp.S */
void vfp_store(struct vfp_state *s, bool d32);
void vfp_load(const struct vfp_state *s, bool d32);
uint32_t vfp_fpsid(void), vfp_mvfr0(void), vfp_mvfr1(void);
void vfp_enable(uint32_t fpexc);

static void detect_vfp(struct arm_cpu_features *f)
{
	uint32_t mvfr0, mvfr1, arch;

	write_cpacr(read_cpacr() | CPACR_FP);
	isb();
	if ((read_cpacr() & CPACR_FP) != CPACR_FP)
		return;
	/* Bit 23: emulated in software.  0: VFPv1; 2 and up: VFPv3. */
	if (vfp_fpsid() & (1u << 23))
		return;
	arch = (vfp_fpsid() >> 16) & 0x7f;
	f->vfp = arch >= 1;
	f->vfp_v3 = arch >= 2;
	if (!f->vfp_v3)
		return;
	mvfr0 = vfp_mvfr0();
	mvfr1 = vfp_mvfr1();
	f->vfp_d32 = (mvfr0 & 15) == 2;
	f->neon = f->vfp_d32 && (mvfr1 & 0xf00) && (mvfr1 & 0xf000);
	f->vfp_v4 = mvfr1 >> 28 == 1;
}

void cpu_detect(void)
{
	struct arm_cpu_features *f = &cpu_features;

	f->midr = read_midr();
	f->v7 = KERNEL_ARMV7;
	f->idiv = KERNEL_ARMV7 && (read_id_isar0() >> 24 & 15) == 2;
	f->mp = KERNEL_ARMV7 && (read_mpidr() >> 30) == 2;
	f->name = "ARM";
	detect_vfp(f);
}

void cpu_init(unsigned id)
{
	struct cpu *c = &cpus[id];

	c->id = id;
	exception_stacks_init(&c->arch.stacks);
	write_cpacr(read_cpacr() | (cpu_features.vfp ? CPACR_FP : 0));
	isb();
	if (cpu_features.vfp)
		vfp_enable(0);
}

/* -------------------------------------------------------- thread pointers */

void machine_set_stack(struct cpu *c, struct task *t)
{
	/* In user mode sp_svc is the top of the task's stack by itself. */
	c->kstack_top = t->kstack_top;
}

void user_state_switch(struct cpu *c, struct task *next)
{
	(void)c;
	write_tpidruro(next->arch.tp);
	write_tpidrurw(next->arch.tp_rw);
}

void user_state_fork(struct task *t, const struct task *from, bool settls,
		     uaddr_t tls)
{
	t->arch = from->arch;
	t->arch.tp_rw = read_tpidrurw();
	if (settls)
		t->arch.tp = tls;
}

void arch_set_tls(uaddr_t tp)
{
	current->arch.tp = tp;
	write_tpidruro(tp);
}

void user_state_reset(struct task *t)
{
	t->arch.tp_rw = 0;
	write_tpidrurw(0);
	arch_set_tls(0);
}

/* ------------------------------------------------------- floating point */

size_t fpu_area_bytes(void)
{
	return sizeof(struct vfp_state);
}

void fpu_init_task(void *area)
{
	memset(area, 0, sizeof(struct vfp_state));
}

/*
 * t leaves this CPU: what user mode has changed by itself goes to memory.  (A
 * task without an area is a kernel thread, which has none of it.)
 */
void fpu_save(struct task *t)
{
	if (!t->fpu)
		return;
	t->arch.tp_rw = read_tpidrurw();
	if (t->arch.fpu_used && this_cpu()->fpu_owner == t)
		vfp_store(t->fpu, cpu_features.vfp_d32);
}

static void load(struct cpu *c, struct task *t)
{
	vfp_enable(FPEXC_EN);
	vfp_load(t->fpu, cpu_features.vfp_d32);
	c->fpu_owner = t;
	t->fpu_cpu = c->id;
}

/* t is about to run here. */
void fpu_restore(struct task *t)
{
	struct cpu *c = this_cpu();

	if (!cpu_features.vfp)
		return;
	if (!t->arch.fpu_used)
		vfp_enable(0);
	else if (c->fpu_owner == t && t->fpu_cpu == c->id)
		vfp_enable(FPEXC_EN);
	else
		load(c, t);
}

bool fpu_first_use(void)
{
	struct task *t = current;
	unsigned long flags;

	if (!cpu_features.vfp || !t->fpu || t->arch.fpu_used)
		return false;
	flags = irq_save();
	t->arch.fpu_used = true;
	load(this_cpu(), t);
	irq_restore(flags);
	return true;
}

void fpu_invalidate(struct task *t)
{
	t->fpu_cpu = ~0u;
}

void fpu_copy(struct task *to, struct task *from)
{
	to->arch.fpu_used = from->fpu && from->arch.fpu_used;
	if (!to->arch.fpu_used)
		fpu_init_task(to->fpu);
	else
		fpu_read(from, to->fpu);
}

void fpu_reset(struct task *t)
{
	unsigned long flags = irq_save();
	struct cpu *c = this_cpu();

	fpu_init_task(t->fpu);
	t->arch.fpu_used = false;
	if (c->fpu_owner == t)
		c->fpu_owner = NULL;
	if (cpu_features.vfp)
		vfp_enable(0);
	irq_restore(flags);
}

void fpu_sync(struct task *t)
{
	unsigned long flags = irq_save();

	fpu_save(t);
	irq_restore(flags);
}

/* The current task's state as it is, into memory. */
void fpu_read(struct task *t, void *out)
{
	fpu_sync(t);
	memcpy(out, t->fpu, sizeof(struct vfp_state));
}

/* And from memory that came from the user. */
void fpu_write(struct task *t, const void *in, bool extended)
{
	struct vfp_state *s = t->fpu;
	unsigned long flags;

	(void)extended;
	if (!cpu_features.vfp)
		return;
	flags = irq_save();
	memcpy(s, in, sizeof(*s));
	s->fpscr &= 0xfff79f9fu; /* DDI 0406C, B4.1.58: the others are zero */
	t->arch.fpu_used = true;
	load(this_cpu(), t);
	irq_restore(flags);
}
