#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A machine without a machine: takes QEMU's command line as `quire run`
writes it, speaks kernel/include/protocol.h on its channels and plays the part
that $FAKE names.  So the command is tested without a kernel, and its ends
that a good kernel never reaches are, too."""

import json
import os
import re
import signal
import socket
import struct
import sys
import time

STDOUT, STDERR, STDIN, TRACE, EOF, SIGNAL, WINSIZE = 1, 2, 3, 4, 5, 6, 7


def channel(name):
    for arg in sys.argv:
        m = re.fullmatch(rf"socket,id={name},fd=(\d+)", arg)
        if m:
            return socket.socket(fileno=int(m.group(1)))
    sys.exit(f"no chardev {name}")


def init_records():
    """From fw_cfg on x86, from where an initial RAM disk would be on ARM."""
    for before, arg in zip(sys.argv, sys.argv[1:]):
        m = re.fullmatch(r"name=opt/quire/init,file=(.*)", arg)
        file = m.group(1) if m else arg if before == "-initrd" else None
        if file:
            data = open(file, "rb").read()
            return [(r[:1].decode(), r[1:]) for r in data.split(b"\0")[:-1]]
    sys.exit("no init records")


class Machine:
    def __init__(self):
        self.console = channel("con")
        self.report = channel("rep")
        self.log = channel("log")
        self.records = init_records()
        self.pending = b""

    def texts(self, letter):
        return [t for (l, t) in self.records if l == letter]

    def frame(self, kind, data=b""):
        self.console.sendall(struct.pack("<BBH", kind, 0, len(data)) + data)

    def out(self, data, kind=STDOUT):
        for at in range(0, len(data), 65535):
            self.frame(kind, data[at : at + 65535])

    def line(self, **fields):
        self.report.sendall(json.dumps(fields).encode() + b"\n")

    def say(self, text):
        self.log.sendall(text.encode() + b"\n")

    def next_frame(self):
        while True:
            if len(self.pending) >= 4:
                kind, _, n = struct.unpack("<BBH", self.pending[:4])
                if len(self.pending) >= 4 + n:
                    data = self.pending[4 : 4 + n]
                    self.pending = self.pending[4 + n :]
                    return kind, data
            more = self.console.recv(65536)
            if not more:
                return None, b""
            self.pending += more

    def ready(self):
        self.line(ready=1, cpus=1, ram=1 << 30, levels=4)

    def figures(self):
        self.line(fault="anon_write", count=4, minor=4, major=0, kernel=1,
                  total_ns=4000, max_ns=2500)
        self.line(fault="file_read", count=2, minor=0, major=2, kernel=0,
                  total_ns=90000, max_ns=50000)
        self.line(readahead_windows=3, readahead_pages=96, dirtied_pages=7,
                  written_pages=5)
        self.line(swap_ins=21, swap_outs=34, refaults_anon=5, refaults_file=8,
                  scanned=144, stolen=89, direct_reclaim_ns=2500000,
                  oom_kills=1)
        self.line(peak_rss_bytes=1 << 20, peak_table_bytes=40960,
                  peak_vmas=17, processes=2, switches=5, syscalls_unknown=0,
                  uptime_ns=1500000000)


def play(m, part):
    if part == "silent":
        return
    if part == "messages":
        print("qemu: a message of QEMU's own", file=sys.stderr)
        sys.exit(1)
    m.ready()
    m.say("the kernel is up")
    if part == "exit":
        m.out(b"hello\n")
        m.out(b"warning\n", STDERR)
        m.figures()
        m.line(exit=int(os.environ.get("FAKE_STATUS", "0")))
    elif part == "illegal":
        m.line(signal=signal.SIGILL)
    elif part == "signal":
        m.line(signal=11)
    elif part == "error":
        m.line(error="it wants more memory than there is")
    elif part == "refused":
        m.line(refused="--readahead-policy x: ondemand or none is expected")
    elif part == "panic":
        m.say("line before the end")
        m.line(panic='mm/x.c:1: a "bad" thing')
        sys.exit(33)
    elif part == "cat":
        while True:
            kind, data = m.next_frame()
            if kind == STDIN:
                m.out(data)
            elif kind == EOF:
                break
        m.line(exit=0)
    elif part == "flood":
        for _ in range(400):
            m.out(b"x" * 65535)
        kind, data = m.next_frame()
        while kind != SIGNAL:
            kind, data = m.next_frame()
        m.line(signal=data[0])
    elif part == "big":
        m.out(bytes(range(256)) * 8192)
        m.line(exit=0)
    elif part == "signals":
        m.out(b"ready\n")
        while True:
            kind, data = m.next_frame()
            if kind == SIGNAL:
                m.out(b"got %d\n" % data[0])
                if data[0] == signal.SIGTERM:
                    break
        m.line(exit=9)
    elif part == "deaf":
        m.out(b"ready\n")
        time.sleep(60)
    elif part == "records":
        for letter, text in m.records:
            m.out(letter.encode() + text + b"\n")
        m.out("\n".join(sys.argv).encode())
        m.line(exit=0)
    elif part == "trace":
        def event(ns, kind_of, kind, bits, addr, **f):
            return struct.pack(
                "<QBBBBIIIIIQQQq", ns, kind_of, kind, bits, 0, 7, 3,
                f.get("prot", 0), f.get("flags", 0), f.get("error", 0), addr,
                f.get("len", 0), f.get("aux", 0), f.get("result", 0))

        m.frame(TRACE, event(100, 1, 0, 1, 0x7000, error=6)
                + event(250, 2, 1, 1, 0x7000, error=6))
        m.frame(TRACE, event(300, 3, 0, 0, 0, len=4096, prot=3, flags=0x22,
                             result=0x7F0000000000)
                + event(400, 4, 0, 0, 0x7001, len=4096, result=-22)
                + event(500, 9, 0, 0, 0, aux=4) + event(600, 99, 0, 0, 0))
        m.line(exit=0)
    elif part == "nonsense":
        m.report.sendall(b'not json\n{"fault":3}\n{"what":[1]}\n')
        m.frame(200, b"unknown frame")
        m.line(exit=0)
    else:
        sys.exit(f"no part {part}")


machine = Machine()
play(machine, os.environ["FAKE"])
sys.exit(1)
