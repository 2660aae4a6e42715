#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of `quire explain`.

What it prints is compared with the program that it ran: each call with the
machine code of the caller, each name with the symbol table, each place with the
source; so no function is named here because the tests expect it there.

usage: tests/explain/test_explain.py BUILD ARCH... [-- NAME...]"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(sys.argv[1])
QUIRE = os.path.join(BUILD, "bin/quire")
words = sys.argv[2:]
ONLY = words[words.index("--") + 1:] if "--" in words else []
ARCHES = words[:words.index("--")] if "--" in words else words
FORMAT = {"x86_64": "x86_64", "i386": "i386", "i386-pae": "i386_pae",
          "armv7": "arm", "armv6": "arm"}
scratch = tempfile.mkdtemp(prefix="quire-explain-")


def program(arch):
    return os.path.join(BUILD, "explain", "explain-" + FORMAT[arch])


def run(*args):
    return subprocess.run(args, capture_output=True, timeout=600, cwd=TOP,
                          stdin=subprocess.DEVNULL)


def explain(*args, status=0):
    r = run(QUIRE, "explain", *args)
    assert r.returncode == status, (args, r.returncode, r.stderr.decode())
    return r.stdout.decode()


@functools.lru_cache(None)
def stories(arch, *more):
    """All kinds of faults of an architecture, by name."""
    text = explain("--arch", arch, "--json", *more, "all")
    found = [json.loads(line) for line in text.splitlines()]
    return {s["name"]: s for s in found}


def calls(node):
    """(caller, callee) of every call in it, depth first."""
    for inner in node.get("calls", node.get("inside", [])):
        if "function" in inner:
            yield node, inner
            yield from calls(inner)


def events(node, what):
    for inner in node.get("calls", node.get("inside", [])):
        if what in inner:
            yield inner
        yield from events(inner, what)


@functools.lru_cache(None)
def machine_code(path):
    """Of each function of a program: which it calls; "*": by a pointer."""
    r = run("objdump", "-d", "--no-show-raw-insn", path)
    code, now = {}, None
    for line in r.stdout.decode().splitlines():
        m = re.fullmatch(r"[0-9a-f]+ <(.*)>:", line)
        if m:
            now = code.setdefault(m.group(1), set())
            continue
        m = re.search(r"\tcall\s+(?:[0-9a-f]+ <([^+>]*)>|(\*))", line)
        if m and now is not None:
            now.add(m.group(1) or "*")
    return code


def level(levels, name):
    for entry in levels:
        if entry["level"] == name:
            return entry["text"]
    return ""


def frame(text):
    m = re.search(r"frame (0x[0-9a-f]+)", text)
    return m and m.group(1)


# ------------------------------------------------------------------- the graph

def every_call_is_in_the_machine_code():
    for arch in ARCHES:
        code = machine_code(program(arch))
        edges = 0
        for s in stories(arch, "--all").values():
            for caller, callee in calls(s):
                assert callee["function"] in code, callee
                if "function" not in caller:
                    continue
                made = code[caller["function"]]
                # a call by pointer may go through the host's own code
                assert callee["function"] in made or "*" in made or \
                    any(n.startswith(("quire_host_", "sim_")) for n in made), \
                    (arch, s["name"], caller["function"], callee["function"])
                edges += callee["function"] in made
        assert edges > 2000, edges


def every_function_is_where_it_says():
    for arch in ARCHES:
        for s in stories(arch, "--all").values():
            for _, callee in calls(s):
                with open(os.path.join(TOP, callee["file"])) as f:
                    lines = f.read().splitlines()
                text = "\n".join(lines[callee["line"] - 1:callee["line"] + 2])
                # the name, or the macro that makes functions of this sort
                assert callee["function"] in text or \
                    re.match(r"[A-Z_0-9]+\(", text) or \
                    re.match(r"__[A-Z_]+\(", text), (callee["function"], text)


def short_graph_is_part_of_the_whole():
    for arch in ARCHES:
        for name, s in stories(arch).items():
            whole = [c["function"] for _, c in
                     calls(stories(arch, "--all")[name])]
            short = [c["function"] for _, c in calls(s)]
            assert 4 <= len(short) < len(whole), (arch, name)
            rest = iter(whole)
            assert all(f in rest for f in short), (arch, name)


