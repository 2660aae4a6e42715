/* SPDX-License-Identifier: MIT */
/*
 * procfs: a tree of names that is made up while it is walked.
 *
 *     /proc ─ fixed entries (a table: name, mode, function that writes)
 *           └ PID ─ fixed entries, given the process
 *                 ├ fd    one link for each descriptor
 *                 └ task  one directory for each thread
 *
 * An inode remembers only numbers (pid, tid, fd) and its table entry; the
 * process is looked up each time it is used, so that nothing in the caches
 * keeps a dead one alive.  Names under a PID are checked at every lookup.
 * /sys is a fixed tree of the same kind.
 */
#include "proc.h"

#define PROC_MAGIC  0x9fa0
#define SYSFS_MAGIC 0x62656572
#define PID_POS	    1000 /* directory positions: fixed entries come below */

static const struct inode_ops dir_iops, link_iops, magic_iops, file_iops;
static const struct file_operations dir_fops, text_fops;

/* -------------------------------------------------------------------- text */

void text_add(struct text *t, const char *s, size_t n)
{
	size_t cap = t->cap ? t->cap : 1024;
	char *buf;

	if (t->no_memory)
		return;
	while (cap < t->len + n + 1)
		cap *= 2;
	if (cap != t->cap) {
		buf = fs_alloc(cap);
		if (!buf) {
			t->no_memory = true;
			return;
		}
		memcpy(buf, t->buf, t->len);
		fs_free(t->buf);
		t->buf = buf;
		t->cap = cap;
	}
	memcpy(t->buf + t->len, s, n);
	t->len += n;
	t->buf[t->len] = '\0';
}

void text_printf(struct text *t, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = vscnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_add(t, line, n);
}

int text_emit(void *cookie, const char *s, size_t n)
{
	struct text *t = cookie;

	text_add(t, s, n);
	return t->no_memory ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------- nodes */

int pnode_get(const struct pnode *n, struct process **p, struct task **t)
{
	*p = NULL;
	*t = NULL;
	if (!n->pid)
		return 0;
	*p = find_process(n->pid);
	if (!*p)
		return -ESRCH;
	*t = find_task(n->tid ? n->tid : n->pid);
	if (!*t || (*t)->proc != *p) {
		/* the leader may have ended before its threads */
		if (*t)
			task_put(*t);
		*t = n->tid ? NULL : next_thread(*p, 0);
	}
	if (*t || !n->tid)
		return 0;
	process_put(*p);
	return -ESRCH;
}

void pnode_put(struct process *p, struct task *t)
{
	if (t)
		task_put(t);
	if (p)
		process_put(p);
}

struct inode *proc_inode(struct super *sb, const struct proc_entry *e, int pid,
			 int tid, int fd)
{
	struct inode *inode = inode_new(sb, e->mode, inode_fresh_number());
	struct process *p;
	struct pnode *n;

	if (!inode)
		return NULL;
	n = fs_zalloc(sizeof(*n));
	if (!n) {
		inode_put(inode);
		return NULL;
	}
	*n = (struct pnode){e, pid, tid, fd};
	inode->priv = n;
	if (pid && (p = find_process(pid)) != NULL) {
		inode->uid = p->cred.euid;
		inode->gid = p->cred.egid;
		process_put(p);
	}
	inode->fops = e->fops ? e->fops : &text_fops;
	inode->ops = &file_iops;
	if (inode_is(inode, S_IFDIR)) {
		inode->ops = e->iops ? e->iops : &dir_iops;
		inode->fops = e->fops ? e->fops : &dir_fops;
		inode->nlink = 2;
	} else if (inode_is(inode, S_IFLNK)) {
		inode->ops = e->follow ? &magic_iops : &link_iops;
		inode->fops = NULL;
	}
	return inode;
}

static void proc_evict(struct inode *inode)
{
	fs_free(inode->priv);
}

/* ------------------------------------------------------------- directories */

static const struct proc_entry pid_dir = {
	.name = "", .mode = S_IFDIR | 0555, .entries = proc_pid_entries};

/* A decimal number without leading zeroes, or -1. */
static int number_of(const char *s)
{
	int n = 0;

	if (!*s || (*s == '0' && s[1]))
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || n > 100000000)
			return -1;
		n = n * 10 + (*s - '0');
	}
	return n;
}

static int dir_lookup(struct inode *dir, struct dentry *d)
{
	struct pnode *n = pnode_of(dir);
	const struct proc_entry *e;
	struct inode *inode = NULL;
	struct process *p;
	int pid;

	for (e = n->entry->entries; e && e->name; e++) {
		if (strcmp(e->name, d->name))
			continue;
		inode = proc_inode(dir->sb, e, n->pid, n->tid, -1);
		goto found;
	}
	if (n->entry->entries != proc_root_entries)
		return 0;
	pid = number_of(d->name);
	p = pid > 0 ? find_process(pid) : NULL;
	if (!p)
		return 0;
	process_put(p);
	inode = proc_inode(dir->sb, &pid_dir, pid, 0, -1);
found:
	if (!inode)
		return -ENOMEM;
	d_set_inode(d, inode);
	return 0;
}

