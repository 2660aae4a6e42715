/* SPDX-License-Identifier: MIT */
/*
 * /proc and /sys: what the files of the whole machine say, as in proc(5).
 */
#include "blkdev.h"
#include "krandom.h"
#include "oom.h"
#include "proc.h"

#define PAGE_KIB (QUIRE_PAGE_SIZE / 1024)
#define TICK_NS	 (NSEC_PER_SEC / 100)

static void kib(struct text *out, const char *name, uint64_t pages)
{
	char label[32];

	snprintf(label, sizeof(label), "%s:", name);
	text_printf(out, "%-15s %8llu kB\n", label,
		    (unsigned long long)(pages * PAGE_KIB));
}

static uint64_t vmstat_of(const char *want)
{
	const char *name;
	unsigned i;

	for (i = 0; (name = quire_vmstat_name(i)) != NULL; i++)
		if (!strcmp(name, want))
			return quire_vmstat(the_quire, i);
	return 0;
}

static int show_meminfo(struct text *out, struct process *p, struct task *t)
{
	struct quire_meminfo mi;
	uint64_t active[2], inactive[2], swap, swap_free;

	(void)p;
	(void)t;
	quire_get_meminfo(the_quire, &mi);
	quire_swap_total(the_quire, &swap, &swap_free);
	active[0] = vmstat_of("nr_active_anon");
	inactive[0] = vmstat_of("nr_inactive_anon");
	active[1] = vmstat_of("nr_active_file");
	inactive[1] = vmstat_of("nr_inactive_file");
	kib(out, "MemTotal", mi.total);
	kib(out, "MemFree", mi.free);
	kib(out, "MemAvailable", mi.available);
	kib(out, "Buffers", 0);
	kib(out, "Cached", mi.cached);
	kib(out, "SwapCached", vmstat_of("nr_swapcached"));
	kib(out, "Active", active[0] + active[1]);
	kib(out, "Inactive", inactive[0] + inactive[1]);
	kib(out, "Active(anon)", active[0]);
	kib(out, "Inactive(anon)", inactive[0]);
	kib(out, "Active(file)", active[1]);
	kib(out, "Inactive(file)", inactive[1]);
	kib(out, "Unevictable", vmstat_of("nr_unevictable"));
	kib(out, "Mlocked", vmstat_of("nr_mlock"));
	kib(out, "SwapTotal", swap);
	kib(out, "SwapFree", swap_free);
	kib(out, "Dirty", vmstat_of("nr_dirty"));
	kib(out, "Writeback", vmstat_of("nr_writeback"));
	kib(out, "AnonPages", mi.anon);
	kib(out, "Mapped", mi.mapped);
	kib(out, "Shmem", mi.shmem);
	kib(out, "Slab", mi.slab);
	kib(out, "SReclaimable", 0);
	kib(out, "SUnreclaim", mi.slab);
	kib(out, "PageTables", mi.page_tables);
	kib(out, "CommitLimit", mi.commit_limit);
	kib(out, "Committed_AS", mi.committed);
	kib(out, "HardwareCorrupted", mi.hardware_corrupted);
	text_printf(out, "HugePages_Total:       0\nHugePages_Free:        0\n"
			 "HugePages_Rsvd:        0\nHugePages_Surp:        0\n"
			 "Hugepagesize:       2048 kB\n"
			 "Hugetlb:               0 kB\n");
	return 0;
}

static int show_vmstat(struct text *out, struct process *p, struct task *t)
{
	const char *name;
	unsigned i;

	(void)p;
	(void)t;
	for (i = 0; (name = quire_vmstat_name(i)) != NULL; i++)
		text_printf(out, "%s %llu\n", name,
			    (unsigned long long)(strcmp(name, "oom_kill")
							 ? quire_vmstat(
								   the_quire, i)
							 : oom_kills()));
	return 0;
}

/* ------------------------------------------------------------- processors */

static int show_cpuinfo(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	(void)t;
	cpuinfo_text(out);
	return 0;
}

static int show_stat(struct text *out, struct process *p, struct task *t)
{
	uint64_t up = ktime_ns(), idle, all = 0;
	unsigned i;

	(void)p;
	(void)t;
	for (i = 0; i < nr_cpus(); i++)
		all += cpu_idle_ns(i);
	text_printf(out, "cpu  %llu 0 0 %llu 0 0 0 0 0 0\n",
		    (unsigned long long)((up * nr_cpus() - all) / TICK_NS),
		    (unsigned long long)(all / TICK_NS));
	for (i = 0; i < nr_cpus(); i++) {
		idle = cpu_idle_ns(i);
		text_printf(out, "cpu%u %llu 0 0 %llu 0 0 0 0 0 0\n", i,
			    (unsigned long long)((up - idle) / TICK_NS),
			    (unsigned long long)(idle / TICK_NS));
	}
	text_printf(out,
		    "intr 0\nctxt %llu\nbtime %llu\nprocesses %llu\n"
		    "procs_running 1\nprocs_blocked 0\n",
		    (unsigned long long)nr_switches(),
		    (unsigned long long)((realtime_ns() - up) / NSEC_PER_SEC),
		    (unsigned long long)nr_forks());
	return 0;
}

