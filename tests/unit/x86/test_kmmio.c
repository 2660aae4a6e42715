/* SPDX-License-Identifier: MIT */
/*
 * Probes on device registers (E4): handlers around each access, one step at a
 * time, on one CPU and on several.
 *
 * The device is reserved memory, mapped by hand into the kernel's half of the
 * tables, in pages of 4 KiB with global entries: a flush that is forgotten is
 * an access that goes unnoticed.
 */
#include <asm/pgtable.h>
#include <asm/ptrace.h>
#include <quire/kmmio.h>

#include <tests/unit/common.h>

#define K     SIM_KERNEL
#define NPAGE 72u
#define LEAF  0x163u /* P, RW, A, D, G */

/* ------------------------------------------------------------- the device */

static paddr_t dev_phys, dev_tables;
static uaddr_t dev_addr;

#if QUIRE_UADDR_BITS == 64
#define DEVICE_AT(m) ((uaddr_t)0xffffc90000000000ull)
typedef uint64_t entry_t;
#else
#define DEVICE_AT(m) (sim_quire(m)->config.vmalloc_start)
typedef pteval_t entry_t;
#endif

/* The table behind entry i of `table`, made if there is none. */
static paddr_t table_at(struct sim_machine *m, paddr_t table, uaddr_t i,
			unsigned bits)
{
	entry_t *e = (entry_t *)sim_phys(m, table) + i;

	if (!(*e & 1)) {
		memset(sim_phys(m, dev_tables), 0, PG);
		*e = (entry_t)(dev_tables | bits);
		dev_tables += PG;
	}
	return (paddr_t)(*e & PTE_PFN_MASK);
}

/* Map the device; address spaces that there are by then may not have it. */
static void make_device(struct sim_machine *m)
{
	struct quire *q = sim_quire(m);
	paddr_t table = q->arch.kernel_root;
	unsigned shift = walk_top_shift(q), i;
	uint64_t bytes;

	dev_tables = sim_reserved(m, &bytes);
	dev_phys = dev_tables + 8 * PG;
	dev_addr = DEVICE_AT(m);
	REQUIRE(bytes >= (8 + NPAGE) * PG);
	for (; shift > PAGE_SHIFT; shift -= WALK_INDEX_BITS)
		table = table_at(m, table,
				 dev_addr >> shift &
					 ((1u << WALK_INDEX_BITS) - 1),
				 shift > WALK_RIGHTS_SHIFT ? 1 : 3);
	for (i = 0; i < NPAGE; i++)
		((entry_t *)sim_phys(m, table))[i] =
			(entry_t)((dev_phys + i * PG) | LEAF);
}

static uint64_t *reg(struct sim_machine *m, uaddr_t off)
{
	return (uint64_t *)(void *)((char *)sim_phys(m, dev_phys) + off);
}

static int load(struct sim_task *t, uaddr_t off, uint64_t *v)
{
	*v = 0xbad;
	return sim_access(t, SIM_READ, K, dev_addr + off, v, 8);
}

static int store(struct sim_task *t, uaddr_t off, uint64_t v)
{
	return sim_access(t, SIM_WRITE, K, dev_addr + off, &v, 8);
}

/* -------------------------------------------------------------- the probes */

struct seen {
	struct quire_kmmio_probe p;
	unsigned pre, post; /* atomic */
	uaddr_t addr;
	uint64_t before, after; /* the first register of the page */
	void (*more)(struct seen *s, bool post);
	struct sim_task *t;
};

static void note(struct quire_kmmio_probe *p, struct pt_regs *regs,
		 uaddr_t addr, bool post)
{
	struct seen *s = p->cookie;
	uint64_t v;

	CHECK(!user_mode(regs));
	CHECK(addr - p->addr < p->len);
	/* several CPUs may be here at once */
	__atomic_store_n(&s->addr, addr, __ATOMIC_RELAXED);
	__atomic_fetch_add(post ? &s->post : &s->pre, 1, __ATOMIC_RELAXED);
	v = __atomic_load_n(
		reg(sim_this_machine(), (addr & PAGE_MASK) - dev_addr),
		__ATOMIC_RELAXED);
	__atomic_store_n(post ? &s->after : &s->before, v, __ATOMIC_RELAXED);
	if (s->more)
		s->more(s, post);
}
static void pre(struct quire_kmmio_probe *p, struct pt_regs *regs, uaddr_t addr)
{
	note(p, regs, addr, false);
}
static void post(struct quire_kmmio_probe *p, struct pt_regs *regs,
		 uaddr_t addr)
{
	note(p, regs, addr, true);
}

