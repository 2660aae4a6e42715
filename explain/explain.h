/* SPDX-License-Identifier: MIT */
/*
 * explain.h - what the files of explain/ share.
 *
 *   scenarios.c   what provokes each kind of fault (special.c: on an entry
 *                 that is neither a page nor a slot of swap)
 *   record.c      the call graph of one, as the instrumented code makes it
 *   symbols.c     functions, arguments and types: from this program's own
 *                 symbol table and debug information
 *   facts.c       values as a reader wants them, by their type
 *   tables_*.c    one page-table format: levels, bits, error codes
 *   show.c        all of it as text              show_json.c   as JSON
 *   entry*.c      the exception entry of the kernel, in QEMU (gdb.c)
 *
 * One machine, one thread: nothing is locked.
 */
#ifndef QUIRE_EXPLAIN_H
#define QUIRE_EXPLAIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <asm/pgtable_types.h>
#include <sim/sim.h>

/* ---------------------------------------------------------------- symbols */

/* What is known of a value by its type (symbols.c tells, facts.c prints). */
enum fact_kind {
	FACT_NONE,     /* nothing to say about it */
	FACT_SYSTEM,   /* struct quire *: always the same one */
	FACT_VMA,      /* struct vm_area_struct * */
	FACT_VMF,      /* struct vm_fault * */
	FACT_MM,       /* struct mm_struct * */
	FACT_PAGE,     /* struct page * */
	FACT_REGS,     /* struct pt_regs * */
	FACT_TASK,     /* struct quire_task * */
	FACT_ENTRY,    /* pgd_t ... pte_t */
	FACT_ENTRY_AT, /* pgd_t * ... pte_t * */
	FACT_FAULT,    /* vm_fault_t */
	FACT_ADDRESS,  /* uaddr_t */
	FACT_ACCESS,   /* flags of a fault */
	FACT_ERROR,    /* the processor's error code */
	FACT_BOOL,
	FACT_SIGNED,
	FACT_UNSIGNED,
	FACT_POINTER,
};

struct fact_type {
	enum fact_kind kind;
	unsigned size;	   /* bytes */
	const char *level; /* of an entry: "pgd" ... "pte" */
};

#define MAX_PARAMETERS 8

struct function {
	const void *address;
	const char *name; /* from the symbol table */
	const char *file; /* where it is defined, from the top folder on */
	unsigned line;
	bool in_header;	 /* an inline helper */
	bool takes_part; /* is given one of the things a fault is about */
	struct fact_type result;
	unsigned nr_parameters;
	struct {
		const char *name;
		struct fact_type type;
		long offset; /* from the frame's CFA */
	} parameter[MAX_PARAMETERS];
};

/* Once.  Ends the program when it finds no symbols of its own. */
void symbols_init(void);
/* For Dwfl_Callbacks. */
struct Dwfl_Module;
int symbols_no_debuginfo(struct Dwfl_Module *m, void **data, const char *name,
			 uint64_t base, const char *file, const char *link,
			 uint32_t crc, char **found);
/* The function that begins at address; never NULL, the same each time. */
const struct function *symbols_function(const void *address);

/* ----------------------------------------------------------------- tables */

/* One level of the tables on the way to an address, top first. */
struct level {
	const char *name; /* "pgd" ... "pte" */
	bool folded;	  /* this format has no such level; no entry */
	bool reached;	  /* the level above points at a table */
	paddr_t at;	  /* where the entry is */
	uint64_t raw;
};
#define MAX_LEVELS 5

/* Of a last-level entry. */
extern const unsigned tables_entry_bytes;

/* One file a format.  text: added to, at most `size` bytes in all. */
unsigned tables_walk(struct sim_machine *m, uaddr_t addr,
		     struct level level[MAX_LEVELS]);
/* x86: from another top-level table than the one that is loaded. */
unsigned tables_walk_from(struct sim_machine *m, paddr_t root, uaddr_t addr,
			  struct level level[MAX_LEVELS]);
void tables_entry_text(const char *level, uint64_t raw, char *text,
		       size_t size);
/* The words for the processor's error code, with the number. */
void tables_error_text(unsigned long error, char *text, size_t size);
void tables_regs_text(const struct pt_regs *regs, char *text, size_t size);

/* ------------------------------------------------------------------ facts */

/* A value in words; empty text: nothing to say.  quire: the system. */
void facts_text(const struct fact_type *type, uint64_t value, char *text,
		size_t size);
/* A last-level entry that is neither empty nor present. */
void facts_swap_text(uint64_t raw, char *text, size_t size);
/* Whose facts: pages are numbered by this system. */
void facts_init(struct quire *q);
struct quire *facts_system(void);

