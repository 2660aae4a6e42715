/* SPDX-License-Identifier: MIT */
/*
 * tables_x86.c - what the tables of x86-64, i386 and i386 with PAE say, in
 * words (Intel SDM vol. 3A, 4.3 to 4.5 the formats, 4.7 the error code).
 *
 *   x86-64   [pgd] p4d pud pmd pte   9 bits of address a level, 8 bytes
 *   PAE            pgd     pmd pte   2, 9, 9 bits, 8 bytes
 *   i386           pgd         pte   10 bits a level, 4 bytes
 *
 * Read as the processor reads them, from the table that is loaded.
 */
#include <string.h>

#include <asm/pgtable.h>
#include <asm/ptrace.h>
#include <asm/trap_pf.h>

#include "explain.h"

#define ENTRY_BYTES ((unsigned)sizeof(pte_t))

#if !defined(QUIRE_UADDR_BITS) || QUIRE_UADDR_BITS == 64
const char this_arch[] = "x86_64";
const unsigned this_format = ON_X86_64;
static const struct {
	const char *name;
	unsigned shift, bits; /* 0 bits: folded */
} shape[MAX_LEVELS] = {
	{"pgd", 48, 9}, {"p4d", 39, 9}, {"pud", 30, 9},
	{"pmd", 21, 9}, {"pte", 12, 9},
};
#elif defined(QUIRE_X86_PAE)
const char this_arch[] = "i386-pae";
const unsigned this_format = ON_PAE;
static const struct {
	const char *name;
	unsigned shift, bits;
} shape[MAX_LEVELS] = {
	{"pgd", 30, 2}, {"p4d", 0, 0},	{"pud", 0, 0},
	{"pmd", 21, 9}, {"pte", 12, 9},
};
#else
const char this_arch[] = "i386";
const unsigned this_format = ON_I386;
static const struct {
	const char *name;
	unsigned shift, bits;
} shape[MAX_LEVELS] = {
	{"pgd", 22, 10}, {"p4d", 0, 0},	  {"pud", 0, 0},
	{"pmd", 0, 0},	 {"pte", 12, 10},
};
#endif

#define FRAME_MASK ((uint64_t)(PTE_PFN_MASK))

static bool is_folded(struct sim_machine *m, unsigned i)
{
	if (shape[i].bits == 0)
		return true;
	return this_format == ON_X86_64 && i == 0 &&
	       sim_get_config(m)->levels != 5;
}

unsigned tables_walk(struct sim_machine *m, uaddr_t addr,
		     struct level level[MAX_LEVELS])
{
	paddr_t table = sim_current_root(m) & ~(paddr_t)31;
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

static void leaf_text(uint64_t e, char *text, size_t size)
{
	append(text, size, "frame %#llx",
	       (unsigned long long)((e & FRAME_MASK) >> 12));
	append(text, size, " %s %s", e & _PAGE_USER ? "user" : "kernel",
	       e & _PAGE_RW ? "writable" : "read-only");
#ifdef _PAGE_NX
	if (_PAGE_NX && (e & _PAGE_NX))
		append(text, size, " no-execute");
#endif
	append(text, size, "%s%s%s", e & _PAGE_ACCESSED ? " accessed" : "",
	       e & _PAGE_DIRTY ? " dirty" : "",
	       e & _PAGE_GLOBAL ? " global" : "");
	append(text, size, "%s%s", e & _PAGE_SPECIAL ? " special" : "",
	       e & _PAGE_SOFT_DIRTY ? " soft-dirty" : "");
}

void tables_entry_text(const char *level, uint64_t e, char *text, size_t size)
{
	bool lowest = strcmp(level, "pte") == 0;

	if (e == 0) {
		append(text, size, "empty");
	} else if (!(e & _PAGE_PRESENT)) {
		if (lowest && (e & _PAGE_PROTNONE))
			append(text, size, "PROT_NONE frame %#llx%s%s",
			       (unsigned long long)((~e & FRAME_MASK) >> 12),
			       e & _PAGE_DIRTY ? " dirty" : "",
			       e & _PAGE_SPECIAL ? " special" : "");
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