def text_and_json_tell_the_same():
    arch = ARCHES[0]
    for name, s in stories(arch, "--all").items():
        text = explain("--arch", arch, "--all", name)
        shown = re.findall(r"^ *([A-Za-z_]\w*)(?:\(| =|$)", text, re.M)
        told = [c["function"] for _, c in calls(s)]
        rest = iter(shown)
        assert all(f in rest for f in told), name
        for step in events(s, "step"):
            assert "- " + step["step"] in text, (name, step)


def a_renamed_function_has_its_new_name():
    """One file is compiled anew with another name for a function that the graph
    has now; nothing of explain/ is."""
    old = next(c["function"] for _, c in calls(stories("x86_64")["anon_write"])
               if c["file"].endswith("anonymous.h"))
    link = None
    target = os.path.join(BUILD, "explain/explain-x86_64")
    build = os.path.relpath(BUILD, TOP)
    r = run("make", "-n", "V=1", "B=" + build, "-W", "mm/fault.c",
            os.path.relpath(target, TOP))
    text = r.stdout.decode().replace("\\\n", " ")
    new = os.path.join(scratch, "fault.o")
    for line in text.splitlines():
        if "-c mm/fault.c" in line:
            line = re.sub(r"-o \S+", "-D%s=quite_another_name -o %s" %
                          (old, new), line)
            subprocess.run(line, shell=True, check=True, cwd=TOP)
        if "-ldw" in line:
            link = line
    assert os.path.exists(new) and link, text
    out = os.path.join(scratch, "explain")
    link = re.sub(r"-o \S+", "-o %s %s" % (out, new), link, count=1)
    subprocess.run(link, shell=True, check=True, cwd=TOP)
    r = run(out, "--json", "anon_write")
    story = json.loads(r.stdout)
    before = [c["function"] for _, c in calls(stories("x86_64")["anon_write"])]
    after = [c["function"] for _, c in calls(story)]
    assert old not in after, after
    assert after == [f.replace(old, "quite_another_name") for f in before]


# ------------------------------------------------------------------ the faults

# name: kind, what becomes of the last entry, how the access ends
EXPECTED = {
    "anon_write": ("anon_write", "new", "done"),
    "anon_write_table": ("anon_write", "new", "done"),
    "zero_read": ("zero_read", "new", "done"),
    "file_read": ("file_read", "new", "done"),
    "file_read_cached": ("file_read", "new", "done"),
    "file_cow": ("file_cow", "new", "done"),
    "file_shared": ("file_shared", "new", "done"),
    "shmem": ("shmem", "new", "done"),
    "cow_copy": ("cow_copy", "other frame", "done"),
    "cow_reuse": ("cow_reuse", "same frame", "done"),
    "cow_zero": ("cow_zero", "other frame", "done"),
    "mkwrite": ("mkwrite", "same frame", "done"),
    "device": ("device", "new", "done"),
    "device_cow": ("cow_copy", "other frame", "done"),
    "stack_growth": ("stack_growth", "new", "done"),
    "spurious": ("spurious", "as it was", "done"),
    "numa": ("numa", "same frame", "done"),
    "sigsegv_maperr": ("sigsegv", "as it was", "SIGSEGV SEGV_MAPERR"),
    "sigsegv_accerr": ("sigsegv", "as it was", "SIGSEGV SEGV_ACCERR"),
    "sigsegv_kernel": ("sigsegv", "as it was", "SIGSEGV SEGV_MAPERR"),
    "sigbus": ("sigbus", "as it was", "SIGBUS BUS_ADRERR"),
    "sigbus_io": ("sigbus", "as it was", "SIGBUS BUS_ADRERR"),
    "file_read_late": ("file_read", "new", "done"),
    "mkwrite_again": ("mkwrite", "same frame", "done"),
    "mkwrite_throttled": ("file_shared", "new", "done"),
    "sigbus_mkwrite": ("sigbus", "as it was", "SIGBUS BUS_ADRERR"),
    "sigbus_entry": ("sigbus", "as it was", "SIGBUS BUS_ADRERR"),
    "swap_in": ("swap", "swapped in", "done"),
    "swap_in_write": ("swap", "swapped in", "done"),
    "swap_in_sync": ("swap", "swapped in", "done"),
    "swap_cached": ("swap", "swapped in", "done"),
    "swap_cow": ("cow_copy", "swapped in", "done"),
    "swap_shmem": ("shmem", "new", "done"),
    "sigbus_swap": ("sigbus", "as it was", "SIGBUS BUS_ADRERR"),
    "sigbus_swapoff": ("sigbus", "marker", "SIGBUS BUS_ADRERR"),
    "sigbus_broken": ("sigbus", "broken memory", "SIGBUS BUS_MCEERR_AR"),
    "device_memory": ("swap", "back from a device's memory", "done"),
    "migrating": ("swap", "back from migrating", "done"),
    "oom": ("oom", "as it was", "out of memory"),
    "copy_to_user": ("anon_write", "new", "done"),
    "fixup": ("fixup", "as it was", "-EFAULT"),
    "oops": ("oops", "as it was", "oops"),
    "oops_kernel": ("oops", "as it was", "oops"),
    "exec": ("file_read", "new", "done"),
}
EXPECTED_X86 = {
    "spurious_kernel": ("spurious", "same frame", "done"),
    "vmalloc": ("vmalloc", "mapped", "done"),
    "reserved_bit": ("oops", "as it was", "SIGKILL"),
}
EXPECTED_ARM = {
    "young": ("young_dirty", "same frame", "done"),
    "dirty": ("young_dirty", "same frame", "done"),
    "vmalloc": ("vmalloc", "as it was", "done"),
    "section": ("sigsegv", "as it was", "SIGSEGV SEGV_MAPERR"),
    "domain": ("sigsegv", "as it was", "SIGSEGV SEGV_ACCERR"),
    "alignment": ("sigbus", "as it was", "SIGBUS BUS_ADRALN"),
    "external": ("sigbus", "as it was", "SIGBUS BUS_OBJERR"),
    "walk_external": ("sigbus", "as it was", "SIGBUS BUS_OBJERR"),
}
NO_EXECUTE = {
    "sigsegv_exec": ("sigsegv", "as it was", "SIGSEGV SEGV_ACCERR"),
}
# Kinds that no fault can have yet: there is no huge page.  The tracepoint's "none" is what a killed task's fault ends with.  On
# x86-64 the kernel's top-level entries are all there from the start: nothing
# is copied later.
NOT_YET = {"none", "huge", "hugetlb"}


