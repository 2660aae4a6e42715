/* SPDX-License-Identifier: MIT */
/*
 * Inodes: one object for each file in use, whichever names lead to it.
 *
 * The hash finds the inode of a (file system, number) pair, so that two names
 * of one file, or two opens of it at different times, share one page cache
 * and so one set of pages in everybody's mappings.
 *
 * inode_lock (spinlock) guards the hash and every inode's count.  The last
 * reference takes the inode out of the hash under it, so that a lookup never
 * finds a dying one; evicting then runs without locks.
 */
#include "fs.h"

#define IHASH_SIZE 4096u

static struct spinlock inode_lock = SPINLOCK_INIT;
static struct inode *ihash[IHASH_SIZE];
static uint64_t next_anon_ino = 1;

static unsigned ihash_of(const struct super *sb, uint64_t ino)
{
	uint64_t h = (ino ^ (uint64_t)(uintptr_t)sb) * 0x9e3779b97f4a7c15ull;

	return (unsigned)(h >> 40) & (IHASH_SIZE - 1);
}

struct inode *inode_new(struct super *sb, uint32_t mode, uint64_t ino)
{
	struct inode *inode = fs_zalloc(sizeof(*inode));

	if (!inode)
		return NULL;
	inode->sb = sb;
	inode->refs = 1;
	inode->mode = mode;
	inode->nlink = 1;
	inode->ino = ino;
	inode->atime = inode->mtime = inode->ctime = vfs_now();
	mutex_init(&inode->lock);
	return inode;
}

uint64_t inode_fresh_number(void)
{
	return __atomic_fetch_add(&next_anon_ino, 1, __ATOMIC_RELAXED);
}

struct inode *inode_get(struct inode *inode)
{
	spin_lock(&inode_lock);
	inode->refs++;
	spin_unlock(&inode_lock);
	return inode;
}

static void ihash_remove(struct inode *inode)
{
	struct inode **p = &ihash[ihash_of(inode->sb, inode->ino)];

	for (; *p; p = &(*p)->hash_next) {
		if (*p == inode) {
			*p = inode->hash_next;
			return;
		}
	}
}

int inode_write_back(struct inode *inode)
{
	if (!inode->mapping || !inode->written_back)
		return 0;
	return quire_mapping_sync(inode->mapping, 0, FILE_END,
				  QUIRE_SYNC_START | QUIRE_SYNC_WAIT);
}

/* Bytes that the device lacks, and that a name leads to. */
static bool inode_unwritten(struct inode *inode)
{
	return inode->written_back && inode->nlink &&
	       quire_mapping_dirty(inode->mapping);
}

/* Nobody can find it any more; the mapping goes first: what writes it back
 * needs what evict frees. */
static void inode_free(struct inode *inode)
{
	if (inode->mapping)
		quire_mapping_destroy(inode->mapping);
	if (inode->sb && inode->sb->ops && inode->sb->ops->evict)
		inode->sb->ops->evict(inode);
	fs_free(inode->mapping);
	fs_free(inode);
}

void inode_put(struct inode *inode)
{
	bool last, dirty = false;

	if (!inode)
		return;
	spin_lock(&inode_lock);
	last = inode->refs == 1;
	if (last)
		dirty = inode_unwritten(inode);
	if (!dirty)
		inode->refs--;
	if (last && !dirty)
		ihash_remove(inode);
	spin_unlock(&inode_lock);
	if (dirty) /* it stays to be found until its bytes are where they
		    * would be looked for otherwise */
		flusher_put(inode);
	else if (last)
		inode_free(inode);
}

static struct inode *ihash_find(struct super *sb, uint64_t ino)
{
	struct inode *i = ihash[ihash_of(sb, ino)];

	while (i && (i->sb != sb || i->ino != ino))
		i = i->hash_next;
	if (i)
		i->refs++;
	return i;
}

struct inode *inode_find(struct super *sb, uint64_t ino)
{
	struct inode *i;

	spin_lock(&inode_lock);
	i = ihash_find(sb, ino);
	spin_unlock(&inode_lock);
	return i;
}

struct inode *inode_hash(struct inode *inode)
{
	unsigned h = ihash_of(inode->sb, inode->ino);
	struct inode *other;

	spin_lock(&inode_lock);
	other = ihash_find(inode->sb, inode->ino);
	if (!other) {
		inode->hash_next = ihash[h];
		ihash[h] = inode;
	}
	spin_unlock(&inode_lock);
	return other ? other : inode;
}

