/* SPDX-License-Identifier: MIT */
/*
 * entry.c - the exception entry: what stands between the processor's vector
 * and the first function in C, and between that and the program again.
 *
 * That code is not in the simulated machine, which calls the C function as a
 * processor would.  So this runs the real kernel in QEMU, with a tiny program
 * on it (program/) that takes one fault of each sort, and moves the processor
 * on through it instruction by instruction.  Which label or function each
 * instruction belongs to is told by the kernel's own symbols, and whether it is
 * assembly or C by its debug information.
 *
 *	quire run --- QEMU -S, GDB stub on a socket <--- gdb.c
 *	  breakpoint at a label of the program; step, step, ... ; back again
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "entry.h"
#include "gdb.h"

#define MAX_STEPS  200000
#define BOOT_LIMIT 120 /* seconds until the program runs */

/* Where GDB has the registers (without a description of the target). */
#define REGISTER_BYTES 168
struct machine_kind {
	const char *arch;
	unsigned pc, sp, mode; /* offsets */
	unsigned bytes;	       /* of pc and sp; mode: 4 */
	const char *(*mode_text)(uint32_t v);
	/* What the processor left for the first instruction, in words. */
	void (*arrival)(struct gdb *g, const unsigned char *regs, char *text,
			size_t size);
};

static uint64_t value_of(const unsigned char *regs, unsigned at, unsigned bytes)
{
	uint64_t v = 0;

	memcpy(&v, regs + at, bytes);
	return v;
}

const struct entry_kind entry_kinds[] = {
	{"entry", "the kernel's way of a store to a fresh page, in QEMU",
	 "the_store", "the_store", 2},
	{"entry_exec", "the same of an instruction fetch", "the_jump",
	 "the_page", 2},
	{"entry_kernel", "a system call that writes to a fresh page",
	 "the_call", "after_call", 1},
	{NULL, NULL, NULL, NULL, 0},
};

/* --------------------------------------------------------------- machines */

#if !defined(QUIRE_UADDR_BITS) || QUIRE_UADDR_BITS == 64

static const char *x86_mode(uint32_t cs)
{
	return cs & 3 ? "user" : "kernel";
}

/* SDM vol. 3A, 6.14.2: the frame that the processor has pushed. */
static void x86_arrival(struct gdb *g, const unsigned char *regs, char *text,
			size_t size)
{
	uint64_t frame[6];

	if (!gdb_memory(g, value_of(regs, 56, 8), frame, sizeof(frame)))
		return;
	append(text, size, "error code ");
	tables_error_text((unsigned long)frame[0], text, size);
	append(text, size,
	       "; ip %#llx, cs %#llx, flags %#llx, sp %#llx, "
	       "ss %#llx",
	       (unsigned long long)frame[1], (unsigned long long)frame[2],
	       (unsigned long long)frame[3], (unsigned long long)frame[4],
	       (unsigned long long)frame[5]);
}

static const struct machine_kind kinds[] = {
	{"x86_64", 128, 56, 140, 8, x86_mode, x86_arrival},
};

#else

static const char *arm_mode(uint32_t cpsr)
{
	static const char *const name[16] = {
		[0] = "usr", [1] = "fiq",  [2] = "irq",	 [3] = "svc",
		[7] = "abt", [11] = "und", [15] = "sys",
	};
	const char *mode = name[cpsr & 15];

	return mode ? mode : "?";
}

static void arm_arrival(struct gdb *g, const unsigned char *regs, char *text,
			size_t size)
{
	uint32_t cpsr = (uint32_t)value_of(regs, 164, 4);

	(void)g;
	append(text, size, "mode %s, interrupts %s, sp %#llx, lr %#llx",
	       arm_mode(cpsr), cpsr & 0x80 ? "off" : "on",
	       (unsigned long long)value_of(regs, 52, 4),
	       (unsigned long long)value_of(regs, 56, 4));
}

