/* SPDX-License-Identifier: MIT */
/*
 * slab.c - objects smaller than a page, and the host's kmalloc.
 *
 *   kmem_cache_alloc <--- this CPU's list: obj -> obj -> obj     no lock
 *                              ^  | too long: half goes back
 *                       empty: |  v                              cache.lock
 *                     partial: page(3 free) <-> page(7 free)     (SLAB)
 *                              ^  | all free
 *                              |  v
 *                            page allocator
 *
 * A page of objects has PG_slab, its own list of free objects and the count of
 * those that are out.  A CPU whose list is empty takes one page's whole list,
 * in O(1); a page all of whose objects are out is on no list.  Free objects
 * are linked through their first word.  A second or later page of a larger
 * slab has PG_tail and finds its head in `freelist`.
 *
 * kmalloc picks the next larger of a few sizes; past the largest it is pages.
 *
 * In QUIRE_DEBUG builds each object is followed by a word that tells whether
 * it is out, so that a double free, a free of nonsense or a write past the end
 * is a panic at once; free objects are filled and verified.  With
 * AddressSanitizer free objects are also poisoned in its shadow.
 */
#include "check.h"
#include "system.h"

#define SLAB_MAX_ORDER	  3
#define SLAB_EMPTY_KEEP	  1 /* empty slabs a cache holds on to */
#define NR_KMALLOC	  16
#define KMALLOC_TABLE_MAX 1024 /* up to here the class comes from a table */

static const uint16_t kmalloc_sizes[NR_KMALLOC] = {
	16,  32,  48,  64,   96,   128,	 192,  256,
	384, 512, 768, 1024, 1536, 2048, 3072, 4096,
};
static const char *const kmalloc_names[NR_KMALLOC] = {
	"kmalloc-16",	"kmalloc-32",	"kmalloc-48",	"kmalloc-64",
	"kmalloc-96",	"kmalloc-128",	"kmalloc-192",	"kmalloc-256",
	"kmalloc-384",	"kmalloc-512",	"kmalloc-768",	"kmalloc-1024",
	"kmalloc-1536", "kmalloc-2048", "kmalloc-3072", "kmalloc-4096",
};

struct kmem_cache {
	struct quire *q;
	uint32_t index;	 /* in quire_cpu.slab */
	uint32_t size;	 /* bytes an object's user may use */
	uint32_t stride; /* from one object to the next */
	uint32_t order;	 /* of its slabs, when memory is not short */
	uint32_t limit;	 /* objects a CPU keeps at most */
	const char *name;
	spinlock_t lock; /* SLAB: all below, and its pages' lists */
	struct list_head partial;
	uint32_t nr_empty;
	uint64_t nr_objects, nr_free; /* free: in the pages' lists */
};

struct slab_system {
	struct kmem_cache caches[QUIRE_MAX_CACHES];
	uint32_t nr;
	struct kmem_cache *kmalloc[NR_KMALLOC];
	uint8_t class[KMALLOC_TABLE_MAX / 16 + 1]; /* by size in 16s, up */
};

/* -------------------------------------------------- objects and their words */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SLAB_ASAN)
void __asan_poison_memory_region(const volatile void *addr, size_t size);
void __asan_unpoison_memory_region(const volatile void *addr, size_t size);
#define asan_hide(p, n) __asan_poison_memory_region(p, n)
#define asan_show(p, n) __asan_unpoison_memory_region(p, n)
#define __slab_raw	__attribute__((no_sanitize_address, noinline))
#else
#define asan_hide(p, n) ((void)(p))
#define asan_show(p, n) ((void)(p))
#define __slab_raw	inline
#endif

/* The link of a free object, which the sanitizer takes for poisoned. */
static __slab_raw void *next_free(const void *obj)
{
	return *(void *const *)obj;
}
static __slab_raw void set_next_free(void *obj, void *next)
{
	*(void **)obj = next;
}

#ifdef QUIRE_DEBUG
#define DEBUG_WORD  sizeof(uint64_t)
#define OBJ_OUT	    0xa110ca7ed0b1ec75ull
#define OBJ_FREE    0xf7eef7eef7eef7eeull
#define FILL_FREE   0x6b
#define FILL_OUT    0x5a
#define FILL_OFFSET sizeof(void *) /* the link is not verified */

