#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the `quire` command by itself: its words, its errors, its files,
and its streams against a machine that fake_qemu.py plays.

usage: tests/cmd/test_command.py QUIRE [NAME...]"""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
QUIRE = os.path.abspath(sys.argv[1])
FAKE = os.path.join(HERE, "fake_qemu.py")
scratch = tempfile.mkdtemp(prefix="quire-test-")


def environment(fake=None, **more):
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    if fake:
        env.update(QUIRE_QEMU=FAKE, QUIRE_KERNEL="/bin/sh", FAKE=fake)
    env.update(more)
    return env


def quire(*args, fake=None, stdin=b"", env=None, cwd=None):
    return subprocess.run([QUIRE, *args], input=stdin, capture_output=True,
                          timeout=120, env=environment(fake, **(env or {})),
                          cwd=cwd or TOP)


def start(*args, fake, **popen):
    return subprocess.Popen([QUIRE, *args], env=environment(fake),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **popen)


def path(name):
    return os.path.join(scratch, name)


def put(name, data, mode=0o755):
    with open(path(name), "wb") as f:
        f.write(data)
    os.chmod(path(name), mode)
    return path(name)


def one_line(result, status, pattern):
    """The command said one line that says what is wrong, and nothing else."""
    text = result.stderr.decode()
    assert result.returncode == status, (result.returncode, text)
    assert result.stdout == b"", result.stdout
    assert text.count("\n") == 1, text
    assert re.fullmatch(r"quire: .*" + pattern + r".*\n", text), text


def elf(machine=62, kind=2, bits=2, loads=1, interp=None, entry=0x401000):
    """A small ELF file whose headers are right unless asked otherwise."""
    phdrs = []
    data = b""
    n = loads + (1 if interp else 0)
    at = 64 + 56 * n
    if interp:
        text = interp.encode() + b"\0"
        phdrs.append(struct.pack("<IIQQQQQQ", 3, 4, at, at, at, len(text),
                                 len(text), 1))
        data += text
    for _ in range(loads):
        phdrs.append(struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000,
                                 at + len(data), 0x2000, 0x1000))
    head = struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", bits, 1, 1, kind,
                       machine, 1, entry, 64, 0, 0, 64, 56, n, 0, 0, 0)
    return head + b"".join(phdrs) + data


def elf32(machine=40, kind=2, order=1, flags=0x5000400, interp=None,
          at=0x10000, size=0x2000, entry=0x10100):
    """The same for 32 bits: an ARM program unless asked otherwise."""
    phdrs = []
    data = b""
    n = 2 if interp else 1
    end = 52 + 32 * n
    if interp:
        text = interp.encode() + b"\0"
        phdrs.append(struct.pack("<8I", 3, end, end, end, len(text), len(text),
                                 4, 1))
        data += text
    phdrs.append(struct.pack("<8I", 1, 0, at, at, end + len(data), size, 5,
                             0x1000))
    head = struct.pack("<4sBBB9xHHIIIIIHHHHHH", b"\x7fELF", 1, order, 1, kind,
                       machine, 1, entry, 52, 0, flags, 52, 32, n, 0, 0, 0)
    return head + b"".join(phdrs) + data


# ------------------------------------------------------------- words, errors


def test_help():
    for args in (["--help"], ["-h"], ["help"]):
        r = quire(*args)
        assert r.returncode == 0 and b"usage: quire" in r.stdout
        assert b"run" in r.stdout and r.stderr == b""


def test_run_help_names_every_option():
    r = quire("run", "--help")
    assert r.returncode == 0
    for option in ("--arch", "--cpus", "--ram", "--levels", "--accel", "--share",
                   "--json", "--trace", "--root", "--icount", "--kernel",
                   "--quiet", "--verbose", "--disk", "--fault-around",
                   "--fault-around-policy", "--readahead",
                   "--readahead-policy", "--inject-io", "--swap",
                   "--swap-device", "--reclaim"):
        assert option.encode() in r.stdout, option
        page = open(os.path.join(TOP, "man/quire-run.1")).read()
        assert "\\-\\-" + option[2:].replace("-", "\\-") in page, option


def test_version():
    version = open(os.path.join(TOP, "VERSION")).read().strip()
    r = quire("--version")
    assert r.stdout.decode() == f"quire {version}\n" and r.returncode == 0


def test_no_command():
    r = quire()
    assert r.returncode == 125 and b"usage" in r.stderr and r.stdout == b""


def test_full_disk():
    with open("/dev/full", "wb") as full:
        r = subprocess.run([QUIRE, "--help"], stdout=full,
                           stderr=subprocess.PIPE)
    assert r.returncode == 125, r.returncode


def test_bad_words():
    for args, pattern in (
        (["walk"], "no command walk"),
        (["run"], "which program"),
        (["run", "--"], "which program"),
        (["run", "--cpu", "2", "ls"], "no option --cpu"),
        (["run", "-x", "ls"], "no option -x"),
        (["run", "--cpus", "0", "ls"], "--cpus 0: a number from 1 to 8"),
        (["run", "--cpus", "9", "ls"], "--cpus 9"),
        (["run", "--cpus", "2x", "ls"], "--cpus 2x"),
        (["run", "--cpus=", "ls"], "--cpus : a number"),
        (["run", "--levels", "3", "ls"], "4 or 5 is expected"),
        (["run", "--arch", "arm", "ls"],
         "--arch arm: x86_64, armv7 or armv6 is"),
        (["run", "--arch", "armv7", "--cpus", "5", "x"],
         "--cpus 5: the armv7 machine has at most 4"),
        (["run", "--arch", "armv6", "--cpus", "2", "x"],
         "--cpus 2: the armv6 machine has at most 1"),
        (["run", "--arch", "armv7", "--levels", "4", "x"],
         "--levels 4: page tables have 2 levels on armv7"),
        (["run", "--arch", "armv7", "--ram", "1G", "x"],
         "--ram 1G is too much: 760M is the most on armv7"),
        (["run", "--arch", "armv6", "--ram", "770M", "x"],
         "--ram 770M is too much: 760M is the most on armv6"),
        (["run", "--arch", "armv6", "--accel", "kvm", "x"],
         "there is only tcg for armv6"),
        (["run", "--accel", "xen", "ls"], "tcg or kvm"),
        (["run", "--ram", "lots", "ls"], "--ram lots: a size"),
        (["run", "--ram", "1MB", "ls"], "--ram 1MB: a size"),
        (["run", "--ram", "-1", "ls"], "--ram -1: a size"),
        (["run", "--ram", "99999999999999999999", "ls"], "a size"),
        (["run", "--ram", "17179869184G", "ls"], "a size"),
        (["run", "--ram", "1M", "ls"], "too little: the kernel needs"),
        (["run", "--ram", "65G", "ls"],
         "--ram 65G is too much: 64G is the most on x86_64"),
        (["run", "--icount", "--cpus", "2", "ls"], "one processor"),
        (["run", "--icount", "--accel", "kvm", "ls"], "needs --accel tcg"),
        (["run", "--fault-around", "3K", "ls"],
         "--fault-around 3K: a power of two from 4K"),
        (["run", "--fault-around", "96K", "ls"], "a power of two"),
        (["run", "--fault-around", "4M", "ls"], "to 2M is expected"),
        (["run", "--fault-around", "x", "ls"], "a power of two"),
        (["run", "--readahead", "6K", "ls"],
         "--readahead 6K: a multiple of 4K up to 64M"),
        (["run", "--readahead", "128M", "ls"], "up to 64M"),
        (["run", "--readahead-policy", "", "ls"], "the name of a policy"),
        (["run", "--readahead-policy", "a b", "ls"],
         "--readahead-policy a b: the name of a policy"),
        (["run", "--fault-around-policy", "x" * 32, "ls"],
         "--fault-around-policy x+: the name of a policy"),
        (["run", "--inject-io", "1,2,3", "ls"], "SEED,SHORT,WRITE,READ"),
        (["run", "--inject-io", "1,2,3,4,5", "ls"], "four numbers"),
        (["run", "--inject-io", "1,2,3,", "ls"], "four numbers"),
        (["run", "--inject-io", "1,2,3,1234567890", "ls"], "four numbers"),
        (["run", "--disk", "", "ls"], "--disk : a file is expected"),
        (["run", "--disk", ",ro", "ls"], "--disk ,ro: a file is expected"),
        (["run"] + ["--disk", "x"] * 9 + ["ls"], "8 disks are the most"),
        (["run", "--arch", "x86_64"] + ["--disk", "x"] * 7 + ["ls"],
         "the x86_64 machine has room for 6"),
        (["run", "--arch", "armv6", "--share", "/"] + ["--disk", "x"] * 2 +
         ["ls"], "the armv6 machine has room for 1 beside --share"),
        (["run", "--swap", "512K", "ls"], "--swap 512K: a size such as"),
        (["run", "--swap", "much", "ls"], "--swap much: a size such as"),
        (["run", "--swap", "2048G", "ls"], "--swap 2048G: a size such as"),
        (["run", "--swap-device", "tape", "ls"],
         "--swap-device tape: file, file:PATH, zram or nbd:URI"),
        (["run", "--swap-device", "file:", "ls"], "--swap-device file:: file"),
        (["run", "--swap-device", "nbd:localhost", "ls"],
         "--swap-device nbd:localhost: file, file:PATH, zram or nbd:URI"),
        (["run", "--swap-device", "file", "ls"],
         "--swap-device file: how much"),
        (["run", "--swap-device", "zram", "ls"],
         "--swap-device zram: how much"),
        (["run", "--reclaim", "a b", "ls"],
         "--reclaim a b: the name of a policy"),
        (["run", "--arch", "x86_64", "--swap", "1M"] + ["--disk", "x"] * 6 +
         ["ls"], "has room for 5 beside --swap"),
        (["run", "--arch", "armv6", "--share", "/", "--swap", "1M", "--disk",
          "x", "ls"], "has room for 0 beside --share and --swap"),
        (["run", "--json"], "--json needs a value"),
        (["run", "--help=1", "ls"], "no option --help=1"),
    ):
        one_line(quire(*args), 125, pattern)


def test_sizes():
    for text, mib in (("64M", 64), ("65536k", 64), ("1g", 1024), ("96", 96),
                      ("1G", 1024), ("100001K", 97)):
        r = quire("run", "-q", "--ram", text, "ls", fake="records")
        assert f"\n-m\n{mib}M\n".encode() in r.stdout, (text, r)


# ---------------------------------------------------------------- the program


def test_not_found():
    one_line(quire("run", "/no/such", fake="exit"), 127, "No such file")
    one_line(quire("run", "no-such-program", fake="exit"), 127, "not found")
    one_line(quire("run", "./no-such", fake="exit"), 127, "No such file")


def test_not_a_program():
    for name, data, mode, pattern in (
        ("text", b"just text\n", 0o755, "not an ELF program"),
        ("empty", b"", 0o755, "not an ELF program"),
        ("plain", elf(), 0o644, "not executable"),
        ("armbe", elf32(order=2, machine=40 << 8), 0o755,
         "for ARM; quire runs"),
        ("arm64elf", elf(machine=40), 0o755, "for ARM; quire runs"),
        ("armhigh", elf32(at=0xbf000000), 0o755, "no sense"),
        ("armwrap", elf32(at=0xfffff000), 0o755, "no sense"),
        ("armlib", elf32(kind=3, entry=0), 0o755, "not a program"),
        ("armcut", elf32()[:60], 0o755, "cut short"),
        ("armstub", elf32()[:40], 0o755, "cut short"),
        ("arm64", elf(machine=183), 0o755, "for AArch64;"),
        ("i386", elf(machine=3, bits=1), 0o755, "for i386;"),
        ("odd", elf(machine=4711), 0o755, "for another machine"),
        ("x32", elf(bits=1), 0o755, "for x86-64; quire runs 64-bit"),
        ("object", elf(kind=1), 0o755, "not a program"),
        ("library", elf(kind=3, entry=0), 0o755, "not a program"),
        ("nothing", elf(loads=0), 0o755, "not a program"),
        ("half", elf()[:100], 0o755, "cut short"),
        ("stub", elf()[:30], 0o755, "cut short"),
        ("wild", elf()[:54] + b"\x10\0" + elf()[56:], 0o755, "no sense"),
    ):
        file = put(name, data, mode)
        one_line(quire("run", file, fake="exit"), 126, pattern)
    one_line(quire("run", scratch, fake="exit"), 126, "a directory")
    one_line(quire("run", "/dev/null", fake="exit"), 126, "not a regular")


def test_missing_interpreter():
    file = put("dynamic", elf(interp="/lib/no-such-ld.so"))
    one_line(quire("run", file, fake="exit"), 127, "/lib/no-such-ld.so is not")
    file = put("script", b"#! /no/such/sh -e\n")
    one_line(quire("run", file, fake="exit"), 127, "/no/such/sh is not there")
    file = put("script2", b"#!sh\n")
    one_line(quire("run", file, fake="exit"), 127, "interpreter sh is not")


def machine_of(result):
    """What QEMU was told: program's name, -M, -cpu, -m, kernel."""
    words = result.stdout.decode().split("\n")
    return {w: words[words.index(w) + 1] for w in
            ("-M", "-cpu", "-m", "-smp", "-kernel", "-append")}


