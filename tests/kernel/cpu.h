/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - what the tests of the kernel have to know of a processor: how a
 * handler sees a fault, addresses that are the kernel's, and registers that a
 * signal or another program must not disturb.
 *
 * Both ARM targets are built from this: armhf (Thumb-2, hard float) and armel
 * (ARMv5, soft float), whose programs find a VFP and may use it as well.
 */
#ifndef TESTS_KERNEL_CPU_H
#define TESTS_KERNEL_CPU_H

#include <stdbool.h>
#include <sys/syscall.h>
#include <ucontext.h>

/* A fault as the processor saw it and the signal's frame has it. */
struct cpu_fault {
	unsigned long addr, error, trap;
};

#if defined(__x86_64__)

#define KERNEL_ADDRESS 0xffff888000001000ul
/* An address that is nobody's: a fault without an address. */
#define NO_ADDRESS 0x0123456789abcdeful

static inline struct cpu_fault cpu_fault_of(const ucontext_t *c)
{
	return (struct cpu_fault){
		(unsigned long)c->uc_mcontext.gregs[REG_CR2],
		(unsigned long)c->uc_mcontext.gregs[REG_ERR],
		(unsigned long)c->uc_mcontext.gregs[REG_TRAPNO],
	};
}

/* Intel SDM 3A, 4.7: bits 0 (there was a page), 1 write, 2 user, 4 fetch. */
static inline bool was_present(struct cpu_fault f)
{
	return (f.error & 5) == 5;
}
static inline bool was_write(struct cpu_fault f)
{
	return (f.error & 6) == 6;
}
static inline bool was_fetch(struct cpu_fault f)
{
	return f.error & 0x10;
}

/* In a handler: other values in a register of the program, seen after it
 * returns, and in the processor's own floating-point registers, not seen. */
static inline void disturb(ucontext_t *c)
{
	__asm__ volatile("pxor %%xmm7, %%xmm7; fninit; fldz" ::: "memory");
	c->uc_mcontext.gregs[REG_RBX] = 4242;
}

/* Send oneself a signal with in[] in a vector register; what that holds
 * afterwards goes to out[].  The register that disturb() changes. */
static inline unsigned long signal_with(const unsigned long in[2],
					unsigned long out[2], long pid,
					long signo)
{
	unsigned long rbx;

	__asm__ volatile("movdqu (%3), %%xmm7\n\t"
			 "movl $62, %%eax\n\t" /* kill */
			 "syscall\n\t"
			 "movdqu %%xmm7, (%4)\n\t"
			 : "=b"(rbx)
			 : "D"(pid), "S"(signo), "r"(in), "r"(out), "0"(7ul)
			 : "rax", "rcx", "r11", "xmm7", "memory");
	return rbx;
}

/* in[] in a vector register for some 40,000 instructions, then to out[]. */
static inline void hold(const unsigned long in[2], unsigned long out[2])
{
	__asm__ volatile("movdqu (%0), %%xmm9\n\t"
			 "movl $20000, %%ecx\n"
			 "1:\tdecl %%ecx\n\tjnz 1b\n\t"
			 "movdqu %%xmm9, (%1)"
			 :
			 : "r"(in), "r"(out)
			 : "xmm9", "ecx", "memory");
}

#elif defined(__arm__)

#define KERNEL_ADDRESS 0xc0001000ul

static inline struct cpu_fault cpu_fault_of(const ucontext_t *c)
{
	return (struct cpu_fault){
		c->uc_mcontext.fault_address,
		c->uc_mcontext.error_code,
		c->uc_mcontext.trap_no,
	};
}

/* ARM ARM (DDI 0406C), B3.13: status 15 is a page's permission fault, bit 11
 * a write; bit 31 is Linux's mark of an instruction fetch. */
static inline bool was_present(struct cpu_fault f)
{
	return (f.error & 0x40f) == 0xf;
}
static inline bool was_write(struct cpu_fault f)
{
	return f.error & 0x800;
}
static inline bool was_fetch(struct cpu_fault f)
{
	return f.error & 0x80000000;
}

/* GCC knows these names only where it may use the registers itself. */
#ifdef __ARM_FP
#define VFP_CLOBBER "d6", "d7",
#define VFP_ALLOWED
#else
#define VFP_CLOBBER
#define VFP_ALLOWED ".fpu vfp\n\t"
#endif

static inline void disturb(ucontext_t *c)
{
	__asm__ volatile(VFP_ALLOWED
			 "vmov d6, %0, %0\n\tvmov d7, %0, %0" ::"r"(0)
			 : VFP_CLOBBER "memory");
	c->uc_mcontext.arm_r4 = 4242;
}

static inline unsigned long signal_with(const unsigned long in[2],
					unsigned long out[2], long pid,
					long signo)
{
	register long r0 __asm__("r0") = pid;
	register long r1 __asm__("r1") = signo;
	register unsigned long r4 __asm__("r4") = 7;

	__asm__ volatile(VFP_ALLOWED
			 "vldr d7, [%3]\n\t"
			 "mov r8, r7\n\t"  /* GCC's frame in Thumb code */
			 "mov r7, #37\n\t" /* kill */
			 "svc #0\n\t"
			 "mov r7, r8\n\t"
			 "vstr d7, [%4]"
			 : "+r"(r4), "+r"(r0)
			 : "r"(r1), "r"(in), "r"(out)
			 : VFP_CLOBBER "r8", "memory");
	return r4;
}

static inline void hold(const unsigned long in[2], unsigned long out[2])
{
	unsigned long n = 20000;

	__asm__ volatile(VFP_ALLOWED "vldr d7, [%1]\n"
				     "1:\tsubs %0, %0, #1\n\tbne 1b\n\t"
				     "vstr d7, [%2]"
			 : "+r"(n)
			 : "r"(in), "r"(out)
			 : VFP_CLOBBER "cc", "memory");
}

#endif
#endif
