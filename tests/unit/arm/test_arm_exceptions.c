/* SPDX-License-Identifier: MIT */
/*
 * ARM's two aborts in C: the status tables, what each status ends in, hooks,
 * kernel addresses that the reference table has, oopses.  (The assembly before
 * them: tests/entry.)
 */
#include <asm/ptrace.h>
#include <fault.h>

#include <sim/mmu_arm.h>
#include <tests/unit/entries.h>

#define KERNEL_WORD(m, addr)                                                   \
	((uint32_t *)sim_phys(m, (m)->q->arch.kernel_root) + ((addr) >> 20))
#define MM_WORD(t, addr) ((uint32_t *)(void *)(t)->qt.mm->pgd + ((addr) >> 20))

/* The tables' contents as the architecture has them (DDI 0406C, B3-23): which
 * signal user mode gets, 0: none, it is an ordinary page fault. */
struct expected {
	int signo, code;
};
#define PAGE_FAULT                                                             \
	{                                                                      \
		0, 0                                                           \
	}
#define BUS                                                                    \
	{                                                                      \
		SIGBUS, QUIRE_BUS_OBJERR                                       \
	}
#define RESERVED                                                               \
	{                                                                      \
		SIGKILL, 0                                                     \
	}

static const struct expected data_status[NR_FSR] = {
	RESERVED,
	{SIGBUS, QUIRE_BUS_ADRALN},   /* 00001 alignment */
	{SIGTRAP, 4},		      /* 00010 debug event */
	PAGE_FAULT,		      /* 00011 access flag, section */
	{SIGSEGV, QUIRE_SEGV_MAPERR}, /* 00100 instruction cache */
	PAGE_FAULT,		      /* 00101 translation, section */
	PAGE_FAULT,		      /* 00110 access flag, page */
	PAGE_FAULT,		      /* 00111 translation, page */
	BUS,			      /* 01000 external */
	{SIGSEGV, QUIRE_SEGV_ACCERR}, /* 01001 domain, section */
	BUS,			      /* 01010 external, old */
	{SIGSEGV, QUIRE_SEGV_ACCERR}, /* 01011 domain, page */
	BUS,			      /* 01100 external on walk, 1 */
	{SIGSEGV, QUIRE_SEGV_MAPERR}, /* 01101 permission, section */
	BUS,			      /* 01110 external on walk, 2 */
	PAGE_FAULT,		      /* 01111 permission, page */
	BUS,			      /* 10000 TLB conflict */
	RESERVED,
	RESERVED,
	RESERVED, /* 10001 ... 10011 */
	BUS,	  /* 10100 lockdown */
	RESERVED, /* 10101 */
	BUS,	  /* 10110 asynchronous external */
	RESERVED, /* 10111 */
	BUS,	  /* 11000 asynchronous parity */
	BUS,	  /* 11001 parity */
	BUS,	  /* 11010 coprocessor */
	RESERVED, /* 11011 */
	BUS,	  /* 11100 parity on walk, 1 */
	RESERVED, /* 11101 */
	BUS,	  /* 11110 parity on walk, 2 */
	RESERVED, /* 11111 */
};

/* What an instruction fetch cannot meet is reserved in IFSR. */
static struct expected prefetch_status(unsigned fs)
{
	struct expected reserved = RESERVED;

	if (fs == FS_ALIGNMENT || fs == FS_ICACHE_MAINTENANCE ||
	    fs == FS_ASYNC_EXTERNAL || fs == FS_ASYNC_PARITY)
		return reserved;
	return data_status[fs];
}

