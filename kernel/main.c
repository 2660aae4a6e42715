/* SPDX-License-Identifier: MIT */
/*
 * main.c - from the first C instruction to the program that was asked for,
 * and from its end to that of the machine.
 *
 *	kernel_main   one CPU, no memory system yet; ends as CPU 0's idle loop
 *	init_main     process 1: file systems, the program, orphans, the report
 *	program_main  process 2: becomes the program by exec
 */
#include "cpu.h"
#include "exec.h"
#include "irq.h"
#include "oom.h"
#include "proc.h"
#include "protocol.h"
#include "swapon.h"
#include "tuning.h"
#include "vfs.h"

struct quire *the_quire;
struct cpu cpus[MAX_CPUS];
unsigned cpu_count = 1;

void report_init(void);
void report_dump(void);
void syscall_init(void);
void uaccess_init(void);
void wait_init(void);

static char *init_blob;
static long init_size; /* of the records */
static const char *archive;
static size_t archive_bytes;
static bool ended;
static int end_status;

/* Records, and maybe an archive behind an empty one; or only that. */
static void find_records(void)
{
	static char init_only[] = "P/init";
	long total = machine_init_blob((void **)&init_blob), i = 0;

	if (total < 0)
		return;
	while (i < total && init_blob[i] && memcmp(init_blob + i, "07070", 5))
		i += (long)strlen(init_blob + i) + 1;
	init_size = i;
	while (i < total && !init_blob[i])
		i++;
	if (i < total) {
		archive = init_blob + i;
		archive_bytes = (size_t)(total - i);
	}
	if (archive && !init_size) {
		init_blob = init_only;
		init_size = sizeof(init_only);
	}
}

const char *init_archive(size_t *bytes)
{
	*bytes = archive_bytes;
	return archive;
}

const char *init_record(char letter, unsigned n)
{
	long i;

	for (i = 0; i < init_size; i += (long)strlen(init_blob + i) + 1)
		if (init_blob[i] == letter && n-- == 0) {
			const char *text = init_blob + i + 1;

			return *text == ' ' ? text + 1 : text;
		}
	return NULL;
}

/* ---------------------------------------------------------- the program */

void report_program_end(int status)
{
	end_status = status;
	K_WRITE(ended, true);
	wake_up_all(&init_process->child_wait);
}

static _Noreturn void fail(const char *what, int err)
{
	const char *why = err == -ENOENT    ? "no such file"
			  : err == -ENOEXEC ? "not a program for this machine"
			  : err == -EACCES  ? "not executable"
			  : err == -ENOMEM  ? "too little memory"
			  : err == -EIO	    ? "input/output error"
					    : "error";

	console_flush();
	report_line("{\"error\":\"%s: %s (%d)\"}", what, why, -err);
	machine_exit(0);
}

/* Look for a name without a slash along PATH. */
static int exec_along_path(const char *name, struct exec_args *args)
{
	const char *dirs = NULL, *e;
	int err = -ENOENT;
	unsigned i;

	for (i = 0; (e = init_record('E', i)); i++)
		if (!strncmp(e, "PATH=", 5))
			dirs = e + 5;
	if (!dirs)
		dirs = "/usr/local/bin:/usr/bin:/bin";
	while (*dirs) {
		char path[512];
		size_t n = 0;

		while (dirs[n] && dirs[n] != ':')
			n++;
		snprintf(path, sizeof(path), "%.*s/%s", (int)n, dirs, name);
		err = do_execve(-100, path, args, 0);
		if (!err ||
		    (err != -ENOENT && err != -ENOTDIR && err != -EACCES))
			break;
		dirs += n + (dirs[n] == ':');
	}
	return err;
}

static void set_identity(struct process *p)
{
	const char *u = init_record('U', 0);
	struct cred *c = &p->cred;
	unsigned i;
	char *end;

	if (u) {
		c->uid = (uint32_t)strtoull(u, &end, 10);
		if (*end == ':')
			c->gid = (uint32_t)strtoull(end + 1, NULL, 10);
	}
	c->euid = c->suid = c->fsuid = c->uid;
	c->egid = c->sgid = c->fsgid = c->gid;
	current->qt.cap_ipc_lock = current->qt.cap_sys_admin = c->uid == 0;
	for (i = 0; (u = init_record('L', i)); i++) {
		uint64_t which = strtoull(u, &end, 10), cur;

		if (which >= 16 || *end != ':')
			continue;
		cur = strtoull(end + 1, &end, 10);
		p->rlim[which].cur = cur;
		p->rlim[which].max =
			*end == ':' ? strtoull(end + 1, NULL, 10) : cur;
		p->qlimits.cur[which] = cur;
	}
}

