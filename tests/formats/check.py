#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# The boundary between mm/ and the processors.
#
#   words      what mm/ may ask the preprocessor, and which headers it may take:
#              a list of what is allowed, so that no new name slips through
#   self       the same check finds what is planted in a text
#   VARIANT    mm/ compiles against the tables of a machine that does not exist,
#              and needs from outside itself no more than a port supplies
#
# usage: tests/formats/check.py BUILD VARIANT...
import glob
import os
import re
import subprocess
import sys

# What a directive in mm/ may depend on: kinds of build, sanitizers, the width
# of the machine's pointers, and what a host defines by this name.
ALLOWED = {
    "defined", "__has_feature", "thread_sanitizer", "address_sanitizer",
    "__SANITIZE_THREAD__", "__SANITIZE_ADDRESS__", "SLAB_ASAN",
    "__always_inline", "__noinline", "UINTPTR_MAX",
    "QUIRE_DEBUG", "QUIRE_TRACE", "QUIRE_INJECT", "QUIRE_EXPLAIN",
    "QUIRE_TSAN", "QUIRE_DIRECT_MAP_BASE",
}
ASM_HEADERS = {"asm/pgtable.h", "asm/pgtable_types.h", "asm/tlb.h",
               "asm/tlb_types.h"}
# Of the architecture's part, functions that mm/ calls and headers declare.
PORT = {
    "arch_system_init", "arch_system_exit", "arch_fault_info",
    "arch_user_fault_failed", "page_fault_oops", "init_mm_context",
    "flush_tlb_mm", "flush_tlb_mm_range", "flush_tlb_range", "flush_tlb_page",
    "update_mmu_cache", "flush_icache_page", "flush_dcache_page",
    "flush_user_dcache_page", "arch_shared_colour", "arch_frame_written",
    "flush_tlb_fix_spurious_fault", "clear_page", "copy_page",
    "memcpy", "memmove", "memset", "memcmp",
    # Named by the assembler where the address of a function is taken in code
    # that may lie anywhere; the linker's own.
    "_GLOBAL_OFFSET_TABLE_",
}


def strip(text):
    """The text without comments, strings and continued lines."""
    text = re.sub(r"\\\n", " ", text)
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text,
                  flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return text


def offences(name, text):
    found = []
    for n, line in enumerate(strip(text).split("\n"), 1):
        where = f"{name}:{n}: {line.strip()}"
        m = re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b(.*)", line)
        if m:
            for word in re.findall(r"\b[A-Za-z_]\w*", m[2]):
                if word not in ALLOWED and not re.fullmatch(
                        r"QUIRE_MM_\w+_H", word):
                    found.append(f"{where}   <- {word}")
        m = re.match(r"\s*#\s*include\s*(.*)", line)
        if m:
            m = re.match(r'"[\w]+\.h"|<quire/\w+\.h>|<(asm/[^>]*)>', m[1])
            if not m or (m[1] and m[1] not in ASM_HEADERS):
                found.append(where)
        if re.search(r"\b(__asm__|__asm|asm)\b\s*(volatile|goto|\()",
                     re.sub(r'"[^"]*"', '""', line)):
            found.append(where)
    return found


def check_words():
    files = sorted(glob.glob("mm/*.[ch]") + glob.glob("mm/internal/*.h"))
    if len(files) < 40:
        return [f"only {len(files)} files in mm/"]
    return [o for f in files for o in offences(f, open(f).read())]


# Each must be found, and by itself.
PLANTED = [
    "#ifdef __x86_64__\n", "#if defined(__arm__)\n", "#ifndef __i386__\n",
    "#if 0\n#elif defined __aarch64__\n", "#if CONFIG_MMU\n",
    "#ifdef QUIRE_X86\n", "#if QUIRE_UADDR_BITS == 32\n",
    "#if __SIZEOF_POINTER__ == 4\n", "#ifndef ARCH_SETS_YOUNG\n", "# if \\\n  __riscv\n",
    "#include <asm/ptrace.h>\n", '#include "../arch/x86/fault.h"\n',
    "#include <sim/sim.h>\n", '\tasm volatile("sfence");\n',
    '\t__asm__("" ::: "memory");\n',
]
INNOCENT = [
    "/* #ifdef __x86_64__ */\n", "#ifdef QUIRE_DEBUG /* __arm__ */\n",
    '#include "fault.h"\n', "#include <asm/tlb.h>\n",
    "#include <quire/quire.h>\n", 'refuse("asm (x86)");\n',
]


def check_self():
    bad = [f"not found: {t!r}" for t in PLANTED if not offences("planted", t)]
    return bad + [f"found: {t!r}" for t in INNOCENT if offences("innocent", t)]


def check_variant(build, variant):
    lib = f"{build}/{variant}/libcore.a"
    make = subprocess.run(["make", "--no-print-directory", "-k", lib],
                          capture_output=True, text=True)
    if make.returncode:
        return (make.stdout + make.stderr).splitlines()
    members = subprocess.run(["ar", "t", lib], capture_output=True, text=True,
                             check=True).stdout.split()
    missing = {os.path.basename(f)[:-2] for f in glob.glob("mm/*.c")} - \
        {m[:-2] for m in members}
    if missing:
        return [f"not compiled: {m}.c" for m in sorted(missing)]
    need, have = set(), set()
    for line in subprocess.run(["nm", lib], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        m = re.match(r"[0-9a-f ]{8,16} (\w) (\S+)$", line)
        if m:
            (need if m[1] == "U" else have).add(m[2])
    return [f"mm/ needs {n}" for n in sorted(need - have - PORT)
            if not n.startswith("quire_host_")]


def main():
    build, variants = sys.argv[1], sys.argv[2:]
    checks = [("words", check_words), ("self", check_self)]
    checks += [(v, lambda v=v: check_variant(build, v)) for v in variants]
    failed = 0
    for name, check in checks:
        bad = check()
        failed += bool(bad)
        print("FAIL" if bad else "ok  ", name)
        for line in bad[:30]:
            print("    " + line)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
