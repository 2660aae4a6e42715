/* SPDX-License-Identifier: MIT */
/*
 * facts.c - values in words, by their type.
 *
 * What a pointer points at is read at once, by the fields that mm/'s headers
 * declare: the words say how it was at that moment.
 */
#include <stdlib.h>
#include <string.h>

#include <fault.h>
#include <swapops.h>

#include "explain.h"

static struct quire *system_of_facts;

void facts_init(struct quire *q)
{
	system_of_facts = q;
}

struct quire *facts_system(void)
{
	return system_of_facts;
}

void append(char *text, size_t size, const char *format, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + len, size - len, format, ap);
	va_end(ap);
}

/* The kinds of entries that are not present, by enum swap_entry_type. */
static const char *const entry_kinds[] = {
	[SWP_HWPOISON] = "broken memory",
	[SWP_MIGRATION_READ] = "migrating, read-only",
	[SWP_MIGRATION_READ_EXCL] = "migrating, read-only, exclusive",
	[SWP_MIGRATION_WRITE] = "migrating, writable",
	[SWP_DEVICE_READ] = "a device's memory, read-only",
	[SWP_DEVICE_WRITE] = "a device's memory, writable",
	[SWP_PTE_MARKER] = "marker",
};

void facts_swap_text(uint64_t raw, char *text, size_t size)
{
	swp_entry_t entry;
	unsigned type;
	pte_t pte;

	memcpy(&pte, &raw, sizeof(pte)); /* little-endian, as all formats */
	entry = pte_to_swp_entry(pte);
	type = swp_type(entry);
	if (swap_entry_is_slot(entry))
		append(text, size, "swap area %u slot %llu", type,
		       (unsigned long long)swp_offset(entry));
	else if (type < sizeof(entry_kinds) / sizeof(entry_kinds[0]))
		append(text, size, "%s, %#llx", entry_kinds[type],
		       (unsigned long long)swp_offset(entry));
	else
		append(text, size, "not present %#llx",
		       (unsigned long long)raw);
	append(text, size, "%s%s", pte_swp_exclusive(pte) ? " exclusive" : "",
	       pte_swp_soft_dirty(pte) ? " soft-dirty" : "");
}

struct bit_name {
	uint64_t bit;
	const char *name;
};

/* The names of the bits that are set; the rest as a number. */
static void bits(char *text, size_t size, uint64_t v,
		 const struct bit_name *name, size_t n)
{
	const char *between = "";

	for (size_t i = 0; i < n; i++)
		if (v & name[i].bit) {
			append(text, size, "%s%s", between, name[i].name);
			between = "|";
			v &= ~name[i].bit;
		}
	if (v)
		append(text, size, "%s%#llx", between, (unsigned long long)v);
}

