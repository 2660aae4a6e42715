/* SPDX-License-Identifier: MIT */
/*
 * Swap for the machine of `quire run`.
 *
 *	file         a disk more, of a temporary file without a name
 *	file:PATH    the same, of that file or block device
 *	nbd:URI      the same, of what an NBD server has: QEMU is its client
 *	zram         the kernel's own, in compressed memory
 *
 * A file gets a header as mkswap(8) writes it.  What a server has may not be
 * written to by us, only by QEMU: there the kernel makes one, where all of the
 * first page is zero.  Neither overwrites anything else.
 */
#define _GNU_SOURCE
#include "cmd/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE	 4096u
#define MIN_SWAP (UINT64_C(1) << 20)
/* The largest that an entry of any of the machines' tables can name: 2^21
 * slots on ARM. */
#define MAX_SWAP (UINT64_C(1) << 40)

/* The header of swap space (mkswap(8), version 1): little-endian. */
#define HEADER_VERSION	 1024 /* offsets in the first page */
#define HEADER_LAST_PAGE 1028
#define HEADER_SIGNATURE (PAGE - 10)
#define SIGNATURE	 "SWAPSPACE2"

enum parse_result set_swap(struct run_options *o, const char *v)
{
	if (!parse_size(v, &o->swap.bytes) || o->swap.bytes < MIN_SWAP ||
	    o->swap.bytes > MAX_SWAP) {
		complain("--swap %s: a size such as 512M or 2G is expected, 1M "
			 "at least",
			 v);
		return PARSE_BAD;
	}
	o->swap.bytes &= ~(uint64_t)(PAGE - 1);
	if (o->swap.kind == SWAP_NONE)
		o->swap.kind = SWAP_FILE;
	return PARSE_OK;
}

enum parse_result set_swap_device(struct run_options *o, const char *v)
{
	struct run_swap *s = &o->swap;

	s->where = NULL;
	if (strcmp(v, "zram") == 0) {
		s->kind = SWAP_ZRAM;
		return PARSE_OK;
	}
	if (strcmp(v, "file") == 0 || (!strncmp(v, "file:", 5) && v[5])) {
		s->kind = SWAP_FILE;
		s->where = v[4] ? v + 5 : NULL;
		return PARSE_OK;
	}
	/* nbd:nbd://HOST, and for short nbd://HOST */
	if (strncmp(v, "nbd:", 4) == 0) {
		s->kind = SWAP_NBD;
		s->where = strncmp(v + 4, "//", 2) == 0 ? v : v + 4;
		if (strncmp(s->where, "nbd", 3) == 0 && strstr(s->where, "://"))
			return PARSE_OK;
	}
	complain("--swap-device %s: file, file:PATH, zram or nbd:URI is "
		 "expected",
		 v);
	return PARSE_BAD;
}

enum parse_result check_swap_options(struct run_options *o)
{
	const struct run_swap *s = &o->swap;

	if (s->kind == SWAP_NONE || s->bytes || s->where)
		return PARSE_OK;
	complain("--swap-device %s: how much? (--swap SIZE)",
		 swap_kind_name(o));
	return PARSE_BAD;
}

bool swap_has_drive(const struct run_options *o)
{
	return o->swap.kind == SWAP_FILE || o->swap.kind == SWAP_NBD;
}

/* ------------------------------------------------------------------- files */

static void put32(unsigned char *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(v >> 8 * i);
}

static int write_header(int fd, uint64_t bytes)
{
	unsigned char page[PAGE] = {0};
	ssize_t n;

	put32(page + HEADER_VERSION, 1);
	put32(page + HEADER_LAST_PAGE, (uint32_t)(bytes / PAGE - 1));
	memcpy(page + HEADER_SIGNATURE, SIGNATURE, sizeof(SIGNATURE) - 1);
	n = pwrite(fd, page, PAGE, 0);
	if (n == (ssize_t)PAGE)
		return 0;
	return complain("the swap file: %s", strerror(n < 0 ? errno : ENOSPC));
}

