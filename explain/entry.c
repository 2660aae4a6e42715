/* SPDX-License-Identifier: MIT */
/*
 * entry.c - the exception entry: what stands between the processor's vector
 * and the first function in C, and between that and the program again.
 *
 * That code is not in the simulated machine, which calls the C function as a
 * processor would.  So this runs the real kernel in QEMU, with a tiny program
 * on it (entry-ARCH) that writes once to a fresh page, and moves the processor
 * on through this one fault instruction by instruction.  Which label or
 * function each instruction belongs to is told by the kernel's own symbols, and
 * whether it is assembly or C by its debug information.
 *
 *	quire run --- QEMU -S, GDB stub on a socket <--- gdb.c
 *	  breakpoint at the program's store; step, step, ... ; there again
 */
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/json.h"
#include "explain.h"
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

/* A run of instructions of one label or function. */
struct stretch {
	char *name, *file;
	unsigned line;
	const char *mode;
	bool is_c;
	unsigned depth; /* of calls, in C */
	unsigned long instructions;
};

struct path {
	struct stretch *at;
	size_t n, cap;
	char arrival[256];
	uint64_t store; /* the program's instruction */
	unsigned long total;
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

/* ----------------------------------------------------------------- symbols */

static int no_debuginfo(Dwfl_Module *m, void **data, const char *name,
			Dwarf_Addr base, const char *file, const char *link,
			GElf_Word crc, char **found)
{
	(void)m, (void)data, (void)name, (void)base, (void)file, (void)link;
	(void)crc, (void)found;
	return -1;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = no_debuginfo,
	.section_address = dwfl_offline_section_address,
};

/* The two ELF files, each at the addresses that it was linked for. */
static Dwfl *symbols_of(const char *kernel, const char *program)
{
	Dwfl *d = dwfl_begin(&callbacks);

	if (!d || !dwfl_report_offline(d, "kernel", kernel, -1) ||
	    !dwfl_report_offline(d, "program", program, -1) ||
	    dwfl_report_end(d, NULL, NULL) != 0)
		die("%s: %s", kernel, dwfl_errmsg(-1));
	return d;
}

struct symbol_wanted {
	const char *name;
	uint64_t value;
};

static int look_for_symbol(Dwfl_Module *mod, void **data, const char *name,
			   Dwarf_Addr base, void *arg)
{
	struct symbol_wanted *w = arg;
	int n = dwfl_module_getsymtab(mod);

	(void)data, (void)base;
	if (strcmp(name, "program") != 0)
		return DWARF_CB_OK;
	for (int i = 0; i < n; i++) {
		GElf_Sym sym;
		GElf_Addr addr;
		const char *s = dwfl_module_getsym_info(mod, i, &sym, &addr,
							NULL, NULL, NULL);

		if (s && strcmp(s, w->name) == 0)
			w->value = addr;
	}
	return DWARF_CB_OK;
}

static uint64_t program_symbol(Dwfl *d, const char *name)
{
	struct symbol_wanted w = {name, 0};

	dwfl_getmodules(d, look_for_symbol, &w, 0);
	if (!w.value)
		die("entry: the program has no %s", name);
	return w.value;
}

static bool compiled_from_c(Dwfl_Module *mod, uint64_t pc)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = dwfl_module_addrdie(mod, pc, &bias);

	/* the unit found is the nearest one: it need not have pc in it */
	return cu && dwarf_haspc(cu, pc - bias) > 0 &&
	       dwarf_srclang(cu) != DW_LANG_Mips_Assembler;
}

/*
 * The symbol that pc belongs to, and its value.  libdwfl would also name ARM's
 * mapping symbols ($a, $t, $d: ELF for the ARM Architecture, 4.5.5), which only
 * tell code from data.
 */
static const char *symbol_at(Dwfl_Module *mod, uint64_t pc, uint64_t *value)
{
	GElf_Off offset;
	GElf_Sym sym;
	const char *best, *name;
	int n;

	best = dwfl_module_addrinfo(mod, pc, &offset, &sym, NULL, NULL, NULL);
	*value = pc - offset;
	if (!best || best[0] != '$')
		return best;
	best = NULL;
	n = dwfl_module_getsymtab(mod);
	for (int i = 0; i < n; i++) {
		GElf_Addr at;
		GElf_Word section;

		name = dwfl_module_getsym_info(mod, i, &sym, &at, &section,
					       NULL, NULL);
		if (!name || !name[0] || name[0] == '$' || at > pc ||
		    section == SHN_UNDEF || section == SHN_ABS ||
		    GELF_ST_TYPE(sym.st_info) > STT_FUNC)
			continue;
		if (!best || at > *value) {
			best = name;
			*value = at;
		}
	}
	return best;
}

