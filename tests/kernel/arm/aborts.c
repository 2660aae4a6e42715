/* SPDX-License-Identifier: MIT */
/*
 * Aborts of user mode on ARM: that nothing of the program is lost on the way
 * through the kernel, in either instruction set, and what a handler is told of
 * each kind of abort.
 *
 * The code that aborts is assembly, so that it is known where it does, and with
 * what in its registers.
 */
#define _GNU_SOURCE
#include "../check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define PAGE 4096u

/* armel's compiler aims at older processors. */
#if __ARM_ARCH < 6
#define V6 ".arch armv6k\n\t"
#else
#define V6
#endif

/* Status of a fault (ARM ARM DDI 0406C, table B3-23) and the bits beside it. */
#define FS_ALIGNMENT   0x01u
#define FS_BREAKPOINT  0x02u
#define FS_TRANSLATION 0x07u
#define FS_PERMISSION  0x0fu
#define FS_MASK	       0x40fu
#define WRITE	       0x800u
#define FETCH	       0x80000000u

static char *map(size_t pages, int prot)
{
	char *p = mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		exit(99);
	return p;
}

/* ---------------------------------------------------- nothing is lost (E10) */

/*
 * int all_registers_*(volatile char *page): put a value of its own into every
 * register, touch the page (which is not there yet), and look at them all.
 * 0, or the number of the first that changed, or 16: the flags.
 */
int all_registers_arm(volatile char *page);
int all_registers_thumb(volatile char *page);

__asm__(".text\n.syntax unified\n.arm\n"
	".type all_registers_arm, %function\n"
	".globl all_registers_arm\n"
	"all_registers_arm:\n"
	"	stmdb sp!, {r4-r11, lr}\n"
	"	ldr r1, =save_sp\n"
	"	str sp, [r1]\n"
	"	ldr r1, =0x11111111\n	ldr r2, =0x22222222\n"
	"	ldr r3, =0x33333333\n	ldr r4, =0x44444444\n"
	"	ldr r5, =0x55555555\n	ldr r6, =0x66666666\n"
	"	ldr r7, =0x77777777\n	ldr r8, =0x88888888\n"
	"	ldr r9, =0x99999999\n	ldr r10, =0xaaaaaaaa\n"
	"	ldr r11, =0xbbbbbbbb\n	ldr r12, =0xcccccccc\n"
	"	ldr lr, =0xeeeeeeee\n	ldr sp, =0xdddddd00\n"
	"	msr apsr_nzcvq, #0xa8000000\n" /* N, C and Q */
	"	strb r1, [r0]\n"
	"	str r0, [r0, #4]\n	mrs r0, apsr\n"
	"	lsr r0, r0, #27\n	cmp r0, #0x15\n"
	"	mov r0, #16\n	bne 1f\n"
	"	ldr r0, =0xdddddd00\n	cmp sp, r0\n	mov r0, #13\n"
	"	bne 1f\n"
	"	ldr r0, =0xeeeeeeee\n	cmp lr, r0\n	mov r0, #14\n"
	"	bne 1f\n"
	"	ldr r0, =0x11111111\n"
	"	cmp r1, r0\n	bne 2f\n"
	"	cmp r2, r0, lsl #1\n	bne 2f\n"
	"	cmp r4, r0, lsl #2\n	bne 2f\n"
	"	cmp r8, r0, lsl #3\n	bne 2f\n"
	"	add r1, r1, r2\n	cmp r3, r1\n	bne 2f\n"
	"	add r1, r2, r3\n	cmp r5, r1\n	bne 2f\n"
	"	add r1, r2, r4\n	cmp r6, r1\n	bne 2f\n"
	"	add r1, r3, r4\n	cmp r7, r1\n	bne 2f\n"
	"	add r1, r4, r5\n	cmp r9, r1\n	bne 2f\n"
	"	add r1, r5, r5\n	cmp r10, r1\n	bne 2f\n"
	"	add r1, r5, r6\n	cmp r11, r1\n	bne 2f\n"
	"	add r1, r6, r6\n	cmp r12, r1\n	bne 2f\n"
	"	mov r0, #0\n	b 1f\n"
	"2:	mov r0, #1\n"
	"1:	ldr r1, =save_sp\n	ldr sp, [r1]\n"
	"	ldmia sp!, {r4-r11, lr}\n	bx lr\n"
	"	.ltorg\n"
	".thumb\n"
	".type all_registers_thumb, %function\n"
	".globl all_registers_thumb\n"
	".thumb_func\n"
	"all_registers_thumb:\n"
	"	push {r4-r7, lr}\n"
	"	mov r1, r8\n	mov r2, r12\n	push {r1, r2}\n"
	"	movs r1, #0x11\n	movs r2, #0x22\n	movs r3, "
	"#0x33\n"
	"	movs r4, #0x44\n	movs r5, #0x55\n	movs r6, "
	"#0x66\n"
	"	movs r7, #0x77\n	mov r8, r7\n	mov r12, r6\n"
	"	cmp r1, r2\n" /* N, no C */
	"	strb r1, [r0]\n"
	"	bcs 2f\n	bpl 2f\n"
	"	cmp r1, #0x11\n	bne 2f\n	cmp r2, #0x22\n	bne 2f\n"
	"	cmp r3, #0x33\n	bne 2f\n	cmp r4, #0x44\n	bne 2f\n"
	"	cmp r5, #0x55\n	bne 2f\n	cmp r6, #0x66\n	bne 2f\n"
	"	cmp r7, #0x77\n	bne 2f\n	cmp r8, r7\n	bne 2f\n"
	"	cmp r12, r6\n	bne 2f\n"
	"	movs r0, #0\n	b 1f\n"
	"2:	movs r0, #1\n"
	"1:	pop {r1, r2}\n	mov r8, r1\n	mov r12, r2\n"
	"	pop {r4-r7, pc}\n"
	".bss\n.balign 4\nsave_sp: .space 4\n.text\n");

