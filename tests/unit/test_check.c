/* SPDX-License-Identifier: MIT */
/*
 * quire_check() itself: each thing that can be wrong is made wrong, must be
 * found, and, put right again, must not be.
 */
#include <mm/internal/fault.h>
#include <mm/internal/filemap.h>
#include <mm/internal/rmap.h>
#include <tests/unit/common.h>

/* A system with one of everything in it. */
struct rig {
	struct quire *q;
	struct sim_task *t, *child;
	struct sim_file *f;
	uaddr_t anon, file, shared;
	struct mm_struct *mm;
	struct page *page;  /* mapped by t and its child */
	struct page *fpage; /* of the file, mapped */
	struct page *host;
	struct vm_area_struct *vma;
};

static void build(struct rig *r, struct sim_machine *m)
{
	paddr_t p;

	r->q = sim_quire(m);
	r->t = sim_task_create(m);
	r->f = sim_file_create(m, "f", 16 * PG, 3);
	REQUIRE(r->t && r->f);
	r->anon = anon(r->t, 8);
	r->file = must_map(r->t, 8 * PG, PROT_READ, MAP_PRIVATE, r->f, 0);
	r->shared = must_map(r->t, 8 * PG, RW, SHANON, NULL, 0);
	CHECK_EQ(sim_touch_write(r->t, r->anon, 8 * PG, 1), 0);
	CHECK_EQ(sim_touch_read(r->t, r->file, 8 * PG), 0);
	CHECK_EQ(sim_touch_write(r->t, r->shared, 8 * PG, 1), 0);
	r->child = sim_fork(r->t);
	REQUIRE(r->child);
	r->mm = r->t->qt.mm;
	p = frame_of(r->t, r->anon);
	r->page = quire_phys_page(r->q, p);
	p = frame_of(r->t, r->file);
	r->fpage = quire_phys_page(r->q, p);
	r->host = quire_alloc_pages(r->q, QUIRE_GFP_KERNEL, 1);
	r->vma = find_vma(r->mm, r->anon);
	REQUIRE(r->page && r->fpage && r->host && r->vma);
	lru_add_drain(r->q);
	CHECK_EQ(quire_check(r->q), 0);
}

static void tear_down(struct rig *r)
{
	CHECK_EQ(quire_check(r->q), 0);
	quire_free_pages(r->q, r->host, 1);
	sim_exit(r->child);
	sim_exit(r->t);
	sim_file_close(r->f);
}

