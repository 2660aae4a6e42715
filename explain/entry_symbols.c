/* SPDX-License-Identifier: MIT */
/*
 * entry_symbols.c - what the kernel's ELF file says about an address: the
 * symbol, the source, whether it was compiled from C.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "entry.h"

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = symbols_no_debuginfo,
	.section_address = dwfl_offline_section_address,
};

Dwfl *entry_symbols(const char *kernel, const char *program)
{
	Dwfl *d = dwfl_begin(&callbacks);

	if (!d || !dwfl_report_offline(d, "kernel", kernel, -1) ||
	    !dwfl_report_offline(d, "program", program, -1) ||
	    dwfl_report_end(d, NULL, NULL) != 0)
		die("%s: %s", kernel, dwfl_errmsg(-1));
	return d;
}

struct symbol_wanted {
	const char *name;
	uint64_t value;
};

static int look_for_symbol(Dwfl_Module *mod, void **data, const char *name,
			   Dwarf_Addr base, void *arg)
{
	struct symbol_wanted *w = arg;
	int n = dwfl_module_getsymtab(mod);

	(void)data, (void)base;
	if (strcmp(name, "program") != 0)
		return DWARF_CB_OK;
	for (int i = 0; i < n; i++) {
		GElf_Sym sym;
		GElf_Addr addr;
		const char *s = dwfl_module_getsym_info(mod, i, &sym, &addr,
							NULL, NULL, NULL);

		if (s && strcmp(s, w->name) == 0)
			w->value = addr;
	}
	return DWARF_CB_OK;
}

uint64_t entry_label(Dwfl *d, const char *name)
{
	struct symbol_wanted w = {name, 0};

	dwfl_getmodules(d, look_for_symbol, &w, 0);
	if (!w.value)
		die("entry: the program has no %s", name);
	return w.value;
}

static bool compiled_from_c(Dwfl_Module *mod, uint64_t pc)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = dwfl_module_addrdie(mod, pc, &bias);

	/* the unit found is the nearest one: it need not have pc in it */
	return cu && dwarf_haspc(cu, pc - bias) > 0 &&
	       dwarf_srclang(cu) != DW_LANG_Mips_Assembler;
}

/*
 * The symbol that pc belongs to, and its value.  libdwfl would also name ARM's
 * mapping symbols ($a, $t, $d: ELF for the ARM Architecture, 4.5.5), which only
 * tell code from data.
 */
static const char *symbol_at(Dwfl_Module *mod, uint64_t pc, uint64_t *value)
{
	GElf_Off offset;
	GElf_Sym sym;
	const char *best, *name;
	int n;

	best = dwfl_module_addrinfo(mod, pc, &offset, &sym, NULL, NULL, NULL);
	*value = pc - offset;
	if (best && best[0] != '$')
		return best;
	best = NULL;
	n = dwfl_module_getsymtab(mod);
	for (int i = 0; i < n; i++) {
		GElf_Addr at;
		GElf_Word section;

		name = dwfl_module_getsym_info(mod, i, &sym, &at, &section,
					       NULL, NULL);
		if (!name || !name[0] || name[0] == '$' || at > pc ||
		    section == SHN_UNDEF || section == SHN_ABS ||
		    GELF_ST_TYPE(sym.st_info) > STT_FUNC)
			continue;
		if (!best || at > *value) {
			best = name;
			*value = at;
		}
	}
	return best;
}

void entry_locate(Dwfl *d, uint64_t pc, struct stretch *s)
{
	Dwfl_Module *mod = dwfl_addrmodule(d, pc);
	uint64_t value = 0;
	const char *name = mod ? symbol_at(mod, pc, &value) : NULL;
	Dwfl_Line *line = mod ? dwfl_module_getsrc(mod, pc) : NULL;
	const char *file;
	int number = 0;

	*s = (struct stretch){.is_c = mod && compiled_from_c(mod, pc)};
	/* GCC puts cold parts of a function elsewhere: NAME.cold */
	s->name = name ? strndup(name, strcspn(name, "."))
		       : xasprintf("%#llx", (unsigned long long)pc);
	s->begins = name && value == pc && !strchr(name, '.');
	file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL)
		    : NULL;
	s->file = file ? strdup(file) : NULL;
	s->line = (unsigned)number;
}
