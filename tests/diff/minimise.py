#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a failing stream of operations as short as it goes.

usage: tests/diff/minimise.py SEED COUNT [OUTPUT]

Takes the first COUNT operations of SEED (the prefix that run.sh printed),
leaves out what is not needed for the logs of Linux and of the simulated
machine to differ, and prints the rest, with both logs' first difference.
The result can be run by `replay --ops FILE`, and kept in tests/diff/ops/ as a
regression test.  QDIFF_DATA=memory: the data file is one in memory.
"""
import os
import subprocess
import sys
import tempfile
import zlib

BUILD = os.environ.get("BUILD", "build")
LINUX = BUILD + "/diff/replay_linux"
OTHER = os.environ.get("OTHER", BUILD + "/sim/tests/diff/replay_sim")
RO = BUILD + "/diff/linux-sim-sim-1/qdiff-ro"


def log(program, path):
    """Status, lines of the log, and what the data file has at the end."""
    with tempfile.TemporaryDirectory() as where:
        data = where + "/qdiff-data"
        args = [program, "--ops", path, "--ro", RO]
        if os.environ.get("QDIFF_DATA") != "memory":
            args += ["--data", data]
        run = subprocess.run(args, capture_output=True, timeout=100)
        content = b""
        if os.path.exists(data):
            content = open(data, "rb").read()
    return (run.returncode, content), run.stdout.decode().splitlines()


def first_difference(ops):
    with tempfile.NamedTemporaryFile("w", suffix=".ops") as f:
        f.write("\n".join(ops) + "\n")
        f.flush()
        (a_status, a), (b_status, b) = log(LINUX, f.name), log(OTHER, f.name)
    if a == b and a_status == b_status:
        return None
    for x, y in zip(a, b):
        if x != y:
            return x, y
    return tuple("%d lines, status %d, file of %d bytes %08x" %
                 (len(lines), status, len(data), zlib.crc32(data))
                 for lines, (status, data) in ((a, a_status), (b, b_status)))


def minimise(ops):
    step = max(1, len(ops) // 2)
    while True:
        i, shorter = 0, False
        while i < len(ops):
            less = ops[:i] + ops[i + step:]
            if less and first_difference(less):
                ops, shorter = less, True
            else:
                i += step
        if step == 1 and not shorter:
            return ops
        step = max(1, step // 2)


def main():
    seed, count = sys.argv[1], sys.argv[2]
    if os.path.exists(seed):
        ops = open(seed).read().splitlines()[:int(count)]
    else:
        ops = subprocess.run([LINUX, "--seed", seed, "--count", count,
                              "--print"], capture_output=True,
                             check=True).stdout.decode().splitlines()
    if not first_difference(ops):
        sys.exit("the logs do not differ")
    ops = minimise(ops)
    text = "\n".join(ops) + "\n"
    print(text, end="")
    for line in first_difference(ops):
        print("#", line)
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w") as f:
            f.write(text)


if __name__ == "__main__":
    main()
