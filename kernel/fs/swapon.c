/* SPDX-License-Identifier: MIT */
/*
 * Swap areas: swapon(2), swapoff(2), /proc/swaps, and those that the command
 * line asks for.
 *
 *     swapon "/dev/vdb" ─ open ─ header ─┐
 *     quire.swap=vdb ─ (header) ─────────┼─ quire_swapon(ops, device) → area
 *     quire.swap=zram:64M ───────────────┘       swaps[area]
 *
 * Only what is a block device can be swapped to: the file systems of this
 * kernel are memory or another machine's, and files of theirs have no blocks
 * (Linux refuses them with the same EINVAL).
 *
 * Compressed memory is what the command line says, /dev/zram0 from then on.  It
 * keeps nothing but what is swapped to it, so it has no header and needs no
 * mkswap: swapon makes it anew, all of its size, and swapoff gives its memory
 * back.  It can be neither read nor written.
 *
 * The header is mkswap's, version 1: little-endian here, as mkswap writes what
 * its machine is.  A disk that the command line names and whose first page is
 * all zero gets one; what else has none is somebody's data and stays.
 *
 * swap_lock (mutex) guards swaps[], and is held while an area comes.  One that
 * goes is marked: that may take minutes, and /proc/swaps is not to wait for it.
 */
#include "blkdev.h"
#include "cpu.h"
#include "irq.h"
#include "kerrno.h"
#include "protocol.h"
#include "swapon.h"
#include "zram.h"

#define SWAP_FLAG_PREFER    0x8000u
#define SWAP_FLAG_PRIO_MASK 0x7fffu
#define SWAP_FLAG_DISCARD   0x10000u
#define SWAP_FLAG_ONCE	    0x20000u /* the whole area at swapon only... */
#define SWAP_FLAG_PAGES	    0x40000u /* freed slots only; both: the former */
#define SWAP_FLAGS_VALID    0x7ffffu

/* mkswap(8)'s header: offsets in the first page */
#define H_VERSION 1024u
#define H_LAST	  1028u
#define H_NR_BAD  1032u
#define H_BAD	  1536u
#define H_MAGIC	  (QUIRE_PAGE_SIZE - 10)
#define MAX_BAD	  ((H_MAGIC - H_BAD) / 4)
#define MAGIC	  "SWAPSPACE2"

#define ZRAM_PRIORITY 100 /* memory is quicker than any disk */

/* One that is being used. */
static struct swap_dev {
	bool used;
	bool leaving;	   /* somebody is at its swapoff */
	void *device;	   /* ops' */
	struct file *file; /* NULL: of the command line */
	struct zram *zram;
	char name[64]; /* where there is no file */
} swaps[QUIRE_MAX_SWAP_AREAS];
static uint64_t zram_slots; /* of /dev/zram0; 0: there is none */
static struct mutex swap_lock = MUTEX_INIT(swap_lock);

static struct swap_dev *find_device(const void *device, unsigned *area)
{
	unsigned i;

	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
		if (swaps[i].used && swaps[i].device == device) {
			*area = i;
			return &swaps[i];
		}
	return NULL;
}

/* The disk; NULL: it is none */
static void *device_of(const struct file *f)
{
	return inode_is(f->inode, S_IFBLK) ? f->priv : NULL;
}

static bool is_zram(const struct file *f)
{
	return inode_is(f->inode, S_IFBLK) && f->inode->rdev == ZRAM_RDEV;
}

/* ------------------------------------------------------------------ header */

static uint32_t word_at(const char *page, unsigned off)
{
	uint32_t v;

	memcpy(&v, page + off, sizeof(v));
	return v;
}

/* The list of bad pages, in order, each once; they are few. */
static int read_bad(const char *page, struct quire_swap_config *c,
		    uint64_t *bad)
{
	uint32_t n = word_at(page, H_NR_BAD), i, k;
	uint64_t at;

	if (n > MAX_BAD)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		at = word_at(page, H_BAD + 4 * i);
		if (!at || at >= c->slots)
			return -EINVAL;
		for (k = c->nr_bad; k && bad[k - 1] > at; k--)
			bad[k] = bad[k - 1];
		if (k && bad[k - 1] == at)
			memmove(&bad[k], &bad[k + 1],
				(c->nr_bad - k) * sizeof(*bad));
		else {
			bad[k] = at;
			c->nr_bad++;
		}
	}
	c->bad = bad;
	return 0;
}