static uint64_t *debug_word(const struct kmem_cache *c, void *obj)
{
	return (uint64_t *)(void *)((char *)obj + ALIGN_UP(c->size, 8u));
}

static void debug_bad(const struct kmem_cache *c, const void *obj,
		      const char *what)
{
	quire_printk(0, "%s: object %p: %s", c->name, obj, what);
	quire_host_panic(__FILE__, __LINE__, what);
}

static void debug_init(struct kmem_cache *c, void *obj)
{
	memset(obj, FILL_FREE, c->size);
	*debug_word(c, obj) = OBJ_FREE ^ (uintptr_t)obj;
	asan_hide(obj, c->stride);
}

static void debug_alloc(struct kmem_cache *c, void *obj)
{
	const unsigned char *p = obj;
	size_t i;

	asan_show(obj, c->stride);
	if (*debug_word(c, obj) != (OBJ_FREE ^ (uintptr_t)obj))
		debug_bad(c, obj, "free object overwritten past its end");
	for (i = FILL_OFFSET; i < c->size; i++)
		if (p[i] != FILL_FREE)
			debug_bad(c, obj, "written to after it was freed");
	*debug_word(c, obj) = OBJ_OUT ^ (uintptr_t)obj;
	memset(obj, FILL_OUT, c->size);
	asan_hide((char *)obj + c->size, c->stride - c->size);
}

static void debug_free(struct kmem_cache *c, void *obj)
{
	asan_show(obj, c->stride);
	if (*debug_word(c, obj) == (OBJ_FREE ^ (uintptr_t)obj))
		debug_bad(c, obj, "freed twice");
	if (*debug_word(c, obj) != (OBJ_OUT ^ (uintptr_t)obj))
		debug_bad(c, obj, "written to past its end, or not an object");
	debug_init(c, obj);
}
#else
#define DEBUG_WORD	    0u
#define debug_init(c, obj)  ((void)(c), (void)(obj))
#define debug_alloc(c, obj) ((void)(c), (void)(obj))
#define debug_free(c, obj)  ((void)(c), (void)(obj))
#endif

/* ------------------------------------------------------------------- slabs */

/* How many objects a slab of that order has room for. */
static uint32_t slab_objects(unsigned order, size_t stride)
{
	return (uint32_t)divide(PAGE_SIZE << order, stride);
}

static struct page *slab_head(struct quire *q, const void *obj)
{
	struct page *page = virt_to_page(q, obj);

	return unlikely(PageFlag(page, PG_tail)) ? page->freelist : page;
}

/* A page of free objects, not yet on a list; NULL: no memory.  May sleep. */
static struct page *new_slab(struct kmem_cache *c, gfp_t gfp)
{
	gfp_t first = (gfp & ~(__GFP_RECLAIM | __GFP_ZERO)) | __GFP_NOWARN;
	unsigned order = c->order;
	struct page *page = NULL;
	uint32_t n, i;
	char *base;

	if (order && c->stride <= PAGE_SIZE)
		page = alloc_pages_quiet(c->q, first, order);
	if (!page) { /* what must be rather than what would be best */
		if (c->stride <= PAGE_SIZE)
			order = 0;
		page = alloc_pages_quiet(c->q, gfp & ~__GFP_ZERO, order);
	}
	if (!page)
		return NULL;
	for (i = 1; i < 1u << order; i++) {
		page[i].freelist = page;
		__SetPageFlag(&page[i], PG_tail);
		__SetPageFlag(&page[i], PG_slab);
	}
	n = slab_objects(order, c->stride);
	base = page_address(c->q, page);
	for (i = 0; i < n; i++) {
		char *obj = base + i * c->stride;

		debug_init(c, obj);
		set_next_free(obj, i + 1 < n ? obj + c->stride : NULL);
	}
	page->freelist = base;
	page->slab_cache = c;
	page->inuse = 0;
	page->objects = n;
	__SetPageFlag(page, PG_slab);
	mod_vmstat(c->q, VM_nr_slab, 1l << order);
	return page;
}