/* behaviours: E10, E9: every register and the flags, through faults that bring
 * a page, in ARM and in Thumb state. */
static void registers(void)
{
	char *p = map(64, PROT_READ | PROT_WRITE);
	unsigned i;

	for (i = 0; i < 32; i++)
		CHECK(all_registers_arm(p + i * PAGE + i) == 0);
	for (i = 32; i < 64; i++)
		CHECK(all_registers_thumb(p + i * PAGE + i) == 0);
	munmap(p, 64 * PAGE);
}

/*
 * behaviour: E10: an instruction that stores many registers into two pages,
 * none of which is there, changes its base only when all is done.
 */
static void many_at_once(void)
{
	char *p = map(2, PROT_READ | PROT_WRITE);
	uint32_t *at = (uint32_t *)(void *)(p + PAGE - 16), *end;
	unsigned i;

	__asm__ volatile("mov r0, %1\n\t"
			 "mov r1, #1\n\tmov r2, #2\n\tmov r3, #3\n\t"
			 "mov r4, #4\n\tmov r5, #5\n\tmov r6, #6\n\t"
			 "stmia r0!, {r1-r6}\n\t"
			 "mov %0, r0"
			 : "=r"(end)
			 : "r"(at)
			 : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "memory");
	CHECK(end == at + 6);
	for (i = 0; i < 6; i++)
		CHECK(at[i] == i + 1);
	munmap(p, 2 * PAGE);
}

/* ------------------------------------------------- what a handler is told */

static sigjmp_buf back;
static siginfo_t got;
static ucontext_t context;
static volatile bool expected;
static volatile uint32_t skip_to; /* where the handler goes on, or 0: jump */

static void handler(int signo, siginfo_t *info, void *uc)
{
	ucontext_t *c = uc;

	(void)signo;
	got = *info;
	context.uc_mcontext = c->uc_mcontext;
	if (!skip_to) {
		if (!expected)
			_exit(97);
		siglongjmp(back, 1);
	}
	c->uc_mcontext.arm_pc = skip_to & ~1u;
	c->uc_mcontext.arm_cpsr &= ~0x20u;
	if (skip_to & 1)
		c->uc_mcontext.arm_cpsr |= 0x20;
	c->uc_mcontext.arm_r2 = 0x2222;
}

/* The statement ends in this signal, with this context. */
#define ENDS_IN(stmt, sig, sicode, address, error)                             \
	({                                                                     \
		memset(&got, 0, sizeof(got));                                  \
		expected = true;                                               \
		if (!sigsetjmp(back, 1)) {                                     \
			stmt;                                                  \
		}                                                              \
		expected = false;                                              \
		got.si_signo == (sig) && got.si_code == (sicode) &&            \
			got.si_addr == (void *)(address) &&                    \
			told(address, error);                                  \
	})

