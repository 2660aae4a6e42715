/* SPDX-License-Identifier: MIT */
/*
 * mmap.c - making mappings (M2).
 *
 *   quire_mmap -> do_mmap: arguments to VM_* flags, each refusal in Linux's
 *                   |      order (tests/diff/NOTES.md has the whole of it)
 *                   +-> get_unmapped_area: a place
 *                   +-> mmap_region: limits, then what may fail (splits of
 *                         what MAP_FIXED covers, the new VMA), then unmap and
 *                         link; the neighbours are stretched if they can be
 *              -> mm_populate, after the lock is dropped
 *
 * Where a mapping goes, x86-64: top-down below mmap_base, bottom-up above the
 * legacy base or, for MAP_32BIT, in the second gigabyte (mmap(2)).
 *
 * Locks: mmap_lock for write, taken by quire_mmap.
 */
#include "vma.h"
#include "device.h"
#include "fault.h"
#include "filemap.h"

/*
 * Flags that MAP_SHARED_VALIDATE knows; the others are refused by it, and
 * MAP_FIXED_NOREPLACE is one of those on Linux.  Of a huge page's size the
 * bits that 2 MiB and 1 GiB have; 0x80 is MAP_ABOVE4G.
 */
#define MMAP_KNOWN_FLAGS                                                       \
	((unsigned)(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS |     \
		    MAP_DENYWRITE | MAP_EXECUTABLE | MAP_GROWSDOWN |           \
		    MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | \
		    MAP_STACK | MAP_HUGETLB | MAP_32BIT | 0x80 |               \
		    (0x1fu << MAP_HUGE_SHIFT)))

/* Largest file offset that a file system has: 2^63 - 1 bytes. */
#define MAX_FILE_BYTES (1ull << 63)

/* MAP_32BIT: [1 GiB, 2 GiB), so that old code may use 31-bit pointers. */
#define MAP_32BIT_START ((uaddr_t)0x40000000u)
#define MAP_32BIT_END	((uaddr_t)0x80000000u)

struct mmap_request {
	struct mm_struct *mm;
	uaddr_t addr, len;
	unsigned prot, flags;
	struct quire_file *file;
	uint64_t pgoff;
	vm_flags_t vm_flags;
	struct quire_device_map device; /* when file->device */
};

/* ----------------------------------------------------- where it goes */

static uaddr_t min_addr(const struct mm_struct *mm)
{
	uaddr_t min = mm->q->config.mmap_min_addr;

	/* the configuration says 0 for Linux's default, 1 for none */
	return min ? ALIGN_DOWN(min, (uaddr_t)PAGE_SIZE) : (uaddr_t)65536;
}

/* May the hint be taken as it is, with an end not above `limit`? */
static bool hint_is_free(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
			 uaddr_t limit)
{
	struct vm_area_struct *vma;

	if (limit < len || addr > limit - len)
		return false;
	vma = find_vma(mm, addr);
	return !vma || addr + len <= vm_start_gap(vma);
}

static uaddr_t find_room(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
			 unsigned flags)
{
	uaddr_t lowest = MAX((uaddr_t)PAGE_SIZE, min_addr(mm));
	uaddr_t base = mm->layout.mmap_base;
	uaddr_t found;

	/* where every address is one of 32 bits, the flag means nothing */
	if (sizeof(uaddr_t) > 4 && (flags & MAP_32BIT)) {
		if (addr && hint_is_free(mm, addr, len, MAP_32BIT_END))
			return addr;
		return vma_tree_gap_bottomup(mm, len, MAP_32BIT_START,
					     MAP_32BIT_END);
	}
	if (addr && hint_is_free(mm, addr, len, mm->task_size))
		return addr;
	if (!base)
		base = mm->task_size;
	if (mm->layout.topdown) {
		found = vma_tree_gap_topdown(mm, len, lowest, base);
		if (found)
			return found;
		base = mm->task_size / 3 & PAGE_MASK; /* the legacy base */
	}
	return vma_tree_gap_bottomup(mm, len, MAX(base, lowest), mm->task_size);
}

/*
 * The same where bits `colour` of the address are to be those of `like`: the
 * hint only if it has them, else room for all the places there may be.
 */
static uaddr_t find_coloured_room(struct mm_struct *mm, uaddr_t addr,
				  uaddr_t len, unsigned flags, uaddr_t like,
				  uaddr_t colour)
{
	if (addr && !((addr ^ like) & colour) &&
	    hint_is_free(mm, addr, len, mm->task_size))
		return addr;
	if (len + colour < len)
		return 0;
	addr = find_room(mm, 0, len + colour, flags);
	return addr ? addr + ((like - addr) & colour) : 0;
}

