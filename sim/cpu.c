/* SPDX-License-Identifier: MIT */
/*
 * A CPU's accesses.
 *
 *   sim_read/write/fetch/...
 *      for each piece that stays in one page:
 *         poll IPIs -> translate -> copy, with no poll in between
 *                        | page fault
 *                      do_page_fault(regs, error, address)   (arch's entry)
 *                        signal queued / OOM / fixup / killed -> return
 *                        else: the access is repeated
 *
 * As on a processor, translation and the use of it are one step as seen by
 * other CPUs' shootdowns: an IPI is answered before or after, never between.
 *
 * User data is moved by aligned eight-byte words, each in one load or store,
 * invisible to ThreadSanitizer: what racing programs do to their own memory is
 * their affair.
 */
#include <string.h>

#include <sim/internal.h>

/* ------------------------------------------------------------- user data */

SIM_NO_TSAN void sim_copy_out(void *dst, const void *src, size_t n)
{
	volatile unsigned char *d = dst;
	const volatile unsigned char *s = src;

	while (n && ((uintptr_t)s & 7)) {
		*d++ = *s++;
		n--;
	}
	for (; n >= 8; n -= 8, s += 8, d += 8) {
		uint64_t v =
			*(const volatile uint64_t *)(const volatile void *)s;

		__builtin_memcpy((void *)(uintptr_t)d, &v, 8);
	}
	while (n--)
		*d++ = *s++;
}

SIM_NO_TSAN void sim_copy_in(void *dst, const void *src, size_t n)
{
	volatile unsigned char *d = dst;
	const volatile unsigned char *s = src;

	while (n && ((uintptr_t)d & 7)) {
		*d++ = *s++;
		n--;
	}
	for (; n >= 8; n -= 8, s += 8, d += 8) {
		uint64_t v;

		__builtin_memcpy(&v, (const void *)(uintptr_t)s, 8);
		*(volatile uint64_t *)(volatile void *)d = v;
	}
	while (n--)
		*d++ = *s++;
}

/* ------------------------------------------------------------------ faults */

/* Non-canonical: Linux answers #GP with SIGSEGV, SI_KERNEL, no address. */
static int general_protection(struct sim_task *t, unsigned mode)
{
	if (mode & SIM_FIXUP) {
		t->fixed_up = true;
		return SIM_EFAULT;
	}
	if (mode & SIM_KERNEL) {
		t->oopsed = true;
		return SIM_OOPS;
	}
	t->sig = (struct quire_signal){.signo = SIGSEGV, .code = 0x80};
	return SIGSEGV;
}

static int take_signal(struct sim_task *t)
{
	t->sig = t->queue[0];
	t->nr_queued--;
	memmove(t->queue, t->queue + 1, t->nr_queued * sizeof(t->queue[0]));
	return t->sig.signo;
}

static int killed(struct sim_task *t)
{
	t->sig = (struct quire_signal){.signo = SIGKILL};
	return SIGKILL;
}

static uint64_t ip_of(unsigned mode)
{
	return mode & SIM_FIXUP	   ? SIM_IP_FIXABLE
	       : mode & SIM_KERNEL ? SIM_IP_PLAIN
				   : 0x400000;
}

/* Not when a step has begun, nor inside the handler of another exception. */
static void exception_ends(struct sim_cpu *cpu, const char *which)
{
	if (--cpu->exceptions == 0 && !cpu->tf)
		check_balance(cpu, which);
}

/* The instruction has done its work: a single step ends after it. */
static void instruction_ends(struct sim_cpu *cpu, unsigned mode)
{
	if (sim_likely(!cpu->tf))
		return;
	cpu->stats.debug_traps++;
	cpu->exceptions++;
	cpu->m->mmu->debug(cpu, mode, ip_of(mode));
	exception_ends(cpu, "the debug exception");
}