/* One access of user mode that ends in status fs. */
static void one_status(struct sim_task *t, enum sim_access_kind kind, uaddr_t a,
		       unsigned fs, struct expected want)
{
	uint32_t fsr = FSR_OF(fs) | (kind == SIM_WRITE ? FSR_WRITE : 0) |
		       (kind == SIM_FETCH ? FSR_PREFETCH : 0);
	uint8_t byte = 0;
	int r;

	test_context("status %#x kind %d", fs, (int)kind);
	sim_arm_inject(t->m, fs);
	t->qt.fault_trapno = 0;
	r = sim_access(t, kind, 0, a, &byte, 1);
	CHECK_EQ(r, want.signo);
	CHECK_EQ(t->total_faults != 0, 1);
	if (!want.signo) {
		CHECK_EQ(t->qt.fault_trapno, 0);
		return;
	}
	CHECK_EQ(t->qt.fault_trapno, ARM_TRAP_ABORT);
	CHECK_EQ(t->qt.fault_error, fsr);
	CHECK_EQ(t->qt.fault_address, a);
	if (want.signo == SIGKILL)
		return;
	CHECK_EQ(t->sig.code, want.code);
	CHECK_EQ(t->sig.addr, a);
}

/* behaviours: E12, E13: all 32 statuses of both tables, each in a task of its
 * own (some kill it). */
TEST(arm_every_status)
{
	static const enum sim_access_kind kinds[] = {SIM_READ, SIM_WRITE,
						     SIM_FETCH};
	unsigned k, fs;

	sim_quiet(m, true);
	for (k = 0; k < ARRAY_LEN(kinds); k++)
		for (fs = 1; fs < NR_FSR; fs++) {
			struct sim_task *t = sim_task_create(m);
			uaddr_t a =
				must_map(t, PG, RW | PROT_EXEC, ANON, NULL, 0);

			one_status(t, kinds[k], a + 12, fs,
				   kinds[k] == SIM_FETCH ? prefetch_status(fs)
							 : data_status[fs]);
			sim_exit(t);
		}
	sim_quiet(m, false);
}

/* behaviours: E12, E13: the same in kernel mode: the exception table, or an
 * oops with the entry's name; and never a signal. */
TEST(arm_every_status_in_the_kernel)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);
	uint64_t v = 0;
	unsigned fs;

	sim_quiet(m, true);
	for (fs = 1; fs < NR_FSR; fs++) {
		bool page = !data_status[fs].signo;

		test_context("status %#x", fs);
		sim_arm_inject(m, fs);
		CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_FIXUP, a, &v,
				    8),
			 page ? 0 : SIM_EFAULT);
		sim_log_clear(m);
		sim_arm_inject(m, fs);
		CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, a, &v, 8),
			 page ? 0 : SIM_OOPS);
		CHECK(page ||
		      sim_log_contains(m, m->q->arch.faults.fsr_info[fs].name));
		CHECK_EQ(t->nr_queued, 0);
		CHECK(!t->killed);
	}
	sim_quiet(m, false);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E12: every entry of both tables has a handler and a name, and two
 * entries of one table that mean different things have different names. */
TEST(arm_tables_are_full)
{
	const struct arch_faults *f = &m->q->arch.faults;
	unsigned i, j;

	for (i = 0; i < NR_FSR; i++) {
		REQUIRE(f->fsr_info[i].fn && f->ifsr_info[i].fn);
		REQUIRE(f->fsr_info[i].name && f->ifsr_info[i].name);
		CHECK(f->fsr_info[i].sig > 0 && f->ifsr_info[i].sig > 0);
		for (j = 0; j < i; j++)
			CHECK(!strcmp(f->fsr_info[i].name, "reserved") ||
			      strcmp(f->fsr_info[i].name, f->fsr_info[j].name));
	}
}

/* ------------------------------------------------------------------ hooks */

static struct {
	unsigned calls;
	uaddr_t addr;
	uint32_t fsr, cpsr;
	struct quire_task *task;
	vm_fault_t answer;
} hook;

static vm_fault_t hooked(struct quire_task *task, uaddr_t addr, uint32_t fsr,
			 struct pt_regs *regs)
{
	hook.calls++;
	hook.task = task;
	hook.addr = addr;
	hook.fsr = fsr;
	hook.cpsr = regs->ARM_cpsr;
	return hook.answer;
}

