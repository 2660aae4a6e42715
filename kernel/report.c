/* SPDX-License-Identifier: MIT */
/*
 * report.c - what the run was like: faults by kind, peaks, the trace.
 *
 * Quire's events come in here from its tracepoints.  A fault's cost is the
 * time between its begin and its end event on the same task (sleeps
 * included).  Counts are per CPU and added up at the end.
 *
 * With quire.trace=1 every event also goes into a ring, which is sent as
 * FRAME_TRACE frames by the tasks that fill it, on their way to user mode.
 */
#include "cpu.h"
#include "irq.h"
#include "oom.h"
#include "proc.h"
#include "protocol.h"
#include <arch_regs.h>

uint32_t kernel_trace_on;

struct kind_stats {
	uint64_t count, major, kernel;
	uint64_t total, max; /* of cycles_read() */
};
static struct kind_stats stats[MAX_CPUS][QF_COUNT];
static uint64_t peak_rss, peak_table, peak_vmas;

/* ------------------------------------------------------------- the trace */

#define RING 16384u
static struct trace_record *ring;
static uint32_t ring_head, ring_tail; /* trace_lock */
static uint64_t ring_lost;
static struct spinlock trace_lock;
static struct mutex trace_send = MUTEX_INIT(trace_send);

static void trace_store(const struct quire_event *e, uint64_t now)
{
	unsigned long flags = spin_lock_irqsave(&trace_lock);
	struct trace_record *r = &ring[ring_tail % RING];

	if (ring_tail - ring_head >= RING) {
		ring_lost++;
		spin_unlock_irqrestore(&trace_lock, flags);
		return;
	}
	r->ns = now;
	r->type = e->type;
	r->kind = e->kind;
	r->bits = e->bits;
	r->cpu = (uint8_t)this_cpu()->id;
	r->task = e->task;
	r->mm = e->mm;
	r->prot = e->prot;
	r->flags = e->flags;
	r->error = e->error;
	r->addr = e->addr;
	r->len = e->len;
	r->aux = e->aux;
	r->result = e->result;
	ring_tail++;
	if (ring_tail - ring_head > RING / 2)
		__atomic_fetch_or(&current->work, TIF_NOTIFY, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&trace_lock, flags);
}

void trace_flush(void)
{
	if (!ring)
		return;
	mutex_lock(&trace_send);
	while (K_READ(ring_tail) != ring_head) {
		uint32_t n = K_READ(ring_tail) - ring_head;
		uint32_t at = ring_head % RING;

		/* the console splits what is longer than 16 KiB: a frame has
		 * whole records only */
		n = K_MIN(K_MIN(n, RING - at), 240u);
		(void)console_frame(FRAME_TRACE, &ring[at],
				    n * (unsigned)sizeof(*ring));
		__atomic_store_n(&ring_head, ring_head + n, __ATOMIC_RELEASE);
	}
	mutex_unlock(&trace_send);
}

/* ------------------------------------------------------------ the counts */

/*
 * On the path of every fault: what can wait until the end (ticks to ns, sums
 * over CPUs) does.
 */
void kernel_trace(const struct quire_event *e)
{
	struct task *t = current;
	struct kind_stats *s;
	uint64_t ticks;

	if (e->type == QE_FAULT_BEGIN) {
		t->fault_start = cycles_read();
	} else if (e->type == QE_FAULT_END && e->kind < QF_COUNT) {
		ticks = cycles_read() - t->fault_start;
		s = &stats[this_cpu()->id][e->kind];
		s->count++;
		if (e->bits & QUIRE_EVENT_MAJOR)
			s->major++;
		if (!(e->bits & QUIRE_EVENT_USER))
			s->kernel++;
		if (e->bits & QUIRE_EVENT_STACK_GROWTH)
			stats[this_cpu()->id][QF_STACK_GROWTH].count++;
		s->total += ticks;
		if (ticks > s->max)
			s->max = ticks;
	}
	if (k_unlikely(ring != NULL))
		trace_store(e, ktime_ns());
}

void stats_mm_gone(struct mm_struct *mm)
{
	struct quire_mm_stats s;

	quire_mm_get_stats(mm, &s);
	peak_rss = K_MAX(peak_rss, s.hiwater_rss * QUIRE_PAGE_SIZE);
	peak_table = K_MAX(peak_table, s.hiwater_table_bytes);
	peak_vmas = K_MAX(peak_vmas, (uint64_t)s.hiwater_vmas);
}

