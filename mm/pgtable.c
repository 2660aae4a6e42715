/* SPDX-License-Identifier: MIT */
/*
 * pgtable.c - page-table pages: making, publishing and freeing them (P4, P5).
 *
 *      fault A                          fault B, same hole
 *      alloc a zeroed page              alloc a zeroed page
 *      lock; entry empty?               .
 *        yes: store-release             .
 *      unlock                           lock; entry empty? no
 *      walk on                          unlock; free own page; walk on in A's
 *
 * A table is complete (zeroed, its lock initialised) before the store that
 * makes it reachable, and walkers load entries with acquire; so a walker needs
 * no lock to go down.  Tables leave only in free_pgd_range(), when no VMA
 * covers them and no fault can be inside (mmap_lock is or was held for write
 * and the VMAs are out of the tree); their pages go through the mmu_gather,
 * since the processor may still have them in its paging-structure caches.
 *
 * Each table page knows its mm and level, and is counted: in the mm's
 * pgtables_bytes and in nr_page_table_pages.
 *
 * Locks: mm->page_table_lock (PTL) while an upper entry is filled.  The lowest
 * level's entries have their table's own lock, in its struct page (P6).
 */
#include "fault.h"
#include "gather.h"

enum { PT_LEVEL_PTE, PT_LEVEL_PMD, PT_LEVEL_PUD, PT_LEVEL_P4D, PT_LEVEL_TOP };

/* The fresh pages of one table become part of mm, and are counted. */
static struct page *table_init(struct mm_struct *mm, struct page *page,
			       unsigned level)
{
	long pages = 1l << page->order, bytes;

	__SetPageFlag(page, PG_table);
	spin_lock_init(&page->ptl, PTL);
	page->pt_mm = mm;
	page->deposit = NULL;
	page->pt_level = level;
	bytes = __atomic_add_fetch(&mm->pgtables_bytes, pages << PAGE_SHIFT,
				   __ATOMIC_RELAXED);
	if (bytes > READ_ONCE(mm->hiwater_pgtables_bytes))
		WRITE_ONCE(mm->hiwater_pgtables_bytes, bytes);
	quire_host_preempt_disable();
	mod_vmstat(mm->q, VM_nr_page_table_pages, pages);
	quire_host_preempt_enable();
	return page;
}

#define TABLE_GFP (GFP_KERNEL | __GFP_ZERO | __GFP_TABLE)

/* A zeroed table page, counted; may sleep. NULL: out of memory. */
static struct page *table_alloc(struct mm_struct *mm, unsigned level)
{
	struct page *page = alloc_pages(mm->q, TABLE_GFP, 0);

	if (unlikely(!page))
		return NULL;
	return table_init(mm, page, level);
}

struct page *pte_alloc_one(struct mm_struct *mm)
{
	return table_alloc(mm, PT_LEVEL_PTE);
}

void pte_free(struct mm_struct *mm, struct page *table)
{
	struct quire *q = mm->q;
	long pages = 1l << table->order;

	ClearPageFlag(table, PG_table);
	/* it shares words with what the next user expects to be clear */
	table->pt_mm = NULL;
	table->mapping = NULL;
	table->index = 0;
	table->priv = 0;
	__atomic_fetch_sub(&mm->pgtables_bytes, pages << PAGE_SHIFT,
			   __ATOMIC_RELAXED);
	quire_host_preempt_disable();
	mod_vmstat(q, VM_nr_page_table_pages, -pages);
	quire_host_preempt_enable();
	put_page(q, table);
}

/*
 * P4, for each level: the table is made with no lock held and published if the
 * entry is still empty.  0 (now there is a table) or -ENOMEM.
 */
#define DEFINE_TABLE_ALLOC(child, parent, level, is_none)                      \
	int __##child##_alloc(struct mm_struct *mm, parent##_t *entry,         \
			      uaddr_t addr)                                    \
	{                                                                      \
		struct page *table = table_alloc(mm, level);                   \
                                                                               \
		(void)addr;                                                    \
		if (!table)                                                    \
			return -ENOMEM;                                        \
		spin_lock(&mm->page_table_lock);                               \
		if (is_none) {                                                 \
			parent##_populate(mm->q, entry, table);                \
			table = NULL;                                          \
		}                                                              \
		spin_unlock(&mm->page_table_lock);                             \
		if (table)                                                     \
			pte_free(mm, table);                                   \
		return 0;                                                      \
	}
