/* SPDX-License-Identifier: MIT */
/*
 * fault.h - the fault context and the phase functions it is handed through.
 * The map of them, with the lock order, is the essay of mm/fault.c.
 */
#ifndef QUIRE_MM_FAULT_H
#define QUIRE_MM_FAULT_H

#include "mm.h"
#include <asm/pgtable.h>
#include <asm/tlb.h>

struct vm_fault {
	struct vm_area_struct *vma;
	uaddr_t address;      /* page aligned */
	uaddr_t real_address; /* as the processor gave it */
	uint32_t flags;	      /* FAULT_FLAG_* */
	uint8_t kind;	/* enum quire_fault_kind: the phase that answers */
	uint64_t pgoff; /* linear_page_index(vma, address) */

	pmd_t *pmd;
	pte_t *pte;	 /* of address; NULL: no table yet, or not mapped now */
	pte_t orig_pte;	 /* as read before the phase began */
	spinlock_t *ptl; /* pte's lock while it is held */

	struct page *cow_page;	   /* private write: the copy to be */
	struct page *page;	   /* ->fault's answer */
	struct page *prealloc_pte; /* a table made before locks were taken */
};

/*
 * The phase that answers is told to the tracepoint; without one there is no
 * code for it.  It travels in the top byte of handle_user_fault()'s result.
 */
#define VM_FAULT_KIND_SHIFT 24
#ifdef QUIRE_TRACE
#define note_fault_kind(p, k) ((void)(*(p) = (k)))
#define fault_kind(vmf, k)    note_fault_kind(&(vmf)->kind, k)
#define fault_kind_of(vmf)    ((vmf)->kind)
#define fault_kind_bits(k)    ((vm_fault_t)(k) << VM_FAULT_KIND_SHIFT)
/* A second try is a major fault, whatever it finds. */
#define fault_major_bit(flags)                                                 \
	((flags)&FAULT_FLAG_TRIED ? VM_FAULT_MAJOR : (vm_fault_t)0)
#else
#define note_fault_kind(p, k)  ((void)(p), (void)(k))
#define fault_kind(vmf, k)     ((void)(vmf), (void)(k))
#define fault_kind_of(vmf)     ((void)(vmf), (uint8_t)QF_NONE)
#define fault_kind_bits(k)     ((void)(k), (vm_fault_t)0)
#define fault_major_bit(flags) ((void)(flags), (vm_fault_t)0)
#endif
/* Results of handle_user_fault() besides VM_FAULT_* */
#define VM_FAULT_BADMAP	   0x010000u /* nothing is mapped there */
#define VM_FAULT_BADACCESS 0x020000u /* the mapping does not allow it */

#define __cold_path __attribute__((noinline, cold))

/*
 * What a VMA must allow (one of these VM_READ, VM_WRITE, VM_EXEC) travels with
 * the FAULT_FLAG_* of an access.
 */
#define FAULT_NEED_SHIFT      16
#define FAULT_NEEDS(vm_flags) ((unsigned)(vm_flags) << FAULT_NEED_SHIFT)
#define FAULT_ACCESS_READ     FAULT_NEEDS(VM_ACCESS_FLAGS)
#define FAULT_ACCESS_WRITE    (FAULT_FLAG_WRITE | FAULT_NEEDS(VM_WRITE))
#define FAULT_ACCESS_EXEC     (FAULT_FLAG_INSTRUCTION | FAULT_NEEDS(VM_EXEC))
#define FAULT_FLAG_DEFAULT    (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE)

/*
 * handle_user_fault (mm/fault.c): all of a fault at a user address between the
 * exception's decoding and the signal.  task is current and has a mm; flags:
 * FAULT_FLAG_DEFAULT, one FAULT_ACCESS_*, and USER unless the access was the
 * kernel's.  A failure (an error, one of the two above, or RETRY when the task
 * is to die) goes on to user_fault_failed().  Sleeps, unless the access was the
 * kernel's, without an exception-table entry, and the mmap_lock is taken.
 * Returns the result, with the kind of the fault.
 */
