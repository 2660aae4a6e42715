/* SPDX-License-Identifier: MIT */
/*
 * record.c - makes a page trace (trace.h) of what valgrind's tool "lackey"
 * writes of a program: its accesses to memory and, by --trace-syscalls=yes,
 * its system calls.
 *
 * usage: record WINDOW PROGRAM-NAME <lackey's output >TRACE
 *
 *     I  04001d40,3           each access --> page it lies in --> filter
 *      S 1ffeffe7e8,8                            ^
 *     SYSCALL[7,1](9) sys_mmap ( 0x0, ...        |
 *                        which address is what --'
 *
 * Addresses become contents: a page of private memory, or page n of a file.  A
 * page of a file that is mapped privately is the file's until it is stored to;
 * then the file's page is read and a page of private memory is used instead.
 * read(2) and write(2) use the file's pages and those of their buffer.
 *
 * The filter.  Of all uses of one page, a middle one is left out when so few
 * other pages were used between its neighbours that the three lie within
 * WINDOW distinct pages.  In a memory of at least WINDOW pages neither LRU nor
 * the optimum (MIN) evicts the page between the first and the third, so the
 * misses of both stay what they are, exactly (tests/traces).  Other policies
 * see fewer uses of what is used all the time, but one within each stretch of
 * WINDOW pages.  What is lost altogether: time, so all I/O seems equally near;
 * the order within the stretch; and what the kernel does on its own (page
 * tables, readahead, files' metadata).
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "trace.h"

#define PAGE_SHIFT 12
#define MAX_FD	   1024

/* A content: a page of private memory or of a file. */
struct content {
	uint64_t key; /* file number << 32 | index; private: its address */
	bool anon;
	uint32_t number;	     /* in the trace, at the end */
	struct content *next;	     /* of the same hash */
	struct use *older, *last;    /* pending uses */
	struct content *prev, *foll; /* LRU: prev is used more lately */
	uint64_t last_time;
	bool listed;
};

/* A use that may still be left out. */
struct use {
	struct content *c;
	uint64_t time;
	uint32_t count;
	uint8_t op;
	struct use *prev, *next;
};

struct place { /* a page of the address space */
	uint64_t vpn;
	struct content *c;
	bool private_file; /* a store makes it private memory */
};

struct kept {
	struct content *c;
	uint32_t count;
	uint8_t op;
};

static unsigned window;
static uint64_t accesses, now;
static struct {
	uint32_t pages;
	char name[64];
} files[TRACE_FILES];
static uint32_t nr_files;
static struct {
	int file; /* -1: none that is known */
	uint64_t offset;
} fds[MAX_FD];

static void *more(void *p, size_t n, size_t size)
{
	p = realloc(p, n * size);
	if (!p)
		errx(1, "out of memory");
	return p;
}

/* --------------------------------------------------------------- contents */

#define BUCKETS (1u << 18)
static struct content *contents[BUCKETS];

static struct content *content(bool anon, uint64_t key)
{
	uint64_t h = (key * 2 + anon) * 0x9e3779b97f4a7c15u >> 46;
	struct content *c;

	for (c = contents[h]; c; c = c->next)
		if (c->key == key && c->anon == anon)
			return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		errx(1, "out of memory");
	c->key = key;
	c->anon = anon;
	c->next = contents[h];
	contents[h] = c;
	return c;
}

static struct content *file_page(int file, uint64_t index)
{
	if (index >= files[file].pages)
		files[file].pages = (uint32_t)index + 1;
	return content(false, (uint64_t)file << 32 | index);
}

static int file_number(const char *path)
{
	const char *base = strrchr(path, '/');
	uint32_t i;

	base = base ? base + 1 : path;
	for (i = 0; i < nr_files; i++)
		if (!strcmp(files[i].name, base))
			return (int)i;
	if (nr_files == TRACE_FILES)
		errx(1, "too many files");
	snprintf(files[nr_files].name, sizeof(files[0].name), "%s", base);
	return (int)nr_files++;
}