/* What the header says: 0; -EINVAL: there is none, or it is not for us. */
static int read_header(const char *page, uint64_t pages,
		       struct quire_swap_config *c, uint64_t *bad)
{
	uint32_t last = word_at(page, H_LAST);

	if (memcmp(page + H_MAGIC, MAGIC, 10))
		return -EINVAL;
	if (word_at(page, H_VERSION) != 1) {
		printk("swapon: header of version %u",
		       word_at(page, H_VERSION));
		return -EINVAL;
	}
	if ((uint64_t)last + 1 > pages) {
		printk("swapon: the area is shorter than its header says");
		return -EINVAL;
	}
	c->first = 1;
	c->slots = (uint64_t)last + 1;
	if (read_bad(page, c, bad) || c->slots <= 1 + c->nr_bad)
		return -EINVAL;
	return 0;
}

static int first_page(struct disk *disk, enum blk_op op, struct page *page)
{
	struct blk_req *r = blk_start(disk, op);

	(void)blk_add(r, quire_page_phys(the_quire, page), QUIRE_PAGE_SIZE);
	return blk_wait(r);
}

/* mkswap, of what has nothing but zeroes there: -EINVAL, if it has not */
static int make_header(struct disk *disk, struct page *page, uint64_t pages)
{
	uint32_t last = (uint32_t)K_MIN(pages - 1, (uint64_t)UINT32_MAX), v = 1;
	char *mem = quire_page_address(the_quire, page);
	unsigned i;

	for (i = 0; i < QUIRE_PAGE_SIZE; i++)
		if (mem[i])
			return -EINVAL;
	memcpy(mem + H_VERSION, &v, sizeof(v));
	memcpy(mem + H_LAST, &last, sizeof(last));
	memcpy(mem + H_MAGIC, MAGIC, 10);
	return first_page(disk, BLK_WRITE, page);
}

/* The header on a disk, past the page cache; make: where there is none.  0,
 * -EINVAL, -EIO, -ENOMEM */
static int disk_header(struct disk *disk, struct quire_swap_config *c,
		       uint64_t *bad, bool make)
{
	struct page *page = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, 0);
	char *mem;
	int err;

	if (!page)
		return -ENOMEM;
	mem = quire_page_address(the_quire, page);
	err = first_page(disk, BLK_READ, page);
	if (!err && make && memcmp(mem + H_MAGIC, MAGIC, 10))
		err = make_header(disk, page, c->slots);
	if (!err)
		err = read_header(mem, c->slots, c, bad);
	quire_free_pages(the_quire, page, 0);
	return err;
}

/* --------------------------------------------------------------- on and off */

/* swap_lock held.  The area is there: remember what it is. */
static int add_area(const struct quire_swap_config *c, struct file *file,
		    const char *name)
{
	struct quire_swap_info info = {.priority = c->priority};
	int area = quire_swapon(the_quire, c);
	struct swap_dev *s;

	if (area < 0)
		return area;
	(void)quire_swap_info(the_quire, (unsigned)area, &info);
	s = &swaps[area];
	*s = (struct swap_dev){.used = true, .device = c->device};
	s->file = file ? fget_file(file) : NULL;
	strlcpy(s->name, name, sizeof(s->name));
	printk("Adding %lluk swap on %s.  Priority:%d",
	       (unsigned long long)(c->slots - c->first - c->nr_bad) *
		       (QUIRE_PAGE_SIZE / 1024),
	       name, info.priority);
	return area;
}

/* swap_lock held, given up meanwhile.  -EINVAL: it is leaving already. */
static int remove_area(unsigned area)
{
	struct swap_dev *s = &swaps[area], was = *s;
	int err;

	if (was.leaving)
		return -EINVAL;
	s->leaving = true;
	mutex_unlock(&swap_lock);
	err = quire_swapoff(the_quire, area);
	mutex_lock(&swap_lock);
	if (err) {
		s->leaving = false;
		return err;
	}
	/* (another may have got its number at once) */
	if (s->leaving && s->device == was.device)
		*s = (struct swap_dev){0};
	if (was.file)
		fput(was.file);
	if (was.zram)
		zram_destroy(was.zram);
	return 0;
}

static int priority_of(unsigned flags, int none)
{
	return flags & SWAP_FLAG_PREFER ? (int)(flags & SWAP_FLAG_PRIO_MASK)
					: none;
}

/* swap_lock held.  The area on f's device; false: there is none. */
static bool find_area(const struct file *f, unsigned *area)
{
	unsigned i;

	if (!is_zram(f))
		return device_of(f) && find_device(device_of(f), area);
	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
		if (swaps[i].zram) {
			*area = i;
			return true;
		}
	return false;
}

