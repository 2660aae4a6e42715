/* SPDX-License-Identifier: MIT */
/*
 * symbols.c - what this program knows of its own functions, by elfutils: their
 * names from the symbol table (static ones too), where they are defined, what
 * they take and return from the debug information.
 *
 * The instrumented code is compiled without optimization, so a parameter has
 * one place for as long as its function runs: an offset from the frame's CFA
 * (DWARF 5, 2.6.1.1.3: DW_OP_fbreg, and a frame base of DW_OP_call_frame_cfa).
 * One that is elsewhere is left out.
 *
 * Whether a function takes part in the story is told by what it is given: the
 * things that a fault is about are known by type, never a function by name.
 */
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explain.h"

static Dwfl *dwfl;

/* No separate debug file is looked for, here or on a network. */
int symbols_no_debuginfo(struct Dwfl_Module *m, void **data, const char *name,
			 Dwarf_Addr base, const char *file, const char *link,
			 GElf_Word crc, char **found)
{
	(void)m, (void)data, (void)name, (void)base, (void)file, (void)link;
	(void)crc, (void)found;
	return -1;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = symbols_no_debuginfo,
};

void symbols_init(void)
{
	dwfl = dwfl_begin(&callbacks);
	if (!dwfl || dwfl_linux_proc_report(dwfl, getpid()) != 0 ||
	    dwfl_report_end(dwfl, NULL, NULL) != 0)
		die("its own symbols: %s", dwfl_errmsg(-1));
}

/* ------------------------------------------------------------------- types */

static const struct {
	const char *name;
	enum fact_kind kind;
	const char *level;
} by_typedef[] =
	{
		{"vm_fault_t", FACT_FAULT, NULL},
		{"uaddr_t", FACT_ADDRESS, NULL},
		{"pgd_t", FACT_ENTRY, "pgd"},
		{"p4d_t", FACT_ENTRY, "p4d"},
		{"pud_t", FACT_ENTRY, "pud"},
		{"pmd_t", FACT_ENTRY, "pmd"},
		{"pte_t", FACT_ENTRY, "pte"},
},
  by_struct[] = {
	  {"quire", FACT_SYSTEM, NULL},	   {"vm_area_struct", FACT_VMA, NULL},
	  {"vm_fault", FACT_VMF, NULL},	   {"mm_struct", FACT_MM, NULL},
	  {"page", FACT_PAGE, NULL},	   {"pt_regs", FACT_REGS, NULL},
	  {"quire_task", FACT_TASK, NULL},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool die_type(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, DW_AT_type, &attr) &&
	       dwarf_formref_die(&attr, type);
}

/* A type that has a name of interest, or const and typedefs of one. */
static bool known_typedef(Dwarf_Die type, struct fact_type *out)
{
	for (;;) {
		int tag = dwarf_tag(&type);
		const char *name = dwarf_diename(&type);

		for (size_t i = 0;
		     name && tag == DW_TAG_typedef && i < COUNT(by_typedef);
		     i++)
			if (strcmp(name, by_typedef[i].name) == 0) {
				out->kind = by_typedef[i].kind;
				out->level = by_typedef[i].level;
				return true;
			}
		if ((tag != DW_TAG_typedef && tag != DW_TAG_const_type &&
		     tag != DW_TAG_volatile_type) ||
		    !die_type(&type, &type))
			return false;
	}
}

static void pointer_type(Dwarf_Die *type, struct fact_type *out)
{
	Dwarf_Die target;
	const char *name;

	out->kind = FACT_POINTER;
	if (!die_type(type, &target))
		return;
	if (known_typedef(target, out)) {
		out->kind =
			out->kind == FACT_ENTRY ? FACT_ENTRY_AT : FACT_POINTER;
		return;
	}
	while ((dwarf_tag(&target) == DW_TAG_const_type ||
		dwarf_tag(&target) == DW_TAG_volatile_type ||
		dwarf_tag(&target) == DW_TAG_typedef) &&
	       die_type(&target, &target))
		;
	name = dwarf_diename(&target);
	if (dwarf_tag(&target) != DW_TAG_structure_type || !name)
		return;
	for (size_t i = 0; i < COUNT(by_struct); i++)
		if (strcmp(name, by_struct[i].name) == 0)
			out->kind = by_struct[i].kind;
}

static struct fact_type fact_type_of(Dwarf_Die *die)
{
	struct fact_type out = {FACT_NONE, 0, NULL};
	Dwarf_Attribute attr;
	Dwarf_Word size, encoding = 0;
	Dwarf_Die type;

	if (!die_type(die, &type))
		return out;
	if (dwarf_aggregate_size(&type, &size) == 0)
		out.size = (unsigned)size;
	if (known_typedef(type, &out))
		return out;
	if (dwarf_peel_type(&type, &type) != 0)
		return out;
	switch (dwarf_tag(&type)) {
	case DW_TAG_pointer_type:
		out.size = sizeof(void *);
		pointer_type(&type, &out);
		break;
	case DW_TAG_enumeration_type:
		out.kind = FACT_UNSIGNED;
		break;
	case DW_TAG_base_type:
		dwarf_formudata(dwarf_attr(&type, DW_AT_encoding, &attr),
				&encoding);
		out.kind = encoding == DW_ATE_boolean  ? FACT_BOOL
			   : encoding == DW_ATE_signed ? FACT_SIGNED
						       : FACT_UNSIGNED;
		break;
	}
	return out;
}

