/* SPDX-License-Identifier: MIT */
/*
 * extable.c - where the kernel goes on when its own access to user memory
 * faults and cannot be answered.
 *
 * Each instruction that may touch user memory has an entry in section
 * .extable: its own address, and that of its fixup.  The table is short (a
 * few copy loops), so it is searched from its start.  No locks: it never
 * changes.
 */
#include <arch_regs.h>
#include <quire/host.h>

struct extable_entry {
	uintptr_t at, fixup;
};
/* The linker's. */
extern const struct extable_entry extable_start[], extable_end[];

static uintptr_t find_fixup(uintptr_t ip)
{
	const struct extable_entry *e;

	for (e = extable_start; e < extable_end; e++)
		if (e->at == ip)
			return e->fixup;
	return 0;
}

bool quire_host_has_fixup(const struct pt_regs *regs)
{
	return find_fixup(regs_ip(regs)) != 0;
}

bool quire_host_fixup_exception(struct pt_regs *regs)
{
	uintptr_t fixup = find_fixup(regs_ip(regs));

	if (!fixup)
		return false;
	regs_set_ip(regs, fixup);
	return true;
}
