/* SPDX-License-Identifier: MIT */
/*
 * vfs.h - files as the kernel sees them.
 *
 *     task ── files (descriptor table) ── file ── dentry ── inode ── super
 *          └─ fs (root, cwd, umask)         │       │         │
 *                                           │       │         └ address_space
 *                                           │       └ parent dentry
 *                                           └ struct quire_file (mmap's view)
 *
 * A dentry is a name in a directory, positive (it has an inode) or negative
 * (the name is known not to exist).  A file system is mounted at most once,
 * so a dentry alone says where one is: crossing a mount point is
 * dentry->mounted one way and sb->covers the other.
 *
 * References: a file holds its dentry, a dentry its parent and its inode.
 * Unreferenced dentries stay in the cache, bounded in number, least recently
 * used first out; an inode without references is freed by its file system's
 * evict.
 *
 * Locks, outermost first:
 *	sb->rename_lock (mutex) → inode->lock (mutex; a directory's before its
 *	children's) → Quire's → file->pos_lock is taken before all of these.
 *	dcache_lock (spinlock, in dcache.c) guards names, hash, counts and LRU.
 *
 * All functions that return a pointer and can fail return an ERR_PTR-style
 * value: test with IS_ERR(), decode with PTR_ERR().
 */
#ifndef KERNEL_VFS_H
#define KERNEL_VFS_H

#include <arch_abi.h>
#include <quire/quire.h>
#include "sync.h"

#define MAX_ERRNO 4095
static inline void *ERR_PTR(long error)
{
	return (void *)error;
}
static inline long PTR_ERR(const void *p)
{
	return (long)p;
}
static inline bool IS_ERR(const void *p)
{
	return (unsigned long)p >= (unsigned long)-MAX_ERRNO;
}

#define PATH_MAX 4096
#define NAME_MAX 255

struct inode;
struct dentry;
struct file;
struct super;
struct iter;
struct poll_table;
struct kstat;
struct task;
struct vq_seg;

struct vfs_time {
	int64_t sec;
	uint32_t nsec;
};

/* ----------------------------------------------------------- super blocks */

struct kstatfs {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree, namelen;
	uint64_t fsid, flags;
};

struct super_ops {
	/* The last reference is gone; free what the file system attached
	 * (the mapping's pages are dropped by the caller afterwards). */
	void (*evict)(struct inode *inode);
	int (*statfs)(struct super *sb, struct kstatfs *out);
	/* sync(2), syncfs(2): what has been written back is to survive a power
	 * failure.  NULL: it does.  0 or -errno. */
	int (*sync)(struct super *sb);
};

struct super {
	const char *type;   /* "9p", "tmpfs" ... */
	const char *source; /* first column of /proc/mounts */
	const struct super_ops *ops;
	struct dentry *root;
	struct dentry *covers; /* what it is mounted on; NULL: the root */
	struct super *next;    /* all mounts, in order of mounting */
	struct mutex rename_lock;
	uint32_t dev; /* st_dev: major 0, minor counts up */
	bool readonly, noexec, nodev;
	bool backed;	       /* cached pages can be dropped: a server
				* has the bytes */
	bool volatile_names;   /* others change it: revalidate, keep no
				* negative dentries */
	uint64_t magic;	       /* statfs f_type */
	uint64_t write_errors; /* super_note_error(): count << 32 | errno */
	void *priv;
};
/* A write-back failed: syncfs(2) tells it to each opener once. */
void super_note_error(struct super *sb, int err);

/* ----------------------------------------------------------------- inodes */

struct iattr {
	uint32_t valid; /* ATTR_* */
	uint32_t mode, uid, gid;
	uint64_t size;
	struct vfs_time atime, mtime;
};
#define ATTR_MODE      0x01u
#define ATTR_UID       0x02u
#define ATTR_GID       0x04u
#define ATTR_SIZE      0x08u
#define ATTR_ATIME     0x10u /* now, unless _SET is there too */
#define ATTR_MTIME     0x20u
#define ATTR_CTIME     0x40u
#define ATTR_ATIME_SET 0x80u
#define ATTR_MTIME_SET 0x100u