static bool proc_revalidate(struct dentry *d)
{
	struct process *p;
	struct pnode *n;
	struct task *t;

	if (!d->inode)
		return false; /* a process of that number may be there now */
	n = pnode_of(d->inode);
	if (n->fd >= 0)
		return false;
	if (pnode_get(n, &p, &t))
		return false;
	pnode_put(p, t);
	return true;
}

static int dir_readdir(struct file *f, struct dir_ctx *ctx)
{
	struct pnode *n = pnode_of(f->inode);
	const struct proc_entry *e = n->entry->entries;
	uint64_t pos = f->pos, i;
	struct process *p;
	char name[16];

	if (pos == 0 && !ctx->emit(ctx, ".", 1, f->inode->ino, DT_DIR, 1))
		return 0;
	if (pos <= 1 && !ctx->emit(ctx, "..", 2, f->inode->ino, DT_DIR, 2))
		return 0;
	for (i = 2; e && e->name; e++, i++)
		if (i >= pos && !ctx->emit(ctx, e->name, strlen(e->name), i,
					   dt_of(e->mode), i + 1))
			return 0;
	if (n->entry->entries != proc_root_entries)
		return 0;
	i = pos > PID_POS ? pos - PID_POS : 0;
	while ((p = next_process((int)i)) != NULL) {
		i = (uint64_t)p->pid;
		process_put(p);
		snprintf(name, sizeof(name), "%d", (int)i);
		if (!ctx->emit(ctx, name, strlen(name), PID_POS + i, DT_DIR,
			       PID_POS + i))
			return 0;
	}
	return 0;
}

/* ------------------------------------------------------------ files, links */

/* The node's text, fresh.  0 or -errno; t->buf is the caller's to free. */
static int make_text(struct pnode *n, struct text *t)
{
	struct process *p;
	struct task *task;
	int err;

	if (n->entry->value) {
		text_printf(t, "%s\n", n->entry->value);
		return t->no_memory ? -ENOMEM : 0;
	}
	if (n->entry->tunable) {
		text_printf(t, "%llu\n",
			    (unsigned long long)quire_get_tunable(
				    the_quire, n->entry->tunable - 1));
		return t->no_memory ? -ENOMEM : 0;
	}
	err = pnode_get(n, &p, &task);
	if (err)
		return err;
	err = n->entry->show ? n->entry->show(t, p, task) : -EINVAL;
	pnode_put(p, task);
	return t->no_memory ? -ENOMEM : err;
}

/* Bytes of a text from *pos on. */
static long text_out(struct text *t, struct iter *to, uint64_t *pos)
{
	size_t n = *pos < t->len ? t->len - (size_t)*pos : 0;
	size_t ok;

	if (n > to->count)
		n = to->count;
	ok = iter_copy_to(to, t->buf + *pos, n);
	*pos += ok;
	return ok || !n ? (long)ok : -EFAULT;
}

static long text_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct text *t;
	long ret = 0;

	mutex_lock(&f->inode->lock);
	t = f->priv;
	if (!t) {
		t = fs_zalloc(sizeof(*t));
		f->priv = t;
		ret = t ? make_text(pnode_of(f->inode), t) : -ENOMEM;
	} else if (*pos == 0) {
		t->len = 0;
		ret = make_text(pnode_of(f->inode), t);
	}
	if (!ret)
		ret = text_out(t, to, pos);
	mutex_unlock(&f->inode->lock);
	return ret;
}

static void text_release(struct file *f)
{
	struct text *t = f->priv;

	if (t)
		fs_free(t->buf);
	fs_free(t);
}

/* A number for one of Quire's: 0 or -EINVAL */
static int store_tunable(const char *text, enum quire_tunable which)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (end == text)
		return -EINVAL;
	return quire_set_tunable(the_quire, which, v);
}

static long text_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct pnode *n = pnode_of(f->inode);
	size_t count = from->count;
	struct process *p;
	struct task *t;
	char buf[64];
	int err;

	if (!n->entry->store && !n->entry->tunable)
		return -EINVAL;
	if (count >= sizeof(buf))
		return -EINVAL;
	if (iter_copy_from(from, buf, count) < count)
		return -EFAULT;
	buf[count] = '\0';
	err = pnode_get(n, &p, &t);
	if (err)
		return err;
	err = n->entry->store ? n->entry->store(buf, p)
			      : store_tunable(buf, n->entry->tunable - 1);
	pnode_put(p, t);
	if (err)
		return err;
	*pos += count;
	return (long)count;
}

static long proc_readlink(struct inode *inode, char *buf, size_t cap)
{
	struct text t = {0};
	long n = make_text(pnode_of(inode), &t);

	if (!n) {
		n = (long)(t.len < cap ? t.len : cap);
		memcpy(buf, t.buf, (size_t)n);
	}
	fs_free(t.buf);
	return n == -ESRCH ? -ENOENT : n;
}

