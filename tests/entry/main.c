/* SPDX-License-Identifier: MIT */
/*
 * main.c - tests of arch/arm's exception entry on the processor itself.
 *
 * A program without a kernel: it links arch/arm/entry.S, abort-v6.S, abort-v7.S
 * and proc.S, and stands in for all that they call.  Each test makes a context
 * (a mode, a set of registers, an instruction that will abort), runs it, sees
 * what do_DataAbort or do_PrefetchAbort gets, answers, and looks at what the
 * context has in its registers when it goes on.  QEMU runs it on a Cortex-A15
 * (ARMv7) and on an ARM1176 (ARMv6).
 *
 *   0x10000000  a page: WINDOW, mapped as each test needs it
 *   0x10100000  nothing at the first level
 *   0x10200000  a section, as each test needs it
 *   RAM         mapped as it is, for both modes
 *   0xffff0000  the vectors
 */
#include <asm/fsr.h>
#include <asm/procinfo.h>
#include <asm/ptrace.h>

#define WINDOW	  0x10000000u
#define NO_TABLE  0x10100000u
#define SECTION	  0x10200000u
#define BAD_TABLE 0x10300000u
#define PAGE	  4096u

/* An address with nothing behind it: an access is an external abort. */
#define NO_MEMORY 0x60000000u

/* Descriptors (DDI 0406C B3.5.1), with SCTLR.AFE: AP[0] is the access flag. */
#define L1_TABLE   1u
#define L1_SECTION 0x2u
#define L1_AF	   (1u << 10)
#define L1_USER	   (1u << 11)
#define L1_RO	   (1u << 15)
#define L1_DOMAIN  (1u << 5) /* domain 1 */
#define L2_PAGE	   2u
#define L2_XN	   1u
#define L2_AF	   (1u << 4)
#define L2_USER	   (1u << 5)
#define L2_RO	   (1u << 9)
#define L2_ALL	   (L2_PAGE | L2_AF | L2_USER)

#define SCTLR_M	  (1u << 0)
#define SCTLR_V	  (1u << 13)
#define SCTLR_U	  (1u << 22)
#define SCTLR_XP  (1u << 23)
#define SCTLR_AFE (1u << 29)

/* start.S */
long semihost(unsigned op, const void *arg);
void mmu_on(uint32_t ttbr, uint32_t sctlr);
void run_context(const struct pt_regs *regs);
_Noreturn void leave_context(void);
void abort_in_mode(uint32_t psr, uint32_t addr);
void jump_in_mode(uint32_t psr, uint32_t addr);
extern char driver_stack_top[], kernel_stack_top[];
extern uint32_t user_end_sp;
extern struct pt_regs final;
extern const char arm_load[], arm_store[], arm_exclusive[], arm_jump[],
	arm_break[], arm_undefined[], be_load[], thumb_load[], thumb_it[],
	svc_load[], svc_store[], svc_jump[], svc_ldrt[], svc_ldrt_fixup[],
	finish_svc[];

/* What entry.S calls and reads. */
extern uint32_t work;
uint32_t work;
void do_DataAbort(uint32_t addr, uint32_t fsr, struct pt_regs *regs);
void do_PrefetchAbort(uint32_t addr, uint32_t ifsr, struct pt_regs *regs);
void exit_to_user_work(struct pt_regs *regs);
_Noreturn void bad_mode(struct pt_regs *regs, unsigned vector);
void undefined(struct pt_regs *regs);
extern void (*processor_aborts[2])(void);
void v6_early_abort(void), v6_pabort(void), v7_early_abort(void),
	v7_pabort(void);

static uint32_t l1[4096] __attribute__((aligned(16384)));
static uint32_t window_table[256] __attribute__((aligned(1024)));
static uint32_t vector_table[256] __attribute__((aligned(1024)));
static uint32_t vectors[1024] __attribute__((aligned(4096)));
static uint32_t page[2048] __attribute__((aligned(4096)));
static uint32_t svc_stack[256] __attribute__((aligned(8)));
static struct exception_stacks stacks;

