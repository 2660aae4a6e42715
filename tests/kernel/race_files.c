/* SPDX-License-Identifier: MIT */
/*
 * Everything that can be done to a file and its mappings, by several processes
 * with several threads at the same time.
 *
 * usage: race_files [-p] [-s SECONDS] [-r SEED] DIR
 *   -p  the directory's file system can punch holes (tmpfs)
 *   In DIR are made: "strict", "wild", and "lanes" (what the first part of
 *   "strict" has to hold in the end; whoever has the files can compare).
 *
 *     strict  |<---------- lanes ---------->|<----------- cut ----------->|
 *              word i is written by worker    one process cuts the file and
 *              i % LANES alone, and holds     punches holes here; the others'
 *              what that wrote last           words tell when they were written
 *     wild     words of any age: the right ones for their place, or 0
 *
 * What has to hold: no worker ever finds a word of its lane that it has not
 * written last, whichever way it looks and whatever the others do to the page.
 * Nothing that was cut off or punched out comes back.  SIGBUS comes beyond the
 * file's end and nowhere else.  A private page changes by its owner only.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include "check.h"

#define PAGE	   4096u
#define PAGE_WORDS 1024u
#define LANES	   8u /* lane 6: nobody's, always 0; 7: the cutter's */
#define PROCESSES  3u
#define THREADS	   2u
#define NR_LANE	   64u /* pages of lanes */
#define NR_CUT	   48u /* pages to be cut off */
#define NR_WILD	   32u
#define LANE_WORDS (NR_LANE * PAGE_WORDS)
#define ALL_WORDS  ((NR_LANE + NR_CUT) * PAGE_WORDS)
#define MINE	   (LANE_WORDS / LANES)

/* offsets */
#define WORDS(n) ((off_t)(n)*4)
#define PAGES(n) ((off_t)(n) * (off_t)PAGE)

static struct shared {
	uint32_t stop, bad, began;
	uint32_t epoch;	      /* of words in the part that is cut */
	uint32_t busy[LANES]; /* epoch that a worker writes there with, or 0 */
	uint32_t seq;	      /* changes with each change of the size */
	uint32_t size;	      /* not more than the file has */
	uint32_t ops, sigbus, punched, cut, dropped, synced;
	uint32_t value[LANES][MINE]; /* what each lane has to hold */
} * sh;

#define LOAD(x)	    __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, v) __atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)
#define ADD(x, v)   __atomic_add_fetch(&(x), v, __ATOMIC_SEQ_CST)

