/* SPDX-License-Identifier: MIT */
/*
 * host.c - the rest of host.h: current task and CPU, table loads and flushes,
 * sleeping and waking, signals, out of memory, log, panic, time.
 * (Calls between CPUs are in ipi.c, the debug tier in checker.c and inject.c,
 * the exception table with the registers' format in mmu_FORMAT.c.)
 *
 * Sleeping is a parking lot: a hash of buckets, each with a mutex and a list
 * of sleepers.  The comparison with the expected value happens under the
 * bucket's mutex, which a waker takes too; so no wake is lost by us, and a
 * sleep that nobody ends within config.wait_seconds is a lost wake-up or a
 * deadlock of Quire's, and panics with what is known about it.
 */
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sim/disk.h>

struct quire_task *quire_host_current(void)
{
	return sim_self ? &sim_self->task->qt : NULL;
}

unsigned quire_host_cpu(void)
{
	return sim_self->index;
}

/* ------------------------------------------------------------------ tables */

void quire_host_load_table(paddr_t root, unsigned asid, bool noflush)
{
	struct sim_cpu *cpu = sim_self;

	if (asid >= SIM_ASIDS_MAX ||
	    (asid && asid > cpu->m->config.asids + 1)) {
		sim_violation("asid %u loaded, the machine has %u", asid,
			      cpu->m->config.asids);
		return;
	}
	cpu->root = root;
	cpu->asid = asid;
	cpu->stats.table_loads++;
	if (cpu->m->mmu->load)
		cpu->m->mmu->load(cpu);
	tlb_switch(&cpu->tlb, asid, noflush);
}

void quire_host_flush_page(uaddr_t addr)
{
	sim_self->stats.flush_page++;
	tlb_flush_page(&sim_self->tlb, addr);
}

void quire_host_flush_all(bool global)
{
	sim_self->stats.flush_all++;
	if (global &&
	    (sim_self->m->config.arm_forget & SIM_ARM_FORGET_ROLLOVER))
		return;
	tlb_flush_all(&sim_self->tlb, sim_self->asid, global);
}

/* ---------------------------------------------------------------- sleeping */

struct sim_sleeper {
	uint32_t *word;
	struct sim_task *task;
	bool killable, woken;
	pthread_cond_t cond;
	struct sim_sleeper *next;
};

static struct sim_bucket *bucket_of(struct sim_machine *m, const uint32_t *word)
{
	uint64_t h = (uintptr_t)word * 0x9e3779b97f4a7c15ull;

	return &m->bucket[h >> 58];
}

static void unlink_sleeper(struct sim_bucket *b, struct sim_sleeper *s)
{
	struct sim_sleeper **p = &b->first;

	while (*p && *p != s)
		p = &(*p)->next;
	if (*p)
		*p = s->next;
}

void sim_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* Sleep until woken or killed; false: the time is up. Bucket locked. */
static bool sleep_on(struct sim_machine *m, struct sim_bucket *b,
		     struct sim_sleeper *s)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)m->config.wait_seconds;
	while (!s->woken && !(s->killable && __atomic_load_n(&s->task->killed,
							     __ATOMIC_SEQ_CST)))
		if (pthread_cond_timedwait(&s->cond, &b->lock, &end) ==
		    ETIMEDOUT)
			return s->woken;
	return true;
}

static int killed_in_wait(const struct sim_task *t, unsigned flags)
{
	if ((flags & QUIRE_WAIT_KILLABLE) &&
	    __atomic_load_n(&t->killed, __ATOMIC_RELAXED))
		return -EINTR;
	return 0;
}