/* None of the page's objects is out and it is on no list. */
static void free_slab(struct kmem_cache *c, struct page *page)
{
	unsigned order = page->order, i;

	asan_show(page_address(c->q, page), PAGE_SIZE << order);
	for (i = 1; i < 1u << order; i++) {
		WRITE_ONCE(page[i].flags, 0u);
		page[i].freelist = NULL;
	}
	ClearPageFlag(page, PG_slab);
	WRITE_ONCE(page->_refcount, 0u);
	mod_vmstat(c->q, VM_nr_slab, -(1l << order));
	free_pages_refzero(c->q, page, order);
}

/* lock held: the page has at least one free object; account for it. */
static void add_slab(struct kmem_cache *c, struct page *page)
{
	list_add(&page->slab_list, &c->partial);
	c->nr_empty++;
	c->nr_objects += page->objects;
	c->nr_free += page->objects;
}

/* Preemption off, this CPU's list is empty: one page's whole list. */
static void take_slab(struct kmem_cache *c, struct slab_cpu *s)
{
	struct page *page;

	spin_lock(&c->lock);
	if (!list_empty(&c->partial)) {
		page = list_first_entry(&c->partial, struct page, slab_list);
		list_del(&page->slab_list);
		if (page->inuse == 0)
			c->nr_empty--;
		s->freelist = page->freelist;
		s->count = page->objects - page->inuse;
		c->nr_free -= s->count;
		page->freelist = NULL;
		page->inuse = page->objects;
	}
	spin_unlock(&c->lock);
}

/* lock held: obj goes back to its page.  A page to free now, or NULL. */
static struct page *return_object(struct kmem_cache *c, void *obj,
				  uint32_t keep)
{
	struct page *page = slab_head(c->q, obj);

	set_next_free(obj, page->freelist);
	if (!page->freelist)
		list_add_tail(&page->slab_list, &c->partial);
	page->freelist = obj;
	page->inuse--;
	c->nr_free++;
	if (page->inuse)
		return NULL;
	if (c->nr_empty < keep) {
		c->nr_empty++;
		return NULL;
	}
	list_del(&page->slab_list);
	c->nr_objects -= page->objects;
	c->nr_free -= page->objects;
	return page;
}

/* Preemption off (or all quiet): n objects of s go back to their pages. */
static void flush(struct kmem_cache *c, struct slab_cpu *s, uint32_t n,
		  uint32_t keep)
{
	struct page *page, *dead = NULL;
	void *obj;

	spin_lock(&c->lock);
	while (n--) {
		obj = s->freelist;
		s->freelist = next_free(obj);
		s->count--;
		page = return_object(c, obj, keep);
		if (page) { /* chained until the lock is gone */
			page->freelist = dead;
			dead = page;
		}
	}
	spin_unlock(&c->lock);
	while (dead) {
		page = dead;
		dead = page->freelist;
		free_slab(c, page);
	}
}

/* ----------------------------------------------------------------- objects */

static __attribute__((noinline)) void *alloc_slow(struct kmem_cache *c,
						  gfp_t gfp)
{
	struct slab_cpu *s;
	struct page *page;
	void *obj;

	for (;;) {
		quire_host_preempt_disable();
		s = &this_cpu(c->q)->slab[c->index];
		if (!s->freelist)
			take_slab(c, s);
		obj = s->freelist;
		if (obj) {
			s->freelist = next_free(obj);
			s->count--;
		}
		quire_host_preempt_enable();
		if (obj)
			return obj;
		page = new_slab(c, gfp);
		if (!page)
			return NULL;
		spin_lock(&c->lock);
		add_slab(c, page);
		spin_unlock(&c->lock);
	}
}

void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp)
{
	struct slab_cpu *s;
	void *obj;

	if (gfp & __GFP_RECLAIM)
		might_sleep();
#ifdef QUIRE_INJECT
	if (quire_host_should_fail(1, c->size))
		return NULL;
#endif
	quire_host_preempt_disable();
	s = &this_cpu(c->q)->slab[c->index];
	obj = s->freelist;
	if (likely(obj)) {
		s->freelist = next_free(obj);
		s->count--;
		quire_host_preempt_enable();
	} else {
		quire_host_preempt_enable();
		obj = alloc_slow(c, gfp);
		if (!obj)
			return NULL;
	}
	debug_alloc(c, obj);
	if (unlikely(gfp & __GFP_ZERO))
		memset(obj, 0, c->size);
	return obj;
}

