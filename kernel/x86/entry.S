/* SPDX-License-Identifier: MIT */
/*
 * entry.S - into the kernel and out again: system calls, exceptions,
 * interrupts, the switch between tasks, and copies to and from user memory.
 *
 * Per-CPU data is behind %gs in kernel mode (struct cpu, cpu.h): the entry
 * from user mode swaps.  Every entry leaves a struct pt_regs at the top of
 * the task's kernel stack.
 */
#include <asm/entry_regs.h>

#define CPU_CURRENT 0
#define CPU_KSTACK 8
#define CPU_USER_SP 16
#include "task_offsets.h"

#define USER_DS 0x2b
#define USER_CS 0x33
#define ENOSYS 38
#define NR_SYSCALLS 512

	.text

/*
 * SYSCALL: RCX has the user's RIP, R11 its RFLAGS, RAX the number; flags were
 * masked by MSR_SFMASK (interrupts off, AC, DF, TF clear).  The common way out
 * is SYSRET; whatever changes more registers than RAX (signals, execve) has
 * set current->work and goes out through IRET.
 */
	.globl syscall_entry
	.balign 16
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_SP
	movq %gs:CPU_KSTACK, %rsp
	pushq $USER_DS
	pushq %gs:CPU_USER_SP
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq %rax
	PUSH_REGS
	sti
	cmpq $NR_SYSCALLS, %rax
	jae bad_syscall
	movq %r10, %rcx
	call *syscall_table(, %rax, 8)
syscall_done:
	movq %rax, PT_AX(%rsp)
	cli
	movq %gs:CPU_CURRENT, %rcx
	cmpl $0, TASK_WORK(%rcx)
	jne syscall_work
	/* C code has kept rbx, rbp and r12 to r15; the rest comes back, so
	 * that nothing of the kernel's is left in it. */
	movq PT_R10(%rsp), %r10
	movq PT_R9(%rsp), %r9
	movq PT_R8(%rsp), %r8
	movq PT_DX(%rsp), %rdx
	movq PT_SI(%rsp), %rsi
	movq PT_DI(%rsp), %rdi
	movq PT_IP(%rsp), %rcx
	movq PT_FLAGS(%rsp), %r11
	movq PT_SP(%rsp), %rsp
	swapgs
	sysretq
bad_syscall:
	movq $-ENOSYS, %rax
	jmp syscall_done
syscall_work:
	movq %rsp, %rdi
	call syscall_exit_work
	jmp return_to_user

/*
 * ret_from_exception: return from the pt_regs at %rsp, to user mode after
 * pending work, to kernel mode at once.
 */
	.globl ret_from_exception
ret_from_exception:
	testb $3, PT_CS(%rsp)
	jz 1f
	cli
	movq %gs:CPU_CURRENT, %rax
	cmpl $0, TASK_WORK(%rax)
	jne 2f
return_to_user:
	POP_REGS
	addq $8, %rsp
	swapgs
iret_user:
	iretq
1:	POP_REGS
	addq $8, %rsp
	iretq
2:	movq %rsp, %rdi
	call exit_to_user_work
	jmp return_to_user

/* IRET to a user context that the processor refuses: as if the fault had
 * happened in user mode (fixed up by trap.c, with the kernel's %gs back). */
	.globl iret_user, iret_failed
iret_failed:
	swapgs
	movq %gs:CPU_KSTACK, %rsp
	subq $168, %rsp
	movq %rsp, %rdi
	call bad_iret
	jmp ret_from_exception

/* The first instructions of a fresh task; its stack: fn, arg, pt_regs.  RAX
 * has the task that ran before. */
	.globl ret_from_fork
ret_from_fork:
	movq %rax, %rdi
	call schedule_tail
	popq %rax
	popq %rdi
	testq %rax, %rax
	jz 1f
	call *%rax
1:	movq %rsp, %rdi
	cli
	call exit_to_user_work
	jmp return_to_user

/* struct task *switch_stacks(struct task *prev, struct task *next) */
	.globl switch_stacks
switch_stacks:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, TASK_KSP(%rdi)
	movq TASK_KSP(%rsi), %rsp
	movq %rdi, %rax
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

/* ------------------------------------------- exceptions and interrupts */

.macro TRAP vector, has_code
	.balign 16
trap_\vector:
	ASM_CLAC
	cld
	.if \has_code == 0
	pushq $0
	.endif
	testb $3, 16(%rsp)
	jz 1f
	swapgs
1:	PUSH_REGS
	movq %rsp, %rdi
	movl $\vector, %esi
	call trap_dispatch
	jmp ret_from_exception
.endm

/* On a stack of its own, from anywhere, maybe with the user's %gs still in
 * place: the sign of the GS base tells (the kernel's half is negative). */
.macro PARANOID vector, has_code
	.balign 16