/* Fill in what pc belongs to; *start: is it that symbol's first instruction? */
static void locate(Dwfl *d, uint64_t pc, struct stretch *s, bool *start)
{
	Dwfl_Module *mod = dwfl_addrmodule(d, pc);
	uint64_t value = 0;
	const char *name = mod ? symbol_at(mod, pc, &value) : NULL;
	Dwfl_Line *line = mod ? dwfl_module_getsrc(mod, pc) : NULL;
	const char *file;
	int number = 0;

	*s = (struct stretch){.is_c = mod && compiled_from_c(mod, pc)};
	/* GCC puts cold parts of a function elsewhere: NAME.cold */
	s->name = name ? strndup(name, strcspn(name, "."))
		       : xasprintf("%#llx", (unsigned long long)pc);
	*start = name && value == pc && !strchr(name, '.');
	file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL)
		    : NULL;
	s->file = file ? strdup(file) : NULL;
	s->line = (unsigned)number;
}

/* ---------------------------------------------------------------- the path */

static struct stretch *add_stretch(struct path *p, const struct stretch *s)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->at = realloc(p->at, p->cap * sizeof(p->at[0]));
		if (!p->at)
			die("out of memory");
	}
	p->at[p->n] = *s;
	return &p->at[p->n++];
}

/* The C functions that are under way, innermost last. */
struct calls {
	char *name[64];
	unsigned n;
	uint64_t sp; /* where the stack was when C began */
};

/* How deep in C is the instruction?  0: assembly, not called from C. */
static unsigned depth_of(struct calls *c, const struct stretch *s, bool start,
			 uint64_t sp)
{
	if (c->n == 0 && !s->is_c)
		return 0;
	if (c->n && !s->is_c && sp >= c->sp) { /* back where it was called */
		c->n = 0;
		return 0;
	}
	if (c->n == 0)
		c->sp = sp;
	if (!start)
		for (unsigned i = c->n; i > 0; i--)
			if (strcmp(c->name[i - 1], s->name) == 0) {
				c->n = i;
				return i;
			}
	if (c->n < 64)
		c->name[c->n++] = s->name;
	return c->n;
}

static void add_instruction(struct path *p, struct calls *calls, Dwfl *d,
			    uint64_t pc, uint64_t sp, const char *mode)
{
	struct stretch s, *last = p->n ? &p->at[p->n - 1] : NULL;
	bool start;

	locate(d, pc, &s, &start);
	s.mode = mode;
	s.depth = depth_of(calls, &s, start, sp);
	s.instructions = 1;
	/* names are kept: calls[] refers to them */
	if (last && last->depth == s.depth && last->mode == mode &&
	    strcmp(last->name, s.name) == 0 && !(start && s.is_c))
		last->instructions++;
	else
		add_stretch(p, &s);
}

/* From the store on, through the kernel, to the store again and past it. */
static void follow(struct gdb *g, const struct machine_kind *k, Dwfl *d,
		   struct path *p)
{
	struct calls calls = {.n = 0};
	unsigned char regs[REGISTER_BYTES];
	uint64_t pc, last = 0, sp;
	unsigned visits = 0;

