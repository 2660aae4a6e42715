/* SPDX-License-Identifier: MIT */
/*
 * The dentry cache: names already looked up, found or not.
 *
 *     hash[parent, name] → dentry → inode
 *     LRU of those that nobody holds, oldest at the tail
 *
 * A cached dentry holds its parent and its inode, so a path's prefix can never
 * be dropped before the path, and an unreferenced dentry is what keeps an
 * inode and its pages in memory.  The LRU is bounded in number; the inodes
 * are so too.
 *
 * dcache_lock (spinlock) guards everything here; the freeing, which may do
 * I/O, is done after it is dropped.
 */
#include "fs.h"

#define DHASH_SIZE 16384u
#define LRU_MAX	   12000u

static struct spinlock dcache_lock = SPINLOCK_INIT;
static struct dentry *dhash[DHASH_SIZE];
static struct dentry *lru_head, *lru_tail;
static unsigned lru_count;

uint32_t name_hash(const char *name, size_t len)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return h;
}

static struct dentry **bucket(const struct dentry *parent, uint32_t hash)
{
	uint64_t h = ((uint64_t)(uintptr_t)parent >> 6) ^ hash;

	h *= 0x9e3779b97f4a7c15ull;
	return &dhash[(h >> 40) & (DHASH_SIZE - 1)];
}

static void lru_remove(struct dentry *d)
{
	if (!d->on_lru)
		return;
	if (d->lru_prev)
		d->lru_prev->lru_next = d->lru_next;
	else
		lru_head = d->lru_next;
	if (d->lru_next)
		d->lru_next->lru_prev = d->lru_prev;
	else
		lru_tail = d->lru_prev;
	d->lru_prev = d->lru_next = NULL;
	d->on_lru = false;
	lru_count--;
}

static void lru_add(struct dentry *d)
{
	d->lru_prev = NULL;
	d->lru_next = lru_head;
	if (lru_head)
		lru_head->lru_prev = d;
	else
		lru_tail = d;
	lru_head = d;
	d->on_lru = true;
	lru_count++;
}

static void unhash(struct dentry *d)
{
	struct dentry **p;

	if (!d->hashed)
		return;
	for (p = bucket(d->parent, d->hash); *p != d; p = &(*p)->hash_next)
		;
	*p = d->hash_next;
	d->hash_next = NULL;
	d->hashed = false;
}

static void hash_in(struct dentry *d)
{
	struct dentry **b = bucket(d->parent, d->hash);

	d->hash_next = *b;
	*b = d;
	d->hashed = true;
}

static void get_locked(struct dentry *d)
{
	d->refs++;
	lru_remove(d);
}

struct dentry *dget(struct dentry *d)
{
	spin_lock(&dcache_lock);
	get_locked(d);
	spin_unlock(&dcache_lock);
	return d;
}

static void free_name(struct dentry *d)
{
	if (d->name != d->small)
		fs_free(d->name);
}

/* Free one dentry that nothing refers to any more; its parent to be put. */
static struct dentry *destroy(struct dentry *d)
{
	struct dentry *parent = d->parent == d ? NULL : d->parent;

	inode_put(d->inode);
	free_name(d);
	fs_free(d);
	return parent;
}

/* The oldest unreferenced dentry, taken out of the cache; NULL: none. */
static struct dentry *take_oldest(unsigned keep)
{
	struct dentry *d = NULL;

	spin_lock(&dcache_lock);
	if (lru_count > keep) {
		d = lru_tail;
		lru_remove(d);
		unhash(d);
	}
	spin_unlock(&dcache_lock);
	return d;
}

static void put_chain(struct dentry *d)
{
	while (d) {
		bool dead = false;

		spin_lock(&dcache_lock);
		if (--d->refs == 0) {
			dead = !d->hashed;
			if (!dead)
				lru_add(d);
		}
		spin_unlock(&dcache_lock);
		if (!dead)
			return;
		d = destroy(d);
	}
}

void dput(struct dentry *d)
{
	struct dentry *old;

	if (!d)
		return;
	put_chain(d);
	while (__atomic_load_n(&lru_count, __ATOMIC_RELAXED) > LRU_MAX &&
	       (old = take_oldest(LRU_MAX)) != NULL)
		put_chain(destroy(old));
}

size_t vfs_shrink(size_t pages)
{
	size_t freed = 0;
	struct dentry *d;

	while (freed < pages && (d = take_oldest(0)) != NULL) {
		if (d->inode && d->inode->mapping && d->inode->refs == 1 &&
		    d->inode->sb->backed)
			freed += (size_t)quire_mapping_pages(d->inode->mapping);
		put_chain(destroy(d));
	}
	if (freed < pages)
		freed += inodes_shrink(pages - freed);
	return freed;
}

void vfs_drop_names(void)
{
	struct dentry *d;

	while ((d = take_oldest(0)) != NULL)
		put_chain(destroy(d));
}

static struct dentry *alloc_dentry(const char *name, size_t len)
{
	struct dentry *d = fs_zalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->name = d->small;
	if (len >= sizeof(d->small)) {
		d->name = fs_zalloc(len + 1);
		if (!d->name) {
			fs_free(d);
			return NULL;
		}
	}
	memcpy(d->name, name, len);
	d->name[len] = '\0';
	d->len = (uint16_t)len;
	d->hash = name_hash(name, len);
	d->refs = 1;
	return d;
}

