/* SPDX-License-Identifier: MIT */
/*
 * readahead.c - bringing pages of a file into the cache, more than one at a
 * time.
 *
 *   read() misses --------.
 *   a fault misses --------+--> policy: which window?    readahead_policy.c
 *   the mark is reached ---|         |
 *   advice ---------------'          v
 *            . . . [cached] [new new WANTED new] [cached] [new new#] . .
 *                            `------ one ------'           `- one -'
 *                                 aops->readahead each
 *
 * The policy says which pages; here is what is done about it.  Each page that
 * is not cached is allocated, put into the cache locked, and handed to the file
 * system in as few requests as there are unbroken runs.  The page with the mark
 * (PG_readahead) makes whoever reaches it ask for the next window.
 *
 * Nobody waits here.  When memory runs out the window ends there: only the page
 * that is really wanted may be missed, and it is allocated before all others.
 * A read that fails leaves its page not up to date, which is nobody's error
 * until somebody wants that page.
 *
 * Locks: none on entry but, perhaps, mmap_lock for read.  tree_lock inside.
 */
#include "filemap.h"

/* Most pages of one request. */
#define RA_LIMIT 1024u
/* So many page pointers are kept on the stack. */
#define RA_LOCAL 32u
/* Pages of advice that are looked at in one go. */
#define RA_ADVICE 512u
/* mmap_miss stays low enough that a few hundred hits make up for it. */
#define RA_MISS_MAX 1000u
#define NO_PAGE	    UINT64_MAX

uint64_t page_cache_next_hole(struct address_space *as, uint64_t index,
			      uint32_t max)
{
	uint64_t end = index + max;

	spin_lock(&as->tree_lock);
	while (index < end && page_tree_lookup(&as->pages, index))
		index++;
	spin_unlock(&as->tree_lock);
	return index;
}

uint64_t page_cache_prev_hole(struct address_space *as, uint64_t index,
			      uint32_t max)
{
	spin_lock(&as->tree_lock);
	while (max-- && index != UINT64_MAX &&
	       page_tree_lookup(&as->pages, index))
		index--;
	spin_unlock(&as->tree_lock);
	return index;
}

/* ------------------------------------------------------- the open file's state
 */

/* Threads that share the file may write it meanwhile: field by field. */
static void load_state(struct quire_ra_state *to, struct quire_ra_state *from)
{
	to->start = READ_ONCE(from->start);
	to->size = READ_ONCE(from->size);
	to->async_size = READ_ONCE(from->async_size);
	to->prev = READ_ONCE(from->prev);
	to->mmap_miss = READ_ONCE(from->mmap_miss);
}

static void store_state(struct quire_ra_state *to,
			const struct quire_ra_state *from)
{
	WRITE_ONCE(to->start, from->start);
	WRITE_ONCE(to->size, from->size);
	WRITE_ONCE(to->async_size, from->async_size);
	WRITE_ONCE(to->mmap_miss, from->mmap_miss);
}

/*
 * The policy's answer to req, whose max, end and advice are filled in here;
 * nothing of it lies past the end of the file, and the wanted page is in it.
 */
static void ask_policy(struct address_space *as, struct quire_file *file,
		       struct quire_ra_request *req, struct quire_ra_window *w)
{
	struct quire_ra_state ra = {0};
	uint8_t mode = file ? READ_ONCE(file->ra_mode) : POSIX_FADV_NORMAL;
	bool wanted = req->why == QUIRE_RA_MISS || req->why == QUIRE_RA_FAULT;

	req->max = READ_ONCE(as->q->ra_pages);
	if (mode == POSIX_FADV_RANDOM)
		req->random = true;
	if (mode == POSIX_FADV_SEQUENTIAL) {
		req->sequential = true;
		req->max = MIN(req->max * 2, RA_LIMIT);
	}
	if (file)
		load_state(&ra, &file->ra);
	if (req->why == QUIRE_RA_FAULT && ra.mmap_miss < RA_MISS_MAX)
		ra.mmap_miss++;
	as->q->config.readahead->window(as, &ra, req, w);
	if (file)
		store_state(&file->ra, &ra);
	if (w->start >= req->end)
		w->count = 0;
	w->count = MIN(w->count, RA_LIMIT);
	w->count = (uint32_t)MIN((uint64_t)w->count, req->end - w->start);
	if (wanted && req->index - w->start >= w->count) {
		w->start = req->index;
		w->count = 1;
	}
}

/* ------------------------------------------------------------- the request */

