#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of `quire run` with the kernel in QEMU: what the command promises of
a whole run.  (That Linux programs get Linux's answers: tests/kernel.)

usage: tests/cmd/test_run.py QUIRE [--arch ARCH ROOT] [NAME...]

With --arch, the same on an ARM machine, with programs of ROOT (from
scripts/debian.sh)."""

import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
QUIRE = os.path.abspath(sys.argv[1])
BUSYBOX = "/bin/busybox"
# The machine, the options that say so, and what it has.
ARCH, MACHINE, NAMES, ROOT = "x86_64", [], sys.argv[2:], "/"
if NAMES[:1] == ["--arch"]:
    ARCH, ROOT, NAMES = NAMES[1], os.path.abspath(NAMES[2]), NAMES[3:]
    MACHINE = ["--arch", ARCH, "--root", ROOT]
CPUS = {"x86_64": 4, "armv7": 4, "armv6": 1}[ARCH]
LEVELS = ("4", "5") if ARCH == "x86_64" else (None,)
scratch = tempfile.mkdtemp(prefix="quire-run-")
LIMIT = 600


def environment(**more):
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
           "QUIRE_KERNEL_ARGS": "quire.check=1"}
    env.update(more)
    return env


def quire(*args, stdin=b"", env=None, cwd=TOP):
    return subprocess.run([QUIRE, "run", *MACHINE, *args], input=stdin, cwd=cwd,
                          capture_output=True, timeout=LIMIT,
                          env=environment(**(env or {})))


started = []


def start(*args, **popen):
    p = subprocess.Popen([QUIRE, "run", *MACHINE, *args], stdout=subprocess.PIPE,
                         env=environment(), **popen)
    started.append(p)
    return p


def sh(script, *options, stdin=b"", env=None):
    return quire(*options, "--", BUSYBOX, "sh", "-c", script, stdin=stdin,
                 env=env)


def path(name):
    return os.path.join(scratch, name)


def clean(result):
    """Nothing that quire_check() looks at was broken at the end."""
    assert b"quire_check: 0 violations" in result.stderr, result.stderr


# ------------------------------------------------------------ what comes out


def test_exit_status_and_streams():
    r = sh("echo out; echo err >&2; exit 7")
    assert r.returncode == 7, r
    assert r.stdout == b"out\n", r
    assert r.stderr.startswith(b"err\n"), r
    assert b"page faults" in r.stderr
    clean(r)


def test_quiet():
    r = sh("echo out; echo err >&2", "-q")
    assert (r.returncode, r.stdout, r.stderr) == (0, b"out\n", b"err\n"), r


def test_signal_status():
    assert sh("kill -SEGV $$").returncode == 128 + signal.SIGSEGV
    assert sh("kill -KILL $$").returncode == 128 + signal.SIGKILL


def test_arguments_environment_directory():
    began = time.time()
    r = quire("-q", "--", BUSYBOX, "sh", "-c",
              'printf "%s|" "$#" "$@" "$WITH" "$PWD"; pwd; id -u; date +%s',
              "x", "a b", "", "*", "--cpus", env={"WITH": "é=\n"}, cwd="/usr")
    head, rest = r.stdout.decode().rsplit("|", 1)
    # The directory is the root's where that is another one.
    want = "/" if MACHINE else "/usr"
    assert head == "4|a b||*|--cpus|é=\n|" + want, r
    cwd, uid, now = rest.split()
    assert cwd == want and int(uid) == os.geteuid()
    # (the machine's clock was set, in whole seconds, when it booted)
    assert began - 2 <= int(now) <= time.time() + 2, (began, now)


def test_input_and_output_unchanged():
    data = os.urandom(2 << 20)
    r = quire("-q", BUSYBOX, "cat", stdin=data)
    assert r.stdout == data, (len(r.stdout), r.stderr)
    r = quire("-q", BUSYBOX, "sha256sum", stdin=data)
    assert r.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_much_output_to_a_slow_reader():
    p = start("-q", BUSYBOX, "seq", "200000")
    data = b""
    while piece := p.stdout.read(100000):
        data += piece
        time.sleep(0.02)
    assert p.wait(timeout=LIMIT) == 0
    assert data == b"".join(b"%d\n" % i for i in range(1, 200001))


def test_reader_that_leaves():
    p = start("-q", BUSYBOX, "yes")
    assert p.stdout.read(4) == b"y\ny\n"
    p.stdout.close()
    assert p.wait(timeout=LIMIT) == 128 + signal.SIGPIPE


def test_signals_are_forwarded():
    script = ('trap "echo usr1" USR1; trap "echo int" INT;'
              'trap "echo term; exit 3" TERM; echo ready;'
              "while true; do sleep 0.1; done")
    p = start("-q", BUSYBOX, "sh", "-c", script, stdin=subprocess.DEVNULL)
    assert p.stdout.readline() == b"ready\n"
    for s, text in ((signal.SIGUSR1, b"usr1\n"), (signal.SIGINT, b"int\n"),
                    (signal.SIGTERM, b"term\n")):
        p.send_signal(s)
        assert p.stdout.readline() == text, text
    assert p.wait(timeout=LIMIT) == 3
    p.stdout.close()


def test_interrupt_ends_the_program():
    p = start("-q", BUSYBOX, "sh", "-c", "echo ready; sleep 1000",
              stdin=subprocess.DEVNULL)
    assert p.stdout.readline() == b"ready\n"
    p.send_signal(signal.SIGINT)
    assert p.wait(timeout=LIMIT) == 128 + signal.SIGINT
    p.stdout.close()


def test_on_a_terminal():
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(QUIRE, [QUIRE, "run", *MACHINE, "-q", BUSYBOX, "sh", "-c",
                          "test -t 0 && test -t 1 && echo terminal;"
                          "read line; echo got $line; sleep 1000"],
                  environment())
    seen = b""

    def expect(text):
        nonlocal seen
        while text not in seen:
            seen += os.read(fd, 4096)

    try:
        expect(b"terminal")
        os.write(fd, b"some words\n")
        expect(b"got some words")
        time.sleep(0.2)
        os.write(fd, b"\x03")  # Ctrl-C
        deadline = time.time() + 60
        while time.time() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            time.sleep(0.05)
        assert done, "Ctrl-C did not end it"
        assert os.waitstatus_to_exitcode(status) == 130, status
    finally:
        os.close(fd)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


# --------------------------------------------------------------- the machine


def test_levels_processors_memory():
    for levels in LEVELS:
        r = quire(*(["--levels", levels] if levels else []),
                  "--cpus", str(CPUS), "--ram", "256M", "--json", path("m.json"), "--", BUSYBOX, "sh", "-c",
                  "grep -c ^processor /proc/cpuinfo; grep MemTotal "
                  "/proc/meminfo; for i in 1 2 3 4 5 6; do "
                  "(seq 20000 | sort -n | tail -n 1) & done; wait")
        assert r.returncode == 0, r
        lines = r.stdout.decode().split("\n")
        assert lines[0] == str(CPUS), lines
        kib = int(lines[1].split()[1])
        assert 200 * 1024 < kib <= 256 * 1024, lines
        assert lines[2:8] == ["20000"] * 6, lines
        clean(r)
        machine = json.load(open(path("m.json")))["machine"]
        assert machine["levels"] == int(levels or 2), machine
        assert machine["cpus"] == CPUS and machine["arch"] == ARCH, machine


def test_little_memory():
    # The least that the command lets through boots and runs a shell.
    r = sh("echo alive", "--ram", "24M")
    assert r.returncode == 0 and r.stdout == b"alive\n", r
    clean(r)


def test_memory_runs_out():
    # More than there is: the program is killed, the shell lives on.
    r = sh("dd if=/dev/zero of=/dev/null bs=200M count=1; echo status $?",
           "--ram", "64M")
    assert r.returncode == 0, r
    assert b"status 0" not in r.stdout and b"status" in r.stdout, r
    clean(r)


def test_icount_repeats_exactly():
    reports = []
    for n in range(2):
        quire("--icount", "--json", path("i.json"), "--", BUSYBOX, "true",
              env={"QUIRE_KERNEL_ARGS": ""})
        report = json.load(open(path("i.json")))
        assert report["machine"]["icount"] is True
        reports.append({k["kind"]: k["count"] for k in report["faults"]})
        # Instructions, not microseconds of the host's: a fault without I/O
        # is a few thousand of them at most.
        anon = [k for k in report["faults"] if k["kind"] == "anon_write"][0]
        assert 100 < anon["mean_ns"] < 20000, anon
    assert reports[0] == reports[1], reports


def test_share():
    os.makedirs(path("share/sub"), exist_ok=True)
    with open(path("share/in"), "w") as f:
        f.write("from the host\n")
    r = sh("cd /mnt/share && cat in && echo from the guest >sub/out && ls",
           "-q", "--share", path("share"))
    assert r.returncode == 0 and r.stdout == b"from the host\nin\nsub\n", r
    assert open(path("share/sub/out")).read() == "from the guest\n"


def test_disks():
    first, second = os.urandom(1 << 20), os.urandom(4096 + 512)
    for name, data in (("disk-a", first), ("disk-b", second)):
        with open(path(name), "wb") as f:
            f.write(data)
    r = sh("cat /dev/vdb; echo changed | dd of=/dev/vda bs=1 seek=5000 "
           "conv=notrunc 2>/dev/null; echo x 2>/dev/null >/dev/vdb || "
           "echo refused", "-q", "--disk", path("disk-a"),
           "--disk", path("disk-b") + ",ro")
    assert r.returncode == 0 and r.stdout == second + b"refused\n", r
    assert open(path("disk-a"), "rb").read() == \
        first[:5000] + b"changed\n" + first[5008:]
    assert open(path("disk-b"), "rb").read() == second


def report_of(script, *options):
    r = sh(script, "--json", path("o.json"), *options)
    assert r.returncode == 0, r
    clean(r)
    return json.load(open(path("o.json")))


def file_reads(report):
    return [k for k in report["faults"] if k["kind"] == "file_read"][0]


def test_readahead():
    with open(path("disk"), "wb") as f:
        f.truncate(2 << 20)
    script = "dd if=/dev/vda of=/dev/null bs=4096 2>/dev/null"
    disk = ("--disk", path("disk"))
    some = report_of(script, *disk)["file_pages"]
    # All 512 pages, most of them ahead of their use, in windows of 32.
    assert some["readahead"] > 400, some
    assert 512 / 32 <= some["readahead_windows"] < 100, some
    more = report_of(script, "--readahead", "1M", *disk)["file_pages"]
    assert more["readahead_windows"] < some["readahead_windows"], more
    none = report_of(script, "--readahead", "0", *disk)
    assert none["file_pages"]["readahead"] == 0, none
    # The program's own pages are waited for one by one, then.
    assert none["all_faults"]["major"] > 20, none
    none = report_of(script, "--readahead-policy", "none", *disk)
    assert none["file_pages"]["readahead"] == 0, none


# More memory than there is, written and then read again.
ENTRIES = 250000 if ARCH == "x86_64" else 400000
HUNGRY = """awk 'BEGIN { n = %u; for (i = 0; i < n; i++) a[i] = "x" i
    for (i = 0; i < n; i++) if (a[i] != "x" i) bad++
    print bad + 0 }'""" % ENTRIES