#define EXPECT(c, ...)                                                         \
	do {                                                                   \
		if (!(c) && ADD(sh->bad, 1u) <= 10) {                          \
			printf("FAIL %s:%d: %s: ", __FILE__, __LINE__, #c);    \
			printf(__VA_ARGS__);                                   \
			printf("\n");                                          \
			fflush(stdout);                                        \
			STORE(sh->stop, 1u);                                   \
		}                                                              \
	} while (0)

struct worker {
	unsigned lane;
	uint64_t rnd;
	int strict, direct, wild;
	volatile uint32_t *map, *wild_map;
	uint32_t *private, private_page, private_tag; /* 0: not changed yet */
};

static int can_punch;

static uint32_t rnd(struct worker *w, uint32_t n)
{
	w->rnd = w->rnd * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(w->rnd >> 33) % n;
}

/* 20 bits tell the time, 12 bits the place and the file. */
static uint32_t tagged(uint32_t index, uint32_t tag, uint32_t salt)
{
	uint32_t h = ((index + salt) * 0x9e3779b1u) ^ (tag * 0x85ebca6bu);

	tag &= 0xfffff;
	return tag | (h ^ (h >> 13)) << 20;
}
static int right_place(uint32_t word, uint32_t index, uint32_t salt)
{
	return !word || word == tagged(index, word & 0xfffff, salt);
}
#define CUT  0x10000000u
#define WILD 0x20000000u

/* -------------------------------------------------------------- SIGBUS */

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t may_trap;

static void on_bus(int signo)
{
	(void)signo;
	if (!may_trap) {
		EXPECT(0, "SIGBUS inside of the file");
		_exit(1);
	}
	may_trap = 0;
	siglongjmp(back, 1);
}

/* ----------------------------------------------------------- the lanes */

static uint32_t *want(struct worker *w, uint32_t i)
{
	return &sh->value[w->lane][i];
}

static void lane_write(struct worker *w)
{
	uint32_t i = rnd(w, MINE), n = 1 + rnd(w, 40),
		 tag = rnd(w, 0xfffff) + 1;
	uint32_t place, v;

	for (; n-- && i < MINE; i++) {
		place = i * LANES + w->lane;
		v = tagged(place, tag, 0);
		if (n % 8) {
			w->map[place] = v;
		} else {
			ssize_t did = pwrite(w->strict, &v, 4, WORDS(place));

			EXPECT(did == 4, "%zd, errno %d", did, errno);
		}
		*want(w, i) = v;
	}
}

/* behaviours: C1, C3 */
static void lane_look(struct worker *w)
{
	static __thread uint32_t buf[PAGE_WORDS] __attribute__((aligned(4096)));
	uint32_t page = rnd(w, NR_LANE), i, place, v;
	unsigned way = rnd(w, 4);
	int fd = way == 3 && w->direct >= 0 ? w->direct : w->strict;

	if (way >= 2) {
		ssize_t n = pread(fd, buf, PAGE, PAGES(page));

		EXPECT(n == (ssize_t)PAGE, "%zd, errno %d", n, errno);
	}
	for (i = 0; i < PAGE_WORDS / LANES; i++) {
		place = page * PAGE_WORDS + i * LANES + w->lane;
		v = way < 2 ? w->map[place] : buf[place % PAGE_WORDS];
		EXPECT(v == *want(w, place / LANES),
		       "word %u is %x, not %x; way %u", place, v,
		       *want(w, place / LANES), way);
		v = way < 2 ? w->map[place - w->lane + 6]
			    : buf[(place - w->lane + 6) % PAGE_WORDS];
		EXPECT(v == 0, "word %u is %x; way %u", place, v, way);
	}
}

/* A private page is the file's until its owner writes; then its own.
 * behaviour: F7 */
static void private_page(struct worker *w)
{
	uint32_t place, i, *p = w->private;

	if (!p) {
		w->private_page = rnd(w, NR_LANE);
		w->private_tag = 0;
		p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			 w->strict, PAGES(w->private_page));
		EXPECT(p != MAP_FAILED, "errno %d", errno);
		if (p != MAP_FAILED)
			w->private = p;
		return;
	}
	for (i = 0; i < PAGE_WORDS; i++) {
		place = w->private_page * PAGE_WORDS + i;
		if (w->private_tag)
			EXPECT(p[i] == w->private_tag + i,
			       "private word %u: %x", place, p[i]);
		else if (place % LANES == w->lane)
			EXPECT(p[i] == *want(w, place / LANES),
			       "private word %u: %x", place, p[i]);
	}
	if (w->private_tag) {
		munmap(p, PAGE);
		w->private = NULL;
		return;
	}
	w->private_tag = rnd(w, 0xffffff) + 1;
	for (i = 0; i < PAGE_WORDS; i++)
		p[i] = w->private_tag + i;
}

/* --------------------------------------------------- the part that is cut */

static void cut_access(struct worker *w)
{
	uint32_t place = LANE_WORDS + rnd(w, NR_CUT * PAGE_WORDS), epoch, seq,
		 v;
	volatile uint32_t *p = w->map + place;
	int trapped;

	do { /* what we write with is not older than the cutter thinks */
		epoch = LOAD(sh->epoch);
		STORE(sh->busy[w->lane], epoch);
	} while (LOAD(sh->epoch) != epoch);
	seq = LOAD(sh->seq);
	trapped = sigsetjmp(back, 0);
	if (!trapped) {
		may_trap = 1;
		if (rnd(w, 2)) {
			*p = tagged(place, epoch, CUT);
		} else {
			v = *p;
			may_trap = 0;
			EXPECT(right_place(v, place, CUT), "word %u is %x",
			       place, v);
		}
		may_trap = 0;
	} else {
		uint32_t size = LOAD(sh->size);

		ADD(sh->sigbus, 1u);
		if (LOAD(sh->seq) == seq)
			EXPECT(place * 4 / PAGE * PAGE >= size,
			       "SIGBUS at %u with size %u", place * 4, size);
	}
	STORE(sh->busy[w->lane], 0u);
}

static void cut_read(struct worker *w)
{
	static __thread uint32_t buf[PAGE_WORDS];
	uint32_t place = LANE_WORDS + rnd(w, (NR_CUT - 1) * PAGE_WORDS);
	ssize_t n = pread(w->strict, buf, PAGE, WORDS(place));
	uint32_t i;

	EXPECT(n >= 0, "errno %d", errno);
	for (i = 0; n > 0 && i < (uint32_t)n / 4; i++)
		EXPECT(right_place(buf[i], place + i, CUT), "word %u is %x",
		       place + i, buf[i]);
}

/* ---------------------------------------------------------- the wild file */