/* What the last abort was, and what is done about it. */
static struct {
	unsigned count, bad_modes, bad_vector, works, undefs;
	bool prefetch;
	uint32_t addr, fsr, cpsr, sp, work_cpsr;
	struct pt_regs regs;
	struct pt_regs *work_regs;
	struct exception_stacks stacks;
} seen;
static void (*answer)(struct pt_regs *regs);

static unsigned passed, failed;
static const char *test_name;

/* The compiler copies structures with it. */
void *memcpy(void *to, const void *from, size_t n);
void *memcpy(void *to, const void *from, size_t n)
{
	while (n--)
		((char *)to)[n] = ((const char *)from)[n];
	return to;
}

/* --------------------------------------------------------------- reporting */

static void print(const char *text)
{
	semihost(4, text); /* SYS_WRITE0 */
}

static void print_hex(uint32_t v)
{
	char buf[9];
	unsigned i;

	for (i = 0; i < 8; i++)
		buf[i] = "0123456789abcdef"[v >> (28 - 4 * i) & 15];
	buf[8] = 0;
	print(buf);
}

static void print_decimal(unsigned v)
{
	static const unsigned powers[] = {1000, 100, 10, 1};
	bool begun = false;
	unsigned i;

	for (i = 0; i < 4; i++) {
		char digit[2] = "0";

		for (; v >= powers[i]; v -= powers[i])
			digit[0]++;
		begun |= digit[0] != '0' || i == 3;
		if (begun)
			print(digit);
	}
}

static bool test_failed;
static void check_that(bool ok, const char *what, int line, uint32_t got)
{
	if (ok)
		return;
	test_failed = true;
	print("FAIL ");
	print(test_name);
	print(" line ");
	print_decimal((unsigned)line);
	print(": ");
	print(what);
	print(" (0x");
	print_hex(got);
	print(")\n");
}
#define CHECK(c)       check_that((c), #c, __LINE__, 0)
#define CHECK_EQ(a, b) check_that((a) == (b), #a " == " #b, __LINE__, a)

/* -------------------------------------------------------- what is called */

static inline uint32_t read_cpsr(void)
{
	uint32_t v;

	__asm__ volatile("mrs %0, cpsr" : "=r"(v));
	return v;
}

static inline uint32_t read_midr(void)
{
	uint32_t v;

	__asm__ volatile("mrc p15, 0, %0, c0, c0, 0" : "=r"(v));
	return v;
}

static void record(uint32_t addr, uint32_t fsr, struct pt_regs *regs,
		   bool prefetch)
{
	seen.count++;
	seen.addr = addr;
	seen.fsr = fsr;
	seen.prefetch = prefetch;
	seen.cpsr = read_cpsr();
	seen.sp = (uint32_t)(uintptr_t)regs;
	seen.regs = *regs;
	seen.stacks = stacks;
	if (answer)
		answer(regs);
	else
		leave_context();
}

void do_DataAbort(uint32_t addr, uint32_t fsr, struct pt_regs *regs)
{
	record(addr, fsr, regs, false);
}

void do_PrefetchAbort(uint32_t addr, uint32_t ifsr, struct pt_regs *regs)
{
	record(addr, ifsr, regs, true);
}

void exit_to_user_work(struct pt_regs *regs)
{
	seen.works++;
	seen.work_cpsr = read_cpsr();
	seen.work_regs = regs;
	work = 0;
}

void bad_mode(struct pt_regs *regs, unsigned vector)
{
	seen.bad_modes++;
	seen.bad_vector = vector;
	seen.regs = *regs;
	seen.cpsr = read_cpsr();
	leave_context();
}

void undefined(struct pt_regs *regs)
{
	seen.undefs++;
	seen.regs = *regs;
	regs->ARM_pc += 4;
}

/* ------------------------------------------------------------ the machine */