static const struct machine_kind kinds[] = {
	{"armv7", 60, 52, 164, 4, arm_mode, arm_arrival},
	{"armv6", 60, 52, 164, 4, arm_mode, arm_arrival},
};

#endif

static const struct machine_kind *kind_of(const char *arch)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (this_format & (ON_X86_64 | ON_ARM) &&
		    strcmp(kinds[i].arch, arch) == 0)
			return &kinds[i];
	die("entry: there is no kernel for %s", arch);
}

/* ---------------------------------------------------------------- the path */

static void add_stretch(struct path *p, const struct stretch *s)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->at = realloc(p->at, p->cap * sizeof(p->at[0]));
		if (!p->at)
			die("out of memory");
	}
	p->at[p->n++] = *s;
}

#define MAX_DEPTH 64

/* What is under way since C began, innermost last. */
struct calls {
	struct stretch at[MAX_DEPTH];
	unsigned n;
	uint64_t sp;	  /* where the stack was when C began, and ... */
	const char *mode; /* ... in which mode (each has its own on ARM) */
};

static void enter(struct calls *c, const struct stretch *s)
{
	if (c->n < MAX_DEPTH)
		c->n++;
	c->at[c->n - 1] = *s;
}

/*
 * How deep in calls from C is the instruction?  0: assembly, not called from C.
 * Assembly goes from label to label by jumps: these stay at one depth.
 */
static unsigned depth_of(struct calls *c, const struct stretch *s, uint64_t sp)
{
	if (c->n == 0 && !s->is_c)
		return 0;
	if (c->n && !s->is_c && sp >= c->sp && s->mode == c->mode) {
		c->n = 0; /* back where C was called */
		return 0;
	}
	if (c->n == 0) {
		c->sp = sp;
		c->mode = s->mode;
	}
	for (unsigned i = c->n; i > 0 && !(s->begins && s->is_c); i--)
		if (strcmp(c->at[i - 1].name, s->name) == 0) {
			c->n = i;
			return i;
		}
	if (c->n && !s->is_c && !c->at[c->n - 1].is_c)
		c->at[c->n - 1] = *s;
	else
		enter(c, s);
	return c->n;
}

static void add_instruction(struct path *p, struct calls *calls, Dwfl *d,
			    uint64_t pc, uint64_t sp, const char *mode)
{
	struct stretch s, *last = p->n ? &p->at[p->n - 1] : NULL;

	entry_locate(d, pc, &s);
	s.mode = mode;
	s.depth = depth_of(calls, &s, sp);
	s.instructions = 1;
	if (last)
		p->total += mode != p->at[0].mode;
	/* names are kept as long as the path: calls refers to them */
	if (last && last->depth == s.depth && last->mode == mode &&
	    strcmp(last->name, s.name) == 0 && !(s.begins && s.is_c))
		last->instructions++;
	else
		add_stretch(p, &s);
}

/* From the first instruction on, through the kernel, to the last. */
static void follow(struct gdb *g, const struct machine_kind *k, Dwfl *d,
		   struct path *p)
{
	struct calls calls = {.n = 0};
	unsigned char regs[REGISTER_BYTES];
	uint64_t pc, last = 0, sp;
	const char *mode;
	unsigned visits = 0;

	for (unsigned long i = 0; i < MAX_STEPS; i++) {
		if (!gdb_registers(g, regs, sizeof(regs)))
			die("entry: the machine does not answer");
		pc = value_of(regs, k->pc, k->bytes);
		sp = value_of(regs, k->sp, k->bytes);
		mode = k->mode_text((uint32_t)value_of(regs, k->mode, 4));
		if (p->kind->visits > 1 && p->n && !p->arrival[0] &&
		    mode != p->at[0].mode)
			k->arrival(g, regs, p->arrival, sizeof(p->arrival));
		/*
		 * A string instruction stays where it is while it repeats; and
		 * QEMU, on a busy machine, tells of steps that it has not made.
		 */
		if (pc != last) {
			add_instruction(p, &calls, d, pc, sp, mode);
			if (pc == p->until && ++visits == p->kind->visits)
				return;
		}
		last = pc;
		if (!gdb_step(g))
			die("entry: the machine does not step");
	}
	die("entry: the program does not go on");
}

