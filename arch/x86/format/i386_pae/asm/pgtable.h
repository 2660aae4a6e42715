/* SPDX-License-Identifier: MIT */
/*
 * pgtable.h - walking i386's PAE tables.
 *
 *   mm->pgd -> [ PDPTE 0 | 1 | 2 | 3 ]      32 bytes at the start of a page
 *                  |       |   |   '-> the kernel's directory, shared by all
 *                  '-> [ pmd 0 ... 511 ]
 *                          '-> [ pte 0 ... 511 ]
 *
 * The processor reads the four PDPTEs when CR3 is loaded, and walks by what it
 * has read then (SDM vol. 3A, 4.4.1).  A changed PDPTE would need CR3 loaded
 * again on every CPU that runs the address space; so the user's three are
 * filled when it is made and stay until it goes: three pages, nearly always
 * used soon anyway (code below 1 GiB, heap and mappings, stack below 3 GiB).
 * CR3 holds 32 bits, so the top page is one below 4 GiB.
 *
 * The fourth is the kernel's: all address spaces point at one directory, and
 * what the kernel adds there all see at once.  Only where the reference table
 * had no directory yet is there something to copy later (sync_kernel_entry).
 *
 * Locks: those of mm/; sync_kernel_entry needs none (every CPU would store the
 * same).
 */
#ifndef QUIRE_I386_PAE_PGTABLE_H
#define QUIRE_I386_PAE_PGTABLE_H

#include <asm/pgtable_entry.h>
#include <asm/pgtable_swp64.h>

__ENTRY_OPS(pud)
__PGTABLE_INDEX(pud, PUD_SHIFT, PTRS_PER_PUD)
__PGTABLE_ADDR_END(pud, PUD_SIZE)
__LEVEL_TESTS(pud, _PAGE_PRESENT)
__LEVEL_NONE(pud)
#include <asm-generic/pgtable-nop4d.h>

static __always_inline uaddr_t task_size_max(const struct quire *q)
{
	(void)q;
	return TASK_SIZE;
}
static __always_inline bool fault_in_kernel_space(uaddr_t address)
{
	return address >= TASK_SIZE;
}

static __always_inline pmd_t *pmd_offset(struct quire *q, pud_t *pud,
					 uaddr_t addr)
{
	return (pmd_t *)__entry_table(q, pudp_get(pud).v) + pmd_index(addr);
}
/* The way down where nothing is absent: the puds are filled (PGD_STATIC_PUDS).
 */
static __always_inline pmd_t *walk_to_pmd(struct mm_struct *mm, uaddr_t addr)
{
	return pmd_offset(mm->q, (pud_t *)(void *)mm->pgd + pud_index(addr),
			  addr);
}

/* Give a fresh top-level table the kernel's directory (P5). */
static inline void pgd_copy_kernel(struct quire *q, void *top)
{
	const pud_t *from = phys_to_virt(q, q->arch.kernel_root);
	unsigned i;

	for (i = pud_index(TASK_SIZE); i < PTRS_PER_PUD; i++)
		set_pud((pud_t *)top + i, pudp_get(from + i));
}

/*
 * E3: the reference table has a page at address, which an access through the
 * loaded table `top` did not find: copy the PDPTE that leads to it, and load
 * CR3 again so that this CPU reads it.  (Another CPU that runs the same address
 * space faults for itself and finds the PDPTE there, but must load as well.)
 * Returns whether the access will find it now.  Preemption is off.
 */
static inline bool sync_kernel_entry(struct quire *q, void *top,
				     uaddr_t address)
{
	const pud_t *ref = phys_to_virt(q, q->arch.kernel_root);
	pud_t *to = (pud_t *)top + pud_index(address);
	pud_t e = pudp_get(ref + pud_index(address));
	pud_t now = pudp_get(to);

	if (pud_present(now) && pud_pfn(now) != pud_pfn(e))
		return false;
	set_pud(to, e);
	quire_host_load_table(virt_to_phys(q, top), 0, false);
	return true;
}

/* The number of levels for a system: as configured, 0 if that cannot be. */
static inline unsigned pgtable_levels(unsigned wanted)
{
	return wanted == 0 || wanted == 3 ? 3 : 0;
}
/* What arch/x86/walk.c has to know: shift of the top level. */
static inline unsigned walk_top_shift(const struct quire *q)
{
	(void)q;
	return PUD_SHIFT;
}

#endif