/* behaviour: E12 (hook_fault_code) */
TEST(arm_hook_fault_code)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);
	uint8_t byte;

	sim_quiet(m, true);
	hook_fault_code(m->q, FS_ALIGNMENT, hooked, SIGBUS, 77, "mine");
	/* dealt with: the access is repeated, and succeeds */
	hook.answer = 0;
	sim_arm_inject(m, FS_ALIGNMENT);
	CHECK_EQ(sim_load8(t, a + 3, &byte), 0);
	CHECK_EQ(hook.calls, 1);
	CHECK(hook.task == &t->qt);
	CHECK_EQ(hook.addr, a + 3);
	CHECK_EQ(hook.fsr, FS_ALIGNMENT);
	CHECK_EQ(hook.cpsr & PSR_MODE_MASK, PSR_MODE_USR);
	/* not dealt with: as the new entry says */
	hook.answer = QUIRE_FAULT_UNHANDLED;
	sim_arm_inject(m, FS_ALIGNMENT);
	CHECK_SIGNAL(t, sim_load8(t, a + 3, &byte), SIGBUS, 77, a + 3);
	CHECK_EQ(hook.calls, 2);
	/* other statuses, and the other table, are what they were */
	sim_arm_inject(m, FS_EXTERNAL);
	CHECK_SIGNAL(t, sim_load8(t, a, &byte), SIGBUS, QUIRE_BUS_OBJERR, a);
	CHECK_EQ(hook.calls, 2);
	hook_ifault_code(m->q, FS_EXTERNAL, hooked, SIGSEGV, 78, "mine too");
	sim_arm_inject(m, FS_EXTERNAL);
	CHECK_SIGNAL(t, sim_load8(t, a, &byte), SIGBUS, QUIRE_BUS_OBJERR, a);
	CHECK_EQ(hook.calls, 2);
	sim_arm_inject(m, FS_EXTERNAL);
	CHECK_SIGNAL(t, sim_fetch(t, a, &byte, 1), SIGSEGV, 78, a);
	CHECK_EQ(hook.calls, 3);
	CHECK_EQ(hook.fsr, FS_EXTERNAL | FSR_PREFETCH);
	sim_quiet(m, false);
	sim_exit(t);
}

/* behaviour: E12: also the entries of the ordinary page fault, which else do
 * not come by the table. */
TEST(arm_hook_of_a_page_fault)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = must_map(t, 4 * PG, RW | PROT_EXEC, ANON, NULL, 0);
	uint8_t byte = 1;

	sim_quiet(m, true);
	put64(t, a, 1); /* there is a table now: level 2 */
	hook.answer = QUIRE_FAULT_UNHANDLED;
	hook_fault_code(m->q, FS_TRANSLATION_2, hooked, SIGBUS, 5, "mine");
	CHECK_SIGNAL(t, sim_store8(t, a + PG, byte), SIGBUS, 5, a + PG);
	CHECK_EQ(hook.calls, 1);
	CHECK_EQ(hook.fsr & FSR_WRITE, FSR_WRITE);
	CHECK_EQ(sim_fetch(t, a + PG, &byte, 1), 0);
	CHECK_EQ(hook.calls, 1);
	hook_ifault_code(m->q, FS_TRANSLATION_2, hooked, SIGBUS, 6, "mine");
	CHECK_SIGNAL(t, sim_fetch(t, a + 2 * PG, &byte, 1), SIGBUS, 6,
		     a + 2 * PG);
	CHECK_EQ(hook.calls, 2);
	sim_quiet(m, false);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E12: each system has tables of its own. */
TEST(arm_hook_is_one_systems)
{
	struct sim_config c = {.ram_bytes = 16u << 20};
	struct sim_machine *n = sim_machine_create(&c);
	struct arch_faults fresh;

	REQUIRE(n);
	arch_faults_init(&fresh);
	hook_fault_code(n->q, FS_ALIGNMENT, hooked, SIGBUS, 77, "mine");
	CHECK(n->q->arch.faults.fsr_info[FS_ALIGNMENT].fn == hooked);
	CHECK(!memcmp(&m->q->arch.faults, &fresh, sizeof(fresh)));
	sim_machine_destroy(n);
}

/* -------------------------------------------------------- kernel addresses */

#define LATE 0xf0000000u /* mapped by the kernel after the task was made */

/* behaviours: E13, P5: the kernel maps something; an address space that was
 * made before gets the entry at its first access, by a fault of kernel mode. */