sreg_t get_unmapped_area(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
			 unsigned flags, uaddr_t like)
{
	/* shared memory must not be in a cache at two places (P8) */
	uaddr_t colour = flags & MAP_SHARED ? arch_shared_colour(mm->q) : 0;

	if (len > mm->task_size)
		return -ENOMEM;
	if (flags & MAP_FIXED) {
		if ((addr ^ like) & colour)
			return -EINVAL;
	} else {
		if (colour)
			addr = find_coloured_room(mm, addr, len, flags, like,
						  colour);
		else
			addr = find_room(mm, addr, len, flags);
		if (!addr)
			return -ENOMEM;
	}
	if (addr > mm->task_size - len)
		return -ENOMEM;
	if (!IS_ALIGNED(addr, (uaddr_t)PAGE_SIZE))
		return -EINVAL;
	if (addr < min_addr(mm))
		return -EPERM;
	return (sreg_t)addr;
}

/* --------------------------------------------------------- a new VMA */

/* Promised memory is charged for what may be written privately. */
static bool accountable_mapping(vm_flags_t flags)
{
	return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE;
}

/* Memory of its own to share; the promise of it lasts as long as it does. */
static int mmap_shared_anon(const struct mmap_request *m, struct vma_range *r)
{
	struct quire *q = m->mm->q;
	long pages =
		m->vm_flags & VM_NORESERVE ? 0 : (long)(m->len >> PAGE_SHIFT);

	if (pages && security_vm_enough_memory(m->mm, pages))
		return -ENOMEM;
	r->mapping = shmem_create_anon(q, m->len);
	if (!r->mapping) {
		vm_unacct_memory(q, pages);
		return -ENOMEM;
	}
	r->mapping->accounted = (unsigned long)pages;
	return 0;
}

/* The device says how it is mapped: r's flags. 0 or -errno. */
static int mmap_device(struct mmap_request *m, struct vma_range *r)
{
	struct quire_device_map *d = &m->device;
	int err;

	*d = (struct quire_device_map){.addr = m->addr,
				       .len = m->len,
				       .off = m->pgoff << PAGE_SHIFT,
				       .prot = m->prot,
				       .flags = m->flags};
	err = m->file->device->mmap(m->file, d);
	if (err)
		return err;
	return device_vm_flags(m->mm->q, d, &r->flags);
}

/* What the request maps: r's file and mapping. 0 or -errno. */
static int mmap_object(struct mmap_request *m, struct vma_range *r)
{
	struct quire_file *file = m->file;
	bool shared = (m->vm_flags & VM_MAYSHARE) != 0;

	r->file = file;
	r->mapping = NULL;
	if (file && file->ops->mmap) {
		int err = file->ops->mmap(file, m->mm, m->addr, m->len, m->prot,
					  m->flags);
		if (err)
			return err;
	}
	if (file && !file->is_zero_dev) {
		r->mapping = file->mapping;
		return file->device ? mmap_device(m, r) : 0;
	}
	if (!shared)
		return 0; /* anonymous; /dev/zero keeps its name */
	r->file = NULL;
	return mmap_shared_anon(m, r);
}

static struct vm_area_struct *vma_for_range(struct mm_struct *mm,
					    const struct vma_range *r)
{
	struct vm_area_struct *vma = vm_area_alloc(mm);

	if (!vma)
		return NULL;
	vma->vm_start = r->start;
	vma->vm_end = r->end;
	vma->vm_pgoff = r->pgoff;
	vma->vm_file = r->file;
	vma->vm_mapping = r->mapping;
	if (r->file && r->file->device)
		vma->vm_ops = device_vm_ops(r->file);
	else if (r->mapping && mapping_is_dax(r->mapping))
		vma->vm_ops = &dax_vm_ops;
	else if (r->mapping)
		vma->vm_ops =
			r->mapping->shmem ? &shmem_vm_ops : &filemap_vm_ops;
	if (r->file)
		r->file->ops->get(r->file);
	vma_change_flags(vma, r->flags);
	return vma;
}