/* Pages in the cache, locked, with a reference of ours, indices in a row. */
struct ra_run {
	struct address_space *as;
	struct quire_file *file;
	uint64_t mark;
	gfp_t gfp;
	unsigned n, cap;
	struct page **pages;
};

void start_read(struct address_space *as, struct quire_file *file,
		struct page *page)
{
	int err;

	quire_debug_unlock(page, QUIRE_LOCK_PAGE);
	ClearPageFlag(page, PG_error);
	err = as->aops->readpage(as, file, page);
	/* it could not even start: the page is still ours */
	if (err)
		quire_page_end_read(as->q, page, err);
}

/* Hand the run over: the I/O's end unlocks the pages. */
static void run_submit(struct ra_run *r)
{
	unsigned i, n = r->n;

	if (!n)
		return;
	r->n = 0;
	if (n > 1 && r->as->aops->readahead) {
		r->as->aops->readahead(r->as, r->file, r->pages, n);
	} else {
		for (i = 0; i < n; i++) {
			quire_debug_lock(r->pages[i], QUIRE_LOCK_PAGE, true);
			start_read(r->as, r->file, r->pages[i]);
		}
	}
	for (i = 0; i < n; i++)
		put_page(r->as->q, r->pages[i]);
}

/*
 * A new page of index, in the cache and locked: 0, -EEXIST, -ENOMEM, -EAGAIN,
 * or -ENXIO: the file ends before.  A truncation that has lowered the size
 * before we look at it may have dropped the pages beyond already, so ours is
 * taken out again: what the device still has there must not be seen when the
 * file grows.  One that lowers it later finds the page.
 */
static int new_page(struct ra_run *r, uint64_t index, gfp_t gfp,
		    struct page **page)
{
	struct quire *q = r->as->q;
	int err;

	*page = alloc_pages(q, gfp, 0);
	if (!*page)
		return -ENOMEM;
	if (index == r->mark)
		__SetPageFlag(*page, PG_readahead);
	err = add_to_page_cache_lru(r->as, *page, index);
	if (err) {
		put_page(q, *page);
		return err;
	}
	if (unlikely(beyond_end(r->as, index))) {
		quire_step("the file has become shorter meanwhile");
		delete_from_page_cache(*page);
		unlock_page(*page);
		put_page(q, *page);
		return -ENXIO;
	}
	/* it is the I/O's from here on, not this task's */
	quire_debug_unlock(*page, QUIRE_LOCK_PAGE);
	return 0;
}

static void run_append(struct ra_run *r, struct page *page)
{
	if (r->n == r->cap)
		run_submit(r);
	r->pages[r->n++] = page;
}

static bool is_cached(struct address_space *as, uint64_t index)
{
	return page_cache_next_hole(as, index, 1) != index;
}

/*
 * Read what is missing of the window.  `page` is the one of index `wanted`, in
 * the cache already (NULL: none is).  False: memory, or the file, has come to
 * its end on the way.
 */
static bool read_window(struct ra_run *r, const struct quire_ra_window *w,
			uint64_t wanted, struct page *page)
{
	uint64_t i, end = w->start + w->count;
	struct page *next;
	bool stop = false;
	unsigned ahead = 0;
	int err;

	for (i = w->start; i < end; i++) {
		if (page && i == wanted) {
			run_append(r, page);
			page = NULL;
			continue;
		}
		if (stop) {
			if (!page)
				break;
			run_submit(r);
			i = wanted - 1;
			continue;
		}
		err = is_cached(r->as, i) ? -EEXIST
					  : new_page(r, i, r->gfp, &next);
		if (!err) {
			run_append(r, next);
			ahead++;
			continue;
		}
		run_submit(r);
		stop = err != -EEXIST;
	}
	run_submit(r);
	mod_vmstat(r->as->q, VM_quire_readahead_pages, (long)ahead);
	return !stop;
}

/* The same, the array of pages being as large as can be had. */
static bool read_window_of(struct address_space *as, struct quire_file *file,
			   const struct quire_ra_window *w, gfp_t gfp,
			   uint64_t wanted, int *err)
{
	struct page *local[RA_LOCAL], *page = NULL;
	struct ra_run r = {.as = as,
			   .file = file,
			   .mark = w->mark,
			   .gfp = gfp | __GFP_NOWARN,
			   .cap = RA_LOCAL,
			   .pages = local};
	void *array = NULL;
	bool all;

	might_sleep();
	if (wanted != NO_PAGE) {
		*err = new_page(&r, wanted, GFP_HIGHUSER_MOVABLE, &page);
		if (*err)
			return false;
	}
	if (w->count > RA_LOCAL)
		array = quire_kmalloc(as->q, w->count * sizeof(page),
				      __GFP_NOWARN);
	if (array) {
		r.pages = array;
		r.cap = w->count;
	}
	all = read_window(&r, w, wanted, page);
	quire_kfree(as->q, array);
	return all;
}

