#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What `make run` runs, with busybox, on Quire's kernel: a shell that forks,
# execs, pipes, reads files and maps memory.  It runs on any Linux as well.

PATH=/bin:/sbin:/usr/bin:/usr/sbin
export PATH
say() { echo; echo "--- $*"; }

say "a shell, and whose memory it is in"
uname -srm
cat /proc/self/maps

say "fork, exec and a pipe: counting words of the licence"
tr -cs 'A-Za-z' '\n' <LICENSE | tr 'A-Z' 'a-z' | sort | uniq -c |
	sort -rn | head -n 5

say "100 forks that each write to what their parent wrote"
i=0 total=0
while [ $i -lt 100 ]; do
	n=$( (total=$((total + i)); echo $total) )
	total=$n
	i=$((i + 1))
done
echo "0 + ... + 99 = $total"

say "files of the host, read through the page cache"
ls /bin | wc -l
find /usr/include -name '*.h' 2>/dev/null | head -n 200 | xargs cat | wc

say "memory: 16 MiB written to tmpfs, sorted in memory, checked"
seq 1 60000 | sort -r >/tmp/down
sort -n /tmp/down | md5sum
seq 1 60000 | md5sum
dd if=/dev/zero of=/tmp/zero bs=65536 count=256 2>&1 | tail -n 1
ls -l /tmp
rm /tmp/down /tmp/zero

say "awk builds a table in anonymous memory"
awk 'BEGIN { for (i = 0; i < 100000; i++) t[i] = i * i;
	s = 0; for (i in t) s += t[i] % 7; print "sum", s }'

say "what the kernel counted meanwhile"
grep -E '^(pgfault|pgmajfault|pgalloc|pgfree)' /proc/vmstat
grep -E '^(MemTotal|MemFree|PageTables|AnonPages)' /proc/meminfo
grep -E '^Vm(Peak|HWM|RSS|PTE)' /proc/self/status