trap_\vector:
	ASM_CLAC
	cld
	.if \has_code == 0
	pushq $0
	.endif
	PUSH_REGS
	movl $0xc0000101, %ecx
	rdmsr
	xorl %ebx, %ebx
	testl %edx, %edx
	js 1f
	swapgs
	incl %ebx
1:	movq %rsp, %rdi
	movl $\vector, %esi
	call trap_dispatch
	testl %ebx, %ebx
	jz 2f
	swapgs
2:	POP_REGS
	addq $8, %rsp
	iretq
.endm

	TRAP 0, 0
	TRAP 1, 0
	PARANOID 2, 0
	TRAP 3, 0
	TRAP 4, 0
	TRAP 5, 0
	TRAP 6, 0
	TRAP 7, 0
	PARANOID 8, 1
	TRAP 9, 0
	TRAP 10, 1
	TRAP 11, 1
	TRAP 12, 1
	TRAP 13, 1
	TRAP 15, 0
	TRAP 16, 0
	TRAP 17, 1
	PARANOID 18, 0
	TRAP 19, 0
	TRAP 20, 0
	TRAP 21, 1

/* Vectors 32 to 255: the number goes where the error code would be. */
	.balign 16
	.globl irq_stubs
irq_stubs:
	vector = 32
	.rept 224
	.balign 16
	pushq $vector
	jmp irq_common
	vector = vector + 1
	.endr
irq_common:
	ASM_CLAC
	cld
	testb $3, 16(%rsp)
	jz 1f
	swapgs
1:	PUSH_REGS
	movq %rsp, %rdi
	call irq_dispatch
	jmp ret_from_exception

	.section .rodata
	.balign 8
	.globl trap_stubs
trap_stubs:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
	.quad trap_\n
	.endr
	.quad page_fault
	.irp n, 15, 16, 17, 18, 19, 20, 21
	.quad trap_\n
	.endr

/* ------------------------------------------------------ user memory */
/* The exception table: where a fault may happen, where to go on. */
.macro FIXUP at, to
	.pushsection .extable, "a"
	.quad \at, \to
	.popsection
.endm

	.text
	FIXUP iret_user, iret_failed

/*
 * size_t user_copy(void *to, const void *from, size_t n): the bytes that
 * could not be copied.  Whole words first; where a word faults the rest goes
 * byte by byte up to the exact end.
 */
	.balign 16
	.globl user_copy
user_copy:
	ASM_STAC
	movq %rdx, %rcx
	cmpq $8, %rdx
	jae 5f
1:	rep movsb
2:	movq %rcx, %rax
	ASM_CLAC
	ret
5:	shrq $3, %rcx
	andl $7, %edx
6:	rep movsq
	movl %edx, %ecx
	jmp 1b
7:	leaq (%rdx, %rcx, 8), %rcx
	jmp 1b
	FIXUP 1b, 2b
	FIXUP 6b, 7b

/* size_t user_clear(void *to, size_t n) */
	.balign 16
	.globl user_clear
user_clear:
	ASM_STAC
	xorl %eax, %eax
	movq %rsi, %rcx
	shrq $3, %rcx
	andl $7, %esi
6:	rep stosq
	movl %esi, %ecx
1:	rep stosb
2:	movq %rcx, %rax
	ASM_CLAC
	ret
7:	leaq (%rsi, %rcx, 8), %rcx
	jmp 1b
	FIXUP 1b, 2b
	FIXUP 6b, 7b

/* long user_strncpy(char *to, const char *from, size_t cap): length, cap, or
 * -EFAULT */
	.balign 16
	.globl user_strncpy
user_strncpy:
	ASM_STAC
	xorl %ecx, %ecx
1:	cmpq %rdx, %rcx
	je 3f
2:	movb (%rsi, %rcx), %al
	movb %al, (%rdi, %rcx)
	testb %al, %al
	jz 3f
	incq %rcx
	jmp 1b
3:	movq %rcx, %rax
	ASM_CLAC
	ret
4:	movq $-14, %rcx
	jmp 3b
	FIXUP 2b, 4b

/* int user_cmpxchg(uint32_t *p, uint32_t old, uint32_t new, uint32_t *was) */
	.balign 16
	.globl user_cmpxchg
user_cmpxchg:
	ASM_STAC
	movq %rcx, %r8
	movl %esi, %eax
1:	lock cmpxchgl %edx, (%rdi)
	ASM_CLAC
	movl %eax, (%r8)
	xorl %eax, %eax
	ret
2:	ASM_CLAC
	movl $-14, %eax
	ret
	FIXUP 1b, 2b

/* int user_load32(uint32_t *v, const uint32_t *p) */
	.balign 16
	.globl user_load32
user_load32:
	ASM_STAC
1:	movl (%rsi), %eax
	ASM_CLAC
	movl %eax, (%rdi)
	xorl %eax, %eax
	ret
2:	ASM_CLAC
	movl $-14, %eax
	ret
	FIXUP 1b, 2b

	.section .note.GNU-stack, "", @progbits