def expected(arch):
    own = dict(EXPECTED)
    if arch.startswith("arm"):
        own.update(EXPECTED_ARM)
    else:
        own.update(EXPECTED_X86)
    if arch == "x86_64":
        del own["vmalloc"]
        own.update(smap=("oops", "as it was", "oops"),
                   smep=("oops", "as it was", "oops"))
    if arch == "i386":
        del own["reserved_bit"]
    else:
        own.update(NO_EXECUTE)
    return own


def listed(arch):
    return [line.split()[0] for line in
            explain("--arch", arch, "--list").splitlines()]


def every_kind_is_what_it_is_called():
    for arch in ARCHES:
        found = stories(arch)
        assert set(found) == {k for k in listed(arch) if not k.startswith("entry")}
        assert set(expected(arch)) == set(found), \
            set(expected(arch)) ^ set(found)
        for name, (kind, _, outcome) in expected(arch).items():
            s = found[name]
            assert kind in [f["kind"] for f in s["faults"]], (arch, name, s)
            assert outcome in s["outcome"], (arch, name, s["outcome"])
            assert list(events(s, "step")), (arch, name)
        with open(os.path.join(TOP, "include/quire/trace.h")) as f:
            kinds = set(re.findall(r'\[QF_\w+\] = "(\w+)"', f.read()))
        shown = {f["kind"] for s in found.values() for f in s["faults"]}
        missing = NOT_YET | ({"vmalloc"} if arch == "x86_64" else set())
        if not arch.startswith("arm"):
            missing |= {"young_dirty"}  # the processor does that
        assert kinds - shown == missing, (arch, kinds - shown)