static void program_main(void *arg)
{
	const char *path = init_record('P', 0), *text;
	struct exec_args args = {0};
	unsigned i;
	int err;

	(void)arg;
	if (!path)
		fail("no program given", -ENOENT);
	err = vfs_open_console(current->files);
	if (err)
		fail("console", err);
	set_identity(current->proc);
	text = init_record('C', 0);
	if (text) {
		struct dentry *d = vfs_lookup(AT_FDCWD, text,
					      LOOKUP_FOLLOW | LOOKUP_DIRECTORY);

		if (IS_ERR(d))
			fail(text, (int)PTR_ERR(d));
		dput(current->fs->cwd);
		current->fs->cwd = d;
	}
	for (i = 0; !err && (text = init_record('A', i)); i++)
		err = exec_add_arg(&args, text, strlen(text));
	if (!err && !i)
		err = exec_add_arg(&args, path, strlen(path));
	for (i = 0; !err && (text = init_record('E', i)); i++)
		err = exec_add_env(&args, text, strlen(text));
	if (!err)
		err = strchr(path, '/') ? do_execve(AT_FDCWD, path, &args, 0)
					: exec_along_path(path, &args);
	exec_free_args(&args);
	if (err)
		fail(path, err);
}

/* ---------------------------------------------------------------- init */

static void set_default_limits(struct process *p)
{
	uint64_t ram = ram_bytes / 4096;
	unsigned i;

	for (i = 0; i < 16; i++)
		p->rlim[i].cur = p->rlim[i].max = QUIRE_RLIM_INFINITY;
	p->rlim[RLIMIT_STACK].cur = 8ull << 20;
	p->rlim[RLIMIT_CORE].cur = 0;
	p->rlim[RLIMIT_NOFILE].cur = 1024;
	p->rlim[RLIMIT_NOFILE].max = 1048576;
	p->rlim[RLIMIT_MEMLOCK].cur = p->rlim[RLIMIT_MEMLOCK].max = 8ull << 20;
	p->rlim[RLIMIT_NPROC].cur = p->rlim[RLIMIT_NPROC].max =
		K_MAX(ram / 32, 64ull);
	p->rlim[12].cur = p->rlim[12].max = 819200; /* MSGQUEUE */
	p->rlim[13].cur = p->rlim[13].max = 0;	    /* NICE */
	p->rlim[14].cur = p->rlim[14].max = 0;	    /* RTPRIO */
}

static bool all_gone(void)
{
	struct process *p;

	reap_orphans();
	p = next_process(1);
	process_put(p);
	return !p;
}

static bool all_written(void)
{
	const char *name;
	unsigned i;

	for (i = 0; (name = quire_vmstat_name(i)) != NULL; i++)
		if (!strcmp(name, "nr_writeback"))
			return !quire_vmstat(the_quire, i);
	return true;
}

/*
 * Before the core is checked: what the program has left behind (or what it was,
 * when the machine is told to end) dies, nobody reclaims, nothing is written.
 * Who does not die within ten seconds will be seen in the check.
 */
static void quiet(void)
{
	struct ksiginfo info = {.signo = SIGKILL, .code = SI_KERNEL};
	uint64_t until = ktime_ns() + 10 * NSEC_PER_SEC;
	struct process *p;
	int pid = 1;

	while ((p = next_process(pid)) != NULL) {
		pid = p->pid;
		send_signal_process(p, &info);
		process_put(p);
	}
	while (!all_gone() && ktime_ns() < until)
		(void)WAIT_EVENT_(&init_process->child_wait, all_gone(),
				  TASK_UNINTERRUPTIBLE,
				  ktime_ns() + NSEC_PER_SEC / 10);
	kswapd_stop();
	while (!all_written() && ktime_ns() < until)
		schedule();
}

