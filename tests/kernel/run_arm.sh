#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The kernel on ARM, tested by programs that run on it.
#
# usage: tests/kernel/run_arm.sh ARCH QUIRE BUILD
#   ARCH   armv7 or armv6
#   QUIRE  the quire command
#   BUILD  the build's folder: test programs in tests/kernel-armv7 (armhf) and
#          tests/kernel-armv6 (armel), root directories of Debian's in
#          debian-armhf and debian-armel
#
# Our own test programs first, then programs of Debian's, whose output is
# compared with what this machine's print.  Last line: N passed, N failed.
set -u
. "$(dirname "$0")/lib.sh"
arch=$1
quire=$2
build=$3
armhf=$build/tests/kernel-armv7
armel=$build/tests/kernel-armv6
here=$build/tests/kernel
work=$(mktemp -d /var/tmp/quire-test.XXXXXX)
trap 'rm -rf "$work"' EXIT

if [ "$arch" = armv7 ]; then
	debian=$build/debian-armhf several=4
	dir=$(realpath "$armhf")
	for cpus in 1 2; do
		for name in abi vfp aborts faults process signals smp files pipes procfs \
			other_mm; do
			own $name --arch armv7 --cpus $cpus
		done
		# (not with 32-bit offsets: places in a directory are the
		# server's, and too large for them)
		own_on_share files --arch armv7 --cpus $cpus
	done
	disk "$build/tests/kernel/blkdev" --arch armv7 --cpus 2
	QUIRE_KERNEL_ARGS=quire.pmem=4M own devices --arch armv7 --cpus 2
	own smp --arch armv7 --cpus 4
	own vfp --arch armv7 --cpus 4
	own process --arch armv7 --cpus 4
	own pipes --arch armv7 --cpus 4
	# Programs for ARMv5 and older, which call into the kernel's page of
	# helpers for what their processors lacked.
	dir=$(realpath "$armel")
	own faults --arch armv7
	own abi --arch armv7 --cpus 2
	own aborts --arch armv7 --cpus 2
	own signals --arch armv7 --cpus 2
	own process --arch armv7 --cpus 2
	own smp --arch armv7 --cpus 4
	own vfp --arch armv7 --cpus 4
else
	debian=$build/debian-armel several=1
	dir=$(realpath "$armel")
	for name in abi vfp aborts faults process signals smp files pipes procfs \
		other_mm; do
		own $name --arch armv6
	done
	disk "$build/tests/kernel/blkdev" --arch armv6
	QUIRE_KERNEL_ARGS=quire.pmem=4M own devices --arch armv6
fi

for cpus in $(seq 1 $((several > 1 ? 2 : 1))); do
	writeback verify --arch "$arch" --cpus $cpus --
	writeback verify-retry --arch "$arch" --cpus $cpus \
		--inject-io 3,4,6,0 -- retry
	writeback '' --arch "$arch" --cpus $cpus --inject-io 4,4,0,4 -- reread
done
writeback verify-scatter --arch "$arch" --ram 48M -- scatter 100
turns --arch "$arch" --root "$debian"
writeback verify-big --arch "$arch" --ram 48M --inject-io 2,5,0,0 -- big 64

root=(--arch "$arch" --root "$debian")
same 'busybox script' "${root[@]}" --cpus $several -- /bin/busybox sh -c '
	i=0; while [ $i -lt 30 ]; do
		echo "line $i" | busybox sed s/line/row/; i=$((i+1)); done
	busybox seq 1 2000 | busybox sort -rn | busybox head -n 3
	(exit 7) ; echo $?; busybox printf "a b\nc\n" | busybox wc -w'
same 'dynamic programs' "${root[@]}" --cpus $several -- /bin/bash -c '
	printf "%s\n" {1..2000} | sort -r | head -n 3
	seq 1 50000 | gzip | gunzip | md5sum
	seq 1 20000 | xz -1 | xz -d | tail -n 1
	seq 1 5000 | grep -c 7 | sed s/^/:/'
same 'perl' "${root[@]}" -- /usr/bin/perl -e \
	'$x = "ab" x (25 << 20); print length($x), "\n";
	my %h; $h{$_ * 7 % 1000} += $_ for 1 .. 20000;
	print join(",", map { $h{$_} } sort { $a <=> $b } keys %h), "\n"'
same 'python3 100 MB' "${root[@]}" -- /usr/bin/python3 -c \
	'x = bytearray(100 << 20); print(len(x), sum(x[::4096]))'
same 'python3 threads' "${root[@]}" --cpus $several -- /usr/bin/python3 -c '
import _thread, time
done = []
def work(n):
    done.append(sum(i * i for i in range(n)))
for n in range(5): _thread.start_new_thread(work, (20000 + n,))
while len(done) < 5: time.sleep(0.01)
print(sorted(done))'
same 'sqlite3 30000 rows' "${root[@]}" -- /usr/bin/sqlite3 \
	:memory: 'create table t(a,b); with recursive c(x) as (select 1 union all
	select x+1 from c where x<30000) insert into t select x,x*7%1000 from c;
	select sum(a),sum(b),count(distinct b) from t;'

# Files of the host through a writable share: more than fits into memory.
perl -e 'srand 1; for (1 .. 500000) { printf "%08x%08x%08x%06x\n",
	rand(2**32), rand(2**32), rand(2**32), rand(2**24) }' >"$work/sort.txt"
D_HOST=$work
D=/mnt/share
export D
same 'sort 15 MB' "${root[@]}" --share "$work" --ram 64M -- /bin/bash -c '
	sort "$D/sort.txt" | md5sum; md5sum <"$D/sort.txt"'
same 'gzip and xz of a file' "${root[@]}" --share "$work" -- /bin/bash -c '
	gzip -1 <"$D/sort.txt" | gunzip | md5sum
	head -c 2000000 "$D/sort.txt" | xz -0 | xz -d | md5sum'
same 'a file written and read again' "${root[@]}" --share "$work" -- \
	/bin/bash -c 'mkdir "$D/d" && cd "$D/d" && seq 1 100000 >n && md5sum n &&
	truncate -s 12345 n && md5sum n && mv n m && ls && rm m && cd .. && rmdir d'

# The kernel's own checks, at the end of a run with all kinds of faults.
out=$(QUIRE_KERNEL_ARGS=quire.check=1 timeout "$limit" "$quire" run \
	"${root[@]}" --cpus $several -- /bin/bash -c '
	x=$(seq 1 20000); for i in 1 2 3 4 5 6; do (y=$x$x; echo ${#y}) & done
	wait' </dev/null 2>&1)
[[ $out == *'quire_check: 0 violations'* && $out == *cow_copy* ]]
tell 'quire_check at the end' $?

# Exit statuses.
timeout "$limit" "$quire" run -q "${root[@]}" -- /bin/busybox sh -c 'exit 42' \
	</dev/null
[ $? = 42 ]
tell 'exit status 42' $?
timeout "$limit" "$quire" run -q "${root[@]}" -- /bin/busybox sh -c 'kill -9 $$' \
	</dev/null
[ $? = 137 ]
tell 'death by signal 9' $?
[ "$(printf 'a\0b\377c' | timeout "$limit" "$quire" run -q "${root[@]}" -- \
	/bin/busybox cat | od -An -tx1)" = ' 61 00 62 ff 63' ]
tell 'binary through cat' $?

finish
