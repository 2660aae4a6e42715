#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""QEMU whose first steps do not advance.

On a busy machine QEMU's GDB stub may report a step as done while the processor
is where it was.  This stands between the stub and who steps: it starts the
QEMU of $SLOW_QEMU with the same arguments, passes packets on both ways, and
answers the first $SLOW_STEPS steps by itself.  `quire run` starts it instead of
QEMU (QUIRE_QEMU)."""

import os
import re
import selectors
import socket
import subprocess
import sys
import time

args = sys.argv[1:]
where = args.index("-gdb") + 1
path = re.match(r"unix:([^,]+)", args[where]).group(1)
args[where] = args[where].replace(path, path + ".qemu", 1)
left = int(os.environ["SLOW_STEPS"])

listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(1)
qemu = subprocess.Popen([os.environ["SLOW_QEMU"]] + args, close_fds=False)
user = listener.accept()[0]
stub = socket.socket(socket.AF_UNIX)
while True:
    try:
        stub.connect(path + ".qemu")
        break
    except OSError:
        time.sleep(0.05)
os.unlink(path + ".qemu")
STEP, STOPPED = b"$s#73", b"+$T05thread:01;#07"
both = selectors.DefaultSelector()
both.register(user, selectors.EVENT_READ, stub)
both.register(stub, selectors.EVENT_READ, user)
while len(both.get_map()) == 2:
    for key, _ in both.select():
        data = key.fileobj.recv(4096)
        if not data:
            both.unregister(key.fileobj)
        elif key.fileobj is user and data.endswith(STEP) and left:
            left -= 1
            user.sendall(STOPPED)
            if data[:-len(STEP)]:
                stub.sendall(data[:-len(STEP)])
        else:
            key.data.sendall(data)
sys.exit(qemu.wait())
