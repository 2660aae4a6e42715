/* SPDX-License-Identifier: MIT */
/*
 * initramfs.c - a root file system from an archive that the boot loader has
 * left in memory, for machines that have no host to mount one from.
 *
 * The format is cpio's "newc" (cpio(5)): for each file a header of 110 bytes,
 * a magic number and 13 numbers of 8 hexadecimal digits; the name with its NUL;
 * the contents.  Each part is padded to a multiple of 4 bytes.  The contents of
 * a file with several names may come with the last of them only.
 *
 *	header  name\0..  contents..   header  ...   header "TRAILER!!!"
 *
 * Runs once, in init's task, before any other: no locks.
 */
#include "fs.h"

#define HEADER_BYTES 110u
enum { /* the header's numbers */
       N_INO,
       N_MODE,
       N_UID,
       N_GID,
       N_NLINK,
       N_MTIME,
       N_SIZE,
       N_DEVMAJOR,
       N_DEVMINOR,
       N_RDEVMAJOR,
       N_RDEVMINOR,
       N_NAMESIZE,
       N_CHECK,
       N_COUNT
};

struct entry {
	uint32_t n[N_COUNT];
	char path[PATH_MAX];
	const char *data;
};

/* Files with several names, as far as they have been seen. */
struct linked {
	struct linked *next;
	uint32_t ino, major, minor;
	struct dentry *d;
};

static bool hex8(const char *p, uint32_t *v)
{
	unsigned i;

	for (*v = 0, i = 0; i < 8; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			*v = *v << 4 | (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*v = *v << 4 | (uint32_t)((c | 32) - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* The entry at *at, which moves on; false: it is none, or cut off. */
static bool next_entry(const char *archive, size_t bytes, size_t *at,
		       struct entry *e)
{
	const char *h = archive + *at;
	size_t name, data;
	unsigned i;

	if (bytes - *at < HEADER_BYTES ||
	    (memcmp(h, "070701", 6) && memcmp(h, "070702", 6)))
		return false;
	for (i = 0; i < N_COUNT; i++)
		if (!hex8(h + 6 + 8 * i, &e->n[i]))
			return false;
	name = *at + HEADER_BYTES;
	if (!e->n[N_NAMESIZE] || e->n[N_NAMESIZE] > sizeof(e->path) - 1 ||
	    e->n[N_NAMESIZE] > bytes - name)
		return false;
	e->path[0] = '/';
	memcpy(e->path + 1, archive + name, e->n[N_NAMESIZE]);
	e->path[e->n[N_NAMESIZE]] = 0;
	data = K_ALIGN_UP(name + e->n[N_NAMESIZE], 4u);
	if (data > bytes || e->n[N_SIZE] > bytes - data)
		return false;
	e->data = archive + data;
	*at = K_MIN(K_ALIGN_UP(data + e->n[N_SIZE], 4u), bytes);
	return true;
}

static int set_attributes(struct dentry *d, const struct entry *e)
{
	struct iattr a = {.valid = ATTR_MODE | ATTR_UID | ATTR_GID |
				   ATTR_MTIME | ATTR_MTIME_SET,
			  .mode = e->n[N_MODE] & 07777,
			  .uid = e->n[N_UID],
			  .gid = e->n[N_GID],
			  .mtime = {.sec = e->n[N_MTIME]}};

	return inode_setattr(d->inode, &a);
}

static int write_contents(const struct entry *e)
{
	struct file *f = vfs_open(AT_FDCWD, e->path, O_WRONLY, 0);
	struct kiovec vec;
	struct iter it;
	uint64_t pos = 0;
	long n = 0;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	iter_init_kernel(&it, &vec, (void *)(uintptr_t)e->data, e->n[N_SIZE]);
	while (n >= 0 && it.count) {
		n = f->fops->write(f, &it, &pos);
		if (n == 0)
			n = -ENOSPC;
	}
	fput(f);
	return n < 0 ? (int)n : 0;
}

/* A name of a file that has several: true when it was the first. */
static int link_or_create(struct linked **list, const struct entry *e)
{
	struct linked *l;
	int err;

	for (l = *list; l; l = l->next)
		if (l->ino == e->n[N_INO] && l->major == e->n[N_DEVMAJOR] &&
		    l->minor == e->n[N_DEVMINOR])
			return vfs_link(l->d, AT_FDCWD, e->path);
	l = fs_zalloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	err = vfs_mknod(AT_FDCWD, e->path, S_IFREG | 0600, 0);
	l->d = err ? ERR_PTR(err) : vfs_lookup(AT_FDCWD, e->path, 0);
	if (IS_ERR(l->d)) {
		err = (int)PTR_ERR(l->d);
		fs_free(l);
		return err;
	}
	l->ino = e->n[N_INO];
	l->major = e->n[N_DEVMAJOR];
	l->minor = e->n[N_DEVMINOR];
	l->next = *list;
	*list = l;
	return 0;
}

static int make_symlink(const struct entry *e)
{
	char *to = fs_zalloc((size_t)e->n[N_SIZE] + 1);
	int err;

	if (!to)
		return -ENOMEM;
	memcpy(to, e->data, e->n[N_SIZE]);
	err = vfs_symlink(to, AT_FDCWD, e->path);
	fs_free(to);
	return err;
}

static int make_entry(struct linked **list, const struct entry *e)
{
	uint32_t type = e->n[N_MODE] & S_IFMT;
	struct dentry *d;
	int err;

	if (type == S_IFDIR) {
		err = vfs_mkdir(AT_FDCWD, e->path, 0700);
		if (err == -EEXIST)
			err = 0; /* the root itself */
	} else if (type == S_IFLNK) {
		return make_symlink(e);
	} else if (type == S_IFREG && e->n[N_NLINK] > 1) {
		err = link_or_create(list, e);
	} else {
		err = vfs_mknod(AT_FDCWD, e->path, type | 0600,
				(uint64_t)e->n[N_RDEVMAJOR] << 8 |
					e->n[N_RDEVMINOR]);
	}
	if (!err && type == S_IFREG && e->n[N_SIZE])
		err = write_contents(e);
	if (err)
		return err;
	d = vfs_lookup(AT_FDCWD, e->path, 0);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	err = set_attributes(d, e);
	dput(d);
	return err;
}

int initramfs_unpack(const char *archive, size_t bytes)
{
	struct entry *e = fs_alloc(sizeof(*e));
	struct linked *list = NULL, *l;
	size_t at = 0;
	int err = e ? 0 : -ENOMEM;

	while (!err) {
		if (!next_entry(archive, bytes, &at, e)) {
			printk("the archive is cut off or none of cpio's");
			err = -EINVAL;
		} else if (!strcmp(e->path, "/TRAILER!!!")) {
			break;
		} else {
			err = make_entry(&list, e);
			if (err)
				printk("cannot unpack %s: error %d", e->path,
				       -err);
		}
	}
	while ((l = list)) {
		list = l->next;
		dput(l->d);
		fs_free(l);
	}
	fs_free(e);
	return err;
}