/*
 * Directory operations are called with dir->lock held (both directories' for
 * rename, with sb->rename_lock), and with the names already looked up.
 */
struct inode_ops {
	/* Attach the inode that d names (d_set_inode), or leave d negative. */
	int (*lookup)(struct inode *dir, struct dentry *d);
	/* Is d still what the file system has?  false: drop it, look again. */
	bool (*revalidate)(struct dentry *d);
	int (*create)(struct inode *dir, struct dentry *d, uint32_t mode);
	int (*mkdir)(struct inode *dir, struct dentry *d, uint32_t mode);
	int (*mknod)(struct inode *dir, struct dentry *d, uint32_t mode,
		     uint64_t rdev);
	int (*symlink)(struct inode *dir, struct dentry *d, const char *to);
	int (*link)(struct inode *inode, struct inode *dir, struct dentry *d);
	int (*unlink)(struct inode *dir, struct dentry *d);
	int (*rmdir)(struct inode *dir, struct dentry *d);
	int (*rename)(struct inode *odir, struct dentry *od, struct inode *ndir,
		      struct dentry *nd, unsigned flags);
	/* A file without a name (O_TMPFILE): an inode, or an error */
	struct inode *(*tmpfile)(struct inode *dir, uint32_t mode);
	/* The link's text, at most cap bytes, no NUL: its length or -errno */
	long (*readlink)(struct inode *inode, char *buf, size_t cap);
	/* A link that leads straight to a dentry (/proc/self/fd/3), with a
	 * reference; or an error. */
	struct dentry *(*follow)(struct inode *inode);
	int (*getattr)(struct inode *inode, struct kstat *out);
	int (*setattr)(struct inode *inode, const struct iattr *attr);
	/* Make the name of a directory's or file's inode true again for a
	 * volatile file system; called by open and stat.  May be NULL. */
	int (*refresh)(struct inode *inode);
};

struct inode {
	struct super *sb;
	const struct inode_ops *ops;
	const struct file_operations *fops;
	struct address_space *mapping; /* NULL: no cached pages */
	uint32_t refs;		       /* inode_lock in inode.c */
	uint32_t mode, uid, gid, nlink;
	uint64_t ino, rdev;
	uint64_t size; /* of what has no mapping; else inode_size() */
	uint64_t blocks;
	struct vfs_time atime, mtime, ctime;
	uint32_t seals;	   /* F_SEAL_*, memfd */
	uint32_t writers;  /* files open for writing, atomic */
	bool written_back; /* the mapping's pages go to a device */
	struct mutex lock;
	struct inode *hash_next; /* ihash, for file systems that use it */
	struct inode *late_next; /* the flusher's list */
	struct file_lock *locks; /* POSIX record locks, by start */
	struct file_lock *flocks;
	struct pipe *pipe; /* open FIFOs and pipes */
	void *priv;	   /* the file system's */
};

#define S_IFMT	 0170000u
#define S_IFSOCK 0140000u
#define S_IFLNK	 0120000u
#define S_IFREG	 0100000u
#define S_IFBLK	 0060000u
#define S_IFDIR	 0040000u
#define S_IFCHR	 0020000u
#define S_IFIFO	 0010000u
static inline bool inode_is(const struct inode *inode, uint32_t type)
{
	return (inode->mode & S_IFMT) == type;
}

/* A fresh inode with one reference and no mapping; NULL: out of memory. */
struct inode *inode_new(struct super *sb, uint32_t mode, uint64_t ino);
struct inode *inode_get(struct inode *inode);
void inode_put(struct inode *inode); /* may sleep */
uint64_t inode_size(struct inode *inode);
/*
 * The inode of (sb, ino) among the hashed ones, with a reference, or NULL.
 * inode_hash() enters one; when another of that number has come first, that
 * one is returned (with a reference) and the caller drops its own.
 */
struct inode *inode_find(struct super *sb, uint64_t ino);
struct inode *inode_hash(struct inode *inode);
/* Write the inode's dirty pages, and wait.  Errors are kept for fsync(2).
 * -EINTR: the task is to die. */
