/* SPDX-License-Identifier: MIT */
/*
 * Building and ending a simulated machine, and binding threads to its CPUs.
 *
 *   physical memory (one anonymous mapping, lazily backed by the host)
 *   0        64 KiB        1 MiB                                   ram_end
 *   | kernel | hand-built  | given to Quire [ hole, if asked for ] |
 *   | tables | tables      |                                       |
 *
 * Locks: cpu->lock guards who answers a CPU's IPIs (bound, busy, pending);
 * machine->lock the lists of tasks and files and the log.  Neither is held
 * while Quire runs, apart from the IPI callbacks run on behalf of an idle CPU
 * under its lock, which take no lock by contract.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>

#include <sim/disk.h>

#define LOW_BYTES  (1ull << 20)
#define HAND_BUILT 0x10000ull
#define HOLE_BYTES (16ull << 20)

_Thread_local struct sim_cpu *sim_self;

/* ------------------------------------------------------------- CPU binding */

static void bind_to(struct sim_cpu *cpu)
{
	pthread_mutex_lock(&cpu->lock);
	while (cpu->bound)
		pthread_cond_wait(&cpu->freed, &cpu->lock);
	cpu->bound = true;
	cpu->busy = true;
	pthread_mutex_unlock(&cpu->lock);
	sim_self = cpu;
}

void cpu_park(struct sim_cpu *cpu)
{
	pthread_mutex_lock(&cpu->lock);
	cpu->busy = false;
	pthread_mutex_unlock(&cpu->lock);
	/* What came before that is ours to answer; nothing comes after. */
	cpu_poll_slow(cpu);
}

void cpu_unpark(struct sim_cpu *cpu)
{
	pthread_mutex_lock(&cpu->lock);
	cpu->busy = true;
	pthread_mutex_unlock(&cpu->lock);
}

void sim_unbind(void)
{
	struct sim_cpu *cpu = sim_self;

	if (!cpu)
		return;
	if (cpu->m->q)
		sim_run(NULL);
	check_balance(cpu, "sim_unbind");
	cpu_park(cpu);
	pthread_mutex_lock(&cpu->lock);
	cpu->bound = false;
	pthread_cond_signal(&cpu->freed);
	pthread_mutex_unlock(&cpu->lock);
	sim_self = NULL;
}

void sim_bind(struct sim_machine *m, unsigned n)
{
	if (sim_self == m->cpu[n])
		return;
	sim_unbind();
	bind_to(m->cpu[n]);
}

struct sim_machine *sim_this_machine(void)
{
	return sim_self ? sim_self->m : NULL;
}

