/* SPDX-License-Identifier: MIT */
/*
 * A whole embedder of libquire: one processor, two tasks, one file.
 *
 * Physical memory is an array.  The processor is access_byte(): it walks the
 * page tables that libquire keeps in that array, as the hardware would, and
 * where an entry says no it takes a page fault: do_page_fault().  All of
 * host.h is supplied below; docs/embedding.md tells in which order to do so.
 *
 *	cc embed.c $(pkg-config --cflags --libs quire)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <quire/quire.h>
#include <quire/asm/ptrace.h>
#include <quire/asm/trap_pf.h>

#define RAM_BYTES (32u << 20)
#define PAGE	  QUIRE_PAGE_SIZE

static _Alignas(4096) unsigned char ram[RAM_BYTES];
static paddr_t table_register; /* CR3 */
static struct quire_task *current;
static struct quire_signal last_signal;

/* clang-format off */
#define EXPECT(what) ((what) ? (void)0 : (printf("no: %s\n", #what), exit(1)))

/* ------------------------------------------------------- host.h, tier one */

struct quire_task *quire_host_current(void) { return current; }
unsigned quire_host_cpu(void) { return 0; }
void quire_host_signal(struct quire_task *t, const struct quire_signal *sig)
{ (void)t; last_signal = *sig; }
void quire_host_oom(struct quire_task *t)
{ printf("task %u: out of memory\n", t->id); exit(1); }
void quire_host_log(int level, const char *text, size_t len)
{ printf("<%d> %.*s\n", level, (int)len, text); }
_Noreturn void quire_host_panic(const char *file, int line, const char *what)
{ printf("%s:%d: %s\n", file, line, what); abort(); }
void quire_host_load_table(paddr_t root, unsigned asid, bool noflush)
{ (void)asid, (void)noflush; table_register = root; }
void quire_host_flush_page(uaddr_t addr) { (void)addr; /* it has no TLB */ }
void quire_host_flush_all(bool global) { (void)global; }

/* -------------- host.h, tier two: one processor whose tasks never sleep */

int quire_host_wait(uint32_t *word, uint32_t expected, unsigned flags)
{ (void)word, (void)expected, (void)flags; abort(); /* who would wake us? */ }
void quire_host_wake(uint32_t *word, uint32_t n) { (void)word, (void)n; }
void quire_host_preempt_disable(void) {} void quire_host_preempt_enable(void) {}
void quire_host_relax(unsigned spins) { (void)spins; }
void quire_host_cpu_call(cpumask_t cpus, void (*fn)(void *), void *arg)
{ (void)cpus, (void)fn, (void)arg; /* there is no other */ }
bool quire_host_fatal_signal_pending(struct quire_task *t) { return !t; }
bool quire_host_signal_pending(struct quire_task *t) { return !t; }
bool quire_host_fixup_exception(struct pt_regs *regs) { return !regs; }
bool quire_host_has_fixup(const struct pt_regs *regs) { return !regs; }
void quire_host_oops(struct pt_regs *regs, uaddr_t addr, const char *report)
{ (void)regs, (void)addr; puts(report); abort(); }
uint64_t quire_host_time_ns(void) { return (uint64_t)clock() * 1000; }
void quire_host_wake_flusher(struct quire *system) { (void)system; }
void quire_host_wake_reclaim(struct quire *system) { (void)system; }
void quire_host_fault_ready(struct quire_task *t) { (void)t; }
size_t quire_host_maps_name(struct quire_file *file, char *buf, size_t cap)
{ (void)file; return (size_t)snprintf(buf, cap, "/a/file"); }
void quire_host_file_id(struct quire_file *file, uint32_t *major,
			uint32_t *minor, uint64_t *inode)
{ (void)file; *major = 8, *minor = 1, *inode = 42; }
/* clang-format on */

/* ----------------------------------------------------------- the processor */

/* Walk four levels of tables, 9 bits each (Intel SDM vol. 3A, 4.5).  Where
 * the byte is, or NULL and the page fault's error code. */
static unsigned char *walk(uaddr_t addr, bool write, unsigned long *error)
{
	uint64_t entry = table_register, frame = 0x000ffffffffff000u;

	*error = X86_PF_USER | (write ? X86_PF_WRITE : 0);
	for (int shift = 39; shift >= 12; shift -= 9) {
		uint64_t *e = (uint64_t *)(void *)(ram + (entry & frame)) +
			      (addr >> shift & 511);

		if (!(*e & 1)) /* present? */
			return NULL;
		*error |= X86_PF_PROT;
		if (!(*e & 4) || (write && !(*e & 2))) /* user? writable? */
			return NULL;
		*error &= ~X86_PF_PROT;
		*e |= write && shift == 12 ? 0x60 : 0x20; /* dirty, accessed */
		entry = *e;
	}
	return ram + (entry & frame) + (addr & (PAGE - 1));
}

