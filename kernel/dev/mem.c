/* SPDX-License-Identifier: MIT */
/*
 * Physical memory as files.
 *
 *   /dev/mem     maps frames by their address: a device's registers, not the
 *                machine's RAM (EPERM, as Linux with STRICT_DEVMEM).  Linux
 *                gives read() and write() RAM below the kernel at most; here
 *                there is none of it, so they fail too.
 *   /dev/pmem0   RAM that is kept from Quire at boot (quire.pmem=SIZE on the
 *                command line), as a disk of memory: mapped, read and written
 *                as it is (DAX).  Its contents last as long as the machine.
 */
#include "cpu.h"
#include "dev.h"
#include "irq.h"

/* RAM lies together, but for holes that devices have; what is smaller was cut
 * out of it for the kernel itself. */
#define SMALLEST_HOLE (256ull << 20)

static struct {
	paddr_t start, end;
} ram[8];
static unsigned nr_ram;

static struct {
	paddr_t start;
	uint64_t bytes;
	struct address_space *as;
	struct mutex lock; /* write() */
} pmem;

/* --------------------------------------------------------------- at boot */

static void add_ram(paddr_t start, paddr_t end)
{
	if (nr_ram && (start - ram[nr_ram - 1].end < SMALLEST_HOLE ||
		       nr_ram == ARRAY_SIZE(ram)))
		ram[nr_ram - 1].end = end;
	else if (nr_ram < ARRAY_SIZE(ram)) {
		ram[nr_ram].start = nr_ram ? start : machine_ram_start();
		ram[nr_ram++].end = end;
	}
}

void mem_reserve(struct quire_region *r, unsigned n)
{
	char text[24], *end;
	uint64_t bytes;
	unsigned i, most = 0;

	for (i = 0; i < n; i++) {
		add_ram(r[i].start, r[i].start + r[i].bytes);
		if (r[i].bytes > r[most].bytes)
			most = i;
	}
	if (cmdline_get("quire.pmem", 0, text, sizeof(text)) < 0)
		return;
	bytes = strtoull(text, &end, 0);
	if (*end == 'K' || *end == 'k')
		bytes <<= 10;
	else if (*end == 'M' || *end == 'm')
		bytes <<= 20;
	bytes = K_ALIGN_UP(bytes, (uint64_t)QUIRE_PAGE_SIZE);
	if (!n || !bytes || bytes > r[most].bytes / 2) {
		printk("quire.pmem=%s: not so much, or not a size", text);
		return;
	}
	r[most].bytes -= bytes;
	pmem.start = r[most].start + r[most].bytes;
	pmem.bytes = bytes;
}

/* --------------------------------------------------------------- /dev/mem */

static bool is_ram(paddr_t start, uint64_t bytes)
{
	unsigned i;

	for (i = 0; i < nr_ram; i++)
		if (start < ram[i].end && ram[i].start < start + bytes)
			return true;
	return false;
}

static int mem_mmap(struct quire_file *qf, struct quire_device_map *map)
{
	(void)qf;
	if (map->off + map->len < map->off)
		return -EINVAL;
	if (is_ram(map->off, map->len))
		return -EPERM;
	map->kind = QUIRE_DEVICE_FRAMES;
	map->cache = QUIRE_CACHE_DEVICE;
	map->phys = map->off;
	return 0;
}

/* Registers are not read just so: a private mapping's writer gets SIGBUS. */
static const struct quire_device_ops mem_ops = {.mmap = mem_mmap};

static int mem_open(struct inode *inode, struct file *f)
{
	(void)inode;
	f->qf.device = &mem_ops;
	return 0;
}

static long mem_rw(struct file *f, struct iter *it, uint64_t *pos)
{
	(void)f;
	if (!it->count)
		return 0;
	return is_ram(*pos, it->count) ? -EPERM : -EFAULT;
}

const struct file_operations mem_fops = {
	.open = mem_open,
	.read = mem_rw,
	.write = mem_rw,
	.llseek = memory_llseek,
};

/* ------------------------------------------------------------- /dev/pmem0 */

static int pmem_access(struct address_space *as, uint64_t index, bool write,
		       struct quire_frame *frame)
{
	(void)as;
	(void)write;
	if (index >= pmem.bytes / QUIRE_PAGE_SIZE)
		return -ENOSPC;
	frame->phys = pmem.start + index * QUIRE_PAGE_SIZE;
	return 0;
}

static void *pmem_address(struct address_space *as, paddr_t phys)
{
	(void)as;
	return phys_to_virt(phys);
}

static const struct quire_aops pmem_aops = {
	.direct_access = pmem_access,
	.direct_address = pmem_address,
};

static int pmem_open(struct inode *inode, struct file *f)
{
	(void)inode;
	if (!pmem.as)
		return -ENXIO;
	f->qf.mapping = pmem.as;
	return 0;
}

static long pmem_read(struct file *f, struct iter *to, uint64_t *pos)
{
	long n = quire_mapping_read(pmem.as, &f->qf, *pos, to->count,
				    iter_copy_out, to);

	if (n > 0)
		*pos += (uint64_t)n;
	return n;
}

static long pmem_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct iter_source source = {from, from->count};
	size_t want = from->count;
	long n;

	if (!want)
		return 0;
	if (*pos >= pmem.bytes)
		return -ENOSPC;
	if (want > pmem.bytes - *pos)
		want = (size_t)(pmem.bytes - *pos);
	mutex_lock(&pmem.lock);
	n = quire_mapping_write(pmem.as, &f->qf, *pos, want, iter_copy_in,
				&source);
	mutex_unlock(&pmem.lock);
	if (n > 0)
		*pos += (uint64_t)n;
	return n;
}

static int64_t pmem_llseek(struct file *f, int64_t off, int whence)
{
	int64_t size = (int64_t)pmem.bytes;
	int64_t from = whence == 1 ? (int64_t)f->pos : whence == 2 ? size : 0;

	if (whence < 0 || whence > 2 || off < -from || off > size - from)
		return -EINVAL;
	f->pos = (uint64_t)(from + off);
	return from + off;
}

/* What is stored is in memory, which is all the device there is. */
static int pmem_fsync(struct file *f, uint64_t start, uint64_t end,
		      bool datasync)
{
	(void)f;
	(void)start;
	(void)end;
	(void)datasync;
	return 0;
}

const struct file_operations pmem_fops = {
	.open = pmem_open,
	.read = pmem_read,
	.write = pmem_write,
	.llseek = pmem_llseek,
	.fsync = pmem_fsync,
};

void pmem_init(void)
{
	if (!pmem.bytes)
		return;
	mutex_init(&pmem.lock);
	pmem.as = quire_kmalloc(the_quire, quire_mapping_size(),
				QUIRE_GFP_KERNEL);
	if (!pmem.as) {
		printk("pmem0: out of memory");
		return;
	}
	memset(phys_to_virt(pmem.start), 0, (size_t)pmem.bytes);
	quire_mapping_init(the_quire, pmem.as, &pmem_aops, NULL, pmem.bytes);
	printk("pmem0: %llu KiB at %llx", (unsigned long long)pmem.bytes >> 10,
	       (unsigned long long)pmem.start);
}