/* Room for r is made and paid for: give it a VMA, its own or a neighbour. */
static int mmap_link(struct mm_struct *mm, struct unmap_plan *u,
		     const struct vma_range *r)
{
	struct vm_area_struct *vma;

	if (vma_can_merge(r, u->prev, u->next)) {
		unmap_commit(u);
		vma = vma_merge_new(r, u->prev, u->next);
		if (!(vma->vm_flags & VM_SOFTDIRTY))
			vma_change_flags(vma, vma->vm_flags | VM_SOFTDIRTY);
		return 0;
	}
	if (vma_tree_reserve(mm, 1))
		return -ENOMEM;
	vma = vma_for_range(mm, r);
	if (!vma)
		return -ENOMEM;
	unmap_commit(u);
	vma_link(mm, vma);
	return 0;
}

/* The last step of mmap: 0 or -errno; then what was there before stands. */
static int mmap_region(struct mmap_request *m)
{
	struct mm_struct *mm = m->mm;
	unsigned long pages = m->len >> PAGE_SHIFT;
	struct vma_range r = {.start = m->addr, .end = m->addr + m->len};
	struct unmap_plan u;
	long charged = 0;
	int err;

	if (unmap_prepare(mm, r.start, r.end, &u))
		return -ENOMEM;
	if (!may_expand_vm(mm, m->vm_flags, pages - u.pages))
		return -ENOMEM;
	if (accountable_mapping(m->vm_flags)) {
		charged = (long)(pages - u.accounted);
		if (charged && security_vm_enough_memory(mm, charged))
			return -ENOMEM;
		m->vm_flags |= VM_ACCOUNT;
		/* the old promise is taken over with the pages */
		u.accounted = 0;
	}
	r.flags = m->vm_flags | VM_SOFTDIRTY;
	r.pgoff = m->pgoff;
	err = mmap_object(m, &r);
	if (err)
		goto unaccount;
	if (r.mapping && mapping_is_dax(r.mapping))
		r.flags |= VM_MIXEDMAP;
	if (r.flags & VM_SPECIAL) /* it stays anyway */
		r.flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
	err = mmap_link(mm, &u, &r);
	if (err) {
		if (r.mapping && !r.file)
			mapping_put(r.mapping);
		goto unaccount;
	}
	vm_stat_account(mm, r.flags, (long)pages);
	if (r.flags & VM_LOCKED)
		mm->locked_vm += pages;
	if (!(r.flags & VM_PFNMAP) || m->device.kind != QUIRE_DEVICE_FRAMES)
		return 0;
	err = remap_frames(find_vma(mm, r.start), m->device.phys);
	if (err) /* it is one whole mapping: nothing needs memory */
		(void)do_munmap_locked(mm, r.start, m->len);
	return err;
unaccount:
	vm_unacct_memory(mm->q, charged);
	return err;
}

/* ------------------------------------------------------------- arguments */

/* The part of do_mmap that is about the file; adds to m->vm_flags. */
static int mmap_check_file(struct mmap_request *m)
{
	struct quire_file *file = m->file;
	/* a device may be mapped up to the last byte that has a number */
	uint64_t most =
		file->is_zero_dev || file->device ? UINT64_MAX : MAX_FILE_BYTES;
	unsigned type = m->flags & MAP_TYPE;

	if (m->len > most || m->pgoff > (most - m->len) >> PAGE_SHIFT)
		return -EOVERFLOW;
	if (type != MAP_PRIVATE && type != MAP_SHARED &&
	    type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && (m->flags & ~MMAP_KNOWN_FLAGS))
		return -EOPNOTSUPP;
	if (type != MAP_PRIVATE) {
		if ((m->prot & PROT_WRITE) && !file->writable)
			return -EACCES;
		m->vm_flags |= VM_SHARED | VM_MAYSHARE;
		/* it can never be written: as good as private, but current */
		if (!file->writable)
			m->vm_flags &= ~(VM_MAYWRITE | VM_SHARED);
	}
	if (!file->readable)
		return -EACCES;
	if (file->noexec) {
		if (m->prot & PROT_EXEC)
			return -EPERM;
		m->vm_flags &= ~VM_MAYEXEC;
	}
	if (!file->mapping && !file->is_zero_dev && !file->device)
		return -ENODEV;
	return m->flags & MAP_GROWSDOWN ? -EINVAL : 0;
}

static int mmap_check_anon(struct mmap_request *m)
{
	switch (m->flags & MAP_TYPE) {
	case MAP_SHARED:
		if (m->flags & MAP_GROWSDOWN)
			return -EINVAL;
		m->pgoff = 0;
		m->vm_flags |= VM_SHARED | VM_MAYSHARE;
		return 0;
	case MAP_PRIVATE:
		m->pgoff = m->addr >> PAGE_SHIFT;
		return 0;
	default:
		return -EINVAL;
	}
}

