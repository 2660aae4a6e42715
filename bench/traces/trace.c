/* SPDX-License-Identifier: MIT */
/*
 * trace.c - reads page traces (trace.h), and says what the two policies that
 * need no machine make of them: the optimum, which knows the future, and LRU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

/* ----------------------------------------------------------------- reading */

static int bad(const char *path, const char *what)
{
	fprintf(stderr, "trace: %s: %s\n", path, what);
	return -1;
}

/* One line of the header; 0 at the empty one, -1: not a line of it. */
static int header_line(struct trace *t, const char *line)
{
	unsigned long n;
	char name[64] = "";

	if (line[0] == '\n')
		return 0;
	if (sscanf(line, "program %127[^\n]", t->program) == 1)
		return 1;
	if (sscanf(line, "window %lu", &n) == 1) {
		t->window = (uint32_t)n;
		return 1;
	}
	if (sscanf(line, "accesses %lu", &n) == 1) {
		t->accesses = n;
		return 1;
	}
	if (sscanf(line, "records %lu", &n) == 1) {
		t->records = n;
		return n <= UINT32_MAX ? 1 : -1;
	}
	if (sscanf(line, "anon %lu", &n) == 1 && !t->pages) {
		t->anon = t->pages = (uint32_t)n;
		return n < 1u << 31 ? 1 : -1;
	}
	if (sscanf(line, "file %lu %63[^\n]", &n, name) < 1 ||
	    t->files == TRACE_FILES || n >= 1u << 31 || t->pages >= 1u << 31)
		return -1;
	t->first[t->files] = t->pages;
	t->length[t->files] = (uint32_t)n;
	memcpy(t->name[t->files++], name, sizeof(name));
	t->pages += (uint32_t)n;
	return 1;
}

static bool get_number(FILE *f, uint64_t *v)
{
	unsigned shift = 0;
	int c;

	*v = 0;
	do {
		c = getc(f);
		if (c == EOF || shift > 56)
			return false;
		*v |= (uint64_t)(c & 127) << shift;
		shift += 7;
	} while (c & 128);
	return true;
}

static bool get_record(FILE *f, struct trace *t, int64_t *page,
		       struct trace_record *r)
{
	uint64_t v, n = 1;
	int64_t z;

	if (!get_number(f, &v))
		return false;
	r->op = v & 7;
	z = (int64_t)(v >> 3);
	*page += z & 1 ? -(z >> 1) - 1 : z >> 1;
	if (r->op >= TRACE_OPS || *page < 0 || *page >= t->pages)
		return false;
	if (r->op == TRACE_DROP &&
	    (!get_number(f, &n) || !n || n > t->pages - (uint64_t)*page))
		return false;
	r->page = (uint32_t)*page;
	r->count = (uint32_t)n;
	return true;
}

static int load(struct trace *t, const char *path, FILE *f)
{
	char line[256], *seen;
	int64_t page = 0;
	int more = 1;
	size_t i;

	if (!fgets(line, sizeof(line), f) ||
	    strcmp(line, "quire page trace 1\n") != 0)
		return bad(path, "not a page trace");
	while (more > 0 && fgets(line, sizeof(line), f))
		more = header_line(t, line);
	if (more)
		return bad(path, "bad header");
	t->record = calloc(t->records + 1, sizeof(*t->record));
	seen = calloc(t->pages + 1, 1);
	for (i = 0; t->record && seen && i < t->records; i++) {
		struct trace_record *r = &t->record[i];

		if (!get_record(f, t, &page, r))
			break;
		if (r->op != TRACE_DROP && !seen[r->page]) {
			seen[r->page] = 1;
			t->touched++;
		}
	}
	if (!t->record || !seen || i < t->records || getc(f) != EOF) {
		free(seen);
		return bad(path, "cut short, or a bad record");
	}
	free(seen);
	return 0;
}

int trace_load(struct trace *t, const char *path)
{
	bool packed =
		strlen(path) > 3 && !strcmp(path + strlen(path) - 3, ".xz");
	char command[4200];
	FILE *f;
	int r;

	memset(t, 0, sizeof(*t));
	if (strlen(path) > 4096 || strchr(path, '\''))
		return bad(path, "what a name");
	snprintf(command, sizeof(command), "xz -dc '%s'", path);
	f = packed ? popen(command, "r") : fopen(path, "r");
	if (!f)
		return bad(path, strerror(errno));
	r = load(t, path, f);
	if ((packed ? pclose(f) : fclose(f)) && !r)
		r = bad(path, "xz failed");
	if (r)
		trace_free(t);
	return r;
}

void trace_free(struct trace *t)
{
	free(t->record);
	t->record = NULL;
}

/* --------------------------------------------------------------- optimum */

#define NEVER UINT32_MAX

/*
 * Resident pages by their next use: a heap, the last on top.  A page that is
 * used gets a new entry; an old one is known by its not being the page's
 * present next use, and thrown away when it comes to the top.
 */
struct ahead {
	uint32_t next, page;
};
struct min_state {
	uint32_t *next;	     /* by record: the page's next use, or NEVER */
	uint32_t *page_next; /* by page, of the last use so far */
	uint8_t *in;	     /* by page: 0 not in, 1 in memory, 2 was */
	struct ahead *heap;
	size_t n;
};