int quire_host_wait(uint32_t *word, uint32_t expected, unsigned flags)
{
	struct sim_cpu *cpu = sim_self;
	struct sim_bucket *b = bucket_of(cpu->m, word);
	struct sim_sleeper s = {.word = word,
				.task = cpu->task,
				.killable = flags & QUIRE_WAIT_KILLABLE};
	bool ok = true;

#ifdef QUIRE_DEBUG
	quire_host_debug_might_sleep("quire_host_wait");
#endif
	cpu->stats.waits++;
	/* A disk that is served by those who would sleep: not asleep then. */
	__atomic_fetch_add(&cpu->m->nr_sleeping, 1u, __ATOMIC_SEQ_CST);
	if (disk_serve_sleeper(cpu->m)) {
		__atomic_fetch_sub(&cpu->m->nr_sleeping, 1u, __ATOMIC_SEQ_CST);
		return killed_in_wait(cpu->task, flags);
	}
	sim_cond_init(&s.cond);
	cpu_park(cpu);
	pthread_mutex_lock(&b->lock);
	if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == expected) {
		s.next = b->first;
		b->first = &s;
		__atomic_store_n(&s.task->wait_word, word, __ATOMIC_SEQ_CST);
		ok = sleep_on(cpu->m, b, &s);
		__atomic_store_n(&s.task->wait_word, NULL, __ATOMIC_SEQ_CST);
		unlink_sleeper(b, &s);
	}
	pthread_mutex_unlock(&b->lock);
	cpu_unpark(cpu);
	__atomic_fetch_sub(&cpu->m->nr_sleeping, 1u, __ATOMIC_SEQ_CST);
	pthread_cond_destroy(&s.cond);
	if (!ok) {
		sim_violation("task %u slept on word %p (%#x, now %#x) for "
			      "ever: deadlock or lost wake-up",
			      s.task->qt.id, (void *)word, expected,
			      __atomic_load_n(word, __ATOMIC_RELAXED));
		quire_host_panic(__FILE__, __LINE__, "a sleep without end");
	}
	return killed_in_wait(s.task, flags);
}

void quire_host_wake(uint32_t *word, uint32_t n)
{
	struct sim_bucket *b = bucket_of(sim_self->m, word);
	struct sim_sleeper *s;

	pthread_mutex_lock(&b->lock);
	for (s = b->first; s && n; s = s->next) {
		if (s->word != word || s->woken)
			continue;
		s->woken = true;
		pthread_cond_signal(&s->cond);
		n--;
	}
	pthread_mutex_unlock(&b->lock);
}

void sim_kill(struct sim_task *t)
{
	uint32_t *word;
	struct sim_bucket *b;
	struct sim_sleeper *s;

	__atomic_store_n(&t->killed, true, __ATOMIC_SEQ_CST);
	word = __atomic_load_n(&t->wait_word, __ATOMIC_SEQ_CST);
	if (!word)
		return;
	b = bucket_of(t->m, word);
	pthread_mutex_lock(&b->lock);
	for (s = b->first; s; s = s->next)
		if (s->task == t)
			pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&b->lock);
}

/* ------------------------------------------------------- signals and memory */

void quire_host_signal(struct quire_task *task, const struct quire_signal *sig)
{
	struct sim_task *t = (struct sim_task *)(void *)task;

	if (sig->signo == SIGKILL) {
		__atomic_store_n(&t->killed, true, __ATOMIC_RELAXED);
		return;
	}
	if (t->nr_queued == SIM_SIGNALS) {
		sim_violation("task %u has %u undelivered signals", task->id,
			      SIM_SIGNALS);
		return;
	}
	t->queue[t->nr_queued++] = *sig;
}

void quire_host_oom(struct quire_task *task)
{
	struct sim_machine *m = sim_self->m;

	sim_self->stats.oom_calls++;
	if (!m->config.oom_kill || !sim_oom_kill(m))
		((struct sim_task *)(void *)task)->oom = true;
}

bool quire_host_fatal_signal_pending(struct quire_task *task)
{
	struct sim_task *t = (struct sim_task *)(void *)task;

	return __atomic_load_n(&t->killed, __ATOMIC_RELAXED);
}

bool quire_host_signal_pending(struct quire_task *task)
{
	struct sim_task *t = (struct sim_task *)(void *)task;

	return t->nr_queued || __atomic_load_n(&t->killed, __ATOMIC_RELAXED);
}

/* No thread flushes by itself: tests call quire_flusher_work() when they want.
 */
void quire_host_wake_flusher(struct quire *q)
{
	(void)q;
	__atomic_fetch_add(&sim_self->stats.flusher_wakes, 1, __ATOMIC_RELAXED);
}

