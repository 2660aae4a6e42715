/* SPDX-License-Identifier: MIT */
/*
 * explain-FORMAT: what `quire explain` runs for one page-table format
 * (cmd/explain.c picks it).
 *
 * A program of its own for each format, since each has the whole core in it
 * under the same names, instrumented, and so that quire itself needs neither
 * that nor elfutils.
 *
 *	options -> scenarios of that name -> for each: a machine, its stage set,
 *	  tables, record on, one access, record off, tables -> shown
 */
#include <stdlib.h>
#include <string.h>

#include <fault.h>

#include "entry.h"

#define EXIT_QUIRE 125

static const char help[] =
	"usage: quire explain [OPTION...] KIND...\n"
	"\n"
	"Runs a fault of this kind on a simulated machine and prints the "
	"calls\n"
	"that answered it, what each decided, and the page tables before and\n"
	"after.  Without a KIND: the list of them.  all: each in turn.\n"
	"\n"
	"  --arch NAME      x86_64, i386, i386-pae, armv7 or armv6 (x86_64)\n"
	"  --levels 4|5     page-table levels of x86_64 (4)\n"
	"  -a, --all        every function, small helpers and locks too\n"
	"  -s, --source     where each function is defined\n"
	"  --json           as JSON\n"
	"  -l, --list       the kinds\n"
	"  -h, --help       this text\n";

