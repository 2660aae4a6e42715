/* SPDX-License-Identifier: MIT */
/*
 * fs.h - what the files of kernel/fs share among themselves, and the thin
 * layer between them and the rest of the kernel.
 */
#ifndef KERNEL_FS_FS_H
#define KERNEL_FS_FS_H

#include "vfs.h"
#include "task.h"
#include "ksignal.h"
#include "ktime.h"
#include "uaccess.h"

/* errno(3), those that only the file system gives */
#define ENAMETOOLONG	36
#define ENOLCK		37
#define ENOTEMPTY	39
#define ELOOP		40
#define ENOTSOCK	88
#define EDESTADDRREQ	89
#define EMSGSIZE	90
#define EPROTOTYPE	91
#define ENOPROTOOPT	92
#define EPROTONOSUPPORT 93
#define ESOCKTNOSUPPORT 94
#define EAFNOSUPPORT	97
#define EADDRINUSE	98
#define ENOBUFS		105
#define EISCONN		106
#define ENOTCONN	107
#define ETIMEDOUT	110
#define ECONNREFUSED	111
#define EALREADY	114
#define EINPROGRESS	115
#define ECONNRESET	104
#define ESTALE		116

/* Kernel memory; NULL when there is none.  May sleep. */
static inline void *fs_alloc(size_t n)
{
	return quire_kmalloc(the_quire, n, QUIRE_GFP_KERNEL);
}
static inline void *fs_zalloc(size_t n)
{
	return quire_kmalloc(the_quire, n, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
}
static inline void fs_free(void *p)
{
	quire_kfree(the_quire, p);
}

/* fallocate(2) */
#define FALLOC_FL_KEEP_SIZE  1
#define FALLOC_FL_PUNCH_HOLE 2
#define FALLOC_FL_ZERO_RANGE 16

/* inode.c */
int inode_setattr(struct inode *inode, const struct iattr *a);
size_t inodes_shrink(size_t pages);
/* Write back all dirty inodes of sb (syncfs) */
void inodes_write_back(struct super *sb);
#define INODE_ALL_PAGES (1ull << 62) /* end of every file; page aligned */
uint64_t inode_fresh_number(void); /* for files without a number of their own */

/* dcache.c */
uint32_t name_hash(const char *name, size_t len);
/* The cached dentry of that name, with a reference, or NULL */
struct dentry *d_find(struct dentry *parent, const char *name, size_t len);
/* A fresh negative dentry, one reference, not yet in the hash; NULL: memory */
struct dentry *d_alloc_child(struct dentry *parent, const char *name,
			     size_t len);
void d_add(struct dentry *d); /* enter it in the hash */
struct dentry *d_parent_get(struct dentry *d);
/* od takes nd's place (rename); name: memory for nd's name when that is too
 * long for the dentry, which od owns from then on; else NULL. */
void d_move(struct dentry *od, struct dentry *nd, char *name);
bool d_is_ancestor(struct dentry *a, struct dentry *d);
long d_path_from(struct dentry *d, struct dentry *root, char *buf, size_t cap);

/* namei.c */
struct last_name {
	char name[NAME_MAX + 1];
	size_t len;
	int dot;    /* 1: "." or nothing, 2: "..", 0: a name */
	bool slash; /* there was a slash after it */
};
/* The directory that a path's last name is in, with a reference. */
struct dentry *vfs_lookup_parent(int dirfd, const char *path,
				 struct last_name *last);
/* A name in a directory whose lock the caller holds; may be negative. */
struct dentry *d_lookup_locked(struct dentry *parent, const char *name,
			       size_t len);
extern struct dentry *global_root;

/* permission.c: 0 or -errno.  mask: MAY_* */
#define MAY_EXEC  1u
#define MAY_WRITE 2u
#define MAY_READ  4u
int inode_permission(struct inode *inode, unsigned mask);
int permission_as(struct inode *inode, unsigned mask, bool real);
int may_change(struct inode *inode, const struct iattr *a);
/* May victim's name be taken out of dir (also: the sticky bit)? */
int may_remove_from(struct inode *dir, struct inode *victim);

/* file.c */
/* The task's descriptor for f is gone: locks, write-back if it was the last,
 * and the reference.  0, or an error of the write-back, which close(2) tells.
 */
int file_close(struct file *f, struct files *owner);
/* May f have these flags?  Not O_DIRECT where nothing goes past the cache. */
bool file_allows(const struct file *f, uint32_t flags);
/* A file on a fresh anonymous inode (pipe, socket ...); takes over inode. */
struct file *file_anonymous(struct inode *inode, const char *name,
			    const struct file_operations *fops, uint32_t flags);
struct inode *inode_anonymous(uint32_t mode);
/* A descriptor of such a file, open for reading and writing; flags: O_CLOEXEC,
 * O_NONBLOCK.  Takes over priv: fops->release gets it, or, when there is no
 * file, drop() does. */
long fd_anonymous(const char *name, const struct file_operations *fops,
		  void *priv, void (*drop)(void *priv), uint32_t flags);
/* Install f at the lowest descriptor; on failure the reference is dropped. */
long fd_give(struct file *f, bool cloexec);
/* truncate(2) for the kernel: checks done by the caller. */
int inode_truncate(struct inode *inode, uint64_t size);

/* files.c */
/* Put f (its reference) at exactly fd of a table nobody shares. */
int files_install(struct files *t, struct file *f, int fd);
long fd_dup_from(int fd, int min, bool cloexec);
long fd_get_cloexec(int fd);
long fd_set_cloexec(int fd, bool on);

/* iter.c */
/* For quire_mapping_read: cookie is the struct iter. */
size_t iter_copy_out(void *cookie, void *kaddr, size_t done, size_t n);
/* For quire_mapping_write: cookie is a struct iter_source, which says where the
 * iterator was at the beginning: a page that was dropped from the cache
 * meanwhile is copied to once more. */
struct iter_source {
	struct iter *it;
	size_t count; /* it->count at the beginning */
};
size_t iter_copy_in(void *cookie, void *kaddr, size_t done, size_t n);

/* generic.c: regular files whose bytes are in the page cache */
long generic_read(struct file *file, struct iter *to, uint64_t *pos);
long generic_write(struct file *file, struct iter *from, uint64_t *pos);
int64_t generic_llseek(struct file *file, int64_t off, int whence);
/* Of files whose positions are addresses: any is good, negative ones too. */
int64_t memory_llseek(struct file *f, int64_t off, int whence);
/* fops->fsync of files that have nothing behind the cache: 0 */
int generic_fsync(struct file *file, uint64_t start, uint64_t end,
		  bool datasync);
/* A write past the cache, by fops->direct; inode->lock held.  As fops->write */
long generic_direct_write(struct file *file, struct iter *from, uint64_t *pos);
/* After a write that ended at pos with result ret: O_SYNC's and O_DSYNC's part;
 * inode->lock not held.  What write(2) is to return. */
long generic_write_sync(struct file *file, const struct iter *from,
			uint64_t pos, long ret);
/* How much of n bytes may be written at pos; -errno (and SIGXFSZ): none */
long generic_write_room(uint64_t pos, size_t n);

/* flusher.c: the kernel thread that writes dirty pages back */
int flusher_init(void);
/* Let the flusher write inode's pages and then drop the caller's reference. */
void flusher_put(struct inode *inode);

/* locks.c */
void locks_release(struct inode *inode, const void *owner, bool flocks);
long locks_fcntl(struct file *f, unsigned cmd, uaddr_t arg);

/* rw.c */
/* sendfile(2) at *pos of the input, which is moved on, or at its own (NULL) */
long file_send(int ofd, int ifd, uint64_t *pos, size_t n);
/* lseek(2): the new position or -errno */
int64_t vfs_llseek(int fd, int64_t off, int whence);
struct user_vec { /* an iovec array copied in */
	struct kiovec fast[8];
	struct kiovec *vec;
};
/* An iterator over a user's iovec array; 0 (free with user_vec_free()) or
 * -errno (nothing to free). */
long iter_from_user(struct iter *it, struct user_vec *uv, uaddr_t uvec,
		    unsigned long nr);
void user_vec_free(struct user_vec *uv);
/* read or write at the file's own position */
long file_rw(struct file *f, struct iter *it, bool write);

/* epoll.c: f is going away */
void epoll_forget(struct file *f);

/* stat.c */
struct kstat {
	uint64_t dev, ino;
	uint32_t mode, nlink, uid, gid;
	uint64_t rdev, size, blksize, blocks;
	struct vfs_time atime, mtime, ctime;
};
int vfs_getattr(struct inode *inode, struct kstat *st);
struct kstatfs;
int vfs_statfs(struct super *sb, struct kstatfs *k); /* 0 or -errno */
unsigned vfs_statfs_flags(const struct super *sb);   /* ST_* */
/* statfs(2) and fstatfs(2) in the layout that `put` writes to the user */
typedef long (*statfs_put_fn)(struct super *sb, uaddr_t ubuf);
long statfs_path(uaddr_t upath, statfs_put_fn put, uaddr_t ubuf);
long statfs_fd(int fd, statfs_put_fn put, uaddr_t ubuf);

/* dirops.c, from inside the kernel: 0 or -errno */
int vfs_mkdir(int dirfd, const char *path, uint32_t mode);
int vfs_symlink(const char *to, int dirfd, const char *path);
int vfs_link(struct dentry *old, int dirfd, const char *path);
/*
 * initramfs.c: unpack a cpio archive into the root file system (the current
 * task's).  0 or -errno; the log says at which name.  May sleep.
 */
int initramfs_unpack(const char *archive, size_t bytes);
int vfs_mknod(int dirfd, const char *path, uint32_t mode, uint64_t rdev);

/* pipe.c */
long pipe_set_size(struct file *f, uint64_t size);
long pipe_get_size(struct file *f);
extern const struct file_operations fifo_fops;
long fd_give_pair(struct file *f[2], bool cloexec, uaddr_t ufds);

/* memfd.c */
long memfd_add_seals(struct file *f, uint32_t seals);
long memfd_get_seals(struct file *f);
/* May the file become `size` bytes long? 0 or -EPERM */
int memfd_init(void);
/* May n bytes be written at pos? 0 or -EPERM */
int memfd_check_write(struct inode *inode, uint64_t pos, uint64_t n);
int memfd_check_resize(struct inode *inode, uint64_t size);

/* getdents.c */
int64_t dir_llseek(struct file *file, int64_t off, int whence);

/* tmpfs.c */
struct super *tmpfs_new(const char *type, uint32_t mode); /* NULL: memory */
struct inode *tmpfs_file_inode(struct super *sb, uint32_t mode);
unsigned dt_of(uint32_t mode); /* DT_* of a mode */

/* kswapd.c: a kernel thread that frees memory when it is short */
int kswapd_init(void);

/* mount.c */
/* A file system without a root yet; NULL: no memory. */
struct super *super_new(const char *type, const char *source,
			const struct super_ops *ops, uint64_t magic);
/*
 * Put sb over the directory at path, making what is missing of the path with
 * empty file systems in memory where it cannot be made in place.  0 or -errno
 */
int mount_at(struct super *sb, const char *path);
extern struct super *first_super;

/* dev/chrdev.c: character devices by number; nodes on tmpfs use it too */
extern const struct file_operations chrdev_fops;

/* blkdev.c: disks by number, likewise */
extern const struct file_operations blkdev_fops;

/* 9p_inode.c: the export of that tag; an error pointer otherwise */
struct super *p9_mount(const char *tag, bool writable);

/* procfs.c, sysfs: NULL when out of memory */
struct super *proc_new(void);
struct super *sysfs_new(void);
#define RDEV(major, minor) ((uint64_t)(major) << 8 | (uint64_t)(minor))

#endif