def test_arch_by_the_program():
    hard, soft = put("hard", elf32()), put("soft", elf32(flags=0x5000200))
    script = put("arm-script", b"#!" + soft.encode() + b" -x\n")
    nested = put("nested", b"#! " + script.encode() + b"\n")
    arm = ("virt", "cortex-a15", "512M")
    for file, options, want in (
        ("/bin/busybox", [], ("microvm", "max", "1024M")),
        (hard, [], arm), (soft, [], arm), (script, [], arm), (nested, [], arm),
        (hard, ["--arch", "armv7", "--ram", "760M"], arm[:2] + ("760M",)),
        (soft, ["--arch", "armv6"], ("vexpress-a15", "arm1176", "512M")),
        (script, ["--arch=armv6"], ("vexpress-a15", "arm1176", "512M")),
        ("/bin/busybox", ["--arch", "x86_64"], ("microvm", "max", "1024M")),
    ):
        r = quire("run", "-q", *options, file, fake="records")
        assert r.returncode == 0, (file, r)
        m = machine_of(r)
        got = (m["-M"].split(",")[0], m["-cpu"], m["-m"])
        assert got == want, (file, options, got)
    # What the program's machine cannot do is told as if it had been named.
    for options, pattern in (
        (["--cpus", "5"], "--cpus 5: the armv7 machine has at most 4"),
        (["--levels=5"], "--levels 5: page tables have 2 levels on armv7"),
        (["--ram", "2G"], "--ram 2G is too much: 760M is the most on armv7"),
        (["--accel", "kvm"], "there is only tcg for armv7"),
    ):
        one_line(quire("run", *options, hard, fake="exit"), 125, pattern)
    one_line(quire("run", "--arch", "x86_64", hard, fake="exit"), 126,
             "a program for ARM; --arch x86_64 runs 64-bit x86-64")
    one_line(quire("run", "--arch", "armv6", "/bin/busybox", fake="exit"), 126,
             "a program for x86-64; --arch armv6 runs 32-bit ARM")
    # A script is a program for its interpreter's machine.
    one_line(quire("run", "--arch", "x86_64", nested, fake="exit"), 126,
             "a program for ARM; --arch x86_64")
    loop = path("loop")
    put("loop", b"#!" + loop.encode() + b"\n")
    one_line(quire("run", loop, fake="exit"), 126, "too many interpreters")


