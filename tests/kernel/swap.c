/* SPDX-License-Identifier: MIT */
/*
 * Swap, from the inside of a machine with little memory.
 *
 *     swap make FILE        on the host: 4 MiB with a header that has bad pages
 *     swap calls            swapon, swapoff and what they answer: /dev/vda with
 *                           a header, vdb the same read-only, vdc without, vdd
 *                           as made above
 *     swap big MB PROCS     so many MB, shared by fork and copied as they are
 *                           written, every byte right
 *     swap off DEV MB       swapoff of what is in use, while it is in use
 *     swap zram             swapoff and swapon of /dev/zram0
 *     swap rows DEV FILE    what /proc/meminfo and vmstat say of it all, and of
 *                           FILE, which has more than 2 MiB, in the cache
 *     swap oom              the largest goes, the others go on
 *
 * What a page holds is made of its number, its turn and its process: half of
 * it repeats, so that compressed memory is worth its name.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>

#include "check.h"

#define PAGE 4096u
#define MB   (1u << 20)

static uint64_t seed = 88172645463325252ull;

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

/* ------------------------------------------------------------------- /proc */

static int read_file(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = -1, got = 0;

	while (fd >= 0 && (size_t)got < cap - 1 &&
	       (n = read(fd, buf + got, cap - 1 - (size_t)got)) > 0)
		got += n;
	if (fd >= 0)
		close(fd);
	buf[got] = 0;
	return n < 0 ? -1 : (int)got;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text);
}

/* The number after `name` at a line's start; -1: there is none. */
static long figure(const char *path, const char *name)
{
	static char buf[16384];
	char *p = buf;

	if (read_file(path, buf, sizeof(buf)) < 0)
		return -1;
	while (strncmp(p, name, strlen(name)) ||
	       (p[strlen(name)] != ' ' && p[strlen(name)] != ':')) {
		p = strchr(p, '\n');
		if (!p++)
			return -1;
	}
	p += strlen(name) + 1;
	return strtol(p, NULL, 10);
}

/* A device's line in /proc/swaps: its size in KiB and priority; -1: none */
static long swaps_line(const char *device, long *prio)
{
	char buf[4096], *p;
	long size = -1, used;

	CHECK(read_file("/proc/swaps", buf, sizeof(buf)) > 0);
	CHECK(!strncmp(buf, "Filename\t\t\t\tType\t\tSize\t\tUsed", 28));
	p = strstr(buf, device);
	if (!p)
		return -1;
	CHECK(sscanf(p + strlen(device), " partition %ld %ld %ld", &size, &used,
		     prio) == 3);
	return size;
}

/* ------------------------------------------------------------------- calls */

static int try_on(const char *path, int flags)
{
	return swapon(path, flags) ? -errno : 0;
}

static int try_off(const char *path)
{
	return swapoff(path) ? -errno : 0;
}

#define BAD_PAGES 3
#define LAST_PAGE 1000 /* of 1024 */

static int make(const char *file)
{
	static char disk[4 * MB];
	uint32_t head[3] = {1, LAST_PAGE, BAD_PAGES};
	uint32_t bad[BAD_PAGES] = {77, 5, 999}; /* in no order */
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool ok;

	memcpy(disk + 1024, head, sizeof(head));
	memcpy(disk + 1536, bad, sizeof(bad));
	memcpy(disk + PAGE - 10, "SWAPSPACE2", 10);
	ok = fd >= 0 && write(fd, disk, sizeof(disk)) == sizeof(disk);
	return !ok || close(fd);
}

static void without_privilege(void)
{
	int status = IN_CHILD({
		if (setuid(1000))
			_exit(1);
		_exit(try_on("/dev/vda", 0) == -EPERM &&
				      try_off("/dev/vda") == -EPERM
			      ? 0
			      : 2);
	});

	CHECK(status == 0);
}