static void sync_tables(void)
{
	__asm__ volatile("mcr p15, 0, %0, c7, c10, 4\n" /* DSB */
			 "mcr p15, 0, %0, c8, c7, 0\n"	/* TLBIALL */
			 "mcr p15, 0, %0, c7, c10, 4\n"
			 "mcr p15, 0, %0, c7, c5, 0\n" /* ICIALLU */
			 "mcr p15, 0, %0, c7, c5, 4\n" /* ISB */
			 ::"r"(0)
			 : "memory");
}

static void set_domains(uint32_t dacr)
{
	__asm__ volatile("mcr p15, 0, %0, c3, c0, 0" ::"r"(dacr));
	sync_tables();
}

static uint32_t phys(const void *p)
{
	return (uint32_t)(uintptr_t)p;
}

/* Page n of the window: flags, or 0 for nothing. */
static void map_window(unsigned n, uint32_t flags)
{
	window_table[n] = flags ? phys(page + n * (PAGE / 4)) | flags : 0;
	sync_tables();
}

static void map_section(uint32_t flags)
{
	l1[SECTION >> 20] = flags ? (phys(page) & 0xfff00000u) | flags : 0;
	sync_tables();
}

static void machine_init(void)
{
	uint32_t ram = phys(driver_stack_top) & 0xf0000000u, i;

	for (i = 0; i < 16; i++)
		l1[(ram >> 20) + i] =
			(ram + (i << 20)) | L1_SECTION | L1_AF | L1_USER;
	l1[WINDOW >> 20] = phys(window_table) | L1_TABLE | L1_DOMAIN;
	l1[BAD_TABLE >> 20] = NO_MEMORY | L1_TABLE;
	l1[0xfff] = phys(vector_table) | L1_TABLE;
	vector_table[0xf0] = phys(vectors) | L2_ALL | L2_RO;
	for (i = 0; i < (uint32_t)(vectors_end - vectors_start) / 4; i++)
		vectors[i] = ((const uint32_t *)(const void *)vectors_start)[i];
	__asm__ volatile("mcr p15, 0, %0, c3, c0, 0" ::"r"(5));
	mmu_on(phys(l1), SCTLR_M | SCTLR_V | SCTLR_U | SCTLR_XP | SCTLR_AFE |
				 0x00050078u);
	exception_stacks_init(&stacks);
}

/* ------------------------------------------------------------ the contexts */

/* A context of mode `psr` at `pc`: every register has a value of its own. */
static struct pt_regs context(const char *pc, uint32_t psr)
{
	struct pt_regs r;
	unsigned i;

	for (i = 0; i < 15; i++)
		r.uregs[i] = 0x5eed0000u + i * 0x0101u;
	if (psr & 0xf)
		r.ARM_sp = phys(kernel_stack_top) - 64;
	r.ARM_pc = phys(pc) & ~1u;
	r.ARM_cpsr = psr | (phys(pc) & 1 ? PSR_T_BIT : 0);
	r.ARM_ORIG_r0 = 0;
	return r;
}

/* A fresh start: nothing seen, nothing in the window. */
static void begin(void)
{
	unsigned i;

	for (i = 0; i < sizeof(seen) / 4; i++)
		((uint32_t *)(void *)&seen)[i] = 0;
	window_table[0] = 0;
	window_table[1] = 0;
	map_section(0);
	set_domains(5); /* client of 0 and of 1 */
	user_end_sp = 0;
	work = 0;
	answer = NULL;
}

/* r0 ... lr are the same, but for those of the mask. */
static void check_same(const struct pt_regs *a, const struct pt_regs *b,
		       uint32_t but)
{
	unsigned i;

	for (i = 0; i < 15; i++)
		if (!(but & (1u << i)))
			check_that(a->uregs[i] == b->uregs[i], "a register",
				   (int)i, a->uregs[i]);
}

