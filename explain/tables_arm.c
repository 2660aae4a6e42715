/* SPDX-License-Identifier: MIT */
/*
 * tables_arm.c - what ARM's short-descriptor tables say, in words (DDI 0406C
 * B3.5, with SCTLR.AFE and TRE set as asm/pgtable_types.h tells).
 *
 *   pmd   a word of the first level: 1 MiB, a table of 256 words or a section
 *   pte   a word of the second level: a page
 *
 * Our pmd entry is four such words; the one of the address is shown.
 */
#include <string.h>

#include <asm/fault.h>

#include "explain.h"

const char *const this_arch = "armv7";
const unsigned this_format = ON_ARM;
const unsigned tables_entry_bytes = sizeof(pte_t);

unsigned tables_walk(struct sim_machine *m, uaddr_t addr,
		     struct level level[MAX_LEVELS])
{
	static const char *const name[MAX_LEVELS] = {"pgd", "p4d", "pud", "pmd",
						     "pte"};
	paddr_t root = sim_current_root(m) & ~(paddr_t)0x3fff;
	struct level *first = &level[3], *second = &level[4];
	paddr_t table;

	for (unsigned i = 0; i < MAX_LEVELS; i++)
		level[i] = (struct level){.name = name[i], .folded = i < 3};
	first->reached = true;
	first->at = root + (addr >> ARM_SECTION_SHIFT) * 4;
	memcpy(&first->raw, sim_phys(m, first->at), 4);
	table = first->raw & ARM_L1_TABLE_MASK;
	if ((first->raw & ARM_L1_TYPE) != ARM_L1_TABLE ||
	    table >= sim_ram_end(m))
		return MAX_LEVELS;
	second->reached = true;
	second->at = table + (addr >> 12 & 255) * 4;
	memcpy(&second->raw, sim_phys(m, second->at), 4);
	return MAX_LEVELS;
}

static void first_level_text(uint32_t e, char *text, size_t size)
{
	unsigned domain = e >> 5 & 15;

	switch (e & ARM_L1_TYPE) {
	case 0:
		append(text, size, e ? "not present %#x" : "empty", e);
		break;
	case ARM_L1_TABLE:
		append(text, size, "table %#x, domain %u",
		       e & ARM_L1_TABLE_MASK, domain);
		break;
	default:
		append(text, size, "%ssection %#x, domain %u, %s %s%s",
		       e & ARM_L1_SUPER ? "super" : "", e & ARM_L1_SECTION_MASK,
		       domain, e & ARM_L1_AP1 ? "user" : "kernel",
		       e & ARM_L1_RO ? "read-only" : "writable",
		       e & ARM_L1_XN ? " no-execute" : "");
	}
}

/* AP[2] and our two bits beside it (asm/pgtable_types.h). */
static const char *write_text(uint32_t e)
{
	if (!(e & _PAGE_RO))
		return "writable";
	if ((e & _PAGE_UFFD) == _PAGE_UFFD)
		return "read-only (userfaultfd)";
	return e & _PAGE_WRITE ? "read-only until written" : "read-only";
}

static void page_text(uint32_t e, char *text, size_t size)
{
	append(text, size, "frame %#x %s %s%s %s%s%s%s%s", e >> 12,
	       e & _PAGE_USER ? "user" : "kernel", write_text(e),
	       e & _PAGE_XN ? " no-execute" : "",
	       e & _PAGE_ACCESSED ? "young" : "old",
	       e & _PAGE_DIRTY ? " dirty" : "", e & _PAGE_NG ? "" : " global",
	       e & _PAGE_SPECIAL ? " special" : "",
	       e & _PAGE_SOFT_DIRTY ? " soft-dirty" : "");
}

void tables_entry_text(const char *level, uint64_t raw, char *text, size_t size)
{
	uint32_t e = (uint32_t)raw;

	if (strcmp(level, "pmd") == 0)
		first_level_text(e, text, size);
	if (strcmp(level, "pte") != 0)
		return;
	if (e == 0)
		append(text, size, "empty");
	else if (e & _PAGE_PRESENT)
		page_text(e, text, size);
	else if ((e & ARM_L1_TYPE) == 0 && (e & _PAGE_PROTNONE))
		append(text, size, "PROT_NONE frame %#x%s%s", ~e >> 12,
		       e & _PAGE_DIRTY ? " dirty" : "",
		       e & _PAGE_SPECIAL ? " special" : "");
	else
		facts_swap_text(e, text, size);
}

void tables_error_text(unsigned long error, char *text, size_t size)
{
	uint32_t fsr = (uint32_t)error;
	const struct arch_faults *f = &facts_system()->arch.faults;
	const struct fsr_info *info =
		(fsr & FSR_PREFETCH ? f->ifsr_info : f->fsr_info) + fsr_fs(fsr);

	append(text, size, "%#x: %s, %s", fsr & ~(uint32_t)FSR_PREFETCH,
	       info->name,
	       fsr & FSR_PREFETCH ? "instruction fetch"
	       : fsr & FSR_WRITE  ? "write"
				  : "read");
}

void tables_regs_text(const struct pt_regs *regs, char *text, size_t size)
{
	append(text, size, "%s mode, pc %#x",
	       user_mode(regs) ? "user" : "kernel", instruction_pointer(regs));
}