def swapping_run(*options):
    """The report of a machine that has to swap."""
    r = sh(HUNGRY, "--json", path("o.json"), "--ram", "24M", *options)
    assert (r.returncode, r.stdout) == (0, b"0\n"), r
    clean(r)
    assert b"pages scanned" in r.stderr and b"swap: " in r.stderr, r.stderr
    report = json.load(open(path("o.json")))
    reclaim, swap = report["reclaim"], report["swap"]
    assert swap["outs"] > 500 and swap["ins"] > 100, swap
    assert reclaim["scanned"] >= reclaim["stolen"] > 500, reclaim
    assert reclaim["refaults_anon"] > 0, reclaim
    # No file was written to: what went to swap is not a file's.
    assert report["file_pages"]["written"] == 0, report["file_pages"]
    assert [k for k in report["faults"] if k["kind"] == "swap"], report
    return report


def test_swap():
    report = swapping_run("--swap", "256M")
    assert report["swap"]["device"] == "file"
    assert report["swap"]["bytes"] == 256 << 20


def only_x86_test_swap_to_compressed_memory():
    report = swapping_run("--swap", "256M", "--swap-device", "zram")
    assert report["swap"]["device"] == "zram"


def wait_for(sock, server):
    """Until it listens: the file is there before that."""
    while server.poll() is None:
        with socket.socket(socket.AF_UNIX) as s:
            if s.connect_ex(sock) == 0:
                return
        time.sleep(0.05)