/* What must be true of every abort that came to C from context r. */
static void check_abort(const struct pt_regs *r, bool prefetch, uint32_t pc,
			uint32_t addr, uint32_t fs)
{
	CHECK_EQ(seen.count, 1);
	CHECK(seen.prefetch == prefetch);
	CHECK_EQ(seen.addr, addr);
	CHECK_EQ(fsr_fs(seen.fsr), fs);
	CHECK_EQ(seen.regs.ARM_pc, pc);
	CHECK_EQ(seen.regs.ARM_cpsr, r->ARM_cpsr);
	CHECK_EQ(seen.regs.ARM_ORIG_r0, ~0u);
	check_same(&seen.regs, r, 0);
	/* C runs in supervisor mode, in ARM state, little-endian, its stack
	 * aligned, with interrupts on if the context had them on */
	CHECK_EQ(seen.cpsr & PSR_MODE_MASK, PSR_MODE_SVC);
	CHECK_EQ(seen.cpsr & (PSR_T_BIT | PSR_E_BIT), 0);
	CHECK_EQ(seen.cpsr & PSR_I_BIT, r->ARM_cpsr & PSR_I_BIT);
	CHECK_EQ(seen.sp & 7, 0);
	/* the 12-byte stack of abort mode */
	CHECK_EQ(seen.stacks.abt[0], r->ARM_r0);
	CHECK_EQ(seen.stacks.abt[1], pc);
	CHECK_EQ(seen.stacks.abt[2], r->ARM_cpsr);
}

/* -------------------------------------------------------------- answers */

static void map_it(struct pt_regs *regs)
{
	(void)regs;
	map_window(0, L2_ALL);
}
static void skip_it(struct pt_regs *regs)
{
	regs->ARM_pc += 4;
}
static void fix_it_up(struct pt_regs *regs)
{
	regs->ARM_pc = phys(svc_ldrt_fixup);
}

#define USER_PSR                                                               \
	(PSR_MODE_USR | PSR_N_BIT | PSR_C_BIT | PSR_Q_BIT | 0x00050000u)

/* ---------------------------------------------------------------- tests */

/* behaviours: E9, E10: a data abort of user mode, ARM state; all of the
 * context arrives in pt_regs, the instruction is repeated, nothing is lost. */
static void test_dabt_usr(void)
{
	struct pt_regs r = context(arm_load, USER_PSR);

	r.ARM_r0 = WINDOW + 8;
	page[2] = 0xcafe1234;
	answer = map_it;
	run_context(&r);
	check_abort(&r, false, phys(arm_load), WINDOW + 8, FS_TRANSLATION_2);
	CHECK_EQ(seen.fsr & FSR_WRITE, 0);
	CHECK_EQ(final.ARM_r1, 0xcafe1234);
	check_same(&final, &r, 1u << 1);
	CHECK_EQ(final.ARM_cpsr, r.ARM_cpsr);
	CHECK_EQ(seen.sp, phys(kernel_stack_top) - 72);
	CHECK_EQ(user_end_sp, phys(kernel_stack_top) - 4);
}

/* behaviours: E9, E11: a write says so in its status. */
static void test_dabt_usr_write(void)
{
	struct pt_regs r = context(arm_store, USER_PSR);

	r.ARM_r0 = WINDOW + 16;
	page[4] = 0;
	answer = map_it;
	run_context(&r);
	check_abort(&r, false, phys(arm_store), WINDOW + 16, FS_TRANSLATION_2);
	CHECK_EQ(seen.fsr & FSR_WRITE, FSR_WRITE);
	CHECK_EQ(page[4], r.ARM_r1);
	check_same(&final, &r, 0);
}

