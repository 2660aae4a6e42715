/* SPDX-License-Identifier: MIT */
/*
 * 9p_fs.h - between the parts of the 9P file system: names (9p_inode.c,
 * 9p_batch.c), attributes (9p_attr.c), open files (9p_file.c) and pages
 * (9p_io.c).
 */
#ifndef KERNEL_FS_9P_FS_H
#define KERNEL_FS_9P_FS_H

#include "9p.h"

/* inode->priv */
struct p9_inode {
	uint32_t fid;	   /* names the file; never opened while writable */
	uint32_t rfid;	   /* open for reading, or P9_NOFID */
	uint32_t wfid;	   /* open for writing, or P9_NOFID */
	bool write_only;   /* wfid cannot be read by */
	bool nameless;	   /* the name that fid was walked to is gone */
	uint32_t walked;   /* which fid it is: 1, 2 ...; see p9_revalidate() */
	uint32_t version;  /* qid.version when the pages were read */
	bool own;	   /* we have changed the file since */
	uint32_t changing; /* requests under way that change it; atomic */
	uint32_t changes;  /* and how many have ended; atomic */
	struct mutex lock; /* opening of rfid and wfid */
	char *link;	   /* a symbolic link's text, once read */
	size_t link_len;
	/* A directory's names as last read, 16-bit length and bytes each, and
	 * how far p9_prefetch() has come; inode->lock. */
	char *names;
	uint32_t names_len, names_at;
	bool missed; /* a lookup has missed since */
};
#define P9_NAMES_MAX 65536u

static inline struct p9_inode *p9_i(const struct inode *inode)
{
	return inode->priv;
}
static inline struct p9_client *p9_c(const struct super *sb)
{
	return sb->priv;
}

extern const struct file_operations p9_file_fops, p9_dir_fops;
extern const struct quire_aops p9_aops;

/* Have rfid (or wfid) open: 0 or -errno. */
int p9_open_fid(struct inode *inode, bool write);

/* 9p_io.c */
/* Around each request that changes a file's bytes, size or times. */
void p9_change_begin(struct inode *inode);
void p9_change_end(struct inode *inode);
/* Can pages be read?  Opens what is needed. */
bool p9_can_read(struct inode *inode);
/* How many of `bytes` the next transfer may move: fewer, or 0 (it is to fail),
 * where tests want it so (inject.h). */
uint32_t p9_injected(struct super *sb, uint32_t bytes, bool write);

/* 9p_attr.c */
/* Everything that a says, for an inode that nobody else has yet. */
void p9_copy_attr(struct inode *inode, const struct p9_attr *a);
/*
 * Ask the server what the file is now, and take it over: pages of a file that
 * another has changed are dropped; size and times only if nobody here was
 * changing them, and not while pages are dirty.  locked: the caller holds
 * inode->lock.  *a is what the server said.  0; -errno; -ESTALE: fid's name
 * leads to another file by now (a is that one's), nothing was taken over.
 */
int p9_fetch_attr(struct inode *inode, struct p9_attr *a, bool locked);
/* As inode_ops.refresh and .setattr */
int p9_refresh(struct inode *inode);
int p9_setattr(struct inode *inode, const struct iattr *a);
/* The inode of what fid names and a is true of; takes over the fid.  An error
 * pointer otherwise (the fid is clunked). */
struct inode *p9_inode_of(struct super *sb, uint32_t fid,
			  const struct p9_attr *a);
/*
 * 9p_batch.c.  Someone looks at the names of a directory one by one after
 * reading it (ls -l): look the next few up all at once.  dir->lock held.
 */
void p9_prefetch(struct dentry *parent);
/* Remember a name that readdir has given out (first: it is the first one). */
void p9_note_name(struct p9_inode *pi, const char *name, size_t len,
		  bool first);
void p9_drop_names(struct p9_inode *pi);

#endif