static const struct bit_name fault_names[] = {
	{VM_FAULT_OOM, "VM_FAULT_OOM"},
	{VM_FAULT_SIGBUS, "VM_FAULT_SIGBUS"},
	{VM_FAULT_MAJOR, "VM_FAULT_MAJOR"},
	{VM_FAULT_HWPOISON, "VM_FAULT_HWPOISON"},
	{VM_FAULT_HWPOISON_LARGE, "VM_FAULT_HWPOISON_LARGE"},
	{VM_FAULT_SIGSEGV, "VM_FAULT_SIGSEGV"},
	{VM_FAULT_NOPAGE, "VM_FAULT_NOPAGE"},
	{VM_FAULT_LOCKED, "VM_FAULT_LOCKED"},
	{VM_FAULT_RETRY, "VM_FAULT_RETRY"},
	{VM_FAULT_FALLBACK, "VM_FAULT_FALLBACK"},
	{VM_FAULT_DONE_COW, "VM_FAULT_DONE_COW"},
	{VM_FAULT_NEEDDSYNC, "VM_FAULT_NEEDDSYNC"},
	{VM_FAULT_COMPLETED, "VM_FAULT_COMPLETED"},
	{VM_FAULT_BADMAP, "VM_FAULT_BADMAP"},
	{VM_FAULT_BADACCESS, "VM_FAULT_BADACCESS"},
};
static const struct bit_name access_names[] = {
	{FAULT_FLAG_WRITE, "WRITE"},
	{FAULT_FLAG_MKWRITE, "MKWRITE"},
	{FAULT_FLAG_ALLOW_RETRY, "ALLOW_RETRY"},
	{FAULT_FLAG_RETRY_NOWAIT, "RETRY_NOWAIT"},
	{FAULT_FLAG_KILLABLE, "KILLABLE"},
	{FAULT_FLAG_TRIED, "TRIED"},
	{FAULT_FLAG_USER, "USER"},
	{FAULT_FLAG_REMOTE, "REMOTE"},
	{FAULT_FLAG_INSTRUCTION, "INSTRUCTION"},
	{FAULT_FLAG_INTERRUPTIBLE, "INTERRUPTIBLE"},
	{FAULT_FLAG_UNSHARE, "UNSHARE"},
	{FAULT_FLAG_ORIG_PTE_VALID, "ORIG_PTE_VALID"},
	{FAULT_FLAG_VMA_LOCK, "VMA_LOCK"},
};
static const struct bit_name need_names[] = {
	{VM_READ, "read"},
	{VM_WRITE, "write"},
	{VM_EXEC, "execute"},
};
static const struct bit_name page_names[] = {
	{1u << PG_locked, "locked"},
	{1u << PG_uptodate, "uptodate"},
	{1u << PG_dirty, "dirty"},
	{1u << PG_writeback, "writeback"},
	{1u << PG_error, "error"},
	{1u << PG_lru, "lru"},
	{1u << PG_swapbacked, "swapbacked"},
	{1u << PG_swapcache, "swapcache"},
	{1u << PG_mlocked, "mlocked"},
	{1u << PG_table, "table"},
	{1u << PG_reserved, "reserved"},
	{1u << PG_hwpoison, "hwpoison"},
	{1u << PG_anon_exclusive, "exclusive"},
};
#define PAGE_BITS_SHOWN                                                        \
	(1u << PG_locked | 1u << PG_uptodate | 1u << PG_dirty |                \
	 1u << PG_writeback | 1u << PG_error | 1u << PG_lru |                  \
	 1u << PG_swapbacked | 1u << PG_swapcache | 1u << PG_mlocked |         \
	 1u << PG_table | 1u << PG_reserved | 1u << PG_hwpoison |              \
	 1u << PG_anon_exclusive)

static void fault_text(vm_fault_t v, char *text, size_t size)
{
	unsigned kind = v >> VM_FAULT_KIND_SHIFT;

	v &= ~fault_kind_bits(0xff);
	if (v)
		bits(text, size, v, fault_names, ARRAY_LEN(fault_names));
	else
		append(text, size, "0");
	if (kind)
		append(text, size, ", %s", quire_fault_kind_name(kind));
}

static void access_text(uint64_t v, char *text, size_t size)
{
	uint64_t need = v >> FAULT_NEED_SHIFT;

	bits(text, size, v & ((1u << FAULT_NEED_SHIFT) - 1), access_names,
	     ARRAY_LEN(access_names));
	if (!need)
		return;
	append(text, size, "; the mapping must allow ");
	bits(text, size, need, need_names, ARRAY_LEN(need_names));
}

static void vma_text(const struct vm_area_struct *vma, char *text, size_t size)
{
	const char *what = "anonymous";

	if (vma->vm_mapping)
		what = vma->vm_file ? "file" : "shared memory";
	append(text, size, "%llx-%llx %c%c%c%c %s%s%s",
	       (unsigned long long)vma->vm_start,
	       (unsigned long long)vma->vm_end,
	       vma->vm_flags & VM_READ ? 'r' : '-',
	       vma->vm_flags & VM_WRITE ? 'w' : '-',
	       vma->vm_flags & VM_EXEC ? 'x' : '-',
	       vma->vm_flags & VM_SHARED ? 's' : 'p', what,
	       vma->vm_flags & VM_GROWSDOWN ? ", grows down" : "",
	       vma->vm_flags & VM_LOCKED ? ", locked" : "");
}