/* ----------------------------------------------------------------- the run */

static char *must_own_file(const char *a, const char *b, const char *what)
{
	char *path = own_file((const char *const[]){a, b}, 2);

	if (!path)
		die("entry: %s is not there (%s); make builds it", what, a);
	return path;
}

static char *kernel_of(const char *arch)
{
	const char *named = getenv("QUIRE_KERNEL");
	char *a, *b, *path;

	if (named && *named)
		return xasprintf("%s", named);
	if (strcmp(arch, "x86_64") == 0)
		return must_own_file("../kernel/quire.elf", "quire.elf",
				     "the kernel");
	a = xasprintf("../kernel-%s/quire.elf", arch);
	b = xasprintf("quire-%s.elf", arch);
	path = must_own_file(a, b, "the kernel");
	free(a);
	free(b);
	return path;
}

static char *program_of(const char *arch)
{
	char *name = xasprintf("entry-%s", arch);
	char *path = must_own_file(name, name, "its program");

	free(name);
	return path;
}

static pid_t start_run(const char *arch, const char *program,
		       const char *socket, unsigned levels)
{
	char *quire =
		must_own_file("../bin/quire", "../../bin/quire", "the command");
	char *qemu = xasprintf("-S -gdb unix:%s,server=on,wait=off", socket);
	char *lv = levels == 5 ? "5" : "4";
	char *x86[] = {"quire", "run", "--quiet",	"--levels",
		       lv,	"--",  (char *)program, NULL};
	char *arm[] = {"quire",	     "run", "--quiet",	     "--arch",
		       (char *)arch, "--",  (char *)program, NULL};
	char **words = this_format == ON_ARM ? arm : x86;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("QUIRE_QEMU_ARGS", qemu, 1);
		dup2(null, 0);
		dup2(null, 1);
		execv(quire, words);
		_exit(EXIT_QUIRE);
	}
	if (pid < 0)
		die("fork fails");
	free(quire);
	free(qemu);
	return pid;
}

static void run_it(const struct machine_kind *k, const struct options *o,
		   Dwfl *d, const char *program, struct path *p)
{
	char dir[] = "/tmp/quire-explain-XXXXXX";
	struct gdb g;
	char *socket;
	bool there;
	pid_t pid;
	int status;

	if (!mkdtemp(dir))
		die("%s: cannot be made", dir);
	socket = xasprintf("%s/gdb", dir);
	pid = start_run(k->arch, program, socket, o->levels);
	there = gdb_connect(&g, socket, 20);
	unlink(socket);
	rmdir(dir);
	free(socket);
	if (!there || !gdb_break(&g, p->from, true) ||
	    !gdb_continue(&g, BOOT_LIMIT) || !gdb_break(&g, p->from, false))
		die("entry: the program does not run in QEMU");
	follow(&g, k, d, p);
	gdb_detach(&g);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		die("entry: the program did not end well");
}

bool explain_entry(const char *name, const struct options *o)
{
	const struct entry_kind *kind = entry_kinds;
	const struct machine_kind *k;
	char *kernel, *program;
	struct path p;
	Dwfl *d;

	while (kind->name && strcmp(kind->name, name) != 0)
		kind++;
	if (!kind->name)
		return false;
	k = kind_of(o->arch);
	kernel = kernel_of(o->arch);
	program = program_of(o->arch);
	d = entry_symbols(kernel, program);
	p = (struct path){.kind = kind,
			  .arch = k->arch,
			  .from = entry_label(d, kind->from),
			  .until = entry_label(d, kind->until)};
	run_it(k, o, d, program, &p);
	entry_show(&p, o);
	for (size_t i = 0; i < p.n; i++) {
		free(p.at[i].name);
		free(p.at[i].file);
	}
	free(p.at);
	dwfl_end(d);
	free(kernel);
	free(program);
	return true;
}