static int show_uptime(struct text *out, struct process *p, struct task *t)
{
	uint64_t up = ktime_ns() / (NSEC_PER_SEC / 100), idle = 0;
	unsigned i;

	(void)p;
	(void)t;
	for (i = 0; i < nr_cpus(); i++)
		idle += cpu_idle_ns(i) / (NSEC_PER_SEC / 100);
	text_printf(out, "%llu.%02llu %llu.%02llu\n",
		    (unsigned long long)(up / 100),
		    (unsigned long long)(up % 100),
		    (unsigned long long)(idle / 100),
		    (unsigned long long)(idle % 100));
	return 0;
}

/* As much of it as tells exactly how long the processors have been idle. */
static int show_timer_list(struct text *out, struct process *p, struct task *t)
{
	unsigned i;

	(void)p;
	(void)t;
	for (i = 0; i < nr_cpus(); i++)
		text_printf(out, "cpu: %u\n  .idle_sleeptime : %llu nsecs\n", i,
			    (unsigned long long)cpu_idle_ns(i));
	return 0;
}

static int show_kmmio(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	(void)t;
	kmmio_text(out);
	return 0;
}

static int show_loadavg(struct text *out, struct process *p, struct task *t)
{
	unsigned n = 0;
	int pid = 0;

	(void)t;
	while ((p = next_process(pid)) != NULL) {
		pid = p->pid;
		n++;
		process_put(p);
	}
	text_printf(out, "0.00 0.00 0.00 1/%u %d\n", n, pid);
	return 0;
}

static int show_version(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	(void)t;
	text_printf(out, "Linux version 6.1.0-quire (Quire reference kernel) "
			 "#1 SMP\n");
	return 0;
}

static int show_filesystems(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	(void)t;
	text_printf(out, "nodev\ttmpfs\nnodev\tproc\nnodev\tsysfs\n"
			 "nodev\tdevtmpfs\nnodev\t9p\n");
	return 0;
}

static void mount_point(struct super *sb, char *buf, size_t cap)
{
	if (!sb->covers || vfs_path(sb->covers, buf, cap) < 0)
		snprintf(buf, cap, "/");
}

int show_mounts(struct text *out, struct process *p, struct task *t)
{
	struct super *sb;
	char where[256];

	(void)p;
	(void)t;
	for (sb = first_super; sb; sb = sb->next) {
		mount_point(sb, where, sizeof(where));
		text_printf(out, "%s %s %s %s 0 0\n", sb->source, where,
			    sb->type, sb->readonly ? "ro" : "rw");
	}
	return 0;
}

int show_mountinfo(struct text *out, struct process *p, struct task *t)
{
	struct super *sb;
	char where[256];

	(void)p;
	(void)t;
	for (sb = first_super; sb; sb = sb->next) {
		mount_point(sb, where, sizeof(where));
		text_printf(out, "%u %u 0:%u / %s %s - %s %s %s\n",
			    sb->dev + 20, sb->covers ? 21 : 1, sb->dev, where,
			    sb->readonly ? "ro" : "rw", sb->type, sb->source,
			    sb->readonly ? "ro" : "rw");
	}
	return 0;
}

static int show_self(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	(void)t;
	text_printf(out, "%d", current->proc->pid);
	return 0;
}

static int show_thread_self(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	(void)t;
	text_printf(out, "%d/task/%d", current->proc->pid, current->tid);
	return 0;
}

static int show_mounts_link(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	(void)t;
	text_printf(out, "self/mounts");
	return 0;
}

static int show_cmdline(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	(void)t;
	text_printf(out, "quire\n");
	return 0;
}

/* ------------------------------------------------------------- sys/, /sys */

static void uuid_text(struct text *out, const uint8_t id[16])
{
	unsigned i;

	for (i = 0; i < 16; i++)
		text_printf(out, "%s%02x",
			    i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			    id[i]);
	text_printf(out, "\n");
}

static int show_uuid(struct text *out, struct process *p, struct task *t)
{
	uint8_t id[16];

	(void)p;
	(void)t;
	random_bytes(id, sizeof(id));
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	uuid_text(out, id);
	return 0;
}

static int show_boot_id(struct text *out, struct process *p, struct task *t)
{
	static uint8_t id[16];

	(void)p;
	(void)t;
	if (!id[6]) {
		random_bytes(id, sizeof(id));
		id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
		id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	}
	uuid_text(out, id);
	return 0;
}