static void page_text(struct page *page, char *text, size_t size)
{
	unsigned flags = READ_ONCE(page->flags) & PAGE_BITS_SHOWN;

	append(text, size, "frame %#llx, refcount %u",
	       (unsigned long long)page_to_pfn(system_of_facts, page),
	       page_count(page));
	if (!PageFlag(page, PG_table) && !PageFlag(page, PG_slab))
		append(text, size, ", mapcount %u%s", page_mapcount(page),
		       PageAnon(page) ? ", anonymous" : "");
	if (!flags)
		return;
	append(text, size, ", ");
	bits(text, size, flags, page_names, ARRAY_LEN(page_names));
}

static void pointer_text(const struct fact_type *type, uintptr_t v, char *text,
			 size_t size)
{
	void *p = (void *)v;
	uint64_t raw = 0;

	if (!p) {
		append(text, size, "NULL");
		return;
	}
	switch (type->kind) {
	case FACT_VMA:
		vma_text(p, text, size);
		break;
	case FACT_VMF: /* what each phase has set of it, and no more */
		append(text, size, "%#llx ",
		       (unsigned long long)((struct vm_fault *)p)
			       ->real_address);
		access_text(((struct vm_fault *)p)->flags, text, size);
		break;
	case FACT_MM:
		append(text, size, "mm %u", ((struct mm_struct *)p)->id);
		break;
	case FACT_PAGE:
		page_text(p, text, size);
		break;
	case FACT_REGS:
		tables_regs_text(p, text, size);
		break;
	case FACT_TASK:
		append(text, size, "task %u", ((struct quire_task *)p)->id);
		break;
	case FACT_ENTRY_AT:
		memcpy(&raw, p, sizeof(pte_t));
		tables_entry_text(type->level, raw, text, size);
		break;
	default:
		append(text, size, "%p", p);
	}
}

static void signed_text(const struct fact_type *type, uint64_t value,
			char *text, size_t size)
{
	unsigned shift = 64 - 8 * (type->size ? type->size : 8);
	int64_t v = (int64_t)(value << shift) >> shift;
	const char *name = v < 0 && v > -200 ? strerrorname_np((int)-v) : NULL;

	if (name)
		append(text, size, "-%s", name);
	else
		append(text, size, "%lld", (long long)v);
}

void facts_text(const struct fact_type *type, uint64_t value, char *text,
		size_t size)
{
	text[0] = '\0';
	switch (type->kind) {
	case FACT_NONE:
	case FACT_SYSTEM:
		break;
	case FACT_VMA:
	case FACT_VMF:
	case FACT_MM:
	case FACT_PAGE:
	case FACT_REGS:
	case FACT_TASK:
	case FACT_ENTRY_AT:
	case FACT_POINTER:
		pointer_text(type, (uintptr_t)value, text, size);
		break;
	case FACT_ENTRY:
		if (type->size <= sizeof(value))
			tables_entry_text(type->level, value, text, size);
		break;
	case FACT_FAULT:
		fault_text((vm_fault_t)value, text, size);
		break;
	case FACT_ACCESS:
		access_text(value, text, size);
		break;
	case FACT_ERROR:
		tables_error_text((unsigned long)value, text, size);
		break;
	case FACT_BOOL:
		append(text, size, "%s", value & 1 ? "true" : "false");
		break;
	case FACT_SIGNED:
		signed_text(type, value, text, size);
		break;
	case FACT_ADDRESS:
	case FACT_UNSIGNED:
		append(text, size, "%#llx", (unsigned long long)value);
		break;
	}
}
