/* SPDX-License-Identifier: MIT */
/*
 * Device memory in programs: /dev/mem, /dev/pmem0, and on x86 single steps.
 * What needs the machine's own devices is left out where they are not there.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include "check.h"

#define PG		 4096
#define FAILS(call, err) (errno = 0, (call) && errno == (err))
#define NO_MAP(p)	 ((p) == MAP_FAILED)

/* Where virtio-mmio's registers are, and where RAM begins. */
#define MAGIC 0x74726976u
static off_t device_at, ram_at;

static void find_machine(void)
{
	struct utsname u;

	if (uname(&u))
		return;
	if (!strcmp(u.machine, "x86_64")) {
		device_at = 0xfeb00000; /* microvm */
		ram_at = 0x200000;
	} else if (!strcmp(u.machine, "armv7l")) {
		device_at = 0x0a000000; /* virt */
		ram_at = 0x40000000;
	} else {
		device_at = 0x1c130000; /* vexpress-a15 */
		ram_at = (off_t)0x80000000u;
	}
}

/* Is the word in the VmFlags of the mapping at p? */
static int has_flag(const volatile void *p, const char *word)
{
	char line[512], start[32];
	int in = 0, has = 0;
	FILE *f = fopen("/proc/self/smaps", "r");

	snprintf(start, sizeof(start), "%08lx-", (unsigned long)p);
	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, "-") && strstr(line, " ") && line[8] != ':' &&
		    strstr(line, "/dev/"))
			in = !strncmp(line, start, strlen(start));
		if (in && !strncmp(line, "VmFlags:", 8)) {
			has = strstr(line, word) != NULL;
			break;
		}
	}
	if (f)
		fclose(f);
	return has;
}

static int dies_by(int status, int sig)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

/* behaviour: C6 (frames of devices are mapped, RAM is not) */
static void dev_mem(int fd)
{
	volatile uint32_t *p, *q;
	uint32_t word = 0;
	int ends[2];
	char buf[4];

	CHECK(FAILS(NO_MAP(mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, ram_at)),
		    EPERM));
	CHECK(FAILS(NO_MAP(mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				fd, ram_at + (8 << 20))),
		    EPERM));
	CHECK(FAILS(NO_MAP(mmap(NULL, 64 << 20, PROT_READ, MAP_SHARED, fd,
				ram_at - PG)),
		    EPERM));
	CHECK(FAILS(pread(fd, buf, 4, ram_at) == -1, EPERM));
	p = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, device_at);
	CHECK(!NO_MAP(p));
	if (NO_MAP(p))
		return;
	CHECK(p[0] == MAGIC);
	CHECK(has_flag(p, " pf") && has_flag(p, " io"));
	CHECK(IN_CHILD(_exit(p[0] == MAGIC ? 0 : 1)) == 0);
	CHECK(FAILS(madvise((void *)(uintptr_t)p, PG, MADV_DONTNEED) == -1,
		    EINVAL));
	CHECK(FAILS(NO_MAP(mremap((void *)(uintptr_t)p, PG, 2 * PG,
				  MREMAP_MAYMOVE)),
		    EFAULT));
	CHECK(mlock((void *)(uintptr_t)p, PG) == 0);
	CHECK(!has_flag(p, " lo"));
	CHECK(mprotect((void *)(uintptr_t)p, PG, PROT_READ) == 0);
	CHECK(p[0] == MAGIC);
	CHECK(dies_by(IN_CHILD(p[0x14 / 4] = 0), SIGSEGV));
	/* the kernel reads it for us */
	CHECK(pipe(ends) == 0);
	CHECK(write(ends[1], (void *)(uintptr_t)p, 4) == 4);
	/* (bytewise, which is not how these registers are read) */
	CHECK(read(ends[0], &word, 4) == 4);
	q = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, device_at);
	CHECK(!NO_MAP(q) && q[0] == MAGIC);
	/* its frames have no copy: Quire's rule for a device that names none */
	CHECK(dies_by(IN_CHILD(q[1] = 1), SIGBUS));
	CHECK(munmap((void *)(uintptr_t)p, PG) == 0);
	CHECK(dies_by(IN_CHILD((void)p[0]), SIGSEGV));
	CHECK(munmap((void *)(uintptr_t)q, PG) == 0);
}

