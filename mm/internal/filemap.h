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
/*
 * What a page can be found by besides its index.  A bit of an inner node says
 * that some page below that slot has the tag.
 */
enum ptree_tag {
	PTREE_DIRTY,	 /* PG_dirty, and to be written back some day */
	PTREE_WRITEBACK, /* PG_writeback */
	PTREE_TOWRITE,	 /* dirty when a sync began: what it has to write */
	PTREE_TAGS
};
struct ptree_node {
	uint32_t used;		  /* slots that are not NULL */
	uint64_t tag[PTREE_TAGS]; /* a bit a slot */
	void *slot[PTREE_SLOTS];  /* nodes, or at height 1 pages and values */
};
/*
 * Besides pages the tree holds values: any pointer-sized number whose low bit
 * is set (shared memory's pages that are in swap: mm/shmem_swap.c).
 */
static inline bool ptree_is_value(const void *slot)
{
	return ((uintptr_t)slot & 1u) != 0;
}
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
	uint32_t number;    /* of all mappings, since boot: no other's */
	bool allocated;	    /* Quire's own (shared anonymous memory) */
	uint32_t refs;	    /* when allocated: VMAs that hold it; atomic */
	uint64_t ino;	    /* when allocated: its number in maps */
	uint64_t accounted; /* when allocated: pages promised (overcommit) */
	spinlock_t tree_lock;
	struct page_tree pages;
	unsigned long nrpages;
	unsigned long nrswapped; /* values: pages of shared memory in swap */
	uint32_t frozen; /* quire_mapping_freeze(); tree_lock, waited for */
	/* MAPPING, outside i_mmap_lock: held for read from finding a device's
	 * frame or a DAX block to its entry, for write to take it away */
	struct rwsem frames_lock;
	struct rwsem i_mmap_lock;
	struct itree i_mmap; /* VMAs by their file pages: i_mmap_node */
	uint32_t i_mmap_writable;
	struct list_head mapping_list; /* in q->mapping_list */

	/* write-back (writeback.h); the counts are tree_lock's */
	unsigned long nrdirty, nrwriteback; /* pages with those tags */
	uint32_t writers; /* write() calls under way; tree_lock */
	uint32_t wb_err;  /* last write error, as errseq; atomic */
	/* q->wb_lock: */
	struct list_head wb_list; /* in q->wb_list while wb_linked */
	uint64_t dirtied_when;	  /* ns: when it had no dirty page last */
	uint64_t wb_since;	  /* that time, when the pins are gone */
	uint32_t wb_pins;	  /* the flusher is at it; waited for */
	uint32_t wb_visit;	  /* the last walk that came by */
	uint32_t unuse_pins;	  /* swapoff is at it (mm_lock); waited for */
	bool dying;		  /* (mm_lock) and is to leave it alone */
	bool wb_linked, wb_dying;
	bool wb_busy; /* nrdirty || nrwriteback; changed under both locks */
};

/* Has the file a device that its pages can be written to? */
static inline bool mapping_can_writeback(const struct address_space *as)
{
	return as->aops && (as->aops->writepage || as->aops->writepages);
}

