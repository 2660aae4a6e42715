/* SPDX-License-Identifier: MIT */
/*
 * entry_show.c - the path through the kernel as text and as JSON.
 *
 * Without --all what is compiled from C is one line for each time that
 * assembly gives way to it, with the helpers in assembly that it calls.
 */
#include <string.h>

#include "cmd/json.h"
#include "entry.h"

static const char *from_top(const char *file)
{
	const char *p = file ? strstr(file, "/arch/") : NULL;

	if (!p && file)
		p = strstr(file, "/kernel/");
	return p ? p + 1 : file;
}

static void show_stretch(const struct stretch *s, const struct options *o)
{
	printf("%-7s %6lu  %*s%s", s->mode, s->instructions, 2 * (int)s->depth,
	       "", s->name);
	if (o->source && s->file)
		printf("   [%s:%u]", from_top(s->file), s->line);
	putchar('\n');
}

/* Does C call it, and go on afterwards: is it no exception's entry? */
static bool is_helper(const struct path *p, size_t i)
{
	return !p->at[i].is_c && p->at[i].begins && i > 0 && i + 1 < p->n &&
	       p->at[i - 1].is_c && p->at[i + 1].is_c;
}

/* The C from p->at[i] on up to the next assembly; returns where that is. */
static size_t show_c(const struct path *p, size_t i)
{
	const struct stretch *first = &p->at[i];
	unsigned long n = 0;
	unsigned calls = 0;

	for (; i < p->n && (p->at[i].is_c || is_helper(p, i)); i++) {
		n += p->at[i].instructions;
		calls += p->at[i].begins;
	}
	printf("%-7s %6lu  %*s%s: in C, %u call%s\n", first->mode, n,
	       2 * (int)first->depth, "", first->name, calls,
	       calls == 1 ? "" : "s");
	return i;
}

static void show_text(const struct path *p, const struct options *o)
{
	printf("%s on %s: %s\n\n", p->kind->name, p->arch, p->kind->tells);
	printf("from     %s, at %#llx of the program\n", p->kind->from,
	       (unsigned long long)p->from);
	if (p->arrival[0])
		printf("arrival  %s\n", p->arrival);
	printf("\nmode    instructions\n");
	for (size_t i = 0; i < p->n;) {
		if (p->at[i].is_c && !o->all)
			i = show_c(p, i);
		else
			show_stretch(&p->at[i++], o);
	}
	printf("\ntotal    %lu instructions in the kernel\n", p->total);
}

static void show_json(const struct path *p)
{
	printf("{\"name\":\"%s\",\"arch\":\"%s\",\"address\":\"%#llx\","
	       "\"arrival\":",
	       p->kind->name, p->arch, (unsigned long long)p->from);
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

void entry_show(const struct path *p, const struct options *o)
{
	if (o->json)
		show_json(p);
	else
		show_text(p, o);
}