static void wild_bytes(struct worker *w)
{
	static __thread uint32_t buf[3 * PAGE_WORDS];
	uint32_t place = rnd(w, NR_WILD * PAGE_WORDS), n = 1 + rnd(w, 3000), i;
	uint32_t tag = rnd(w, 0xfffff);
	ssize_t did;

	if (rnd(w, 2)) {
		for (i = 0; i < n; i++)
			buf[i] = tagged(place + i, tag, WILD);
		did = pwrite(w->wild, buf, n * 4, WORDS(place));
		EXPECT(did == (ssize_t)(n * 4), "%zd, errno %d", did, errno);
		return;
	}
	did = pread(w->wild, buf, n * 4, WORDS(place));
	EXPECT(did >= 0, "errno %d", errno);
	for (i = 0; did > 0 && i < (uint32_t)did / 4; i++)
		EXPECT(right_place(buf[i], place + i, WILD), "word %u is %x",
		       place + i, buf[i]);
}

static void wild_change(struct worker *w)
{
	off_t at = WORDS(rnd(w, NR_WILD * PAGE_WORDS));
	off_t len = WORDS(1 + rnd(w, 20000));
	volatile uint32_t *p = w->wild_map + at / 4;
	uint32_t v;

	switch (rnd(w, can_punch ? 5 : 3)) {
	case 0:
		EXPECT(ftruncate(w->wild, at) == 0, "errno %d", errno);
		return;
	case 3:
	case 4:
		EXPECT(fallocate(w->wild,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
				 len) == 0,
		       "errno %d", errno);
		return;
	}
	if (sigsetjmp(back, 0))
		return;
	may_trap = 1;
	if (rnd(w, 2)) {
		*p = tagged((uint32_t)(at / 4), rnd(w, 0xfffff), WILD);
	} else {
		v = *p;
		may_trap = 0;
		EXPECT(right_place(v, (uint32_t)(at / 4), WILD), "word %ld: %x",
		       (long)at / 4, v);
	}
	may_trap = 0;
}

/* -------------------------------------------------------------- disturbances
 */

/* Those of our own machine: others may have use for theirs. */
static void drop_caches(void)
{
	struct utsname u;
	int fd;

	if (uname(&u) || !strstr(u.release, "quire"))
		return;
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd >= 0 && write(fd, "1", 1) == 1)
		ADD(sh->dropped, 1u);
	if (fd >= 0)
		close(fd);
}

static void disturb(struct worker *w)
{
	uint32_t a = rnd(w, NR_LANE), n = 1 + rnd(w, NR_LANE - a);
	char *at = (char *)w->map + a * PAGE;

	switch (rnd(w, 8)) {
	case 0:
		EXPECT(msync(at, n * PAGE, MS_SYNC) == 0, "errno %d", errno);
		break;
	case 1:
		EXPECT(fdatasync(w->wild) == 0, "errno %d", errno);
		break;
	case 2:
		EXPECT(sync_file_range(w->strict, PAGES(a), PAGES(n), 7) == 0,
		       "errno %d", errno);
		break;
	case 3:
		EXPECT(!posix_fadvise(w->strict, PAGES(a), PAGES(n),
				      POSIX_FADV_DONTNEED),
		       "DONTNEED");
		break;
	case 4:
		EXPECT(fsync(w->strict) == 0, "errno %d", errno);
		break;
	case 5:
		EXPECT(madvise(at, n * PAGE, MADV_WILLNEED) == 0, "errno %d",
		       errno);
		break;
	case 6:
		drop_caches();
		break;
	default:
		EXPECT(msync(at, n * PAGE, MS_ASYNC) == 0, "errno %d", errno);
	}
	ADD(sh->synced, 1u);
}

/* Map it anew, elsewhere; or only forget what is mapped. */
static void map_again(struct worker *w)
{
	void *p;

	if (rnd(w, 3)) {
		EXPECT(madvise((void *)w->map, NR_LANE * PAGE, MADV_DONTNEED) ==
			       0,
		       "errno %d", errno);
		return;
	}
	p = mmap(NULL, ALL_WORDS * 4, PROT_READ | PROT_WRITE,
		 MAP_SHARED | (rnd(w, 4) ? 0 : MAP_POPULATE), w->strict, 0);
	EXPECT(p != MAP_FAILED, "errno %d", errno);
	if (p == MAP_FAILED)
		return;
	munmap((void *)w->map, ALL_WORDS * 4);
	w->map = p;
}

/* A child sees what its parent wrote, and does not outlive the looking. */
static void fork_look(struct worker *w)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		lane_look(w);
		lane_look(w);
		_exit(0);
	}
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0,
	       "status");
}