/* ----------------------------------------------------------------- filter */

static struct kept *kept;
static size_t nr_kept, room;
static struct use uses = {.prev = &uses, .next = &uses}; /* oldest first */
static struct use *spare;
static struct content lru = {.prev = &lru, .foll = &lru};
static unsigned listed; /* at most `window` on that list */

static void unlink_use(struct use *u)
{
	u->prev->next = u->next;
	u->next->prev = u->prev;
	u->next = spare;
	spare = u;
}

static struct use *new_use(void)
{
	struct use *u = spare;

	if (u)
		spare = u->next;
	else
		u = more(NULL, 1, sizeof(*u));
	return u;
}

static void keep(struct use *u)
{
	if (nr_kept == room) {
		room = room ? 2 * room : 65536;
		kept = more(kept, room, sizeof(*kept));
	}
	kept[nr_kept++] =
		(struct kept){.c = u->c, .count = u->count, .op = u->op};
	if (u->c->older == u)
		u->c->older = NULL;
	if (u->c->last == u)
		u->c->last = NULL;
	unlink_use(u);
}

static void to_front(struct content *c)
{
	if (c->listed) {
		c->prev->foll = c->foll;
		c->foll->prev = c->prev;
	} else if (listed < window) {
		listed++;
	} else {
		struct content *old = lru.prev;

		old->prev->foll = &lru;
		lru.prev = old->prev;
		old->listed = false;
	}
	c->listed = true;
	c->last_time = now;
	c->prev = &lru;
	c->foll = lru.foll;
	c->foll->prev = c;
	lru.foll = c;
}

/* May two uses be one, of this operation?  -1: no. */
static int merged(unsigned a, unsigned b)
{
	if (a == b)
		return (int)a;
	if (a > TRACE_FETCH || b > TRACE_FETCH)
		return -1;
	if (a == TRACE_STORE || b == TRACE_STORE)
		return TRACE_STORE;
	return TRACE_FETCH;
}

static void use(struct content *c, unsigned op)
{
	struct use *u;
	int both;

	now++;
	/* both are still pending: they lie within the window, with this one */
	both = c->older && c->last ? merged(c->older->op, c->last->op) : -1;
	if (both >= 0) {
		c->older->op = (uint8_t)both;
		unlink_use(c->last);
	} else if (c->last) {
		c->older = c->last;
	}
	to_front(c);
	u = new_use();
	*u = (struct use){.c = c, .time = now, .op = (uint8_t)op, .count = 1};
	u->prev = uses.prev;
	u->next = &uses;
	uses.prev->next = u;
	uses.prev = u;
	c->last = u;
	if (listed < window)
		return;
	/* out of the window: nothing later makes it superfluous */
	while (uses.next != &uses && uses.next->time <= lru.prev->last_time)
		keep(uses.next);
}

static void flush(void)
{
	while (uses.next != &uses)
		keep(uses.next);
}

/* ------------------------------------------------------- the address space */

/* Open addressing; a place with no content is free for its vpn's next use. */
static struct place *places;
static size_t nr_places, place_room; /* a power of two */

static struct place *place_at(uint64_t vpn)
{
	size_t i = (size_t)(vpn * 0x9e3779b97f4a7c15u >> 20);

	for (;; i++) {
		struct place *p = &places[i & (place_room - 1)];

		if (p->vpn == vpn || !p->vpn)
			return p;
	}
}

static struct place *place(uint64_t vpn)
{
	struct place *p, *old = places;
	size_t i, n = place_room;

	if (2 * nr_places >= place_room) {
		place_room = n ? 2 * n : 1u << 16;
		places = calloc(place_room, sizeof(*places));
		if (!places)
			errx(1, "out of memory");
		for (i = 0; i < n; i++)
			if (old[i].vpn)
				*place_at(old[i].vpn) = old[i];
		free(old);
	}
	p = place_at(vpn);
	if (!p->vpn) {
		p->vpn = vpn;
		nr_places++;
	}
	return p;
}

