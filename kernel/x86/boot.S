/* SPDX-License-Identifier: MIT */
/*
 * From QEMU's PVH entry (32-bit protected mode, paging off, EBX: physical
 * address of struct hvm_start_info; Xen's docs/misc/pvh.pandoc) to
 * kernel_main() in long mode, and from a start-up IPI to ap_main().
 *
 * The boot tables map the first 4 GiB three times with 2 MiB pages: one to
 * one, at the direct map, and (the first GiB) at KERNEL_BASE.  setup.c makes
 * better ones at once.
 */
#define KERNEL_BASE 0xffffffff80000000
#define PHYS(sym) ((sym) - KERNEL_BASE)
#define MSR_EFER 0xc0000080
#define BOOT_CR4 0x20			/* PAE */
#define CR0_PG_WP_PE 0x80010033		/* PG WP NE ET MP PE */

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long PHYS(pvh_start)

	.section .boot.text, "ax"
	.code32
	.globl pvh_start
pvh_start:
	cli
	cld
	movl $PHYS(boot_stack_top), %esp
	movl %ebx, %ebp

	/* four page directories of 512 2 MiB pages */
	movl $PHYS(boot_pd), %edi
	movl $0x83, %eax
	xorl %edx, %edx
	movl $2048, %ecx
1:	movl %eax, (%edi)
	movl %edx, 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b

	movl $PHYS(boot_pdpt), %edi
	movl $PHYS(boot_pd) + 3, %eax
	movl $4, %ecx
2:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 2b
	movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt_high) + 510 * 8

	movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4)
	movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4) + 273 * 8
	movl $PHYS(boot_pdpt_high) + 3, PHYS(boot_pml4) + 511 * 8

	movl $BOOT_CR4, %eax
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $0x100, %eax		/* LME */
	wrmsr
	movl $CR0_PG_WP_PE, %eax
	movl %eax, %cr0
	lgdt PHYS(boot_gdtr)
	ljmp $0x10, $PHYS(1f)
	.code64
1:	movabsq $2f, %rax
	jmp *%rax
2:	movl $0x18, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq boot_stack_top(%rip), %rsp
	movabsq $3f, %rax
	lgdt boot_gdtr_high(%rip)
	movl %ebp, %edi
	xorl %ebp, %ebp
	jmp *%rax
3:	call kernel_main
	ud2

/*
 * void enter_la57(paddr_t root): five levels can be switched on only with
 * paging off (SDM vol. 3A, 4.1.1), and that only in 32-bit code.  Runs in the
 * one-to-one map of the old tables and of `root`.
 */
	.globl enter_la57
enter_la57:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, la57_sp(%rip)
	movq %rdi, %rbx
	movl $PHYS(1f), %eax
	pushq $0x08
	pushq %rax
	lretq
	.code32
1:	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl %cr4, %eax
	orl $0x1000, %eax		/* LA57 */
	movl %eax, %cr4
	movl %ebx, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	ljmp $0x10, $PHYS(2f)
	.code64
2:	movabsq $3f, %rax
	jmp *%rax
3:	movq la57_sp(%rip), %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.balign 16
boot_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* 08: 32-bit code */
	.quad 0x00af9b000000ffff	/* 10: 64-bit code */
	.quad 0x00cf93000000ffff	/* 18: data */
boot_gdtr:
	.word 31
	.long PHYS(boot_gdt)
	.balign 4
boot_gdtr_high:
	.word 31
	.quad boot_gdt

/*
 * What a start-up IPI runs, copied to the page at 0x8000: real mode, CS =
 * 0x800.  smp.c has filled in ap_root, ap_cr4, and the stack of each CPU.
 */
#define TRAMP 0x8000
#define AT(sym) (TRAMP + (sym) - ap_trampoline)
	.balign 16
	.globl ap_trampoline, ap_trampoline_end, ap_root, ap_cr4, ap_efer
	.code16
ap_trampoline:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl AT(ap_gdtr)
	movl $0x11, %eax
	movl %eax, %cr0
	ljmpl $0x08, $AT(1f)
	.code32
1:	movl $0x18, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl %eax, %es
	movl AT(ap_cr4), %eax
	movl %eax, %cr4
	movl AT(ap_root), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl AT(ap_efer), %eax
	xorl %edx, %edx
	wrmsr
	movl $CR0_PG_WP_PE, %eax
	movl %eax, %cr0
	ljmpl $0x10, $AT(2f)
	.balign 4
ap_root: .long 0
ap_cr4:	.long 0
ap_efer: .long 0
	.balign 8
ap_gdt:	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
ap_gdtr:
	.word 31
	.long AT(ap_gdt)
	.code64
	.balign 4
2:	movabsq $ap_start, %rax
	jmp *%rax
ap_trampoline_end:

/* In the high half.  Take a number, and the stack that goes with it. */
ap_start:
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $1, %edi
	lock xaddl %edi, ap_next(%rip)
	cmpl ap_limit(%rip), %edi
	jae 9f
	leaq ap_stacks(%rip), %rax
	movl %edi, %ecx
	movq (%rax, %rcx, 8), %rsp
	xorl %ebp, %ebp
	call ap_main
9:	cli
	hlt
	jmp 9b

	.data
	.globl ap_next, ap_limit, ap_stacks
	.balign 8
ap_stacks: .fill 8, 8, 0
ap_next: .long 1
ap_limit: .long 0
la57_sp: .quad 0

	.bss
	.balign 4096
boot_pml4: .fill 4096
boot_pdpt: .fill 4096
boot_pdpt_high: .fill 4096
boot_pd: .fill 4096 * 4
	.globl boot_stack_top
	.fill 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
