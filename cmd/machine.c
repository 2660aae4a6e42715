/* SPDX-License-Identifier: MIT */
/*
 * QEMU as `quire run` uses it: a machine (board.c) without firmware or legacy
 * devices.
 *
 *	console   virtio-serial, frames both ways  ---- socket ----+
 *	report    lines of JSON                    ---- socket ----+-- streams.c
 *	log       text                             ---- socket ----+
 *	errors    QEMU's own messages              ---- socket ----+
 *	init      a memfd: no file has to be cleaned up
 *	root      virtio-9p, read-only; a second one for --share
 *	disks     virtio-blk, one for each --disk, and swap
 *
 *	            x86-64        ARM
 *	report      port 0xea     semihosting console
 *	log         port 0xe9     serial port
 *	init        fw_cfg        where an initial RAM disk would be
 *
 * kernel/include/protocol.h is the other half of this.
 */
#define _GNU_SOURCE
#include "cmd/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/swap.h"

#define MAX_ARGS 128

/* QEMU's command line as it grows; all strings malloc'ed. */
struct args {
	char *word[MAX_ARGS];
	unsigned n;
};

static void add_word(struct args *a, char *word)
{
	if (a->n == MAX_ARGS - 1)
		exit(complain("too many arguments for QEMU"));
	a->word[a->n++] = word;
	a->word[a->n] = NULL;
}
#define add(a, ...) add_word(a, xasprintf(__VA_ARGS__))

static void free_args(struct args *a)
{
	while (a->n)
		free(a->word[--a->n]);
}

static const char *qemu_name(const struct board *b)
{
	const char *name = getenv("QUIRE_QEMU");

	return name && *name ? name : b->qemu;
}