def only_x86_test_swap_to_an_nbd_server():
    sock = path("nbd.sock")
    server = subprocess.Popen(["nbdkit", "-f", "-U", sock, "memory", "256M"])
    try:
        wait_for(sock, server)
        report = swapping_run("--swap-device",
                              "nbd:nbd+unix:///?socket=" + sock)
        assert report["swap"]["device"] == "nbd"
    finally:
        server.kill()
        server.wait()
    # It has to be there.
    r = sh("true", "--swap-device", "nbd:nbd+unix:///?socket=" + sock)
    assert r.returncode == 125 and b"QEMU could not start" in r.stderr, r


def test_unknown_reclaim_policy():
    r = sh("true", "--reclaim", "magic")
    assert r.returncode == 125 and b"second-chance" in r.stderr, r


def test_fault_around():
    around = file_reads(report_of("true"))
    alone = file_reads(report_of("true", "--fault-around", "4K"))
    assert alone["count"] > around["count"] * 3 / 2, (around, alone)
    alone = file_reads(report_of("true", "--fault-around-policy", "none"))
    assert alone["count"] > around["count"] * 3 / 2, (around, alone)


def test_unknown_policies():
    for option, known in (("--readahead-policy", b"ondemand"),
                          ("--fault-around-policy", b"aligned")):
        r = sh("true", option, "magic")
        assert r.returncode == 125, r
        assert r.stderr.count(b"\n") == 1 and known in r.stderr, r
        assert f"{option} magic".encode() in r.stderr, r