int page_cache_read(struct address_space *as, struct quire_file *file,
		    struct quire_ra_request *req)
{
	struct quire_ra_window w;
	int err = 0;

	req->end = file_pages(as);
	if (req->index >= req->end)
		return -ENXIO;
	ask_policy(as, file, req, &w);
	count_vm_event(as->q, VM_quire_readahead);
	(void)read_window_of(as, file, &w, GFP_HIGHUSER_MOVABLE, req->index,
			     &err);
	/* another has put it in: it reads it, and what belongs to it */
	return err == -EEXIST ? 0 : err;
}

void page_cache_read_ahead(struct address_space *as, struct quire_file *file,
			   struct page *page, struct quire_ra_request *req)
{
	struct quire_ra_window w;
	int err;

	/* one of those who see the mark asks */
	if (!TestClearPageFlag(page, PG_readahead))
		return;
	quire_step("the mark is reached: the next window is asked for");
	req->why = QUIRE_RA_MARK;
	req->end = file_pages(as);
	if (req->index >= req->end)
		return;
	ask_policy(as, file, req, &w);
	if (req->random || !w.count)
		return;
	count_vm_event(as->q, VM_quire_readahead);
	(void)read_window_of(as, file, &w, GFP_HIGHUSER_MOVABLE, NO_PAGE, &err);
}

/* ------------------------------------------------------------------ advice */

void quire_mapping_readahead(struct address_space *as, struct quire_file *file,
			     uint64_t pos, uint64_t len)
{
	uint64_t index = pos >> PAGE_SHIFT, end = file_pages(as), last, room;
	struct quire_ra_window w;
	int err;

	/* memory is there already */
	if (!as->aops || as->aops->direct_access || !len)
		return;
	last = pos + len < pos ? UINT64_MAX : pos + len - 1;
	end = MIN(end, (last >> PAGE_SHIFT) + 1);
	/* not more than half of what is free or easily freed */
	room = (nr_free_pages(as->q) + lru_pages(as->q, LRU_INACTIVE_FILE)) / 2;
	if (index < end)
		end = MIN(end, index + room);
	while (index < end) {
		struct quire_ra_request req = {
			.index = index,
			.count =
				(uint32_t)MIN(end - index, (uint64_t)RA_ADVICE),
			.end = file_pages(as),
			.why = QUIRE_RA_ADVICE,
		};

		if (index >= req.end)
			break;
		ask_policy(as, file, &req, &w);
		count_vm_event(as->q, VM_quire_readahead);
		if (w.count &&
		    !read_window_of(as, file, &w, GFP_HIGHUSER_MOVABLE, NO_PAGE,
				    &err))
			break; /* it was only advice */
		index += req.count;
	}
}

/* Drop what can be dropped of n pages; returns how many. */
static unsigned drop_clean(struct quire *q, struct page **pages, unsigned n)
{
	unsigned i, dropped = 0;

	for (i = 0; i < n; i++) {
		if (trylock_page(pages[i])) {
			if (drop_cached_page(pages[i])) {
				put_page(q, pages[i]);
				dropped++;
			}
			unlock_page(pages[i]);
		}
		put_page(q, pages[i]);
	}
	return dropped;
}

uint64_t quire_mapping_drop_clean(struct address_space *as, uint64_t start,
				  uint64_t end)
{
	uint64_t first = (start + PAGE_SIZE - 1) >> PAGE_SHIFT, dropped = 0;
	/* (the file's last page is whole where its bytes are) */
	uint64_t limit = end >= quire_mapping_get_size(as) ? UINT64_MAX
							   : end >> PAGE_SHIFT;
	struct page *pages[RA_LOCAL];
	unsigned n;

	might_sleep();
	if (as->shmem || start > UINT64_MAX - PAGE_SIZE)
		return 0;
	lru_add_drain(as->q); /* a page in a batch has a reference for it */
	while (first < limit) {
		n = find_get_pages(as, first, limit - 1, pages, RA_LOCAL);
		if (!n)
			break;
		first = pages[n - 1]->index + 1;
		dropped += drop_clean(as->q, pages, n);
	}
	return dropped;
}
