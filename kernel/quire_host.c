/* SPDX-License-Identifier: MIT */
/*
 * quire_host.c - this kernel's side of <quire/host.h>, apart from what lies
 * with its subject: wait and wake (wait.c), cpu_call (call.c), log and panic
 * (log.c), signals (signal.c), time (timer.c), the flusher (fs/flusher.c),
 * reclaim (fs/kswapd.c), out of memory (oom.c), the processor's exception table
 * and oops (its trap.c), and the inlined ones (include/quire_host_inline.h).
 */
#include "cpu.h"
#include "proc.h"
#include "vfs.h"

/* In each round of a spin of Quire's. */
void kernel_relax(void);
void kernel_relax(void)
{
	struct cpu *me = this_cpu();

	if (K_READ(me->call_pending)) {
		unsigned long flags = irq_save();

		cpu_call_answer();
		irq_restore(flags);
	}
	cpu_relax();
}

/* No task of this kernel asks not to sleep. */
void quire_host_fault_ready(struct quire_task *task)
{
	(void)task;
}

size_t quire_host_maps_name(struct quire_file *file, char *buf, size_t cap)
{
	struct file *f = file_of(file);
	char *path = kmalloc(PATH_MAX);
	size_t n = 0;
	long len;

	if (!path)
		return 0;
	len = f->dentry ? vfs_path(f->dentry, path, PATH_MAX) : 0;
	if (len > 0) {
		n = K_MIN(strlen(path), cap);
		memcpy(buf, path, n);
	}
	kfree(path);
	return n;
}

void quire_host_file_id(struct quire_file *file, uint32_t *major,
			uint32_t *minor, uint64_t *inode)
{
	struct file *f = file_of(file);

	*major = 0;
	*minor = f->inode && f->inode->sb ? f->inode->sb->dev : 0;
	*inode = f->inode ? f->inode->ino : 0;
}