void sim_poll(void)
{
	static _Thread_local unsigned polls;

	if (sim_self)
		cpu_poll(sim_self);
	/* what the caller waits for may need this processor */
	if (++polls % 128 == 0)
		nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

struct parallel {
	struct sim_machine *m;
	pthread_barrier_t start;
	void (*fn)(unsigned i, void *arg);
	void *arg;
};
struct parallel_one {
	struct parallel *p;
	unsigned i;
	pthread_t thread;
};

static void *parallel_main(void *arg)
{
	struct parallel_one *one = arg;
	struct parallel *p = one->p;

	/* Not bound while it blocks in the barrier: it could not answer. */
	pthread_barrier_wait(&p->start);
	sim_bind(p->m, one->i);
	p->fn(one->i, p->arg);
	sim_unbind();
	return NULL;
}

void sim_parallel(struct sim_machine *m, unsigned n,
		  void (*fn)(unsigned i, void *arg), void *arg)
{
	struct sim_cpu *was = sim_self;
	struct parallel p = {.m = m, .fn = fn, .arg = arg};
	struct parallel_one *one = calloc(n, sizeof(*one));
	unsigned i;

	if (!one || n > m->nr_cpus)
		abort();
	sim_unbind();
	pthread_barrier_init(&p.start, NULL, n);
	for (i = 0; i < n; i++) {
		one[i].p = &p;
		one[i].i = i;
		if (pthread_create(&one[i].thread, NULL, parallel_main,
				   &one[i]))
			abort();
	}
	for (i = 0; i < n; i++)
		pthread_join(one[i].thread, NULL);
	pthread_barrier_destroy(&p.start);
	free(one);
	if (was)
		bind_to(was);
}

/* ----------------------------------------------------------------- bring-up */

static struct sim_cpu *cpu_create(struct sim_machine *m, unsigned n)
{
	struct sim_cpu *cpu =
		aligned_alloc(64, (sizeof(*cpu) + 63) & ~(size_t)63);

	if (!cpu)
		return NULL;
	memset(cpu, 0, sizeof(*cpu));
	if (tlb_init(&cpu->tlb, m->config.tlb_sets, m->config.tlb_ways)) {
		free(cpu);
		return NULL;
	}
	cpu->m = m;
	cpu->index = n;
	cpu->rng = m->config.seed * 0x9e3779b97f4a7c15ull + n + 1;
	pthread_mutex_init(&cpu->lock, NULL);
	pthread_cond_init(&cpu->freed, NULL);
	sim_task_init(m, &cpu->idle);
	cpu->idle.cpu = cpu;
	cpu->task = &cpu->idle;
	if (m->mmu->cpu_init)
		m->mmu->cpu_init(cpu);
	return cpu;
}

static void config_defaults(struct sim_config *c)
{
	if (!c->ram_bytes)
		c->ram_bytes = 64ull << 20;
	if (!c->cpus)
		c->cpus = 1;
	if (!c->levels)
		c->levels = sim_mmu.levels;
	if (!c->arm_version)
		c->arm_version = 7;
	if (c->arm_version > 6 || c->cpus > 1 || c->io_thread ||
	    c->reclaim_thread)
		c->arm_colours = 0; /* see arch/arm/system.c */
	if (!c->tlb_sets)
		c->tlb_sets = 256;
	if (!c->tlb_ways)
		c->tlb_ways = 4;
	if (c->tlb_ways > SIM_TLB_WAYS_MAX)
		c->tlb_ways = SIM_TLB_WAYS_MAX;
	if (!c->seed)
		c->seed = 1;
	if (!c->max_faults)
		c->max_faults = 2000;
	if (!c->wait_seconds)
		c->wait_seconds = 100;
	if (!c->nodes)
		c->nodes = 1;
}

/* RAM's runs as Quire is told of them: split by node, and around the hole. */
static unsigned make_regions(struct sim_machine *m, struct quire_region *r)
{
	uint64_t bytes = m->config.ram_bytes & ~0xfffull, at = LOW_BYTES;
	uint64_t part = (bytes / m->config.nodes) & ~0xfffull;
	unsigned i, n = 0;

	for (i = 0; i < m->config.nodes; i++) {
		uint64_t len = i + 1 < m->config.nodes
				       ? part
				       : bytes - part * (m->config.nodes - 1);

		if (m->config.mem_hole && i == 0) {
			uint64_t half = (len / 2) & ~0xfffull;

			r[n++] = (struct quire_region){at, half, i};
			at += half + HOLE_BYTES;
			len -= half;
		}
		r[n++] = (struct quire_region){at, len, i};
		at += len;
	}
	m->ram_total = bytes;
	m->ram_end = at;
	return n;
}

static int map_ram(struct sim_machine *m)
{
	void *p = mmap(NULL, m->ram_end, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	m->ram = p;
	m->frame_state = calloc(m->ram_end >> 12, 1);
	return m->frame_state ? 0 : -ENOMEM;
}

/* The threads' for I/O and reclaim follow the others. */
static unsigned all_cpus(const struct sim_machine *m)
{
	return m->nr_cpus + m->config.io_thread + m->config.reclaim_thread;
}

static struct quire *make_system(struct sim_machine *m,
				 const struct quire_region *regions, unsigned n)
{
	const struct sim_config *c = &m->config;
	struct quire_config qc = {
		.regions = regions,
		.nr_regions = n,
		.direct_map = m->ram,
		.cpus = all_cpus(m),
		.levels = c->levels,
		.kernel_table = m->kernel_root,
		.vmalloc_start = m->mmu->vmalloc_start,
		.vmalloc_bytes = m->mmu->vmalloc_bytes,
		.readahead = c->readahead,
		.fault_around = c->fault_around,
		.reclaim = c->reclaim,
		.overcommit = c->overcommit,
		.overcommit_ratio = c->overcommit_ratio,
		.max_map_count = c->max_map_count,
		.mmap_min_addr = c->mmap_min_addr,
		.stack_guard_gap = c->stack_guard_gap,
		.asids = c->asids,
		.nx = m->has_nx,
		.smap = c->smap,
		.tlb_broadcast = c->arm_version == 7 && !c->arm_no_broadcast,
		.dcache_colours = c->arm_colours,
	};
	struct quire *q;

	m->creating = true;
	q = quire_create(&qc);
	m->creating = false;
	return q;
}

static void machine_free(struct sim_machine *m)
{
	unsigned i;

	for (i = 0; i < QUIRE_MAX_CPUS; i++) {
		struct sim_cpu *cpu = m->cpu[i];

		if (!cpu)
			continue;
		if (sim_self == cpu)
			sim_self = NULL;
		tlb_destroy(&cpu->tlb);
		pthread_mutex_destroy(&cpu->lock);
		pthread_cond_destroy(&cpu->freed);
		free(cpu);
	}
	checker_fini(m);
	if (m->mmu->fini)
		m->mmu->fini(m);
	if (m->ram)
		munmap(m->ram, m->ram_end);
	free(m->frame_state);
	free(m->log);
	free(m);
}

static struct sim_machine *machine_alloc(const struct sim_config *config)
{
	struct sim_machine *m = calloc(1, sizeof(*m));
	unsigned i;

	if (!m)
		return NULL;
	if (config)
		m->config = *config;
	config_defaults(&m->config);
	m->mmu = &sim_mmu;
	m->levels = m->config.levels;
	m->has_nx = !m->config.no_nx && !m->mmu->no_nx;
	m->nr_cpus = m->config.cpus;
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->oom_lock, NULL);
	pthread_mutex_init(&m->io_lock, NULL);
	sim_cond_init(&m->io_cond);
	for (i = 0; i < SIM_BUCKETS; i++)
		pthread_mutex_init(&m->bucket[i].lock, NULL);
	m->inject.rng = 1;
	m->io_rng = m->config.seed * 0x9e3779b97f4a7c15ull | 1;
	m->io_last = &m->io_first;
	pthread_cond_init(&m->io_job_cond, NULL);
	m->io_done_last = &m->io_done;
	pthread_mutex_init(&m->reclaim.lock, NULL);
	pthread_cond_init(&m->reclaim.cond, NULL);
	return m;
}

struct sim_machine *sim_machine_create(const struct sim_config *config)
{
	struct quire_region regions[2 * 8];
	struct sim_machine *m = machine_alloc(config);
	unsigned i, n, cpus;

	if (!m)
		return NULL;
	cpus = all_cpus(m);
	if (cpus > QUIRE_MAX_CPUS || m->config.nodes > 8)
		goto fail;
	n = make_regions(m, regions);
	if (map_ram(m))
		goto fail;
	checker_init(m);
	if (m->mmu->init && m->mmu->init(m))
		goto fail;
	for (i = 0; i < cpus; i++) {
		m->cpu[i] = cpu_create(m, i);
		if (!m->cpu[i])
			goto fail;
	}
	m->kernel_root = m->mmu->kernel_tables(m);
	sim_unbind();
	bind_to(m->cpu[0]);
	m->q = make_system(m, regions, n);
	if (!m->q)
		goto fail;
	for (i = 0; i < cpus; i++)
		m->cpu[i]->idle.qt.q = m->q;
	for (i = 1; i < cpus; i++) {
		sim_bind(m, i);
		quire_cpu_init(m->q);
	}
	sim_bind(m, 0);
	if (m->config.io_thread && sim_io_start(m))
		goto fail;
	if (m->config.reclaim_thread && sim_reclaim_start(m)) {
		sim_io_stop(m);
		goto fail;
	}
	return m;
fail:
	machine_free(m);
	return NULL;
}

uint64_t sim_machine_destroy(struct sim_machine *m)
{
	uint64_t leaks = 0, pages;

	sim_bind(m, 0);
	sim_run(NULL);
	if (m->nr_tasks) {
		fprintf(stderr, "sim: %u tasks were not ended\n", m->nr_tasks);
		leaks += m->nr_tasks;
		while (m->tasks)
			sim_exit(m->tasks);
	}
	sim_reclaim_stop(m);
	sim_io_stop(m);
	disk_drain(m, NULL, DISK_ALL_MODES);
	leaks += sim_files_close_all(m);
	leaks += sim_swap_close_all(m);
	check_balance(sim_self, "sim_machine_destroy");
	pages = quire_destroy(m->q);
	if (pages)
		fprintf(stderr, "sim: %llu pages leaked\n",
			(unsigned long long)pages);
	leaks += pages + sim_violations(m);
	m->q = NULL;
	sim_unbind();
	machine_free(m);
	return leaks;
}

void sim_machine_abandon(struct sim_machine *m)
{
	/* The panicking thread may still be counted as bound. */
	if (sim_self && sim_self->m == m)
		sim_self = NULL;
	sim_reclaim_stop(m);
	sim_io_stop(m);
	sim_io_forget(m);
	sim_swap_forget(m);
	machine_free(m);
}

/* ------------------------------------------------------------------ figures */

struct quire *sim_quire(struct sim_machine *m)
{
	return m->q;
}
unsigned sim_cpus(struct sim_machine *m)
{
	return m->nr_cpus;
}
const struct sim_config *sim_get_config(struct sim_machine *m)
{
	return &m->config;
}
void *sim_phys(struct sim_machine *m, paddr_t p)
{
	return m->ram + p;
}
uint64_t sim_ram_end(struct sim_machine *m)
{
	return m->ram_end;
}
paddr_t sim_reserved(struct sim_machine *m, uint64_t *bytes)
{
	(void)m;
	*bytes = LOW_BYTES - HAND_BUILT;
	return HAND_BUILT;
}

void sim_get_stats(struct sim_machine *m, struct sim_stats *out)
{
	size_t words = sizeof(*out) / sizeof(uint64_t), w;
	uint64_t *sum = (uint64_t *)(void *)out;
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < QUIRE_MAX_CPUS && m->cpu[i]; i++) {
		uint64_t *s = (uint64_t *)(void *)&m->cpu[i]->stats;

		for (w = 0; w < words; w++)
			sum[w] += __atomic_load_n(&s[w], __ATOMIC_RELAXED);
	}
	out->log_lines = __atomic_load_n(&m->log_lines, __ATOMIC_RELAXED);
	out->oom_kills = __atomic_load_n(&m->oom_kills, __ATOMIC_RELAXED);
}