/* Break it, look, mend it, look again. */
#define FOUND(breaks, mends)                                                   \
	do {                                                                   \
		test_context("%s", #breaks);                                   \
		breaks;                                                        \
		CHECK(quire_check(r.q) > 0);                                   \
		mends;                                                         \
		CHECK_EQ(quire_check(r.q), 0);                                 \
		test_context("%s", "");                                        \
	} while (0)

TEST(check_finds_wrong_pages)
{
	struct rig r;
	struct page *spare;

	build(&r, m);
	sim_quiet(m, true);
	FOUND(r.page->_mapcount++, r.page->_mapcount--);
	FOUND(r.page->_mapcount--, r.page->_mapcount++);
	FOUND(r.page->_refcount++, r.page->_refcount--);
	FOUND(r.fpage->_refcount--, r.fpage->_refcount++);
	FOUND(r.page->index++, r.page->index--);
	FOUND(r.page->pins++, r.page->pins--);
	FOUND(r.fpage->index += 3, r.fpage->index -= 3);
	FOUND(r.host->_refcount++, r.host->_refcount--);
	FOUND(ClearPageFlag(r.host, PG_host), SetPageFlag(r.host, PG_host));
	FOUND(ClearPageFlag(r.page, PG_lru), SetPageFlag(r.page, PG_lru));
	FOUND(SetPageFlag(r.page, PG_active), ClearPageFlag(r.page, PG_active));
	FOUND(SetPageFlag(r.fpage, PG_locked),
	      ClearPageFlag(r.fpage, PG_locked));
	FOUND(ClearPageFlag(virt_to_page(r.q, r.mm->pgd), PG_table),
	      SetPageFlag(virt_to_page(r.q, r.mm->pgd), PG_table));
	/* allocated, and nobody has it: a leak */
	FOUND(spare = alloc_pages_quiet(r.q, GFP_KERNEL, 0),
	      put_page(r.q, spare));
	/* on the free list, and in use */
	FOUND(r.q->cpu[0]->pcp.pages[r.q->cpu[0]->pcp.count++] = r.page,
	      r.q->cpu[0]->pcp.count--);
	/* lost from the free list */
	FOUND(r.q->cpu[0]->pcp.count--, r.q->cpu[0]->pcp.count++);
	tear_down(&r);
}

TEST(check_finds_wrong_tables)
{
	struct rig r;
	spinlock_t *ptl;
	pte_t *pte, old;

	build(&r, m);
	sim_quiet(m, true);
	pte = get_locked_pte(r.mm, r.anon, &ptl);
	REQUIRE(pte);
	spin_unlock(ptl);
	old = *pte;
	/* gone, without its page's knowing */
	FOUND(pte->v = 0, *pte = old);
	/* writable while it is shared with the child */
	FOUND(*pte = pte_mkwrite(old), *pte = old);
	/* another page than the one that is meant */
	FOUND(*pte = pfn_pte(page_to_pfn(r.q, r.host),
			     protection_map(r.q, VM_READ)),
	      *pte = old);
	/* an entry where no VMA is */
	FOUND(r.vma->vm_start += 4096;
	      r.vma->vm_pgoff++, r.vma->vm_start -= 4096; r.vma->vm_pgoff--);
	FOUND(r.mm->pgtables_bytes += 4096, r.mm->pgtables_bytes -= 4096);
	tear_down(&r);
}

TEST(check_finds_wrong_counts)
{
	struct rig r;

	build(&r, m);
	sim_quiet(m, true);
	FOUND(r.mm->cpu[0].rss[MM_ANONPAGES]++,
	      r.mm->cpu[0].rss[MM_ANONPAGES]--);
	FOUND(r.mm->cpu[0].rss[MM_FILEPAGES]--,
	      r.mm->cpu[0].rss[MM_FILEPAGES]++);
	FOUND(r.mm->cpu[0].rss[MM_SHMEMPAGES]++,
	      r.mm->cpu[0].rss[MM_SHMEMPAGES]--);
	FOUND(r.mm->total_vm++, r.mm->total_vm--);
	FOUND(r.mm->data_vm++, r.mm->data_vm--);
	FOUND(r.mm->map_count++, r.mm->map_count--);
	FOUND(r.q->vm_committed++, r.q->vm_committed--);
	FOUND(mod_vmstat(r.q, VM_nr_anon_pages, 1),
	      mod_vmstat(r.q, VM_nr_anon_pages, -1));
	FOUND(mod_vmstat(r.q, VM_nr_mapped, 1),
	      mod_vmstat(r.q, VM_nr_mapped, -1));
	FOUND(mod_vmstat(r.q, VM_nr_file_pages, 1),
	      mod_vmstat(r.q, VM_nr_file_pages, -1));
	FOUND(mod_vmstat(r.q, VM_nr_shmem, 1),
	      mod_vmstat(r.q, VM_nr_shmem, -1));
	FOUND(mod_vmstat(r.q, VM_nr_slab, 1), mod_vmstat(r.q, VM_nr_slab, -1));
	FOUND(mod_vmstat(r.q, VM_nr_page_table_pages, 1),
	      mod_vmstat(r.q, VM_nr_page_table_pages, -1));
	FOUND(r.q->node[0].nr_free++, r.q->node[0].nr_free--);
	FOUND(r.q->node[0].nr_free_order[3]++, r.q->node[0].nr_free_order[3]--);
	FOUND(r.q->node[0].state.pages[QUIRE_LRU_FILE][0]++,
	      r.q->node[0].state.pages[QUIRE_LRU_FILE][0]--);
	FOUND(sim_file_mapping(r.f)->nrpages++,
	      sim_file_mapping(r.f)->nrpages--);
	tear_down(&r);
}

TEST(check_finds_lost_objects)
{
	struct rig r;
	void *o;

	build(&r, m);
	sim_quiet(m, true);
	FOUND(o = kmem_cache_alloc(r.q->vma_cache, GFP_KERNEL),
	      kmem_cache_free(r.q->vma_cache, o));
	FOUND(o = kmem_cache_alloc(r.q->avc_cache, GFP_KERNEL),
	      kmem_cache_free(r.q->avc_cache, o));
	FOUND(o = kmem_cache_alloc(r.q->ptree_cache, GFP_KERNEL),
	      kmem_cache_free(r.q->ptree_cache, o));
	FOUND(r.vma->anon_vma->num_active_vmas++,
	      r.vma->anon_vma->num_active_vmas--);
	tear_down(&r);
}
