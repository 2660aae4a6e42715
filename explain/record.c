/* SPDX-License-Identifier: MIT */
/*
 * record.c - the call graph of one fault, as it happens.
 *
 * Each function of mm/ and arch/ is compiled with -finstrument-functions: it
 * calls __cyg_profile_func_enter() when its parameters are in place, and
 * __cyg_profile_func_exit() when its result is known.  Between the two it may
 * call quire_explain_step(), with what it has decided.
 *
 *   root --child--> do_page_fault --child--> handle_page_fault --next--> ...
 *                     argument[], result       step, change
 *
 * Values are put in words at once: a page's reference count is what it was
 * then.  At each of these moments the entries on the way to the address are
 * looked at too; one that is not what it was has been changed by the function
 * that was running: so the graph says who installs what, whoever that is.
 *
 * The result of a function is not given to __cyg_profile_func_exit().  It is
 * in the return register an instant later, so that call makes its caller
 * return to explain_return (return.S) first, which hands it over.
 *
 * What is structural, and shown without --all, is decided by rule:
 *   - who took a step or changed an entry on the way, and all who called it;
 *   - a function that is given one of the things a fault is about (the VMA, the
 *     fault's context, the address space, the registers, the task), unless it
 *     is a helper in a header that calls little itself;
 *   - what such a function calls for a service (allocator, rmap, slab), a call
 *     that leaves the file, but not what is behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "explain.h"

/* Helpers that call fewer functions than this are thin. */
#define THIN 3

static struct {
	bool on, busy;
	struct sim_machine *m;
	uaddr_t addr;
	struct node *root, *top;
	struct node *returning; /* its result is about to be known */
	void *return_to;	/* where its caller goes on */
	unsigned nr_levels;
	struct level level[MAX_LEVELS]; /* as last seen */
} rec;

void explain_return(void); /* return.S */
void *explain_returned(uint64_t result);
void __cyg_profile_func_enter(void *fn, void *site);
void __cyg_profile_func_exit(void *fn, void *site);
void quire_explain_step(const char *what);

static struct node *new_node(enum node_kind kind, struct node *parent)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		die("out of memory");
	n->kind = kind;
	n->parent = parent;
	n->last = &n->child;
	if (parent) {
		*parent->last = n;
		parent->last = &n->next;
	}
	return n;
}

static char *words(const struct fact_type *type, uint64_t value)
{
	char text[512];

	facts_text(type, value, text, sizeof(text));
	return text[0] ? strdup(text) : NULL;
}

/* What the function that runs has changed since the last look. */
static void look_at_entries(void)
{
	struct level now[MAX_LEVELS];
	unsigned n = tables_walk(rec.m, rec.addr, now);

	for (unsigned i = 0; i < n; i++) {
		struct level *was = &rec.level[i];

		if (now[i].folded || !now[i].reached)
			continue;
		if ((was->reached ? was->raw : 0) != now[i].raw) {
			struct node *c = new_node(NODE_CHANGE, rec.top);

			c->before = *was;
			if (!was->reached)
				c->before.raw = 0;
			c->after = now[i];
		}
	}
	memcpy(rec.level, now, sizeof(now));
	rec.nr_levels = n;
}

static uint64_t value_at(const char *cfa, long offset, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, cfa + offset, size < sizeof(v) ? size : sizeof(v));
	return v;
}

/* Its caller, an instrumented function, has its frame pointer here. */
#define CALLERS_FRAME() (*(char **)__builtin_frame_address(0))

void __cyg_profile_func_enter(void *fn, void *site)
{
	char *cfa = CALLERS_FRAME() + 2 * sizeof(void *);
	const struct function *f;
	struct node *n;

	(void)site;
	if (!rec.on || rec.busy)
		return;
	rec.busy = true;
	look_at_entries();
	f = symbols_function(fn);
	rec.top->calls++;
	n = new_node(NODE_CALL, rec.top);
	n->function = f;
	for (unsigned i = 0; i < f->nr_parameters; i++)
		n->argument[i] = words(&f->parameter[i].type,
				       value_at(cfa, f->parameter[i].offset,
						f->parameter[i].type.size));
	rec.top = n;
	rec.busy = false;
}

void __cyg_profile_func_exit(void *fn, void *site)
{
	void **return_address = (void **)(void *)CALLERS_FRAME() + 1;

	(void)site;
	/* a function that was left by a jump (a panic) never comes here */
	if (!rec.on || rec.busy || rec.top->kind != NODE_CALL ||
	    rec.top->function->address != fn)
		return;
	rec.busy = true;
	look_at_entries();
	rec.returning = rec.top;
	rec.top = rec.top->parent;
	rec.return_to = *return_address;
	*return_address = (void *)(uintptr_t)explain_return;
	rec.busy = false;
}

void *explain_returned(uint64_t result)
{
	const struct fact_type *type = &rec.returning->function->result;

	rec.busy = true;
	if (type->size && type->size < sizeof(result))
		result &= (1ull << 8 * type->size) - 1;
	if (type->kind != FACT_NONE)
		rec.returning->result = words(type, result);
	rec.busy = false;
	return rec.return_to;
}

void quire_explain_step(const char *what)
{
	if (!rec.on || rec.busy)
		return;
	rec.busy = true;
	look_at_entries();
	new_node(NODE_STEP, rec.top)->step = what;
	rec.busy = false;
}

void record_start(struct sim_machine *m, uaddr_t addr)
{
	memset(&rec, 0, sizeof(rec));
	rec.m = m;
	rec.addr = addr;
	rec.root = new_node(NODE_CALL, NULL);
	rec.top = rec.root;
	rec.nr_levels = tables_walk(m, addr, rec.level);
	rec.on = true;
}

struct node *record_stop(void)
{
	rec.on = false;
	return rec.root;
}

void record_free(struct node *n)
{
	while (n) {
		struct node *next = n->next;

		record_free(n->child);
		for (unsigned i = 0; i < MAX_PARAMETERS; i++)
			free(n->argument[i]);
		free(n->result);
		free(n);
		n = next;
	}
}

/* ------------------------------------------------------ what is structural */

/* The function that n serves: helpers on the way to it do not count. */
static const struct function *served(const struct node *n)
{
	do {
		n = n->parent;
	} while (n->function && n->function->in_header &&
		 !n->function->takes_part);
	return n->function;
}

static bool is_structural(const struct node *n)
{
	const struct function *f = n->function, *by = served(n);

	if (f->takes_part)
		return !f->in_header || n->calls >= THIN;
	if (f->in_header || !by || !by->takes_part)
		return !by;
	return strcmp(f->file, by->file) != 0;
}

/* It is shown, and so are those who called it. */
static void keep(struct node *n)
{
	for (; n && !n->structural; n = n->parent)
		n->structural = true;
}

void record_mark(struct node *n)
{
	struct node *p = n->parent;

	switch (n->kind) {
	case NODE_CALL:
		if (!p || is_structural(n))
			keep(n);
		break;
	case NODE_STEP:
		keep(p);
		break;
	case NODE_CHANGE:
		/* a helper that only stores the entry is none of ours */
		while (p->parent && p->function->in_header &&
		       !p->function->takes_part)
			p = p->parent;
		keep(p);
		break;
	}
	for (struct node *c = n->child; c; c = c->next)
		record_mark(c);
}
