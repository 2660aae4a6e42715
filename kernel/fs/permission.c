/* SPDX-License-Identifier: MIT */
/*
 * Who may do what to a file: the classic owner, group, others bits
 * (path_resolution(7)), for the task's file-system identity.  Root may read
 * and write everything, and execute what has any execute bit.
 */
#include "fs.h"

static bool in_group(const struct cred *c, uint32_t fsgid, uint32_t gid)
{
	uint32_t i;

	if (fsgid == gid)
		return true;
	for (i = 0; i < c->ngroups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

/* real: with the real ids instead of the file-system ones, as access(2). */
int permission_as(struct inode *inode, unsigned mask, bool real)
{
	const struct cred *c = &current->proc->cred;
	uint32_t uid = real ? c->uid : c->fsuid;
	uint32_t gid = real ? c->gid : c->fsgid;
	unsigned shift = 0;

	if ((mask & MAY_WRITE) && inode->sb && inode->sb->readonly &&
	    (inode_is(inode, S_IFREG) || inode_is(inode, S_IFDIR) ||
	     inode_is(inode, S_IFLNK)))
		return -EROFS;
	if (uid == 0) {
		if ((mask & MAY_EXEC) && !inode_is(inode, S_IFDIR) &&
		    !(inode->mode & 0111))
			return -EACCES;
		return 0;
	}
	if (uid == inode->uid)
		shift = 6;
	else if (in_group(c, gid, inode->gid))
		shift = 3;
	return mask & ~(inode->mode >> shift) & 7 ? -EACCES : 0;
}

int inode_permission(struct inode *inode, unsigned mask)
{
	return permission_as(inode, mask, false);
}

int may_remove_from(struct inode *dir, struct inode *victim)
{
	const struct cred *c = &current->proc->cred;
	int err = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (!err && (dir->mode & 01000) && c->fsuid != 0 &&
	    c->fsuid != dir->uid && c->fsuid != victim->uid)
		err = -EPERM;
	return err;
}

/* May the mode, owner or times be changed like that? 0 or -errno */
int may_change(struct inode *inode, const struct iattr *a)
{
	const struct cred *c = &current->proc->cred;

	if (c->fsuid == 0)
		return 0;
	if ((a->valid & ATTR_UID) &&
	    (c->fsuid != inode->uid || a->uid != inode->uid))
		return -EPERM;
	if ((a->valid & ATTR_GID) &&
	    (c->fsuid != inode->uid || !in_group(c, c->fsgid, a->gid)))
		return -EPERM;
	if ((a->valid & ATTR_MODE) && c->fsuid != inode->uid)
		return -EPERM;
	if (!(a->valid & (ATTR_ATIME | ATTR_MTIME)) || c->fsuid == inode->uid)
		return 0;
	if (a->valid & (ATTR_ATIME_SET | ATTR_MTIME_SET))
		return -EPERM;
	return inode_permission(inode, MAY_WRITE);
}
