/* SPDX-License-Identifier: MIT */
/*
 * exec.c - execve(2): a fresh address space with a program in it.
 *
 *   ABI_STACK_TOP  stack: strings, auxiliary vector, envp, argv, argc
 *            |     grows down
 *   128 MiB lower  mmap area, downwards: the interpreter (ld.so), libraries
 *            |
 *   ABI_PIE_BASE   position-independent programs, then brk
 *   elsewhere      others, at their own addresses, then brk
 *
 * Placement is the same in every run: what a program's faults cost is to be
 * repeatable.  Everything that can fail happens on a new mm_struct that nobody
 * else knows; then the other threads are ended, the mm is exchanged, and the
 * old one put.
 *
 * Locks: none held; Quire takes its own.
 */
#include "exec.h"
#include "elf.h"
#include "kerrno.h"
#include "krandom.h"
#include "proc.h"
#include "vfs.h"
#include <arch_abi.h>
#include <arch_regs.h>

#define PAGE	       ((uaddr_t)4096)
#define STACK_EXTRA    (128u << 10) /* mapped below the strings at start */
#define ARG_MAX_BYTES  (2u << 20)   /* execve(2): a quarter of 8 MiB */
#define ARG_MAX_STRING (128u << 10)

/*
 * Auxiliary vector types: getauxval(3), System V ABI AMD64 supplement 3.4.3.
 * Its entries, and the pointers around it, are words.
 */
enum {
	AT_NULL = 0,
	AT_PHDR = 3,
	AT_PHENT = 4,
	AT_PHNUM = 5,
	AT_PAGESZ = 6,
	AT_BASE = 7,
	AT_FLAGS = 8,
	AT_ENTRY = 9,
	AT_UID = 11,
	AT_EUID = 12,
	AT_GID = 13,
	AT_EGID = 14,
	AT_PLATFORM = 15,
	AT_HWCAP = 16,
	AT_CLKTCK = 17,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_HWCAP2 = 26,
	AT_EXECFN = 31,
	AT_MINSIGSTKSZ = 51
};

struct binprm {
	struct exec_args *args;
	char path[PATH_MAX]; /* what AT_EXECFN shows */
	char head[256];	     /* the file's first bytes */
	long head_len;
	struct file *file;
	struct mm_struct *mm;
	struct elf_header eh;
	struct elf_image *image; /* of the program, then of its interpreter */
	uaddr_t bias, phdr, entry, interp_base, start;
	uaddr_t end_bss;
	uaddr_t start_code, end_code, start_data, end_data;
	uaddr_t sp, auxv;
};
#define WORD sizeof(uaddr_t)

/* ------------------------------------------------- arguments, gathered */

static int args_append(struct exec_args *a, const char *s, size_t n)
{
	size_t cap = a->cap ? a->cap : 4096;
	char *buf;

	if (n + 1 > ARG_MAX_STRING)
		return -E2BIG;
	if (a->len + n + 1 > ARG_MAX_BYTES)
		return -E2BIG;
	while (cap < a->len + n + 1)
		cap *= 2;
	if (cap != a->cap) {
		buf = kmalloc(cap);
		if (!buf)
			return -ENOMEM;
		if (a->len)
			memcpy(buf, a->buf, a->len);
		kfree(a->buf);
		a->buf = buf;
		a->cap = cap;
	}
	memcpy(a->buf + a->len, s, n);
	a->buf[a->len + n] = 0;
	a->len += n + 1;
	return 0;
}

int exec_add_arg(struct exec_args *a, const char *s, size_t n)
{
	int err = args_append(a, s, n);

	if (!err) {
		a->argc++;
		a->env_at = a->len;
	}
	return err;
}

int exec_add_env(struct exec_args *a, const char *s, size_t n)
{
	int err = args_append(a, s, n);

	if (!err)
		a->envc++;
	return err;
}

void exec_free_args(struct exec_args *a)
{
	kfree(a->buf);
	memset(a, 0, sizeof(*a));
}

/* Strings of a user's NULL-ended vector. */
static int args_from_user(struct exec_args *a, uaddr_t vec, bool env)
{
	char *tmp = kmalloc(ARG_MAX_STRING);
	uaddr_t p;
	long n;
	int err = tmp ? 0 : -ENOMEM;

	for (; !err && vec; vec += WORD) {
		err = get_user(&p, vec);
		if (err || !p)
			break;
		n = strncpy_from_user(tmp, p, ARG_MAX_STRING);
		if (n < 0)
			err = -EFAULT;
		else if (n >= (long)ARG_MAX_STRING)
			err = -E2BIG;
		else
			err = env ? exec_add_env(a, tmp, (size_t)n)
				  : exec_add_arg(a, tmp, (size_t)n);
	}
	kfree(tmp);
	return err;
}

