/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID: what the files of one process say, as in proc(5).
 */
#include "oom.h"
#include "proc.h"

#define PAGE_KIB (QUIRE_PAGE_SIZE / 1024)
#define TICK_NS	 (NSEC_PER_SEC / 100) /* USER_HZ is 100 */
#define AT_NULL	 0

/* ----------------------------------------------------------- address space */

/* Text of the process's memory in [start, end), cut to 128 KiB */
static int show_range(struct text *out, struct process *p, uaddr_t start,
		      uaddr_t end)
{
	struct mm_struct *mm;
	size_t n;
	char *buf;

	if (end <= start)
		return 0;
	n = end - start < 131072 ? (size_t)(end - start) : 131072;
	mm = process_mm(p);
	if (!mm)
		return 0;
	buf = fs_alloc(n);
	if (buf) {
		n = quire_mm_read(mm, start, buf, n);
		text_add(out, buf, n);
		fs_free(buf);
	} else {
		out->no_memory = true;
	}
	quire_mm_put(mm);
	return 0;
}

static bool layout_of(struct process *p, struct quire_mm_layout *l)
{
	struct mm_struct *mm = process_mm(p);

	memset(l, 0, sizeof(*l));
	if (!mm)
		return false;
	quire_mm_get_layout(mm, l);
	quire_mm_put(mm);
	return true;
}

static int show_cmdline(struct text *out, struct process *p, struct task *t)
{
	struct quire_mm_layout l;

	(void)t;
	if (!layout_of(p, &l))
		return 0;
	return show_range(out, p, l.arg_start, l.arg_end);
}

static int show_environ(struct text *out, struct process *p, struct task *t)
{
	struct quire_mm_layout l;

	(void)t;
	if (!layout_of(p, &l))
		return 0;
	return show_range(out, p, l.env_start, l.env_end);
}

/* As the program has it, who may have changed it. */
static int show_auxv(struct text *out, struct process *p, struct task *t)
{
	struct mm_struct *mm = process_mm(p);
	uaddr_t pair[2] = {1, 0}, at = p->auxv;
	unsigned i;

	(void)t;
	if (!mm)
		return 0;
	for (i = 0; i < 64 && pair[0] != AT_NULL; i++, at += sizeof(pair)) {
		if (quire_mm_read(mm, at, pair, sizeof(pair)) < sizeof(pair))
			break;
		text_add(out, (const char *)pair, sizeof(pair));
	}
	quire_mm_put(mm);
	return 0;
}

static int show_maps(struct text *out, struct process *p, struct task *t)
{
	struct mm_struct *mm = process_mm(p);
	int err;

	(void)t;
	if (!mm)
		return 0;
	err = quire_maps(mm, text_emit, out);
	quire_mm_put(mm);
	if (err < 0)
		return err;
	maps_text_tail(out);
	return 0;
}

static int show_smaps(struct text *out, struct process *p, struct task *t)
{
	struct mm_struct *mm = process_mm(p);
	int err;

	(void)t;
	if (!mm)
		return 0;
	err = quire_smaps(mm, text_emit, out);
	quire_mm_put(mm);
	return err < 0 ? err : 0;
}

static void mm_figures(struct process *p, struct quire_mm_stats *st)
{
	struct mm_struct *mm = process_mm(p);

	memset(st, 0, sizeof(*st));
	if (!mm)
		return;
	quire_mm_get_stats(mm, st);
	quire_mm_put(mm);
}

static uint64_t rss_of(const struct quire_mm_stats *st)
{
	return st->anon_pages + st->file_pages + st->shmem_pages;
}

static int show_statm(struct text *out, struct process *p, struct task *t)
{
	struct quire_mm_stats st;

	(void)t;
	mm_figures(p, &st);
	text_printf(out, "%llu %llu %llu %llu 0 %llu 0\n",
		    (unsigned long long)st.total_vm,
		    (unsigned long long)rss_of(&st),
		    (unsigned long long)(st.file_pages + st.shmem_pages),
		    (unsigned long long)st.exec_vm,
		    (unsigned long long)(st.data_vm + st.stack_vm));
	return 0;
}

/* ------------------------------------------------------------------ status */