def test_arm_machines():
    soft = put("soft", elf32(flags=0x5000200))
    for arch, cpus in (("armv7", "4"), ("armv6", "1")):
        r = quire("run", "-q", "--arch", arch, "--cpus", cpus, "--icount"
                  if cpus == "1" else "--trace=" + path("t"), soft, "a b",
                  fake="records")
        assert r.returncode == 0, r
        text = r.stdout.decode()
        assert f"\n-smp\n{cpus}\n" in text
        assert "\n-initrd\n/proc/self/fd/" in text and "fw_cfg" not in text
        assert "\n-serial\nchardev:log\n" in text
        assert "enable=on,target=native,chardev=rep" in text
        assert "isa-debug" not in text and "quire.levels" not in text
        assert f"P{soft}\nA{soft}\nAa b\n" in text, text
        assert ("shift=0" in text) == (cpus == "1")
        report = path(arch + ".json")
        quire("run", "-q", "--arch", arch, "--json", report, soft, fake="exit")
        machine = json.load(open(report))["machine"]
        assert machine["arch"] == arch and machine["levels"] == 2, machine
        assert machine["ram_bytes"] == 512 << 20
    # A hint, where Debian's armhf dies of the first Thumb-2 instruction.
    hard = put("hard", elf32())
    for file, arch, told in ((hard, "armv6", True), (soft, "armv6", False),
                             (hard, "armv7", False)):
        r = quire("run", "-q", "--arch", arch, file, fake="illegal")
        assert r.returncode == 128 + signal.SIGILL, r
        assert (b"needs --arch armv7" in r.stderr) == told, r