TEST(arm_missing_kernel_entry_is_copied)
{
	struct sim_task *t = sim_task_create(m);
	uint64_t bytes, v = 0;
	paddr_t base = sim_reserved(m, &bytes), section;
	uint8_t byte;

	section = (base + 0xfffff) & ~(paddr_t)0xfffff;
	if (section + 0x1000 > base + bytes)
		section = 0; /* the first MiB will do: it is only read */
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_FIXUP, LATE, &v, 8),
		 SIM_EFAULT);
	*KERNEL_WORD(m, LATE) =
		(uint32_t)section | 2 | 3u << 2 | 1u << 4 | 1u << 10;
	quire_host_table_written(KERNEL_WORD(m, LATE), 4);
	CHECK_EQ(*MM_WORD(t, LATE), 0);
	/* user mode may not be there, and does not get it copied */
	CHECK_SIGNAL(t, sim_load8(t, LATE, &byte), SIGSEGV, QUIRE_SEGV_MAPERR,
		     LATE);
	CHECK_EQ(*MM_WORD(t, LATE), 0);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, LATE + 64, &v, 8), 0);
	CHECK_EQ(t->faults, 1);
	CHECK(!t->oopsed);
	CHECK_EQ(*MM_WORD(t, LATE), *KERNEL_WORD(m, LATE));
	/* one word: its neighbours are still missing */
	CHECK_EQ(*MM_WORD(t, LATE + (1u << 20)), 0);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, LATE + 4096, &v, 8), 0);
	CHECK_EQ(t->faults, 0);
	/* now user mode meets the section's rights */
	CHECK_SIGNAL(t, sim_load8(t, LATE, &byte), SIGSEGV, QUIRE_SEGV_MAPERR,
		     LATE);
	CHECK_EQ(fsr_fs((uint32_t)t->qt.fault_error), FS_PERMISSION_1);
	*KERNEL_WORD(m, LATE) = 0;
	quire_host_table_written(KERNEL_WORD(m, LATE), 4);
	sim_exit(t);
}

/* behaviour: E13 (do_sect_fault): the kernel's memory from user mode, and its
 * own read-only sections. */
TEST(arm_section_faults)
{
	struct sim_task *t = sim_task_create(m);
	uint8_t byte;
	uint64_t v = 1;

	CHECK_SIGNAL(t, sim_store8(t, TEST_KERNEL_RAM + 5, 1), SIGSEGV,
		     QUIRE_SEGV_MAPERR, TEST_KERNEL_RAM + 5);
	CHECK_EQ(t->qt.fault_error & ~FSR_DOMAIN,
		 FSR_OF(FS_PERMISSION_1) | FSR_WRITE);
	CHECK_SIGNAL(t, sim_fetch(t, TEST_KERNEL_RAM, &byte, 1), SIGSEGV,
		     QUIRE_SEGV_MAPERR, TEST_KERNEL_RAM);
	CHECK(t->qt.fault_error & FSR_PREFETCH);
	*MM_WORD(t, LATE) = 2 | 3u << 2 | 1u << 4 | 1u << 10 | 1u << 15;
	quire_host_table_written(MM_WORD(t, LATE), 4);
	sim_quiet(m, true);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, LATE, &v, 8), 0);
	CHECK_EQ(sim_access(t, SIM_WRITE, SIM_KERNEL, LATE, &v, 8), SIM_OOPS);
	CHECK(sim_log_contains(m, "permission fault, section"));
	CHECK(sim_log_contains(m, "f0000000"));
	CHECK(sim_log_contains(m, "level 1: 0000841e"));
	CHECK(sim_log_contains(m, "supervisor mode, ARM state"));
	sim_quiet(m, false);
	sim_exit(t);
}

/* ------------------------------------------------------------- page faults */

/* behaviours: E13, P7: an old page is young again by an access-flag fault, a
 * clean one dirty by a permission fault; the page stays. */