DEFINE_TABLE_ALLOC(p4d, pgd, PT_LEVEL_P4D, pgd_none(mm->q, pgdp_get(entry)))
DEFINE_TABLE_ALLOC(pud, p4d, PT_LEVEL_PUD, p4d_none(p4dp_get(entry)))
DEFINE_TABLE_ALLOC(pmd, pud, PT_LEVEL_PMD, pud_none(pudp_get(entry)))

/* The tables below the first n puds, which stay as long as the mm does. */
static void pgd_free_static(struct mm_struct *mm, unsigned n)
{
	uaddr_t addr = 0;
	pud_t *pud;

	for (; n--; addr += PUD_SIZE) {
		pud = pud_offset(mm->q, p4d_offset(mm->q, mm->pgd, addr), addr);
		pte_free(mm, pud_page(mm->q, pudp_get(pud)));
	}
}

int kernel_root_init(struct quire *q, paddr_t given, paddr_t *root)
{
	const gfp_t gfp = __GFP_ZERO | __GFP_RESERVE;
	struct page *page;

	*root = given;
	if (given)
		return 0;
	page = alloc_pages_quiet(q, gfp, PGD_ORDER);
	if (PGD_MAX_PFN != UINT64_MAX)
		page = page_below(q, page, gfp, PGD_MAX_PFN);
	if (!page)
		return -ENOMEM;
	__SetPageFlag(page, PG_reserved);
	*root = (paddr_t)page_to_pfn(q, page) << PAGE_SHIFT;
	return 0;
}

void kernel_root_exit(struct quire *q, paddr_t root)
{
	struct page *page;

	if (q->config.kernel_table)
		return;
	page = pfn_to_page(q, root >> PAGE_SHIFT);
	ClearPageFlag(page, PG_reserved);
	put_page(q, page);
}

int pgd_alloc(struct mm_struct *mm)
{
	struct quire *q = mm->q;
	struct page *page;
	uaddr_t addr = 0;
	p4d_t *p4d;
	unsigned i;

	page = alloc_pages(q, TABLE_GFP, PGD_ORDER);
	if (PGD_MAX_PFN != UINT64_MAX)
		page = page_below(q, page, TABLE_GFP, PGD_MAX_PFN);
	if (!page)
		return -ENOMEM;
	table_init(mm, page, PT_LEVEL_TOP);
	mm->pgd = page_address(q, page);
	pgd_copy_kernel(q, mm->pgd);
	for (i = 0; i != PGD_STATIC_PUDS; i++, addr += PUD_SIZE) {
		p4d = p4d_offset(q, mm->pgd, addr);
		if (__pmd_alloc(mm, pud_offset(q, p4d, addr), addr)) {
			pgd_free_static(mm, i);
			pte_free(mm, page);
			return -ENOMEM;
		}
	}
	return 0;
}

void pgd_free(struct mm_struct *mm)
{
	pgd_free_static(mm, PGD_STATIC_PUDS);
	pte_free(mm, virt_to_page(mm->q, mm->pgd));
	mm->pgd = NULL;
}

void pmd_install(struct mm_struct *mm, pmd_t *pmd, struct page **table)
{
	spin_lock(&mm->page_table_lock);
	if (likely(pmd_none(pmdp_get(pmd)))) {
		pmd_populate(mm->q, pmd, *table);
		*table = NULL;
	}
	spin_unlock(&mm->page_table_lock);
}

int __pte_alloc(struct mm_struct *mm, pmd_t *pmd)
{
	struct page *table = pte_alloc_one(mm);

	if (!table)
		return -ENOMEM;
	pmd_install(mm, pmd, &table);
	if (unlikely(table))
		pte_free(mm, table);
	return 0;
}

pte_t *get_locked_pte(struct mm_struct *mm, uaddr_t addr, spinlock_t **ptl)
{
	p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, addr), addr);
	pud_t *pud = p4d ? pud_alloc(mm, p4d, addr) : NULL;
	pmd_t *pmd = pud ? pmd_alloc(mm, pud, addr) : NULL;

	if (!pmd || (pmd_none(pmdp_get(pmd)) && __pte_alloc(mm, pmd)))
		return NULL;
	*ptl = pte_lockptr(mm->q, pmdp_get(pmd));
	spin_lock(*ptl);
	return pte_offset_map(mm->q, pmd, addr);
}

pmd_t *mm_find_pmd(struct mm_struct *mm, uaddr_t addr)
{
	pmd_t *pmd = walk_to_pmd(mm, addr);

	return pmd && !pmd_none(pmdp_get(pmd)) ? pmd : NULL;
}

/* ---------------------------------------------------------------- freeing */

