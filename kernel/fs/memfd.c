/* SPDX-License-Identifier: MIT */
/*
 * memfd_create(2) and file seals: a tmpfs file that never had a name.
 */
#include "fs.h"

#define MFD_CLOEXEC	  1u
#define MFD_ALLOW_SEALING 2u
#define MFD_HUGETLB	  4u
#define MFD_NOEXEC_SEAL	  8u
#define MFD_EXEC	  16u

#define F_SEAL_SEAL	    1u
#define F_SEAL_SHRINK	    2u
#define F_SEAL_GROW	    4u
#define F_SEAL_WRITE	    8u
#define F_SEAL_FUTURE_WRITE 16u
#define F_SEALS		    31u

static struct super *memfd_super;

int memfd_check_resize(struct inode *inode, uint64_t size)
{
	uint64_t now = inode_size(inode);

	if ((size < now && (inode->seals & F_SEAL_SHRINK)) ||
	    (size > now && (inode->seals & F_SEAL_GROW)))
		return -EPERM;
	return 0;
}

int memfd_check_write(struct inode *inode, uint64_t pos, uint64_t n)
{
	if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if ((inode->seals & F_SEAL_GROW) && pos + n > inode_size(inode))
		return -EPERM;
	return 0;
}

static bool is_memfd(const struct file *f)
{
	return memfd_super && f->inode->sb == memfd_super;
}

long memfd_add_seals(struct file *f, uint32_t seals)
{
	long ret = 0;

	if (!is_memfd(f) || (seals & ~F_SEALS))
		return -EINVAL;
	if (!file_can_write(f))
		return -EPERM;
	mutex_lock(&f->inode->lock);
	if (f->inode->seals & F_SEAL_SEAL)
		ret = -EPERM;
	else
		f->inode->seals |= seals;
	mutex_unlock(&f->inode->lock);
	return ret;
}

long memfd_get_seals(struct file *f)
{
	return is_memfd(f) ? (long)f->inode->seals : -EINVAL;
}

int memfd_init(void)
{
	memfd_super = tmpfs_new("tmpfs", 0700);
	return memfd_super ? 0 : -ENOMEM;
}

long sys_memfd_create(uaddr_t uname, unsigned flags)
{
	char name[NAME_MAX + 32] = "/memfd:";
	struct inode *inode;
	struct dentry *d;
	struct file *f;
	long n;

	if (flags &
	    ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC))
		return -EINVAL;
	n = strncpy_from_user(name + 7, uname, NAME_MAX - 6);
	if (n < 0)
		return n;
	if (n >= NAME_MAX - 6)
		return -EINVAL;
	memcpy(name + 7 + n, " (deleted)", 11);
	inode = tmpfs_file_inode(memfd_super, 0777);
	if (!inode)
		return -ENOMEM;
	if (!(flags & MFD_ALLOW_SEALING))
		inode->seals = F_SEAL_SEAL;
	d = d_anonymous(inode, name);
	if (!d)
		return -ENOMEM;
	f = file_open_dentry(d, O_RDWR | O_LARGEFILE);
	dput(d);
	if (IS_ERR(f))
		return PTR_ERR(f);
	return fd_give(f, flags & MFD_CLOEXEC);
}