static const char *state_name(char c)
{
	switch (c) {
	case 'R':
		return "R (running)";
	case 'S':
		return "S (sleeping)";
	case 'D':
		return "D (disk sleep)";
	case 'T':
		return "T (stopped)";
	default:
		return "Z (zombie)";
	}
}

static void status_memory(struct text *out, struct process *p)
{
	struct quire_mm_stats st;
	uint64_t rss;

	mm_figures(p, &st);
	rss = rss_of(&st);
	if (!st.total_vm)
		return;
	if (st.hiwater_rss < rss)
		st.hiwater_rss = rss;
	if (st.hiwater_vm < st.total_vm)
		st.hiwater_vm = st.total_vm;
#define KIB(name, pages)                                                       \
	text_printf(out, name ":\t%8llu kB\n",                                 \
		    (unsigned long long)((pages)*PAGE_KIB))
	KIB("VmPeak", st.hiwater_vm);
	KIB("VmSize", st.total_vm);
	KIB("VmLck", st.locked_vm);
	KIB("VmPin", 0ull);
	KIB("VmHWM", st.hiwater_rss);
	KIB("VmRSS", rss);
	KIB("RssAnon", st.anon_pages);
	KIB("RssFile", st.file_pages);
	KIB("RssShmem", st.shmem_pages);
	KIB("VmData", st.data_vm);
	KIB("VmStk", st.stack_vm);
	KIB("VmExe", st.exec_vm);
	KIB("VmLib", 0ull);
	text_printf(out, "VmPTE:\t%8llu kB\n",
		    (unsigned long long)(st.table_bytes / 1024));
	KIB("VmSwap", st.swap_entries);
#undef KIB
}

static void status_signals(struct text *out, struct process *p, struct task *t)
{
	uint64_t ignored = 0, caught = 0;
	unsigned i;

	for (i = 0; t->sighand && i < KNSIG; i++) {
		uint64_t h = t->sighand->action[i].handler;

		if (h == 1)
			ignored |= 1ull << i;
		else if (h)
			caught |= 1ull << i;
	}
	text_printf(out,
		    "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n"
		    "SigIgn:\t%016llx\nSigCgt:\t%016llx\n",
		    (unsigned long long)t->pending.set,
		    (unsigned long long)p->pending.set,
		    (unsigned long long)t->blocked, (unsigned long long)ignored,
		    (unsigned long long)caught);
}

static int show_status(struct text *out, struct process *p, struct task *t)
{
	const struct cred *c = &p->cred;
	uint64_t cpus = (1ull << nr_cpus()) - 1;

	if (!t)
		return -ESRCH;
	text_printf(out, "Name:\t%s\nUmask:\t%04o\nState:\t%s\n", t->comm,
		    t->fs ? t->fs->umask : 0, state_name(task_state_letter(t)));
	text_printf(out, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n", p->pid,
		    t->tid, p->parent ? p->parent->pid : 0);
	text_printf(out, "TracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\n", c->uid,
		    c->euid, c->suid, c->fsuid);
	text_printf(out, "Gid:\t%u\t%u\t%u\t%u\nFDSize:\t64\nGroups:\t \n",
		    c->gid, c->egid, c->sgid, c->fsgid);
	status_memory(out, p);
	text_printf(out, "CoreDumping:\t0\nTHP_enabled:\t0\nThreads:\t%u\n",
		    p->nr_threads);
	status_signals(out, p, t);
	text_printf(out, "Cpus_allowed:\t%llx\n",
		    (unsigned long long)(t->affinity & cpus));
	text_printf(out,
		    "voluntary_ctxt_switches:\t%llu\n"
		    "nonvoluntary_ctxt_switches:\t%llu\n",
		    (unsigned long long)t->nvcsw,
		    (unsigned long long)t->nivcsw);
	return 0;
}