void report_init(void);
void report_init(void)
{
	char text[8];

	if (cmdline_get("quire.trace", 0, text, sizeof(text)) > 0 &&
	    text[0] == '1') {
		ring = kmalloc(RING * sizeof(*ring));
		if (!ring)
			printk("no memory for the trace");
	}
	if (cmdline_get("quire.stats", 0, text, sizeof(text)) > 0 &&
	    text[0] == '0' && !ring)
		return;
	kernel_trace_on = 1;
}

#define ULL(x) ((unsigned long long)(x))

static void report_kind(unsigned kind)
{
	struct kind_stats sum = {0};
	unsigned c;

	for (c = 0; c < cpu_count; c++) {
		const struct kind_stats *s = &stats[c][kind];

		sum.count += s->count;
		sum.major += s->major;
		sum.kernel += s->kernel;
		sum.total += s->total;
		sum.max = K_MAX(sum.max, s->max);
	}
	if (sum.count)
		report_line("{\"fault\":\"%s\",\"count\":%llu,\"minor\":%llu,"
			    "\"major\":%llu,\"kernel\":%llu,"
			    "\"total_ns\":%llu,\"max_ns\":%llu}",
			    quire_fault_kind_name(kind), ULL(sum.count),
			    ULL(sum.count - sum.major), ULL(sum.major),
			    ULL(sum.kernel),
			    ULL(mul_div(sum.total, NSEC_PER_SEC, cycles_hz())),
			    ULL(mul_div(sum.max, NSEC_PER_SEC, cycles_hz())));
}

/* A figure by its name in /proc/vmstat; 0: there is none of that name. */
static uint64_t figure(const char *name)
{
	const char *n;
	unsigned i;

	for (i = 0; (n = quire_vmstat_name(i)) != NULL; i++)
		if (!strcmp(n, name))
			return quire_vmstat(the_quire, i);
	return 0;
}

static unsigned unknown_calls;
void report_dump(void);
void report_dump(void)
{
	unsigned k;

	trace_flush();
	for (k = 0; k < QF_COUNT; k++)
		report_kind(k);
	report_line("{\"readahead_windows\":%llu,\"readahead_pages\":%llu,"
		    "\"dirtied_pages\":%llu,\"written_pages\":%llu}",
		    ULL(figure("quire_readahead")),
		    ULL(figure("quire_readahead_pages")),
		    ULL(figure("nr_dirtied")),
		    ULL(figure("quire_file_written")));
	report_line("{\"swap_ins\":%llu,\"swap_outs\":%llu,"
		    "\"refaults_anon\":%llu,\"refaults_file\":%llu,"
		    "\"scanned\":%llu,\"stolen\":%llu,"
		    "\"direct_reclaim_ns\":%llu,\"oom_kills\":%llu}",
		    ULL(figure("pswpin")), ULL(figure("pswpout")),
		    ULL(figure("workingset_refault_anon")),
		    ULL(figure("workingset_refault_file")),
		    ULL(figure("pgscan_kswapd") + figure("pgscan_direct")),
		    ULL(figure("pgsteal_kswapd") + figure("pgsteal_direct")),
		    ULL(figure("quire_direct_reclaim_ns")), ULL(oom_kills()));
	report_line("{\"peak_rss_bytes\":%llu,\"peak_table_bytes\":%llu,"
		    "\"peak_vmas\":%llu,\"processes\":%llu,\"switches\":%llu,"
		    "\"syscalls_unknown\":%u,\"trace_lost\":%llu,"
		    "\"uptime_ns\":%llu}",
		    ULL(peak_rss), ULL(peak_table), ULL(peak_vmas),
		    ULL(nr_forks()), ULL(nr_switches()), unknown_calls,
		    ULL(ring_lost), ULL(ktime_ns()));
}

/* ------------------------------------------------- calls that are not there */

static uint64_t unknown_seen[8];

long sys_ni_syscall(void);
long sys_ni_syscall(void)
{
	uint64_t nr = regs_syscall_nr(task_regs(current)), bit;

	if (nr >= 512)
		return -38;
	bit = 1ull << (nr & 63);
	if (!(__atomic_fetch_or(&unknown_seen[nr / 64], bit, __ATOMIC_RELAXED) &
	      bit)) {
		unknown_calls++;
		printk("system call %llu is not there (%s)", ULL(nr),
		       current->comm);
	}
	return -38;
}