static void refused(void)
{
	int fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);

	CHECK(fd >= 0 && !ftruncate(fd, 1 << 20) && !close(fd));
	CHECK(try_on("/dev/vda", 0x80000) == -EINVAL);
	CHECK(try_on((const char *)16, 0) == -EFAULT);
	CHECK(try_on("/dev/none", 0) == -ENOENT);
	CHECK(try_on("/dev/vda/x", 0) == -ENOTDIR);
	CHECK(try_on("", 0) == -ENOENT);
	CHECK(try_on("/tmp", 0) == -EISDIR);
	CHECK(try_on("/tmp/file", 0) == -EINVAL);
	CHECK(try_on("/dev/null", 0) == -EINVAL);
	CHECK(try_on("/dev/vdb", 0) == -EACCES); /* read-only */
	CHECK(try_on("/dev/vdc", 0) == -EINVAL); /* no header */
	CHECK(try_off("/dev/vda") == -EINVAL);	 /* not in use */
	CHECK(try_off("/tmp/file") == -EINVAL);
	CHECK(try_off("/dev/none") == -ENOENT);
}

/* A header of another version, or that says more than there is. */
static void bad_headers(void)
{
	static const struct {
		int at;
		uint32_t value;
	} wrong[] = {
		{1024, 2},    /* version */
		{1028, 5000}, /* last page */
		{1032, 4000}, /* number of bad pages */
		{1536, 5000}, /* a bad page */
		{1536, 0},    /* the header itself */
		{1028, 0},    /* nothing left */
	};
	int fd = open("/dev/vdd", O_RDWR);
	uint32_t old;
	unsigned i;

	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		CHECK(pread(fd, &old, 4, wrong[i].at) == 4);
		CHECK(pwrite(fd, &wrong[i].value, 4, wrong[i].at) == 4);
		CHECK(!fsync(fd));
		CHECK(try_on("/dev/vdd", 0) == -EINVAL);
		CHECK(pwrite(fd, &old, 4, wrong[i].at) == 4);
	}
	CHECK(!fsync(fd) && !close(fd));
}

/* behaviour: R3 */
static void calls(void)
{
	long size, prio = 0, low = 0;
	struct sysinfo si;

	without_privilege();
	refused();
	bad_headers();
	CHECK(swaps_line("/dev/vda", &prio) == -1);
	CHECK(try_on("/dev/vda", SWAP_FLAG_PREFER | 5) == 0);
	CHECK(try_on("/dev/vda", 0) == -EBUSY);
	size = swaps_line("/dev/vda", &prio);
	CHECK(size > 0 && prio == 5);
	CHECK(figure("/proc/meminfo", "SwapTotal") == size);
	CHECK(figure("/proc/meminfo", "SwapFree") == size);
	CHECK(!sysinfo(&si) &&
	      si.totalswap * si.mem_unit / 1024 == (unsigned long)size);
	CHECK(si.freeswap == si.totalswap);
	CHECK(try_on("/dev/vdd", SWAP_FLAG_DISCARD) == 0);
	/* without what the header takes, and what it says is bad */
	CHECK(swaps_line("/dev/vdd", &low) == 4 * (LAST_PAGE - BAD_PAGES));
	CHECK(low < 0);
	CHECK(figure("/proc/meminfo", "SwapTotal") ==
	      size + 4 * (LAST_PAGE - BAD_PAGES));
	CHECK(try_off("/dev/vda") == 0);
	CHECK(swaps_line("/dev/vda", &prio) == -1);
	CHECK(swaps_line("/dev/vdd", &prio) > 0);
	CHECK(try_off("/dev/vdd") == 0);
	CHECK(figure("/proc/meminfo", "SwapTotal") == 0);
	CHECK(try_off("/dev/vdd") == -EINVAL);
}

/* ------------------------------------------------------------------ memory */

static void make_page(uint64_t *p, uint32_t number, uint32_t turn, uint32_t who)
{
	uint64_t v = ((uint64_t)number << 32 | turn << 8 | who) *
		     0x9e3779b97f4a7c15ull;
	unsigned i;

	for (i = 0; i < PAGE / 8; i++) {
		p[i] = i < 64 ? v : p[i % 64];
		v ^= v << 13;
		v ^= v >> 7;
		v ^= v << 17;
	}
}

static bool page_right(const uint64_t *p, uint32_t number, uint32_t turn,
		       uint32_t who)
{
	uint64_t want[PAGE / 8];

	make_page(want, number, turn, who);
	return !memcmp(p, want, PAGE);
}