static struct dentry *find_locked(struct dentry *parent, const char *name,
				  size_t len, uint32_t hash)
{
	struct dentry *d;

	for (d = *bucket(parent, hash); d; d = d->hash_next)
		if (d->parent == parent && d->hash == hash && d->len == len &&
		    memcmp(d->name, name, len) == 0)
			return d;
	return NULL;
}

struct dentry *d_find(struct dentry *parent, const char *name, size_t len)
{
	uint32_t hash = name_hash(name, len);
	struct dentry *d;

	spin_lock(&dcache_lock);
	d = find_locked(parent, name, len, hash);
	if (d)
		get_locked(d);
	spin_unlock(&dcache_lock);
	return d;
}

struct dentry *d_alloc_child(struct dentry *parent, const char *name,
			     size_t len)
{
	struct dentry *d = alloc_dentry(name, len);

	if (!d)
		return NULL;
	d->sb = parent->sb;
	d->parent = dget(parent);
	return d;
}

void d_add(struct dentry *d)
{
	spin_lock(&dcache_lock);
	hash_in(d);
	spin_unlock(&dcache_lock);
}

void d_set_inode(struct dentry *d, struct inode *inode)
{
	__atomic_store_n(&d->inode, inode, __ATOMIC_RELEASE);
}

void d_drop(struct dentry *d)
{
	spin_lock(&dcache_lock);
	unhash(d);
	d->dead = true;
	spin_unlock(&dcache_lock);
}

struct dentry *d_anonymous(struct inode *inode, const char *name)
{
	struct dentry *d = alloc_dentry(name, strlen(name));

	if (!d) {
		inode_put(inode);
		return NULL;
	}
	d->anonymous = true;
	d->sb = inode->sb;
	d->inode = inode;
	d->parent = d;
	return d;
}

struct dentry *d_root(struct super *sb, struct inode *inode)
{
	struct dentry *d = alloc_dentry("", 0);

	if (!d) {
		inode_put(inode);
		return NULL;
	}
	d->sb = sb;
	d->inode = inode;
	d->parent = d;
	return d;
}

struct dentry *d_parent_get(struct dentry *d)
{
	struct dentry *p;

	spin_lock(&dcache_lock);
	p = d->parent;
	get_locked(p);
	spin_unlock(&dcache_lock);
	return p;
}

/*
 * od takes nd's name and place; nd is dropped.  Both parents' inodes are
 * locked, and the file system's rename_lock is held.  `name` is memory for
 * the name if it does not fit into the dentry, or NULL.
 */
void d_move(struct dentry *od, struct dentry *nd, char *name)
{
	struct dentry *old_parent;
	char *old_name;

	spin_lock(&dcache_lock);
	unhash(nd);
	nd->dead = true;
	unhash(od);
	old_parent = od->parent;
	old_name = od->name != od->small ? od->name : NULL;
	od->parent = nd->parent;
	nd->parent->refs++;
	od->name = name ? name : od->small;
	memcpy(od->name, nd->name, (size_t)nd->len + 1);
	od->len = nd->len;
	od->hash = nd->hash;
	hash_in(od);
	spin_unlock(&dcache_lock);
	fs_free(old_name);
	put_chain(old_parent);
}

/* One step of a path from the leaf up, for vfs_path(): put name and '/' in
 * front of *end.  Under dcache_lock. */
static bool prepend(char *buf, char **end, const char *s, size_t n)
{
	if ((size_t)(*end - buf) < n)
		return false;
	*end -= n;
	memcpy(*end, s, n);
	return true;
}

static long path_locked(struct dentry *d, struct dentry *root, char *buf,
			size_t cap)
{
	char *end = buf + cap;
	size_t len;

	if (!prepend(buf, &end, "", 1))
		return -ERANGE;
	if (d->dead && !prepend(buf, &end, " (deleted)", 10))
		return -ERANGE;
	while (d != root) {
		if (d == d->parent) {
			if (!d->sb->covers)
				break;
			d = d->sb->covers;
			continue;
		}
		if (!prepend(buf, &end, d->name, d->len) ||
		    !prepend(buf, &end, "/", 1))
			return -ERANGE;
		d = d->parent;
	}
	if (*end != '/' && !prepend(buf, &end, "/", 1))
		return -ERANGE;
	len = (size_t)(buf + cap - end);
	memmove(buf, end, len);
	return (long)len;
}

long d_path_from(struct dentry *d, struct dentry *root, char *buf, size_t cap)
{
	long n;

	if (d->anonymous) {
		if (d->len + 1u > cap)
			return -ERANGE;
		memcpy(buf, d->name, d->len + 1u);
		return d->len + 1;
	}
	spin_lock(&dcache_lock);
	n = path_locked(d, root, buf, cap);
	spin_unlock(&dcache_lock);
	return n;
}

/* Is a an ancestor of d (or d itself), inside one file system? */
bool d_is_ancestor(struct dentry *a, struct dentry *d)
{
	bool yes = false;

	spin_lock(&dcache_lock);
	for (;; d = d->parent) {
		if (d == a) {
			yes = true;
			break;
		}
		if (d->parent == d)
			break;
	}
	spin_unlock(&dcache_lock);
	return yes;
}