def entries_become_what_they_should():
    for arch in ARCHES:
        for name, (_, becomes, _) in expected(arch).items():
            s = stories(arch)[name]
            was, now = level(s["before"], "pte"), level(s["after"], "pte")
            assert s["arch"] == arch
            if becomes == "new":
                assert was in ("", "empty") and frame(now), (arch, name, now)
            elif becomes == "swapped in":
                assert was.startswith("swap area 0 slot ") and frame(now), \
                    (arch, name, was, now)
            elif becomes.startswith("back from "):
                assert was.startswith(becomes[10:]) and frame(now), \
                    (arch, name, was, now)
            elif becomes in ("marker", "broken memory"):
                assert was.startswith(becomes) and now == was, \
                    (arch, name, was, now)
            elif becomes == "other frame":
                assert frame(was) and frame(now) != frame(was), (arch, name)
            elif becomes == "mapped":
                assert not was and "kernel writable" in now, (arch, name, now)
            elif becomes == "same frame":
                assert frame(now) == frame(was) and now != was, (arch, name)
            else:
                assert now == was or now == "empty", (arch, name, was, now)
            if s["access"] == "write" and s["outcome"] == "done":
                assert "writable" in now and "dirty" in now, (arch, name, now)
            # memory files are always dirty: there is no first store to see
            if becomes == "new" and s["access"] == "read" and \
                    name != "swap_shmem":
                assert "writable" not in now, (arch, name, now)


def arm_marks_young_and_dirty_by_faults():
    for arch in ARCHES:
        if not arch.startswith("arm"):
            continue
        s = stories(arch)["young"]
        assert " old" in level(s["before"], "pte")
        assert " young" in level(s["after"], "pte")
        s = stories(arch)["dirty"]
        assert "read-only until written" in level(s["before"], "pte")
        assert " dirty" not in level(s["before"], "pte")
        s = stories(arch)["vmalloc"]
        assert level(s["before"], "pmd") == "empty"
        assert "section" in level(s["after"], "pmd")


def changes_lead_from_before_to_after():
    for arch in ARCHES:
        for name, s in stories(arch).items():
            now = {e["level"]: e["value"] for e in s["before"]}
            for change in events(s, "entry"):
                at = change["entry"]
                assert now.get(at, "0") == change["from"]["value"], (name, at)
                now[at] = change["to"]["value"]
            after = {e["level"]: e["value"] for e in s["after"]}
            for at, value in after.items():
                # the processor itself has set accessed or dirty, at most
                was, is_ = int(now.get(at, "0"), 16), int(value, 16)
                assert was == is_ or (arch.startswith(("x86", "i386")) and
                                      is_ & ~0x60 == was & ~0x60), \
                    (arch, name, at, hex(was), value)


def facts_are_told():
    for arch in ARCHES:
        s = stories(arch)
        vma = s["anon_write"]["mapping"]
        told = [v for _, c in calls(s["anon_write"])
                for v in list(c["arguments"].values()) + [c.get("returns")]]
        assert vma and vma in told
        copied = [v for _, c in calls(s["cow_copy"])
                  for v in c["arguments"].values()]
        assert any("mapcount 2" in v for v in copied), arch
        assert s["stack_growth"]["mapping"] != \
            s["stack_growth"]["mapping_after"]
        assert "pgfault +1" in s["anon_write"]["counted"]
        top = s["cow_copy"]["calls"][0]
        assert "write" in " ".join(top["arguments"].values()), top["arguments"]


def five_levels():
    s = json.loads(explain("--levels", "5", "--json", "anon_write"))
    assert [e["level"] for e in s["after"]] == \
        ["pgd", "p4d", "pud", "pmd", "pte"]
    s = json.loads(explain("--levels=4", "--json", "anon_write"))
    assert [e["level"] for e in s["after"]] == ["p4d", "pud", "pmd", "pte"]


def kinds_by_the_name_of_the_report():
    text = explain("--json", "sigsegv")
    names = [json.loads(line)["name"] for line in text.splitlines()]
    assert len(names) > 2 and all(n.startswith("sigsegv") for n in names)


def mistakes_are_told_in_one_line():
    for args in (["nonsense"], ["--arch", "z80", "oom"], ["--levels", "3"],
                 ["--nonsense"], ["--arch"], ["oom", "nonsense"]):
        r = run(QUIRE, "explain", *args)
        assert r.returncode == 125, (args, r.returncode)
        assert re.fullmatch(r"quire: .*\n", r.stderr.decode()), r.stderr
    assert explain() == explain("--list")
    assert "usage: quire explain" in explain("--help")


# ------------------------------------------------------------------- the entry

KERNEL = {"x86_64": "kernel/quire.elf", "armv7": "kernel-armv7/quire.elf",
          "armv6": "kernel-armv6/quire.elf"}


def kernel_of(arch):
    kernel = os.path.join(BUILD, KERNEL.get(arch, "none"))
    return kernel if os.path.exists(kernel) else None