static uint64_t *page_at(char *mem, uint32_t i)
{
	return (uint64_t *)(void *)(mem + (size_t)i * PAGE);
}

static char *take(unsigned mb)
{
	char *p = mmap(NULL, (size_t)mb * MB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* One of the processes: at random, its own pages and those that it still has
 * of its parent's.  Its exit status: 0, all was right. */
static int worker(char *mem, uint32_t pages, uint32_t share, uint32_t me)
{
	uint8_t *turn = calloc(pages, 1); /* 0: its parent's */
	uint32_t first = pages / 4, n, i, k;
	bool ok = turn != NULL;

	seed += me * 977;
	/* a quarter, of all of them, is the parent's; of the rest a share */
	for (k = 0; ok && k < pages; k++) {
		n = first + (pages - first) / share;
		i = rnd() % n;
		if (i >= first)
			i = first + (i - first) + (pages - first) / share * me;
		if (turn[i] && !page_right(page_at(mem, i), i, turn[i], me + 1))
			ok = false;
		if (!turn[i] && !page_right(page_at(mem, i), i, 0, 0))
			ok = false;
		if (rnd() % 4 == 0 || i >= first) {
			turn[i] = (uint8_t)(turn[i] % 255 + 1);
			make_page(page_at(mem, i), i, turn[i], me + 1);
		}
	}
	for (i = 0; ok && i < pages; i++)
		if (turn[i])
			ok = page_right(page_at(mem, i), i, turn[i], me + 1);
	return !ok;
}

/* behaviours: R2, R3, R4 */
static void big(unsigned mb, unsigned procs)
{
	uint32_t pages = mb * (MB / PAGE), i;
	char *mem = take(mb);
	int status;

	for (i = 0; i < pages; i++)
		make_page(page_at(mem, i), i, 0, 0);
	fflush(stdout);
	for (i = 0; i < procs; i++)
		if (!fork())
			_exit(worker(mem, pages, procs, i));
	for (i = 0; i < procs; i++)
		CHECK(wait(&status) > 0 && status == 0);
	CHECK(figure("/proc/vmstat", "pswpout") > 0);
	CHECK(figure("/proc/vmstat", "pswpin") > 0);
	CHECK(figure("/proc/self/status", "VmSwap") > 0);
	CHECK(figure("/proc/meminfo", "SwapFree") <
	      figure("/proc/meminfo", "SwapTotal"));
	for (i = 0; i < pages; i++)
		if (!page_right(page_at(mem, i), i, 0, 0))
			break;
	CHECK(i == pages);
	CHECK(!munmap(mem, (size_t)mb * MB));
	CHECK(figure("/proc/vmstat", "oom_kill") == 0);
	CHECK(figure("/proc/self/status", "VmSwap") < 1024);
}

/* -------------------------------------------------------------------- off */

/* A process that goes on reading and writing until it is told; its status. */
static int busy(char *mem, uint32_t pages, int stop)
{
	uint32_t i, turn[2] = {0, 0};
	char c;

	fcntl(stop, F_SETFL, O_NONBLOCK);
	for (;; turn[0]++) {
		for (i = 0; i < pages; i++) {
			if (!page_right(page_at(mem, i), i, turn[1], 7))
				return 1;
			make_page(page_at(mem, i), i, turn[0], 7);
		}
		turn[1] = turn[0];
		if (read(stop, &c, 1) == 0)
			return 0;
	}
}

/* behaviour: R3 */
/* /proc/swaps tells of the area while it is on its way out, and does not wait
 * for that: 0. */
static int watch(const char *device)
{
	long prio;
	int i;

	for (i = 0; i < 60000 && figure("/proc/meminfo", "SwapTotal"); i++)
		usleep(1000);
	return swaps_line(device, &prio) > 0 ? 0 : 1;
}

static void off(const char *device, unsigned mb)
{
	uint32_t pages = mb * (MB / PAGE), half = pages / 2, i;
	int stop[2], ready[2], status;
	pid_t watcher;
	char *mem, c;

	CHECK(try_on(device, 0) == 0);
	mem = take(mb); /* more than there was memory a moment ago */
	for (i = 0; i < pages; i++)
		make_page(page_at(mem, i), i, 0, 7);
	CHECK(figure("/proc/self/status", "VmSwap") > 0);
	/* it does not fit: nothing is lost */
	CHECK(try_off(device) == -ENOMEM);
	CHECK(figure("/proc/meminfo", "SwapTotal") > 0);
	CHECK(!munmap(mem + (size_t)half * PAGE, (size_t)half * PAGE));
	CHECK(!pipe(stop) && !pipe(ready));
	fflush(stdout);
	if (!fork()) {
		close(stop[1]);
		/* half of it in two processes does not fit either */
		munmap(mem + (size_t)(half / 3) * PAGE,
		       (size_t)(half - half / 3) * PAGE);
		_exit(busy(mem, half / 3, stop[0]));
	}
	watcher = fork();
	if (!watcher) {
		close(stop[1]);
		munmap(mem, (size_t)half * PAGE);
		if (write(ready[1], "", 1) != 1)
			_exit(2);
		_exit(watch(device));
	}
	close(stop[0]);
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(try_off(device) == 0);
	close(stop[1]);
	CHECK(waitpid(watcher, &status, 0) > 0 && status == 0);
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(figure("/proc/meminfo", "SwapTotal") == 0);
	CHECK(figure("/proc/self/status", "VmSwap") == 0);
	for (i = 0; i < half; i++)
		if (!page_right(page_at(mem, i), i, 0, 7))
			break;
	CHECK(i == half);
	CHECK(try_on(device, 0) == 0 && try_off(device) == 0);
}

/* ------------------------------------------------------------------- zram */

/* Every page right, and from there on another turn's. */
static bool verify_all(char *mem, uint32_t pages, uint32_t turn, uint32_t next)
{
	uint32_t i;

	for (i = 0; i < pages; i++) {
		if (!page_right(page_at(mem, i), i, turn, 7))
			return false;
		if (next != turn)
			make_page(page_at(mem, i), i, next, 7);
	}
	return true;
}

/* behaviour: R3 */
static void zram(void)
{
	const uint32_t pages = 8 * MB / PAGE;
	long size, prio = 0;
	char *mem = take(8), c;
	int fd;

	size = swaps_line("/dev/zram0", &prio);
	CHECK(size > 0 && prio == 100);
	CHECK(try_on("/dev/zram0", 0) == -EBUSY);
	fd = open("/dev/zram0", O_RDWR);
	CHECK(fd >= 0 && read(fd, &c, 1) < 0 && errno == EINVAL);
	close(fd);
	for (uint32_t i = 0; i < pages; i++)
		make_page(page_at(mem, i), i, 1, 7);
	CHECK(!madvise(mem, 8 * MB, MADV_PAGEOUT));
	CHECK(figure("/proc/self/status", "VmSwap") >= 6 * 1024);
	CHECK(try_off("/dev/zram0") == 0);
	CHECK(figure("/proc/self/status", "VmSwap") == 0);
	CHECK(figure("/proc/meminfo", "SwapTotal") == 0);
	CHECK(verify_all(mem, pages, 1, 2));
	CHECK(try_off("/dev/zram0") == -EINVAL);
	/* and on again: as large as before, without mkswap */
	CHECK(try_on("/dev/zram0", SWAP_FLAG_PREFER | 3) == 0);
	CHECK(swaps_line("/dev/zram0", &prio) == size && prio == 3);
	CHECK(!madvise(mem, 8 * MB, MADV_PAGEOUT));
	CHECK(figure("/proc/self/status", "VmSwap") >= 6 * 1024);
	CHECK(verify_all(mem, pages, 2, 2));
	CHECK(!munmap(mem, 8 * MB));
}

/* ------------------------------------------------------------------- rows */

static long mi(const char *name)
{
	return figure("/proc/meminfo", name);
}

static long vs(const char *name)
{
	return figure("/proc/vmstat", name);
}

static bool near(long is, long wanted)
{
	return labs(is - wanted) <= 256; /* what waits in CPUs' batches */
}

/* (What is being written when its memory goes keeps its slot until then.) */
static bool near_soon(const char *name, long wanted)
{
	int i;

	for (i = 0; i < 6000 && !near(mi(name), wanted); i++)
		usleep(10000);
	return near(mi(name), wanted);
}

static void sums(void)
{
	CHECK(near(mi("Active"), mi("Active(anon)") + mi("Active(file)")));
	CHECK(near(mi("Inactive"),
		   mi("Inactive(anon)") + mi("Inactive(file)")));
	CHECK(near(mi("SwapCached"), 4 * vs("nr_swapcached")));
	CHECK(near(mi("Unevictable"), 4 * vs("nr_unevictable")));
	CHECK(near(mi("Mlocked"), 4 * vs("nr_mlock")));
}

static long anon_rows(void)
{
	return mi("Active(anon)") + mi("Inactive(anon)");
}

static long file_rows(void)
{
	return mi("Active(file)") + mi("Inactive(file)");
}

/* mlock: off the lists, and back */
static void locked_rows(char *mem)
{
	long lists = anon_rows(), locked = mi("Mlocked"),
	     unevictable = mi("Unevictable");

	CHECK(!mlock(mem, 4 * MB));
	CHECK(near(mi("Mlocked"), locked + 4096));
	CHECK(near(mi("Unevictable"), unevictable + 4096));
	CHECK(near(anon_rows(), lists - 4096));
	CHECK(!munlock(mem, 4 * MB));
	CHECK(near(mi("Mlocked"), locked));
	CHECK(near(mi("Unevictable"), unevictable));
	CHECK(near(anon_rows(), lists));
}

static bool scan_sums(void)
{
	long scan = vs("pgscan_kswapd") + vs("pgscan_direct");
	long steal = vs("pgsteal_kswapd") + vs("pgsteal_direct");

	return steal > 1000 && scan >= steal &&
	       near(vs("pgscan_anon") + vs("pgscan_file"), scan) &&
	       near(vs("pgsteal_anon") + vs("pgsteal_file"), steal);
}

/* Of reclaim, after more was written than there is. */
static void scan_rows(void)
{
	uint32_t pages = 60 * MB / PAGE, i;
	char *mem = take(60);

	for (i = 0; i < pages; i++)
		make_page(page_at(mem, i), i, 1, 7);
	CHECK(verify_all(mem, pages, 1, 1));
	CHECK(!munmap(mem, 60 * MB));
	/* (the kernel's own thread may go on for a while) */
	for (i = 0; i < 1000 && !scan_sums(); i++)
		usleep(10000);
	CHECK(scan_sums());
}

/*
 * Out to the device, and back by reading: then a page is at both places.  (What
 * was written stays in the cache until reclaim comes by.)
 */
static void swapped_rows(char *mem)
{
	const uint32_t pages = 8 * MB / PAGE;
	long room = mi("SwapFree"), outs = vs("pswpout"), ins, again;
	const char *refault = "workingset_refault_anon";
	int i;

	CHECK(!madvise(mem, 8 * MB, MADV_PAGEOUT));
	CHECK(near(mi("SwapFree"), room - 8192));
	CHECK(near(4 * (vs("pswpout") - outs), 8192));
	CHECK(figure("/proc/self/status", "VmSwap") >= 8192 - 256);
	/* (what is still being written is not reclaim's yet) */
	for (i = 0; i < 6000 && vs("nr_writeback") > 0; i++)
		usleep(10000);
	CHECK(vs("nr_writeback") == 0);
	scan_rows();
	CHECK(near_soon("SwapCached", 0));
	CHECK(near_soon("SwapFree", room - 8192));
	ins = vs("pswpin");
	again = vs(refault);
	CHECK(verify_all(mem, pages, 1, 1));
	CHECK(near(4 * (vs("pswpin") - ins), 8192));
	/* (the traces of a small machine are as few as its frames) */
	CHECK(vs(refault) > again && vs(refault) <= again + 2048 + 64);
	CHECK(near(mi("SwapCached"), 8192));
	CHECK(near(mi("SwapFree"), room - 8192));
	CHECK(verify_all(mem, pages, 1, 2) && verify_all(mem, pages, 2, 2));
}

/* drop_caches: a file that is open, and was read */
static void dropped_rows(const char *file)
{
	static char buf[65536];
	int fd = open(file, O_RDONLY);
	long before, n, got = 0;
	char first[4], again[4];

	CHECK(fd >= 0);
	CHECK(!write_file("/proc/sys/vm/drop_caches", "5") && errno == EINVAL);
	CHECK(!write_file("/proc/sys/vm/drop_caches", "x") && errno == EINVAL);
	CHECK(write_file("/proc/sys/vm/drop_caches", "2"));
	CHECK(read(fd, first, 4) == 4);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		got += n;
	CHECK(got > 2 << 20);
	before = mi("Cached");
	CHECK(file_rows() + 256 >= before - mi("Shmem"));
	CHECK(write_file("/proc/sys/vm/drop_caches", "1"));
	CHECK(mi("Cached") <= before - got / 1024 / 2);
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && read(fd, again, 4) == 4);
	CHECK(!memcmp(first, again, 4));
	close(fd);
}

/* behaviours: R2, R3, R6 */
static void rows(const char *device, const char *file)
{
	const uint32_t pages = 8 * MB / PAGE;
	char *mem = take(8);
	long lists = anon_rows(), room;

	CHECK(try_on(device, 0) == 0);
	room = mi("SwapFree");
	/* one by one: neighbours would be read with them */
	CHECK(write_file("/proc/sys/vm/page-cluster", "0"));
	for (uint32_t i = 0; i < pages; i++)
		make_page(page_at(mem, i), i, 1, 7);
	CHECK(near(anon_rows(), lists + 8192));
	sums();
	locked_rows(mem);
	swapped_rows(mem);
	sums();
	CHECK(!munmap(mem, 8 * MB));
	CHECK(near_soon("SwapCached", 0) && near_soon("SwapFree", room));
	dropped_rows(file);
	sums();
	CHECK(try_off(device) == 0);
	CHECK(mi("SwapCached") == 0);
}

/* -------------------------------------------------------------------- oom */

static char adj_path[64];

static bool set_adj(pid_t pid, const char *adj)
{
	snprintf(adj_path, sizeof(adj_path), "/proc/%d/oom_score_adj",
		 (int)pid);
	return write_file(adj_path, adj);
}

static long score_of(pid_t pid)
{
	char path[64], buf[32];

	snprintf(path, sizeof(path), "/proc/%d/oom_score", (int)pid);
	return read_file(path, buf, sizeof(buf)) > 0 ? strtol(buf, NULL, 10)
						     : -1;
}

/* One that has mb, and says so, and is content; its status when told: 0 */
static pid_t keeper(unsigned mb, int *stop)
{
	int ready[2], end[2];
	uint32_t pages = mb * (MB / PAGE), i;
	char c = 0, *mem;
	pid_t pid;

	CHECK(!pipe(ready) && !pipe(end));
	fflush(stdout);
	pid = fork();
	if (pid) {
		close(ready[1]);
		CHECK(read(ready[0], &c, 1) == 1);
		close(ready[0]);
		*stop = end[1];
		return pid;
	}
	close(end[1]);
	mem = take(mb);
	for (i = 0; i < pages; i++)
		make_page(page_at(mem, i), i, 1, 2);
	if (write(ready[1], &c, 1) != 1)
		_exit(2);
	if (read(end[0], &c, 1) != 1)
		_exit(2);
	for (i = 0; i < pages; i++)
		if (!page_right(page_at(mem, i), i, 1, 2))
			_exit(1);
	_exit(0);
}

static int end_keeper(pid_t pid, int stop)
{
	int status = -1;
	char c = 0;

	/* (one that is dead still has somebody at the other end) */
	CHECK(write(stop, &c, 1) == 1);
	close(stop);
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

/* Takes all there is; it does not come back. */
static void hog(bool by_kernel)
{
	int zero = open("/dev/zero", O_RDONLY);
	char *p;

	for (;;) {
		p = mmap(NULL, MB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			_exit(3);
		/* the kernel's own stores to user memory */
		if (by_kernel && read(zero, p, MB) != MB)
			_exit(4);
		memset(p, 1, by_kernel ? 1 : MB);
	}
}

static bool killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void oom_files(void)
{
	char buf[32];
	int status;

	CHECK(set_adj(getpid(), "1001") == false && errno == EINVAL);
	CHECK(set_adj(getpid(), "x") == false && errno == EINVAL);
	CHECK(write_file("/proc/self/oom_score_adj", "0\n"));
	CHECK(write_file("/proc/self/oom_adj", "15"));
	CHECK(read_file("/proc/self/oom_score_adj", buf, sizeof(buf)) == 5 &&
	      !strcmp(buf, "1000\n"));
	CHECK(write_file("/proc/self/oom_adj", "-17"));
	CHECK(read_file("/proc/self/oom_score_adj", buf, sizeof(buf)) == 6 &&
	      !strcmp(buf, "-1000\n"));
	CHECK(score_of(getpid()) == 0);
	CHECK(write_file("/proc/self/oom_score_adj", "0"));
	CHECK(score_of(getpid()) >= 666);
	status = IN_CHILD({
		if (setuid(1000))
			_exit(1);
		if (!write_file("/proc/self/oom_score_adj", "10"))
			_exit(2);
		if (!write_file("/proc/self/oom_score_adj", "0"))
			_exit(3);
		if (write_file("/proc/self/oom_score_adj", "-1") ||
		    errno != EACCES)
			_exit(4);
	});
	CHECK(status == 0);
}

/* One that takes and gives back memory all the time, and is never to go. */
static pid_t busy_one(int *stop)
{
	int end[2];
	char c, *mem;
	pid_t pid;

	CHECK(!pipe(end));
	fflush(stdout);
	pid = fork();
	if (pid) {
		close(end[0]);
		*stop = end[1];
		return pid;
	}
	close(end[1]);
	fcntl(end[0], F_SETFL, O_NONBLOCK);
	while (read(end[0], &c, 1) != 0) {
		mem = mmap(NULL, 2 * MB, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mem == MAP_FAILED)
			_exit(1);
		memset(mem, 1, 2 * MB);
		munmap(mem, 2 * MB);
	}
	_exit(0);
}

/* Nobody else goes while one is on its way, whoever needs memory meanwhile. */
static void one_at_a_time(pid_t small)
{
	int end, status, i;
	pid_t busy = busy_one(&end);

	for (i = 0; i < 6; i++) {
		status = IN_CHILD({
			set_adj(getpid(), "0");
			hog(false);
		});
		CHECK(killed(status));
		CHECK(kill(small, 0) == 0 && score_of(small) > 0);
	}
	close(end);
	CHECK(waitpid(busy, &status, 0) == busy && status == 0);
}

/* behaviour: R5 */
static void oom(void)
{
	pid_t small, spared, marked;
	int end[3], status, i;

	oom_files();
	CHECK(set_adj(getpid(), "-1000"));
	small = keeper(2, &end[0]);
	spared = keeper(12, &end[1]); /* -1000, from its parent */
	CHECK(set_adj(small, "0"));
	CHECK(score_of(spared) == 0 && score_of(small) > 0);
	for (i = 0; i < 4; i++) { /* the largest that may go, again and again */
		status = IN_CHILD({
			set_adj(getpid(), "0");
			hog(i % 2);
		});
		CHECK(killed(status));
	}
	CHECK(figure("/proc/vmstat", "oom_kill") == 4);
	one_at_a_time(small);
	CHECK(figure("/proc/vmstat", "oom_kill") == 10);
	/* one that asked for it goes before a larger one */
	marked = keeper(2, &end[2]);
	CHECK(set_adj(marked, "1000"));
	CHECK(score_of(marked) > score_of(small));
	status = IN_CHILD({
		set_adj(getpid(), "0");
		hog(false);
	});
	CHECK(killed(status));
	CHECK(killed(end_keeper(marked, end[2])));
	CHECK(end_keeper(small, end[0]) == 0);
	CHECK(end_keeper(spared, end[1]) == 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "make") && argc == 3)
		return make(argv[2]);
	if (!strcmp(what, "calls"))
		calls();
	else if (!strcmp(what, "big") && argc == 4)
		big((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
	else if (!strcmp(what, "off") && argc == 4)
		off(argv[2], (unsigned)atoi(argv[3]));
	else if (!strcmp(what, "zram"))
		zram();
	else if (!strcmp(what, "rows") && argc == 4)
		rows(argv[2], argv[3]);
	else if (!strcmp(what, "oom"))
		oom();
	else
		return 2;
	return check_done();
}