vm_fault_t handle_user_fault(struct quire_task *task, struct pt_regs *regs,
			     unsigned long error, uaddr_t address,
			     unsigned flags);
/*
 * mm/fault_signal.c: the ends of a fault that no page answers.  regs and error
 * as the architecture got them; flags: FAULT_FLAG_USER when the access was user
 * mode's.  No lock is held; each returns the result with the fault's kind.
 *
 * user_fault_failed: what handle_user_fault() could not do (fault: an error,
 * VM_FAULT_BADMAP or _BADACCESS, or RETRY when the task is to die).  Sleeps
 * where the host's OOM handling does.
 * bad_area_nosemaphore: nothing is mapped, or it is not allowed (code: SEGV_*).
 * kernelmode_fixup_or_oops: the exception table answers, or the kernel is
 * wrong.
 * fault_signal: send it, and remember what its handler finds in its context.
 */
vm_fault_t user_fault_failed(struct quire_task *task, struct pt_regs *regs,
			     unsigned long error, uaddr_t address,
			     unsigned flags, vm_fault_t fault);
vm_fault_t bad_area_nosemaphore(struct quire_task *task, struct pt_regs *regs,
				unsigned long error, uaddr_t address,
				unsigned flags, int code);
vm_fault_t kernelmode_fixup_or_oops(struct quire_task *task,
				    struct pt_regs *regs, unsigned long error,
				    uaddr_t address);
void fault_signal(struct quire_task *task, unsigned long error,
		  const struct quire_signal *sig);
/*
 * In arch/.  arch_fault_info: set the task's fault_* as the architecture's
 * signal context has them.  page_fault_oops: kernel mode faulted and nothing
 * can be done: build the report, hand it to quire_host_oops().  Any context;
 * neither sleeps.
 */
void arch_fault_info(struct quire_task *task, unsigned long error,
		     uaddr_t address);
void page_fault_oops(struct quire_task *task, struct pt_regs *regs,
		     unsigned long error, uaddr_t address);

/* How a fault ended, for the tracepoint: its result and its kind. */
static __always_inline vm_fault_t fault_outcome(vm_fault_t result,
						unsigned kind)
{
	return (result & ~fault_kind_bits(0xff)) | fault_kind_bits(kind);
}
#ifdef QUIRE_TRACE
/* mm/fault_signal.c: tell the tracepoint; type: QE_FAULT_BEGIN or _END. */
void trace_fault(struct quire_task *task, int type, unsigned long error,
		 unsigned flags, uaddr_t address, vm_fault_t ret);
#endif
/*
 * Waiting in a fault.  fault_may_unlock: may this try let go of the mmap_lock
 * to wait, and answer RETRY?  The others: mm/page_lock.c.
 *
 * lock_page_or_retry: true: the page (referenced) is locked.  False: the
 * mmap_lock was let go of, and the fault is to answer RETRY; the page was
 * waited for, unless the task is to die or may not wait (RETRY_NOWAIT): then
 * task->fault_waiting is set.  mmap_lock held for read.
 * fault_note_nowait: sets RETRY_NOWAIT for a fault of a task that may not wait,
 * and TRIED if it is the one that it waited for.
 * fault_wait_over: the fault that waited has failed, and is not counted.
 * fault_has_waited: is this fault of the task (not yet counted) the repeated
 * access of one that ended in waiting?  (task->nowait is set.)
 */
static __always_inline bool fault_may_unlock(unsigned flags)
{
	return (flags & (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED |
			 FAULT_FLAG_RETRY_NOWAIT)) == FAULT_FLAG_ALLOW_RETRY;
}
bool lock_page_or_retry(struct page *page, struct vm_fault *vmf);
void fault_wait_over(const struct vm_fault *vmf);
void fault_note_nowait(struct vm_fault *vmf);
bool fault_has_waited(const struct quire_task *task, uaddr_t address);
/* mm/fault.c.  mmap_lock held for read on entry; on VM_FAULT_RETRY it has been
 * dropped.  kind (may be NULL) tells which path answered. May sleep. */
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, uaddr_t address,
			   unsigned flags, uint8_t *kind);
