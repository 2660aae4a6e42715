/* SPDX-License-Identifier: MIT */
/*
 * mm.h - address spaces and their VMAs.
 *
 *   mm_struct --vma tree (B-tree by address)--> vm_area_struct
 *      |                                          | anon_vma_chain, vm_file
 *      +--pgd--> page tables (arch's format)      +--> rmap, page cache
 *
 * mmap_lock guards the tree and every field of a VMA: read to look, write to
 * change.  A fault holds it for read.  (Per-VMA locks come later: vm_lock_seq
 * and vm_refcnt are laid out for them.)
 */
#ifndef QUIRE_MM_MM_H
#define QUIRE_MM_MM_H

#include "interval_tree.h"
#include "system.h"

/* vm_flags: Linux's values where they are known from smaps and maps */
#define VM_NONE	       0ull
#define VM_READ	       0x1ull
#define VM_WRITE       0x2ull
#define VM_EXEC	       0x4ull
#define VM_SHARED      0x8ull
#define VM_MAYREAD     0x10ull
#define VM_MAYWRITE    0x20ull
#define VM_MAYEXEC     0x40ull
#define VM_MAYSHARE    0x80ull
#define VM_GROWSDOWN   0x100ull
#define VM_PFNMAP      0x400ull
#define VM_LOCKED      0x2000ull
#define VM_IO	       0x4000ull
#define VM_SEQ_READ    0x8000ull
#define VM_RAND_READ   0x10000ull
#define VM_DONTCOPY    0x20000ull
#define VM_DONTEXPAND  0x40000ull
#define VM_LOCKONFAULT 0x80000ull
#define VM_ACCOUNT     0x100000ull
#define VM_NORESERVE   0x200000ull
#define VM_HUGETLB     0x400000ull
#define VM_SYNC	       0x800000ull
#define VM_WIPEONFORK  0x2000000ull
#define VM_DONTDUMP    0x4000000ull
#define VM_SOFTDIRTY   0x8000000ull
#define VM_MIXEDMAP    0x10000000ull
#define VM_HUGEPAGE    0x20000000ull
#define VM_NOHUGEPAGE  0x40000000ull
#define VM_MERGEABLE   0x80000000ull
/* fault-around of this VMA: 0 the system's, else log2 of its bytes less 11 */
#define VM_FAULT_AROUND_SHIFT 32
#define VM_FAULT_AROUND	      (0x1full << VM_FAULT_AROUND_SHIFT)
/* enum quire_cache, for what a device gives */
#define VM_CACHE_SHIFT	40
#define VM_CACHE_MASK	(3ull << VM_CACHE_SHIFT)
#define VM_SPECIAL	(VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP)
#define VM_ACCESS_FLAGS (VM_READ | VM_WRITE | VM_EXEC)

enum rss_type {
	MM_FILEPAGES,
	MM_ANONPAGES,
	MM_SWAPENTS,
	MM_SHMEMPAGES,
	NR_MM_COUNTERS
};

struct vm_operations_struct {
	/*
	 * fault: find the page for vmf->pgoff and leave it, with a reference,
	 * in vmf->page; VM_FAULT_* result (LOCKED when locked; NOPAGE when it
	 * installed the entry itself).  mmap_lock held for read; may sleep.
	 */
	vm_fault_t (*fault)(struct vm_fault *vmf);
	/* map what is cached around; NULL: none (F6) */
	vm_fault_t (*map_pages)(struct vm_fault *vmf, uint64_t start_pgoff,
				uint64_t end_pgoff);
	/* a shared page is about to become writable (vmf->page, not locked);
	 * VM_FAULT_LOCKED or an error; NOPAGE when it left its file */
	vm_fault_t (*page_mkwrite)(struct vm_fault *vmf);
	/* the same for a frame without struct page: 0 (make the entry
	 * writable), NOPAGE (done already) or an error; no lock but mmap_lock
	 */
	vm_fault_t (*pfn_mkwrite)(struct vm_fault *vmf);
	void (*open)(struct vm_area_struct *vma);
	void (*close)(struct vm_area_struct *vma);
	const char *(*name)(struct vm_area_struct *vma);
};

struct vm_area_struct {
	/* the fault's line */
	uaddr_t vm_start, vm_end; /* [start, end), page aligned */
	struct mm_struct *vm_mm;
	vm_flags_t vm_flags;
	pgprot_t vm_page_prot;
	struct anon_vma *anon_vma; /* set once, under mmap_lock + its lock */
	const struct vm_operations_struct *vm_ops; /* NULL: anonymous */
	uint64_t vm_pgoff; /* pages: offset in file; anonymous: start >> 12 */

	struct quire_file *vm_file;	  /* a reference, or NULL */
	struct address_space *vm_mapping; /* vm_file's, or shmem's; or NULL */
	void *vm_private_data;
	struct list_head anon_vma_chain; /* of struct anon_vma_chain.same_vma */
	struct itree_node i_mmap_node;	 /* in the mapping's tree of VMAs */
	uint32_t vm_lock_seq;		 /* laid out for per-VMA locks */
	uint32_t vm_refcnt;
	uaddr_t swap_ra; /* last fault that read from swap, and how it went on
			  * (mm/swap_readahead.c); atomic */
};