static void heap_push(struct min_state *s, struct ahead a)
{
	size_t i = s->n++, up;

	for (; i; i = up) {
		up = (i - 1) / 2;
		if (s->heap[up].next >= a.next)
			break;
		s->heap[i] = s->heap[up];
	}
	s->heap[i] = a;
}

static struct ahead heap_pop(struct min_state *s)
{
	struct ahead top = s->heap[0], a = s->heap[--s->n];
	size_t i = 0, c;

	while ((c = 2 * i + 1) < s->n) {
		if (c + 1 < s->n && s->heap[c + 1].next > s->heap[c].next)
			c++;
		if (a.next >= s->heap[c].next)
			break;
		s->heap[i] = s->heap[c];
		i = c;
	}
	s->heap[i] = a;
	return top;
}

/* From the end: when each record's page is used next. */
static void find_next(const struct trace *t, struct min_state *s)
{
	uint32_t i, p;

	for (p = 0; p < t->pages; p++)
		s->page_next[p] = NEVER;
	for (i = (uint32_t)t->records; i-- > 0;) {
		const struct trace_record *r = &t->record[i];

		s->next[i] = s->page_next[r->page];
		for (p = r->page; p < r->page + r->count; p++)
			s->page_next[p] = r->op == TRACE_DROP ? NEVER : i;
	}
}

static void evict_last(struct min_state *s)
{
	struct ahead a;

	do
		a = heap_pop(s);
	while (s->in[a.page] != 1 || s->page_next[a.page] != a.next);
	s->in[a.page] = 2;
}

static void play_min(const struct trace *t, struct min_state *s,
		     uint32_t frames, struct trace_misses *out)
{
	uint32_t i, p, used = 0;

	for (i = 0; i < t->records; i++) {
		const struct trace_record *r = &t->record[i];

		if (r->op == TRACE_DROP) {
			for (p = r->page; p < r->page + r->count; p++) {
				used -= s->in[p] == 1;
				s->in[p] = 0;
			}
			continue;
		}
		p = r->page;
		if (s->in[p] != 1) {
			if (s->in[p])
				out->again++;
			else
				out->cold++;
			if (used == frames)
				evict_last(s);
			else
				used++;
			s->in[p] = 1;
		}
		s->page_next[p] = s->next[i];
		heap_push(s, (struct ahead){.next = s->next[i], .page = p});
	}
}

int trace_min(const struct trace *t, uint32_t frames, struct trace_misses *out)
{
	struct min_state s = {
		.next = calloc(t->records + 1, sizeof(*s.next)),
		.page_next = calloc(t->pages + 1, sizeof(*s.page_next)),
		.in = calloc(t->pages + 1, 1),
		.heap = calloc(t->records + 1, sizeof(*s.heap)),
	};
	int r = -1;

	memset(out, 0, sizeof(*out));
	if (frames && s.next && s.page_next && s.in && s.heap) {
		find_next(t, &s);
		play_min(t, &s, frames, out);
		r = 0;
	}
	free(s.next);
	free(s.page_next);
	free(s.in);
	free(s.heap);
	return r;
}

/* -------------------------------------------------------------------- LRU */

/* A ring through all pages in memory and, at number t->pages, its head. */
struct lru_state {
	uint32_t *prev, *next;
	uint8_t *in;
};

static void ring_add(struct lru_state *s, uint32_t head, uint32_t p)
{
	s->next[p] = s->next[head];
	s->prev[p] = head;
	s->prev[s->next[p]] = p;
	s->next[head] = p;
}

static void ring_del(struct lru_state *s, uint32_t p)
{
	s->next[s->prev[p]] = s->next[p];
	s->prev[s->next[p]] = s->prev[p];
}

static void play_lru(const struct trace *t, struct lru_state *s,
		     uint32_t frames, struct trace_misses *out)
{
	uint32_t head = t->pages, used = 0, p, old;
	size_t i;

	s->prev[head] = s->next[head] = head;
	for (i = 0; i < t->records; i++) {
		const struct trace_record *r = &t->record[i];

		for (p = r->page; p < r->page + r->count; p++) {
			if (s->in[p] == 1) {
				ring_del(s, p);
				used--;
			}
			if (r->op == TRACE_DROP) {
				s->in[p] = 0;
				continue;
			}
			out->cold += !s->in[p];
			out->again += s->in[p] == 2;
			if (used == frames) {
				old = s->prev[head];
				ring_del(s, old);
				s->in[old] = 2;
				used--;
			}
			ring_add(s, head, p);
			s->in[p] = 1;
			used++;
		}
	}
}

int trace_lru(const struct trace *t, uint32_t frames, struct trace_misses *out)
{
	struct lru_state s = {
		.prev = calloc(t->pages + 1, sizeof(*s.prev)),
		.next = calloc(t->pages + 1, sizeof(*s.next)),
		.in = calloc(t->pages + 1, 1),
	};
	int r = -1;

	memset(out, 0, sizeof(*out));
	if (frames && s.prev && s.next && s.in) {
		play_lru(t, &s, frames, out);
		r = 0;
	}
	free(s.prev);
	free(s.next);
	free(s.in);
	return r;
}
