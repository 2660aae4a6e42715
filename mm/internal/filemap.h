/* SPDX-License-Identifier: MIT */
/*
 * filemap.h - the page cache: one address_space a file, its pages in a radix
 * tree by index (mm/pagetree.c), filled through the file system's operations.
 *
 * tree_lock (CACHE) guards the tree and nrpages; i_mmap_lock the tree of VMAs
 * that map the file.  A page in the tree holds one reference for it.
 */
#ifndef QUIRE_MM_FILEMAP_H
#define QUIRE_MM_FILEMAP_H

#include "mm.h"

#define PTREE_SHIFT 6
#define PTREE_SLOTS (1u << PTREE_SHIFT)
struct ptree_node {
	uint32_t used;		 /* slots that are not NULL */
	void *slot[PTREE_SLOTS]; /* nodes, or at height 1 pages */
};
struct page_tree {
	struct ptree_node *root;
	uint32_t height; /* levels of nodes: 0 when empty */
};

struct address_space {
	struct quire *q;
	const struct quire_aops *aops; /* NULL: shmem */
	void *host;
	uint64_t size; /* bytes; atomic */
	bool shmem;
	bool allocated;	    /* Quire's own (shared anonymous memory) */
	uint32_t refs;	    /* when allocated: VMAs that hold it; atomic */
	uint64_t ino;	    /* when allocated: its number in maps */
	uint64_t accounted; /* when allocated: pages promised (overcommit) */
	spinlock_t tree_lock;
	struct page_tree pages;
	unsigned long nrpages;
	/* MAPPING, outside i_mmap_lock: held for read from finding a device's
	 * frame or a DAX block to its entry, for write to take it away */
	struct rwsem frames_lock;
	struct rwsem i_mmap_lock;
	struct itree i_mmap; /* VMAs by their file pages: i_mmap_node */
	uint32_t i_mmap_writable;
	struct list_head mapping_list; /* in q->mapping_list */
	uint32_t wb_err; /* last write error, errseq-like (files issue) */
};

/* mm/pagetree.c; tree_lock held. insert: 0, -EEXIST, -ENOMEM (and nothing
 * changed).  Nodes come from q->ptree_cache without sleeping. */
struct page *page_tree_lookup(struct page_tree *t, uint64_t index);
int page_tree_insert(struct quire *q, struct page_tree *t, uint64_t index,
		     struct page *page);
struct page *page_tree_remove(struct quire *q, struct page_tree *t,
			      uint64_t index);
/* Up to n pages with index >= start, in order; returns how many. */
unsigned page_tree_gang(struct page_tree *t, uint64_t start,
			struct page **pages, unsigned n);

/* mm/filemap.c */
/* The cached page with a reference, or NULL. */
struct page *find_get_page(struct address_space *as, uint64_t index);
struct page *find_lock_page(struct address_space *as, uint64_t index);
/*
 * Put a fresh page in, locked, with a reference for the cache beside the
 * caller's: 0, -EEXIST or -ENOMEM (then the page is as before).
 */
int add_to_page_cache_lru(struct address_space *as, struct page *page,
			  uint64_t index);
void delete_from_page_cache(struct page *page); /* locked page */
/*
 * The page of index, read if need be, locked and up to date, with a reference.
 * *major: a read was waited for.  NULL and *err: -ENOMEM, -EIO, -EINTR
 * (killed).  Sleeps.
 */
struct page *get_uptodate_locked(struct address_space *as,
				 struct quire_file *file, uint64_t index,
				 bool *major, int *err);
/* A mapping or write made the page newer than its device; any lock state. */
static inline void set_page_dirty(struct quire *q, struct page *page)
{
	struct address_space *as = page->mapping;

	if (TestSetPageFlag(page, PG_dirty) || PageAnon(page) || !as)
		return;
	if (as->aops) { /* memory-only files have no device to be behind */
		mod_vmstat(q, VM_nr_dirty, 1);
		count_vm_event(q, VM_nr_dirtied);
	}
}
vm_fault_t filemap_fault(struct vm_fault *vmf);
/*
 * F6: map what is cached of [start, end] (file pages, both inclusive; inside
 * the table of vmf->pmd) without waiting.  NOPAGE: vmf->address is among it.
 */
vm_fault_t filemap_map_pages(struct vm_fault *vmf, uint64_t start,
			     uint64_t end);
extern const struct vm_operations_struct filemap_vm_ops;
/* mm/page_lock.c: unlock by whoever ends an I/O, not by the one who locked. */
void unlock_page_io(struct page *page);
/* mm/shmem.c */
/* The page of index, made if absent: locked, referenced; NULL: *err -ENOMEM. */
struct page *shmem_get_page(struct address_space *as, uint64_t index, int *err);
vm_fault_t shmem_fault(struct vm_fault *vmf);
extern const struct vm_operations_struct shmem_vm_ops;
/* Memory-only file for MAP_SHARED|MAP_ANONYMOUS, one reference; NULL: ENOMEM */
struct address_space *shmem_create_anon(struct quire *q, uint64_t size);
void mapping_get(struct address_space *as); /* allocated ones only */
void mapping_put(struct address_space *as);

#endif