/* Nothing is there any more: private memory's contents go. */
static void clear(uint64_t addr, uint64_t len)
{
	uint64_t vpn, end = (addr + len + 4095) >> PAGE_SHIFT;

	for (vpn = addr >> PAGE_SHIFT; vpn < end; vpn++) {
		struct place *p = place(vpn);

		if (p->c && p->c->anon) {
			use(p->c, TRACE_DROP);
			/* what is used there next is not the same */
			p->c->older = p->c->last = NULL;
		}
		p->c = NULL;
	}
}

static void map_file(uint64_t addr, uint64_t len, int file, uint64_t off,
		     bool shared)
{
	uint64_t i, n = (len + 4095) >> PAGE_SHIFT;

	clear(addr, len);
	for (i = 0; i < n; i++) {
		struct place *p = place((addr >> PAGE_SHIFT) + i);

		p->c = file_page(file, (off >> PAGE_SHIFT) + i);
		p->private_file = !shared;
	}
}

static void move(uint64_t from, uint64_t old_len, uint64_t to, uint64_t new_len)
{
	uint64_t i, n = old_len >> PAGE_SHIFT;

	if (from == to) {
		if (new_len < old_len)
			clear(to + new_len, old_len - new_len);
		return;
	}
	clear(to, new_len);
	for (i = 0; i < n; i++) {
		struct place *p = place((from >> PAGE_SHIFT) + i);
		struct place was = *p;

		p->c = NULL;
		p = place((to >> PAGE_SHIFT) + i);
		p->c = was.c;
		p->private_file = was.private_file;
	}
}

static void touch(uint64_t vpn, unsigned op)
{
	struct place *p = place(vpn);

	if (p->c && !p->c->anon && p->private_file && op == TRACE_STORE) {
		use(p->c, TRACE_LOAD);
		p->c = NULL;
	}
	if (!p->c)
		p->c = content(true, vpn);
	use(p->c, op);
}

static void access_memory(uint64_t addr, uint64_t size, unsigned op)
{
	static struct content *last;
	static unsigned ops;
	uint64_t vpn = addr >> PAGE_SHIFT;
	uint64_t end = (addr + size - 1) >> PAGE_SHIFT;

	if (!size)
		return;
	accesses++;
	/* Most repeat the one before.  A page of a file that was stored to is
	 * another one from then on. */
	if (vpn == end && last && lru.foll == last && place(vpn)->c == last &&
	    ops >> op & 1u)
		return;
	for (; vpn <= end; vpn++)
		touch(vpn, op);
	ops = last == lru.foll ? ops | 1u << op : 1u << op;
	last = lru.foll;
}

/* ------------------------------------------------------------ system calls */

struct call {
	unsigned number;
	uint64_t arg[6];
	char path[256];
};

static void file_io(uint64_t fd, uint64_t buf, uint64_t n, uint64_t off,
		    bool write)
{
	uint64_t i;

	if (!n)
		return;
	for (i = buf >> PAGE_SHIFT; i <= (buf + n - 1) >> PAGE_SHIFT; i++)
		touch(i, write ? TRACE_LOAD : TRACE_STORE);
	if (fd >= MAX_FD || fds[fd].file < 0)
		return;
	for (i = off >> PAGE_SHIFT; i <= (off + n - 1) >> PAGE_SHIFT; i++)
		use(file_page(fds[fd].file, i),
		    write ? TRACE_WRITE : TRACE_READ);
}

static void call_mmap(const struct call *c, uint64_t result)
{
	uint64_t fd = c->arg[4];

	if (!(c->arg[3] & MAP_ANONYMOUS) && fd < MAX_FD && fds[fd].file >= 0)
		map_file(result, c->arg[1], fds[fd].file, c->arg[5],
			 c->arg[3] & MAP_SHARED);
	else
		clear(result, c->arg[1]);
}