def test_arm_dynamic_program():
    root = path("armroot")
    os.makedirs(root + "/bin", exist_ok=True)
    os.makedirs(root + "/lib", exist_ok=True)
    put("armroot/bin/dyn", elf32(interp="/lib/ld-linux-armhf.so.3"))
    one_line(quire("run", "--root", root, "/bin/dyn", fake="exit"), 127,
             "ld-linux-armhf.so.3 is not there")
    put("armroot/lib/ld-linux-armhf.so.3", elf32(kind=3))
    r = quire("run", "-q", "--root", root, "dyn", fake="records")
    assert r.returncode == 0 and machine_of(r)["-M"] == "virt", r


def test_good_programs_are_taken():
    for file in ("/bin/busybox", "ls", put("good", elf()),
                 put("with-interp", elf(interp="/bin/sh")),
                 put("good-script", b"#! /bin/sh -e\ntrue\n")):
        r = quire("run", "-q", file, fake="exit")
        assert r.returncode == 0 and r.stdout == b"hello\n", (file, r)


def test_search_path():
    os.makedirs(path("dir/bin"), exist_ok=True)
    put("dir/bin/tool", elf())
    put("dir/bin/no-x", elf(), 0o644)
    env = {"PATH": f"/nowhere::{path('dir/bin')}:/bin"}
    r = quire("run", "-q", "tool", fake="records", env=env)
    assert r.stdout.startswith(b"P" + path("dir/bin/tool").encode()), r
    one_line(quire("run", "no-x", fake="exit", env=env), 127, "not found")