/* behaviours: E9, E10: Thumb state comes and goes with the psr. */
static void test_dabt_usr_thumb(void)
{
	struct pt_regs r = context(thumb_load, USER_PSR);

	r.ARM_r0 = WINDOW + 8;
	page[2] = 0x7b;
	answer = map_it;
	run_context(&r);
	check_abort(&r, false, phys(thumb_load) & ~1u, WINDOW + 8,
		    FS_TRANSLATION_2);
	CHECK(seen.regs.ARM_cpsr & PSR_T_BIT);
	CHECK_EQ(final.ARM_r1, 0x7b);
	check_same(&final, &r, 1u << 1);
	CHECK_EQ(final.ARM_cpsr, r.ARM_cpsr);
}

/* behaviours: E9, E10: a program with big-endian data. */
static void test_dabt_usr_big_endian(void)
{
	struct pt_regs r = context(be_load, PSR_MODE_USR), at;

	r.ARM_r0 = WINDOW + 8;
	page[2] = 0x11223344;
	answer = map_it;
	run_context(&r);
	at = r;
	at.ARM_cpsr |= PSR_E_BIT;
	check_abort(&at, false, phys(be_load) + 4, WINDOW + 8,
		    FS_TRANSLATION_2);
	CHECK_EQ(final.ARM_r1, 0x44332211);
	CHECK_EQ(final.ARM_r2, 0x44332211);
	CHECK(final.ARM_cpsr & PSR_E_BIT);
}

/* behaviours: E9, E11: user mode runs into a page that is not there. */
static void test_pabt_usr(void)
{
	struct pt_regs r = context(arm_jump, USER_PSR);

	r.ARM_r0 = WINDOW + 32;
	page[8] = 0xef000000; /* svc 0 */
	answer = map_it;
	run_context(&r);
	check_abort(&r, true, WINDOW + 32, WINDOW + 32, FS_TRANSLATION_2);
	check_same(&final, &r, 0);
	CHECK_EQ(final.ARM_pc, WINDOW + 36);
}

/* behaviours: E9, E11: the page is there, but not to be executed. */
static void test_pabt_usr_xn(void)
{
	struct pt_regs r = context((const char *)WINDOW, USER_PSR);

	map_window(0, L2_ALL | L2_XN);
	run_context(&r);
	check_abort(&r, true, WINDOW, WINDOW, FS_PERMISSION_2);
}

#if __ARM_ARCH >= 7
static void map_second(struct pt_regs *regs)
{
	(void)regs;
	map_window(1, L2_ALL);
}

/* behaviour: E11: ARMv7 tells by IFAR which page an instruction of two lacks;
 * its pc is in the one that is there. */
static void test_pabt_thumb2_straddle(void)
{
	struct pt_regs r = context((const char *)WINDOW + 4094 + 1, USER_PSR);
	uint16_t *code = (uint16_t *)(void *)page;

	code[2047] = 0xf04f; /* mov.w r1, #85 */
	code[2048] = 0x0155;
	code[2049] = 0xdf00; /* svc 0 */
	map_window(0, L2_ALL);
	answer = map_second;
	run_context(&r);
	check_abort(&r, true, WINDOW + 4094, WINDOW + 4096, FS_TRANSLATION_2);
	CHECK_EQ(final.ARM_r1, 85);
}

/* behaviour: E10: an instruction of an IT block is repeated under the same
 * condition, and so are those after it. */
static void test_dabt_usr_it_block(void)
{
	struct pt_regs r = context(thumb_it, PSR_MODE_USR | PSR_Z_BIT);

	r.ARM_r0 = WINDOW;
	page[0] = 77;
	answer = map_it;
	run_context(&r);
	CHECK_EQ(seen.count, 1);
	CHECK(seen.regs.ARM_cpsr & PSR_IT_MASK);
	CHECK_EQ(final.ARM_r1, 77);
	CHECK_EQ(final.ARM_r2, 1);
	CHECK_EQ(final.ARM_r3, r.ARM_r3);
}
#endif

/* behaviours: E9, E10: supervisor mode, sp at any word, interrupts on or off:
 * what it had on its stack and in its registers stays. */