@functools.lru_cache(None)
def entry(arch, kind):
    return json.loads(explain("--arch", arch, "--json", kind))


def entry_passes_through_the_kernels_labels():
    assert kernel_of("x86_64")
    for arch in filter(kernel_of, ARCHES):
        symbols = set(re.sub(r"\..*", "", line.split()[-1]) for line in
                      run("nm", kernel_of(arch)).stdout.decode().splitlines())
        kinds = [k for k in listed(arch) if k.startswith("entry")]
        assert len(kinds) == 3, kinds
        for kind in kinds:
            s = entry(arch, kind)
            path = s["path"]
            user = path[0]["mode"]
            middle = [p for p in path if p["mode"] != user]
            assert path[-1]["mode"] == user, path[-1]
            assert path[1:-1] == middle or kind == "entry_exec", path
            # ARM's vectors are a copy, in a page of its own, without symbols
            assert all(p["label"] in symbols or
                       p["label"].startswith("0xffff00") for p in middle)
            assert sum(p["instructions"] for p in middle) == s["instructions"]
            # assembly, then C called from it, then assembly again
            depth = [p["depth"] for p in middle]
            assert depth[0] == depth[-1] == 0 and max(depth) > 1, depth
            assert all(p["language"] == "assembly" for p in middle
                       if p["depth"] == 0)
            first = next(p for p in middle if p["depth"] == 1)
            assert first["language"] == "c"
            text = explain("--arch", arch, kind)
            assert first["label"] in text and s["arrival"] in text


def entry_tells_what_the_processor_left():
    for arch in filter(kernel_of, ARCHES):
        if arch == "x86_64":
            assert "0x6: user mode, write" in entry(arch, "entry")["arrival"]
            assert "0x14: user mode, instruction fetch" in \
                entry(arch, "entry_exec")["arrival"]
        else:
            for kind in ("entry", "entry_exec"):
                s = entry(arch, kind)
                modes = [p["mode"] for p in s["path"]]
                # user mode, abort mode for a few instructions, SVC mode
                assert list(dict.fromkeys(modes)) == ["usr", "abt", "svc"]
                assert "mode abt, interrupts off" in s["arrival"]


def entry_in_kernel_mode_is_another_way():
    """A fault in a system call: assembly in the middle of C, and C again."""
    for arch in filter(kernel_of, ARCHES):
        path = entry(arch, "entry_kernel")["path"]
        inner = [p["label"] for p in path
                 if p["depth"] and p["language"] == "assembly"]
        outer = [p["label"] for p in entry(arch, "entry")["path"]
                 if p["depth"] == 0]
        called = next(p["label"] for p in entry(arch, "entry")["path"]
                      if p["depth"] == 1)
        again = [p["depth"] for p in path if p["label"] == called]
        assert again and min(again) > 1, (arch, again)
        if arch == "x86_64":  # one entry for both modes
            assert set(inner) & set(outer), (inner, outer)
        else:  # and ARM has one for each
            assert any(n.endswith("_svc") for n in inner), inner
            assert any(n.endswith("_usr") for n in outer), outer


def entry_waits_for_a_step_that_advances():
    """QEMU may say that it has stepped, and the processor is where it was."""
    here = {"QUIRE_QEMU": os.path.join(HERE, "slow_qemu.py"),
            "SLOW_QEMU": "qemu-system-x86_64", "SLOW_STEPS": "3"}
    os.environ.update(here)
    try:
        slow = json.loads(explain("--arch", "x86_64", "--json", "entry"))
    finally:
        for name in here:
            del os.environ[name]
    assert slow["path"] == entry("x86_64", "entry")["path"], slow
    assert slow["arrival"][:20] == entry("x86_64", "entry")["arrival"][:20]


TESTS = [v for k, v in list(globals().items())
         if callable(v) and getattr(v, "__module__", "") == "__main__" and
         k not in ("program", "run", "explain", "stories", "calls", "events",
                   "machine_code", "level", "frame", "listed", "expected",
                   "kernel_of", "entry")]


def main():
    failed = passed = 0
    for test in TESTS:
        if ONLY and test.__name__ not in ONLY:
            continue
        try:
            test()
            passed += 1
        except Exception:
            failed += 1
            print("FAILED", test.__name__)
            traceback.print_exc(file=sys.stdout)
    shutil.rmtree(scratch)
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