int inode_write_back(struct inode *inode);
/* Give the inode a page cache: aops NULL means shmem.  0 or -ENOMEM */
int inode_add_mapping(struct inode *inode, const struct quire_aops *aops,
		      uint64_t size);
struct vfs_time vfs_now(void);
/* Set times to now: TOUCH_* or'ed */
#define TOUCH_A 1u
#define TOUCH_M 2u
#define TOUCH_C 4u
void inode_touch(struct inode *inode, unsigned what);

/* ---------------------------------------------------------------- dentries */

struct dentry {
	struct dentry *parent; /* itself for a root */
	struct inode *inode;   /* NULL: negative */
	struct super *sb;
	struct super *mounted; /* what covers it, or NULL */
	struct dentry *hash_next;
	struct dentry *lru_prev, *lru_next;
	struct dentry *child, *sib_next, **sib_prev; /* children, in cache */
	uint32_t refs;
	uint32_t hash;
	bool hashed, on_lru, dead, anonymous;
	uint16_t len;
	char *name;
	char small[40];
	uint32_t stamp; /* the file system's */
};

struct dentry *dget(struct dentry *d);
void dput(struct dentry *d); /* NULL allowed; may sleep */
/* In lookup/create: make d positive; takes over the inode's reference. */
void d_set_inode(struct dentry *d, struct inode *inode);
/* The name is gone (unlink): d keeps its inode for those who hold it, but
 * lookups no longer find it. */
void d_drop(struct dentry *d);
/* A dentry that is in no directory (pipes, sockets, memfd); takes over the
 * inode's reference.  NULL: out of memory (inode is put). */
struct dentry *d_anonymous(struct inode *inode, const char *name);
/* The root dentry of a file system; takes over the inode's reference. */
struct dentry *d_root(struct super *sb, struct inode *inode);
/*
 * Drop unreferenced dentries (and with them inodes and pages) until about
 * `pages` page-cache pages were freed or nothing is left: what to do first
 * when memory is short.  Returns the pages freed.  May sleep.
 */
size_t vfs_shrink(size_t pages);
/* Drop all unreferenced dentries, with their inodes.  May sleep. */
void vfs_drop_names(void);

/* ------------------------------------------------------------------- paths */

#define AT_FDCWD	 (-100)
#define LOOKUP_FOLLOW	 0x1u /* follow a symbolic link in the last place */
#define LOOKUP_DIRECTORY 0x2u /* it has to be a directory */
#define LOOKUP_EMPTY	 0x4u /* "" means dirfd itself */
#define LOOKUP_NEGATIVE	 0x8u /* a negative dentry is an answer */
/*
 * vfs_lookup: the dentry at a path (kernel memory), with a reference;
 * relative ones from dirfd.
 */
struct dentry *vfs_lookup(int dirfd, const char *path, unsigned flags);
/* The path of d as the current task's root sees it, with " (deleted)" when
 * its name is gone: length (with NUL), or -ERANGE / -ENOENT (unreachable).
 * The text is moved to the start of buf. */
long vfs_path(struct dentry *d, char *buf, size_t cap);
/* Copy a path in from the user: a kernel string to be freed by path_free() */
char *path_from_user(uaddr_t upath);
void path_free(char *path);

/* ------------------------------------------------------------------- files */

/*
 * struct iter: where read() puts and write() takes bytes: user or kernel
 * memory in one or more pieces.
 */
struct kiovec {	      /* as struct iovec of the user's */
	uaddr_t base; /* user address, or kernel pointer when iter->kernel */
	uaddr_t len;
};
struct iter {
	const struct kiovec *vec;
	unsigned nr;  /* pieces left */
	size_t off;   /* done of the first */
	size_t count; /* bytes left in all */
	bool kernel;
	bool nonblock;	  /* this call must not wait, whatever the file says */
	bool dsync, sync; /* RWF_DSYNC, RWF_SYNC */
	bool append;	  /* RWF_APPEND */
};
void iter_init_user(struct iter *it, struct kiovec *one, uaddr_t buf, size_t n);
void iter_init_kernel(struct iter *it, struct kiovec *one, void *buf, size_t n);
/* Copy up to n bytes out to / in from the iterator and advance it: how many
 * could be copied (fewer than min(n, count): a bad address). */