static void dabt_svc(uint32_t psr, uint32_t sp)
{
	struct pt_regs r = context(svc_load, psr);
	uint32_t *below = (uint32_t *)(uintptr_t)sp;

	r.ARM_r0 = WINDOW + 8;
	r.ARM_sp = sp;
	below[0] = 0x600d0000;
	below[1] = 0x600d0001;
	page[2] = 0xcafe1235;
	answer = map_it;
	run_context(&r);
	check_abort(&r, false, phys(svc_load), WINDOW + 8, FS_TRANSLATION_2);
	CHECK_EQ(final.ARM_r1, 0xcafe1235);
	check_same(&final, &r, 1u << 1);
	CHECK_EQ(final.ARM_cpsr, r.ARM_cpsr);
	CHECK_EQ(below[0], 0x600d0000);
	CHECK_EQ(below[1], 0x600d0001);
}

static void test_dabt_svc(void)
{
	uint32_t sp = phys(svc_stack + 120);

	dabt_svc(PSR_MODE_SVC | PSR_V_BIT, sp);
	begin();
	dabt_svc(PSR_MODE_SVC | PSR_V_BIT, sp + 4);
	begin();
	dabt_svc(PSR_MODE_SVC | PSR_I_BIT | PSR_Z_BIT, sp);
	begin();
	dabt_svc(PSR_MODE_SVC | PSR_I_BIT | PSR_Z_BIT, sp + 4);
}

/* behaviour: E9: the kernel jumps to nowhere. */
static void test_pabt_svc(void)
{
	struct pt_regs r = context(svc_jump, PSR_MODE_SVC);

	r.ARM_r0 = WINDOW;
	page[0] = 0xe12fff1e; /* bx lr */
	r.ARM_lr = phys(finish_svc);
	answer = map_it;
	run_context(&r);
	check_abort(&r, true, WINDOW, WINDOW, FS_TRANSLATION_2);
	check_same(&final, &r, 0);
}

/* behaviours: E10, E13: the kernel's access as the user: refused by the user's
 * rights, goes on where the handler says (an exception table's fixup). */
static void test_ldrt_fixup(void)
{
	struct pt_regs r = context(svc_ldrt, PSR_MODE_SVC);

	r.ARM_r0 = WINDOW;
	map_window(0, L2_PAGE | L2_AF); /* the kernel's alone */
	answer = fix_it_up;
	run_context(&r);
	check_abort(&r, false, phys(svc_ldrt), WINDOW, FS_PERMISSION_2);
	CHECK_EQ(final.ARM_r1, (uint32_t)-14);
	check_same(&final, &r, 1u << 1);
}

/* behaviour: E9: no mode of the exceptions may abort; the host hears of it. */
static void test_invalid_modes(void)
{
	static const uint32_t modes[] = {PSR_MODE_FIQ, PSR_MODE_IRQ,
					 PSR_MODE_ABT, PSR_MODE_UND,
					 PSR_MODE_SYS};
	unsigned i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		uint32_t psr = modes[i] | PSR_I_BIT | PSR_F_BIT;

		begin();
		abort_in_mode(psr, WINDOW);
		CHECK_EQ(seen.bad_modes, 1);
		CHECK_EQ(seen.bad_vector, 4);
		CHECK_EQ(seen.count, 0);
		CHECK_EQ(seen.regs.ARM_cpsr & PSR_MODE_MASK, modes[i]);
		CHECK_EQ(seen.regs.ARM_r1, WINDOW);
		CHECK_EQ(seen.cpsr & PSR_MODE_MASK, PSR_MODE_SVC);
	}
	begin();
	jump_in_mode(PSR_MODE_UND | PSR_I_BIT | PSR_F_BIT, WINDOW);
	CHECK_EQ(seen.bad_modes, 1);
	CHECK_EQ(seen.bad_vector, 3);
	CHECK_EQ(seen.regs.ARM_pc, WINDOW);
}

/* behaviour: E10: pending work is done before user mode, interrupts off, and
 * only then; the way back to supervisor mode leaves it. */