/* Put the interpreter's words before the arguments in place of argv[0]. */
static int args_insert(struct exec_args *a, const char *interp, const char *opt,
		       const char *script)
{
	struct exec_args n = {0};
	size_t skip = a->argc ? strlen(a->buf) + 1 : 0;
	const char *s = a->buf + skip;
	unsigned i;
	int err = exec_add_arg(&n, interp, strlen(interp));

	if (!err && opt)
		err = exec_add_arg(&n, opt, strlen(opt));
	if (!err)
		err = exec_add_arg(&n, script, strlen(script));
	for (i = 1; !err && i < a->argc; i++, s += strlen(s) + 1)
		err = exec_add_arg(&n, s, strlen(s));
	for (i = 0, s = a->buf + a->env_at; !err && i < a->envc;
	     i++, s += strlen(s) + 1)
		err = exec_add_env(&n, s, strlen(s));
	if (err) {
		exec_free_args(&n);
		return err;
	}
	exec_free_args(a);
	*a = n;
	return 0;
}

/* ------------------------------------------------------------- the file */

static int open_file(struct binprm *b, int dirfd, const char *path,
		     unsigned flags)
{
	struct file *f = vfs_open_exec(dirfd, path, flags);

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	b->file = f;
	memset(b->head, 0, sizeof(b->head));
	b->head_len = kernel_read(f, b->head, sizeof(b->head), 0);
	return b->head_len < 0 ? (int)b->head_len : 0;
}