size_t iter_copy_to(struct iter *it, const void *from, size_t n);
size_t iter_copy_from(struct iter *it, void *to, size_t n);
size_t iter_zero(struct iter *it, size_t n);

struct dir_ctx {
	/* Returns false when there is no more room: stop there. */
	bool (*emit)(struct dir_ctx *ctx, const char *name, size_t len,
		     uint64_t ino, unsigned type, uint64_t next_pos);
};
#define DT_UNKNOWN 0
#define DT_FIFO	   1
#define DT_CHR	   2
#define DT_DIR	   4
#define DT_BLK	   6
#define DT_REG	   8
#define DT_LNK	   10
#define DT_SOCK	   12

struct file_operations {
	int (*open)(struct inode *inode, struct file *file);
	void (*release)(struct file *file); /* last reference gone */
	/* pos is updated.  Bytes or -errno. */
	long (*read)(struct file *file, struct iter *to, uint64_t *pos);
	long (*write)(struct file *file, struct iter *from, uint64_t *pos);
	int (*readdir)(struct file *file, struct dir_ctx *ctx);
	int64_t (*llseek)(struct file *file, int64_t off, int whence);
	unsigned (*poll)(struct file *file, struct poll_table *pt);
	long (*ioctl)(struct file *file, unsigned cmd, uaddr_t arg);
	/*
	 * fsync(2), msync(2): what has been written back of [start, end]
	 * (bytes, both inclusive) is to survive a power failure.  datasync:
	 * without the times.  Called through vfs_fsync(), which has written the
	 * pages back.  NULL: fsync(2) is -EINVAL.
	 */
	int (*fsync)(struct file *file, uint64_t start, uint64_t end,
		     bool datasync);
	int (*fallocate)(struct file *file, int mode, uint64_t off,
			 uint64_t len);
	/*
	 * Move `bytes` between the device and pieces of physical memory, past
	 * the cache (O_DIRECT); generic_read() and generic_write() call it,
	 * with inode->lock held for a write.  Bytes (short: the end), or
	 * -errno. NULL: O_DIRECT is -EINVAL.
	 */
	long (*direct)(struct file *file, const struct vq_seg *seg, unsigned nr,
		       uint64_t pos, uint32_t bytes, bool write);
	/* mmap(2): may refuse, -errno.  NULL: allowed */
	int (*mmap)(struct file *file, unsigned prot, unsigned flags);
	/* All that was open for writing is closed, and written.  May be NULL */
	void (*written)(struct inode *inode);
};

struct file {
	struct quire_file qf; /* for quire_mmap; qf.mapping is the inode's */
	const struct file_operations *fops;
	struct dentry *dentry;
	struct inode *inode;
	uint32_t refs;	/* atomic */
	uint32_t flags; /* O_*, without creation flags and O_CLOEXEC */
	uint64_t pos;
	struct mutex pos_lock;
	void *priv;
	uint32_t dir_fid;	  /* an open directory on 9P */
	struct ep_link *ep_links; /* epolls that watch it */
	int32_t owner;		  /* F_SETOWN */
	bool has_locks;		  /* flock or F_OFD_ locks to drop */
	uint64_t sb_errors_seen;  /* super.write_errors, by syncfs(2) */
};

#define O_ACCMODE  03u
#define O_RDONLY   00u
#define O_WRONLY   01u
#define O_RDWR	   02u
#define O_CREAT	   0100u
#define O_EXCL	   0200u
#define O_NOCTTY   0400u
#define O_TRUNC	   01000u
#define O_APPEND   02000u
#define O_NONBLOCK 04000u
#define O_DSYNC	   010000u
#define O_ASYNC	   020000u
/* O_DIRECT, O_LARGEFILE, O_DIRECTORY, O_NOFOLLOW: arch_abi.h */
#define O_NOATIME 01000000u
#define O_CLOEXEC 02000000u
#define O_SYNC	  04010000u
#define O_PATH	  010000000u
#define O_TMPFILE (020000000u | O_DIRECTORY)