static void finish(void)
{
	char text[8];
	int sig = end_status & 0x7f;

	console_flush();
	vfs_sync();
	report_dump();
	console_flush();
	if (cmdline_get("quire.swapoff", 0, text, sizeof(text)) > 0 &&
	    text[0] == '1')
		report_line("{\"swapoff\":%d}", -swapoff_all());
	if (cmdline_get("quire.check", 0, text, sizeof(text)) > 0 &&
	    text[0] == '1') {
		quiet();
		report_line("{\"check\":%u}", quire_check(the_quire));
	}
	if (sig)
		report_line("{\"signal\":%d}", sig);
	else
		report_line("{\"exit\":%d}", end_status >> 8 & 0xff);
	machine_exit(0);
}

static void init_main(void *arg)
{
	int err;

	(void)arg;
	current->files = files_new();
	err = vfs_init();
	if (err)
		fail("root file system", err);
	current->fs = fs_new();
	if (!current->files || !current->fs)
		fail("start", -ENOMEM);
	if (oom_init())
		fail("start", -ENOMEM);
	swap_boot();
	report_line("{\"ready\":1,\"cpus\":%u,\"ram\":%llu,\"levels\":%u}",
		    cpu_count, (unsigned long long)ram_bytes, paging_levels);
	err = start_program(program_main, NULL);
	if (err)
		fail("start", err);
	for (;;) {
		wait_event(&init_process->child_wait,
			   (reap_orphans(), K_READ(ended)));
		finish();
	}
}

static void start_init(void)
{
	struct process *p = process_alloc();
	struct task *t = task_alloc(false);

	if (!p || !t)
		panic("too little memory to start");
	task_put(t);
	init_process = p;
	p->pid = p->pgid = p->sid = pid_alloc();
	set_default_limits(p);
	t = kthread_run(init_main, NULL, "init");
	if (!t)
		panic("too little memory to start");
	t->tid = p->pid;
	p->leader = t;
}

/* ----------------------------------------------------------------- boot */

static void start_quire(void)
{
	struct quire_region regions[32];
	struct quire_config config = {
		.regions = regions,
		.cpus = cpu_count,
	};

	machine_config(&config);
	tuning_policies(&config);
	config.nr_regions = free_regions(regions, ARRAY_SIZE(regions));
	mem_reserve(regions, config.nr_regions);
	the_quire = quire_create(&config);
	if (!the_quire)
		panic("too little memory: %llu bytes",
		      (unsigned long long)ram_bytes);
	tuning_limits();
	pmem_init();
}

/* The task that a CPU runs when there is none: for CPU 0 it is what boots. */
static void make_idle(unsigned id)
{
	struct task *t = task_alloc(false);

	if (!t)
		panic("too little memory to start");
	t->cpu = id;
	t->state = TASK_RUNNING;
	t->on_cpu = true;
	t->affinity = 1ull << id;
	snprintf(t->comm, sizeof(t->comm), "idle/%u", id);
	t->proc = NULL;
	cpus[id].id = id;
	cpus[id].idle = t;
	cpus[id].curr = t;
	machine_set_stack(&cpus[id], t);
}

_Noreturn void kernel_main(uintptr_t start_info)
{
	static struct task boot_task; /* until there is memory for a real one */
	unsigned i;

	cpus[0].curr = &boot_task;
	cpu_load_current(0, &boot_task);
	sched_init_cpu(0);
	machine_init(start_info);
	log_init();
	machine_start();
	wait_init();
	futex_init();
	syscall_init();
	start_quire();
	uaccess_init();
	for (i = 0; i < cpu_count; i++)
		make_idle(i);
	cpu_load_current(0, cpus[0].curr);
	find_records();
	time_init();
	machine_ready();
	cpus[0].online = true;
	printk("%u CPU(s), %llu MiB, %u levels, %s", cpu_count,
	       (unsigned long long)(ram_bytes >> 20), paging_levels,
	       machine_name());
	for (i = 1; i < cpu_count; i++)
		sched_init_cpu(i);
	smp_start(cpu_count);
	report_init();
	start_init();
	idle_loop();
}

_Noreturn void ap_main(unsigned id)
{
	cpu_load_current(id, cpus[id].idle);
	machine_cpu(id);
	quire_cpu_init(the_quire);
	__atomic_store_n(&cpus[id].online, true, __ATOMIC_RELEASE);
	idle_loop();
}