/* ----------------------------------------------------------------- workers */

static void open_files(struct worker *w, const char *dir)
{
	char name[512];

	snprintf(name, sizeof(name), "%s/strict", dir);
	w->strict = open(name, O_RDWR);
	w->direct = open(name, O_RDONLY | O_DIRECT);
	w->map = mmap(NULL, ALL_WORDS * 4, PROT_READ | PROT_WRITE, MAP_SHARED,
		      w->strict, 0);
	snprintf(name, sizeof(name), "%s/wild", dir);
	w->wild = open(name, O_RDWR);
	w->wild_map = mmap(NULL, NR_WILD * PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED, w->wild, 0);
	EXPECT(w->strict >= 0 && w->wild >= 0 && w->map != MAP_FAILED &&
		       w->wild_map != MAP_FAILED,
	       "errno %d", errno);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint32_t n = 0;

	ADD(sh->began, 1u);
	while (!LOAD(sh->stop)) {
		n++;
		switch (rnd(w, 32)) {
		case 0:
			disturb(w);
			break;
		case 1:
			map_again(w);
			break;
		case 2:
			if (w->lane == 0 && rnd(w, 8) == 0)
				fork_look(w);
			break;
		case 3:
		case 4:
		case 5:
			private_page(w);
			break;
		case 6:
		case 7:
			wild_bytes(w);
			break;
		case 8:
		case 9:
		case 10:
			wild_change(w);
			break;
		case 11:
		case 12:
			cut_read(w);
			break;
		default:
			if (n % 3 == 0)
				cut_access(w);
			else if (n % 3 == 1)
				lane_write(w);
			else
				lane_look(w);
		}
	}
	ADD(sh->ops, n);
	return NULL;
}

static void process(const char *dir, unsigned number, unsigned seed)
{
	static struct worker w[THREADS];
	pthread_t t[THREADS];
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		w[i].lane = number * THREADS + i;
		w[i].rnd = seed * 7919ull + w[i].lane * 104729ull + 1;
		open_files(&w[i], dir);
		pthread_create(&t[i], NULL, work, &w[i]);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* ------------------------------------------------------------------ the cutter
 */

static uint32_t new_epoch(void)
{
	uint32_t epoch = ADD(sh->epoch, 1u), i, busy;

	for (i = 0; i < LANES; i++)
		while ((busy = LOAD(sh->busy[i])) && busy < epoch &&
		       !LOAD(sh->stop))
			sched_yield();
	return epoch;
}

/* Words [a, b) were gone in this epoch: none is older.  behaviour: C4 */
static void none_older(struct worker *w, uint32_t a, uint32_t b, uint32_t epoch)
{
	static uint32_t buf[NR_CUT * PAGE_WORDS];
	ssize_t n = pread(w->strict, buf, (b - a) * 4ul, WORDS(a));
	uint32_t i, v;

	EXPECT(n == (ssize_t)((b - a) * 4), "%zd, errno %d", n, errno);
	for (i = a; i < b; i++) {
		v = buf[i - a];
		EXPECT(!v || (right_place(v, i, CUT) && (v & 0xfffff) >= epoch),
		       "read: word %u is %x in epoch %u", i, v, epoch);
		v = w->map[i];
		EXPECT(!v || (right_place(v, i, CUT) && (v & 0xfffff) >= epoch),
		       "mapped: word %u is %x in epoch %u", i, v, epoch);
	}
}

static void punch(struct worker *w)
{
	uint32_t a = LANE_WORDS + rnd(w, NR_CUT * PAGE_WORDS);
	uint32_t n = 1 + rnd(w, ALL_WORDS - a), epoch;

	epoch = new_epoch();
	EXPECT(fallocate(w->strict, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 WORDS(a), WORDS(n)) == 0,
	       "errno %d", errno);
	none_older(w, a, a + n, epoch);
	ADD(sh->punched, 1u);
}

/* Beyond the end there is nothing: the cutter knows where that is. */
static void beyond(struct worker *w, uint32_t end)
{
	uint32_t page = (end + PAGE_WORDS - 1) / PAGE_WORDS, v;
	volatile uint32_t *p = w->map + page * PAGE_WORDS;

	if (page * PAGE_WORDS >= ALL_WORDS)
		return;
	if (sigsetjmp(back, 0))
		return;
	may_trap = 1;
	if (rnd(w, 2))
		*p = 1;
	v = *p;
	may_trap = 0;
	EXPECT(0, "no SIGBUS beyond the end: page %u: %x", page, v);
}

static void cut(struct worker *w)
{
	uint32_t end = LANE_WORDS + rnd(w, NR_CUT * PAGE_WORDS), epoch;
	struct stat st;

	if (rnd(w, 4) == 0)
		end = end / PAGE_WORDS * PAGE_WORDS;
	epoch = new_epoch();
	STORE(sh->size, end * 4);
	ADD(sh->seq, 1u);
	EXPECT(ftruncate(w->strict, WORDS(end)) == 0, "errno %d", errno);
	beyond(w, end);
	EXPECT(fstat(w->strict, &st) == 0 && st.st_size == WORDS(end), "%lld",
	       (long long)st.st_size);
	if (rnd(w, 2))
		sched_yield();
	EXPECT(ftruncate(w->strict, WORDS(ALL_WORDS)) == 0, "errno %d", errno);
	ADD(sh->seq, 1u);
	STORE(sh->size, ALL_WORDS * 4);
	none_older(w, end, ALL_WORDS, epoch);
	ADD(sh->cut, 1u);
}

/* Each sort of thing has happened, without which a run would show nothing. */
static int all_happened(void)
{
	return LOAD(sh->cut) && LOAD(sh->sigbus) && LOAD(sh->synced) &&
	       (!can_punch || LOAD(sh->punched));
}

static void cutter(const char *dir, unsigned seconds, unsigned seed)
{
	static struct worker w = {.lane = 7};
	struct timespec now, end;
	time_t last;

	w.rnd = seed * 31ull + 5;
	open_files(&w, dir);
	while (LOAD(sh->began) < PROCESSES * THREADS && !LOAD(sh->stop))
		sched_yield();
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)seconds;
	last = end.tv_sec + 60; /* on a machine that is slow */
	do {
		if (can_punch && rnd(&w, 2))
			punch(&w);
		else
			cut(&w);
		lane_write(&w);
		lane_look(&w);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < (all_happened() ? end.tv_sec : last) &&
		 !LOAD(sh->stop));
	STORE(sh->stop, 1u);
}