/* ----------------------------------------------------------------- record */

enum node_kind { NODE_CALL, NODE_STEP, NODE_CHANGE };

/* What happened in a function, in order. */
struct node {
	enum node_kind kind;
	struct node *parent, *next, *child, **last;

	const struct function *function; /* NODE_CALL */
	char *argument[MAX_PARAMETERS];	 /* in words, or NULL */
	bool told[MAX_PARAMETERS];	 /* said before, the same */
	char *result;			 /* in words, or NULL */

	const char *step; /* NODE_STEP: what it decided */

	struct level before, after; /* NODE_CHANGE: an entry on the way */

	unsigned calls;	 /* functions that it called itself */
	bool structural; /* shown without --all (record_mark) */
};

/*
 * record_start: from now on remember what instrumented functions do on this
 * thread, and what becomes of the entries of `addr`.  record_stop: no more; the
 * root's children are the outermost calls.
 */
void record_start(struct sim_machine *m, uaddr_t addr);
struct node *record_stop(void);
void record_free(struct node *root);
/* Decide which nodes are structural. */
void record_mark(struct node *root);

/* -------------------------------------------------------------- scenarios */

#define ON_X86_64 0x1u
#define ON_I386	  0x2u
#define ON_PAE	  0x4u
#define ON_ARM	  0x8u
#define ON_X86	  (ON_X86_64 | ON_I386 | ON_PAE)
#define ON_ALL	  (ON_X86 | ON_ARM)

/* The stage on which a fault is played. */
struct stage {
	struct sim_machine *m;
	struct sim_task *t;	/* who accesses */
	struct sim_task *other; /* a second process, or NULL */
	struct sim_file *file;	/* or NULL */
	int area;		/* of swap, if there is one */
	uaddr_t addr;		/* what is accessed */
};

struct scenario {
	const char *name;
	const char *tells; /* one line */
	unsigned on;	   /* ON_* */
	enum quire_fault_kind kind;
	enum sim_access_kind access;
	unsigned mode;			 /* SIM_KERNEL ... */
	void (*set_up)(struct stage *s); /* s->m and s->t are there */
	void (*before)(struct stage *s); /* last thing, or NULL */
};

/* The i-th, those of every format first; NULL past the last. */
const struct scenario *scenario_at(unsigned i);
/* scenarios_*.c: one format's own; one without a name ends them. */
extern const struct scenario arch_scenarios[];

/* Preparations that several of them share; each sets s->addr. */
void stage_anonymous_written(struct stage *s);
void stage_shared_anonymous(struct stage *s);
/* The page of stage_anonymous_written() is out on a disk. */
void stage_swapped_out(struct stage *s);
/* special.c: its entry says that it is broken, lost, a device's, on its way. */
void stage_broken_memory(struct stage *s);
void stage_lost_at_swapoff(struct stage *s);
void stage_device_memory(struct stage *s);
void stage_migrating(struct stage *s);
/* Read a byte at s->addr. */
void stage_read(struct stage *s);
/* The last-level entry of s->addr. */
pte_t *stage_entry(struct stage *s);

/* The format that this program is built for. */
extern const char *const this_arch;
extern const unsigned this_format; /* ON_* */

/* ------------------------------------------------------------------- show */

struct options {
	bool all, json, source;
	unsigned levels;
	const char *arch; /* as --arch said */
};

/* A fault that was run, from before to after. */
struct story {
	const struct scenario *scenario;
	uaddr_t addr;
	unsigned nr_levels;
	struct level before[MAX_LEVELS], after[MAX_LEVELS];
	char *vma_before, *vma_after; /* in words; empty: none */
	struct node *calls;
	int outcome;		 /* sim_access()'s */
	struct quire_signal sig; /* when it is a signal */
	unsigned nr_ends;	 /* faults that were taken */
	struct quire_event begin, end[8];
	char *counted; /* counters that moved, as "name +n, ..." */
};

void show_story(const struct story *s, const struct options *o, FILE *f);
void show_story_json(const struct story *s, const struct options *o, FILE *f);
/* What the access came to, in words. */
void outcome_text(const struct story *s, char *text, size_t size);
const char *access_name(const struct scenario *s);

/*
 * entry.c: the exception entry of the kernel; false: there is no such kind.
 * Ends the program on failure.
 */
bool explain_entry(const char *name, const struct options *o);

/* snprintf at the end of text. */
void append(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* One line on stderr, and the end. */
_Noreturn void die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