def test_root():
    root = path("root")
    os.makedirs(root + "/bin", exist_ok=True)
    put("root/bin/prog", elf())
    if not os.path.islink(root + "/bin/link"):
        os.symlink("/bin/prog", root + "/bin/link")
        os.symlink("../../../../../../bin/sh", root + "/bin/out")
    for name in ("/bin/prog", "bin/prog", "/bin/link", "prog"):
        r = quire("run", "-q", "--root", root, name, fake="records",
                  env={"PATH": "/bin"})
        lines = r.stdout.split(b"\n")
        assert lines[0].startswith(b"P/bin/"), (name, r)
        assert b"C/" in lines, "the working directory is the root"
        assert f"path={root},".encode() in r.stdout
    # A link may not lead out of the root.
    one_line(quire("run", "--root", root, "/bin/out", fake="exit"), 127,
             "No such file")
    one_line(quire("run", "--root", path("nowhere"), "/bin/prog",
                   fake="exit"), 127, "No such file")


def test_share():
    r = quire("run", "-q", "ls", fake="records")
    assert b"mount_tag=share" not in r.stdout and b"\nM" not in r.stdout
    put("shared-program", elf())
    r = quire("run", "-q", "--share", scratch, "/mnt/share/shared-program",
              fake="records")
    assert r.returncode == 0, r
    assert b"M/mnt/share\n" in r.stdout
    share = [l for l in r.stdout.split(b"\n") if b"id=share," in l]
    root = [l for l in r.stdout.split(b"\n") if b"id=root," in l]
    assert len(share) == 1 and b"readonly" not in share[0], share
    assert len(root) == 1 and b"readonly=on" in root[0], root
    one_line(quire("run", "--share", path("nowhere"), "ls", fake="exit"), 125,
             "not a directory")


def test_disks():
    disk, other = put("disk", b"x" * 1024, 0o644), put("b,ro", b"y" * 512)
    r = quire("run", "-q", "--disk", disk, "--disk=" + other + ",ro", "ls",
              fake="records")
    assert r.returncode == 0, r
    drives = [l for l in r.stdout.decode().split("\n") if "if=none" in l]
    assert len(drives) == 2, drives
    assert drives[0].endswith(f"readonly=off,file={disk}"), drives
    assert drives[1].endswith(f"readonly=on,file={scratch}/b,,ro"), drives
    for d in drives:
        # An error of the host's disk is the program's, not the machine's end.
        assert "werror=report,rerror=report" in d, d
    assert b"\nvirtio-blk-device,drive=disk0\n" in r.stdout
    for file, pattern in (
        (path("nowhere"), "nowhere: No such file"),
        (scratch, "directory"),
        ("/dev/null", "/dev/null: not a file of bytes"),
        (put("odd", b"z" * 513), "not a multiple of 512"),
        (put("empty", b""), "not a multiple of 512"),
    ):
        one_line(quire("run", "--disk", file, "ls", fake="exit"), 125, pattern)


def swap_machine(*options, env=None):
    """What the kernel is told of swap, and QEMU's drives."""
    r = quire("run", "-q", *options, "ls", fake="records", env=env)
    assert r.returncode == 0, r
    lines = r.stdout.decode().split("\n")
    words = [l for l in lines if "quire.log" in l][0].split(" ")
    return ([w for w in words if w.startswith(("quire.swap",
                                               "quire.reclaim"))],
            [l for l in lines if "if=none" in l])


def header_pages(data):
    """Of a swap header as swapon(2) wants it."""
    assert data[4086:4096] == b"SWAPSPACE2", data[4080:4096]
    version, last_page, bad_pages = struct.unpack("<III", data[1024:1036])
    assert (version, bad_pages) == (1, 0)
    return last_page + 1


def test_swap_file():
    assert swap_machine() == ([], [])
    words, drives = swap_machine("--swap", "5M")
    assert words == ["quire.swap=vda"], words
    assert len(drives) == 1 and "file=/proc/self/fd/" in drives[0], drives
    assert "readonly=off" in drives[0] and "rerror=report" in drives[0]
    # After the disks.
    disk = put("disk", b"x" * 1024, 0o644)
    words, drives = swap_machine("--disk", disk, "--swap", "5M",
                                 "--swap-device", "file")
    assert words == ["quire.swap=vdb"] and len(drives) == 2, (words, drives)
    assert "id=disk1" in drives[1] and "fd/" in drives[1], drives
    # No directory for it: said before the machine starts.
    one_line(quire("run", "--swap", "5M", "ls", fake="exit",
                   env={"TMPDIR": path("nowhere")}), 125,
             "a swap file in .*nowhere: No such file")


def test_swap_file_by_name():
    file = path("swap")
    words, drives = swap_machine("--swap", "5M", "--swap-device",
                                 "file:" + file)
    assert words == ["quire.swap=vda"] and len(drives) == 1
    data = open(file, "rb").read()
    assert len(data) == 5 << 20 and header_pages(data) == 1280
    # Sparse but for its header.
    assert os.stat(file).st_blocks * 512 <= 65536, os.stat(file)
    # It may be used again, and grow.
    swap_machine("--swap-device", "file:" + file)
    assert header_pages(open(file, "rb").read()) == 1280
    swap_machine("--swap", "8M", "--swap-device", "file:" + file)
    assert header_pages(open(file, "rb").read()) == 2048
    # mkswap's own would do, a file with other contents never.
    full = put("contents", b"x" + bytes(2 << 20), 0o644)
    for name, pattern in ((full, "contents that are not swap space"),
                          (path("nowhere"), "No such file"),
                          ("/dev/null", "not a file of bytes"),
                          (put("little", bytes(8192)), "too small")):
        one_line(quire("run", "--swap-device", "file:" + name, "ls",
                       fake="exit"), 125, pattern)
    assert open(full, "rb").read(1) == b"x"