void *kmem_cache_zalloc(struct kmem_cache *c, gfp_t gfp)
{
	return kmem_cache_alloc(c, gfp | __GFP_ZERO);
}

void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	struct slab_cpu *s;

	debug_free(c, obj);
	quire_host_preempt_disable();
	s = &this_cpu(c->q)->slab[c->index];
	set_next_free(obj, s->freelist);
	s->freelist = obj;
	if (unlikely(++s->count > c->limit))
		flush(c, s, s->count / 2, SLAB_EMPTY_KEEP);
	quire_host_preempt_enable();
}

uint64_t kmem_cache_inuse(struct kmem_cache *c)
{
	uint64_t n;
	unsigned i;

	spin_lock(&c->lock);
	n = c->nr_objects - c->nr_free;
	spin_unlock(&c->lock);
	for (i = 0; i < c->q->cpus; i++)
		n -= c->q->cpu[i]->slab[c->index].count;
	return n;
}

const char *kmem_cache_name(struct kmem_cache *c)
{
	return c->name;
}

struct kmem_cache *kmem_cache_at(struct quire *q, unsigned i)
{
	return i < q->slabs->nr ? &q->slabs->caches[i] : NULL;
}

void slab_drain_all(struct quire *q)
{
	unsigned i, cpu;

	for (i = 0; i < q->slabs->nr; i++) {
		struct kmem_cache *c = &q->slabs->caches[i];
		struct page *page, *next;

		for (cpu = 0; cpu < q->cpus; cpu++) {
			struct slab_cpu *s = &q->cpu[cpu]->slab[i];

			flush(c, s, s->count, 0);
		}
		list_for_each_entry_safe (page, next, &c->partial, struct page,
					  slab_list) {
			if (page->inuse)
				continue;
			list_del(&page->slab_list);
			c->nr_empty--;
			c->nr_objects -= page->objects;
			c->nr_free -= page->objects;
			free_slab(c, page);
		}
	}
}

/* -------------------------------------------------------------- quire_check */

/* A list of free objects, of at most n; its length, or n + 1. */
static uint32_t list_length(const void *obj, uint32_t n)
{
	uint32_t len = 0;

	for (; obj && len <= n; obj = next_free(obj))
		len++;
	return len;
}

static void check_cache(struct quire_check *c, struct kmem_cache *cache)
{
	uint64_t free = 0;
	uint32_t empty = 0;
	struct page *page;
	unsigned cpu;

	list_for_each_entry (page, &cache->partial, struct page, slab_list) {
		if (!PageFlag(page, PG_slab) || page->slab_cache != cache ||
		    page->inuse >= page->objects ||
		    list_length(page->freelist, page->objects) !=
			    page->objects - page->inuse) {
			check_fail(c, "%s: a page with %u of %u objects in use",
				   cache->name, page->inuse, page->objects);
			continue;
		}
		free += page->objects - page->inuse;
		empty += page->inuse == 0;
	}
	for (cpu = 0; cpu < c->q->cpus; cpu++) {
		struct slab_cpu *s = &c->q->cpu[cpu]->slab[cache->index];

		if (list_length(s->freelist, s->count) != s->count)
			check_fail(c, "%s: CPU %u has not %u free objects",
				   cache->name, cpu, s->count);
	}
	if (free != cache->nr_free || empty != cache->nr_empty)
		check_fail(c, "%s: %llu free, %u empty, counted %llu, %u",
			   cache->name, (unsigned long long)cache->nr_free,
			   cache->nr_empty, (unsigned long long)free, empty);
}

void check_slab(struct quire_check *c)
{
	unsigned i;

	for (i = 0; i < c->q->slabs->nr; i++)
		check_cache(c, &c->q->slabs->caches[i]);
}

/* ------------------------------------------------------------ bring-up */