/* "#! interpreter [one argument]": 1 when it was such a line, 0, or -errno. */
static int open_script(struct binprm *b)
{
	char *interp = b->head + 2, *end, *opt = NULL;
	char name[256], arg[256];
	int err;

	if (b->head_len < 3 || b->head[0] != '#' || b->head[1] != '!')
		return 0;
	end = memchr(b->head, '\n', (size_t)b->head_len);
	if (!end)
		end = b->head + K_MIN(b->head_len, (long)sizeof(b->head) - 1);
	while (end > interp && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = 0;
	while (*interp == ' ' || *interp == '\t')
		interp++;
	if (!*interp)
		return -ENOEXEC;
	strlcpy(name, interp, sizeof(name));
	for (end = name; *end && *end != ' ' && *end != '\t'; end++)
		;
	if (*end) {
		*end++ = 0;
		while (*end == ' ' || *end == '\t')
			end++;
		if (*end) {
			strlcpy(arg, end, sizeof(arg));
			opt = arg;
		}
	}
	err = args_insert(b->args, name, opt, b->path);
	if (err)
		return err;
	fput(b->file);
	b->file = NULL;
	strlcpy(b->path, name, sizeof(b->path));
	err = open_file(b, -100, name, 0);
	return err ? err : 1;
}

/* ------------------------------------------------------ mapping the file */

static unsigned seg_prot(const struct elf_segment *s)
{
	return (s->flags & ELF_PF_R ? PROT_READ : 0u) |
	       (s->flags & ELF_PF_W ? PROT_WRITE : 0u) |
	       (s->flags & ELF_PF_X ? PROT_EXEC : 0u);
}

/* Zero the last file page from the end of the data on: all of it, since ld.so
 * hands out what lies behind its own bss as fresh memory. */
static int clear_tail(struct mm_struct *mm, uaddr_t from, uaddr_t to)
{
	static const char zero[PAGE];

	return quire_mm_write(mm, from, zero, to - from, true) == to - from
		       ? 0
		       : -ENOMEM;
}

static int map_segment(struct binprm *b, struct file *f,
		       const struct elf_segment *s, uaddr_t bias)
{
	/* The reader has seen to it that all of these fit into the user's
	 * half, and that filesz is at most memsz. */
	uaddr_t vaddr = (uaddr_t)s->vaddr + bias;
	uaddr_t filesz = (uaddr_t)s->filesz, memsz = (uaddr_t)s->memsz;
	uaddr_t skew = vaddr & (PAGE - 1), start = vaddr - skew;
	uaddr_t file_end = vaddr + filesz, mem_end = vaddr + memsz;
	uaddr_t zero_from = K_ALIGN_UP(file_end, PAGE);
	sreg_t r;

	if (filesz) {
		r = quire_mmap(b->mm, start, skew + filesz, seg_prot(s),
			       MAP_PRIVATE | MAP_FIXED, &f->qf,
			       s->offset - skew);
		if (is_errno(r))
			return (int)r;
		if (memsz > filesz && (file_end & (PAGE - 1)) &&
		    (s->flags & ELF_PF_W) &&
		    clear_tail(b->mm, file_end, zero_from))
			return -ENOMEM;
	} else {
		zero_from = start;
	}
	if (mem_end > zero_from) {
		r = quire_mmap(
			b->mm, zero_from, mem_end - zero_from, seg_prot(s),
			MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0);
		if (is_errno(r))
			return (int)r;
	}
	return 0;
}

/* Read and check the program headers of f into b->eh and b->image. */
static int read_image(struct binprm *b, struct file *f, const char *head,
		      size_t head_len)
{
	size_t n;
	char *ph;
	long got;
	int err = elf_read_header(head, head_len, ABI_ELF_MACHINE, &b->eh);

	if (err)
		return err;
	n = b->eh.phnum * b->eh.phdr_size;
	ph = kmalloc(n);
	if (!ph)
		return -ENOMEM;
	got = kernel_read(f, ph, n, b->eh.phoff);
	err = got < 0 ? (int)got
		      : elf_read_segments(ph, (size_t)got, &b->eh,
					  quire_mapping_get_size(f->qf.mapping),
					  ABI_USER_LIMIT - ABI_PIE_BASE,
					  b->image);
	kfree(ph);
	return err;
}

static int map_image(struct binprm *b, struct file *f, uaddr_t bias)
{
	unsigned i;
	int err = 0;

	for (i = 0; !err && i < b->image->nr_load; i++)
		err = map_segment(b, f, &b->image->load[i], bias);
	return err;
}

/* Remember where code, data and bss are, for brk and /proc. */
static void note_extent(struct binprm *b)
{
	unsigned i;

	b->start_code = b->start_data = (uaddr_t)-1;
	for (i = 0; i < b->image->nr_load; i++) {
		const struct elf_segment *s = &b->image->load[i];
		uaddr_t a = (uaddr_t)s->vaddr + b->bias;
		uaddr_t file_end = a + (uaddr_t)s->filesz;

		if (s->flags & ELF_PF_X) {
			b->start_code = K_MIN(b->start_code, a);
			b->end_code = K_MAX(b->end_code, file_end);
		}
		if (s->flags & ELF_PF_W) {
			b->start_data = K_MIN(b->start_data, a);
			b->end_data = K_MAX(b->end_data, file_end);
		}
		b->end_bss = K_MAX(b->end_bss, a + (uaddr_t)s->memsz);
	}
	if (b->start_data == (uaddr_t)-1)
		b->start_data = b->end_data = b->end_bss;
	if (b->start_code == (uaddr_t)-1)
		b->start_code = b->end_code = b->bias;
}

/* The program's interpreter, placed in the mmap area; start becomes its. */
static int map_interp(struct binprm *b, const char *name)
{
	struct file *f = vfs_open_exec(-100, name, 0);
	char head[ELF_HEADER_SIZE];
	uaddr_t span;
	sreg_t base;
	long n;
	int err;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	n = kernel_read(f, head, sizeof(head), 0);
	err = n < 0 ? (int)n : read_image(b, f, head, (size_t)n);
	if (err)
		goto out;
	if (!b->eh.pie) {
		b->interp_base = 0;
		b->start = (uaddr_t)b->eh.entry;
		err = map_image(b, f, 0);
		goto out;
	}
	/* find room for all of it, then put the segments over it */
	span = (uaddr_t)(b->image->high - b->image->low);
	base = quire_mmap(b->mm, 0, span, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	if (is_errno(base)) {
		err = (int)base;
		goto out;
	}
	err = quire_munmap(b->mm, (uaddr_t)base, span);
	b->interp_base = (uaddr_t)base - (uaddr_t)b->image->low;
	b->start = (uaddr_t)b->eh.entry + b->interp_base;
	if (!err)
		err = map_image(b, f, b->interp_base);
out:
	fput(f);
	return err;
}

static void set_layout(struct binprm *b, uaddr_t arg_start, uaddr_t env_start,
		       uaddr_t env_end)
{
	struct quire_mm_layout l = {0};
	uint64_t gap = task_rlimit(RLIMIT_STACK);

	gap = K_MAX(gap, 128ull << 20);
	gap = K_MIN(gap, ABI_STACK_TOP / 6 * 5);
	l.mmap_base = (ABI_STACK_TOP - (uaddr_t)gap) & ~(PAGE - 1);
	l.topdown = true;
	l.start_brk = K_ALIGN_UP(b->end_bss, PAGE);
	l.start_code = b->start_code;
	l.end_code = b->end_code;
	l.start_data = b->start_data;
	l.end_data = b->end_data;
	l.start_stack = b->sp;
	l.arg_start = arg_start;
	l.arg_end = env_start;
	l.env_start = env_start;
	l.env_end = env_end;
	quire_mm_set_layout(b->mm, &l);
}

/* ------------------------------------------------------------- the stack */

static size_t fill_auxv(struct binprm *b, uaddr_t *v, uaddr_t execfn,
			uaddr_t platform, uaddr_t random)
{
	const struct cred *c = &current->proc->cred;
	const uaddr_t aux[][2] = {
		{AT_HWCAP, exec_hwcap()},
		{AT_PAGESZ, PAGE},
		{AT_CLKTCK, 100},
		{AT_PHDR, b->phdr},
		{AT_PHENT, b->eh.phdr_size},
		{AT_PHNUM, b->eh.phnum},
		{AT_BASE, b->interp_base},
		{AT_FLAGS, 0},
		{AT_ENTRY, b->entry},
		{AT_UID, c->uid},
		{AT_EUID, c->euid},
		{AT_GID, c->gid},
		{AT_EGID, c->egid},
		{AT_SECURE, 0},
		{AT_RANDOM, random},
		{AT_HWCAP2, exec_hwcap2()},
		{AT_EXECFN, execfn},
		{AT_PLATFORM, platform},
		{ABI_MINSIGSTKSZ ? AT_MINSIGSTKSZ : AT_NULL, ABI_MINSIGSTKSZ},
		{AT_NULL, 0},
	};

	memcpy(v, aux, sizeof(aux));
	return sizeof(aux) / WORD;
}

/*
 * Strings and vectors onto the new stack; b->sp points at argc.  The vector
 * part is built in kernel memory and written in one go.
 */
static int fill_stack(struct binprm *b, unsigned phnum)
{
	struct exec_args *a = b->args;
	const char *platform_name = ABI_PLATFORM;
	uaddr_t top = ABI_STACK_TOP - 8, execfn, strings, platform, random, env;
	size_t words = 1 + a->argc + 1 + a->envc + 1 + 2 * 24, n = 0, len;
	size_t vectors, platform_len = strlen(platform_name) + 1;
	uaddr_t *v = kmalloc(words * WORD);
	const char *s = a->buf;
	char rnd[16];
	unsigned i;
	int err = -ENOMEM;

	if (!v)
		return -ENOMEM;
	len = strlen(b->path) + 1;
	execfn = top - len;
	strings = execfn - a->len;
	platform = strings - 8;
	random = (platform - 16) & ~(uaddr_t)15;
	random_bytes(rnd, sizeof(rnd));
	if (quire_mm_write(b->mm, execfn, b->path, len, false) != len ||
	    quire_mm_write(b->mm, strings, a->buf, a->len, false) != a->len ||
	    quire_mm_write(b->mm, platform, platform_name, platform_len,
			   false) != platform_len ||
	    quire_mm_write(b->mm, random, rnd, 16, false) != 16)
		goto out;
	v[n++] = a->argc;
	for (i = 0; i < a->argc; i++, s += strlen(s) + 1)
		v[n++] = strings + (uaddr_t)(s - a->buf);
	v[n++] = 0;
	env = strings + a->env_at;
	for (i = 0; i < a->envc; i++, s += strlen(s) + 1)
		v[n++] = strings + (uaddr_t)(s - a->buf);
	v[n++] = 0;
	b->eh.phnum = phnum;
	vectors = n;
	n += fill_auxv(b, v + n, execfn, platform, random);
	b->sp = (random - n * WORD) & ~(uaddr_t)15;
	b->auxv = b->sp + (uaddr_t)(vectors * WORD);
	if (quire_mm_write(b->mm, b->sp, v, n * WORD, false) != n * WORD)
		goto out;
	set_layout(b, strings, env, strings + a->len);
	err = 0;
out:
	kfree(v);
	return err;
}

/* ------------------------------------------------------------ all of it */

/* Build the new address space of b->file.  0 or -errno; b->mm is the caller's
 * to put. */
static int load_program(struct binprm *b)
{
	char *interp = NULL;
	uaddr_t stack;
	unsigned phnum;
	long n;
	int err = read_image(b, b->file, b->head, (size_t)b->head_len);

	if (err)
		return err;
	if (b->image->interp_len) {
		interp = kzalloc(b->image->interp_len + 1);
		if (!interp)
			return -ENOMEM;
		n = kernel_read(b->file, interp, b->image->interp_len,
				b->image->interp_off);
		if (n != (long)b->image->interp_len) {
			err = n < 0 ? (int)n : -ENOEXEC;
			goto out;
		}
	}
	b->mm = quire_mm_create(the_quire);
	err = -ENOMEM;
	if (!b->mm)
		goto out;
	b->bias = b->eh.pie ? ABI_PIE_BASE - (uaddr_t)b->image->low : 0;
	b->entry = b->start = (uaddr_t)b->eh.entry + b->bias;
	b->phdr = b->image->phdr_vaddr ? (uaddr_t)b->image->phdr_vaddr + b->bias
				       : 0;
	phnum = b->eh.phnum;
	note_extent(b);
	set_layout(b, 0, 0, 0);
	stack = K_ALIGN_UP(b->args->len + strlen(b->path) + 4096 +
				   WORD * (b->args->argc + b->args->envc),
			   PAGE) +
		STACK_EXTRA;
	err = quire_mm_stack(b->mm, ABI_STACK_TOP, stack,
			     PROT_READ | PROT_WRITE |
				     (b->image->exec_stack ? PROT_EXEC : 0));
	if (!err)
		err = map_image(b, b->file, b->bias);
	if (!err && interp)
		err = map_interp(b, interp);
	if (!err)
		err = fill_stack(b, phnum);
out:
	kfree(interp);
	return err;
}

/* Make the new address space the task's, and let go of the old one. */
static void exchange_mm(struct mm_struct *mm)
{
	struct task *t = current;
	struct mm_struct *old = t->qt.mm;
	unsigned long flags;

	if (old)
		futex_mm_release(t);
	flags = irq_save();
	t->qt.mm = mm;
	t->qt.vma_cache = NULL;
	quire_switch_mm(the_quire, mm);
	irq_restore(flags);
	if (old) {
		stats_mm_gone(old);
		quire_mm_put(old);
	}
}

static void enter_program(struct binprm *b)
{
	struct pt_regs *r = task_regs(current);
	const char *name = strrchr(b->path, '/');

	exchange_mm(b->mm);
	b->mm = NULL;
	current->proc->auxv = b->auxv;
	exec_reset_task(name ? name + 1 : b->path, b->file);
	b->file = NULL;
	regs_start(r, b->start, b->sp);
}

int do_execve(int dirfd, const char *path, struct exec_args *args,
	      unsigned flags)
{
	struct binprm *b = kzalloc(sizeof(*b));
	unsigned depth;
	int err = -ENOMEM;

	if (!b)
		return -ENOMEM;
	b->image = kzalloc(sizeof(*b->image));
	if (!b->image)
		goto out;
	b->args = args;
	if (path[0] == 0 || (path[0] != '/' && dirfd != -100))
		snprintf(b->path, sizeof(b->path), "/dev/fd/%d%s%s", dirfd,
			 path[0] ? "/" : "", path);
	else
		strlcpy(b->path, path, sizeof(b->path));
	err = open_file(b, dirfd, path, flags);
	for (depth = 0; !err; depth++) {
		err = open_script(b);
		if (err <= 0)
			break;
		err = depth == 4 ? -ELOOP : 0;
	}
	if (!err)
		err = load_program(b);
	if (!err)
		err = exec_dethread();
	if (!err)
		err = files_exec(current);
	if (!err)
		enter_program(b);
out:
	if (b->mm)
		quire_mm_put(b->mm);
	if (b->file)
		fput(b->file);
	kfree(b->image);
	kfree(b);
	return err;
}

long sys_execveat(int dirfd, uaddr_t upath, uaddr_t argv, uaddr_t envp,
		  unsigned flags);
long sys_execveat(int dirfd, uaddr_t upath, uaddr_t argv, uaddr_t envp,
		  unsigned flags)
{
	struct exec_args args = {0};
	char *path;
	long n;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	path = kmalloc(PATH_MAX);
	if (!path)
		return -ENOMEM;
	n = strncpy_from_user(path, upath, PATH_MAX);
	err = n < 0 ? (int)n : n >= PATH_MAX ? -ENAMETOOLONG : 0;
	if (!err && n == 0 && !(flags & AT_EMPTY_PATH))
		err = -ENOENT;
	if (!err)
		err = args_from_user(&args, argv, false);
	/* a program always has a name to look at */
	if (!err && args.argc == 0)
		err = exec_add_arg(&args, "", 0);
	if (!err)
		err = args_from_user(&args, envp, true);
	if (!err)
		err = do_execve(dirfd, path, &args, flags);
	exec_free_args(&args);
	kfree(path);
	return err;
}

long sys_execve(uaddr_t upath, uaddr_t argv, uaddr_t envp);
long sys_execve(uaddr_t upath, uaddr_t argv, uaddr_t envp)
{
	return sys_execveat(-100, upath, argv, envp, 0);
}
