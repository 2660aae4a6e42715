/* SPDX-License-Identifier: MIT */
/*
 * 9p_fs.h - between the two halves of the 9P file system: names and
 * attributes (9p_inode.c), and bytes (9p_file.c).
 */
#ifndef KERNEL_FS_9P_FS_H
#define KERNEL_FS_9P_FS_H

#include "9p.h"

/* inode->priv */
struct p9_inode {
	uint32_t fid;	   /* names the file; never opened while writable */
	uint32_t rfid;	   /* open for reading, or P9_NOFID */
	uint32_t wfid;	   /* open for writing, or P9_NOFID */
	uint32_t version;  /* qid.version when the pages were read */
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
/* Take over what the server says; pages of a changed file are dropped. */
void p9_set_attr(struct inode *inode, const struct p9_attr *a);
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
/* As inode_ops.refresh */
int p9_refresh(struct inode *inode);

#endif