	for (unsigned long i = 0; i < MAX_STEPS; i++) {
		if (!gdb_registers(g, regs, sizeof(regs)))
			die("entry: the machine does not answer");
		pc = value_of(regs, k->pc, k->bytes);
		sp = value_of(regs, k->sp, k->bytes);
		/* a string instruction stays where it is while it repeats */
		if (pc != last || pc == p->store) {
			if (p->n == 1)
				k->arrival(g, regs, p->arrival,
					   sizeof(p->arrival));
			if (pc == p->store && ++visits == 2)
				calls.n = 0;
			if (visits == 2 && pc != p->store)
				return;
			add_instruction(p, &calls, d, pc, sp,
					k->mode_text((uint32_t)value_of(
						regs, k->mode, 4)));
			p->total += pc != p->store;
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
	pid_t pid;
	int status;

	if (!mkdtemp(dir))
		die("%s: cannot be made", dir);
	socket = xasprintf("%s/gdb", dir);
	pid = start_run(k->arch, program, socket, o->levels);
	if (!gdb_connect(&g, socket, 20) || !gdb_break(&g, p->store, true) ||
	    !gdb_continue(&g, BOOT_LIMIT) || !gdb_break(&g, p->store, false)) {
		unlink(socket);
		rmdir(dir);
		die("entry: the program does not run in QEMU");
	}
	follow(&g, k, d, p);
	gdb_detach(&g);
	unlink(socket);
	rmdir(dir);
	free(socket);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		die("entry: the program did not end well");
}

/* -------------------------------------------------------------------- show */

/* C without --all: one line for the function that assembly called. */
static unsigned long inside(const struct path *p, size_t i, unsigned *functions)
{
	unsigned long n = 0;

	*functions = 0;
	for (; i < p->n && p->at[i].depth > 0; i++) {
		n += p->at[i].instructions;
		if (i == 0 || p->at[i].depth > p->at[i - 1].depth)
			++*functions;
	}
	return n;
}

static const char *from_top(const char *file)
{
	const char *p = file ? strstr(file, "/arch/") : NULL;

	if (!p && file)
		p = strstr(file, "/kernel/");
	return p ? p + 1 : file;
}

static void show_stretch(const struct path *p, size_t i,
			 const struct options *o)
{
	const struct stretch *s = &p->at[i];
	unsigned functions = 0;
	unsigned long n = s->instructions;

	if (s->depth > 1 && !o->all)
		return;
	if (s->depth == 1 && !o->all) {
		if (i && p->at[i - 1].depth > 0)
			return;
		n = inside(p, i, &functions);
	}
	printf("%-7s %6lu  %*s%s", s->mode, n, 2 * (int)s->depth, "", s->name);
	if (s->depth == 1 && !o->all)
		printf(": in C, %u calls", functions);
	if (o->source && s->file)
		printf("   [%s:%u]", from_top(s->file), s->line);
	putchar('\n');
}

static void show_path(const struct path *p, const struct machine_kind *k,
		      const struct options *o)
{
	printf("entry on %s: from the processor's vector to C and back to the "
	       "program, on the kernel\n\n",
	       k->arch);
	printf("access   the program's store at %#llx\n",
	       (unsigned long long)p->store);
	printf("arrival  %s\n\n", p->arrival);
	printf("mode    instructions\n");
	for (size_t i = 0; i < p->n; i++)
		show_stretch(p, i, o);
	printf("\ntotal    %lu instructions in the kernel\n", p->total);
}

static void show_path_json(const struct path *p, const struct machine_kind *k)
{
	printf("{\"name\":\"entry\",\"arch\":\"%s\",\"address\":\"%#llx\","
	       "\"arrival\":",
	       k->arch, (unsigned long long)p->store);
	json_put_string(stdout, p->arrival);
	printf(",\"instructions\":%lu,\"path\":[", p->total);
	for (size_t i = 0; i < p->n; i++) {
		const struct stretch *s = &p->at[i];

		printf("%s{\"mode\":\"%s\",\"label\":", i ? "," : "", s->mode);
		json_put_string(stdout, s->name);
		printf(",\"language\":\"%s\",\"depth\":%u,"
		       "\"instructions\":%lu}",
		       s->is_c ? "c" : "assembly", s->depth, s->instructions);
	}
	printf("]}\n");
}

void explain_entry(const struct options *o)
{
	const struct machine_kind *k = kind_of(o->arch);
	char *kernel = kernel_of(o->arch), *program = program_of(o->arch);
	Dwfl *d = symbols_of(kernel, program);
	struct path p = {.store = program_symbol(d, "the_store")};

	run_it(k, o, d, program, &p);
	if (o->json)
		show_path_json(&p, k);
	else
		show_path(&p, k, o);
	for (size_t i = 0; i < p.n; i++) {
		free(p.at[i].name);
		free(p.at[i].file);
	}
	free(p.at);
	dwfl_end(d);
	free(kernel);
	free(program);
}