static inline bool vma_is_anonymous(const struct vm_area_struct *vma)
{
	return vma->vm_ops == NULL;
}
static inline uint64_t linear_page_index(const struct vm_area_struct *vma,
					 uaddr_t addr)
{
	return ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
}
/* Can a fault-around window be so many bytes? */
static inline bool fault_around_ok(uint64_t bytes)
{
	return bytes >= PAGE_SIZE && bytes <= (uint64_t)1 << 30 &&
	       IS_ALIGNED(bytes, bytes);
}
static inline unsigned long vma_pages(const struct vm_area_struct *vma)
{
	return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}

/*
 * vma_tree: the ordered tree of an mm's VMAs (mm/vma_tree.c), a B+-tree with
 * the largest free gap kept per subtree.
 */
#define VMA_FANOUT 16
struct vma_node {
	uaddr_t key[VMA_FANOUT]; /* where slot i's memory ends; unused: ~0 */
	void *slot[VMA_FANOUT];	 /* child, or in a leaf the VMA */
	uaddr_t gap[VMA_FANOUT]; /* largest free run before a VMA of slot i */
	uint32_t count;
	struct vma_node *prev, *next; /* leaves: in order; spare: a list */
};
struct vma_tree {
	struct vma_node *root; /* NULL: empty */
	uint32_t height;
	uint32_t count;
	struct vma_node *spare; /* preallocated nodes, linked */
	uint32_t nr_spare;
};

/* A page of counters a CPU, so that faults on two CPUs share no line. */
struct mm_cpu {
	long rss[NR_MM_COUNTERS];
} __attribute__((aligned(64)));

struct mm_struct {
	struct quire *q;
	pgd_t *pgd;
	struct vma_tree vmas;
	uint64_t seqnum; /* moves with every change of the VMAs: caches check */
	struct rwsem mmap_lock __attribute__((aligned(64)));
	spinlock_t page_table_lock; /* PTL: upper levels */
	mm_context_t context;	    /* arch: asid, tlb generation */
	cpumask_t cpumask; /* CPUs whose TLB may hold entries of it; atomic */

	uint32_t mm_users; /* threads; atomic */
	uint32_t mm_count; /* 1 for all users + lazy holders; atomic */
	uint32_t id;
	uint32_t map_count;	  /* VMAs */
	struct list_head mm_list; /* in q->mm_list */

	struct quire_mm_layout layout; /* exec's placement */
	uaddr_t brk;
	uaddr_t task_size;
	vm_flags_t def_flags; /* mlockall(MCL_FUTURE) */
	/* pages; under mmap_lock for write */
	unsigned long total_vm, locked_vm, pinned_vm, data_vm, exec_vm,
		stack_vm;
	unsigned long hiwater_rss, hiwater_vm;
	long pgtables_bytes;	     /* atomic */
	long hiwater_pgtables_bytes; /* atomic; may miss a racing peak */
	uint32_t hiwater_map_count;
	bool oom_reaped; /* check_stable_address_space: contents are unsound */
	struct mm_cpu *cpu; /* one a CPU */
};

/* rss counters: exact in sum; call with preemption off (under a ptl). */
static __always_inline void mm_counter_on(struct mm_struct *mm, unsigned cpu,
					  enum rss_type t, long d)
{
	local_add(&mm->cpu[cpu].rss[t], d);
}
static __always_inline void add_mm_counter(struct mm_struct *mm,
					   enum rss_type t, long d)
{
	mm_counter_on(mm, quire_host_cpu(), t, d);
}
static __always_inline void inc_mm_counter(struct mm_struct *mm,
					   enum rss_type t)
{
	add_mm_counter(mm, t, 1);
}
static __always_inline void dec_mm_counter(struct mm_struct *mm,
					   enum rss_type t)
{
	add_mm_counter(mm, t, -1);
}
unsigned long get_mm_counter(struct mm_struct *mm,
			     enum rss_type t); /* sum, >= 0 */
unsigned long get_mm_rss(struct mm_struct *mm);
void update_hiwater_rss(struct mm_struct *mm);
void update_hiwater_vm(struct mm_struct *mm);

