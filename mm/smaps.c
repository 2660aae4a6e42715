/* SPDX-License-Identifier: MIT */
/*
 * smaps.c - what each mapping costs (M5): /proc/PID/smaps, as proc(5) has it.
 *
 * Every entry of a VMA is looked at.  A page that n entries map counts as one
 * n-th in Pss, in steps of 2^-12 of a byte, so that the sum over all processes
 * is the memory in use.
 *
 * Locks: mmap_lock for read, each table's lock, tree_lock inside.
 */
#include "fault.h"
#include "filemap.h"
#include "maps.h"
#include "swap.h"

#define PSS_SHIFT 12

struct mem_size {
	uint64_t rss, pss, pss_dirty; /* pss: bytes << PSS_SHIFT */
	uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t referenced, anonymous, lazyfree, swap;
	uint64_t swap_pss; /* bytes << PSS_SHIFT */
};

static void smaps_page(struct mem_size *s, const struct page *page, pte_t pte)
{
	uint32_t n = MAX(page_mapcount(page), 1u);
	uint64_t pss = divide((uint64_t)PAGE_SIZE << PSS_SHIFT, n);
	bool dirty = pte_dirty(pte) || PageFlag(page, PG_dirty);

	s->rss += PAGE_SIZE;
	s->pss += pss;
	if (dirty)
		s->pss_dirty += pss;
	if (PageAnon(page)) {
		s->anonymous += PAGE_SIZE;
		if (!PageFlag(page, PG_swapbacked) && !dirty)
			s->lazyfree += PAGE_SIZE;
	}
	if (pte_young(pte) || PageFlag(page, PG_referenced))
		s->referenced += PAGE_SIZE;
	if (n > 1)
		*(dirty ? &s->shared_dirty : &s->shared_clean) += PAGE_SIZE;
	else
		*(dirty ? &s->private_dirty : &s->private_clean) += PAGE_SIZE;
}

/* An entry that names a slot, which others may have as well. */
static void smaps_swap(struct mem_size *s, struct quire *q, swp_entry_t entry)
{
	uint32_t n;

	if (!swap_entry_is_slot(entry))
		return;
	n = MAX(swap_users(q, entry), 1u);
	s->swap += PAGE_SIZE;
	s->swap_pss += divide((uint64_t)PAGE_SIZE << PSS_SHIFT, n);
}

/*
 * [start, end) of the VMA, where no entries are: what of shared memory is in
 * swap has none.  It is nobody's share, as on Linux.
 */
static void smaps_shmem_swap(struct mem_size *s, struct vm_area_struct *vma,
			     uaddr_t start, uaddr_t end)
{
	uint64_t first = linear_page_index(vma, start);
	struct address_space *as = vma->vm_mapping;

	if (as && as->shmem && READ_ONCE(as->nrswapped))
		s->swap += shmem_swapped(as, first,
					 first + ((end - start) >> PAGE_SHIFT))
			   << PAGE_SHIFT;
}

static void smaps_gather(struct mem_size *s, struct vm_area_struct *vma)
{
	/* (may it have copies, which take the places of the file's pages?) */
	bool copies = (vma->vm_flags & (VM_SHARED | VM_WRITE)) == VM_WRITE;
	struct quire *q = vma->vm_mm->q;
	uaddr_t addr = vma->vm_start, next;
	spinlock_t *ptl;
	pmd_t *pmd;
	pte_t *ptep;

	for (; addr < vma->vm_end; addr = next) {
		next = pmd_addr_end(addr, vma->vm_end);
		pmd = mm_find_pmd(vma->vm_mm, addr);
		if (!pmd) {
			if (copies)
				smaps_shmem_swap(s, vma, addr, next);
			continue;
		}
		ptl = pte_lockptr(q, pmdp_get(pmd));
		spin_lock(ptl);
		ptep = pte_offset_map(q, pmd, addr);
		for (; addr < next; addr += (uaddr_t)PAGE_SIZE, ptep++) {
			pte_t pte = ptep_get(ptep);
			struct page *page = NULL;

			if (is_swap_pte(pte))
				smaps_swap(s, q, pte_to_swp_entry(pte));
			else if (pte_present(pte))
				page = vm_normal_page(vma, pte);
			else if (copies && pte_none(pte))
				smaps_shmem_swap(s, vma, addr,
						 addr + (uaddr_t)PAGE_SIZE);
			if (page)
				smaps_page(s, page, pte);
		}
		spin_unlock(ptl);
	}
	if (!copies)
		smaps_shmem_swap(s, vma, vma->vm_start, vma->vm_end);
}