static int watch(struct seen *s, uaddr_t off, uaddr_t len)
{
	memset(s, 0, sizeof(*s));
	s->p = (struct quire_kmmio_probe){.addr = dev_addr + off,
					  .len = len,
					  .pre = pre,
					  .post = post,
					  .cookie = s};
	return quire_kmmio_register(sim_quire(sim_this_machine()), &s->p);
}
static void unwatch(struct seen *s)
{
	quire_kmmio_unregister(sim_quire(sim_this_machine()), &s->p);
}
#define CHECK_SEEN(s, n)                                                       \
	do {                                                                   \
		CHECK_EQ((s)->pre, n);                                         \
		CHECK_EQ((s)->post, n);                                        \
	} while (0)

static uint64_t traps(struct sim_machine *m)
{
	struct sim_stats s;

	sim_get_stats(m, &s);
	return s.debug_traps;
}

/* behaviour: E4 (each access runs the handlers around one single step) */
TEST(kmmio_probe_sees_each_access)
{
	struct sim_task *t;
	struct seen s;
	uint64_t v;

	make_device(m);
	t = sim_task_create(m);
	sim_run(t);
	*reg(m, 0) = 5;
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_EQ(v, 5);
	CHECK_EQ(t->faults, 0);
	CHECK_EQ(watch(&s, 0, 16), 0);
	CHECK_EQ(load(t, 0, &v), 0); /* though the TLB had it */
	CHECK_EQ(v, 5);
	CHECK_SEEN(&s, 1);
	CHECK_EQ(t->faults, 1);
	CHECK_EQ(s.addr, dev_addr);
	CHECK_EQ(store(t, 0, 6), 0);
	CHECK_SEEN(&s, 2);
	CHECK_EQ(s.before, 5); /* before the access, and after it */
	CHECK_EQ(s.after, 6);
	CHECK_EQ(*reg(m, 0), 6);
	CHECK_EQ(store(t, 8, 7), 0);
	CHECK_SEEN(&s, 3);
	CHECK_EQ(s.addr, dev_addr + 8);
	CHECK_EQ(traps(m), 3);
	/* elsewhere in the page: stepped over, but told to nobody */
	CHECK_EQ(store(t, 16, 8), 0);
	CHECK_SEEN(&s, 3);
	CHECK_EQ(traps(m), 4);
	CHECK_EQ(store(t, PG, 9), 0); /* another page: not at all */
	CHECK_EQ(traps(m), 4);
	CHECK_EQ(*reg(m, PG), 9);
	unwatch(&s);
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_EQ(v, 6);
	CHECK_EQ(t->faults, 0);
	CHECK_SEEN(&s, 3);
	CHECK_EQ(watch(&s, 0, 8), 0); /* and again */
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_SEEN(&s, 1);
	unwatch(&s);
	unwatch(&s);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E4 (probes beside, over and across each other) */
TEST(kmmio_several_probes)
{
	struct seen a, b, both, wide;
	struct sim_task *t;
	uint64_t v;

	make_device(m);
	t = sim_task_create(m);
	sim_run(t);
	CHECK_EQ(watch(&a, 0, 8), 0);
	CHECK_EQ(watch(&b, 8, 8), 0);
	CHECK_EQ(watch(&both, 0, 16), 0);
	CHECK_EQ(watch(&wide, PG - 8, 2 * PG), 0); /* three pages */
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_SEEN(&a, 1);
	CHECK_SEEN(&b, 0);
	CHECK_SEEN(&both, 1);
	CHECK_EQ(store(t, 8, 1), 0);
	CHECK_SEEN(&b, 1);
	CHECK_SEEN(&both, 2);
	CHECK_SEEN(&wide, 0);
	CHECK_EQ(store(t, PG - 8, 1), 0);
	CHECK_EQ(store(t, PG + 800, 1), 0);
	CHECK_EQ(store(t, 3 * PG - 16, 1), 0);
	CHECK_SEEN(&wide, 3);
	CHECK_EQ(store(t, 3 * PG - 8, 1), 0); /* just past it */
	CHECK_SEEN(&wide, 3);
	unwatch(&a);
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_SEEN(&a, 1);
	CHECK_SEEN(&both, 3);
	unwatch(&both);
	unwatch(&b);
	CHECK_EQ(load(t, 0, &v), 0); /* wide still has this page */
	CHECK_EQ(t->faults, 1);
	unwatch(&wide);
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_EQ(t->faults, 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E4 (one instruction that reads one probed page and writes
 * another: both are told, and it is done once) */
TEST(kmmio_one_instruction_two_pages)
{
	struct seen from, to;
	struct sim_task *t;

	make_device(m);
	t = sim_task_create(m);
	sim_run(t);
	*reg(m, 0) = 123;
	CHECK_EQ(watch(&from, 0, 8), 0);
	CHECK_EQ(watch(&to, 2 * PG, 8), 0);
	CHECK_EQ(sim_move(t, K, dev_addr + 2 * PG, dev_addr, 8), 0);
	CHECK_EQ(*reg(m, 2 * PG), 123);
	CHECK_SEEN(&from, 1);
	CHECK_SEEN(&to, 1);
	CHECK_EQ(to.before, 0);
	CHECK_EQ(to.after, 123);
	CHECK_EQ(traps(m), 1);
	CHECK_EQ(t->faults, 2);
	unwatch(&from);
	unwatch(&to);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* A handler that touches what is probed: its own page, or another one. */
static uaddr_t touch_off;
static void touch(struct seen *s, bool post)
{
	struct sim_task *t = s->t, was = *t;
	uint64_t v = 0x70 + post;

	CHECK_EQ(store(t, touch_off, v), 0);
	CHECK_EQ(load(t, touch_off, &v), 0);
	CHECK_EQ(v, 0x70 + post);
	t->done = was.done;
	t->faults = was.faults;
	t->error = was.error;
}

/* behaviour: E4 (handlers may use the device; steps nest) */
TEST(kmmio_handlers_touch_probed_pages)
{
	struct seen outer, inner;
	struct sim_task *t;
	uint64_t v;

	make_device(m);
	t = sim_task_create(m);
	sim_run(t);
	CHECK_EQ(watch(&outer, 0, 8), 0);
	CHECK_EQ(watch(&inner, PG, 8), 0);
	outer.more = touch;
	outer.t = t;
	*reg(m, 0) = 1;
	touch_off = PG; /* two accesses in each of two handlers */
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_EQ(v, 1);
	CHECK_SEEN(&outer, 1);
	CHECK_SEEN(&inner, 4);
	CHECK_EQ(traps(m), 5);
	touch_off = 8; /* its own page */
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_SEEN(&outer, 2);
	CHECK_EQ(traps(m), 6);
	CHECK_EQ(*reg(m, 8), 0x71);
	unwatch(&outer);
	unwatch(&inner);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E4 (user mode is refused as ever, and seen by no probe) */
TEST(kmmio_is_the_kernels)
{
	struct sim_task *t;
	struct seen s;
	uint64_t v;

	make_device(m);
	t = sim_task_create(m);
	sim_run(t);
	CHECK_EQ(watch(&s, 0, 8), 0);
	CHECK_SIGNAL(t, sim_load64(t, dev_addr, &v), SIGSEGV, QUIRE_SEGV_MAPERR,
		     dev_addr);
	CHECK_SEEN(&s, 0);
	/* and other faults of kernel mode are what they were */
	CHECK_EQ(sim_access(t, SIM_READ, K, dev_addr + NPAGE * PG, &v, 8),
		 SIM_OOPS);
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_SEEN(&s, 1);
	unwatch(&s);
	sim_exit(t);
}

/* behaviours: E4, E14 (the stepped instruction faults on user memory: that is
 * answered as ever, with interrupts on, and then it is stepped again) */
TEST(kmmio_step_that_faults_elsewhere)
{
	const unsigned mode = K | SIM_FIXUP | SIM_AC;
	struct sim_task *t;
	struct seen s;
	uaddr_t a;

	make_device(m);
	t = sim_task_create(m);
	a = anon(t, 2);
	*reg(m, 0) = 99;
	CHECK_EQ(watch(&s, 0, 8), 0);
	CHECK_EQ(sim_move(t, mode, a, dev_addr, 8), 0);
	CHECK_EQ(get64(t, a), 99);
	CHECK_EQ(s.pre, 2);
	CHECK_EQ(s.post, 1);
	CHECK_EQ(traps(m), 1);
	/* nothing is there: the exception table */
	CHECK_EQ(sim_move(t, mode, 0x3000, dev_addr, 8), SIM_EFAULT);
	CHECK_EQ(s.pre, 3);
	CHECK_EQ(s.post, 1);
	/* the page is closed all the same */
	CHECK_EQ(sim_move(t, mode, a, dev_addr, 8), 0);
	CHECK_EQ(s.pre, 4);
	CHECK_EQ(s.post, 2);
	unwatch(&s);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E4 (interrupts are off in the step and as they were after it) */
TEST(kmmio_keeps_the_interrupt_flag)
{
	struct sim_task *t;
	struct seen s;
	uint64_t v;

	make_device(m);
	t = sim_task_create(m);
	sim_run(t);
	CHECK_EQ(watch(&s, 0, 8), 0);
	/* the machine itself looks at the flags of each return */
	CHECK_EQ(sim_access(t, SIM_READ, K | SIM_NOIRQ, dev_addr, &v, 8), 0);
	CHECK_EQ(sim_access(t, SIM_READ, K, dev_addr, &v, 8), 0);
	CHECK_SEEN(&s, 2);
	unwatch(&s);
	sim_exit(t);
}

/* behaviour: E4 (what cannot be probed is refused) */
TEST(kmmio_refusals)
{
	static struct seen one[NPAGE];
	struct seen s, big;
	struct sim_task *t;
	unsigned i, n;
	uint64_t v;

	make_device(m);
	t = sim_task_create(m);
	sim_run(t);
	CHECK_EQ(watch(&s, 0, 0), -EINVAL);
	CHECK_EQ(watch(&s, 0, ~(uaddr_t)0), -EINVAL);
	CHECK_EQ(watch(&s, TEST_PLACE(0) - dev_addr, 8), -EINVAL);
	CHECK_EQ(watch(&s, NPAGE * PG, 8), -EFAULT);
	CHECK_EQ(watch(&s, NPAGE * PG - 8, 16), -EFAULT);
	CHECK_EQ(load(t, (NPAGE - 1) * PG, &v), 0); /* nothing is left of it */
	CHECK_EQ(t->faults, 0);
	CHECK_EQ(watch(&s, 0, 8), 0);
	CHECK_EQ(quire_kmmio_register(sim_quire(m), &s.p), -EBUSY);
	unwatch(&s);
	/* more pages than can be */
	CHECK_EQ(watch(&big, 0, NPAGE * PG), -ENOSPC);
	for (n = 0; n < NPAGE && !watch(&one[n], n * PG, 8); n++)
		;
	CHECK_EQ(n, 64);
	CHECK_EQ(load(t, 63 * PG, &v), 0);
	CHECK_SEEN(&one[63], 1);
	unwatch(&one[7]);
	CHECK_EQ(watch(&one[7], 70 * PG, 8), 0); /* its room is free */
	CHECK_EQ(load(t, 70 * PG, &v), 0);
	CHECK_SEEN(&one[7], 1);
	for (i = 0; i < n; i++)
		unwatch(&one[i]);
	for (i = 0; i < NPAGE; i++) {
		CHECK_EQ(load(t, i * PG, &v), 0);
		CHECK_EQ(t->faults, 0);
	}
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E4 (a page of any size that the host has mapped) */
TEST(kmmio_large_pages)
{
	uaddr_t ram = TEST_KERNEL_RAM;
	struct sim_task *t;
	uint64_t v = 0;
	struct seen s;
	int r;

#if QUIRE_UADDR_BITS == 64
	if (test_levels(m) == 5)
		ram = 0xff11000000000000ull; /* see sim/mmu_x86_64.c */
#endif
	make_device(m);
	t = sim_task_create(m);
	sim_run(t);
	r = watch(&s, ram - dev_addr, 8);
	if (walk_top_shift(sim_quire(m)) == PMD_SHIFT) {
		CHECK_EQ(r, -EINVAL); /* an entry that each table has */
		sim_exit(t);
		return;
	}
	CHECK_EQ(r, 0);
	s.p.pre = s.p.post = NULL; /* they would look for a register */
	CHECK_EQ(sim_access(t, SIM_READ, K, ram, &v, 8), 0);
	CHECK_EQ(sim_access(t, SIM_READ, K, ram + PG, &v, 8), 0);
	CHECK_EQ(traps(m), 2);
	unwatch(&s);
	CHECK_EQ(sim_access(t, SIM_READ, K, ram, &v, 8), 0);
	CHECK_EQ(traps(m), 2);
	sim_exit(t);
}

/* behaviours: E3, E4 (an address space that lacks the way to a probed page) */
TEST(kmmio_in_an_area_that_is_not_copied_yet)
{
	struct sim_task *t = sim_task_create(m);
	struct seen s;
	uint64_t v;

	if (!sim_quire(m)->config.vmalloc_bytes) {
		sim_exit(t);
		return;
	}
	sim_run(t);
	make_device(m);
	*reg(m, 0) = 17;
	CHECK_EQ(watch(&s, 0, 8), 0);
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_EQ(v, 17);
	CHECK_SEEN(&s, 1);
	unwatch(&s);
	CHECK_EQ(load(t, 0, &v), 0);
	CHECK_EQ(t->faults, 0);
	sim_exit(t);
}

/* ------------------------------------------------------------- several CPUs */

struct racing {
	struct sim_task *t[3];
	unsigned rounds;
	uint32_t done;
	unsigned bad;
	bool churn;
	struct seen s[2];
};

/*
 * 1, 2: add to a register of their own in one probed page, by load and store.
 * 0: takes probes away and puts them back.
 */
static void racer(unsigned i, void *arg)
{
	struct racing *r = arg;
	unsigned k;
	uint64_t v;

	sim_run(r->t[i]);
	while (i == 0 && __atomic_load_n(&r->done, __ATOMIC_ACQUIRE) < 2) {
		sim_poll();
		if (!r->churn)
			continue;
		unwatch(&r->s[1]);
		CHECK_EQ(r->s[1].pre, r->s[1].post);
		CHECK_EQ(watch(&r->s[1], 0, PG), 0);
		while (__atomic_load_n(&r->s[1].post, __ATOMIC_RELAXED) < 10 &&
		       __atomic_load_n(&r->done, __ATOMIC_ACQUIRE) < 2)
			sim_poll();
	}
	for (k = 0; i && k < r->rounds; k++) {
		CHECK_EQ(load(r->t[i], 64 * i, &v), 0);
		if (v != k)
			__atomic_fetch_add(&r->bad, 1, __ATOMIC_RELAXED);
		CHECK_EQ(store(r->t[i], 64 * i, k + 1), 0);
		if (r->churn && k % 8 == 0)
			CHECK_EQ(sim_move(r->t[i], K, dev_addr + PG + 64 * i,
					  dev_addr + 64 * i, 8),
				 0);
	}
	if (i)
		__atomic_fetch_add(&r->done, 1, __ATOMIC_ACQ_REL);
	sim_run(NULL);
}

static void race(struct sim_machine *m, bool churn)
{
	static struct racing r;
	unsigned i;
	uint64_t v;

	make_device(m);
	memset(&r, 0, sizeof(r));
	r.rounds = ROUNDS(4000);
	r.churn = churn;
	for (i = 0; i < 3; i++)
		r.t[i] = sim_task_create(m);
	sim_run(NULL);
	CHECK_EQ(watch(&r.s[1], 0, PG), 0);
	if (!churn)
		CHECK_EQ(watch(&r.s[0], 0, 2 * PG), 0);
	sim_parallel(m, 3, racer, &r);
	CHECK_EQ(r.bad, 0);
	CHECK_EQ(*reg(m, 64), r.rounds);
	CHECK_EQ(*reg(m, 128), r.rounds);
	CHECK_EQ(r.s[0].pre, r.s[0].post);
	CHECK_EQ(r.s[1].pre, r.s[1].post);
	/* all steps are over: no TLB still has the page */
	for (i = 0; i < 3; i++) {
		unsigned seen = r.s[1].pre;

		sim_bind(m, i);
		sim_run(r.t[i]);
		CHECK_EQ(load(r.t[i], 0, &v), 0);
		CHECK_EQ(r.s[1].pre, seen + 1);
		sim_run(NULL);
	}
	sim_bind(m, 0);
	if (!churn)
		unwatch(&r.s[0]);
	unwatch(&r.s[1]);
	for (i = 0; i < 3; i++) {
		sim_bind(m, i);
		CHECK_EQ(load(r.t[i], 0, &v), 0);
		CHECK_EQ(r.t[i]->faults, 0);
		sim_run(NULL);
	}
	sim_bind(m, 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < 3; i++)
		sim_exit(r.t[i]);
}

/* behaviour: E4 (a CPU steps while another touches the page) */
TEST_WITH(kmmio_two_cpus, .config = {.cpus = 3, .jitter = 40}, .seconds = 120)
{
	race(m, false);
}

/* behaviour: E4 (probes go and come while others step over the page) */
TEST_WITH(kmmio_unregister_while_armed, .config = {.cpus = 3, .jitter = 40},
	  .seconds = 120)
{
	race(m, true);
}