/* The first half of /proc/PID/stat: fields 1 to 22 of proc(5). */
static void stat_first(struct text *out, struct process *p, struct task *t)
{
	struct kusage u;

	process_usage(p, &u);
	text_printf(out, "%d (%s) %c %d %d %d 0 -1 0 ", t->tid, t->comm,
		    task_state_letter(t), p->parent ? p->parent->pid : 0,
		    p->pgid, p->sid);
	text_printf(out, "%llu %llu %llu %llu ", (unsigned long long)u.min_flt,
		    (unsigned long long)p->children_used.min_flt,
		    (unsigned long long)u.maj_flt,
		    (unsigned long long)p->children_used.maj_flt);
	text_printf(out, "%llu %llu %llu %llu ",
		    (unsigned long long)(u.utime / TICK_NS),
		    (unsigned long long)(u.stime / TICK_NS),
		    (unsigned long long)(p->children_used.utime / TICK_NS),
		    (unsigned long long)(p->children_used.stime / TICK_NS));
	text_printf(out, "%d %d %u 0 %llu ", 20 + p->nice, p->nice,
		    p->nr_threads,
		    (unsigned long long)(p->start_time / TICK_NS));
}

static int show_stat(struct text *out, struct process *p, struct task *t)
{
	struct quire_mm_layout l;
	struct quire_mm_stats st;

	if (!t)
		return -ESRCH;
	stat_first(out, p, t);
	mm_figures(p, &st);
	(void)layout_of(p, &l);
	text_printf(out, "%llu %llu %llu %llu %llu %llu 0 0 ",
		    (unsigned long long)st.total_vm * QUIRE_PAGE_SIZE,
		    (unsigned long long)rss_of(&st),
		    (unsigned long long)p->rlim[5].cur,
		    (unsigned long long)l.start_code,
		    (unsigned long long)l.end_code,
		    (unsigned long long)l.start_stack);
	text_printf(out, "0 0 0 0 0 0 0 17 %u 0 0 0 0 0 ", t->cpu);
	text_printf(
		out, "%llu %llu %llu %llu %llu %llu %llu %d\n",
		(unsigned long long)l.start_data,
		(unsigned long long)l.end_data, (unsigned long long)l.start_brk,
		(unsigned long long)l.arg_start, (unsigned long long)l.arg_end,
		(unsigned long long)l.env_start, (unsigned long long)l.env_end,
		p->exit_code);
	return 0;
}

static int show_comm(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	if (!t)
		return -ESRCH;
	text_printf(out, "%s\n", t->comm);
	return 0;
}

static const struct {
	const char *name, *unit;
	int which;
} limit_names[] = {
	{"Max cpu time", "seconds", 0},
	{"Max file size", "bytes", 1},
	{"Max data size", "bytes", 2},
	{"Max stack size", "bytes", 3},
	{"Max core file size", "bytes", 4},
	{"Max resident set", "bytes", 5},
	{"Max processes", "processes", 6},
	{"Max open files", "files", 7},
	{"Max locked memory", "bytes", 8},
	{"Max address space", "bytes", 9},
	{"Max file locks", "locks", 10},
	{"Max pending signals", "signals", 11},
	{"Max msgqueue size", "bytes", 12},
	{"Max nice priority", "", 13},
	{"Max realtime priority", "", 14},
	{"Max realtime timeout", "us", 15},
};

static void limit_text(char *buf, size_t cap, uint64_t v)
{
	if (v == UINT64_MAX)
		snprintf(buf, cap, "unlimited");
	else
		snprintf(buf, cap, "%llu", (unsigned long long)v);
}

static int show_limits(struct text *out, struct process *p, struct task *t)
{
	char soft[24], hard[24];
	unsigned i;

	(void)t;
	text_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit",
		    "Hard Limit", "Units");
	for (i = 0; i < ARRAY_SIZE(limit_names); i++) {
		const struct rlimit64 *r = &p->rlim[limit_names[i].which];

		limit_text(soft, sizeof(soft), r->cur);
		limit_text(hard, sizeof(hard), r->max);
		text_printf(out, "%-25s %-20s %-20s %-10s\n",
			    limit_names[i].name, soft, hard,
			    limit_names[i].unit);
	}
	return 0;
}

static int store_clear_refs(const char *text, struct process *p)
{
	struct mm_struct *mm = process_mm(p);
	uint64_t what = strtoull(text, NULL, 10);
	int err;

	if (!mm)
		return -ESRCH;
	err = what >= 1 && what <= 5 ? quire_clear_refs(mm, (int)what)
				     : -EINVAL;
	quire_mm_put(mm);
	return err;
}

