/* SPDX-License-Identifier: MIT */
/*
 * tables_x86.c - what the tables of x86-64, i386 and i386 with PAE say, in
 * words (Intel SDM vol. 3A, 4.3 to 4.5 the formats, 4.7 the error code).
 *
 *   x86-64   [pgd] p4d pud pmd pte   9 bits of address a level, 8 bytes
 *   PAE                pud pmd pte   2, 9, 9 bits, 8 bytes
 *   i386                   pmd pte   10 bits a level, 4 bytes
 *
 * Read as the processor reads them, from the table that is loaded.
 */
#include <string.h>

#include <asm/pgtable.h>
#include <asm/ptrace.h>
#include <asm/trap_pf.h>

#include "explain.h"

#define ENTRY_BYTES ((unsigned)sizeof(pte_t))
#define FRAME_MASK  ((uint64_t)(PTE_PFN_MASK))

#ifdef QUIRE_UADDR_BITS
#define NARROW (QUIRE_UADDR_BITS == 32)
#else
#define NARROW false
#endif

const char *const this_arch = !NARROW		 ? "x86_64"
			      : ENTRY_BYTES == 8 ? "i386-pae"
						 : "i386";
const unsigned this_format = !NARROW		? ON_X86_64
			     : ENTRY_BYTES == 8 ? ON_PAE
						: ON_I386;

const unsigned tables_entry_bytes = sizeof(pte_t);

struct shape {
	const char *name;
	unsigned shift, bits; /* 0 bits: folded */
};
static const struct shape shape_x86_64[MAX_LEVELS] = {
	{"pgd", 48, 9}, {"p4d", 39, 9}, {"pud", 30, 9},
	{"pmd", 21, 9}, {"pte", 12, 9},
};
static const struct shape shape_pae[MAX_LEVELS] = {
	{"pgd", 0, 0},	{"p4d", 0, 0},	{"pud", 30, 2},
	{"pmd", 21, 9}, {"pte", 12, 9},
};
static const struct shape shape_i386[MAX_LEVELS] = {
	{"pgd", 0, 0},	 {"p4d", 0, 0},	  {"pud", 0, 0},
	{"pmd", 22, 10}, {"pte", 12, 10},
};

static const struct shape *shapes(void)
{
	return this_format == ON_X86_64 ? shape_x86_64
	       : this_format == ON_PAE	? shape_pae
					: shape_i386;
}

static bool is_folded(struct sim_machine *m, unsigned i)
{
	if (shapes()[i].bits == 0)
		return true;
	return this_format == ON_X86_64 && i == 0 &&
	       sim_get_config(m)->levels != 5;
}

unsigned tables_walk_from(struct sim_machine *m, paddr_t root, uaddr_t addr,
			  struct level level[MAX_LEVELS])
{
	const struct shape *shape = shapes();
	paddr_t table = root & ~(paddr_t)31;
	bool reached = true;

	for (unsigned i = 0; i < MAX_LEVELS; i++) {
		struct level *l = &level[i];
		uint64_t index;

		*l = (struct level){.name = shape[i].name,
				    .folded = is_folded(m, i)};
		if (l->folded || !reached)
			continue;
		l->reached = true;
		index = (uint64_t)addr >> shape[i].shift &
			((1u << shape[i].bits) - 1);
		l->at = table + index * ENTRY_BYTES;
		memcpy(&l->raw, sim_phys(m, l->at), ENTRY_BYTES);
		table = l->raw & FRAME_MASK;
		reached = (l->raw & _PAGE_PRESENT) && i < MAX_LEVELS - 1 &&
			  !(l->raw & _PAGE_PSE) && table < sim_ram_end(m);
	}
	return MAX_LEVELS;
}

unsigned tables_walk(struct sim_machine *m, uaddr_t addr,
		     struct level level[MAX_LEVELS])
{
	return tables_walk_from(m, sim_current_root(m), addr, level);
}

static void leaf_text(uint64_t e, char *text, size_t size)
{
	append(text, size, "frame %#llx",
	       (unsigned long long)((e & FRAME_MASK) >> 12));
	append(text, size, " %s %s", e & _PAGE_USER ? "user" : "kernel",
	       e & _PAGE_RW ? "writable" : "read-only");
	if (e & (uint64_t)_PAGE_NX)
		append(text, size, " no-execute");
	append(text, size, "%s%s%s", e & _PAGE_ACCESSED ? " accessed" : "",
	       e & _PAGE_DIRTY ? " dirty" : "",
	       e & _PAGE_GLOBAL ? " global" : "");
	append(text, size, "%s%s", e & _PAGE_SPECIAL ? " special" : "",
	       e & _PAGE_SOFT_DIRTY ? " soft-dirty" : "");
}

void tables_entry_text(const char *level, uint64_t e, char *text, size_t size)
{
	bool lowest = strcmp(level, "pte") == 0;

	/* what stands for a folded level is no entry */
	for (unsigned i = 0; i < MAX_LEVELS; i++)
		if (shapes()[i].bits == 0 &&
		    strcmp(level, shapes()[i].name) == 0)
			return;
	if (e == 0) {
		append(text, size, "empty");
	} else if (!(e & _PAGE_PRESENT)) {
		if (lowest && (e & _PAGE_PROTNONE))
			append(text, size, "PROT_NONE frame %#llx%s%s",
			       (unsigned long long)((~e & FRAME_MASK) >> 12),
			       e & _PAGE_DIRTY ? " dirty" : "",
			       e & _PAGE_SPECIAL ? " special" : "");
		else if (lowest)
			facts_swap_text(e, text, size);
		else
			append(text, size, "not present %#llx",
			       (unsigned long long)e);
	} else if (lowest) {
		leaf_text(e, text, size);
	} else if (e & _PAGE_PSE) {
		append(text, size, "large page, ");
		leaf_text(e, text, size);
	} else {
		append(text, size, "table %#llx",
		       (unsigned long long)((e & FRAME_MASK) >> 12));
	}
}

void tables_error_text(unsigned long error, char *text, size_t size)
{
	append(text, size, "%#lx: %s mode, %s, %s", error,
	       error & X86_PF_USER ? "user" : "kernel",
	       error & X86_PF_INSTR   ? "instruction fetch"
	       : error & X86_PF_WRITE ? "write"
				      : "read",
	       error & X86_PF_RSVD   ? "a reserved bit is set"
	       : error & X86_PF_PROT ? "present but not allowed"
				     : "nothing present");
}

void tables_regs_text(const struct pt_regs *regs, char *text, size_t size)
{
	append(text, size, "%s mode, ip %#llx",
	       user_mode(regs) ? "user" : "kernel",
	       (unsigned long long)regs->ip);
}