def test_swap_elsewhere():
    words, drives = swap_machine("--swap", "3M", "--swap-device", "zram",
                                 "--reclaim", "second-chance")
    assert drives == [], drives
    assert words == ["quire.swap=zram:3145728",
                     "quire.reclaim_policy=second-chance"]
    for value in ("nbd:nbd://host:99/a,b", "nbd://host:99/a,b"):
        words, drives = swap_machine("--swap-device", value)
        assert words == ["quire.swap=vda"], words
        assert drives[0].endswith(",file=nbd://host:99/a,,b"), drives
        assert "size=" not in drives[0] and "reconnect-delay=" in drives[0]
    words, drives = swap_machine("--swap", "2M", "--swap-device",
                                 "nbd:nbd+unix:///?socket=/x")
    assert ",size=2097152," in drives[0], drives


def test_io_options():
    def words(*options):
        r = quire("run", "-q", *options, "ls", fake="records")
        assert r.returncode == 0, r
        line = [l for l in r.stdout.decode().split("\n") if "quire.log" in l]
        return [w for w in line[0].split(" ")
                if not w.startswith(("quire.log=", "quire.levels="))]

    assert words() == []
    assert words("--fault-around", "64K", "--fault-around=2M") == [
        "quire.fault_around=2097152"]
    assert words("--fault-around", "0") == ["quire.fault_around=4096"]
    assert words("--readahead", "0") == ["quire.readahead=0"]
    assert words("--readahead", "1", "--readahead-policy", "fixed",
                 "--fault-around-policy", "none") == [
        "quire.readahead=1048576", "quire.fault_around_policy=none",
        "quire.readahead_policy=fixed"]
    assert words("--inject-io", "7,20,100,0") == ["quire.inject_io=7,20,100,0"]


def test_commas_in_a_path():
    os.makedirs(path("a,b"), exist_ok=True)
    r = quire("run", "-q", "--share", path("a,b"), "ls", fake="records")
    assert f"path={scratch}/a,,b,security".encode() in r.stdout, r.stdout


# -------------------------------------------------------- the machine's ends


def test_missing_qemu():
    one_line(quire("run", "ls", fake="exit", env={"QUIRE_QEMU": "/no/qemu"}),
             125, "/no/qemu is not there; on Debian: apt-get install")
    one_line(quire("run", "/bin/ls", fake="exit",
                   env={"QUIRE_QEMU": "", "PATH": scratch}),
             125, "qemu-system-x86_64 is not there; on Debian: apt-get install "
             "qemu-system-x86")
    one_line(quire("run", put("hard", elf32()), fake="exit",
                   env={"QUIRE_QEMU": "", "PATH": scratch}),
             125, "qemu-system-arm is not there; on Debian: apt-get install "
             "qemu-system-arm")


def test_missing_kernel():
    one_line(quire("run", "--kernel", "/no/kernel", "ls", fake="exit"), 125,
             "kernel /no/kernel: No such file")
    lonely = shutil.copy(QUIRE, path("lonely-quire"))
    r = subprocess.run([lonely, "run", "/bin/ls"], capture_output=True,
                       env=environment())
    one_line(r, 125, "image for x86_64 is not there .*/kernel/quire.elf")
    arm = put("hard", elf32())
    r = subprocess.run([lonely, "run", arm], capture_output=True,
                       env=environment())
    one_line(r, 125, "image for armv7 is not there .*kernel-armv7/quire.img")
    # Where make puts it, and where make install does.
    for place in ("one/kernel-armv6/quire.img", "two/lib/quire/quire-armv6.img"):
        top, rest = place.split("/", 1)
        for d in (top + "/bin", os.path.dirname(place)):
            os.makedirs(path(d), exist_ok=True)
        shutil.copy(QUIRE, path(top + "/bin/quire"))
        put(place, b"image")
        r = subprocess.run([path(top + "/bin/quire"), "run", "-q", "--arch",
                            "armv6", arm], capture_output=True, env=environment(
                                "records", QUIRE_KERNEL=""))
        assert machine_of(r)["-kernel"].endswith("/../" + rest), r


def test_exit_status():
    for status in (0, 1, 3, 124, 255):
        r = quire("run", "ls", fake="exit", env={"FAKE_STATUS": str(status)})
        assert r.returncode == status
    assert quire("run", "ls", fake="signal").returncode == 139