/* The file's length now in pages; does it end before this one? */
static inline uint64_t file_pages(struct address_space *as)
{
	return (quire_mapping_get_size(as) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}
static inline bool beyond_end(struct address_space *as, uint64_t index)
{
	return index >= file_pages(as);
}

/* mm/pagetree.c; tree_lock held. insert: 0, -EEXIST, -ENOMEM (and nothing
 * changed).  Nodes come from q->ptree_cache without sleeping. */
struct page *page_tree_lookup(struct page_tree *t, uint64_t index);
int page_tree_insert(struct quire *q, struct page_tree *t, uint64_t index,
		     struct page *page);
/* Returns what was there, page or value; NULL: nothing. */
void *page_tree_remove(struct quire *q, struct page_tree *t, uint64_t index);
/* Up to n pages with index >= start, in order; returns how many. */
unsigned page_tree_gang(struct page_tree *t, uint64_t start,
			struct page **pages, unsigned n);
/*
 * Values: lookup and gang pass them over, insert finds the place taken.
 * page_tree_get: page, value or NULL.  page_tree_replace: put a page or value
 * in the place of one, which has no tags; returns what was there.
 * page_tree_gang_any: as page_tree_gang, values too, and where each one is.
 */
void *page_tree_get(struct page_tree *t, uint64_t index);
void *page_tree_replace(struct page_tree *t, uint64_t index, void *slot);
unsigned page_tree_gang_any(struct page_tree *t, uint64_t start, void **slots,
			    uint64_t *indices, unsigned n);

/*
 * Tags of pages that are in the tree; removal takes them all away.
 * page_tree_set_tag, _clear_tag: true when that changed something.
 * page_tree_gang_tag: as page_tree_gang, of pages with the tag, up to index
 * `last` (inclusive).  page_tree_retag: give what has tag `from` in [*index,
 * last] the tag `to` as well, at most max of them; *index is where to go on;
 * false when the range is done.
 */
bool page_tree_set_tag(struct page_tree *t, uint64_t index, enum ptree_tag tag);
bool page_tree_clear_tag(struct page_tree *t, uint64_t index,
			 enum ptree_tag tag);
bool page_tree_has_tag(const struct page_tree *t, uint64_t index,
		       enum ptree_tag tag);
unsigned page_tree_gang_tag(const struct page_tree *t, uint64_t start,
			    uint64_t last, enum ptree_tag tag,
			    struct page **pages, unsigned n);
bool page_tree_retag(struct page_tree *t, uint64_t *index, uint64_t last,
		     enum ptree_tag from, enum ptree_tag to, unsigned max);

/* mm/filemap.c */
/* The cached page with a reference, or NULL. */
struct page *find_get_page(struct address_space *as, uint64_t index);
struct page *find_lock_page(struct address_space *as, uint64_t index);
/*
 * mm/truncate.c.  mapping_zero_beyond_end: the file is to become longer, up to
 * pos at least, where something will be written: clear what mappings have
 * stored between its end and pos.  Not in shared memory, where Linux lets it
 * show.  Page lock; sleeps.
 */
void mapping_zero_beyond_end(struct address_space *as, uint64_t pos);
/* Up to n pages of [first, last] in order, a reference each. */
unsigned find_get_pages(struct address_space *as, uint64_t first, uint64_t last,
			struct page **pages, unsigned n);
/*
 * Put a fresh page in, locked, with a reference for the cache beside the
 * caller's: 0, -EEXIST, -ENOMEM or, while the mapping is frozen, -EAGAIN (then
 * the page is as before).
 */
int add_to_page_cache_lru(struct address_space *as, struct page *page,
			  uint64_t index);
void delete_from_page_cache(struct page *page); /* locked page */
/* The same if it is not dirty: true.  Locked, not under write-back. */
bool delete_clean_page(struct page *page);
/* mm/truncate.c: sleep until the mapping is not frozen (that is, a hole is
 * punched no more).  0, or -EINTR: a fatal signal came. */
int mapping_wait_thaw(struct address_space *as);
/*
 * The page of index, read if need be (it alone), locked and up to date, with a
 * reference.  *major: a read was waited for.  NULL and *err: -ENOMEM, -EIO,
 * -EINTR (killed), -ENXIO (the file ends before).  Sleeps.
 */
struct page *get_uptodate_locked(struct address_space *as,
				 struct quire_file *file, uint64_t index,
				 bool *major, int *err);
/*
 * For read(): the page of index up to date, with a reference, not locked; count
 * pages are wanted from there on, and are read ahead as the file's policy says.
 * NULL and *err as above.  Sleeps.
 */
struct page *filemap_read_page(struct address_space *as,
			       struct quire_file *file, uint64_t index,
			       uint32_t count, int *err);
/* Take a page out of its file if it is clean and nobody uses it but the cache
 * and the caller, who holds its lock: then two references are to be dropped. */
bool drop_cached_page(struct page *page);
vm_fault_t filemap_fault(struct vm_fault *vmf);
/*
 * F6: map what is cached of [start, end] (file pages, both inclusive; inside
 * the table of vmf->pmd) without waiting.  NOPAGE: vmf->address is among it.
 */
vm_fault_t filemap_map_pages(struct vm_fault *vmf, uint64_t start,
			     uint64_t end);
/* mm/file_fault.c: as vm_operations_struct.page_mkwrite */
vm_fault_t filemap_page_mkwrite(struct vm_fault *vmf);
extern const struct vm_operations_struct filemap_vm_ops;
/* mm/writeback.c: see writeback.h */
bool set_page_dirty(struct quire *q, struct page *page);
void cancel_dirty(struct address_space *as, struct page *page);
/*
 * mm/readahead.c.  No lock but mmap_lock is held; they sleep if memory or the
 * file system makes them, and never for the pages to arrive.
 *
 * page_cache_read: start to read req's page, which is not cached, and what the
 * policy adds to it (req: index, count, why, random, sequential are set).  0,
 * also when another has put the page in; -ENOMEM: not even that page could be
 * allocated; -EAGAIN: the mapping is frozen; -ENXIO: the file ends before.
 * page_cache_read_ahead: the same for what comes after `page`, of req->index,
 * when it has the mark, which is taken off.
 * start_read: one page, locked, is read; the I/O's end unlocks it.
 * page_cache_next_hole, _prev_hole: the first index from `index` up (down) that
 * is not cached; index + max (index - max) when the next `max` all are.  Down
 * from 0 is UINT64_MAX.
 */
int page_cache_read(struct address_space *as, struct quire_file *file,
		    struct quire_ra_request *req);
void page_cache_read_ahead(struct address_space *as, struct quire_file *file,
			   struct page *page, struct quire_ra_request *req);
void start_read(struct address_space *as, struct quire_file *file,
		struct page *page);
uint64_t page_cache_next_hole(struct address_space *as, uint64_t index,
			      uint32_t max);
uint64_t page_cache_prev_hole(struct address_space *as, uint64_t index,
			      uint32_t max);
/* mm/page_lock.c: unlock by whoever ends an I/O, not by the one who locked. */
void unlock_page_io(struct page *page);
/* mm/shmem.c */
/*
 * The page of index, brought back from swap if it is there, locked and with a
 * reference.  NULL: *err is 0 (it was never touched), -ENOMEM or -EIO.  Sleeps.
 * shmem_get_page: made if it was never touched.
 */
struct page *shmem_find_page(struct address_space *as, uint64_t index,
			     int *err);
struct page *shmem_get_page(struct address_space *as, uint64_t index, int *err);
vm_fault_t shmem_fault(struct vm_fault *vmf);
/*
 * mm/shmem_swap.c.  shmem_lookup: the page of index, locked and with a
 * reference, brought back from swap if it is there: 0, and *page is NULL if
 * there is none; -ENOMEM, -EIO.  *major: a read was started.  vmf (or NULL):
 * the fault that wants it, which may have to be repeated: -EINTR, the mmap_lock
 * was let go of, and the file is not to be touched any more.  Sleeps.
 * shmem_drop_value: what was found at index, a value, is not wanted any more:
 * false when something else is there by now.
 * shmem_value_cached: the page of a value that is in memory, with a reference;
 * NULL.  check_shmem_values: quire_check()'s part.
 */
int shmem_lookup(struct address_space *as, uint64_t index, struct vm_fault *vmf,
		 struct page **page, bool *major);
bool shmem_drop_value(struct address_space *as, uint64_t index, void *value);
struct page *shmem_value_cached(struct address_space *as, uint64_t index);
struct quire_check;
void check_shmem_values(struct quire_check *c, struct address_space *as);
extern const struct vm_operations_struct shmem_vm_ops;
/* Memory-only file for MAP_SHARED|MAP_ANONYMOUS, one reference; NULL: ENOMEM */
struct address_space *shmem_create_anon(struct quire *q, uint64_t size);
void mapping_get(struct address_space *as); /* allocated ones only */
void mapping_put(struct address_space *as);

#endif