static int show_cpu_range(struct text *out, struct process *p, struct task *t)
{
	(void)p;
	(void)t;
	if (nr_cpus() == 1)
		text_printf(out, "0\n");
	else
		text_printf(out, "0-%u\n", nr_cpus() - 1);
	return 0;
}

/*
 * drop_caches: 1: the pages of all files that can be read again, in use or not;
 * 2: names and inodes that nobody uses; 3: both; 4 (Linux: and no line in the
 * log): nothing.  More than Linux's goes: a dirty page is written first, and
 * one that is mapped comes back by a fault.
 */
static int store_drop_caches(const char *text, struct process *p)
{
	char *end;
	uint64_t what = strtoull(text, &end, 10);

	(void)p;
	if (end == text || !what || what > 4)
		return -EINVAL;
	if (what & 2)
		vfs_drop_names();
	if (what & 1)
		(void)inodes_shrink(SIZE_MAX);
	return 0;
}

/* What the kernel does when memory has run out, instead of choosing. */
static int store_flag(const char *text, int *flag)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (end == text || v > 2)
		return -EINVAL;
	*flag = (int)v;
	return 0;
}

static int show_panic_on_oom(struct text *out, struct process *p,
			     struct task *t)
{
	(void)p;
	(void)t;
	text_printf(out, "%d\n", panic_on_oom);
	return 0;
}

static int store_panic_on_oom(const char *text, struct process *p)
{
	(void)p;
	return store_flag(text, &panic_on_oom);
}

static int show_kill_allocating(struct text *out, struct process *p,
				struct task *t)
{
	(void)p;
	(void)t;
	text_printf(out, "%d\n", oom_kill_allocating_task);
	return 0;
}

static int store_kill_allocating(const char *text, struct process *p)
{
	(void)p;
	return store_flag(text, &oom_kill_allocating_task);
}

#define FILE_ENTRY(n, fn)                                                      \
	{                                                                      \
		.name = n, .mode = S_IFREG | 0444, .show = fn                  \
	}
#define TUNABLE_ENTRY(n, which)                                                \
	{                                                                      \
		.name = n, .mode = S_IFREG | 0644,                             \
		.tunable = 1 + QUIRE_TUNABLE_##which                           \
	}
#define LINK_ENTRY(n, fn)                                                      \
	{                                                                      \
		.name = n, .mode = S_IFLNK | 0777, .show = fn                  \
	}
#define VALUE_ENTRY(n, v)                                                      \
	{                                                                      \
		.name = n, .mode = S_IFREG | 0444, .value = v                  \
	}
#define DIR_ENTRY(n, t)                                                        \
	{                                                                      \
		.name = n, .mode = S_IFDIR | 0555, .entries = t                \
	}

static const struct proc_entry random_entries[] = {
	FILE_ENTRY("boot_id", show_boot_id),
	FILE_ENTRY("uuid", show_uuid),
	VALUE_ENTRY("entropy_avail", "256"),
	VALUE_ENTRY("poolsize", "256"),
	{0},
};
static const struct proc_entry kernel_entries[] = {
	VALUE_ENTRY("osrelease", "6.1.0-quire"),
	VALUE_ENTRY("ostype", "Linux"),
	VALUE_ENTRY("version", "#1 SMP"),
	VALUE_ENTRY("hostname", "quire"),
	VALUE_ENTRY("pid_max", "4194304"),
	VALUE_ENTRY("threads-max", "65536"),
	VALUE_ENTRY("ngroups_max", "65536"),
	VALUE_ENTRY("randomize_va_space", "2"),
	VALUE_ENTRY("core_pattern", "core"),
	VALUE_ENTRY("cap_last_cap", "40"),
	VALUE_ENTRY("shmmax", "18446744073692774399"),
	VALUE_ENTRY("sched_child_runs_first", "0"),
	VALUE_ENTRY("tainted", "0"),
	VALUE_ENTRY("panic", "0"),
	VALUE_ENTRY("printk", "7\t4\t1\t7"),
	VALUE_ENTRY("core_uses_pid", "0"),
	DIR_ENTRY("random", random_entries),
	{0},
};
static const struct proc_entry vm_entries[] = {
	TUNABLE_ENTRY("overcommit_memory", OVERCOMMIT),
	TUNABLE_ENTRY("overcommit_ratio", OVERCOMMIT_RATIO),
	TUNABLE_ENTRY("max_map_count", MAX_MAP_COUNT),
	TUNABLE_ENTRY("mmap_min_addr", MMAP_MIN_ADDR),
	TUNABLE_ENTRY("dirty_ratio", DIRTY_RATIO),
	TUNABLE_ENTRY("dirty_background_ratio", DIRTY_BACKGROUND_RATIO),
	TUNABLE_ENTRY("dirty_bytes", DIRTY_BYTES),
	TUNABLE_ENTRY("dirty_background_bytes", DIRTY_BACKGROUND_BYTES),
	TUNABLE_ENTRY("dirty_expire_centisecs", DIRTY_EXPIRE_CENTISECS),
	TUNABLE_ENTRY("dirty_writeback_centisecs", DIRTY_WRITEBACK_CENTISECS),
	{.name = "drop_caches",
	 .mode = S_IFREG | 0200,
	 .store = store_drop_caches},
	VALUE_ENTRY("nr_hugepages", "0"),
	VALUE_ENTRY("nr_overcommit_hugepages", "0"),
	TUNABLE_ENTRY("min_free_kbytes", MIN_FREE_KBYTES),
	{.name = "panic_on_oom",
	 .mode = S_IFREG | 0644,
	 .show = show_panic_on_oom,
	 .store = store_panic_on_oom},
	{.name = "oom_kill_allocating_task",
	 .mode = S_IFREG | 0644,
	 .show = show_kill_allocating,
	 .store = store_kill_allocating},
	TUNABLE_ENTRY("swappiness", SWAPPINESS),
	TUNABLE_ENTRY("page-cluster", PAGE_CLUSTER),
	{0},
};
static const struct proc_entry fs_entries[] = {
	VALUE_ENTRY("file-max", "65536"),
	VALUE_ENTRY("nr_open", "65536"),
	VALUE_ENTRY("pipe-max-size", "1048576"),
	{0},
};
static const struct proc_entry sysctl_entries[] = {
	DIR_ENTRY("kernel", kernel_entries),
	DIR_ENTRY("vm", vm_entries),
	DIR_ENTRY("fs", fs_entries),
	{0},
};

