/* SPDX-License-Identifier: MIT */
/*
 * anon_vma.c - families of VMAs that may share anonymous pages.
 *
 * A page that a fault makes in VMA P points at P's anon_vma, A.  After fork
 * the child's VMA C may map the same page; pages that C makes itself belong to
 * its own anon_vma, B.  So C is chained to both, and whoever holds a page of A
 * finds P and C, of B only C:
 *
 *      VMA P --avc-- A --avc-- VMA C
 *                              |
 *                    B --avc---+        B.parent = A, B.root = A
 *
 * Each crossing is one struct anon_vma_chain: on the VMA's list (guarded by
 * mmap_lock) and in the anon_vma's interval tree, by the page indices that the
 * VMA has (guarded by the root's rwsem, one lock for the whole family), so
 * that a page finds the few VMAs that reach it among thousands.  An anon_vma
 * left without VMAs and with one child at most is taken over by the next fork,
 * so that a chain of forks whose parents exit does not grow without end.
 *
 * Lifetime: an anon_vma is freed when no chain is on it and no child has it as
 * its root; refcount counts the children's hold on the root, and those who come
 * from a page (page_get_anon_vma).
 */
#include "rmap.h"
#include "swap_area.h"

static struct anon_vma *anon_vma_alloc(struct quire *q)
{
	struct anon_vma *av = kmem_cache_zalloc(q->anon_vma_cache, GFP_KERNEL);

	if (!av)
		return NULL;
	av->refcount = 1;
	av->root = av;
	av->parent = av;
	itree_init(&av->chains);
	rwsem_init(&av->rwsem, QUIRE_LOCK_ANON_VMA);
	return av;
}

/* Drop one hold; the last one frees it and its hold on the root. */
void put_anon_vma(struct quire *q, struct anon_vma *av)
{
	struct anon_vma *root = av->root;

	if (__atomic_sub_fetch(&av->refcount, 1u, __ATOMIC_ACQ_REL))
		return;
	/* page_get_anon_vma() may be looking at it */
	spin_lock(&q->anon_vma_gate);
	spin_unlock(&q->anon_vma_gate);
	kmem_cache_free(q->anon_vma_cache, av);
	if (root != av)
		put_anon_vma(q, root);
}

/*
 * While the page is locked nothing that was unmapped everywhere is mapped
 * again, and what is mapped keeps its family.  So where there is an entry left
 * at some moment inside the gate, the family was not freed before, and whoever
 * frees it comes through the gate after us.
 */
