/* SPDX-License-Identifier: MIT */
/*
 * Mounting, and the file systems that every boot has.
 *
 *     /          9P "root", read-only
 *     /dev       nodes of devices, links to /proc/self/fd; /dev/shm tmpfs
 *     /proc /sys made up on the spot
 *     /tmp /run  tmpfs; in /tmp also what the command line names there
 *     the share  9P "share", writable, when the host gives one
 *
 * A mount point need not exist on the read-only root: a missing name can be
 * mounted on all the same (its negative dentry is what is covered), and what
 * is missing above it becomes a small tmpfs.
 */
#include "../dev/dev.h"
#include "blkdev.h"
#include "fs.h"
#include "inject.h"
#include "protocol.h"
#include "virtio.h"

struct super *first_super;
static struct mutex mount_mutex = MUTEX_INIT(mount_mutex);
static uint32_t next_dev = 1;

struct super *super_new(const char *type, const char *source,
			const struct super_ops *ops, uint64_t magic)
{
	struct super *sb = fs_zalloc(sizeof(*sb));

	if (!sb)
		return NULL;
	sb->type = type;
	sb->source = source;
	sb->ops = ops;
	sb->magic = magic;
	sb->dev = __atomic_fetch_add(&next_dev, 1, __ATOMIC_RELAXED);
	mutex_init(&sb->rename_lock);
	return sb;
}

/* Cover d (takes over the reference, for ever) with sb. */
static void cover(struct super *sb, struct dentry *d)
{
	struct super **p;

	mutex_lock(&mount_mutex);
	sb->covers = d;
	for (p = &first_super; *p; p = &(*p)->next)
		;
	*p = sb;
	if (d)
		d->mounted = sb;
	mutex_unlock(&mount_mutex);
}

/* A directory for the next part of a mount point's path. */
static int make_part(const char *path)
{
	struct super *sb;
	struct dentry *d;
	int err = vfs_mkdir(AT_FDCWD, path, 0755);

	if (err != -EROFS)
		return err == -EEXIST ? 0 : err;
	d = vfs_lookup(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_NEGATIVE);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	sb = tmpfs_new("tmpfs", 0755);
	if (!sb) {
		dput(d);
		return -ENOMEM;
	}
	cover(sb, d);
	return 0;
}

/* Make sure that everything above the last name exists. */
static int make_parents(const char *path)
{
	char part[256];
	size_t i, n = strlen(path);
	struct dentry *d;
	int err;

	if (n >= sizeof(part))
		return -ENAMETOOLONG;
	for (i = 1; i < n; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		d = vfs_lookup(AT_FDCWD, part, LOOKUP_FOLLOW);
		if (!IS_ERR(d)) {
			dput(d);
			continue;
		}
		err = make_part(part);
		if (err)
			return err;
	}
	return 0;
}

int mount_at(struct super *sb, const char *path)
{
	int err = make_parents(path);
	struct dentry *d;

	if (err)
		return err;
	d = vfs_lookup(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_NEGATIVE);
	if (!IS_ERR(d) && !d->inode && !d->sb->readonly) {
		dput(d);
		err = vfs_mkdir(AT_FDCWD, path, 0755);
		if (err)
			return err;
		d = vfs_lookup(AT_FDCWD, path, LOOKUP_FOLLOW);
	}
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	cover(sb, d);
	return 0;
}

/* ---------------------------------------------------------- at every boot */

static int mount_new(struct super *sb, const char *path)
{
	int err;

	if (!sb)
		return -ENOMEM;
	err = mount_at(sb, path);
	if (err)
		printk("cannot mount %s: error %d", path, -err);
	return err;
}

static const struct {
	const char *name;
	uint32_t mode;
	uint64_t rdev;
} nodes[] = {
	{"/dev/null", 0666, RDEV(1, 3)},    {"/dev/zero", 0666, RDEV(1, 5)},
	{"/dev/full", 0666, RDEV(1, 7)},    {"/dev/random", 0666, RDEV(1, 8)},
	{"/dev/urandom", 0666, RDEV(1, 9)}, {"/dev/tty", 0666, RDEV(5, 0)},
	{"/dev/console", 0600, RDEV(5, 1)}, {"/dev/mem", 0640, RDEV(1, 1)},
	{"/dev/pmem0", 0660, RDEV(259, 0)},
};
static const struct {
	const char *name, *to;
} links[] = {
	{"/dev/fd", "/proc/self/fd"},
	{"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"},
	{"/dev/stderr", "/proc/self/fd/2"},
};

static int make_dev(void)
{
	uint32_t umask = current->fs->umask;
	unsigned i;
	int err;

	err = mount_new(tmpfs_new("devtmpfs", 0755), "/dev");
	current->fs->umask = 0;
	for (i = 0; !err && i < ARRAY_SIZE(nodes); i++)
		err = vfs_mknod(AT_FDCWD, nodes[i].name,
				S_IFCHR | nodes[i].mode, nodes[i].rdev);
	for (i = 0; !err && i < ARRAY_SIZE(links); i++)
		err = vfs_symlink(links[i].to, AT_FDCWD, links[i].name);
	if (!err)
		(void)blkdev_init(); /* the log tells */
	current->fs->umask = umask;
	if (!err)
		err = mount_new(tmpfs_new("tmpfs", 01777), "/dev/shm");
	return err;
}