static int show_oom_score_adj(struct text *out, struct process *p,
			      struct task *t)
{
	(void)t;
	text_printf(out, "%d\n", p->oom_score_adj);
	return 0;
}

static int show_oom_score(struct text *out, struct process *p, struct task *t)
{
	(void)t;
	text_printf(out, "%u\n", oom_score(p));
	return 0;
}

/* The older scale, -17 ... 15 */
static int show_oom_adj(struct text *out, struct process *p, struct task *t)
{
	int adj = p->oom_score_adj;

	(void)t;
	text_printf(out, "%d\n", adj == 1000 ? 15 : adj * 17 / 1000);
	return 0;
}

/* Less than a privileged one has set is for the privileged. */
static int set_oom_adj(struct process *p, int adj)
{
	if (adj < p->oom_adj_min && !is_root())
		return -EACCES;
	p->oom_score_adj = adj;
	if (is_root())
		p->oom_adj_min = adj;
	return 0;
}

/* A number of [low, high] and nothing else */
static int parse_int(const char *text, int low, int high, int *v)
{
	bool minus = text[0] == '-';
	const char *digits = text + (minus || text[0] == '+');
	uint64_t n;
	char *end;

	n = strtoull(digits, &end, 10);
	if (end == digits || (*end && *end != '\n') || n > INT32_MAX)
		return -EINVAL;
	*v = minus ? -(int)n : (int)n;
	return *v < low || *v > high ? -EINVAL : 0;
}

static int store_oom_score_adj(const char *text, struct process *p)
{
	int v, err = parse_int(text, -1000, 1000, &v);

	return err ? err : set_oom_adj(p, v);
}

static int store_oom_adj(const char *text, struct process *p)
{
	int v, err = parse_int(text, -17, 15, &v);

	return err ? err : set_oom_adj(p, v == 15 ? 1000 : v * 1000 / 17);
}

static int store_comm(const char *text, struct process *p)
{
	struct task *t = find_task(p->pid);
	const char *nl = strchr(text, '\n');
	size_t n = nl ? (size_t)(nl - text) : strlen(text);

	if (!t)
		return -ESRCH;
	if (n > sizeof(t->comm) - 1)
		n = sizeof(t->comm) - 1;
	memcpy(t->comm, text, n);
	t->comm[n] = '\0';
	task_put(t);
	return 0;
}

/* ------------------------------------------------------------------- links */

static struct dentry *follow_exe(struct process *p, struct task *t)
{
	(void)t;
	return p->exe ? dget(p->exe->dentry) : ERR_PTR(-ENOENT);
}

static struct dentry *fs_dentry(struct task *t, bool root)
{
	struct fs *fs = task_fs_get(t);
	struct dentry *d;

	if (!fs)
		return ERR_PTR(-ENOENT);
	spin_lock(&fs->lock);
	d = dget(root ? fs->root : fs->cwd);
	spin_unlock(&fs->lock);
	fs_put(fs);
	return d;
}

static struct dentry *follow_cwd(struct process *p, struct task *t)
{
	(void)p;
	return fs_dentry(t, false);
}

static struct dentry *follow_root(struct process *p, struct task *t)
{
	(void)p;
	return fs_dentry(t, true);
}

/* ----------------------------------------------------------------- pagemap */

static struct process *process_of(struct file *f)
{
	return find_process(pnode_of(f->inode)->pid);
}

static long pagemap_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct process *p = process_of(f);
	struct mm_struct *mm = p ? process_mm(p) : NULL;
	uint64_t entry[64];
	long done = 0;

	if (p)
		process_put(p);
	if (!mm)
		return p ? 0 : -ESRCH;
	if (*pos % 8 || to->count % 8)
		done = -EINVAL;
	while (done >= 0 && to->count) {
		uaddr_t addr;
		size_t n = to->count / 8, ok;

		if (*pos / 8 >= quire_task_size(the_quire) / QUIRE_PAGE_SIZE)
			break;
		addr = (uaddr_t)(*pos / 8 * QUIRE_PAGE_SIZE);
		n = quire_pagemap(mm, addr, n < 64 ? n : 64, entry);
		if (!n)
			break;
		ok = iter_copy_to(to, entry, n * 8);
		*pos += ok;
		done += (long)ok;
		if (ok < n * 8) {
			done = done ? done : -EFAULT;
			break;
		}
	}
	quire_mm_put(mm);
	return done;
}

