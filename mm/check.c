/* SPDX-License-Identifier: MIT */
/*
 * check.c - quire_check(): is everything what everything else says it is?
 *
 * Two passes.  The first walks each address space (VMAs, chains, tables) and
 * each file, counting for every frame how many entries map it and how many
 * references are accounted for.  The second (check_pages.c) walks all frames
 * and compares: no frame may be mapped, referenced or free otherwise than was
 * found.
 *
 * The system must be quiet; nothing is locked.  Pages that the host has pinned
 * (quire_get_user_pages) say so themselves.
 */
#include "check.h"
#include "fault.h"
#include "filemap.h"
#include "rmap.h"
#include "special.h"
#include "swap.h"

#define MAX_LOGGED 20u

void check_fail(struct quire_check *c, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	if (c->bad++ >= MAX_LOGGED)
		return;
	va_start(ap, fmt);
	(void)quire_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	quire_printk(3, "check: %s", text);
}

/* ---------------------------------------------------------- page tables */

struct mm_walk {
	struct quire_check *c;
	struct mm_struct *mm;
	struct vm_area_struct *vma; /* first that ends above the address */
	int64_t rss[NR_MM_COUNTERS];
	uint64_t tables;
};

static bool chained_to(const struct vm_area_struct *vma,
		       const struct anon_vma *av)
{
	const struct anon_vma_chain *avc;

	list_for_each_entry (avc, &vma->anon_vma_chain, struct anon_vma_chain,
			     same_vma)
		if (avc->anon_vma == av)
			return true;
	return false;
}

