/* SPDX-License-Identifier: MIT */
/*
 * show.c - one fault as text: what was asked, the tables before, the calls
 * with what each decided and changed, the tables after, what came of it.
 *
 *	function(argument: fact, ...) = result    a call, what it calls below
 *	- text                                    what it decided
 *	* pte: empty -> frame 0x6b ...            an entry that it changed
 *
 * A fact is told once: an argument whose words were printed already is left
 * out, until they change.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"

#define TEXT 640

/* ------------------------------------------------------------ told already */

static struct {
	const char **text;
	size_t n, cap;
} told;

/* Were these words printed before?  From now on they were. */
static bool told_before(const char *text)
{
	for (size_t i = 0; i < told.n; i++)
		if (strcmp(told.text[i], text) == 0)
			return true;
	if (told.n == told.cap) {
		told.cap = told.cap ? 2 * told.cap : 64;
		told.text = realloc(told.text, told.cap * sizeof(told.text[0]));
		if (!told.text)
			die("out of memory");
	}
	told.text[told.n++] = text;
	return false;
}

/* ------------------------------------------------------------------- calls */

/* Facts that only --all shows. */
static bool is_detail(enum fact_kind kind)
{
	switch (kind) {
	case FACT_VMA:
	case FACT_VMF:
	case FACT_PAGE:
	case FACT_REGS:
	case FACT_FAULT:
	case FACT_ADDRESS:
	case FACT_ACCESS:
	case FACT_ERROR:
		return false;
	default:
		return true;
	}
}

static bool is_detail_of_result(enum fact_kind kind)
{
	return is_detail(kind) && kind != FACT_BOOL && kind != FACT_SIGNED;
}

static void show_arguments(const struct node *n, const struct options *o,
			   FILE *f)
{
	const char *between = "(";

	for (unsigned i = 0; i < n->function->nr_parameters; i++) {
		enum fact_kind kind = n->function->parameter[i].type.kind;

		if (!n->argument[i] || (!o->all && is_detail(kind)) ||
		    told_before(n->argument[i]))
			continue;
		fprintf(f, "%s%s: %s", between, n->function->parameter[i].name,
			n->argument[i]);
		between = ", ";
	}
	if (between[0] == ',')
		fputc(')', f);
}

static void show_change(const struct node *n, FILE *f)
{
	char from[TEXT] = "", to[TEXT] = "";

	if (n->before.reached)
		tables_entry_text(n->before.name, n->before.raw, from,
				  sizeof(from));
	else /* the table that it is in was not on the way */
		append(from, sizeof(from), "-");
	tables_entry_text(n->after.name, n->after.raw, to, sizeof(to));
	fprintf(f, "* %s: %s -> %s\n", n->after.name, from, to);
}

static void show_call(const struct node *n, const struct options *o, FILE *f)
{
	fputs(n->function->name, f);
	show_arguments(n, o, f);
	if (n->result &&
	    (o->all || !is_detail_of_result(n->function->result.kind)))
		fprintf(f, " = %s", n->result);
	if (o->source)
		fprintf(f, "   [%s:%u]", n->function->file, n->function->line);
	fputc('\n', f);
}

/* Nothing was decided or changed in it. */
static bool is_quiet(const struct node *n)
{
	for (const struct node *c = n->child; c; c = c->next)
		if (c->kind != NODE_CALL || !is_quiet(c))
			return false;
	return true;
}

static void show_more(unsigned n, const char *name, unsigned depth, FILE *f)
{
	if (n)
		fprintf(f, "%*s%s, %u time%s more\n", 2 * (int)depth, "", name,
			n, n == 1 ? "" : "s");
}

/*
 * What happened in `parent`.  A function that is called over and over with
 * nothing to tell is shown once and counted.
 */
static void show_nodes(const struct node *parent, unsigned depth,
		       const struct options *o, FILE *f)
{
	const struct function *last = NULL;
	unsigned more = 0;

	for (const struct node *n = parent->child; n; n = n->next) {
		bool shown = n->kind != NODE_CALL || n->structural || o->all;

		if (!shown) { /* what it changed is told by who called it */
			show_nodes(n, depth, o, f);
			continue;
		}
		if (n->kind == NODE_CALL && n->function == last && !o->all &&
		    is_quiet(n)) {
			more++;
			continue;
		}
		show_more(more, last ? last->name : "", depth, f);
		more = 0;
		last = n->kind == NODE_CALL ? n->function : NULL;
		fprintf(f, "%*s", 2 * (int)depth, "");
		if (n->kind == NODE_STEP)
			fprintf(f, "- %s\n", n->step);
		else if (n->kind == NODE_CHANGE)
			show_change(n, f);
		else
			show_call(n, o, f);
		show_nodes(n, depth + 1, o, f);
	}
	show_more(more, last ? last->name : "", depth, f);
}