static long mem_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct process *p = process_of(f);
	struct mm_struct *mm = p ? process_mm(p) : NULL;
	char *buf = fs_alloc(QUIRE_PAGE_SIZE);
	long done = buf ? 0 : -ENOMEM;

	if (p)
		process_put(p);
	while (mm && buf && to->count) {
		size_t n = to->count < QUIRE_PAGE_SIZE ? to->count
						       : QUIRE_PAGE_SIZE;
		uaddr_t at = (uaddr_t)*pos;
		size_t ok = at == *pos ? quire_mm_read(mm, at, buf, n) : 0;

		if (!ok) {
			done = done ? done : -EIO;
			break;
		}
		ok = iter_copy_to(to, buf, ok);
		*pos += ok;
		done += (long)ok;
		if (ok < n)
			break;
	}
	if (mm)
		quire_mm_put(mm);
	fs_free(buf);
	return done;
}

const struct file_operations proc_pagemap_fops = {
	.read = pagemap_read,
	.llseek = memory_llseek,
};
const struct file_operations proc_mem_fops = {
	.read = mem_read,
	.llseek = memory_llseek,
};

/* --------------------------------------------------------------------- fd/ */

static struct dentry *follow_fd(struct inode *inode)
{
	struct pnode *n = pnode_of(inode);
	struct dentry *d = ERR_PTR(-ENOENT);
	struct files *files = NULL;
	struct process *p;
	struct task *t;
	struct file *f;

	if (pnode_get(n, &p, &t))
		return d;
	if (t)
		files = task_files_get(t);
	f = files ? files_fget(files, n->fd) : NULL;
	if (f) {
		d = dget(f->dentry);
		fput(f);
	}
	files_put(files);
	pnode_put(p, t);
	return d;
}

static long fd_readlink(struct inode *inode, char *buf, size_t cap)
{
	struct dentry *d = follow_fd(inode);
	long n;

	if (IS_ERR(d))
		return PTR_ERR(d);
	n = vfs_path(d, buf, cap);
	dput(d);
	return n > 0 ? n - 1 : n;
}

static const struct inode_ops fd_link_iops = {
	.readlink = fd_readlink,
	.follow = follow_fd,
};
static const struct proc_entry fd_link = {.name = "", .mode = S_IFLNK | 0700};

static struct files *node_files(struct pnode *n)
{
	struct files *files = NULL;
	struct process *p;
	struct task *t;

	if (pnode_get(n, &p, &t))
		return NULL;
	if (t)
		files = task_files_get(t);
	pnode_put(p, t);
	return files;
}

static int fd_lookup(struct inode *dir, struct dentry *d)
{
	struct pnode *n = pnode_of(dir);
	struct files *files = node_files(n);
	struct inode *inode;
	struct file *f;
	char *end;
	int fd = (int)strtoull(d->name, &end, 10);

	if (!files)
		return 0;
	f = *end || !d->len ? NULL : files_fget(files, fd);
	files_put(files);
	if (!f)
		return 0;
	fput(f);
	inode = proc_inode(dir->sb, &fd_link, n->pid, n->tid, fd);
	if (!inode)
		return -ENOMEM;
	inode->ops = &fd_link_iops;
	d_set_inode(d, inode);
	return 0;
}

static bool fd_revalidate(struct dentry *d)
{
	(void)d;
	return false; /* descriptors come and go */
}