static bool told(const volatile void *address, uint32_t error)
{
	const mcontext_t *m = &context.uc_mcontext;
	uint32_t bits = FS_MASK | WRITE | FETCH;

	return m->trap_no == 14 && m->fault_address == (uintptr_t)address &&
	       (m->error_code & bits) == error;
}

/* behaviours: E12, E13, E11: status, address and signal of each kind of abort
 * that a program can have. */
static void contexts(void)
{
	char *p = map(4, PROT_READ | PROT_WRITE), *none = map(1, PROT_NONE);
	volatile char *v = p;
	uint32_t word;

	v[0] = 1;
	mprotect(p, PAGE, PROT_READ);
	CHECK(ENDS_IN(v[5] = 1, SIGSEGV, SEGV_ACCERR, p + 5,
		      FS_PERMISSION | WRITE));
	CHECK(ENDS_IN(((void (*)(void))(void *)p)(), SIGSEGV, SEGV_ACCERR, p,
		      FS_PERMISSION | FETCH));
	CHECK(ENDS_IN((void)*(volatile char *)(none + 9), SIGSEGV, SEGV_ACCERR,
		      none + 9, FS_TRANSLATION));
	v[PAGE] = 1; /* the table is there: what lacks is the page */
	munmap(p + 2 * PAGE, PAGE);
	CHECK(ENDS_IN((void)v[2 * PAGE + 7], SIGSEGV, SEGV_MAPERR,
		      p + 2 * PAGE + 7, FS_TRANSLATION));
	CHECK(ENDS_IN(v[2 * PAGE + 7] = 2, SIGSEGV, SEGV_MAPERR,
		      p + 2 * PAGE + 7, FS_TRANSLATION | WRITE));
	CHECK(ENDS_IN(((void (*)(void))(void *)(p + 2 * PAGE))(), SIGSEGV,
		      SEGV_MAPERR, p + 2 * PAGE, FS_TRANSLATION | FETCH));
	/* no handler of the kernel answers these: its table's signal */
	CHECK(ENDS_IN(__asm__ volatile(V6 "ldrex %0, [%1]"
				       : "=r"(word)
				       : "r"(p + PAGE + 2)
				       : "memory"),
		      SIGBUS, BUS_ADRALN, p + PAGE + 2, FS_ALIGNMENT));
	munmap(p, 4 * PAGE);
	munmap(none, PAGE);
}

void break_arm(void);
void break_arm_end(void);
uint32_t load_arm(volatile void *p, uint32_t b, uint32_t c);
void load_arm_at(void), load_arm_next(void);
uint32_t load_thumb(volatile void *p, uint32_t b, uint32_t c);
void load_thumb_at(void), load_thumb_next(void);
__asm__(".text\n.syntax unified\n.arm\n"
	".globl break_arm, load_arm, load_arm_at, load_arm_next\n"
	".globl load_thumb, load_thumb_at, load_thumb_next\n"
	".type break_arm, %function\n"
	"break_arm:	bkpt 7\n	bx lr\n"
	".type load_arm, %function\n"
	"load_arm:	mov r3, r1\n"
	"load_arm_at:	ldr r0, [r0]\n"
	"load_arm_next:	add r0, r2, r3\n	bx lr\n"
	".thumb\n.thumb_func\n"
	".type load_thumb, %function\n"
	"load_thumb:	adds r3, r1, #0\n"
	"load_thumb_at:	ldr r0, [r0]\n"
	".thumb_func\n"
	"load_thumb_next:	adds r0, r2, r3\n	bx lr\n"
	".arm\n");

#define ADDR(f) ((uintptr_t)(f) & ~(uintptr_t)1)

/* behaviours: E10, E12: the pc of the instruction, its state, and registers
 * that a handler changes; it goes on where the handler says. */