/* --------------------------------------------------------------------- all */

static void make_file(const char *dir, const char *name, off_t size)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0 && ftruncate(fd, size) == 0);
	close(fd);
}

/* The lanes by all ways of looking, and into a file of their own. */
static void last_look(const char *dir)
{
	static uint32_t buf[LANE_WORDS];
	struct worker w = {0};
	uint32_t i, bad_map = 0, bad_read = 0, v;
	char name[512];
	int fd;

	open_files(&w, dir);
	CHECK(fsync(w.strict) == 0 && fsync(w.wild) == 0);
	drop_caches();
	CHECK(pread(w.strict, buf, sizeof(buf), 0) == sizeof(buf));
	for (i = 0; i < LANE_WORDS; i++) {
		v = sh->value[i % LANES][i / LANES];
		bad_map += w.map[i] != v;
		bad_read += buf[i] != v;
		buf[i] = v;
	}
	CHECK(bad_map == 0);
	CHECK(bad_read == 0);
	snprintf(name, sizeof(name), "%s/lanes", dir);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf));
	CHECK(close(fd) == 0);
}

static void run(const char *dir, unsigned seconds, unsigned seed)
{
	pid_t pid[PROCESSES];
	unsigned i;
	int status;

	make_file(dir, "strict", WORDS(ALL_WORDS));
	make_file(dir, "wild", NR_WILD * PAGE / 2);
	fflush(stdout);
	for (i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			process(dir, i, seed);
			_exit(0);
		}
	}
	cutter(dir, seconds, seed);
	for (i = 0; i < PROCESSES; i++)
		CHECK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
	last_look(dir);
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_bus, .sa_flags = SA_NODEFER};
	unsigned seconds = 3, seed = 1;
	int c;

	while ((c = getopt(argc, argv, "ps:r:")) != -1) {
		if (c == 'p')
			can_punch = 1;
		else if (c == 's')
			seconds = (unsigned)atoi(optarg);
		else if (c == 'r')
			seed = (unsigned)atoi(optarg);
		else
			return 2;
	}
	sigaction(SIGBUS, &sa, NULL);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED || optind >= argc)
		return 2;
	sh->epoch = 1;
	sh->size = ALL_WORDS * 4;
	run(argv[optind], seconds, seed);
	CHECK(sh->bad == 0);
	CHECK(sh->cut > 0 && sh->sigbus > 0 && sh->synced > 0);
	CHECK(!can_punch || sh->punched > 0);
	printf("%u rounds; %u cut, %u punched, %u SIGBUS, %u syncs, "
	       "%u dropped\n",
	       sh->ops, sh->cut, sh->punched, sh->sigbus, sh->synced,
	       sh->dropped);
	return check_done();
}