static inline bool file_can_read(const struct file *f)
{
	return f->qf.readable;
}
static inline bool file_can_write(const struct file *f)
{
	return f->qf.writable;
}
struct file *file_of(struct quire_file *qf);
/* A new open file on a dentry (takes its own reference), running fops->open */
struct file *file_open_dentry(struct dentry *d, uint32_t flags);
struct file *fget_file(struct file *file); /* one reference more */
void fput(struct file *file);		   /* one less; may sleep */

/* fsync(2) of a range, in bytes, both inclusive: write back, then fops->fsync.
 * 0 or -errno: also of a write-back since this opener was last told. */
#define FILE_END ((uint64_t)INT64_MAX)
int vfs_fsync(struct file *file, uint64_t start, uint64_t end, bool datasync);
/* sync(2): all files, all file systems. */
void vfs_sync(void);

/* Open by path from inside the kernel, as open(2). */
struct file *vfs_open(int dirfd, const char *path, uint32_t flags,
		      uint32_t mode);
/*
 * For exec: a regular file with an execute bit on a file system that allows
 * it, opened for reading.  flags: AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW as in
 * execveat(2).  -EACCES, -ENOENT ...
 */
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_REMOVEDIR	    0x200u
#define AT_EACCESS	    0x200u
#define AT_SYMLINK_FOLLOW   0x400u
#define AT_NO_AUTOMOUNT	    0x800u
#define AT_EMPTY_PATH	    0x1000u
struct file *vfs_open_exec(int dirfd, const char *path, unsigned flags);
/* Read into kernel memory at a place: bytes (short at the end) or -errno */
long kernel_read(struct file *file, void *buf, size_t n, uint64_t pos);
long kernel_write(struct file *file, const void *buf, size_t n, uint64_t pos);

/* -------------------------------------------------------- descriptor table */

struct files;		       /* shared by the tasks of CLONE_FILES */
struct files *files_new(void); /* empty; NULL: no memory */
struct files *files_copy(struct files *old);  /* fork; NULL: no memory */
struct files *files_get(struct files *files); /* CLONE_FILES */
void files_put(struct files *files);	      /* exit: closes with the last */
/* exec: a private table (unshared if need be) without the close-on-exec
 * ones.  0 or -ENOMEM, before anything was closed. */
int files_exec(struct task *task);

/* exit: the task lets go of its table and its fs. */
void task_exit_files(struct task *task);
/* Another task's, with a reference; NULL: it has none any more. */
struct files *task_files_get(struct task *task);
struct fs *task_fs_get(struct task *task);

struct file *fget(int fd); /* reference; NULL: no such descriptor */
/* pidfd.c: the process that a pidfd is for, with a reference: 0 or -EBADF */
struct process;
int pidfd_process(int fd, struct process **p);
/* As fget, but O_PATH descriptors too */
struct file *fget_raw(int fd);
/* Lowest free descriptor >= min gets the file (its reference is taken over);
 * -EMFILE / -ENOMEM leave the reference with the caller. */
int fd_install(struct file *file, int min, bool cloexec);
int fd_close(int fd);
/* For /proc/PID/fd: the n-th open descriptor >= from, or -1. */
int files_next_fd(struct files *files, int from);
struct file *files_fget(struct files *files, int fd);

/* -------------------------------------------------- root, cwd and umask */

struct fs {
	uint32_t refs;
	struct spinlock lock;
	struct dentry *root, *cwd;
	uint32_t umask;
};
struct fs *fs_new(void);	    /* at the global root */
struct fs *fs_copy(struct fs *old); /* NULL: no memory */
struct fs *fs_get(struct fs *fs);   /* CLONE_FS */
void fs_put(struct fs *fs);

/* ------------------------------------------------------------------ start */

/*
 * vfs_init: drivers, caches, the root file system and the standard mounts
 * (/dev /proc /sys /tmp /dev/shm, the share).  In a task that may sleep;
 * interrupts work.  0 or -errno (no root to be had).
 */
int vfs_init(void);
/* Descriptors 0, 1 and 2 on the console, for init.  0 or -errno */
int vfs_open_console(struct files *files);

#endif