def test_ends_that_are_errors():
    one_line(quire("run", "ls", fake="error"), 126,
             "ls: it wants more memory than there is")
    one_line(quire("run", "ls", fake="silent"), 125, "ended without a word")
    one_line(quire("run", "ls", fake="refused"), 125,
             "--readahead-policy x: ondemand or none is expected")
    r = quire("run", "ls", fake="panic")
    assert r.returncode == 125
    assert b'the kernel failed: mm/x.c:1: a "bad" thing' in r.stderr
    assert b"line before the end" in r.stderr
    r = quire("run", "ls", fake="messages")
    assert r.returncode == 125 and b"a message of QEMU's own" in r.stderr


def test_nonsense_from_the_kernel():
    r = quire("run", "ls", fake="nonsense")
    assert r.returncode == 0, r


def test_verbose_shows_the_log():
    assert b"the kernel is up" in quire("run", "-v", "ls", fake="exit").stderr
    r = quire("run", "ls", fake="exit")
    assert b"the kernel is up" not in r.stderr


# ------------------------------------------------------------------ streams


def test_streams_are_apart():
    r = quire("run", "--quiet", "ls", fake="exit")
    assert r.stdout == b"hello\n" and r.stderr == b"warning\n"


def test_input_passes_unchanged():
    data = os.urandom(3 << 20)
    r = quire("run", "-q", "cat", fake="cat", stdin=data)
    assert r.returncode == 0 and r.stdout == data
    with open(put("input", data[:70000])) as f:
        r = subprocess.run([QUIRE, "run", "-q", "cat"], stdin=f,
                           capture_output=True, env=environment("cat"))
    assert r.stdout == data[:70000]


def test_closed_streams():
    r = subprocess.run(["/bin/sh", "-c",
                        f"exec '{QUIRE}' run -q cat <&- >&- 2>&-"],
                       env=environment("cat"), timeout=120)
    assert r.returncode == 0, r


def test_slow_reader_gets_all():
    p = start("run", "-q", "ls", fake="big")
    data = b""
    while piece := p.stdout.read(300000):
        data += piece
        time.sleep(0.02)
    assert data == bytes(range(256)) * 8192
    assert p.wait(timeout=120) == 0
    p.communicate()


def test_reader_that_leaves():
    # As with `yes | head -1`: the program gets SIGPIPE.
    p = start("run", "-q", "yes", fake="flood")
    p.stdout.read(10)
    p.stdout.close()
    assert p.wait(timeout=120) == 128 + signal.SIGPIPE
    p.stdin.close()
    p.stderr.close()


def test_signals_reach_the_program():
    p = start("run", "-q", "ls", fake="signals")
    assert p.stdout.readline() == b"ready\n"
    for s in (signal.SIGINT, signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM):
        p.send_signal(s)
        if s != signal.SIGTERM:
            assert p.stdout.readline() == b"got %d\n" % s
    out, _ = p.communicate(timeout=120)
    assert out == b"got 15\n" and p.returncode == 9, (out, p.returncode)


def test_a_deaf_machine_is_ended():
    p = start("run", "-q", "ls", fake="deaf")
    assert p.stdout.readline() == b"ready\n"
    for _ in range(3):
        p.send_signal(signal.SIGINT)
        time.sleep(1)  # two that are not seen apart would count as one
    _, err = p.communicate(timeout=20)
    assert p.returncode == 130 and b"did not react to signal 2" in err, err


def test_no_machine_is_left_behind():
    p = start("run", "-q", "ls", fake="deaf")
    assert p.stdout.readline() == b"ready\n"
    children = open(f"/proc/{p.pid}/task/{p.pid}/children").read().split()
    assert len(children) == 1
    p.kill()
    p.communicate()
    for _ in range(800):  # (the machine itself would end after 60 s)
        try:
            state = open(f"/proc/{children[0]}/stat").read().split()[2]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("QEMU outlived quire")


# ------------------------------------------------------------ the files made


def test_init_records():
    r = quire("run", "-q", "--", "/bin/echo", "a b", "", "--cpus", "ü",
              fake="records", env={"WITH": "a=b\nc", "EMPTY": ""}, cwd="/usr")
    text = r.stdout
    assert b"P/bin/echo\nA/bin/echo\nAa b\nA\nA--cpus\nA\xc3\xbc\n" in text
    assert b"EWITH=a=b\nc\n" in text and b"EEMPTY=\n" in text
    assert b"\nC/usr\n" in text
    assert f"\nU{os.geteuid()}:{os.getegid()}\n".encode() in text
    at = int(re.search(rb"\nT(\d+)\n", text).group(1)) / 1e9
    assert abs(at - time.time()) < 60
    assert b"\nI0\n" in text