static struct anon_vma *get_family(struct quire *q, struct page *page,
				   const struct swap_slot *slot)
{
	struct anon_vma *av = NULL;
	uint32_t v;

	spin_lock(&q->anon_vma_gate);
	if (smp_load_acquire(&page->_mapcount) ||
	    (slot && smp_load_acquire(&slot->users))) {
		av = (struct anon_vma *)((uintptr_t)READ_ONCE(page->mapping) &
					 ~(uintptr_t)PAGE_MAPPING_ANON);
		v = READ_ONCE(av->refcount);
		while (v && !__atomic_compare_exchange_n(
				    &av->refcount, &v, v + 1, true,
				    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			;
		if (!v) /* its last entry has just gone */
			av = NULL;
	}
	spin_unlock(&q->anon_vma_gate);
	return av;
}

struct anon_vma *page_get_anon_vma(struct quire *q, struct page *page)
{
	return get_family(q, page, NULL);
}

/* A swap entry keeps the family as one that maps the page does. */
struct anon_vma *page_get_swapped_anon_vma(struct quire *q, struct page *page)
{
	return get_family(q, page, swap_slot_of(q, page_swap_entry(page)));
}

static void avc_insert(struct anon_vma_chain *avc)
{
	const struct vm_area_struct *vma = avc->vma;

	itree_insert(&avc->anon_vma->chains, &avc->rb, vma->vm_pgoff,
		     vma->vm_pgoff + vma_pages(vma) - 1);
}

static void avc_link(struct vm_area_struct *vma, struct anon_vma_chain *avc,
		     struct anon_vma *av)
{
	avc->vma = vma;
	avc->anon_vma = av;
	list_add(&avc->same_vma, &vma->anon_vma_chain);
	itree_node_init(&avc->rb);
	avc_insert(avc);
}

void anon_vma_tree_pre_update(struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;

	list_for_each_entry (avc, &vma->anon_vma_chain, struct anon_vma_chain,
			     same_vma)
		itree_remove(&avc->anon_vma->chains, &avc->rb);
}

void anon_vma_tree_post_update(struct vm_area_struct *vma)
{
	struct anon_vma_chain *avc;

	list_for_each_entry (avc, &vma->anon_vma_chain, struct anon_vma_chain,
			     same_vma)
		avc_insert(avc);
}

/* Could a and its neighbour b above have been one VMA but for protection? */
static bool anon_vma_compatible(const struct vm_area_struct *a,
				const struct vm_area_struct *b)
{
	return a->vm_end == b->vm_start && a->vm_file == b->vm_file &&
	       a->vm_mapping == b->vm_mapping &&
	       !((a->vm_flags ^ b->vm_flags) &
		 ~(VM_ACCESS_FLAGS | VM_SOFTDIRTY)) &&
	       b->vm_pgoff == a->vm_pgoff + vma_pages(a);
}

/*
 * A neighbour's anon_vma that vma may use too, so that the two can merge one
 * day; only one that no fork has chained (then the VMA has a single link).
 */
static struct anon_vma *find_mergeable_anon_vma(struct vm_area_struct *vma)
{
	struct vm_area_struct *near[2] = {vma_next(vma), vma_prev(vma)};
	struct anon_vma *av;
	unsigned i;

	for (i = 0; i < 2; i++) {
		if (!near[i])
			continue;
		if (i == 0 ? !anon_vma_compatible(vma, near[0])
			   : !anon_vma_compatible(near[1], vma))
			continue;
		av = smp_load_acquire(&near[i]->anon_vma);
		if (av && near[i]->anon_vma_chain.next->next ==
				  &near[i]->anon_vma_chain)
			return av;
	}
	return NULL;
}

int __anon_vma_prepare(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	struct quire *q = mm->q;
	struct anon_vma *av, *fresh = NULL;
	struct anon_vma_chain *avc;

	might_sleep();
	avc = kmem_cache_alloc(q->avc_cache, GFP_KERNEL);
	if (!avc)
		return -ENOMEM;
	av = find_mergeable_anon_vma(vma);
	if (!av) {
		quire_step("the mapping's first own page: a family for it");
		av = fresh = anon_vma_alloc(q);
		if (!av) {
			kmem_cache_free(q->avc_cache, avc);
			return -ENOMEM;
		}
		av->num_children = 1; /* itself */
	}
	down_write(&av->root->rwsem);
	/* two faults of one VMA may come here at once: one wins */
	spin_lock(&mm->page_table_lock);
	if (!vma->anon_vma) {
		avc_link(vma, avc, av);
		av->num_active_vmas++;
		smp_store_release(&vma->anon_vma, av);
		avc = NULL;
		fresh = NULL;
	}
	spin_unlock(&mm->page_table_lock);
	up_write(&av->root->rwsem);

	if (avc)
		kmem_cache_free(q->avc_cache, avc);
	if (fresh)
		put_anon_vma(q, fresh);
	return 0;
}

int anon_vma_clone(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	struct quire *q = src->vm_mm->q;
	struct anon_vma_chain *from, *avc;
	struct anon_vma *av;
	struct list_head *pos;

	/* oldest link first, so that dst's list has src's order */
	for (pos = src->anon_vma_chain.prev; pos != &src->anon_vma_chain;
	     pos = pos->prev) {
		from = list_entry(pos, struct anon_vma_chain, same_vma);
		avc = kmem_cache_alloc(q->avc_cache, GFP_KERNEL);
		if (!avc)
			goto nomem;
		av = from->anon_vma;
		down_write(&av->root->rwsem);
		avc_link(dst, avc, av);
		/* fork only: take over one that nobody's new pages go to */
		if (!dst->anon_vma && src->anon_vma && av != src->anon_vma &&
		    av->num_children < 2 && av->num_active_vmas == 0)
			dst->anon_vma = av;
		up_write(&av->root->rwsem);
	}
	if (dst->anon_vma) {
		down_write(&dst->anon_vma->root->rwsem);
		dst->anon_vma->num_active_vmas++;
		up_write(&dst->anon_vma->root->rwsem);
	}
	return 0;
nomem:
	/* not counted as active yet, so unlinking must not count it off */
	dst->anon_vma = NULL;
	unlink_anon_vmas(dst);
	return -ENOMEM;
}

int anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *pvma)
{
	struct quire *q = vma->vm_mm->q;
	struct anon_vma_chain *avc;
	struct anon_vma *av;

	vma->anon_vma = NULL;
	if (!pvma->anon_vma)
		return 0;
	if (anon_vma_clone(vma, pvma))
		return -ENOMEM;
	if (vma->anon_vma) /* one was taken over */
		return 0;

	av = anon_vma_alloc(q);
	if (!av)
		goto unlink;
	avc = kmem_cache_alloc(q->avc_cache, GFP_KERNEL);
	if (!avc)
		goto free;
	av->root = pvma->anon_vma->root;
	av->parent = pvma->anon_vma;
	av->num_active_vmas = 1;
	__atomic_fetch_add(&av->root->refcount, 1u, __ATOMIC_RELAXED);
	down_write(&av->root->rwsem);
	vma->anon_vma = av;
	avc_link(vma, avc, av);
	av->parent->num_children++;
	up_write(&av->root->rwsem);
	return 0;
free:
	put_anon_vma(q, av);
unlink:
	unlink_anon_vmas(vma);
	return -ENOMEM;
}

void unlink_anon_vmas(struct vm_area_struct *vma)
{
	struct quire *q = vma->vm_mm->q;
	struct anon_vma_chain *avc;
	struct anon_vma *av, *root;
	bool empty;

	if (vma->anon_vma) {
		root = vma->anon_vma->root;
		down_write(&root->rwsem);
		vma->anon_vma->num_active_vmas--;
		up_write(&root->rwsem);
	}
	/*
	 * From the list's head, the youngest anon_vma first: a parent then
	 * still has its own link (is not freed) while its child goes.
	 */
	while (!list_empty(&vma->anon_vma_chain)) {
		avc = list_first_entry(&vma->anon_vma_chain,
				       struct anon_vma_chain, same_vma);
		av = avc->anon_vma;
		root = av->root;
		down_write(&root->rwsem);
		itree_remove(&av->chains, &avc->rb);
		empty = itree_empty(&av->chains);
		if (empty && av->parent != av)
			av->parent->num_children--;
		up_write(&root->rwsem);
		list_del(&avc->same_vma);
		kmem_cache_free(q->avc_cache, avc);
		if (empty)
			put_anon_vma(q, av);
	}
	vma->anon_vma = NULL;
}

bool is_mergeable_anon_vma(struct anon_vma *a, struct anon_vma *b,
			   struct vm_area_struct *vma)
{
	/* the one that takes over must not be chained to more by a fork */
	if ((!a || !b) &&
	    (!vma || list_empty(&vma->anon_vma_chain) ||
	     vma->anon_vma_chain.next->next == &vma->anon_vma_chain))
		return true;
	return a == b;
}