void quire_host_fault_ready(struct quire_task *task)
{
	struct sim_task *t = (struct sim_task *)(void *)task;

	if (t->on_fault_ready)
		t->on_fault_ready(t, t->on_fault_ready_arg);
	__atomic_fetch_add(&t->fault_readies, 1u, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------------- kernel mode */

void quire_host_oops(struct pt_regs *regs, uaddr_t addr, const char *report)
{
	struct sim_cpu *cpu = sim_self;

	(void)regs;
	(void)addr;
	cpu->stats.oopses++;
	cpu->task->oopsed = true;
	sim_log_line(cpu->m, 0, report, strlen(report));
}

/* ------------------------------------------------------- log, panic, time */

void sim_log_line(struct sim_machine *m, int level, const char *text,
		  size_t len)
{
	pthread_mutex_lock(&m->lock);
	if (!m->log)
		m->log = calloc(1, SIM_LOG_BYTES + 1);
	if (m->log && len + 2 < SIM_LOG_BYTES / 2) {
		if (m->log_len + len + 2 > SIM_LOG_BYTES) {
			/* keep the newer half */
			m->log_len -= SIM_LOG_BYTES / 2;
			memmove(m->log, m->log + SIM_LOG_BYTES / 2, m->log_len);
		}
		memcpy(m->log + m->log_len, text, len);
		m->log_len += len;
		m->log[m->log_len++] = '\n';
		m->log[m->log_len] = 0;
	}
	__atomic_fetch_add(&m->log_lines, 1, __ATOMIC_RELAXED);
	if (!__atomic_load_n(&m->quiet, __ATOMIC_RELAXED) &&
	    (level <= 4 || getenv("QUIRE_SIM_LOG")))
		fprintf(stderr, "quire: %.*s\n", (int)len, text);
	pthread_mutex_unlock(&m->lock);
}

void quire_host_log(int level, const char *text, size_t len)
{
	if (sim_self)
		sim_log_line(sim_self->m, level, text, len);
	else
		fprintf(stderr, "quire: %.*s\n", (int)len, text);
}

bool sim_log_contains(struct sim_machine *m, const char *text)
{
	bool found;

	pthread_mutex_lock(&m->lock);
	found = m->log && strstr(m->log, text);
	pthread_mutex_unlock(&m->lock);
	return found;
}

void sim_log_clear(struct sim_machine *m)
{
	pthread_mutex_lock(&m->lock);
	m->log_len = 0;
	if (m->log)
		m->log[0] = 0;
	pthread_mutex_unlock(&m->lock);
}

char *sim_log_text(struct sim_machine *m)
{
	char *text;

	pthread_mutex_lock(&m->lock);
	text = strdup(m->log ? m->log : "");
	pthread_mutex_unlock(&m->lock);
	return text;
}

void sim_quiet(struct sim_machine *m, bool quiet)
{
	__atomic_store_n(&m->quiet, quiet, __ATOMIC_RELAXED);
}

_Noreturn void quire_host_panic(const char *file, int line, const char *what)
{
	struct sim_machine *m = sim_self ? sim_self->m : NULL;
	char text[512];
	void *caller[32]; /* for addr2line -e */

	snprintf(text, sizeof(text), "panic: %s:%d: %s", file, line, what);
	quire_host_log(0, text, strlen(text));
	if (m && m->panic_jmp && pthread_equal(m->panic_thread, pthread_self()))
		siglongjmp(*m->panic_jmp, 1);
	backtrace_symbols_fd(caller, backtrace(caller, 32), STDERR_FILENO);
	abort();
}

bool sim_catch_panic(struct sim_machine *m, void (*fn)(void *arg), void *arg)
{
	sigjmp_buf jmp;
	bool caught = true;

	m->panic_thread = pthread_self();
	if (!sigsetjmp(jmp, 0)) {
		m->panic_jmp = &jmp;
		fn(arg);
		caught = false;
	}
	m->panic_jmp = NULL;
	return caught;
}

uint64_t quire_host_time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}