/* May the file's first page be written? */
static bool is_free(int fd)
{
	unsigned char page[PAGE] = {0};
	ssize_t n = pread(fd, page, PAGE, 0);

	if (n < 0)
		return false;
	if (memcmp(page + HEADER_SIGNATURE, SIGNATURE, sizeof(SIGNATURE) - 1) ==
	    0)
		return true;
	return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

static int open_temporary(void)
{
	const char *dir = getenv("TMPDIR");
	char *path;
	int fd;

	if (!dir || !*dir)
		dir = "/var/tmp"; /* not /tmp, which may be memory */
	path = xasprintf("%s/quire-swap-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		complain("a swap file in %s: %s", dir, strerror(errno));
	else
		unlink(path);
	free(path);
	return fd;
}

static int open_path(const struct run_swap *s)
{
	int fd = open(s->where, O_RDWR | O_CLOEXEC | (s->bytes ? O_CREAT : 0),
		      0600);

	if (fd < 0)
		complain("--swap-device file:%s: %s", s->where,
			 strerror(errno));
	return fd;
}

/* Size and header; the descriptor stays with the caller. */
static int prepare_file(struct run_swap *s, const char *name, int fd)
{
	uint64_t have;
	struct stat st;
	off_t end;

	if (fstat(fd, &st) != 0 || (end = lseek(fd, 0, SEEK_END)) < 0)
		return complain("--swap-device file:%s: %s", name,
				strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return complain("--swap-device file:%s: not a file of bytes",
				name);
	if (!is_free(fd))
		return complain("--swap-device file:%s: it has contents that "
				"are not swap space",
				name);
	have = (uint64_t)end & ~(uint64_t)(PAGE - 1);
	if (!s->bytes)
		s->bytes = have;
	if (S_ISREG(st.st_mode) && have < s->bytes) {
		if (ftruncate(fd, (off_t)s->bytes) != 0)
			return complain("--swap-device file:%s: %s", name,
					strerror(errno));
		have = s->bytes;
	}
	if (have < s->bytes || s->bytes < MIN_SWAP)
		return complain("--swap-device file:%s: it is too small", name);
	return write_header(fd, s->bytes);
}

int swap_open(struct run_options *o)
{
	struct run_swap *s = &o->swap;
	int fd, status;

	s->fd = -1;
	if (s->kind != SWAP_FILE)
		return 0;
	fd = s->where ? open_path(s) : open_temporary();
	if (fd < 0)
		return EXIT_QUIRE;
	status = prepare_file(s, s->where ? s->where : "", fd);
	if (status == 0)
		s->fd = fd;
	else
		close(fd);
	return status;
}

void swap_close(struct run_options *o)
{
	if (o->swap.fd >= 0)
		close(o->swap.fd);
	o->swap.fd = -1;
}

/* ------------------------------------------------------------- the machine */

char *swap_drive(const struct run_options *o)
{
	const struct run_swap *s = &o->swap;
	char *where, *size, *drive;

	if (s->kind == SWAP_FILE)
		return xasprintf("file=/proc/self/fd/%d", s->fd);
	where = double_commas(s->where);
	size = s->bytes ? xasprintf(",size=%llu", (unsigned long long)s->bytes)
			: xasprintf("%s", "");
	/* A lost connection is tried again for that many seconds before what
	 * is on its way fails. */
	drive = xasprintf("file.reconnect-delay=30%s,file=%s", size, where);
	free(size);
	free(where);
	return drive;
}

char *swap_words(const struct run_options *o)
{
	char letter = (char)('a' + o->nr_disks);

	switch (o->swap.kind) {
	case SWAP_ZRAM:
		return xasprintf(" quire.swap=zram:%llu",
				 (unsigned long long)o->swap.bytes);
	case SWAP_FILE:
	case SWAP_NBD:
		return xasprintf(" quire.swap=vd%c", letter);
	default:
		return xasprintf("%s", "");
	}
}