def test_files_are_written_back():
    os.makedirs(path("share"), exist_ok=True)
    pages = report_of("dd if=/dev/zero of=/mnt/share/zeroes bs=4096 count=100",
                      "--share", path("share"))["file_pages"]
    assert pages["dirtied"] >= 100 and pages["written"] >= 100, pages
    assert open(path("share/zeroes"), "rb").read() == bytes(409600)


def test_transfers_that_fail():
    with open(path("disk"), "wb") as f:
        f.write(b"u" * 8192)
    write = "echo new | dd of=/dev/vda conv=fsync 2>/dev/null; echo $?"
    disk = ("-q", "--disk", path("disk"))
    # No write arrives, or a part of it; and the program is told.
    r = sh(write, "--inject-io", "1,0,1,0", *disk)
    assert r.stdout == b"1\n", r
    assert open(path("disk"), "rb").read()[4:] == b"u" * 8188
    r = sh("cat /dev/vda >/dev/null 2>&1; echo $?", "--inject-io", "1,0,0,1",
           *disk)
    assert r.stdout == b"1\n", r
    r = sh(write, "--inject-io", "1,0,0,0", *disk)
    assert r.stdout == b"0\n", r
    assert open(path("disk"), "rb").read(5) == b"new\nu"


def test_root_is_read_only():
    victim = path("victim")
    with open(victim, "w") as f:
        f.write("untouched")
    r = sh(f"echo x >{victim}; rm {victim}; mkdir {scratch}/new; echo done",
           "-q")
    assert r.stdout == b"done\n", r
    assert open(victim).read() == "untouched"
    assert not os.path.exists(path("new"))


