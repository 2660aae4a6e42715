/* SPDX-License-Identifier: MIT */
/*
 * walk.c - reading a table as the processor does, level by level, whatever is
 * in it (Intel SDM vol. 3A, 4.3 to 4.5; the format tells the levels): for
 * reports, and to find out whether a kernel fault is spurious (E3).
 *
 * A kernel fault is spurious when the TLB held an older, stricter entry than
 * the table: the kernel makes its mappings more permissive without telling the
 * other CPUs, and lets each of them find out by a fault.
 *
 * Locks: none; see asm/fault.h.
 */
#include <asm/fault.h>

void x86_walk_table(struct quire *q, paddr_t root, uaddr_t addr,
		    struct x86_walk *w)
{
	unsigned shift = walk_top_shift(q);
	paddr_t table = root & PTE_PFN_MASK;
	pteval_t *slot, e;

	w->n = 0;
	for (;; shift -= WALK_INDEX_BITS) {
		/* past the end of memory: stop before reading from nowhere */
		if (table >> PAGE_SHIFT >= q->max_pfn)
			return;
		slot = (pteval_t *)phys_to_virt(q, table) +
		       ((addr >> shift) & ((1u << WALK_INDEX_BITS) - 1));
		e = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
		w->slot = slot;
		w->entry[w->n] = e;
		w->shift[w->n++] = (uint8_t)shift;
		if (!(e & _PAGE_PRESENT) || shift == PAGE_SHIFT)
			return;
		if ((e & _PAGE_PSE) && shift <= WALK_LARGE_SHIFT)
			return;
		table = e & PTE_PFN_MASK;
	}
}

/* Did the walk end at a page? */
static bool found_page(const struct x86_walk *w)
{
	return w->n && (w->entry[w->n - 1] & _PAGE_PRESENT) &&
	       (w->shift[w->n - 1] == PAGE_SHIFT ||
		(w->entry[w->n - 1] & _PAGE_PSE));
}

bool kernel_page_mapped(struct quire *q, uaddr_t addr)
{
	struct x86_walk w;

	x86_walk_table(q, q->arch.kernel_root, addr, &w);
	return found_page(&w);
}

bool spurious_kernel_fault(struct quire *q, unsigned long error_code,
			   uaddr_t address)
{
	struct x86_walk w;
	unsigned i;

	/* a missing page is never cached; user mode may not be here at all */
	if (error_code != (X86_PF_WRITE | X86_PF_PROT) &&
	    error_code != (X86_PF_INSTR | X86_PF_PROT))
		return false;
	x86_walk_table(q, q->arch.kernel_root, address, &w);
	if (!found_page(&w))
		return false;
	for (i = 0; i < w.n; i++) {
		/* the top entries of PAE say nothing about access */
		if (w.shift[i] > WALK_RIGHTS_SHIFT)
			continue;
		if ((error_code & X86_PF_WRITE) && !(w.entry[i] & _PAGE_RW))
			return false;
		if ((error_code & X86_PF_INSTR) && (w.entry[i] & _PAGE_NX))
			return false;
	}
	return true;
}