static void test_pending_work(void)
{
	struct pt_regs r = context(arm_load, USER_PSR);

	r.ARM_r0 = WINDOW;
	work = 1;
	answer = map_it;
	run_context(&r);
	CHECK_EQ(seen.works, 1);
	CHECK(seen.work_cpsr & PSR_I_BIT);
	CHECK_EQ(phys(seen.work_regs), phys(kernel_stack_top) - 72);
	check_same(&final, &r, 1u << 1);
	begin();
	answer = map_it;
	run_context(&r);
	CHECK_EQ(seen.works, 0);
	r = context(svc_load, PSR_MODE_SVC);
	r.ARM_r0 = WINDOW;
	begin();
	work = 1;
	answer = map_it;
	run_context(&r);
	CHECK_EQ(seen.count, 1);
	CHECK_EQ(seen.works, 0);
}

/* behaviour: E9: the same macros serve another exception. */
static void test_undefined(void)
{
	struct pt_regs r = context(arm_undefined, USER_PSR);

	run_context(&r);
	CHECK_EQ(seen.undefs, 1);
	CHECK_EQ(seen.regs.ARM_pc, phys(arm_undefined));
	check_same(&seen.regs, &r, 0);
	check_same(&final, &r, 0);
	CHECK_EQ(stacks.und[1], phys(arm_undefined));
}

/* One access of user mode, and what its status is. */
static void status_of(const char *code, uint32_t addr, uint32_t fs, int line)
{
	struct pt_regs r = context(code, USER_PSR);

	r.ARM_r0 = addr;
	seen.count = 0;
	run_context(&r);
	check_that(seen.count == 1, "one abort", line, seen.count);
	check_that(fsr_fs(seen.fsr) == fs, "the status", line, seen.fsr);
	check_that(seen.addr == addr, "the address", line, seen.addr);
	check_that(!(seen.fsr & FSR_WRITE) == (code != arm_store), "WnR", line,
		   seen.fsr);
}
#define STATUS(code, addr, fs) status_of(code, addr, fs, __LINE__)

/* behaviours: E11, E12: the statuses as the processor gives them. */
static void test_statuses(void)
{
	STATUS(arm_load, WINDOW, FS_TRANSLATION_2);
	STATUS(arm_store, WINDOW, FS_TRANSLATION_2);
	STATUS(arm_load, NO_TABLE, FS_TRANSLATION_1);
	STATUS(arm_store, NO_TABLE + 0xffffc, FS_TRANSLATION_1);
	map_window(0, L2_PAGE | L2_USER);
	STATUS(arm_load, WINDOW, FS_ACCESS_FLAG_2);
	STATUS(arm_store, WINDOW, FS_ACCESS_FLAG_2);
	map_window(0, L2_ALL | L2_RO);
	STATUS(arm_store, WINDOW + 4, FS_PERMISSION_2);
	map_window(0, L2_PAGE | L2_AF);
	STATUS(arm_load, WINDOW + 8, FS_PERMISSION_2);
	map_section(L1_SECTION | L1_USER);
	STATUS(arm_load, SECTION + 12, FS_ACCESS_FLAG_1);
	map_section(L1_SECTION | L1_USER | L1_AF | L1_RO);
	STATUS(arm_store, SECTION, FS_PERMISSION_1);
	map_section(L1_SECTION | L1_AF);
	STATUS(arm_load, SECTION, FS_PERMISSION_1);
	map_section(L1_SECTION | L1_AF | L1_USER | L1_DOMAIN);
	map_window(0, L2_ALL);
	set_domains(1); /* no access to domain 1 */
	STATUS(arm_load, SECTION, FS_DOMAIN_1);
	STATUS(arm_store, WINDOW, FS_DOMAIN_2);
	CHECK_EQ(seen.fsr & FSR_DOMAIN, 1u << 4);
	set_domains(5);
	STATUS(arm_exclusive, WINDOW + 2, FS_ALIGNMENT);
#if __ARM_ARCH >= 7 /* the ARMv6 board's bus answers everything */
	window_table[0] = NO_MEMORY | L2_ALL;
	sync_tables();
	STATUS(arm_load, WINDOW, FS_EXTERNAL);
	STATUS(arm_load, BAD_TABLE, FS_WALK_EXTERNAL_2);
#endif
}