/* One access; -1: it ended in a signal.  value < 0 reads, else writes it. */
static int access_byte(uaddr_t addr, int value)
{
	unsigned long error;
	unsigned char *p;

	last_signal.signo = 0;
	while (!(p = walk(addr, value >= 0, &error))) {
		struct pt_regs regs = {.cs = 0x33, .flags = X86_EFLAGS_IF};

		do_page_fault(&regs, error, addr);
		if (last_signal.signo)
			return -1;
	}
	return value >= 0 ? (*p = (unsigned char)value) : *p;
}

/* ------------------------------------------------------------------ a file */

/* clang-format off */
static void nothing(struct quire_file *file) { (void)file; }
/* clang-format on */
static int fill_page(struct address_space *as, struct quire_file *file,
		     struct page *page)
{
	struct quire *q = quire_mapping_host(as);

	(void)file;
	memset(quire_page_address(q, page), 'A' + (int)quire_page_index(page),
	       PAGE);
	quire_page_end_read(q, page, 0);
	return 0;
}

static int print(void *cookie, const char *text, size_t len)
{
	return fwrite(text, 1, len, cookie) == len ? 0 : -1;
}

int main(void)
{
	static struct quire_region region = {.start = PAGE,
					     .bytes = RAM_BYTES - PAGE};
	struct quire_config config = {.regions = &region,
				      .nr_regions = 1,
				      .direct_map = ram,
				      .cpus = 1};
	struct quire *q = quire_create(&config);
	EXPECT(q);
	struct quire_task parent = {.q = q, .id = 1}, child = {.q = q, .id = 2};
	static const struct quire_file_ops ops = {.get = nothing,
						  .put = nothing};
	static const struct quire_aops aops = {.readpage = fill_page};
	struct address_space *as = malloc(quire_mapping_size());
	struct quire_file file = {.ops = &ops, .mapping = as, .readable = true};
	struct quire_mm_stats st;
	sreg_t a, f;
	unsigned rw = PROT_READ | PROT_WRITE;

	current = &parent;
	parent.mm = quire_mm_create(q);
	quire_switch_mm(q, parent.mm);
	a = quire_mmap(parent.mm, 0, 16 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS,
		       NULL, 0);
	quire_mapping_init(q, as, &aops, q, 4 * PAGE);
	f = quire_mmap(parent.mm, 0, 4 * PAGE, rw, MAP_PRIVATE, &file, 0);
	EXPECT(a > 0 && f > 0);

	for (unsigned i = 0; i < 16; i++) /* fresh pages, zero until written */
		EXPECT(access_byte((uaddr_t)a + i * PAGE, -1) == 0 &&
		       access_byte((uaddr_t)a + i * PAGE, (int)i) == (int)i);
	EXPECT(access_byte((uaddr_t)f + 2 * PAGE, -1) == 'C');
	EXPECT(access_byte((uaddr_t)f + 2 * PAGE, 'x') == 'x');

	child.mm = quire_mm_fork(parent.mm); /* copy on write, both ways */
	current = &child;
	quire_switch_mm(q, child.mm);
	EXPECT(access_byte((uaddr_t)a + 5 * PAGE, 99) == 99);
	EXPECT(access_byte(0x1000, -1) == -1 && last_signal.signo == SIGSEGV);
	printf("child: %lu faults; address 0x1000 gave signal %d, code %d\n",
	       child.min_flt, last_signal.signo, last_signal.code);
	current = &parent;
	quire_switch_mm(q, parent.mm);
	quire_mm_put(child.mm);
	EXPECT(access_byte((uaddr_t)a + 5 * PAGE, -1) == 5);

	quire_mm_get_stats(parent.mm, &st);
	printf("parent: %lu + %lu faults, %lu anonymous pages, %lu bytes of "
	       "tables\n",
	       parent.min_flt, parent.maj_flt, st.anon_pages, st.table_bytes);
	quire_maps(parent.mm, print, stdout);
	quire_switch_mm(q, NULL);
	quire_mm_put(parent.mm);
	quire_mapping_destroy(as);
	free(as);
	unsigned wrong = quire_check(q);
	uint64_t leaked = quire_destroy(q);
	printf("%u invariants broken, %lu pages leaked\n", wrong, leaked);
	return wrong || leaked;
}