static void io_at_position(const struct call *c, uint64_t n, bool write)
{
	uint64_t fd = c->arg[0], off = fd < MAX_FD ? fds[fd].offset : 0;

	file_io(fd, c->arg[1], n, off, write);
	if (fd < MAX_FD)
		fds[fd].offset += n;
}

/* A call of x86-64 that has succeeded. */
static void called(const struct call *c, uint64_t result)
{
	uint64_t fd = c->arg[0];

	switch (c->number) {
	case 0: /* read */
	case 1: /* write */
		io_at_position(c, result, c->number);
		break;
	case 3: /* close */
		if (fd < MAX_FD)
			fds[fd].file = -1;
		break;
	case 8: /* lseek */
		if (fd < MAX_FD)
			fds[fd].offset = result;
		break;
	case 9:
		call_mmap(c, result);
		break;
	case 11: /* munmap */
		clear(c->arg[0], c->arg[1]);
		break;
	case 17: /* pread64 */
	case 18: /* pwrite64 */
		file_io(fd, c->arg[1], result, c->arg[3], c->number == 18);
		break;
	case 25: /* mremap */
		move(c->arg[0], c->arg[1], result, c->arg[2]);
		break;
	case 28: /* madvise */
		if (c->arg[2] == MADV_DONTNEED)
			clear(c->arg[0], c->arg[1]);
		break;
	case 257: /* openat */
		if (result < MAX_FD) {
			fds[result].file = file_number(c->path);
			fds[result].offset = 0;
		}
		break;
	default:
		break;
	}
}

/* The arguments: numbers, where a string may follow in parentheses. */
static void parse_arguments(struct call *c, const char *s)
{
	unsigned i = 0;
	char *end;

	while (i < 6 && *s && *s != ')') {
		c->arg[i] = strtoull(s, &end, 0);
		if (end == s) {
			s++;
			continue;
		}
		i++;
		s = end;
		if (*s == '(') {
			size_t n = strcspn(++s, ")");

			snprintf(c->path, sizeof(c->path), "%.*s", (int)n, s);
			s += n + 1;
		}
	}
}

/* "SYSCALL[PID,TID](NR) name ( arguments ) --> [...] Success(0x...)", of which
 * the part after the arrow may come in a second line. */
static void parse_call(const char *line)
{
	static struct call c;
	const char *s = strchr(line, '(');
	const char *ok = strstr(line, "Success(");
	unsigned number;

	if (!s)
		return;
	number = (unsigned)strtoul(s + 1, NULL, 10);
	s = strchr(s, ')');
	if (!s)
		return;
	if (strncmp(s, ") ...", 5)) {
		memset(&c, 0, sizeof(c));
		s = strchr(s, '(');
		if (s)
			parse_arguments(&c, s + 1);
	}
	c.number = number;
	if (ok)
		called(&c, strtoull(ok + 8, NULL, 16));
}

/* What valgrind has mapped before the program runs: itself and the program's
 * file and interpreter; the latter two are below 0x5000000. */
static void initial_maps(const char *pid)
{
	char path[64], line[512], name[256];
	uint64_t start, end, off;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/maps",
		 (unsigned)strtoul(pid, NULL, 10));
	f = fopen(path, "r");
	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %255s", &start, &end,
			   &off, name) != 4)
			continue;
		if (name[0] == '/' && start < 0x5000000)
			map_file(start, end - start, file_number(name), off,
				 false);
	}
	fclose(f);
}

static uint64_t hex(const char **p)
{
	uint64_t v = 0;
	const char *s;

	for (s = *p;; s++) {
		unsigned d = (unsigned)*s;

		if (d - '0' < 10)
			v = v << 4 | (d - '0');
		else if (d - 'a' < 6)
			v = v << 4 | (d - 'a' + 10);
		else
			break;
	}
	*p = s;
	return v;
}