static int fd_readdir(struct file *f, struct dir_ctx *ctx)
{
	struct files *files = node_files(pnode_of(f->inode));
	uint64_t pos = f->pos;
	char name[16];
	int fd;

	if (!files)
		return -ENOENT;
	if (pos == 0 && !ctx->emit(ctx, ".", 1, f->inode->ino, DT_DIR, 1))
		goto out;
	if (pos <= 1 && !ctx->emit(ctx, "..", 2, f->inode->ino, DT_DIR, 2))
		goto out;
	fd = pos > 2 ? (int)(pos - 2) : 0;
	while ((fd = files_next_fd(files, fd)) >= 0) {
		snprintf(name, sizeof(name), "%d", fd);
		fd++;
		if (!ctx->emit(ctx, name, strlen(name), (uint64_t)fd + 2,
			       DT_LNK, (uint64_t)fd + 2))
			break;
	}
out:
	files_put(files);
	return 0;
}

const struct inode_ops proc_fd_iops = {
	.lookup = fd_lookup,
	.revalidate = fd_revalidate,
};
const struct file_operations proc_fd_fops = {
	.readdir = fd_readdir,
	.llseek = dir_llseek,
};

/* ------------------------------------------------------------------ tables */

int show_mounts(struct text *out, struct process *p, struct task *t);
int show_mountinfo(struct text *out, struct process *p, struct task *t);

#define FILE_ENTRY(n, m, fn)                                                   \
	{                                                                      \
		.name = n, .mode = S_IFREG | (m), .show = fn                   \
	}
#define LINK_ENTRY(n, fn)                                                      \
	{                                                                      \
		.name = n, .mode = S_IFLNK | 0777, .follow = fn                \
	}
#define VALUE_ENTRY(n, v)                                                      \
	{                                                                      \
		.name = n, .mode = S_IFREG | 0444, .value = v                  \
	}
#define SET_ENTRY(n, get, set)                                                 \
	{                                                                      \
		.name = n, .mode = S_IFREG | 0644, .show = get, .store = set   \
	}
#define COMMON_ENTRIES                                                         \
	FILE_ENTRY("status", 0444, show_status),                               \
		FILE_ENTRY("stat", 0444, show_stat),                           \
		FILE_ENTRY("statm", 0444, show_statm),                         \
		FILE_ENTRY("maps", 0444, show_maps),                           \
		FILE_ENTRY("smaps", 0444, show_smaps),                         \
		FILE_ENTRY("cmdline", 0444, show_cmdline),                     \
		FILE_ENTRY("environ", 0400, show_environ),                     \
		FILE_ENTRY("auxv", 0400, show_auxv),                           \
		SET_ENTRY("comm", show_comm, store_comm),                      \
		FILE_ENTRY("limits", 0444, show_limits),                       \
		FILE_ENTRY("mounts", 0444, show_mounts),                       \
		FILE_ENTRY("mountinfo", 0444, show_mountinfo),                 \
		LINK_ENTRY("exe", follow_exe), LINK_ENTRY("cwd", follow_cwd),  \
		LINK_ENTRY("root", follow_root),                               \
		FILE_ENTRY("oom_score", 0444, show_oom_score),                 \
		VALUE_ENTRY("cgroup", "0::/"), VALUE_ENTRY("wchan", "0"),      \
		VALUE_ENTRY("personality", "00000000"),                        \
		SET_ENTRY("oom_score_adj", show_oom_score_adj,                 \
			  store_oom_score_adj),                                \
		SET_ENTRY("oom_adj", show_oom_adj, store_oom_adj),             \
		{.name = "clear_refs",                                         \
		 .mode = S_IFREG | 0200,                                       \
		 .store = store_clear_refs},                                   \
		{.name = "pagemap",                                            \
		 .mode = S_IFREG | 0400,                                       \
		 .fops = &proc_pagemap_fops},                                  \
		{.name = "mem",                                                \
		 .mode = S_IFREG | 0600,                                       \
		 .fops = &proc_mem_fops},                                      \
	{                                                                      \
		.name = "fd", .mode = S_IFDIR | 0500, .iops = &proc_fd_iops,   \
		.fops = &proc_fd_fops                                          \
	}

const struct proc_entry proc_thread_entries[] = {COMMON_ENTRIES, {0}};

const struct proc_entry proc_pid_entries[] = {
	COMMON_ENTRIES,
	{.name = "task",
	 .mode = S_IFDIR | 0555,
	 .iops = &proc_task_iops,
	 .fops = &proc_task_fops},
	{0},
};