/* A page fault: let Quire answer.  0: repeat the access. */
static int page_fault(struct sim_cpu *cpu, struct sim_task *t, unsigned mode,
		      uaddr_t addr, uint32_t error)
{
	uint64_t ip = ip_of(mode);

	cpu->stats.page_faults++;
	t->total_faults++;
	t->error = error;
	if (++t->faults > cpu->m->config.max_faults) {
		sim_violation("access to %#llx faults for ever: error %#x",
			      (unsigned long long)addr, error);
		return SIM_LOOP;
	}
	cpu->exceptions++;
	cpu->m->mmu->fault(cpu, mode, addr, error, &ip);
	exception_ends(cpu, "do_page_fault");
	if (__atomic_load_n(&t->killed, __ATOMIC_RELAXED))
		return killed(t);
	if (t->nr_queued)
		return take_signal(t);
	if (t->oom)
		return SIM_OOM;
	if (t->oopsed)
		return SIM_OOPS;
	if (ip == SIM_IP_FIXUP)
		return SIM_EFAULT;
	/* it may have been made ready before the exception returned */
	return __atomic_load_n(&t->qt.fault_waiting, __ATOMIC_ACQUIRE)
		       ? SIM_WAITS
		       : 0;
}

/* Translate, taking faults until it works. 0, or what sim_access returns. */
static int resolve(struct sim_cpu *cpu, struct sim_task *t,
		   enum sim_access_kind kind, unsigned mode, uaddr_t addr,
		   paddr_t *phys)
{
	struct sim_walk w;
	int r;

	cpu->stats.accesses++;
	for (;;) {
		cpu_poll(cpu);
		if (sim_likely(mmu_translate(cpu, kind, mode, addr, phys, &w)))
			return 0;
		r = w.gp ? general_protection(t, mode)
			 : page_fault(cpu, t, mode, addr, w.error);
		if (r)
			return r;
	}
}

/* Make t current; the state of its last access is forgotten. */
static int begin(struct sim_task *t)
{
	struct sim_cpu *cpu = sim_self;

	if (sim_unlikely(!cpu || cpu->task != t))
		sim_run(t);
	t->faults = 0;
	t->done = 0;
	t->error = 0;
	t->oom = false;
	t->oopsed = false;
	t->fixed_up = false;
	if (sim_unlikely(__atomic_load_n(&t->killed, __ATOMIC_RELAXED)))
		return killed(t);
	return 0;
}

int sim_access(struct sim_task *t, enum sim_access_kind kind, unsigned mode,
	       uaddr_t addr, void *buf, size_t n)
{
	bool stepping = sim_self && sim_self->tf; /* we are in a handler */
	int r = begin(t);
	struct sim_cpu *cpu = sim_self;

	cpu->tf = false;
	while (!r && t->done < n) {
		uaddr_t at = addr + (uaddr_t)t->done;
		size_t piece = 4096 - (at & 4095);
		paddr_t phys;

		if (piece > n - t->done)
			piece = n - t->done;
		t->faults = 0;
		r = resolve(cpu, t, kind, mode, at, &phys);
		if (r)
			break;
		if (kind == SIM_WRITE)
			sim_copy_in(cpu->m->ram + phys, (char *)buf + t->done,
				    piece);
		else
			sim_copy_out((char *)buf + t->done, cpu->m->ram + phys,
				     piece);
		instruction_ends(cpu, mode);
		t->done += piece;
	}
	cpu->tf = stepping;
	return r;
}

int sim_move(struct sim_task *t, unsigned mode, uaddr_t to, uaddr_t from,
	     size_t n)
{
	bool stepping = sim_self && sim_self->tf;
	int r = begin(t);
	struct sim_cpu *cpu = sim_self;
	paddr_t src, dst, again;

	cpu->tf = false;
	/* until neither operand faults after the other has been found */
	while (!r) {
		r = resolve(cpu, t, SIM_READ, mode, from, &src);
		if (!r)
			r = resolve(cpu, t, SIM_WRITE, mode, to, &dst);
		if (!r)
			r = resolve(cpu, t, SIM_READ, mode, from, &again);
		if (!r && again == src)
			break;
	}
	if (!r) {
		memmove(cpu->m->ram + dst, cpu->m->ram + src, n);
		instruction_ends(cpu, mode);
	}
	cpu->tf = stepping;
	return r;
}

int sim_read(struct sim_task *t, uaddr_t addr, void *buf, size_t n)
{
	return sim_access(t, SIM_READ, 0, addr, buf, n);
}

int sim_write(struct sim_task *t, uaddr_t addr, const void *buf, size_t n)
{
	return sim_access(t, SIM_WRITE, 0, addr, (void *)(uintptr_t)buf, n);
}