static void parse_line(const char *line)
{
	static const unsigned char op[256] = {
		['I'] = TRACE_FETCH, ['S'] = TRACE_STORE, ['M'] = TRACE_STORE};
	static bool started;
	const char *s = line + 3;
	uint64_t addr;
	unsigned kind;

	if (line[0] == 'S') {
		parse_call(line);
		return;
	}
	if (line[0] == '=') {
		if (!started)
			initial_maps(line + 2);
		started = true;
		return;
	}
	if ((line[0] != ' ' && line[0] != 'I') || strlen(line) < 6)
		return; /* the program's own output */
	kind = op[(unsigned char)(line[0] == 'I' ? 'I' : line[1])];
	addr = hex(&s);
	if (*s++ != ',')
		return;
	access_memory(addr, strtoull(s, NULL, 10), kind);
}

/* ------------------------------------------------------------------ output */

static int by_key(const void *a, const void *b)
{
	const struct content *x = *(struct content *const *)a;
	const struct content *y = *(struct content *const *)b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/* Private memory's pages that were used, in order of address. */
static uint32_t number_pages(void)
{
	struct content **all = NULL, *c;
	uint32_t first[TRACE_FILES], n = 0, next;
	size_t i, count = 0;

	for (i = 0; i < nr_kept; i++) {
		c = kept[i].c;
		if (!c->anon || c->number)
			continue;
		if (!(count & (count + 1)))
			all = more(all, 2 * count + 2, sizeof(*all));
		all[count++] = c;
		c->number = 1;
	}
	qsort(all, count, sizeof(*all), by_key);
	for (i = 0; i < count; i++)
		all[i]->number = n++;
	next = n;
	for (i = 0; i < nr_files; i++) {
		first[i] = next;
		next += files[i].pages;
	}
	for (i = 0; i < nr_kept; i++) {
		c = kept[i].c;
		if (!c->anon)
			c->number = first[c->key >> 32] + (uint32_t)c->key;
	}
	free(all);
	return n;
}

/* A run of drops, one page after the other, is one record. */
static void join_drops(void)
{
	size_t i, n = 0;

	for (i = 0; i < nr_kept; i++) {
		struct kept *k = &kept[i], *l = n ? &kept[n - 1] : NULL;

		if (l && k->op == TRACE_DROP && l->op == TRACE_DROP &&
		    k->c->number == l->c->number + l->count)
			l->count++;
		else
			kept[n++] = *k;
	}
	nr_kept = n;
}

static void put_number(uint64_t v)
{
	for (; v >= 128; v >>= 7)
		putchar((int)(v & 127) | 128);
	putchar((int)v);
}

static void output(const char *program)
{
	uint32_t anon = number_pages(), i;
	int64_t page = 0;
	size_t r;

	join_drops();
	printf("quire page trace 1\nprogram %s\nwindow %u\naccesses %llu\n"
	       "records %zu\nanon %u\n",
	       program, window, (unsigned long long)accesses, nr_kept, anon);
	for (i = 0; i < nr_files; i++)
		if (files[i].pages)
			printf("file %u %s\n", files[i].pages, files[i].name);
	putchar('\n');
	for (r = 0; r < nr_kept; r++) {
		int64_t d = (int64_t)kept[r].c->number - page;

		put_number(
			(d < 0 ? (uint64_t)(-2 * d - 1) : (uint64_t)(2 * d)) *
				8 +
			kept[r].op);
		if (kept[r].op == TRACE_DROP)
			put_number(kept[r].count);
		page = (int64_t)kept[r].c->number;
	}
	if (fflush(stdout) || ferror(stdout))
		err(1, "writing the trace");
}

int main(int argc, char **argv)
{
	static char line[65536];
	int i;

	if (argc != 3 || !(window = (unsigned)strtoul(argv[1], NULL, 10)))
		errx(2, "usage: record WINDOW PROGRAM-NAME");
	for (i = 0; i < MAX_FD; i++)
		fds[i].file = -1;
	while (fgets(line, sizeof(line), stdin))
		parse_line(line);
	flush();
	output(argv[2]);
	return 0;
}