/*
 * May the table that covers `size` bytes around addr go?  Only if it lies
 * wholly between the mappings that stay: [floor, ceiling), 0 meaning the end
 * of all addresses.
 */
static bool table_is_outside(uaddr_t addr, uaddr_t size, uaddr_t floor,
			     uaddr_t ceiling)
{
	uaddr_t first = addr & ~(size - 1);

	return first >= floor && first + (size - 1) <= ceiling - 1;
}

static void free_pmd_range(struct mmu_gather *tlb, pud_t *pud, uaddr_t addr,
			   uaddr_t end, uaddr_t floor, uaddr_t ceiling)
{
	struct quire *q = tlb->mm->q;
	pmd_t *pmd = pmd_offset(q, pud, addr);
	uaddr_t next;
	pmd_t e;

	do {
		next = pmd_addr_end(addr, end);
		e = pmdp_get(pmd);
		if (pmd_none(e) ||
		    !table_is_outside(addr, PMD_SIZE, floor, ceiling))
			continue;
		pmd_clear(pmd);
		tlb_remove_table(tlb, pmd_page(q, e));
	} while (pmd++, addr = next, addr != end);
}

static void free_pud_range(struct mmu_gather *tlb, p4d_t *p4d, uaddr_t addr,
			   uaddr_t end, uaddr_t floor, uaddr_t ceiling)
{
	struct quire *q = tlb->mm->q;
	pud_t *pud = pud_offset(q, p4d, addr);
	uaddr_t next;
	pud_t e;

	do {
		next = pud_addr_end(addr, end);
		e = pudp_get(pud);
		if (pud_none(e))
			continue;
		free_pmd_range(tlb, pud, addr, next, floor, ceiling);
		if (pud_folded(q) || PGD_STATIC_PUDS ||
		    !table_is_outside(addr, PUD_SIZE, floor, ceiling))
			continue;
		pud_clear(pud);
		tlb_remove_table(tlb, pud_page(q, e));
	} while (pud++, addr = next, addr != end);
}

static void free_p4d_range(struct mmu_gather *tlb, pgd_t *pgd, uaddr_t addr,
			   uaddr_t end, uaddr_t floor, uaddr_t ceiling)
{
	struct quire *q = tlb->mm->q;
	p4d_t *p4d = p4d_offset(q, pgd, addr);
	uaddr_t next;
	p4d_t e;

	do {
		next = p4d_addr_end(addr, end);
		e = p4dp_get(p4d);
		if (p4d_none(e))
			continue;
		free_pud_range(tlb, p4d, addr, next, floor, ceiling);
		if (p4d_folded(q) ||
		    !table_is_outside(addr, P4D_SIZE, floor, ceiling))
			continue;
		p4d_clear(p4d);
		tlb_remove_table(tlb, p4d_page(q, e));
	} while (p4d++, addr = next, addr != end);
}

void free_pgd_range(struct mmu_gather *tlb, uaddr_t addr, uaddr_t end,
		    uaddr_t floor, uaddr_t ceiling)
{
	struct quire *q = tlb->mm->q;
	pgd_t *pgd = pgd_offset(tlb->mm, addr);
	uaddr_t next;
	pgd_t e;

	do {
		next = pgd_addr_end(addr, end);
		e = pgdp_get(pgd);
		if (pgd_none(q, e))
			continue;
		free_p4d_range(tlb, pgd, addr, next, floor, ceiling);
		if (pgd_folded(q) ||
		    !table_is_outside(addr, PGDIR_SIZE, floor, ceiling))
			continue;
		pgd_clear(pgd);
		tlb_remove_table(tlb, pgd_page(q, e));
	} while (pgd++, addr = next, addr != end);
}

void free_pgtables(struct mmu_gather *tlb, struct vm_area_struct *vma,
		   uaddr_t floor, uaddr_t ceiling)
{
	struct vm_area_struct *next;
	uaddr_t start, end;

	while (vma && (!ceiling || vma->vm_start < ceiling)) {
		start = vma->vm_start;
		end = vma->vm_end;
		next = vma_next(vma);
		/* neighbours in one table's reach: one walk for all */
		while (next && (!ceiling || next->vm_start < ceiling) &&
		       next->vm_start - end < PMD_SIZE) {
			end = next->vm_end;
			next = vma_next(next);
		}
		/*
		 * An upper table that reaches into the next group goes with
		 * the last group that it reaches: so the floor stays.
		 */
		if (next && ceiling && next->vm_start >= ceiling)
			next = NULL;
		free_pgd_range(tlb, start, end, floor,
			       next ? next->vm_start : ceiling);
		vma = next;
	}
}