/* swapon of /dev/zram0, swap_lock held, which is not in use */
static int zram_swapon(int priority, struct file *file)
{
	struct quire_swap_config c = {
		.ops = &zram_swap_ops,
		.slots = zram_slots,
		.flags = QUIRE_SWAP_SYNC,
		.priority = priority,
	};
	struct zram *z = c.slots ? zram_create(c.slots) : NULL;
	int area;

	if (!z)
		return c.slots ? -ENOMEM : -EINVAL;
	c.device = z;
	area = add_area(&c, file, "/dev/zram0");
	if (area < 0)
		zram_destroy(z);
	else
		swaps[area].zram = z;
	return area < 0 ? area : 0;
}

/* swapon of a disk, swap_lock held; make: a header, where there are zeroes */
static int disk_swapon(struct disk *disk, unsigned flags, bool make,
		       struct file *file, const char *name)
{
	struct quire_swap_config c = {
		.ops = &blk_swap_ops,
		.device = disk,
		.slots = disk->sectors / (QUIRE_PAGE_SIZE / BLK_SECTOR),
		.priority = priority_of(flags, -1),
	};
	uint64_t *bad;
	unsigned area;
	int err;

	if (find_device(disk, &area))
		return -EBUSY;
	if (disk->readonly)
		return -EACCES;
	if (!c.slots)
		return -EINVAL;
	bad = kmalloc(MAX_BAD * sizeof(*bad));
	if (!bad)
		return -ENOMEM;
	err = disk_header(disk, &c, bad, make);
	if ((flags & SWAP_FLAG_DISCARD) && disk->discard_sectors) {
		if (!(flags & SWAP_FLAG_ONCE))
			c.flags |= QUIRE_SWAP_DISCARD |
				   (flags & SWAP_FLAG_PAGES
					    ? QUIRE_SWAP_DISCARD_FREED
					    : 0);
		else if (!err)
			(void)blk_range(
				disk, BLK_DISCARD,
				c.first * (QUIRE_PAGE_SIZE / BLK_SECTOR),
				c.slots * (QUIRE_PAGE_SIZE / BLK_SECTOR));
	}
	if (!err)
		err = add_area(&c, file, name);
	kfree(bad);
	return err < 0 ? err : 0;
}

static struct file *open_swap(uaddr_t upath)
{
	char *path = path_from_user(upath);
	struct file *f;

	if (IS_ERR(path))
		return ERR_PTR(PTR_ERR(path));
	f = vfs_open(AT_FDCWD, path, O_RDWR | O_LARGEFILE, 0);
	path_free(path);
	return f;
}

long sys_swapon(uaddr_t upath, unsigned flags);
long sys_swapon(uaddr_t upath, unsigned flags)
{
	char name[64] = "";
	struct file *f;
	unsigned area;
	long err;

	if (flags & ~SWAP_FLAGS_VALID)
		return -EINVAL;
	if (!is_root())
		return -EPERM;
	f = open_swap(upath);
	if (IS_ERR(f))
		return PTR_ERR(f);
	(void)vfs_path(f->dentry, name, sizeof(name));
	mutex_lock(&swap_lock);
	if (find_area(f, &area))
		err = -EBUSY;
	else if (is_zram(f))
		err = zram_swapon(priority_of(flags, -1), f);
	else
		err = device_of(f)
			      ? disk_swapon(device_of(f), flags, false, f, name)
			      : -EINVAL;
	mutex_unlock(&swap_lock);
	fput(f);
	return err;
}

long sys_swapoff(uaddr_t upath);
long sys_swapoff(uaddr_t upath)
{
	struct file *f;
	unsigned area;
	long err;

	if (!is_root())
		return -EPERM;
	f = open_swap(upath);
	if (IS_ERR(f))
		return PTR_ERR(f);
	mutex_lock(&swap_lock);
	err = find_area(f, &area) ? remove_area(area) : -EINVAL;
	mutex_unlock(&swap_lock);
	fput(f);
	return err;
}

int swapoff_all(void)
{
	int err = 0, one;
	unsigned i;

	mutex_lock(&swap_lock);
	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++) {
		/* (-EINVAL: somebody else is at it) */
		one = swaps[i].used ? remove_area(i) : 0;
		if (one)
			err = one;
	}
	mutex_unlock(&swap_lock);
	return err;
}

/* ------------------------------------------------------------- /proc/swaps */