def test_other_root():
    os.makedirs(path("root/bin"), exist_ok=True)
    shutil.copy(ROOT + BUSYBOX, path("root/bin/busybox"))
    r = quire("-q", "--root", path("root"), "--", "/bin/busybox", "ls", "/bin")
    assert r.returncode == 0 and r.stdout == b"busybox\n", r


# -------------------------------------------------------------- what is told


def test_report_adds_up():
    r = sh("i=0; while [ $i -lt 20 ]; do (:); i=$((i+1)); done;"
           "cat /proc/self/maps >/dev/null", "--json", path("r.json"))
    report = json.load(open(path("r.json")))
    kinds = {k["kind"]: k for k in report["faults"]}
    for name in ("anon_write", "file_read", "cow_copy"):
        assert kinds[name]["count"] > 0, kinds
    total = report["all_faults"]
    for field in ("count", "minor", "major", "kernel", "total_ns"):
        assert total[field] == sum(k[field] for k in kinds.values()), field
    for k in kinds.values():
        assert k["worst_ns"] * k["count"] >= k["total_ns"] > 0, k
        assert k["worst_ns"] >= k["mean_ns"]
    # twenty forks: at least as many copies
    assert kinds["cow_copy"]["count"] >= 20
    assert report["processes"] >= 21, report
    assert report["peak"]["rss_bytes"] > 100 << 10
    assert report["peak"]["table_bytes"] >= 4 * 4096
    assert report["peak"]["vmas"] >= 5
    assert report["end"] == {"how": "exit", "number": 0}
    assert report["check_violations"] == 0
    # The table says the same.
    row = re.search(rb"cow_copy +(\d+)", r.stderr)
    assert int(row.group(1)) == kinds["cow_copy"]["count"]


def parse_trace(name):
    events = []
    for line in open(path(name)):
        if line.startswith("#"):
            continue
        ns, cpu, task, mm, event, *fields = line.split()
        events.append((int(ns), int(cpu), int(task), int(mm), event,
                       dict(f.split("=", 1) for f in fields)))
    return events


def test_trace_tells_every_fault():
    script = "(true); x=$(seq 3000); echo $x | wc -c; " \
             "perl -e '$x = \"a\" x 1000000; undef $x'"
    r = sh(script, "--json", path("t.json"), "--trace", path("t.trace"))
    assert r.returncode == 0, r
    events = parse_trace("t.trace")
    report = json.load(open(path("t.json")))
    assert open(path("t.trace")).readline() == "# quire trace 1\n"

    ends = [e for e in events if e[4] == "fault-end"]
    counted = {}
    for e in ends:
        counted[e[5]["kind"]] = counted.get(e[5]["kind"], 0) + 1
    reported = {k["kind"]: k["count"] for k in report["faults"]}
    assert counted == reported, (counted, reported)
    # Each end has its begin: same task, same address, not later.
    open_faults = {}
    for ns, cpu, task, mm, event, f in events:
        if event == "fault-begin":
            assert task not in open_faults, "one fault at a time"
            open_faults[task] = (ns, f["addr"])
        elif event == "fault-end":
            began, addr = open_faults.pop(task)
            assert began <= ns and addr == f["addr"]
    assert not open_faults
    names = {e[4] for e in events}
    for name in ("mmap", "munmap", "brk", "fork", "exit-mm", "mprotect"):
        assert name in names, (name, names)
    # A forked address space is one that faults later, and goes away.
    children = {int(e[5]["child"]) for e in events if e[4] == "fork"}
    assert children <= {e[3] for e in events if e[4] == "exit-mm"}
    last = {}
    for e in events:
        assert e[0] >= last.get(e[1], 0), "time goes back on a CPU"
        last[e[1]] = e[0]