static void handlers_change_registers(void)
{
	char *none = map(1, PROT_NONE);
	const mcontext_t *m = &context.uc_mcontext;

	skip_to = (uint32_t)(uintptr_t)load_arm_next;
	CHECK(load_arm(none, 0x1000, 5) == 0x3222);
	CHECK(m->arm_pc == ADDR(load_arm_at));
	CHECK(m->arm_r0 == (uintptr_t)none && m->arm_r1 == 0x1000);
	CHECK(m->arm_r2 == 5 && m->arm_r3 == 0x1000);
	CHECK((m->arm_cpsr & 0x3f) == 0x10);
	skip_to = (uint32_t)(uintptr_t)load_thumb_next | 1;
	CHECK(load_thumb(none, 0x1000, 5) == 0x3222);
	CHECK(m->arm_pc == ADDR(load_thumb_at));
	CHECK(m->arm_r0 == (uintptr_t)none && m->arm_r3 == 0x1000);
	CHECK((m->arm_cpsr & 0x3f) == 0x30);
	/* a breakpoint is a prefetch abort */
	skip_to = (uint32_t)ADDR(break_arm) + 4;
	memset(&got, 0, sizeof(got));
	break_arm();
	CHECK(got.si_signo == SIGTRAP && got.si_code == 4 /* TRAP_HWBKPT */);
	CHECK((m->error_code & FS_MASK) == FS_BREAKPOINT);
	CHECK(m->arm_pc == ADDR(break_arm));
	skip_to = 0;
	munmap(none, PAGE);
}

/* --------------------------------------------------- code in pages to come */

/*
 * Two pages that are neighbours in memory and not in their file, so that one
 * fault does not bring both.  code: to the end of the first and on.  Address
 * and offset are equal modulo 16 KiB, as caches with aliases want it.
 */
#define COLOURS (4 * PAGE)
static char *two_pages(const void *code, size_t bytes, size_t in_first)
{
	int fd = memfd_create("code", 0);
	char *p = map(8, PROT_NONE), *w;

	p += -(uintptr_t)p & (COLOURS - 1);
	if (fd < 0 || ftruncate(fd, 64 * PAGE))
		exit(98);
	w = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(w + PAGE - in_first, code, in_first);
	memcpy(w + 41 * PAGE, (const char *)code + in_first, bytes - in_first);
	munmap(w, 64 * PAGE);
	if (mmap(p, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd,
		 0) != p ||
	    mmap(p + PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED,
		 fd, 41 * PAGE) != p + PAGE)
		exit(98);
	close(fd);
	return p;
}

/* behaviours: E9, E11, E13: prefetch aborts bring pages; an instruction that
 * lies in two of them, the second one missing, runs (ARMv7). */
static void code_in_two_pages(void)
{
	static const uint32_t arm[] = {
		0xe3a00055, /* mov r0, #85 */
		0xe2800001, /* add r0, r0, #1 */
		0xe12fff1e, /* bx lr */
	};
	char *p = two_pages(arm, sizeof(arm), 4);

	CHECK(((int (*)(void))(void *)(p + PAGE - 4))() == 86);
	munmap(p, 2 * PAGE);
#ifdef __thumb2__
	{
		static const uint16_t thumb[] = {
			0xf04f, 0x0055, /* mov.w r0, #85 */
			0x4770,		/* bx lr */
		};

		p = two_pages(thumb, sizeof(thumb), 2);
		CHECK(((int (*)(void))(void *)(p + PAGE - 2 + 1))() == 85);
		munmap(p, 2 * PAGE);
	}
#endif
}

/* behaviour: E10: a program with big-endian data stays one. */
static void big_endian(void)
{
	char *p = map(1, PROT_READ | PROT_WRITE);
	uint32_t word;

	__asm__ volatile(V6 "setend be\n\t"
			    "str %1, [%2]\n\t" /* the page comes by a fault */
			    "setend le\n\t"
			    "ldr %0, [%2]"
			 : "=&r"(word)
			 : "r"(0x11223344), "r"(p)
			 : "memory");
	CHECK(word == 0x44332211);
	munmap(p, PAGE);
}

/* ------------------------------------------- what is not aligned (E12) */

struct several {
	uint32_t r[4];
};
/* Load or store r1 to r4, in some way, at p; r0 afterwards is the result. */
char *load_ldm(struct several *s, char *p),
	*load_ldmdb(struct several *s, char *p);
char *load_ldrd(struct several *s, char *p),
	*load_ldrd_post(struct several *s, char *p);
char *store_stm(struct several *s, char *p),
	*store_strd(struct several *s, char *p);