/* ------------------------------------------------------------------ tables */

static void show_levels(const struct story *s, const struct level *level,
			const struct level *was, FILE *f)
{
	for (unsigned i = 0; i < s->nr_levels; i++) {
		const struct level *l = &level[i];
		char text[TEXT] = "";

		if (l->folded) {
			fprintf(f, "  %s  folded\n", l->name);
			continue;
		}
		if (!l->reached) {
			fprintf(f, "  %s  -\n", l->name);
			continue;
		}
		tables_entry_text(l->name, l->raw, text, sizeof(text));
		fprintf(f, "  %s  at %#llx: 0x%0*llx  %s%s\n", l->name,
			(unsigned long long)l->at, 2 * (int)tables_entry_bytes,
			(unsigned long long)l->raw, text,
			was && (was[i].reached ? was[i].raw : 0) != l->raw
				? "  <- changed"
				: "");
	}
}

/* -------------------------------------------------------------- the outcome */

const char *access_name(const struct scenario *s)
{
	switch (s->access) {
	case SIM_WRITE:
		return "write";
	case SIM_FETCH:
		return "instruction fetch";
	default:
		return "read";
	}
}

static void signal_text(const struct quire_signal *sig, char *text, size_t size)
{
	const char *code = "";

	if (sig->signo == SIGSEGV)
		code = sig->code == QUIRE_SEGV_MAPERR	? " SEGV_MAPERR"
		       : sig->code == QUIRE_SEGV_ACCERR ? " SEGV_ACCERR"
							: "";
	else if (sig->signo == SIGBUS)
		code = sig->code == QUIRE_BUS_ADRERR	  ? " BUS_ADRERR"
		       : sig->code == QUIRE_BUS_ADRALN	  ? " BUS_ADRALN"
		       : sig->code == QUIRE_BUS_OBJERR	  ? " BUS_OBJERR"
		       : sig->code == QUIRE_BUS_MCEERR_AR ? " BUS_MCEERR_AR"
							  : "";
	append(text, size, "SIG%s%s, address %#llx", sigabbrev_np(sig->signo),
	       code, (unsigned long long)sig->addr);
}

void outcome_text(const struct story *s, char *text, size_t size)
{
	text[0] = '\0';
	switch (s->outcome) {
	case 0:
		append(text, size, "done");
		break;
	case SIM_OOM:
		append(text, size, "out of memory");
		break;
	case SIM_LOOP:
		append(text, size, "faults for ever");
		break;
	case SIM_OOPS:
		append(text, size, "the kernel's oops");
		break;
	case SIM_EFAULT:
		append(text, size, "the kernel goes on with -EFAULT");
		break;
	default:
		signal_text(&s->sig, text, size);
	}
}

void show_story(const struct story *s, const struct options *o, FILE *f)
{
	const struct scenario *sc = s->scenario;
	char text[TEXT];

	told.n = 0;
	fprintf(f, "%s on %s: %s\n\n", sc->name, o->arch, sc->tells);
	fprintf(f, "access   %s of address %#llx in %s mode\n", access_name(sc),
		(unsigned long long)s->addr,
		sc->mode & SIM_KERNEL ? "kernel" : "user");
	fprintf(f, "mapping  %s\n", s->vma_before[0] ? s->vma_before : "none");
	fprintf(f, "tables before\n");
	show_levels(s, s->before, NULL, f);
	fputc('\n', f);
	show_nodes(s->calls, 0, o, f);
	fprintf(f, "\ntables after\n");
	show_levels(s, s->after, s->before, f);
	if (strcmp(s->vma_before, s->vma_after) != 0)
		fprintf(f, "mapping  %s\n",
			s->vma_after[0] ? s->vma_after : "none");
	for (unsigned i = 0; i < s->nr_ends; i++) {
		const struct fact_type type = {FACT_FAULT, 4, NULL};

		facts_text(&type, (uint64_t)s->end[i].result, text,
			   sizeof(text));
		fprintf(f, "fault    %s, result %s\n",
			quire_fault_kind_name(s->end[i].kind), text);
	}
	outcome_text(s, text, sizeof(text));
	fprintf(f, "access   %s\n", text);
	if (s->counted[0])
		fprintf(f, "counted  %s\n", s->counted);
}