static void check_mapped_page(struct mm_walk *w, struct page *page, pte_t pte,
			      uaddr_t addr)
{
	struct vm_area_struct *vma = w->vma;
	struct quire_check *c = w->c;
	unsigned long long a = addr;

	check_of(c, page)->maps++;
	check_of(c, page)->refs++;
	if (vma->vm_flags & VM_LOCKED)
		check_of(c, page)->mlocks++;
	if (page->index != linear_page_index(vma, addr) && page->mapping)
		check_fail(c, "mm %u %llx: page index %llx is not its place",
			   w->mm->id, a, (unsigned long long)page->index);
	if (PageAnon(page)) {
		w->rss[MM_ANONPAGES]++;
		if (!chained_to(vma, (void *)((uintptr_t)page->mapping &
					      ~(uintptr_t)PAGE_MAPPING_ANON)))
			check_fail(c, "mm %u %llx: rmap would not find it",
				   w->mm->id, a);
		if (pte_write(pte) && page_mapcount(page) > 1)
			check_fail(c, "mm %u %llx: shared yet writable",
				   w->mm->id, a);
		return;
	}
	w->rss[PageFlag(page, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]++;
	/* a device's page of memory has no file and no place in one */
	if (page->mapping != vma->vm_mapping &&
	    (page->mapping || !(vma->vm_flags & VM_MIXEDMAP)))
		check_fail(c, "mm %u %llx: page of another file", w->mm->id, a);
	if (pte_write(pte) && !(vma->vm_flags & VM_SHARED))
		check_fail(c, "mm %u %llx: private file page is writable",
			   w->mm->id, a);
	if ((pte_write(pte) || pte_dirty(pte)) && page->mapping &&
	    !PageFlag(page, PG_dirty))
		check_fail(c, "mm %u %llx: stores to the file go unnoticed",
			   w->mm->id, a);
}

static void check_swap_pte(struct mm_walk *w, swp_entry_t entry)
{
	if (check_swap_entry(w->c, entry))
		w->rss[MM_SWAPENTS]++;
	if (is_device_private_entry(entry) &&
	    device_frame_valid(w->c->q, swp_offset(entry))) {
		w->rss[MM_ANONPAGES]++;
		w->c->device_entries++;
	}
}

static void check_pte(struct mm_walk *w, pte_t pte, uaddr_t addr)
{
	struct quire_check *c = w->c;
	struct page *page;

	if (pte_none(pte))
		return;
	while (w->vma && w->vma->vm_end <= addr)
		w->vma = vma_next(w->vma);
	if (!w->vma || w->vma->vm_start > addr) {
		check_fail(c, "mm %u %llx: an entry outside every mapping",
			   w->mm->id, (unsigned long long)addr);
		return;
	}
	if (!pte_present(pte)) {
		check_swap_pte(w, pte_to_swp_entry(pte));
		return;
	}
	if (pte_write(pte) && !(w->vma->vm_flags & VM_WRITE))
		check_fail(c, "mm %u %llx: writable in a read-only mapping",
			   w->mm->id, (unsigned long long)addr);
	page = vm_normal_page(w->vma, pte);
	if (page) {
		check_mapped_page(w, page, pte, addr);
		return;
	}
	if (pfn_valid(c->q, pte_pfn(pte)) &&
	    pte_page(c->q, pte) == c->q->zero_page && pte_write(pte))
		check_fail(c, "mm %u %llx: the zero page is writable",
			   w->mm->id, (unsigned long long)addr);
}

static void check_table(struct mm_walk *w, struct page *table)
{
	w->tables += 1u << table->order;
	check_of(w->c, table)->refs++;
	if (!PageFlag(table, PG_table) || table->pt_mm != w->mm)
		check_fail(w->c, "mm %u: table frame %llx is not its own",
			   w->mm->id,
			   (unsigned long long)page_to_pfn(w->c->q, table));
}

static void walk_pmd(struct mm_walk *w, pud_t *pud, uaddr_t addr, uaddr_t end)
{
	struct quire *q = w->c->q;
	pmd_t *pmd = pmd_offset(q, pud, addr);
	uaddr_t next;
	pte_t *pte;

	for (; addr != end; addr = next, pmd++) {
		next = pmd_addr_end(addr, end);
		if (pmd_none(pmdp_get(pmd)))
			continue;
		check_table(w, pmd_page(q, pmdp_get(pmd)));
		pte = pte_offset_map(q, pmd, addr);
		for (; addr < next; addr += (uaddr_t)PAGE_SIZE)
			check_pte(w, ptep_get(pte++), addr);
	}
}

static void walk_pud(struct mm_walk *w, p4d_t *p4d, uaddr_t addr, uaddr_t end)
{
	struct quire *q = w->c->q;
	pud_t *pud = pud_offset(q, p4d, addr);
	uaddr_t next;

	for (; addr != end; addr = next, pud++) {
		next = pud_addr_end(addr, end);
		if (pud_none(pudp_get(pud)))
			continue;
		if (!pud_folded(q))
			check_table(w, pud_page(q, pudp_get(pud)));
		walk_pmd(w, pud, addr, next);
	}
}

static void walk_p4d(struct mm_walk *w, pgd_t *pgd, uaddr_t addr, uaddr_t end)
{
	struct quire *q = w->c->q;
	p4d_t *p4d = p4d_offset(q, pgd, addr);
	uaddr_t next;

	for (; addr != end; addr = next, p4d++) {
		next = p4d_addr_end(addr, end);
		if (p4d_none(p4dp_get(p4d)))
			continue;
		if (!p4d_folded(q))
			check_table(w, p4d_page(q, p4dp_get(p4d)));
		walk_pud(w, p4d, addr, next);
	}
}

static void check_tables(struct mm_walk *w)
{
	struct quire *q = w->c->q;
	uaddr_t addr = 0, end = ALIGN_UP(w->mm->task_size, (uaddr_t)PMD_SIZE);
	pgd_t *pgd = pgd_offset(w->mm, 0);
	static const char *const kind[] = {"file", "anon", "swap", "shmem"};
	uaddr_t next;
	unsigned i;

	w->vma = vma_first(w->mm);
	check_table(w, virt_to_page(q, w->mm->pgd));
	for (; addr != end; addr = next, pgd++) {
		next = pgd_addr_end(addr, end);
		if (pgd_none(q, pgdp_get(pgd)))
			continue;
		if (!pgd_folded(q))
			check_table(w, pgd_page(q, pgdp_get(pgd)));
		walk_p4d(w, pgd, addr, next);
	}
	for (i = 0; i < NR_MM_COUNTERS; i++)
		if ((int64_t)get_mm_counter(w->mm, (enum rss_type)i) !=
		    w->rss[i])
			check_fail(w->c, "mm %u: %s rss %llu, found %lld",
				   w->mm->id, kind[i],
				   (unsigned long long)get_mm_counter(
					   w->mm, (enum rss_type)i),
				   (long long)w->rss[i]);
	if ((uint64_t)w->mm->pgtables_bytes != w->tables * PAGE_SIZE)
		check_fail(w->c, "mm %u: pgtables_bytes %lld, found %llu pages",
			   w->mm->id, (long long)w->mm->pgtables_bytes,
			   (unsigned long long)w->tables);
}

/* ------------------------------------------------------------------ VMAs */

/* Is n in t, with the page indices that vma has? */
static bool spans_vma(const struct itree *t, const struct itree_node *n,
		      const struct vm_area_struct *vma)
{
	uint64_t first = vma->vm_pgoff, last = first + vma_pages(vma) - 1;
	struct itree_node *found;

	if (!itree_linked(n) || n->start != first || n->last != last)
		return false;
	itree_for_each(t, found, first, last) if (found == n) return true;
	return false;
}

static void check_chain(struct quire_check *c, struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;
	struct itree_node *n;
	uint64_t nodes;
	bool own = vma->anon_vma == NULL;
	uint32_t active = 0;

	list_for_each_entry (avc, &vma->anon_vma_chain, struct anon_vma_chain,
			     same_vma) {
		c->avcs++;
		if (avc->vma != vma)
			check_fail(c, "avc of %llx names another VMA",
				   (unsigned long long)vma->vm_start);
		own |= avc->anon_vma == vma->anon_vma;
		if (!spans_vma(&avc->anon_vma->chains, &avc->rb, vma))
			check_fail(c, "avc of %llx is misplaced in its tree",
				   (unsigned long long)vma->vm_start);
		if (avc->anon_vma->refcount == 0)
			check_fail(c, "avc of %llx: a freed anon_vma",
				   (unsigned long long)vma->vm_start);
	}
	if (!own)
		check_fail(c, "VMA %llx is not chained to its anon_vma",
			   (unsigned long long)vma->vm_start);
	if (!vma->anon_vma)
		return;
	if (itree_check(&vma->anon_vma->chains, &nodes))
		check_fail(c, "VMA %llx: its anon_vma's tree is broken",
			   (unsigned long long)vma->vm_start);
	itree_for_each(&vma->anon_vma->chains, n, 0, UINT64_MAX)
	{
		avc = list_entry(n, struct anon_vma_chain, rb);
		active += avc->vma->anon_vma == vma->anon_vma;
	}
	if (active != vma->anon_vma->num_active_vmas)
		check_fail(c, "VMA %llx: %u active VMAs, anon_vma says %u",
			   (unsigned long long)vma->vm_start, active,
			   vma->anon_vma->num_active_vmas);
}

static void check_vma(struct quire_check *c, struct mm_struct *mm,
		      struct vm_area_struct *vma)
{
	unsigned long long a = vma->vm_start;

	c->vmas++;
	if (vma->vm_flags & VM_ACCOUNT)
		c->committed += vma_pages(vma);
	if (vma->vm_mm != mm)
		check_fail(c, "VMA %llx is of another mm", a);
	if (vma->vm_start >= vma->vm_end || vma->vm_end > mm->task_size ||
	    !IS_ALIGNED(vma->vm_start | vma->vm_end, (uaddr_t)PAGE_SIZE))
		check_fail(c, "VMA %llx-%llx: impossible extent", a,
			   (unsigned long long)vma->vm_end);
	if (vma->vm_mapping &&
	    !spans_vma(&vma->vm_mapping->i_mmap, &vma->i_mmap_node, vma))
		check_fail(c, "VMA %llx is missing from its file's tree", a);
	check_chain(c, vma);
}

static void check_mm(struct quire_check *c, struct mm_struct *mm)
{
	struct mm_walk w = {.c = c, .mm = mm};
	uint64_t total = 0, data = 0, stack = 0, exec = 0, locked = 0;
	struct vm_area_struct *vma;
	uint32_t n = 0;
	vm_flags_t f;

	c->mms++;
	c->bad += vma_tree_check(mm);
	for_each_vma (mm, vma) {
		check_vma(c, mm, vma);
		f = vma->vm_flags;
		n++;
		total += vma_pages(vma);
		if ((f & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC)
			exec += vma_pages(vma);
		else if (f & VM_GROWSDOWN)
			stack += vma_pages(vma);
		else if ((f & (VM_WRITE | VM_SHARED)) == VM_WRITE)
			data += vma_pages(vma);
		if (f & VM_LOCKED)
			locked += vma_pages(vma);
	}
	if (n != mm->map_count || n != mm->vmas.count)
		check_fail(c, "mm %u: map_count %u, tree %u, found %u", mm->id,
			   mm->map_count, mm->vmas.count, n);
	if (total != mm->total_vm || data != mm->data_vm ||
	    stack != mm->stack_vm || exec != mm->exec_vm ||
	    locked != mm->locked_vm)
		check_fail(c,
			   "mm %u: total/data/stack/exec/locked pages are "
			   "%llu %llu %llu %llu %llu",
			   mm->id, (unsigned long long)total,
			   (unsigned long long)data, (unsigned long long)stack,
			   (unsigned long long)exec,
			   (unsigned long long)locked);
	check_tables(&w);
	c->tables += w.tables;
}

/* ----------------------------------------------------------------- files */

/* Nodes of a page tree; at most 11 levels. */
static uint64_t count_nodes(const struct ptree_node *n, uint32_t height)
{
	uint64_t sum = 1;
	unsigned i;

	if (!n)
		return 0;
	for (i = 0; height > 1 && i < PTREE_SLOTS; i++)
		sum += count_nodes(n->slot[i], height - 1);
	return sum;
}

static void check_mapping(struct quire_check *c, struct address_space *as)
{
	struct itree_node *node;
	uint64_t vmas;
	struct vm_area_struct *vma;
	struct page *page;
	uint64_t n = 0, index = 0;

	c->committed += as->accounted;
	while (page_tree_gang(&as->pages, index, &page, 1)) {
		n++;
		check_of(c, page)->refs++;
		if (page->mapping != as || page->index < index)
			check_fail(c, "cached page %llx: wrong file or place",
				   (unsigned long long)page->index);
		/* (locked and not up to date: its read is under way) */
		if (PageFlag(page, PG_locked) && PageUptodate(page))
			check_fail(c, "cached page %llx is locked",
				   (unsigned long long)page->index);
		check_page_writeback(c, as, page);
		index = page->index + 1;
		if (index == 0)
			break;
	}
	check_mapping_writeback(c, as);
	check_shmem_values(c, as);
	if (n != as->nrpages)
		check_fail(c, "file has %llu pages, nrpages %llu",
			   (unsigned long long)n,
			   (unsigned long long)as->nrpages);
	if (itree_check(&as->i_mmap, &vmas))
		check_fail(c, "i_mmap of file %llx is broken",
			   (unsigned long long)as->ino);
	itree_for_each(&as->i_mmap, node, 0, UINT64_MAX)
	{
		vma = list_entry(node, struct vm_area_struct, i_mmap_node);
		if (vma->vm_mapping != as)
			check_fail(c, "i_mmap has VMA %llx of another file",
				   (unsigned long long)vma->vm_start);
	}
	c->tree_nodes += count_nodes(as->pages.root, as->pages.height);
	c->cached += n;
	if (as->shmem)
		c->shmem += n;
}

void check_sum(struct quire_check *c, const char *name, uint64_t want,
	       int64_t have)
{
	if ((int64_t)want != have)
		check_fail(c, "%s is %lld, found %llu", name, (long long)have,
			   (unsigned long long)want);
}

/* Where to count: the debug build's own, or pages for the time being. */
static unsigned scratch_order(struct quire *q)
{
	uint64_t bytes = (q->max_pfn - q->min_pfn) * sizeof(struct check_count);
	unsigned order = 0;

	while (((uint64_t)PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

unsigned quire_check(struct quire *q)
{
	struct quire_check c = {.q = q, .count = q->check_scratch};
	struct page *scratch = NULL;
	struct address_space *as;
	struct mm_struct *mm;

	if (!c.count) {
		if (scratch_order(q) < MAX_ORDER)
			scratch = quire_alloc_pages(
				q, GFP_KERNEL | __GFP_NOWARN, scratch_order(q));
		if (!scratch) {
			quire_printk(3, "check: no memory to count in");
			return 1;
		}
		c.count = page_address(q, scratch);
	}
	memset(c.count, 0,
	       (size_t)(q->max_pfn - q->min_pfn) * sizeof(c.count[0]));
	list_for_each_entry (mm, &q->mm_list, struct mm_struct, mm_list)
		check_mm(&c, mm);
	list_for_each_entry (as, &q->mapping_list, struct address_space,
			     mapping_list)
		check_mapping(&c, as);
	check_swap(&c);
	check_wb_list(&c);
	check_page_waits(&c);
	check_slab(&c);
	check_lru(&c);
	check_frames(&c);

	check_sum(&c, "users of device memory", c.device_entries,
		  (int64_t)device_memory_users(q));
	check_sum(&c, "nr_file_pages", c.cached,
		  vmstat_sum(q, VM_nr_file_pages));
	check_sum(&c, "nr_shmem", c.shmem, vmstat_sum(q, VM_nr_shmem));
	check_sum(&c, "nr_page_table_pages", c.tables,
		  vmstat_sum(q, VM_nr_page_table_pages));
	check_sum(&c, "VMAs in use", c.vmas,
		  (int64_t)kmem_cache_inuse(q->vma_cache));
	check_sum(&c, "anon_vma_chains in use", c.avcs,
		  (int64_t)kmem_cache_inuse(q->avc_cache));
	check_sum(&c, "mms in use", c.mms,
		  (int64_t)kmem_cache_inuse(q->mm_cache));
	check_sum(&c, "page-tree nodes in use", c.tree_nodes,
		  (int64_t)kmem_cache_inuse(q->ptree_cache));
	check_sum(&c, "vm_committed", c.committed, q->vm_committed);
	if (scratch)
		quire_free_pages(q, scratch, scratch_order(q));
	return c.bad;
}