int sim_fetch(struct sim_task *t, uaddr_t addr, void *buf, size_t n)
{
	return sim_access(t, SIM_FETCH, 0, addr, buf, n);
}

/* ------------------------------------------------------- single operations */

SIM_NO_TSAN static uint64_t raw_load64(const void *p)
{
	return *(const volatile uint64_t *)p;
}
SIM_NO_TSAN static void raw_store64(void *p, uint64_t v)
{
	*(volatile uint64_t *)p = v;
}
SIM_NO_TSAN static uint8_t raw_load8(const void *p)
{
	return *(const volatile uint8_t *)p;
}
SIM_NO_TSAN static void raw_store8(void *p, uint8_t v)
{
	*(volatile uint8_t *)p = v;
}

int sim_load64(struct sim_task *t, uaddr_t addr, uint64_t *v)
{
	paddr_t phys;
	int r = begin(t);

	if (!r)
		r = resolve(sim_self, t, SIM_READ, 0, addr, &phys);
	if (!r)
		*v = raw_load64(sim_self->m->ram + phys);
	return r;
}

int sim_store64(struct sim_task *t, uaddr_t addr, uint64_t v)
{
	paddr_t phys;
	int r = begin(t);

	if (!r)
		r = resolve(sim_self, t, SIM_WRITE, 0, addr, &phys);
	if (!r)
		raw_store64(sim_self->m->ram + phys, v);
	return r;
}

int sim_load8(struct sim_task *t, uaddr_t addr, uint8_t *v)
{
	paddr_t phys;
	int r = begin(t);

	if (!r)
		r = resolve(sim_self, t, SIM_READ, 0, addr, &phys);
	if (!r)
		*v = raw_load8(sim_self->m->ram + phys);
	return r;
}

int sim_store8(struct sim_task *t, uaddr_t addr, uint8_t v)
{
	paddr_t phys;
	int r = begin(t);

	if (!r)
		r = resolve(sim_self, t, SIM_WRITE, 0, addr, &phys);
	if (!r)
		raw_store8(sim_self->m->ram + phys, v);
	return r;
}

int sim_fetch_add64(struct sim_task *t, uaddr_t addr, uint64_t v, uint64_t *old)
{
	paddr_t phys;
	uint64_t before;
	int r = begin(t);

	if (!r)
		r = resolve(sim_self, t, SIM_WRITE, 0, addr, &phys);
	if (r)
		return r;
	before = __atomic_fetch_add(
		(uint64_t *)(void *)(sim_self->m->ram + phys), v,
		__ATOMIC_SEQ_CST);
	if (old)
		*old = before;
	return 0;
}

int sim_touch_write(struct sim_task *t, uaddr_t addr, uaddr_t len, uint8_t byte)
{
	uaddr_t at;
	int r;

	for (at = addr; at - addr < len; at = (at & ~(uaddr_t)4095) + 4096) {
		r = sim_store8(t, at, byte);
		if (r)
			return r;
	}
	return 0;
}

int sim_touch_read(struct sim_task *t, uaddr_t addr, uaddr_t len)
{
	uint8_t byte;
	uaddr_t at;
	int r;

	for (at = addr; at - addr < len; at = (at & ~(uaddr_t)4095) + 4096) {
		r = sim_load8(t, at, &byte);
		if (r)
			return r;
	}
	return 0;
}

/* ------------------------------------------------------------- kernel mode */

/* access_ok(): how much of the range lies in user space. */
static size_t user_part(struct sim_task *t, uaddr_t addr, size_t n)
{
	uaddr_t top = quire_task_size(t->m->q);

	if (addr >= top)
		return 0;
	return n > top - addr ? (size_t)(top - addr) : n;
}

size_t sim_copy_to_user(struct sim_task *t, uaddr_t addr, const void *buf,
			size_t n)
{
	sim_access(t, SIM_WRITE, SIM_KERNEL | SIM_FIXUP | SIM_AC, addr,
		   (void *)(uintptr_t)buf, user_part(t, addr, n));
	return t->done;
}

size_t sim_copy_from_user(struct sim_task *t, uaddr_t addr, void *buf, size_t n)
{
	sim_access(t, SIM_READ, SIM_KERNEL | SIM_FIXUP | SIM_AC, addr, buf,
		   user_part(t, addr, n));
	return t->done;
}
