/* SPDX-License-Identifier: MIT */
/*
 * show_json.c - the same as JSON (docs/explain.md describes it).  Here every
 * fact is told at each call.
 */
#include "cmd/json.h"
#include "explain.h"

#define TEXT 640

static void put_name(FILE *f, const char *name, const char *text)
{
	fprintf(f, "\"%s\":", name);
	json_put_string(f, text);
}

static void put_level(FILE *f, const struct level *l)
{
	char text[TEXT] = "";

	if (l->reached)
		tables_entry_text(l->name, l->raw, text, sizeof(text));
	fprintf(f, "{\"level\":\"%s\",\"at\":\"%#llx\",\"value\":\"%#llx\",",
		l->name, (unsigned long long)l->at, (unsigned long long)l->raw);
	put_name(f, "text", text);
	fputc('}', f);
}

static void put_levels(FILE *f, const char *name, const struct story *s,
		       const struct level *level)
{
	const char *between = "";

	fprintf(f, "\"%s\":[", name);
	for (unsigned i = 0; i < s->nr_levels; i++) {
		if (level[i].folded || !level[i].reached)
			continue;
		fputs(between, f);
		put_level(f, &level[i]);
		between = ",";
	}
	fputc(']', f);
}

static bool put_nodes(FILE *f, const struct node *parent, bool first,
		      const struct options *o);

static void put_call(FILE *f, const struct node *n, const struct options *o)
{
	const struct function *fn = n->function;
	const char *between = "";

	fputc('{', f);
	put_name(f, "function", fn->name);
	fputc(',', f);
	put_name(f, "file", fn->file);
	fprintf(f, ",\"line\":%u,\"arguments\":{", fn->line);
	for (unsigned i = 0; i < fn->nr_parameters; i++) {
		if (!n->argument[i])
			continue;
		fputs(between, f);
		put_name(f, fn->parameter[i].name, n->argument[i]);
		between = ",";
	}
	fputc('}', f);
	if (n->result) {
		fputc(',', f);
		put_name(f, "returns", n->result);
	}
	fputs(",\"inside\":[", f);
	put_nodes(f, n, true, o);
	fputs("]}", f);
}

static void put_change(FILE *f, const struct node *n)
{
	fprintf(f, "{\"entry\":\"%s\",\"from\":", n->after.name);
	put_level(f, &n->before);
	fputs(",\"to\":", f);
	put_level(f, &n->after);
	fputc('}', f);
}

/* What happened in `parent`; true: nothing was written yet. */
static bool put_nodes(FILE *f, const struct node *parent, bool first,
		      const struct options *o)
{
	for (const struct node *n = parent->child; n; n = n->next) {
		if (n->kind == NODE_CALL && !n->structural && !o->all) {
			first = put_nodes(f, n, first, o);
			continue;
		}
		if (!first)
			fputc(',', f);
		first = false;
		if (n->kind == NODE_CALL) {
			put_call(f, n, o);
		} else if (n->kind == NODE_STEP) {
			fputc('{', f);
			put_name(f, "step", n->step);
			fputc('}', f);
		} else {
			put_change(f, n);
		}
	}
	return first;
}

static void put_fault(FILE *f, const struct quire_event *end)
{
	const struct fact_type type = {FACT_FAULT, 4, NULL};
	char text[TEXT];

	facts_text(&type, (uint64_t)end->result, text, sizeof(text));
	fputc('{', f);
	put_name(f, "kind", quire_fault_kind_name(end->kind));
	fprintf(f, ",\"error\":%u,\"address\":\"%#llx\",", end->error,
		(unsigned long long)end->addr);
	put_name(f, "result", text);
	fputc('}', f);
}

void show_story_json(const struct story *s, const struct options *o, FILE *f)
{
	char text[TEXT];

	fputc('{', f);
	put_name(f, "name", s->scenario->name);
	fputc(',', f);
	put_name(f, "arch", o->arch);
	fputc(',', f);
	put_name(f, "description", s->scenario->tells);
	fprintf(f, ",\"access\":\"%s\",\"mode\":\"%s\",\"address\":\"%#llx\",",
		access_name(s->scenario),
		s->scenario->mode & SIM_KERNEL ? "kernel" : "user",
		(unsigned long long)s->addr);
	put_name(f, "mapping", s->vma_before);
	fputc(',', f);
	put_name(f, "mapping_after", s->vma_after);
	fputc(',', f);
	put_levels(f, "before", s, s->before);
	fputs(",\"calls\":[", f);
	put_nodes(f, s->calls, true, o);
	fputs("],", f);
	put_levels(f, "after", s, s->after);
	fputs(",\"faults\":[", f);
	for (unsigned i = 0; i < s->nr_ends; i++) {
		if (i)
			fputc(',', f);
		put_fault(f, &s->end[i]);
	}
	outcome_text(s, text, sizeof(text));
	fputs("],", f);
	put_name(f, "outcome", text);
	fputc(',', f);
	put_name(f, "counted", s->counted);
	fputs("}\n", f);
}