const struct proc_entry proc_root_entries[] = {
	LINK_ENTRY("self", show_self),
	LINK_ENTRY("thread-self", show_thread_self),
	LINK_ENTRY("mounts", show_mounts_link),
	FILE_ENTRY("meminfo", show_meminfo),
	FILE_ENTRY("vmstat", show_vmstat),
	FILE_ENTRY("cpuinfo", show_cpuinfo),
	FILE_ENTRY("stat", show_stat),
	FILE_ENTRY("uptime", show_uptime),
	FILE_ENTRY("loadavg", show_loadavg),
	FILE_ENTRY("kmmio", show_kmmio),
	{.name = "timer_list", .mode = S_IFREG | 0400, .show = show_timer_list},
	FILE_ENTRY("version", show_version),
	FILE_ENTRY("filesystems", show_filesystems),
	FILE_ENTRY("cmdline", show_cmdline),
	FILE_ENTRY("partitions", show_partitions),
	FILE_ENTRY("diskstats", show_diskstats),
	FILE_ENTRY("swaps", show_swaps),
	DIR_ENTRY("sys", sysctl_entries),
	{0},
};

static const struct proc_entry cpu_entries[] = {
	FILE_ENTRY("online", show_cpu_range),
	FILE_ENTRY("possible", show_cpu_range),
	FILE_ENTRY("present", show_cpu_range),
	{0},
};
static const struct proc_entry node_entries[] = {
	VALUE_ENTRY("online", "0"),
	VALUE_ENTRY("possible", "0"),
	{0},
};
static const struct proc_entry system_entries[] = {
	DIR_ENTRY("cpu", cpu_entries),
	DIR_ENTRY("node", node_entries),
	{0},
};
static const struct proc_entry devices_entries[] = {
	DIR_ENTRY("system", system_entries),
	{0},
};
static const struct proc_entry thp_entries[] = {
	VALUE_ENTRY("enabled", "always madvise [never]"),
	VALUE_ENTRY("defrag", "always defer defer+madvise madvise [never]"),
	VALUE_ENTRY("shmem_enabled",
		    "always within_size advise [never] deny force"),
	VALUE_ENTRY("hpage_pmd_size", "2097152"),
	{0},
};
static const struct proc_entry mm_entries[] = {
	DIR_ENTRY("transparent_hugepage", thp_entries),
	{0},
};
static const struct proc_entry debug_entries[] = {
	TUNABLE_ENTRY("fault_around_bytes", FAULT_AROUND_BYTES),
	{0},
};
static const struct proc_entry sys_kernel_entries[] = {
	DIR_ENTRY("debug", debug_entries),
	DIR_ENTRY("mm", mm_entries),
	{0},
};
const struct proc_entry sys_root_entries[] = {
	DIR_ENTRY("devices", devices_entries),
	DIR_ENTRY("kernel", sys_kernel_entries),
	{0},
};