/* One user more, unless it is at its end. */
static inline bool mm_get_unless_gone(struct mm_struct *mm)
{
	uint32_t v = READ_ONCE(mm->mm_users);

	while (v)
		if (__atomic_compare_exchange_n(&mm->mm_users, &v, v + 1, true,
						__ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/* ----------------------------------------------------------- mm/vma_tree.c */
/*
 * All under mmap_lock (write to change).  vma_tree_reserve makes sure that the
 * next n insertions or removals cannot fail; -ENOMEM when it cannot.
 */
void vma_tree_init(struct vma_tree *t);
int vma_tree_reserve(struct mm_struct *mm, unsigned n);
void vma_tree_unreserve(struct mm_struct *mm); /* give spare nodes back */
void vma_tree_insert(struct mm_struct *mm, struct vm_area_struct *vma);
void vma_tree_remove(struct mm_struct *mm, struct vm_area_struct *vma);
/* Change the extent in place (it must not pass its neighbours). */
void vma_tree_resize(struct mm_struct *mm, struct vm_area_struct *vma,
		     uaddr_t start, uaddr_t end);
/* First VMA whose end is above addr, or NULL. */
struct vm_area_struct *find_vma(struct mm_struct *mm, uaddr_t addr);
struct vm_area_struct *find_vma_prev(struct mm_struct *mm, uaddr_t addr,
				     struct vm_area_struct **prev);
/* First that overlaps [start, end), or NULL. */
struct vm_area_struct *find_vma_intersection(struct mm_struct *mm,
					     uaddr_t start, uaddr_t end);
struct vm_area_struct *vma_next(struct vm_area_struct *vma);
struct vm_area_struct *vma_prev(struct vm_area_struct *vma);
struct vm_area_struct *vma_first(struct mm_struct *mm);
#define for_each_vma(mm, vma)                                                  \
	for (vma = vma_first(mm); vma; vma = vma_next(vma))
/* A gap of len bytes in [low, high): lowest / highest address, or 0. */
uaddr_t vma_tree_gap_bottomup(struct mm_struct *mm, uaddr_t len, uaddr_t low,
			      uaddr_t high);
uaddr_t vma_tree_gap_topdown(struct mm_struct *mm, uaddr_t len, uaddr_t low,
			     uaddr_t high);
/* vm_start less the guard gap of a stack that grows down. */
uaddr_t vm_start_gap(const struct vm_area_struct *vma);
unsigned vma_tree_check(struct mm_struct *mm); /* violations, logged */
void vma_tree_destroy(struct mm_struct *mm);   /* frees nodes, not VMAs */

/* ---------------------------------------------------------------- mm/vma.c */
struct vm_area_struct *
vm_area_alloc(struct mm_struct *mm); /* zeroed, or NULL */
/* Copy of orig (anon_vma pointer too) with empty chain and i_mmap node; the
 * file's (or shmem mapping's) reference is taken.  NULL: out of memory. */
struct vm_area_struct *vm_area_dup(struct vm_area_struct *orig);
/* Drops the file reference, frees. Chains must be unlinked before. */
void vm_area_free(struct vm_area_struct *vma);
void vma_set_page_prot(struct vm_area_struct *vma);
pgprot_t vm_get_page_prot(struct quire *q, vm_flags_t flags);
/* Link in / out of tree, file's i_mmap, map_count; mmap_lock write. */
void vma_link(struct mm_struct *mm, struct vm_area_struct *vma);
/* Take vma out of / into its file's list of mappings (i_mmap). */
void vma_unlink_file(struct vm_area_struct *vma);
void vma_link_file(struct vm_area_struct *vma);
/* Split at addr: 0 or -ENOMEM. *vmap stays the part that has addr when !below
 */
int split_vma(struct mm_struct *mm, struct vm_area_struct *vma, uaddr_t addr,
	      bool new_below);
void vm_stat_account(struct mm_struct *mm, vm_flags_t flags, long pages);
/* mm/limits.c */
bool may_expand_vm(struct mm_struct *mm, vm_flags_t flags, unsigned long pages);
int security_vm_enough_memory(struct mm_struct *mm, long pages);
void vm_unacct_memory(struct quire *q, long pages);
uint64_t rlimit_of(int which); /* current task's, or infinity */

/* --------------------------------------------------------------- mm/mmap.c */
/* mmap_lock write held by the caller in all of these. */
int do_munmap_locked(struct mm_struct *mm, uaddr_t start, uaddr_t len);
/* The stack grows to addr: mmap_lock held for WRITE; 0 or -ENOMEM (F/E6). */
int expand_stack(struct vm_area_struct *vma, uaddr_t addr);
/* exit: unmap all, free tables, VMAs.  The last user calls it; no lock. */
void exit_mmap(struct mm_struct *mm);
/* fork's copy of VMAs and tables; both locks taken inside. 0 or -ENOMEM. */
int dup_mmap(struct mm_struct *mm, struct mm_struct *oldmm);
/*
 * mm/gup.c: fault every page in of [start, end) (MAP_POPULATE, mlock).
 * mmap_lock held for read; a fault may drop it and take it again.  locked NULL:
 * it is never dropped, and may be held for write.
 */
int populate_vma_range(struct mm_struct *mm, uaddr_t start, uaddr_t end,
		       bool write, bool *locked);
/*
 * Fault in [start, start + len): writable where private and writable.  only:
 * VMAs with one of these flags (0: all).  Holes are passed over; the first
 * page that fails gives -EFAULT, -ENOMEM ..., unless `ignore`.  Takes
 * mmap_lock for read; sleeps.  mm_populate: all, errors ignored.
 */
int __mm_populate(struct mm_struct *mm, uaddr_t start, uaddr_t len,
		  vm_flags_t only, bool ignore);
void mm_populate(struct mm_struct *mm, uaddr_t start, uaddr_t len);

#endif