char *load_thumb_ldm(struct several *s, char *p);
char *store_thumb_stm(struct several *s, char *p);
char *push_pop(struct several *s, char *p);
__asm__(".text\n.syntax unified\n"
	".macro begin name, thumb=0\n"
	"	.globl \\name\n	.type \\name, %function\n"
	"	.if \\thumb\n	.thumb\n	.thumb_func\n"
	"	.else\n	.arm\n	.endif\n"
	"\\name:	push {r4-r7, lr}\n"
	"	adds r7, r0, #0\n"
	".endm\n"
	".macro from_memory\n"
	"	stmia r7!, {r1-r4}\n	b done\n"
	".endm\n"
	".macro to_memory\n"
	"	mov r6, r1\n	ldmia r7!, {r1-r4}\n	mov r0, r6\n"
	".endm\n"
	"begin load_ldm\n	mov r0, r1\n	ldmia r0!, {r1-r4}\n"
	"	from_memory\n"
	"begin load_ldmdb\n	add r0, r1, #16\n	ldmdb r0!, {r1-r4}\n"
	"	from_memory\n"
	"begin load_ldrd\n	mov r0, r1\n	ldrd r2, r3, [r0]\n"
	"	mov r1, r2\n	mov r2, r3\n	ldrd r4, r5, [r0, #8]!\n"
	"	mov r3, r4\n	mov r4, r5\n	from_memory\n"
	"begin load_ldrd_post\n	mov r0, r1\n	mov r6, #8\n"
	"	ldrd r2, r3, [r0], r6\n	mov r1, r2\n	mov r2, r3\n"
	"	ldrd r4, r5, [r0], #8\n	mov r3, r4\n	mov r4, r5\n"
	"	from_memory\n"
	"begin store_stm\n	to_memory\n	stmia r0!, {r1-r4}\n"
	"	b done\n"
	"begin store_strd\n	to_memory\n	mov r5, r4\n"
	"	mov r4, r3\n	mov r3, r2\n	mov r2, r1\n"
	"	strd r2, r3, [r0], #8\n	strd r4, r5, [r0], #8\n"
	"	b done\n"
	"begin push_pop\n	to_memory\n	mov r5, sp\n"
	"	add sp, r0, #16\n	push {r1-r4}\n"
	"	mov r1, #0\n	mov r2, #0\n	mov r3, #0\n	mov r4, #0\n"
	"	pop {r1-r4}\n	mov r0, sp\n	mov sp, r5\n"
	"	sub r7, r7, #16\n	from_memory\n"
	"done:	pop {r4-r7, pc}\n"
	".macro done_thumb\n	pop {r4-r7, pc}\n.endm\n"
	"begin load_thumb_ldm, 1\n	adds r0, r1, #0\n"
	"	ldmia r0!, {r1-r4}\n	stmia r7!, {r1-r4}\n	done_thumb\n"
	"begin store_thumb_stm, 1\n	adds r6, r1, #0\n"
	"	ldmia r7!, {r1-r4}\n	adds r0, r6, #0\n"
	"	stmia r0!, {r1-r4}\n	done_thumb\n"
	".arm\n");

/* behaviour: E12: the kernel has hooked the status of alignment faults: LDM
 * and its kin do at odd addresses what the others do by themselves. */
static void unaligned(void)
{
	static const struct {
		char *(*fn)(struct several *s, char *p);
		int load, end;
	} ways[] = {
		{load_ldm, 1, 16},	 {load_ldmdb, 1, 0},
		{load_ldrd, 1, 8},	 {load_ldrd_post, 1, 16},
		{load_thumb_ldm, 1, 16}, {store_stm, 0, 16},
		{store_strd, 0, 16},	 {store_thumb_stm, 0, 16},
		{push_pop, 0, 16},
	};
	const struct several want = {
		.r = {0x01020304, 0x11121314, 0x21222324, 0x31323334}};
	struct several s;
	char *p, *end;
	unsigned i, at;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		for (at = 1; at < 4; at++) {
			/* across the end of a page, none of them there */
			p = map(2, PROT_READ | PROT_WRITE);
			end = p + PAGE - 12 + at;
			s = want;
			if (ways[i].load) {
				memcpy(end, want.r, 16);
				memset(s.r, 0, sizeof(s.r));
			}
			CHECK(ways[i].fn(&s, end) == end + ways[i].end);
			CHECK(!memcmp(s.r, want.r, 16));
			CHECK(!memcmp(end, want.r, 16));
			munmap(p, 2 * PAGE);
		}
}

int main(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGTRAP};
	struct sigaction sa = {.sa_sigaction = handler,
			       .sa_flags = SA_SIGINFO | SA_NODEFER};
	unsigned i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
	registers();
	many_at_once();
	contexts();
	handlers_change_registers();
	code_in_two_pages();
	big_endian();
	unaligned();
	return check_done();
}