_Noreturn void die(const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("quire: explain: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_QUIRE);
}

/* ------------------------------------------------------------ one scenario */

static void on_event(void *cookie, const struct quire_event *ev)
{
	struct story *s = cookie;

	if (ev->type == QE_FAULT_BEGIN)
		s->begin = *ev;
	if (ev->type == QE_FAULT_END &&
	    s->nr_ends < sizeof(s->end) / sizeof(s->end[0]))
		s->end[s->nr_ends++] = *ev;
}

static char *vma_words(struct stage *g)
{
	const struct fact_type type = {FACT_VMA, sizeof(void *), NULL};
	struct vm_area_struct *vma = find_vma(g->t->qt.mm, g->addr);
	char text[512] = "";

	if (vma && vma->vm_start <= g->addr)
		facts_text(&type, (uintptr_t)vma, text, sizeof(text));
	return strdup(text);
}

static void counters(struct sim_machine *m, uint64_t *value)
{
	for (unsigned i = 0; quire_vmstat_name(i); i++)
		value[i] = quire_vmstat(sim_quire(m), i);
}

static char *counters_moved(const uint64_t *was, const uint64_t *is)
{
	char text[2048] = "";

	for (unsigned i = 0; quire_vmstat_name(i); i++)
		if (was[i] != is[i])
			append(text, sizeof(text), "%s%s %+lld",
			       text[0] ? ", " : "", quire_vmstat_name(i),
			       (long long)(is[i] - was[i]));
	return strdup(text);
}

static struct sim_machine *make_machine(const struct options *o)
{
	struct sim_config config = {.levels = o->levels};
	struct sim_machine *m;

	config.smap = this_format == ON_X86_64;
	config.smep = config.smap;
	if (strcmp(o->arch, "armv6") == 0)
		config.arm_version = 6;
	m = sim_machine_create(&config);
	if (!m)
		die("no machine");
	sim_quiet(m, true);
	facts_init(sim_quire(m));
	return m;
}

static void play(const struct scenario *sc, struct stage *g, struct story *s)
{
	uint64_t was[256], is[256];
	uint8_t byte = 1;

	s->scenario = sc;
	sim_run(g->t);
	sc->set_up(g);
	sim_run(g->t);
	s->addr = g->addr;
	s->vma_before = vma_words(g);
	s->nr_levels = tables_walk(g->m, g->addr, s->before);
	counters(g->m, was);
	if (sc->before)
		sc->before(g);
	sim_trace(g->m, on_event, s);
	record_start(g->m, g->addr);
	s->outcome = sim_access(g->t, sc->access, sc->mode, g->addr, &byte, 1);
	s->calls = record_stop();
	sim_trace(g->m, NULL, NULL);
	sim_inject_reset(g->m);
	s->sig = g->t->sig;
	tables_walk(g->m, g->addr, s->after);
	counters(g->m, is);
	s->counted = counters_moved(was, is);
	s->vma_after = vma_words(g);
	record_mark(s->calls);
}

/* Was it what the scenario is there to show? */
static bool as_promised(const struct scenario *sc, const struct story *s)
{
	for (unsigned i = 0; i < s->nr_ends; i++)
		if (s->end[i].kind == sc->kind)
			return true;
	fprintf(stderr, "quire: explain: %s: the fault was answered as %s\n",
		sc->name,
		s->nr_ends ? quire_fault_kind_name(s->end[0].kind) : "none");
	return false;
}

static bool explain(const struct scenario *sc, const struct options *o)
{
	struct stage g = {.m = make_machine(o)};
	struct story s = {0};
	bool ok;

	g.t = sim_task_create(g.m);
	if (!g.t)
		die("no task");
	play(sc, &g, &s);
	if (o->json)
		show_story_json(&s, o, stdout);
	else
		show_story(&s, o, stdout);
	ok = as_promised(sc, &s);
	record_free(s.calls);
	free(s.vma_before);
	free(s.vma_after);
	free(s.counted);
	sim_machine_abandon(g.m);
	return ok;
}

/* ----------------------------------------------------------------- options */

static bool is_there(const struct scenario *sc)
{
	return sc->on & this_format;
}

static void list(void)
{
	const struct scenario *sc;

	for (unsigned i = 0; (sc = scenario_at(i)); i++)
		if (is_there(sc))
			printf("%-18s %s\n", sc->name, sc->tells);
	if (this_format & (ON_X86_64 | ON_ARM))
		for (const struct entry_kind *k = entry_kinds; k->name; k++)
			printf("%-18s %s\n", k->name, k->tells);
}

/* The scenario of this name; or all that end in the kind of this name. */
static bool explain_named(const char *name, const struct options *o)
{
	bool every = strcmp(name, "all") == 0, ok = true;
	const struct scenario *sc;
	unsigned shown = 0;

	for (unsigned i = 0; (sc = scenario_at(i)); i++)
		if (is_there(sc) && strcmp(sc->name, name) == 0)
			return explain(sc, o);
	for (unsigned i = 0; (sc = scenario_at(i)); i++) {
		if (!is_there(sc) ||
		    (!every &&
		     strcmp(quire_fault_kind_name(sc->kind), name) != 0))
			continue;
		if (shown++ && !o->json)
			putchar('\n');
		ok &= explain(sc, o);
	}
	if (!shown)
		die("there is no kind %s on %s (quire explain --list lists "
		    "them)",
		    name, o->arch);
	return ok;
}

static bool is_option(const char *word, char letter, const char *name)
{
	return (word[0] == '-' && word[1] == letter && !word[2]) ||
	       (strncmp(word, "--", 2) == 0 && strcmp(word + 2, name) == 0);
}

/* --levels N or --levels=N; returns how many words it took. */
static int levels_option(char **argv, struct options *o)
{
	const char *v = argv[0][8] == '=' ? argv[0] + 9 : argv[1];

	if (!v)
		die("--levels needs a value");
	if (strcmp(v, "4") != 0 && strcmp(v, "5") != 0)
		die("--levels %s: 4 or 5 is expected", v);
	if (this_format != ON_X86_64)
		die("--levels: %s has its own number", this_arch);
	o->levels = (unsigned)(v[0] - '0');
	return v == argv[1] ? 2 : 1;
}

/* quire has looked at --arch, and so started this program. */
static int arch_option(char **argv, struct options *o)
{
	o->arch = argv[0][6] == '=' ? argv[0] + 7 : argv[1];
	if (!o->arch)
		die("--arch needs a value");
	return o->arch == argv[1] ? 2 : 1;
}

/* Is it --NAME or --NAME=VALUE? */
static bool takes_value(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && (!word[n] || word[n] == '=');
}

/* Returns where the kinds begin; 0: all is done. */
static int parse(int argc, char **argv, struct options *o)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-') {
		if (takes_value(argv[i], "--levels")) {
			i += levels_option(argv + i, o);
			continue;
		}
		if (takes_value(argv[i], "--arch")) {
			i += arch_option(argv + i, o);
			continue;
		}
		if (is_option(argv[i], 'a', "all"))
			o->all = true;
		else if (is_option(argv[i], 's', "source"))
			o->source = true;
		else if (is_option(argv[i], 0, "json"))
			o->json = true;
		else if (is_option(argv[i], 'h', "help"))
			return fputs(help, stdout), 0;
		else if (is_option(argv[i], 'l', "list"))
			return list(), 0;
		else
			die("there is no option %s (quire explain --help "
			    "lists them)",
			    argv[i]);
		i++;
	}
	if (i == argc)
		return list(), 0;
	return i;
}

int main(int argc, char **argv)
{
	struct options o = {.arch = this_arch};
	bool ok = true;
	int i = parse(argc, argv, &o);

	if (i == 0)
		return fflush(stdout) == 0 ? 0 : EXIT_QUIRE;
	symbols_init();
	for (; i < argc; i++)
		ok &= explain_entry(argv[i], &o) || explain_named(argv[i], &o);
	if (fflush(stdout) != 0)
		die("cannot write to standard output");
	return ok ? 0 : 1;
}