struct kmem_cache *kmem_cache_create(struct quire *q, const char *name,
				     size_t size, size_t align)
{
	struct slab_system *sys = q->slabs;
	struct kmem_cache *c;
	unsigned order = 0;
	size_t stride;

	align = MAX(align, sizeof(void *));
	stride = DEBUG_WORD ? ALIGN_UP(size, (size_t)8) + DEBUG_WORD : size;
	stride = ALIGN_UP(MAX(stride, sizeof(void *)), align);
	if (sys->nr == QUIRE_MAX_CACHES || stride > PAGE_SIZE << SLAB_MAX_ORDER)
		return NULL;
	/* the smallest slab that wastes little, or is large enough to tell */
	while (order < SLAB_MAX_ORDER &&
	       (slab_objects(order, stride) < 4 ||
		(PAGE_SIZE << order) - slab_objects(order, stride) * stride >
			(PAGE_SIZE << order) / 8))
		order++;
	c = &sys->caches[sys->nr];
	memset(c, 0, sizeof(*c));
	c->q = q;
	c->index = sys->nr++;
	c->name = name;
	c->size = (uint32_t)size;
	c->stride = (uint32_t)stride;
	c->order = order;
	c->limit = slab_objects(order, stride) * 2;
	c->limit = MAX(MIN(c->limit, 512u), 16u);
	spin_lock_init(&c->lock, SLAB);
	INIT_LIST_HEAD(&c->partial);
	return c;
}

size_t slab_system_size(void)
{
	return sizeof(struct slab_system);
}

int slab_init(struct quire *q)
{
	struct slab_system *sys = q->slabs;
	unsigned i, k = 0;

	memset(sys, 0, sizeof(*sys));
	for (i = 0; i < NR_KMALLOC; i++) {
		size_t size = kmalloc_sizes[i];

		sys->kmalloc[i] = kmem_cache_create(q, kmalloc_names[i], size,
						    size % 64 ? 16 : 64);
		if (!sys->kmalloc[i])
			return -ENOMEM;
	}
	for (i = 0; i < ARRAY_LEN(sys->class); i++) {
		while (kmalloc_sizes[k] < i * 16)
			k++;
		sys->class[i] = (uint8_t)k;
	}
	return 0;
}

/* ----------------------------------------------------------------- kmalloc */

/* Past the largest class: whole pages; PG_slab without a cache. */
static void *kmalloc_large(struct quire *q, size_t bytes, gfp_t gfp)
{
	struct page *page;
	unsigned order = 0;

	while (order < MAX_ORDER && PAGE_SIZE << order < bytes)
		order++;
	page = alloc_pages(q, gfp, order);
	if (!page)
		return NULL;
	page->slab_cache = NULL;
	__SetPageFlag(page, PG_slab);
	mod_vmstat(q, VM_nr_slab, 1l << order);
	return page_address(q, page);
}

static __always_inline struct kmem_cache *kmalloc_cache(struct quire *q,
							size_t bytes)
{
	unsigned k;

	if (likely(bytes <= KMALLOC_TABLE_MAX))
		return q->slabs->kmalloc[q->slabs->class[(bytes + 15) / 16]];
	for (k = 0; kmalloc_sizes[k] < bytes; k++)
		;
	return q->slabs->kmalloc[k];
}

void *quire_kmalloc(struct quire *q, size_t bytes, gfp_t gfp)
{
	struct kmem_cache *c;
	void *obj;

	if (unlikely(bytes > kmalloc_sizes[NR_KMALLOC - 1]))
		return kmalloc_large(q, bytes, gfp);
	c = kmalloc_cache(q, bytes);
	obj = kmem_cache_alloc(c, gfp);
	if (obj) /* the rest of it only after quire_kmalloc_size() */
		asan_hide((char *)obj + bytes, c->size - bytes);
	return obj;
}

void quire_kfree(struct quire *q, void *object)
{
	struct page *page;
	unsigned order;

	if (!object)
		return;
	page = slab_head(q, object);
	QUIRE_BUG_ON(!PageFlag(page, PG_slab));
	if (likely(page->slab_cache)) {
		kmem_cache_free(page->slab_cache, object);
		return;
	}
	order = page->order;
	QUIRE_BUG_ON(object != page_address(q, page));
	ClearPageFlag(page, PG_slab);
	WRITE_ONCE(page->_refcount, 0u);
	mod_vmstat(q, VM_nr_slab, -(1l << order));
	free_pages_refzero(q, page, order);
}

size_t quire_kmalloc_size(struct quire *q, const void *object)
{
	struct page *page = slab_head(q, object);
	struct kmem_cache *c = page->slab_cache;

	if (!c)
		return PAGE_SIZE << page->order;
	asan_show(object, c->size);
	return c->size;
}