static const struct {
	vm_flags_t flag;
	char name[3];
} vm_flag_names[] = {
	{VM_READ, "rd"},       {VM_WRITE, "wr"},       {VM_EXEC, "ex"},
	{VM_SHARED, "sh"},     {VM_MAYREAD, "mr"},     {VM_MAYWRITE, "mw"},
	{VM_MAYEXEC, "me"},    {VM_MAYSHARE, "ms"},    {VM_GROWSDOWN, "gd"},
	{VM_PFNMAP, "pf"},     {VM_LOCKED, "lo"},      {VM_IO, "io"},
	{VM_SEQ_READ, "sr"},   {VM_RAND_READ, "rr"},   {VM_DONTCOPY, "dc"},
	{VM_DONTEXPAND, "de"}, {VM_LOCKONFAULT, "lf"}, {VM_ACCOUNT, "ac"},
	{VM_NORESERVE, "nr"},  {VM_HUGETLB, "ht"},     {VM_SYNC, "sf"},
	{VM_WIPEONFORK, "wf"}, {VM_DONTDUMP, "dd"},    {VM_SOFTDIRTY, "sd"},
	{VM_MIXEDMAP, "mm"},   {VM_HUGEPAGE, "hg"},    {VM_NOHUGEPAGE, "nh"},
	{VM_MERGEABLE, "mg"},
};

static void put_kb(struct text *t, const char *label, uint64_t bytes)
{
	text_printf(t, "%-16s%8llu kB\n", label,
		    (unsigned long long)(bytes >> 10));
}

static void smaps_vma(struct text *t, struct vm_area_struct *vma)
{
	struct mem_size s = {.rss = 0};
	unsigned i;

	smaps_gather(&s, vma);
	text_vma_line(t, vma);
	put_kb(t, "Size:", vma->vm_end - vma->vm_start);
	put_kb(t, "KernelPageSize:", PAGE_SIZE);
	put_kb(t, "MMUPageSize:", PAGE_SIZE);
	put_kb(t, "Rss:", s.rss);
	put_kb(t, "Pss:", s.pss >> PSS_SHIFT);
	put_kb(t, "Pss_Dirty:", s.pss_dirty >> PSS_SHIFT);
	put_kb(t, "Shared_Clean:", s.shared_clean);
	put_kb(t, "Shared_Dirty:", s.shared_dirty);
	put_kb(t, "Private_Clean:", s.private_clean);
	put_kb(t, "Private_Dirty:", s.private_dirty);
	put_kb(t, "Referenced:", s.referenced);
	put_kb(t, "Anonymous:", s.anonymous);
	put_kb(t, "KSM:", 0);
	put_kb(t, "LazyFree:", s.lazyfree);
	put_kb(t, "AnonHugePages:", 0);
	put_kb(t, "ShmemPmdMapped:", 0);
	put_kb(t, "FilePmdMapped:", 0);
	put_kb(t, "Shared_Hugetlb:", 0);
	put_kb(t, "Private_Hugetlb:", 0);
	put_kb(t, "Swap:", s.swap);
	put_kb(t, "SwapPss:", s.swap_pss >> PSS_SHIFT);
	put_kb(t,
	       "Locked:", vma->vm_flags & VM_LOCKED ? s.pss >> PSS_SHIFT : 0);
	text_printf(t, "%-16s%8u\n", "THPeligible:", 0u);
	text_printf(t, "VmFlags: ");
	for (i = 0; i < ARRAY_LEN(vm_flag_names); i++)
		if (vma->vm_flags & vm_flag_names[i].flag)
			text_printf(t, "%s ", vm_flag_names[i].name);
	text_printf(t, "\n");
}

int quire_smaps(struct mm_struct *mm, quire_emit_fn emit, void *cookie)
{
	return emit_vmas(mm, smaps_vma, emit, cookie);
}