/* --------------------------------------------------------------- functions */

static bool frame_base_is_cfa(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Op *op;
	size_t n;

	return dwarf_attr_integrate(die, DW_AT_frame_base, &attr) &&
	       dwarf_getlocation(&attr, &op, &n) == 0 && n == 1 &&
	       op[0].atom == DW_OP_call_frame_cfa;
}

static bool parameter_offset(Dwarf_Die *die, long *offset)
{
	Dwarf_Attribute attr;
	Dwarf_Op *op;
	size_t n;

	if (!dwarf_attr_integrate(die, DW_AT_location, &attr) ||
	    dwarf_getlocation(&attr, &op, &n) != 0 || n != 1 ||
	    op[0].atom != DW_OP_fbreg)
		return false;
	*offset = (long)op[0].number;
	return true;
}

/* A plain number may be one of two that a fault is described by. */
static void name_the_number(struct fact_type *type, const char *name,
			    const struct function *f)
{
	if (type->kind != FACT_UNSIGNED)
		return;
	if (strcmp(name, "flags") == 0 && f->result.kind == FACT_FAULT)
		type->kind = FACT_ACCESS;
	if (strcmp(name, "error") == 0 || strcmp(name, "error_code") == 0 ||
	    strcmp(name, "fsr") == 0 || strcmp(name, "ifsr") == 0)
		type->kind = FACT_ERROR;
}

static void read_parameters(struct function *f, Dwarf_Die *die)
{
	bool cfa = frame_base_is_cfa(die);
	Dwarf_Die child;
	int more;

	for (more = dwarf_child(die, &child);
	     more == 0 && f->nr_parameters < MAX_PARAMETERS;
	     more = dwarf_siblingof(&child, &child)) {
		struct fact_type type;
		const char *name = dwarf_diename(&child);
		long offset;

		if (dwarf_tag(&child) != DW_TAG_formal_parameter || !name)
			continue;
		type = fact_type_of(&child);
		name_the_number(&type, name, f);
		if (type.kind == FACT_VMA || type.kind == FACT_VMF ||
		    type.kind == FACT_MM || type.kind == FACT_REGS ||
		    type.kind == FACT_TASK)
			f->takes_part = true;
		if (!cfa || !parameter_offset(&child, &offset))
			continue;
		f->parameter[f->nr_parameters].name = name;
		f->parameter[f->nr_parameters].type = type;
		f->parameter[f->nr_parameters++].offset = offset;
	}
}

/* From the top folder on, as sources are named here. */
static const char *short_file(const char *file)
{
	static const char *const top[] = {"mm/", "arch/", "include/"};
	const char *p;

	for (p = file; p; p = strchr(p, '/')) {
		p += *p == '/';
		for (size_t i = 0; i < COUNT(top); i++)
			if (strncmp(p, top[i], strlen(top[i])) == 0)
				return p;
	}
	return file ? file : "?";
}

static bool find_die(Dwfl_Module *mod, Dwarf_Addr address, Dwarf_Die *out)
{
	Dwarf_Die *scopes = NULL, *cu;
	Dwarf_Addr bias;
	int i, n;
	bool found = false;

	cu = dwfl_module_addrdie(mod, address, &bias);
	n = cu ? dwarf_getscopes(cu, address - bias, &scopes) : 0;
	for (i = 0; i < n && !found; i++)
		if (dwarf_tag(&scopes[i]) == DW_TAG_subprogram) {
			*out = scopes[i];
			found = true;
		}
	free(scopes);
	return found;
}

static struct function *read_function(const void *address)
{
	struct function *f = calloc(1, sizeof(*f));
	Dwarf_Addr at = (Dwarf_Addr)(uintptr_t)address;
	Dwfl_Module *mod = dwfl_addrmodule(dwfl, at);
	const char *name = mod ? dwfl_module_addrname(mod, at) : NULL;
	const char *dot;
	Dwarf_Die at_die;
	int line;

	if (!f || !name)
		die("no symbol for a function at %p", address);
	f->address = address;
	f->name = name;
	f->file = "?";
	if (!find_die(mod, at, &at_die))
		return f;
	f->file = short_file(dwarf_decl_file(&at_die));
	if (dwarf_decl_line(&at_die, &line) == 0)
		f->line = (unsigned)line;
	dot = strrchr(f->file, '.');
	f->in_header = dot && strcmp(dot, ".h") == 0;
	f->result = fact_type_of(&at_die);
	f->takes_part = f->result.kind == FACT_FAULT;
	read_parameters(f, &at_die);
	return f;
}

const struct function *symbols_function(const void *address)
{
	static struct function **table;
	static size_t n, cap;
	size_t i;

	for (i = 0; i < n; i++)
		if (table[i]->address == address)
			return table[i];
	if (n == cap) {
		cap = cap ? 2 * cap : 256;
		table = realloc(table, cap * sizeof(struct function *));
		if (!table)
			die("out of memory");
	}
	table[n] = read_function(address);
	return table[n++];
}