/* behaviour: C6 (memory that is its own device) */
static void dev_pmem(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	volatile char *a, *b, *p;
	unsigned char vec[4];
	char buf[16] = {0};
	struct stat st;

	CHECK(size >= 1 << 20 && size % PG == 0);
	CHECK(fstat(fd, &st) == 0);
	a = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PG);
	p = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PG);
	CHECK(!NO_MAP(a) && !NO_MAP(b) && !NO_MAP(p));
	if (NO_MAP(a) || NO_MAP(b) || NO_MAP(p))
		return;
	CHECK(has_flag(b, " mm"));
	CHECK(mincore((void *)(uintptr_t)b, 4 * PG, vec) == 0 && !vec[0]);
	CHECK(pwrite(fd, "hello", 6, PG) == 6);
	CHECK(!strcmp((char *)(uintptr_t)b, "hello"));
	CHECK(mincore((void *)(uintptr_t)b, 4 * PG, vec) == 0 && vec[0]);
	a[PG] = 'j';
	CHECK(b[0] == 'j' && p[0] == 'j');
	CHECK(pread(fd, buf, 6, PG) == 6 && !strcmp(buf, "jello"));
	p[0] = 'c';
	CHECK(b[0] == 'j' && p[0] == 'c' && p[1] == 'e');
	CHECK(IN_CHILD(b[PG] = 7; p[PG] = 8) == 0);
	CHECK(a[2 * PG] == 7 && p[PG] == 7);
	CHECK(msync((void *)(uintptr_t)b, 4 * PG, MS_SYNC) == 0);
	CHECK(fsync(fd) == 0);
	CHECK(mprotect((void *)(uintptr_t)b, PG, PROT_READ) == 0);
	CHECK(dies_by(IN_CHILD(b[0] = 1), SIGSEGV));
	CHECK(mprotect((void *)(uintptr_t)b, PG, PROT_READ | PROT_WRITE) == 0);
	b[0] = 'k';
	CHECK(a[PG] == 'k');
	CHECK(madvise((void *)(uintptr_t)b, 4 * PG, MADV_DONTNEED) == 0);
	CHECK(b[0] == 'k');
	/* into and out of itself */
	CHECK(pwrite(fd, (char *)(uintptr_t)b, PG, 8 * PG) == PG);
	CHECK(a[8 * PG] == 'k' && a[8 * PG + 1] == 'e');
	CHECK(pread(fd, (char *)(uintptr_t)a + 9 * PG, PG, 8 * PG) == PG);
	CHECK(a[9 * PG] == 'k');
	a[size - 1] = 1;
	CHECK(pread(fd, buf, 4, size - 1) == 1 && buf[0] == 1);
	CHECK(FAILS(pwrite(fd, "x", 1, size) == -1, ENOSPC));
	CHECK(munmap((void *)(uintptr_t)b, 4 * PG) == 0);
	b = mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, size);
	CHECK(!NO_MAP(b));
	CHECK(dies_by(IN_CHILD((void)b[0]), SIGBUS));
	CHECK(munmap((void *)(uintptr_t)a, (size_t)size) == 0);
	CHECK(munmap((void *)(uintptr_t)p, 4 * PG) == 0);
}

#ifdef __x86_64__
static volatile int steps;

static void stepped(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig == SIGTRAP && info->si_code == TRAP_TRACE)
		steps++;
}

/* behaviour: E4 (a program's own single steps are still its own) */
static void single_step(void)
{
	struct sigaction sa = {.sa_sigaction = stepped, .sa_flags = SA_SIGINFO};

	CHECK(sigaction(SIGTRAP, &sa, NULL) == 0);
	/* past the red zone; a trap comes after each instruction that follows
	 * the POPF (SDM vol. 3B, 17.3.1.4), the second one's with it */
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "orq $0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "nop\n\t"
			 "nop\n\t"
			 "pushfq\n\t"
			 "andq $~0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::
				 : "memory", "cc");
	CHECK(steps == 5);
	signal(SIGTRAP, SIG_DFL);
}

static int kmmio_counts(unsigned long long *before, unsigned long long *after)
{
	FILE *f = fopen("/proc/kmmio", "r");
	int n = 0;

	if (!f)
		return 0;
	n = fscanf(f, "before %llu after %llu", before, after);
	fclose(f);
	return n == 2;
}

/* behaviour: E4 (the kernel's accesses to a device's registers are seen) */
static void kmmio(void)
{
	unsigned long long before, after, before2, after2;
	unsigned i;
	char name[64];

	if (!kmmio_counts(&before, &after))
		return;
	CHECK(before > 10); /* the boot */
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "/no-such-file-%u", i);
		CHECK(FAILS(access(name, F_OK) == -1, ENOENT));
	}
	printf("kmmio: %llu, ", before);
	CHECK(kmmio_counts(&before2, &after2));
	printf("then %llu accesses\n", before2);
	/* each asks the host: a register tells it, an interrupt tells us */
	CHECK(before2 >= before + 200);
	CHECK(after2 >= after + 200);
	/* other CPUs may be in the middle of one each */
	CHECK(before2 - after2 <= 8 || after2 - before2 <= 8);
}
#endif

int main(void)
{
	int fd;

	find_machine();
	fd = open("/proc/version", O_RDONLY);
	if (fd >= 0) {
		char text[64] = {0};

		/* the host's own devices are not to be touched */
		if (read(fd, text, sizeof(text) - 1) < 0 ||
		    access("/dev/pmem0", F_OK))
			device_at = 0;
		close(fd);
	}
	fd = device_at ? open("/dev/mem", O_RDWR) : -1;
	if (fd >= 0) {
		dev_mem(fd);
		close(fd);
		fd = open("/dev/pmem0", O_RDWR);
		if (fd >= 0)
			dev_pmem(fd);
		else
			CHECK(errno == ENXIO); /* not asked for */
	}
#ifdef __x86_64__
	single_step();
	kmmio();
#endif
	return check_done();
}
