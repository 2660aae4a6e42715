/* SPDX-License-Identifier: MIT */
/*
 * Tasks: what a kernel's fork, clone, execve and exit do with an address
 * space, and the map calls as system calls of a task.
 *
 * A task runs on at most one CPU.  sim_run() is the context switch; the idle
 * task has no address space, and switching to it loads the kernel's own table.
 * An address space may be freed by its last user only when no CPU has it
 * loaded; tasks take it off their CPU by switching away, so that holds.
 */
#include <stdlib.h>
#include <string.h>

#include <sim/internal.h>

#define BRK_START   0x10000000ull
#define STACK_BYTES (132u << 10)
#define STACK_LIMIT (8ull << 20)

void sim_task_init(struct sim_machine *m, struct sim_task *t)
{
	unsigned i;

	memset(t, 0, sizeof(*t));
	t->m = m;
	t->qt.q = m->q;
	t->qt.limits = &t->limits;
	for (i = 0; i < 16; i++)
		t->limits.cur[i] = QUIRE_RLIM_INFINITY;
	t->limits.cur[QUIRE_RLIMIT_STACK] = STACK_LIMIT;
	t->limits.cur[QUIRE_RLIMIT_MEMLOCK] = STACK_LIMIT;
}

static struct sim_task *task_alloc(struct sim_machine *m)
{
	struct sim_task *t = malloc(sizeof(*t));

	if (!t)
		return NULL;
	sim_task_init(m, t);
	pthread_mutex_lock(&m->lock);
	t->qt.id = ++m->next_task_id;
	t->next = m->tasks;
	m->tasks = t;
	m->nr_tasks++;
	pthread_mutex_unlock(&m->lock);
	return t;
}