/* Is `name` a program in $PATH (or at the path that it is)? */
static bool have_program(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return access(name, X_OK) == 0;
	while (path && *path) {
		size_t len = strcspn(path, ":");
		char *file = xasprintf("%.*s/%s", (int)len, path, name);
		bool found = access(file, X_OK) == 0;

		free(file);
		if (found)
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

/* QEMU would take other files and say so in its own words, or round them. */
static int check_disk(const struct run_disk *d)
{
	char *file = xasprintf("%.*s", d->len, d->file);
	int fd = open(file, (d->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	int status = 0;
	struct stat st;
	off_t size;

	if (fd < 0 || fstat(fd, &st) != 0)
		status = complain("--disk %s: %s", file, strerror(errno));
	else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		status = complain("--disk %s: not a file of bytes", file);
	else if ((size = lseek(fd, 0, SEEK_END)) <= 0 || size % 512 != 0)
		status = complain("--disk %s: its size is not a multiple of "
				  "512 bytes",
				  file);
	if (fd >= 0)
		close(fd);
	free(file);
	return status;
}

static int check_needs(const struct run_options *o)
{
	const struct board *b = board_of(o->arch);
	struct stat st;

	if (!have_program(qemu_name(b)))
		return complain("%s is not there; on Debian: apt-get install "
				"%s",
				qemu_name(b), b->package);
	if (strcmp(o->accel, "kvm") == 0 && access("/dev/kvm", R_OK | W_OK))
		return complain("--accel kvm: /dev/kvm: %s", strerror(errno));
	if (stat(o->root, &st) != 0 || !S_ISDIR(st.st_mode))
		return complain("--root %s: not a directory", o->root);
	if (o->share && (stat(o->share, &st) != 0 || !S_ISDIR(st.st_mode)))
		return complain("--share %s: not a directory", o->share);
	for (unsigned i = 0; i < o->nr_disks; i++)
		if (check_disk(&o->disk[i]) != 0)
			return EXIT_QUIRE;
	return 0;
}

static void add_share(struct args *a, const char *tag, const char *dir,
		      bool readonly)
{
	char *path = double_commas(dir);

	add(a, "-fsdev");
	add(a, "local,id=%s,path=%s,security_model=none,multidevs=remap%s", tag,
	    path, readonly ? ",readonly=on" : "");
	add(a, "-device");
	add(a, "virtio-9p-device,fsdev=%s,mount_tag=%s", tag, tag);
	free(path);
}

/* A disk's errors are the program's to see: they do not stop the machine. */
static void add_drive(struct args *a, unsigned n, bool readonly,
		      const char *file)
{
	add(a, "-drive");
	add(a,
	    "if=none,id=disk%u,format=raw,discard=unmap,werror=report,"
	    "rerror=report,readonly=%s,%s",
	    n, readonly ? "on" : "off", file);
	add(a, "-device");
	add(a, "virtio-blk-device,drive=disk%u", n);
}

static void add_disk(struct args *a, const struct run_disk *d, unsigned n)
{
	char *name = xasprintf("%.*s", d->len, d->file);
	char *path = double_commas(name);
	char *file = xasprintf("file=%s", path);

	add_drive(a, n, d->readonly, file);
	free(file);
	free(path);
	free(name);
}

/* After the other disks: swap_words() names it. */
static void add_swap(struct args *a, const struct run_options *o)
{
	char *file = swap_drive(o);

	add_drive(a, o->nr_disks, false, file);
	free(file);
}

static void add_channel(struct args *a, const char *id, int fd)
{
	add(a, "-chardev");
	add(a, "socket,id=%s,fd=%d", id, fd);
}

static void add_machine(struct args *a, const struct run_options *o)
{
	const struct board *b = board_of(o->arch);
	bool kvm = strcmp(o->accel, "kvm") == 0;

	add(a, "%s", qemu_name(b));
	add(a, "-M");
	add(a, "%s", b->machine);
	add(a, "-accel");
	add(a, "%s", o->accel);
	add(a, "-cpu");
	add(a, "%s", b->cpu ? b->cpu : kvm ? "host" : "max");
	if (o->icount) {
		add(a, "-icount");
		add(a, "shift=0,sleep=off");
	}
	add(a, "-smp");
	add(a, "%u", o->cpus);
	add(a, "-m");
	add(a, "%lluM", (unsigned long long)(o->ram >> 20));
	add(a, "-nodefaults");
	add(a, "-no-user-config");
	add(a, "-no-reboot");
	add(a, "-display");
	add(a, "none");
}

/* The far ends of the channels, as QEMU gets them. */
struct far_ends {
	int console, report, log, errors, init;
	int swap; /* a file that stays ours; -1: none */
};

/* Words of $QUIRE_QEMU_ARGS, for who wants to look at the machine. */
static void add_more(struct args *a)
{
	const char *p = getenv("QUIRE_QEMU_ARGS");

	while (p && *p) {
		size_t n = strcspn(p, " ");

		if (n)
			add(a, "%.*s", (int)n, p);
		p += n + (p[n] == ' ');
	}
}

static void add_x86_channels(struct args *a, const struct far_ends *far)
{
	add(a, "-fw_cfg");
	add(a, "name=opt/quire/init,file=/proc/self/fd/%d", far->init);
	add(a, "-device");
	add(a, "isa-debugcon,iobase=0xe9,chardev=log");
	add(a, "-device");
	add(a, "isa-debugcon,iobase=0xea,chardev=rep");
	add(a, "-device");
	add(a, "isa-debug-exit,iobase=0xf4,iosize=4");
}

static void add_arm_channels(struct args *a, const struct far_ends *far)
{
	add(a, "-initrd");
	add(a, "/proc/self/fd/%d", far->init);
	add(a, "-serial");
	add(a, "chardev:log");
	add(a, "-semihosting-config");
	add(a, "enable=on,target=native,chardev=rep");
	add(a, "-global");
	add(a, "virtio-mmio.force-legacy=false");
	/* The ARMv6 board has a sound device, which is to stay silent. */
	add(a, "-audiodev");
	add(a, "none,id=none");
}

static void build_args(struct args *a, const struct run_options *o,
		       const char *kernel, const struct far_ends *far)
{
	const char *more = getenv("QUIRE_KERNEL_ARGS");
	char *io = io_words(o);
	bool x86 = o->arch == ARCH_X86_64;
	const char *levels = !x86	      ? ""
			     : o->levels == 5 ? "quire.levels=5"
					      : "quire.levels=4";

	add_machine(a, o);
	add(a, "-kernel");
	add(a, "%s", kernel);
	add(a, "-append");
	add(a, "%s quire.log=%d%s%s%s%s", levels, o->verbose ? 7 : 6,
	    o->trace ? " quire.trace=1" : "", io, more ? " " : "",
	    more ? more : "");
	free(io);
	add_channel(a, "log", far->log);
	add_channel(a, "rep", far->report);
	add_channel(a, "con", far->console);
	if (x86)
		add_x86_channels(a, far);
	else
		add_arm_channels(a, far);
	add(a, "-device");
	add(a, "virtio-serial-device,id=vs");
	add(a, "-device");
	add(a, "virtserialport,chardev=con,nr=1");
	add_share(a, "root", o->root, true);
	if (o->share)
		add_share(a, "share", o->share, false);
	for (unsigned i = 0; i < o->nr_disks; i++)
		add_disk(a, &o->disk[i], i);
	if (swap_has_drive(o))
		add_swap(a, o);
	add_more(a);
}

/* A pair of connected sockets: *near is closed on exec, *far is not. */
static int channel(int *near, int *far)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return complain("socketpair: %s", strerror(errno));
	*near = pair[0];
	*far = pair[1];
	return 0;
}

static int write_init(const struct buffer *init, int *fd)
{
	size_t n = buffer_len(init), done = 0;

	*fd = memfd_create("quire-init", MFD_CLOEXEC);
	if (*fd < 0)
		return complain("memfd_create: %s", strerror(errno));
	while (done < n) {
		ssize_t put = write(*fd, buffer_at(init) + done, n - done);

		if (put <= 0)
			return complain("init records: %s", strerror(errno));
		done += (size_t)put;
	}
	return 0;
}

static _Noreturn void become_qemu(struct args *a, const struct far_ends *far,
				  pid_t parent)
{
	const int keep[] = {far->console, far->report, far->log, far->init,
			    far->swap};
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	/* Not in the terminal's foreground group: Ctrl-C is the program's. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_QUIRE);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, 0);
	dup2(far->errors, 1);
	dup2(far->errors, 2);
	for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
		if (keep[i] >= 0)
			fcntl(keep[i], F_SETFD, 0);
	execvp(a->word[0], a->word);
	_exit(EXIT_NOT_FOUND);
}

static void close_far(const struct far_ends *far)
{
	const int all[] = {far->console, far->report, far->log, far->errors,
			   far->init};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= 0)
			close(all[i]);
}

static void close_near(struct machine *m)
{
	int *const all[] = {&m->console, &m->report, &m->log, &m->errors};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (*all[i] >= 0)
			close(*all[i]);
		*all[i] = -1;
	}
}

int machine_start(const struct run_options *o, const char *kernel,
		  const struct buffer *init, struct machine *m)
{
	struct far_ends far = {-1, -1, -1, -1, -1, o->swap.fd};
	struct args a = {.n = 0};
	pid_t parent = getpid();

	*m = (struct machine){-1, -1, -1, -1, -1};
	if (check_needs(o) != 0)
		return EXIT_QUIRE;
	if (channel(&m->console, &far.console) != 0 ||
	    channel(&m->report, &far.report) != 0 ||
	    channel(&m->log, &far.log) != 0 ||
	    channel(&m->errors, &far.errors) != 0 ||
	    write_init(init, &far.init) != 0)
		goto fail;
	fcntl(m->console, F_SETFL, O_NONBLOCK);
	build_args(&a, o, kernel, &far);
	m->pid = fork();
	if (m->pid == 0)
		become_qemu(&a, &far, parent);
	free_args(&a);
	if (m->pid < 0) {
		complain("fork: %s", strerror(errno));
		goto fail;
	}
	close_far(&far);
	return 0;
fail:
	close_far(&far);
	close_near(m);
	return EXIT_QUIRE;
}

int machine_end(struct machine *m)
{
	int status = 0;

	close_near(m);
	while (waitpid(m->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

char *machine_find_kernel(const struct run_options *o)
{
	const struct board *b = board_of(o->arch);
	/* Beside build/bin/quire, and beside PREFIX/bin/quire. */
	const char *const places[] = {b->built, b->installed};
	const char *named = o->kernel ? o->kernel : getenv("QUIRE_KERNEL");
	char *path;

	if (named && *named) {
		if (access(named, R_OK) == 0)
			return xasprintf("%s", named);
		complain("kernel %s: %s", named, strerror(errno));
		return NULL;
	}
	path = own_file(places, sizeof(places) / sizeof(places[0]));
	if (!path)
		complain("the kernel's image for %s is not there (%s); make "
			 "builds it",
			 b->name, places[0]);
	return path;
}