/* behaviours: E11, E12: a breakpoint instruction is a prefetch abort. */
static void test_breakpoint(void)
{
	struct pt_regs r = context(arm_break, USER_PSR);

	answer = skip_it;
	run_context(&r);
	CHECK_EQ(seen.count, 1);
	CHECK(seen.prefetch);
	CHECK_EQ(fsr_fs(seen.fsr), FS_DEBUG);
	CHECK_EQ(seen.regs.ARM_pc, phys(arm_break));
	check_same(&final, &r, 0);
}

/* behaviour: E11: the functions are chosen by the processor's id. */
static void test_processor_table(void)
{
	static const struct {
		uint32_t midr;
		void (*data)(void), (*prefetch)(void);
	} known[] = {
		{0x410fb767, v6_early_abort, v6_pabort}, /* ARM1176JZF-S */
		{0x4117b363, v6_early_abort, v6_pabort}, /* ARM1136 r1p3 */
		{0x410fb022, v6_early_abort, v6_pabort}, /* ARM11 MPCore */
		{0x410fc075, v7_early_abort, v7_pabort}, /* Cortex-A7 */
		{0x411fc087, v7_early_abort, v7_pabort}, /* Cortex-A8 */
		{0x412fc0f1, v7_early_abort, v7_pabort}, /* Cortex-A15 */
		{0x510f06f2, v7_early_abort, v7_pabort}, /* Krait */
	};
	const struct processor *p;
	unsigned i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		p = processor_select(known[i].midr);
		CHECK(p != NULL);
		CHECK(processor_aborts[0] == known[i].data);
		CHECK(processor_aborts[1] == known[i].prefetch);
	}
	CHECK(!processor_select(0x41069265)); /* ARM926: ARMv5 */
	CHECK(!processor_select(0x4107b362)); /* ARM1136 r0p2 */
	CHECK(processor_select(read_midr()) != NULL);
}

static const struct {
	const char *name;
	void (*fn)(void);
} tests[] = {
	{"dabt_usr", test_dabt_usr},
	{"dabt_usr_write", test_dabt_usr_write},
	{"dabt_usr_thumb", test_dabt_usr_thumb},
	{"dabt_usr_big_endian", test_dabt_usr_big_endian},
	{"pabt_usr", test_pabt_usr},
	{"pabt_usr_xn", test_pabt_usr_xn},
#if __ARM_ARCH >= 7
	{"pabt_thumb2_straddle", test_pabt_thumb2_straddle},
	{"dabt_usr_it_block", test_dabt_usr_it_block},
#endif
	{"dabt_svc", test_dabt_svc},
	{"pabt_svc", test_pabt_svc},
	{"ldrt_fixup", test_ldrt_fixup},
	{"invalid_modes", test_invalid_modes},
	{"pending_work", test_pending_work},
	{"undefined", test_undefined},
	{"statuses", test_statuses},
	{"breakpoint", test_breakpoint},
	{"processor_table", test_processor_table},
};

int main(void)
{
	uint32_t status[2] = {0x20026, 0}; /* ADP_Stopped_ApplicationExit */
	unsigned i;

	machine_init();
	if (!processor_select(read_midr()))
		print("this processor is not known\n");
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		test_name = tests[i].name;
		test_failed = false;
		begin();
		tests[i].fn();
		if (test_failed)
			failed++;
		else
			passed++;
	}
	print_decimal(passed);
	print(" passed, ");
	print_decimal(failed);
	print(" failed\n");
	status[1] = failed != 0;
	semihost(0x20, status); /* SYS_EXIT_EXTENDED */
	for (;;)
		;
}