/* What a link leads to, as its text: the path and "(deleted)" */
static long magic_readlink(struct inode *inode, char *buf, size_t cap)
{
	struct dentry *d = inode->ops->follow(inode);
	long n;

	if (IS_ERR(d))
		return PTR_ERR(d);
	n = vfs_path(d, buf, cap);
	dput(d);
	return n > 0 ? n - 1 : n;
}

static struct dentry *magic_follow(struct inode *inode)
{
	struct pnode *n = pnode_of(inode);
	struct dentry *d;
	struct process *p;
	struct task *t;
	int err = pnode_get(n, &p, &t);

	if (err)
		return ERR_PTR(-ENOENT);
	d = t ? n->entry->follow(p, t) : ERR_PTR(-ENOENT);
	pnode_put(p, t);
	return d;
}

static int proc_setattr(struct inode *inode, const struct iattr *a)
{
	(void)inode;
	/* opening with O_TRUNC is harmless; everything else is refused */
	return a->valid & ~ATTR_SIZE ? -EPERM : 0;
}

static const struct inode_ops dir_iops = {
	.lookup = dir_lookup,
	.revalidate = proc_revalidate,
	.setattr = proc_setattr,
};
static const struct inode_ops file_iops = {
	.setattr = proc_setattr,
};
static const struct inode_ops link_iops = {
	.readlink = proc_readlink,
	.setattr = proc_setattr,
};
static const struct inode_ops magic_iops = {
	.readlink = magic_readlink,
	.follow = magic_follow,
	.setattr = proc_setattr,
};
static const struct file_operations dir_fops = {
	.readdir = dir_readdir,
	.llseek = dir_llseek,
};
static const struct file_operations text_fops = {
	.read = text_read,
	.write = text_write,
	.llseek = generic_llseek,
	.release = text_release,
};

/* ------------------------------------------------------------ task/ and fd/ */

static const struct proc_entry thread_dir = {
	.name = "", .mode = S_IFDIR | 0555, .entries = proc_thread_entries};

static int task_lookup(struct inode *dir, struct dentry *d)
{
	struct pnode *n = pnode_of(dir);
	struct pnode want = {NULL, n->pid, number_of(d->name), -1};
	struct inode *inode;
	struct process *p;
	struct task *t;

	if (want.tid <= 0 || pnode_get(&want, &p, &t))
		return 0;
	pnode_put(p, t);
	inode = proc_inode(dir->sb, &thread_dir, n->pid, want.tid, -1);
	if (!inode)
		return -ENOMEM;
	d_set_inode(d, inode);
	return 0;
}

static int task_readdir(struct file *f, struct dir_ctx *ctx)
{
	struct pnode *n = pnode_of(f->inode);
	struct process *p = find_process(n->pid);
	uint64_t pos = f->pos;
	struct task *t;
	char name[16];
	int tid;

	if (!p)
		return -ENOENT;
	if (pos == 0 && !ctx->emit(ctx, ".", 1, f->inode->ino, DT_DIR, 1))
		goto out;
	if (pos <= 1 && !ctx->emit(ctx, "..", 2, f->inode->ino, DT_DIR, 2))
		goto out;
	tid = pos > PID_POS ? (int)(pos - PID_POS) : 0;
	while ((t = next_thread(p, tid)) != NULL) {
		tid = t->tid;
		task_put(t);
		snprintf(name, sizeof(name), "%d", tid);
		if (!ctx->emit(ctx, name, strlen(name), (uint64_t)tid + PID_POS,
			       DT_DIR, (uint64_t)tid + PID_POS))
			break;
	}
out:
	process_put(p);
	return 0;
}

const struct inode_ops proc_task_iops = {
	.lookup = task_lookup,
	.revalidate = proc_revalidate,
};
const struct file_operations proc_task_fops = {
	.readdir = task_readdir,
	.llseek = dir_llseek,
};

/* ---------------------------------------------------------- the file systems
 */

static const struct super_ops proc_ops = {
	.evict = proc_evict,
};

static struct super *made_up(const char *type, uint64_t magic,
			     const struct proc_entry *root)
{
	struct super *sb = super_new(type, type, &proc_ops, magic);
	struct inode *inode;

	if (!sb)
		return NULL;
	inode = proc_inode(sb, root, 0, 0, -1);
	if (inode)
		sb->root = d_root(sb, inode);
	return sb->root ? sb : NULL;
}

struct super *proc_new(void)
{
	static const struct proc_entry root = {.name = "",
					       .mode = S_IFDIR | 0555,
					       .entries = proc_root_entries};

	return made_up("proc", PROC_MAGIC, &root);
}

struct super *sysfs_new(void)
{
	static const struct proc_entry root = {.name = "",
					       .mode = S_IFDIR | 0555,
					       .entries = sys_root_entries};

	return made_up("sysfs", SYSFS_MAGIC, &root);
}