static vm_flags_t calc_vm_flags(const struct mmap_request *m)
{
	vm_flags_t f = calc_vm_prot_bits(m->prot) | m->mm->def_flags |
		       VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

	if (m->flags & MAP_GROWSDOWN)
		f |= VM_GROWSDOWN;
	if (m->flags & MAP_LOCKED)
		f |= VM_LOCKED;
	if (m->flags & MAP_STACK)
		f |= VM_NOHUGEPAGE; /* thread stacks stay small */
	return f;
}

static int do_mmap(struct mmap_request *m)
{
	struct mm_struct *mm = m->mm;
	sreg_t place;
	int err;

	if (!m->len)
		return -EINVAL;
	if (m->flags & MAP_FIXED_NOREPLACE)
		m->flags |= MAP_FIXED;
	if (!(m->flags & MAP_FIXED)) {
		m->addr &= PAGE_MASK;
		if (m->addr && m->addr < min_addr(mm))
			m->addr = PAGE_ALIGN(min_addr(mm));
	}
	m->len = PAGE_ALIGN(m->len);
	if (!m->len)
		return -ENOMEM;
	if (m->pgoff + (m->len >> PAGE_SHIFT) < m->pgoff)
		return -EOVERFLOW;
	if (mm->map_count > max_map_count(mm->q))
		return -ENOMEM;
	m->vm_flags = calc_vm_flags(m);
	/* anonymous shared memory is new: it has no place elsewhere */
	place = get_unmapped_area(mm, m->addr, m->len,
				  m->file ? place_flags(m->flags, m->file)
					  : m->flags & ~(unsigned)MAP_SHARED,
				  (uaddr_t)m->pgoff << PAGE_SHIFT);
	if (QUIRE_IS_ERR(place))
		return (int)place;
	m->addr = (uaddr_t)place;
	if ((m->flags & MAP_FIXED_NOREPLACE) &&
	    find_vma_intersection(mm, m->addr, m->addr + m->len))
		return -EEXIST;
	if ((m->flags & MAP_LOCKED) && !can_do_mlock())
		return -EPERM;
	if (!mlock_future_ok(mm, m->vm_flags, m->len))
		return -EAGAIN;
	err = m->file ? mmap_check_file(m) : mmap_check_anon(m);
	if (err)
		return err;
	/* where promises are kept strictly, none is waived */
	if ((m->flags & MAP_NORESERVE) && mm->q->config.overcommit != 2)
		m->vm_flags |= VM_NORESERVE;
	return mmap_region(m);
}

/*
 * MAP_HUGETLB: the format says which sizes it has (none: there is no such
 * thing), and their pools are empty.
 */
static int mmap_hugetlb(const struct mmap_request *m)
{
	unsigned size = m->flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
	uint32_t sizes = ARCH_HUGE_SIZES;

	if (!sizes || (size && (size > 31 || !(sizes >> size & 1u))))
		return -EINVAL;
	return m->len ? -ENOMEM : -EINVAL;
}

static sreg_t mmap_locked(struct mmap_request *m)
{
	struct mm_struct *mm = m->mm;
	bool populate;
	int err = down_write_killable(&mm->mmap_lock);

	if (err)
		return err;
	err = do_mmap(m);
	up_write(&mm->mmap_lock);
	if (err)
		return err;
	populate = (m->vm_flags & VM_LOCKED) ||
		   (m->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	if (populate)
		mm_populate(mm, m->addr, m->len);
	return (sreg_t)m->addr;
}

sreg_t quire_mmap(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
		  unsigned prot, unsigned flags, struct quire_file *file,
		  uint64_t off)
{
	struct mmap_request m = {.mm = mm,
				 .addr = addr,
				 .len = len,
				 .prot = prot,
				 .flags = flags,
				 .file = flags & MAP_ANONYMOUS ? NULL : file,
				 .pgoff = off >> PAGE_SHIFT};
	sreg_t ret;

	if (!IS_ALIGNED(off, PAGE_SIZE))
		ret = -EINVAL;
	else if (!(flags & MAP_ANONYMOUS) && !file)
		ret = -EBADF;
	else if (flags & MAP_HUGETLB)
		ret = m.file ? -EINVAL : mmap_hugetlb(&m);
	else
		ret = mmap_locked(&m);
	TRACE_MAP(mm, .type = QE_MMAP, .addr = addr, .len = len, .prot = prot,
		  .flags = flags, .result = trace_result(ret));
	return ret;
}
