/* SPDX-License-Identifier: MIT */
/*
 * proc.h - between the file system under /proc and what its files say.
 *
 * A file's text is made when it is read from its start, into a growing
 * buffer; later reads of the same open file go on in that buffer.
 */
#ifndef KERNEL_FS_PROC_H
#define KERNEL_FS_PROC_H

#include "fs.h"

struct text {
	char *buf;
	size_t len, cap;
	bool no_memory;
};
void text_add(struct text *t, const char *s, size_t n);
void text_printf(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* quire_emit_fn with a struct text as cookie */
int text_emit(void *cookie, const char *s, size_t n);

struct proc_entry {
	const char *name;
	uint32_t mode;			  /* with S_IF* */
	const struct proc_entry *entries; /* a fixed directory's */
	/* The text of a file, or of a link; -errno.  p and t are NULL for
	 * files that belong to no process. */
	int (*show)(struct text *out, struct process *p, struct task *t);
	/* A write, as a NUL-ended string: 0 or -errno */
	int (*store)(const char *text, struct process *p);
	/* Where a link leads */
	struct dentry *(*follow)(struct process *p, struct task *t);
	const struct file_operations *fops; /* instead of text */
	/* A directory whose names are made up (fd, task) */
	const struct inode_ops *iops;
	/* fixed numbers for entries that are one plain value */
	const char *value;
	unsigned tunable; /* 1 + enum quire_tunable: Quire's, to read and set */
};

/* Of an inode in /proc: inode->priv */
struct pnode {
	const struct proc_entry *entry;
	int pid, tid; /* 0: none */
	int fd;
};
static inline struct pnode *pnode_of(const struct inode *inode)
{
	return inode->priv;
}
/* The process and thread of a node, with references, or -ESRCH. */
int pnode_get(const struct pnode *n, struct process **p, struct task **t);
void pnode_put(struct process *p, struct task *t);
/* A new inode in /proc for an entry; NULL: no memory. */
struct inode *proc_inode(struct super *sb, const struct proc_entry *e, int pid,
			 int tid, int fd);

/* The processor's cpuinfo.c: /proc/cpuinfo, and the lines of /proc/PID/maps for
 * what is no mapping. */
void cpuinfo_text(struct text *out);
void maps_text_tail(struct text *out);
/* /proc/kmmio: what the probe of the command line has seen. */
void kmmio_text(struct text *out);

extern const struct proc_entry proc_root_entries[];   /* proc_system.c */
extern const struct proc_entry sys_root_entries[];    /* proc_system.c */
extern const struct proc_entry proc_pid_entries[];    /* proc_pid.c */
extern const struct proc_entry proc_thread_entries[]; /* proc_pid.c */
extern const struct inode_ops proc_fd_iops, proc_task_iops;
extern const struct file_operations proc_fd_fops, proc_task_fops,
	proc_pagemap_fops, proc_mem_fops;

#endif