/* do_anonymous_page: internal/anonymous.h */
/* mm/file_fault.c */
vm_fault_t do_fault(struct vm_fault *vmf);
/*
 * fault_need_table: the table of vmf->pmd, made or taken from prealloc_pte. 0
 * or -ENOMEM.  Sleeps when there is no prealloc_pte.
 */
int fault_need_table(struct vm_fault *vmf);
/*
 * finish_fault: map what ->fault gave (vmf->cow_page for a private write, else
 * vmf->page, locked): 0, NOPAGE when another fault has filled the entry, OOM,
 * SIGBUS.  On 0 the mapped page's reference belongs to the entry.
 */
vm_fault_t finish_fault(struct vm_fault *vmf);
/*
 * alloc_set_pte: install the entry for page, under vmf->ptl, in an entry that
 * is known to be empty; also for ->map_pages with another address in vmf.
 */
void alloc_set_pte(struct vm_fault *vmf, struct page *page);
/* After page_mkwrite: ask the owner of a shared page whether it may become
 * writable.  LOCKED, 0 when the page left its file, or an error. May sleep;
 * RETRY: the mmap_lock was dropped for that. */
vm_fault_t do_page_mkwrite(struct vm_fault *vmf);
/* vmf->page, locked, is written to from now on; unlocks it.  The writer may
 * have to wait: COMPLETED, the mmap_lock was dropped for that. */
vm_fault_t fault_dirty_shared_page(struct vm_fault *vmf);
/* mm/wp.c: called with vmf->ptl held and pte mapped; releases both. */
vm_fault_t do_wp_page(struct vm_fault *vmf);
/*
 * mm/swap_fault.c: an entry that is neither empty nor present: 0, MAJOR, RETRY,
 * OOM, or SIGBUS where its contents cannot be had.  bad_swap_entry: nobody
 * wrote it: reported, and SIGBUS; 0 if it has changed meanwhile.
 */
vm_fault_t do_swap_page(struct vm_fault *vmf);
vm_fault_t bad_swap_entry(struct vm_fault *vmf);
/*
 * install_swap_page: page, locked and up to date, in the swap cache for entry,
 * takes its place in vmf->pte (vma, address, orig_pte, flags are set, ptl is
 * held): counters, rmap, what the entry kept; the slot has a user less, and is
 * given up if that was the last and it is in the way.  The caller's reference
 * is the entry's.  What is left of a write is in vmf->flags then.
 */
void install_swap_page(struct vm_fault *vmf, struct page *page,
		       swp_entry_t entry);
/* Log an entry that must not be; page may be NULL. Any context. */
void print_bad_pte(struct vm_area_struct *vma, uaddr_t addr, pte_t pte,
		   struct page *page);
/* mm/numa.c: protnone restored. */
vm_fault_t do_numa_page(struct vm_fault *vmf);

/* mm/pgtable.c: page-table pages (P4, P5) */
/*
 * The table that every address space copies its kernel half from: the host's,
 * or where it has none (given is 0) an empty one.  0 or -ENOMEM.  For
 * arch_system_init() and _exit(), which keep its address.
 */