/*
 * The first inode of a bucket, or the one after prev (whose reference is taken
 * over, and which stays in its place until then), that `want` wants; with a
 * reference, or NULL.
 */
static struct inode *next_in(unsigned bucket, struct inode *prev,
			     bool (*want)(struct inode *, struct super *),
			     struct super *sb)
{
	struct inode *i;

	spin_lock(&inode_lock);
	i = prev ? prev->hash_next : ihash[bucket];
	while (i && !want(i, sb))
		i = i->hash_next;
	if (i)
		i->refs++;
	spin_unlock(&inode_lock);
	inode_put(prev);
	return i;
}

static bool is_written_back(struct inode *i, struct super *sb)
{
	return i->sb == sb && i->written_back;
}

/* All are started first, so that the device has them all at once. */
void inodes_write_back(struct super *sb)
{
	static const unsigned hows[] = {QUIRE_SYNC_START, QUIRE_SYNC_WAIT};
	struct inode *i = NULL;
	unsigned bucket, h;

	for (h = 0; h < 2; h++)
		for (bucket = 0; bucket < IHASH_SIZE; bucket++)
			while ((i = next_in(bucket, i, is_written_back, sb)))
				(void)quire_mapping_sync(i->mapping, 0,
							 FILE_END, hows[h]);
}

/* It has pages that its file system can read again. */
static bool has_backed_pages(struct inode *i, struct super *sb)
{
	(void)sb;
	return i->sb->backed && i->mapping && quire_mapping_pages(i->mapping);
}

/*
 * Drop cached pages of files in use, until about `pages` are free or nothing
 * is left: they are unmapped, and read again when touched.  Dirty ones are
 * written first.  Each call goes on where the last one stopped.
 */
size_t inodes_shrink(size_t pages)
{
	static unsigned hand;
	struct inode *i = NULL;
	unsigned n, bucket;
	size_t freed = 0;
	uint64_t had;

	for (n = 0; n < IHASH_SIZE && freed < pages; n++) {
		bucket = __atomic_fetch_add(&hand, 1, __ATOMIC_RELAXED) %
			 IHASH_SIZE;
		while ((i = next_in(bucket, i, has_backed_pages, NULL))) {
			had = quire_mapping_pages(i->mapping);
			(void)quire_mapping_invalidate(i->mapping, 0, FILE_END);
			had -= quire_mapping_pages(i->mapping);
			freed += (int64_t)had > 0 ? (size_t)had : 0;
		}
	}
	return freed;
}

int inode_add_mapping(struct inode *inode, const struct quire_aops *aops,
		      uint64_t size)
{
	struct address_space *as = fs_zalloc(quire_mapping_size());

	if (!as)
		return -ENOMEM;
	inode->written_back = aops && (aops->writepages || aops->writepage);
	if (aops)
		quire_mapping_init(the_quire, as, aops, inode, size);
	else
		quire_mapping_init_shmem(the_quire, as, inode, size);
	inode->mapping = as;
	return 0;
}

uint64_t inode_size(struct inode *inode)
{
	if (inode->mapping)
		return quire_mapping_get_size(inode->mapping);
	return inode->size;
}

struct vfs_time vfs_now(void)
{
	uint64_t ns = realtime_ns();
	struct vfs_time t = {(int64_t)(ns / NSEC_PER_SEC),
			     (uint32_t)(ns % NSEC_PER_SEC)};

	return t;
}

void inode_touch(struct inode *inode, unsigned what)
{
	struct vfs_time now = vfs_now();

	if (what & TOUCH_A)
		inode->atime = now;
	if (what & TOUCH_M)
		inode->mtime = now;
	if (what & TOUCH_C)
		inode->ctime = now;
}

/* setattr for file systems that keep everything in the inode itself. */
int inode_setattr(struct inode *inode, const struct iattr *a)
{
	struct vfs_time now = vfs_now();

	if (a->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (a->mode & 07777);
	if (a->valid & ATTR_UID)
		inode->uid = a->uid;
	if (a->valid & ATTR_GID)
		inode->gid = a->gid;
	if (a->valid & ATTR_ATIME)
		inode->atime = a->valid & ATTR_ATIME_SET ? a->atime : now;
	if (a->valid & ATTR_MTIME)
		inode->mtime = a->valid & ATTR_MTIME_SET ? a->mtime : now;
	inode->ctime = now;
	return 0;
}