def test_machine_options():
    r = quire("run", "-q", "--cpus", "4", "--levels=5", "--trace", path("t"),
              "ls", fake="records")
    assert b"\n-smp\n4\n" in r.stdout
    assert b"quire.levels=5" in r.stdout and b"quire.trace=1" in r.stdout
    assert b"\n-accel\ntcg\n" in r.stdout and b"-icount" not in r.stdout
    r = quire("run", "-q", "--icount", "ls", fake="records")
    assert b"\n-icount\nshift=0,sleep=off\n" in r.stdout
    assert b"quire.trace" not in r.stdout


def test_report_text():
    text = quire("run", "ls", fake="exit").stderr.decode()
    row = re.search(r"anon_write +4 +4 +0 +1 +1\.00 +2\.50\n", text)
    assert row, text
    assert re.search(r"all +6 +4 +2 +1 +15\.67 +50\.00\n", text), text
    assert "resident 1024 KiB, page tables 40 KiB, VMAs 17" in text
    assert ("file pages: 96 read ahead in 3 windows, 7 made dirty, "
            "5 written back\n") in text, text
    assert ("reclaim: 144 pages scanned, 89 stolen, 13 refaults, 2.50 ms "
            "waited for it\n") in text, text
    assert "swap: 21 pages in, 34 out\n" in text, text
    assert "1 processes were killed: there was no memory left\n" in text


def test_report_json():
    r = quire("run", "-q", "--json", path("r.json"), "ls", 'x"\\\n\x01é',
              fake="exit", env={"FAKE_STATUS": "7"})
    assert r.returncode == 7
    report = json.load(open(path("r.json")))
    assert report["format"] == 1
    assert report["program"] == ["ls", 'x"\\\n\x01é']
    assert report["end"] == {"how": "exit", "number": 7}
    assert report["machine"]["ram_bytes"] == 1 << 30
    assert report["faults"][1] == {
        "kind": "file_read", "count": 2, "minor": 0, "major": 2, "kernel": 0,
        "total_ns": 90000, "mean_ns": 45000, "worst_ns": 50000}
    assert report["all_faults"]["count"] == 6
    assert report["peak"] == {"rss_bytes": 1 << 20, "table_bytes": 40960,
                              "vmas": 17}
    assert report["file_pages"] == {"readahead": 96, "readahead_windows": 3,
                                    "dirtied": 7, "written": 5}
    assert report["reclaim"] == {"scanned": 144, "stolen": 89,
                                 "refaults_anon": 5, "refaults_file": 8,
                                 "direct_ns": 2500000, "oom_kills": 1}
    assert report["swap"] == {"bytes": 0, "ins": 21, "outs": 34}
    doc = open(os.path.join(TOP, "docs/report-format.md")).read()

    def names(value):
        if isinstance(value, dict):
            for k, v in value.items():
                yield k
                yield from names(v)
        elif isinstance(value, list):
            for v in value:
                yield from names(v)

    for name in set(names(report)):
        assert re.search(rf"`(\w+\.)?{name}`", doc), f"{name}: no word on it"


def test_report_json_of_errors():
    for part, end in (("panic", "panic"), ("silent", "crash"),
                      ("signal", "signal"), ("error", "error"),
                      ("refused", "error")):
        quire("run", "-q", "--json", path("e.json"), "ls", fake=part)
        assert json.load(open(path("e.json")))["end"]["how"] == end
    one_line(quire("run", "--json", "/no/dir/x", "ls", fake="exit"), 125,
             "--json /no/dir/x: No such file")


def test_report_to_a_full_disk():
    r = quire("run", "-q", "--json", "/dev/full", "ls", fake="exit")
    assert r.returncode == 125 and b"No space" in r.stderr, r


def test_trace():
    quire("run", "-q", "--trace", path("t"), "ls", fake="trace")
    assert open(path("t")).read() == (
        "# quire trace 1\n"
        "# ns cpu task mm event fields\n"
        "100 0 7 3 fault-begin addr=0x7000 error=0x6\n"
        "250 0 7 3 fault-end addr=0x7000 error=0x6 kind=anon_write"
        " result=0x0 mode=user\n"
        "300 0 7 3 mmap addr=0x0 len=0x1000 prot=0x3 flags=0x22"
        " result=0x7f0000000000\n"
        "400 0 7 3 munmap addr=0x7001 len=0x1000 result=-22\n"
        "500 0 7 3 fork child=4 result=0\n"
        "600 0 7 3 event-99\n")
    one_line(quire("run", "--trace", scratch, "ls", fake="exit"), 125,
             "Is a directory")


def main():
    names = [n for n in globals() if n.startswith("test_")]
    if sys.argv[2:]:
        names = [n for n in names if any(w in n for w in sys.argv[2:])]
    passed = failed = 0
    for name in names:
        try:
            globals()[name]()
            passed += 1
        except Exception:
            failed += 1
            print(f"FAIL {name}")
            traceback.print_exc(file=sys.stdout)
    shutil.rmtree(scratch)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