int kernel_root_init(struct quire *q, paddr_t given, paddr_t *root);
void kernel_root_exit(struct quire *q, paddr_t root);
/* Sets mm->pgd. 0 or -ENOMEM. May sleep.  pgd_free: all else is free already */
int pgd_alloc(struct mm_struct *mm);
void pgd_free(struct mm_struct *mm);
int __p4d_alloc(struct mm_struct *mm, pgd_t *pgd, uaddr_t addr);
int __pud_alloc(struct mm_struct *mm, p4d_t *p4d, uaddr_t addr);
int __pmd_alloc(struct mm_struct *mm, pud_t *pud, uaddr_t addr);
int __pte_alloc(struct mm_struct *mm, pmd_t *pmd);
/* A zeroed, counted table page not yet in any table; and its free. */
struct page *pte_alloc_one(struct mm_struct *mm);
void pte_free(struct mm_struct *mm, struct page *table);
/* Publish *table in pmd if it is still empty, else leave it (P4). */
void pmd_install(struct mm_struct *mm, pmd_t *pmd, struct page **table);
/* pte of address with its lock held; allocates upper levels. NULL: no memory */
pte_t *get_locked_pte(struct mm_struct *mm, uaddr_t addr, spinlock_t **ptl);
/* Read-only walk to the pmd, or NULL where a level is absent. */
pmd_t *mm_find_pmd(struct mm_struct *mm, uaddr_t addr);
/* Free the tables of [floor..ceiling) left without mapping (unmap, exit). */
struct mmu_gather;
void free_pgd_range(struct mmu_gather *tlb, uaddr_t addr, uaddr_t end,
		    uaddr_t floor, uaddr_t ceiling);
/*
 * The same for a run of VMAs, from vma to the last that starts below ceiling;
 * floor: end of the mapping before them that stays, ceiling: start of the one
 * after them (0: none).  They are unmapped already, and still in the tree.
 * mmap_lock held for write, or the mm has no users.
 */
void free_pgtables(struct mmu_gather *tlb, struct vm_area_struct *vma,
		   uaddr_t floor, uaddr_t ceiling);

/*
 * The walk down, allocating where a level is absent.  NULL: out of memory.
 */
static __always_inline p4d_t *p4d_alloc(struct mm_struct *mm, pgd_t *pgd,
					uaddr_t addr)
{
	if (unlikely(pgd_none(mm->q, pgdp_get(pgd))) &&
	    __p4d_alloc(mm, pgd, addr))
		return NULL;
	return p4d_offset(mm->q, pgd, addr);
}
static __always_inline pud_t *pud_alloc(struct mm_struct *mm, p4d_t *p4d,
					uaddr_t addr)
{
	if (unlikely(p4d_none(p4dp_get(p4d))) && __pud_alloc(mm, p4d, addr))
		return NULL;
	return pud_offset(mm->q, p4d, addr);
}
/* walk_to_pmd(mm, addr), the way down where nothing is absent (or NULL), is the
 * format's: with folded levels it is one addition. */
static __always_inline pmd_t *pmd_alloc(struct mm_struct *mm, pud_t *pud,
					uaddr_t addr)
{
	if (unlikely(pud_none(pudp_get(pud))) && __pmd_alloc(mm, pud, addr))
		return NULL;
	return pmd_offset(mm->q, pud, addr);
}

/*
 * The struct page an entry maps with a reference of its own, or NULL: a
 * special entry (zero page, PFNMAP device memory), or a frame without one.
 */
static __always_inline struct page *vm_normal_page(struct vm_area_struct *vma,
						   pte_t pte)
{
	struct quire *q = vma->vm_mm->q;

	if (unlikely(pte_special(pte)))
		return NULL;
	/* (reverse walks come here while other flags may change) */
	if (unlikely(READ_ONCE(vma->vm_flags) & (VM_PFNMAP | VM_MIXEDMAP)) &&
	    !pfn_valid(q, pte_pfn(pte)))
		return NULL;
	return pte_page(q, pte);
}

/* An mm that the OOM reaper has been through has lost contents: no new pages */
static __always_inline vm_fault_t
check_stable_address_space(const struct mm_struct *mm)
{
	return unlikely(READ_ONCE(mm->oom_reaped)) ? VM_FAULT_SIGBUS : 0;
}

/* What a write fault installs: writable if the mapping is. */
static __always_inline pte_t maybe_mkwrite(pte_t pte,
					   const struct vm_area_struct *vma)
{
	return likely(vma->vm_flags & VM_WRITE) ? pte_mkwrite(pte) : pte;
}

/* Split page-table lock: in the struct page of the pte table. */
static __always_inline spinlock_t *pte_lockptr(struct quire *q, pmd_t pmd)
{
	return &pmd_page(q, pmd)->ptl;
}

#endif