TEST(arm_young_and_dirty_by_faults)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);
	uint64_t before;
	paddr_t frame;
	pte_t e;

	put64(t, a, 5);
	frame = frame_of(t, a);
	e = *pte_at(t, a);
	poke(t, a, pte_mkold(e));
	before = t->qt.min_flt;
	CHECK_EQ(get64(t, a), 5);
	CHECK_EQ(fsr_fs(t->error), FS_ACCESS_FLAG_2);
	CHECK_EQ(t->faults, 1);
	CHECK(pte_young(*pte_at(t, a)));
	poke(t, a, pte_mkclean(e));
	put64(t, a, 6);
	CHECK_EQ(fsr_fs(t->error), FS_PERMISSION_2);
	CHECK_EQ(t->error & FSR_WRITE, FSR_WRITE);
	CHECK(pte_dirty(*pte_at(t, a)));
	CHECK_EQ(t->qt.min_flt, before + 2);
	CHECK_EQ(frame_of(t, a), frame);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: E13, E7: __do_user_fault: what the signal's context says. */
TEST(arm_what_a_signal_tells)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 2);
	uint8_t byte;

	put64(t, a, 1);
	CHECK_EQ(sim_mprotect(t, a, PG, PROT_READ), 0);
	CHECK_SIGNAL(t, sim_store8(t, a + 7, 1), SIGSEGV, QUIRE_SEGV_ACCERR,
		     a + 7);
	CHECK_EQ(t->qt.fault_error & ~FSR_DOMAIN,
		 FSR_OF(FS_PERMISSION_2) | FSR_WRITE);
	CHECK_EQ(t->qt.fault_trapno, 14);
	CHECK_EQ(t->qt.fault_address, a + 7);
	CHECK_SIGNAL(t, sim_fetch(t, a, &byte, 1), SIGSEGV, QUIRE_SEGV_ACCERR,
		     a);
	CHECK_EQ(t->qt.fault_error, FSR_OF(FS_PERMISSION_2) | FSR_PREFETCH);
	CHECK_SIGNAL(t, sim_fetch(t, 0x1000, &byte, 1), SIGSEGV,
		     QUIRE_SEGV_MAPERR, 0x1000);
	CHECK_EQ(t->qt.fault_address, 0x1000);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: E13, E5: the kernel at a user address: with interrupts off, or to
 * execute there, is never answered by a page. */
TEST(arm_kernel_where_it_may_not_fault)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = must_map(t, 2 * PG, RW | PROT_EXEC, ANON, NULL, 0);
	uint64_t v = 0, faults;

	sim_quiet(m, true);
	faults = t->qt.min_flt;
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_NOIRQ, a, &v, 8),
		 SIM_OOPS);
	CHECK(sim_log_contains(m, "interrupts off"));
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_NOIRQ | SIM_FIXUP, a,
			    &v, 8),
		 SIM_EFAULT);
	CHECK_EQ(sim_access(t, SIM_FETCH, SIM_KERNEL, a, &v, 4), SIM_OOPS);
	CHECK(sim_log_contains(m, "kernel tried to execute user code"));
	CHECK(sim_log_contains(m, "instruction fetch"));
	CHECK_EQ(t->qt.min_flt, faults);
	CHECK_EQ(frame_of(t, a), 0);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_FIXUP, a, &v, 8), 0);
	CHECK_EQ(t->qt.min_flt, faults + 1);
	sim_quiet(m, false);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E13: prefetch aborts of either mode bring pages as data aborts
 * do; IFSR's bit 11 is not a write. */
TEST(arm_prefetch_brings_a_page)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = must_map(t, 2 * PG, PROT_READ | PROT_EXEC, ANON, NULL, 0);
	struct pt_regs regs = {{0}};
	uint8_t byte = 1;

	CHECK_EQ(sim_fetch(t, a, &byte, 1), 0);
	CHECK_EQ(byte, 0);
	CHECK_EQ(t->faults, 1);
	CHECK(t->error & FSR_PREFETCH);
	regs.ARM_cpsr = PSR_MODE_USR | PSR_T_BIT;
	regs.ARM_pc = a + PG - 2;
	do_PrefetchAbort(a + PG, FSR_OF(FS_TRANSLATION_2) | FSR_WRITE, &regs);
	CHECK_EQ(t->nr_queued, 0);
	CHECK(frame_of(t, a + PG) != 0);
	CHECK_EQ(regs.ARM_pc, a + PG - 2);
	CHECK_SYSTEM(m);
	sim_exit(t);
}