def only_x86_test_installed_copy():
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    subprocess.run(["make", "-s", "--no-print-directory", "install",
                    f"PREFIX={path('usr')}"], cwd=TOP, check=True, env=env,
                   stdout=subprocess.DEVNULL)
    for name in ("bin/quire", "lib/libquire.a", "lib/quire/quire.elf",
                 "include/quire/quire.h", "lib/pkgconfig/quire.pc",
                 "share/man/man1/quire-run.1", "share/man/man3/libquire.3",
                 "lib/quire/quire-armv7.img", "lib/quire/quire-armv6.img"):
        assert os.path.isfile(path("usr/" + name)), name
    r = subprocess.run([path("usr/bin/quire"), "run", "-q", BUSYBOX, "echo",
                        "installed"], capture_output=True, timeout=LIMIT,
                       env=environment(), cwd="/")
    assert r.returncode == 0 and r.stdout == b"installed\n", r


def only_x86_test_program_that_the_kernel_refuses():
    # Right for the command, but its segments overlap the kernel's half.
    import struct
    head = struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 2, 62, 1,
                       0x900000000000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    ph = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x900000000000, 0x900000000000,
                     120, 0x2000, 0x1000)
    with open(path("high"), "wb") as f:
        f.write(head + ph)
    os.chmod(path("high"), 0o755)
    r = quire(path("high"))
    assert r.returncode == 126, r
    assert r.stderr.count(b"quire:") == 1 and b"high: " in r.stderr, r


def only_arm_test_chosen_by_the_program():
    # Without --arch, with a path of the host: the file says what it is for.
    r = subprocess.run([QUIRE, "run", "-q", "--arch", ARCH, ROOT + BUSYBOX,
                        "uname", "-m"], capture_output=True, timeout=LIMIT,
                       env=environment())
    want = {"armv7": b"armv7l\n", "armv6": b"armv6l\n"}[ARCH]
    assert r.returncode == 0 and r.stdout == want, r
    r = subprocess.run([QUIRE, "run", "-q", ROOT + BUSYBOX, "uname", "-m"],
                       capture_output=True, timeout=LIMIT, env=environment())
    assert r.returncode == 0 and r.stdout == b"armv7l\n", r


def only_arm_test_program_that_the_kernel_refuses():
    # Right for the command, but there is nothing at its entry.
    import struct
    head = struct.pack("<4sBBB9xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 2, 40, 1,
                       0x50000000, 52, 0, 0x5000400, 52, 32, 1, 0, 0, 0)
    ph = struct.pack("<8I", 1, 0, 0x10000, 0x10000, 84, 0x2000, 5, 0x1000)
    os.makedirs(path("share"), exist_ok=True)
    with open(path("share/nowhere"), "wb") as f:
        f.write(head + ph)
    os.chmod(path("share/nowhere"), 0o755)
    r = quire("-q", "--share", path("share"), "/mnt/share/nowhere")
    assert r.returncode == 128 + signal.SIGSEGV, r


def main():
    own = "only_x86_test_" if ARCH == "x86_64" else "only_arm_test_"
    names = [n for n in globals() if n.startswith(("test_", own))]
    if NAMES:
        names = [n for n in names if any(w in n for w in NAMES)]
    passed = failed = 0
    for name in names:
        start = time.time()
        try:
            globals()[name]()
            passed += 1
            print(f"ok   {name} {time.time() - start:.1f} s", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {name}")
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
        for p in started:  # what a failed test has left
            p.kill()
    shutil.rmtree(scratch)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
