/* SPDX-License-Identifier: MIT */
/*
 * maps.c - the map of an address space as text (M5): /proc/PID/maps, as
 * proc(5) describes it, to the blank.
 *
 *   start-end perms offset major:minor inode      name, from column 73 on (49
 *                                                 where addresses are short)
 *
 * The text of one VMA is made in a buffer under mmap_lock and handed over
 * without it, since the reader may have to fault its memory in.
 *
 * Locks: mmap_lock for read, one VMA at a time.
 */
#include "filemap.h"
#include "maps.h"

/* As Linux: wide enough for addresses of the machine's word. */
#define NAME_COLUMN (25 + 6 * sizeof(uaddr_t))

static void put_name(struct text *t, const char *name, size_t len)
{
	while (t->len < NAME_COLUMN && t->len < t->cap)
		t->buf[t->len++] = ' ';
	len = MIN(len, t->cap - t->len);
	memcpy(t->buf + t->len, name, len);
	t->len += len;
}

/* Names of memory that has no file. */
static const char *special_name(const struct vm_area_struct *vma)
{
	const struct mm_struct *mm = vma->vm_mm;

	if (vma->vm_start < mm->brk && vma->vm_end > mm->layout.start_brk)
		return "[heap]";
	if (vma->vm_start <= mm->layout.start_stack &&
	    vma->vm_end >= mm->layout.start_stack)
		return "[stack]";
	return NULL;
}

static void put_vma_name(struct text *t, struct vm_area_struct *vma)
{
	static const char zero[] = "/dev/zero (deleted)";
	const char *name = NULL;
	size_t len;

	if (vma->vm_file) {
		/* written where it belongs, moved there by put_name's blanks */
		put_name(t, "", 0);
		len = quire_host_maps_name(vma->vm_file, t->buf + t->len,
					   t->cap - t->len);
		t->len += MIN(len, t->cap - t->len);
		return;
	}
	if (vma->vm_mapping)
		name = zero;
	else if (vma->vm_ops && vma->vm_ops->name)
		name = vma->vm_ops->name(vma);
	if (!name)
		name = special_name(vma);
	if (!name)
		return;
	for (len = 0; name[len]; len++)
		;
	put_name(t, name, len);
}

void text_vma_line(struct text *t, struct vm_area_struct *vma)
{
	vm_flags_t f = vma->vm_flags;
	uint32_t major = 0, minor = 0;
	uint64_t inode = 0, offset = 0;

	if (vma->vm_file) {
		quire_host_file_id(vma->vm_file, &major, &minor, &inode);
		offset = vma->vm_pgoff << PAGE_SHIFT;
	} else if (vma->vm_mapping) {
		/* the kernel's own memory file system is device 0:1 */
		minor = 1;
		inode = vma->vm_mapping->ino;
		offset = vma->vm_pgoff << PAGE_SHIFT;
	}
	text_printf(t, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ",
		    (unsigned long long)vma->vm_start,
		    (unsigned long long)vma->vm_end, f & VM_READ ? 'r' : '-',
		    f & VM_WRITE ? 'w' : '-', f & VM_EXEC ? 'x' : '-',
		    f & VM_MAYSHARE ? 's' : 'p', (unsigned long long)offset,
		    major, minor, (unsigned long long)inode);
	put_vma_name(t, vma);
	t->len = MIN(t->len, t->cap - 1);
	t->buf[t->len++] = '\n';
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = quire_vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	t->len += MIN(n, t->cap - t->len - 1);
}

int emit_vmas(struct mm_struct *mm,
	      void (*one)(struct text *t, struct vm_area_struct *vma),
	      quire_emit_fn emit, void *cookie)
{
	struct text t = {.cap = VMA_TEXT_MAX};
	struct vm_area_struct *vma;
	uaddr_t addr = 0;
	int err;

	t.buf = quire_kmalloc(mm->q, t.cap, GFP_KERNEL);
	if (!t.buf)
		return -ENOMEM;
	for (;;) {
		err = down_read_killable(&mm->mmap_lock);
		if (err)
			break;
		t.len = 0;
		vma = find_vma(mm, addr);
		if (vma) {
			one(&t, vma);
			addr = vma->vm_end;
		}
		up_read(&mm->mmap_lock);
		if (!vma)
			break;
		err = emit(cookie, t.buf, t.len);
		if (err < 0)
			break;
		err = 0;
	}
	quire_kfree(mm->q, t.buf);
	return err;
}

int quire_maps(struct mm_struct *mm, quire_emit_fn emit, void *cookie)
{
	return emit_vmas(mm, text_vma_line, emit, cookie);
}