static void show_swap(struct text *out, unsigned i)
{
	struct quire_swap_info info;
	char buf[128];
	const char *name = swaps[i].name;
	uint64_t size, used;
	long len;

	if (!swaps[i].used || quire_swap_info(the_quire, i, &info))
		return;
	if (swaps[i].file) {
		len = vfs_path(swaps[i].file->dentry, buf, sizeof(buf));
		if (len > 0)
			name = buf;
	}
	size = info.slots * (QUIRE_PAGE_SIZE / 1024);
	used = info.used * (QUIRE_PAGE_SIZE / 1024);
	len = (long)strlen(name);
	text_printf(out, "%s%*spartition\t%llu\t%s%llu\t%s%d\n", name,
		    (int)(len < 40 ? 40 - len : 1), " ",
		    (unsigned long long)size, size < 10000000 ? "\t" : "",
		    (unsigned long long)used, used < 10000000 ? "\t" : "",
		    info.priority);
}

int show_swaps(struct text *out, struct process *p, struct task *t)
{
	unsigned i;

	(void)p;
	(void)t;
	text_printf(out, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	mutex_lock(&swap_lock);
	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
		show_swap(out, i);
	mutex_unlock(&swap_lock);
	return 0;
}

/* ------------------------------------------------------------ command line */

static uint64_t size_of(const char *text, char **end)
{
	uint64_t v = strtoull(text, end, 10);
	unsigned shift = 0;

	switch (**end | 32) {
	case 'g':
		shift += 10; /* fall through */
	case 'm':
		shift += 10; /* fall through */
	case 'k':
		shift += 10;
		(*end)++;
		break;
	}
	return v > UINT64_MAX >> shift ? 0 : v << shift;
}

/* What follows the device: ",PRIO" and ",discard".  False: something else. */
static bool boot_flags(const char *text, unsigned *flags)
{
	char *end;

	*flags = 0;
	while (*text == ',') {
		text++;
		if (!strncmp(text, "discard", 7)) {
			*flags |= SWAP_FLAG_DISCARD;
			text += 7;
			continue;
		}
		*flags |=
			SWAP_FLAG_PREFER | ((unsigned)strtoull(text, &end, 10) &
					    SWAP_FLAG_PRIO_MASK);
		if (end == text)
			return false;
		text = end;
	}
	return !*text;
}

/* What follows "zram:" */
static int boot_zram(const char *word)
{
	char *end;
	uint64_t slots = size_of(word, &end) / QUIRE_PAGE_SIZE;
	unsigned flags;
	int err;

	if (!slots || !boot_flags(end, &flags))
		return -EINVAL;
	if (zram_slots)
		return -EBUSY;
	err = vfs_mknod(AT_FDCWD, "/dev/zram0", S_IFBLK | 0660, ZRAM_RDEV);
	if (err)
		return err;
	zram_slots = slots;
	return zram_swapon(priority_of(flags, ZRAM_PRIORITY), NULL);
}

static int boot_disk(const char *name, size_t len, unsigned flags)
{
	char path[32];
	struct disk *disk;
	unsigned i;

	for (i = 0; (disk = blk_disk(i)) != NULL; i++)
		if (strlen(disk->name) == len && !memcmp(disk->name, name, len))
			break;
	snprintf(path, sizeof(path), "/dev/%.*s", (int)len, name);
	return disk ? disk_swapon(disk, flags, true, NULL, path) : -ENODEV;
}

static int boot_swap(const char *word)
{
	const char *rest = strchr(word, ',');
	size_t len = rest ? (size_t)(rest - word) : strlen(word);
	unsigned flags;

	if (!strncmp(word, "zram:", 5))
		return boot_zram(word + 5);
	return boot_flags(word + len, &flags) ? boot_disk(word, len, flags)
					      : -EINVAL;
}

void swap_boot(void)
{
	char word[96];
	unsigned n;
	int err;

	mutex_lock(&swap_lock);
	for (n = 0; cmdline_get("quire.swap", n, word, sizeof(word)) >= 0;
	     n++) {
		err = boot_swap(word);
		if (!err)
			continue;
		report_line("{\"refused\":\"quire.swap=%s: %s (%d)\"}", word,
			    err == -ENOMEM   ? "too little memory"
			    : err == -ENODEV ? "there is no such disk"
			    : err == -EBUSY  ? "it is one already"
			    : err == -EACCES ? "it is read-only"
			    : err == -EINVAL ? "it is no swap space"
					     : "error",
			    -err);
		machine_exit(0);
	}
	mutex_unlock(&swap_lock);
}