static void task_free(struct sim_task *t)
{
	struct sim_machine *m = t->m;
	struct sim_task **p;

	pthread_mutex_lock(&m->lock);
	for (p = &m->tasks; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	m->nr_tasks--;
	pthread_mutex_unlock(&m->lock);
	free(t);
}

/* --------------------------------------------------------- context switch */

void sim_run(struct sim_task *t)
{
	struct sim_cpu *cpu = sim_self;
	struct sim_task *was;

	if (sim_unlikely(!cpu))
		quire_host_panic(__FILE__, __LINE__,
				 "this thread is bound to no CPU: sim_bind()");
	if (!t)
		t = &cpu->idle;
	check_balance(cpu, "sim_run");
	cpu_poll(cpu);
	if (cpu->task == t)
		return;
	if (t->cpu && t->cpu != cpu)
		quire_host_panic(__FILE__, __LINE__,
				 "the task runs on another CPU");
	was = cpu->task;
	quire_host_preempt_disable();
	cpu->task = t;
	t->cpu = cpu;
	if (was != &cpu->idle)
		was->cpu = NULL;
	if (was->qt.mm != t->qt.mm)
		quire_switch_mm(cpu->m->q, t->qt.mm);
	quire_host_preempt_enable();
}

/* ------------------------------------------------------- address spaces */

uaddr_t sim_stack_top(struct sim_machine *m)
{
	return quire_task_size(m->q) & ~(uaddr_t)0xfff;
}

static struct mm_struct *fresh_mm(struct sim_machine *m, bool stack)
{
	uaddr_t top = sim_stack_top(m);
	struct quire_mm_layout l = {
		.mmap_base = top - (17u << 20),
		.topdown = true,
		.start_brk = BRK_START,
		.start_stack = top,
	};
	struct mm_struct *mm = quire_mm_create(m->q);

	if (!mm)
		return NULL;
	quire_mm_set_layout(mm, &l);
	if (stack &&
	    quire_mm_stack(mm, top, STACK_BYTES, PROT_READ | PROT_WRITE)) {
		quire_mm_put(mm);
		return NULL;
	}
	return mm;
}

static struct sim_task *task_create(struct sim_machine *m, bool stack)
{
	struct sim_task *t = task_alloc(m);

	if (!t)
		return NULL;
	t->qt.mm = fresh_mm(m, stack);
	check_balance(sim_self, "sim_task_create");
	if (!t->qt.mm) {
		task_free(t);
		return NULL;
	}
	return t;
}

struct sim_task *sim_task_create(struct sim_machine *m)
{
	return task_create(m, true);
}

struct sim_task *sim_task_create_bare(struct sim_machine *m)
{
	return task_create(m, false);
}

static struct sim_task *task_copy(struct sim_task *t)
{
	struct sim_task *c = task_alloc(t->m);

	if (!c)
		return NULL;
	c->limits = t->limits;
	c->qt.cap_ipc_lock = t->qt.cap_ipc_lock;
	c->qt.cap_sys_admin = t->qt.cap_sys_admin;
	return c;
}

static void ops_check(struct sim_task *t, const char *where)
{
	check_balance(sim_self, where);
	if (t->m->config.check_ops)
		(void)sim_check(t->m);
}

struct sim_task *sim_fork(struct sim_task *t)
{
	struct sim_task *c = task_copy(t);

	if (!c)
		return NULL;
	sim_run(t);
	c->qt.mm = quire_mm_fork(t->qt.mm);
	ops_check(t, "quire_mm_fork");
	if (!c->qt.mm) {
		task_free(c);
		return NULL;
	}
	return c;
}

struct sim_task *sim_thread(struct sim_task *t)
{
	struct sim_task *c = task_copy(t);

	if (!c)
		return NULL;
	quire_mm_get(t->qt.mm);
	c->qt.mm = t->qt.mm;
	return c;
}

int sim_execve(struct sim_task *t)
{
	struct mm_struct *mm, *old = t->qt.mm;

	sim_run(t);
	mm = fresh_mm(t->m, true);
	if (!mm)
		return -ENOMEM;
	quire_host_preempt_disable();
	t->qt.mm = mm;
	t->qt.vma_cache = NULL;
	t->qt.vma_cache_seq = 0;
	quire_switch_mm(t->m->q, mm);
	quire_host_preempt_enable();
	quire_mm_put(old);
	ops_check(t, "sim_execve");
	return 0;
}

void sim_exit(struct sim_task *t)
{
	struct sim_machine *m = t->m;
	struct mm_struct *mm = t->qt.mm;

	sim_run(t);
	sim_run(NULL);
	t->qt.mm = NULL;
	if (mm)
		quire_mm_put(mm);
	check_balance(sim_self, "sim_exit");
	task_free(t);
	if (m->config.check_ops)
		(void)sim_check(m);
}

/* --------------------------------------------------------------- map calls */

sreg_t sim_mmap(struct sim_task *t, uaddr_t addr, uaddr_t len, unsigned prot,
		unsigned flags, struct sim_file *file, uint64_t off)
{
	sreg_t r;

	sim_run(t);
	r = quire_mmap(t->qt.mm, addr, len, prot, flags,
		       file ? sim_file_quire(file) : NULL, off);
	ops_check(t, "quire_mmap");
	return r;
}

int sim_munmap(struct sim_task *t, uaddr_t addr, uaddr_t len)
{
	int r;

	sim_run(t);
	r = quire_munmap(t->qt.mm, addr, len);
	ops_check(t, "quire_munmap");
	return r;
}

int sim_mprotect(struct sim_task *t, uaddr_t addr, uaddr_t len, unsigned prot)
{
	int r;

	sim_run(t);
	r = quire_mprotect(t->qt.mm, addr, len, prot);
	ops_check(t, "quire_mprotect");
	return r;
}

sreg_t sim_mremap(struct sim_task *t, uaddr_t addr, uaddr_t old_len,
		  uaddr_t new_len, unsigned flags, uaddr_t new_addr)
{
	sreg_t r;

	sim_run(t);
	r = quire_mremap(t->qt.mm, addr, old_len, new_len, flags, new_addr);
	ops_check(t, "quire_mremap");
	return r;
}

int sim_madvise(struct sim_task *t, uaddr_t addr, uaddr_t len, int advice)
{
	int r;

	sim_run(t);
	r = quire_madvise(t->qt.mm, addr, len, advice);
	ops_check(t, "quire_madvise");
	return r;
}

int sim_msync(struct sim_task *t, uaddr_t addr, uaddr_t len, int flags)
{
	int r;

	sim_run(t);
	r = quire_msync(t->qt.mm, addr, len, flags);
	ops_check(t, "quire_msync");
	return r;
}

int sim_mincore(struct sim_task *t, uaddr_t addr, uaddr_t len,
		unsigned char *vec)
{
	int r;

	sim_run(t);
	r = quire_mincore(t->qt.mm, addr, len, vec);
	ops_check(t, "quire_mincore");
	return r;
}

uaddr_t sim_brk(struct sim_task *t, uaddr_t brk)
{
	uaddr_t r;

	sim_run(t);
	r = quire_brk(t->qt.mm, brk);
	ops_check(t, "quire_brk");
	return r;
}

/* -------------------------------------------------------------------- text */

struct text {
	char *p;
	size_t len;
};

static int emit(void *cookie, const char *s, size_t n)
{
	struct text *x = cookie;
	char *p = realloc(x->p, x->len + n + 1);

	if (!p)
		return -ENOMEM;
	memcpy(p + x->len, s, n);
	x->p = p;
	x->len += n;
	p[x->len] = 0;
	return 0;
}

static char *text_of(struct sim_task *t,
		     int (*fn)(struct mm_struct *, quire_emit_fn, void *))
{
	struct text x = {calloc(1, 1), 0};

	sim_run(t);
	if (!x.p || fn(t->qt.mm, emit, &x) < 0) {
		free(x.p);
		x.p = NULL;
	}
	check_balance(sim_self, "quire_maps");
	return x.p;
}

char *sim_maps(struct sim_task *t)
{
	return text_of(t, quire_maps);
}

char *sim_smaps(struct sim_task *t)
{
	return text_of(t, quire_smaps);
}

uint64_t sim_vmstat(struct sim_machine *m, const char *name)
{
	const char *n;
	unsigned i;

	for (i = 0; (n = quire_vmstat_name(i)); i++)
		if (!strcmp(n, name))
			return quire_vmstat(m->q, i);
	return UINT64_MAX;
}
