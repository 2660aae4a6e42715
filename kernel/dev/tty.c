/* SPDX-License-Identifier: MIT */
/*
 * The terminal, and the standard descriptors.
 *
 * Echo, line editing and signal characters stay with the host's terminal: it
 * sends whole lines, and FRAME_SIGNAL for ^C and its like, which goes to the
 * foreground process group that is kept here.  The settings (termios) are
 * remembered and given back, no more.
 *
 * Which of stdin, stdout and stderr is a terminal on the host, the INIT record
 * tells; one that is not looks like a pipe here (ENOTTY, ESPIPE), so that
 * programs buffer as they would there.
 */
#include "dev.h"
#include "protocol.h"

#define TCGETS	   0x5401u
#define TCSETS	   0x5402u
#define TCSETSW	   0x5403u
#define TCSETSF	   0x5404u
#define TCSBRK	   0x5409u
#define TCXONC	   0x540au
#define TCFLSH	   0x540bu
#define TIOCSCTTY  0x540eu
#define TIOCGPGRP  0x540fu
#define TIOCSPGRP  0x5410u
#define TIOCGWINSZ 0x5413u
#define TIOCSWINSZ 0x5414u
#define FIONREAD   0x541bu
#define TIOCNOTTY  0x5422u
#define TIOCGSID   0x5429u

struct linux_termios { /* struct termios of the kernel's ABI */
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[19];
};
struct linux_winsize {
	uint16_t row, col, xpixel, ypixel;
};

static struct linux_termios termios = {
	.iflag = 0x0500, /* ICRNL IXON */
	.oflag = 0x0005, /* OPOST ONLCR */
	.cflag = 0x00bf, /* B38400 CS8 CREAD */
	.lflag =
		0x8a3b, /* ISIG ICANON ECHO ECHOE ECHOK ECHOCTL ECHOKE IEXTEN */
	.cc = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22},
};
static struct linux_winsize winsize = {24, 80, 0, 0};
static int foreground; /* process group; 0: nobody's yet */
static struct inode *std_inode[3];
static uint64_t terminals; /* bit n: descriptor n is one on the host */

void tty_host_signal(int signo)
{
	int pgid = __atomic_load_n(&foreground, __ATOMIC_RELAXED);

	if (pgid > 0 && signo > 0 && signo <= KNSIG)
		send_signal_group(pgid, signo);
}

void tty_host_winsize(unsigned rows, unsigned cols)
{
	winsize.row = (uint16_t)rows;
	winsize.col = (uint16_t)cols;
	tty_host_signal(SIGWINCH);
}

static long set_group(uaddr_t arg)
{
	int pgid;

	if (copy_from_user(&pgid, arg, sizeof(pgid)))
		return -EFAULT;
	if (pgid < 0)
		return -EINVAL;
	__atomic_store_n(&foreground, pgid, __ATOMIC_RELAXED);
	return 0;
}

static int group_now(void)
{
	int pgid = __atomic_load_n(&foreground, __ATOMIC_RELAXED);

	return pgid ? pgid : current->proc->pgid;
}

static long tty_ioctl(struct file *f, unsigned cmd, uaddr_t arg)
{
	int32_t value;

	(void)f;
	switch (cmd) {
	case TCGETS:
		return put_user(termios, arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return get_user(&termios, arg);
	case TIOCGWINSZ:
		return put_user(winsize, arg);
	case TIOCSWINSZ:
		return get_user(&winsize, arg);
	case TIOCGPGRP:
		value = group_now();
		return put_user(value, arg);
	case TIOCSPGRP:
		return set_group(arg);
	case TIOCGSID:
		value = current->proc->sid;
		return put_user(value, arg);
	case FIONREAD:
		value = (int32_t)console_input_bytes();
		return put_user(value, arg);
	case TIOCSCTTY:
	case TIOCNOTTY:
	case TCSBRK:
	case TCXONC:
	case TCFLSH:
		return 0;
	default:
		return -ENOTTY;
	}
}

static long in_read(struct file *f, struct iter *to, uint64_t *pos)
{
	(void)pos;
	return console_input_read(to, (f->flags & O_NONBLOCK) || to->nonblock);
}

static long out_write(struct file *f, struct iter *from, uint64_t *pos)
{
	(void)pos;
	return console_output(from, f->inode == std_inode[2] ? FRAME_STDERR
							     : FRAME_STDOUT);
}

static unsigned std_poll(struct file *f, struct poll_table *pt)
{
	unsigned ev = 0;

	if (file_can_read(f)) {
		poll_wait(pt, console_input_queue());
		if (console_input_ready())
			ev |= POLLIN | POLLRDNORM;
	}
	if (file_can_write(f))
		ev |= POLLOUT | POLLWRNORM;
	return ev;
}

static long pipe_like_ioctl(struct file *f, unsigned cmd, uaddr_t arg)
{
	return cmd == FIONREAD ? tty_ioctl(f, cmd, arg) : -ENOTTY;
}

/* /dev/tty and /dev/console: only when the host has a terminal for us. */
static int tty_open(struct inode *inode, struct file *f)
{
	(void)f;
	return terminals || inode->rdev == RDEV(5, 1) ? 0 : -ENXIO;
}

const struct file_operations tty_fops = {
	.open = tty_open,
	.read = in_read,
	.write = out_write,
	.poll = std_poll,
	.ioctl = tty_ioctl,
};
static const struct file_operations pipe_like_fops = {
	.read = in_read,
	.write = out_write,
	.poll = std_poll,
	.ioctl = pipe_like_ioctl,
};

/* ------------------------------------------------- descriptors 0, 1 and 2 */

static struct inode *make_std(unsigned i, bool terminal)
{
	struct inode *inode;

	inode = inode_anonymous(terminal ? S_IFCHR | 0620 : S_IFIFO | 0600);
	if (!inode)
		return NULL;
	inode->fops = terminal ? &tty_fops : &pipe_like_fops;
	if (terminal)
		inode->rdev = RDEV(5, 1);
	std_inode[i] = inode;
	return inode;
}

static struct file *open_std(unsigned i, bool terminal)
{
	struct inode *inode = make_std(i, terminal);
	char name[16] = "/dev/console";
	struct dentry *d;
	struct file *f;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!terminal)
		snprintf(name, sizeof(name), "pipe:[%u]", i + 1);
	d = d_anonymous(inode, name);
	if (!d)
		return ERR_PTR(-ENOMEM);
	f = file_open_dentry(d, terminal ? O_RDWR : i ? O_WRONLY : O_RDONLY);
	dput(d);
	return f;
}

static void read_size(void)
{
	const char *text = init_record('S', 0);
	char *end;

	if (!text)
		return;
	winsize.row = (uint16_t)strtoull(text, &end, 10);
	if (*end == ':')
		winsize.col = (uint16_t)strtoull(end + 1, NULL, 10);
}

int vfs_open_console(struct files *files)
{
	const char *bits = init_record('I', 0);
	struct file *f;
	unsigned i;
	int err;

	terminals = bits ? strtoull(bits, NULL, 10) : 0;
	read_size();
	/* until a shell says otherwise, the host's signals are the program's */
	__atomic_store_n(&foreground, current->proc->pgid, __ATOMIC_RELAXED);
	for (i = 0; i < 3; i++) {
		f = open_std(i, terminals >> i & 1);
		if (IS_ERR(f))
			return (int)PTR_ERR(f);
		err = files_install(files, f, (int)i);
		if (err) {
			fput(f);
			return err;
		}
	}
	return 0;
}