/*
 * The host's /tmp is covered, but what the command line names in it (the
 * program, its arguments, the working directory) is meant to be seen: the
 * first name under /tmp is bound, read-only, to the same place.
 */
static struct dentry *host_tmp_name(const char *name, size_t n)
{
	struct dentry *tmp = vfs_lookup(AT_FDCWD, "/tmp", LOOKUP_FOLLOW);
	struct dentry *dir, *d;

	if (IS_ERR(tmp))
		return NULL;
	dir = tmp->sb->covers;
	dput(tmp);
	if (!dir || !dir->inode || !inode_is(dir->inode, S_IFDIR))
		return NULL;
	mutex_lock(&dir->inode->lock);
	d = d_lookup_locked(dir, name, n);
	mutex_unlock(&dir->inode->lock);
	if (IS_ERR(d))
		return NULL;
	if (d->inode &&
	    (inode_is(d->inode, S_IFDIR) || inode_is(d->inode, S_IFREG)))
		return d;
	dput(d);
	return NULL;
}

static void show_host_tmp(const char *path)
{
	char name[NAME_MAX + 8] = "/tmp/";
	struct dentry *host, *at;
	struct super *sb = NULL;
	size_t n = 0;
	int err;

	if (!path || strncmp(path, "/tmp/", 5))
		return;
	path += 5;
	while (path[n] && path[n] != '/')
		n++;
	if (!n || n > NAME_MAX || (path[0] == '.' && n <= 2))
		return;
	memcpy(name + 5, path, n);
	host = host_tmp_name(name + 5, n);
	if (!host)
		return;
	err = inode_is(host->inode, S_IFDIR)
		      ? vfs_mkdir(AT_FDCWD, name, 0755)
		      : vfs_mknod(AT_FDCWD, name, S_IFREG | 0644, 0);
	if (!err) /* else it was bound before */
		sb = super_new("9p", "root", NULL, host->sb->magic);
	at = sb ? vfs_lookup(AT_FDCWD, name, 0) : ERR_PTR(-ENOMEM);
	if (IS_ERR(at)) {
		fs_free(sb);
		dput(host);
		return;
	}
	sb->readonly = true;
	sb->root = host;
	cover(sb, at);
}

static void show_command_line(void)
{
	const char *arg;
	unsigned i;

	show_host_tmp(init_record('P', 0));
	show_host_tmp(init_record('C', 0));
	for (i = 0; (arg = init_record('A', i)) != NULL; i++)
		show_host_tmp(arg);
}

/* The writable share, when the host has one. */
static int mount_share(void)
{
	const char *path = init_record('M', 0);
	struct super *sb = p9_mount("share", true);

	if (IS_ERR(sb))
		return PTR_ERR(sb) == -ENODEV ? 0 : (int)PTR_ERR(sb);
	return mount_new(sb, path ? path : "/mnt/share");
}

static int mount_root(void)
{
	struct super *sb = p9_mount("root", false);
	size_t bytes;

	if (PTR_ERR(sb) == -ENODEV && init_archive(&bytes))
		sb = tmpfs_new("rootfs", 0755);
	if (!sb)
		return -ENOMEM;
	if (IS_ERR(sb)) {
		printk("no root file system: error %d", -(int)PTR_ERR(sb));
		return (int)PTR_ERR(sb);
	}
	cover(sb, NULL);
	global_root = dget(sb->root);
	return 0;
}

int vfs_init(void)
{
	const char *archive;
	size_t bytes;
	int err;

	(void)virtio_init();
	inject_init();
	if (console_init() == -ENOMEM)
		return -ENOMEM;
	err = memfd_init();
	if (!err)
		err = kswapd_init();
	if (!err)
		err = flusher_init();
	if (!err)
		err = mount_root();
	if (err)
		return err;
	if (!current->fs)
		current->fs = fs_new();
	if (!current->fs)
		return -ENOMEM;
	if (!current->fs->root) {
		current->fs->root = dget(global_root);
		current->fs->cwd = dget(global_root);
	}
	if (!current->files)
		current->files = files_new();
	if (!current->files)
		return -ENOMEM;
	archive = init_archive(&bytes);
	if (archive && !strcmp(global_root->sb->type, "rootfs")) {
		err = initramfs_unpack(archive, bytes);
		if (err)
			return err;
	}
	err = make_dev();
	if (!err)
		err = mount_new(proc_new(), "/proc");
	if (!err)
		err = mount_new(sysfs_new(), "/sys");
	if (!err)
		err = mount_new(tmpfs_new("tmpfs", 01777), "/tmp");
	if (!err)
		err = mount_new(tmpfs_new("tmpfs", 0755), "/run");
	if (!err)
		err = mount_share();
	if (!err)
		show_command_line();
	return err;
}
