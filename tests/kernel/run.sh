#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The kernel, tested by programs that run on it.
#
# usage: tests/kernel/run.sh QUIRE DIR
#   QUIRE  the quire command
#   DIR    the static test programs (faults, signals, process, smp, files,
#          pipes, procfs, writeback)
#
# Each program runs with several numbers of processors and both depths of
# page tables; then programs of the distribution run, and what they print is
# compared with what they print on the host.  Last line: N passed, N failed.
set -u
. "$(dirname "$0")/lib.sh"
quire=$1
dir=$(realpath "$2")
here=$dir

# The decoder of 9P replies and compressed memory run here, not there.
for name in p9_host zram_host; do
	out=$("$dir/$name" 2>&1)
	count $name $? "$out"
done

for cpus in 1 2; do
	for levels in 4 5; do
		own faults --cpus $cpus --levels $levels
		own process --cpus $cpus --levels $levels
	done
	own signals --cpus $cpus
	own smp --cpus $cpus
	own files --cpus $cpus
	own pipes --cpus $cpus
	own procfs --cpus $cpus
	own other_mm --cpus $cpus
	disk "$dir/blkdev" --cpus $cpus
	# all of microvm's virtio devices are probed, the root's among them
	QUIRE_KERNEL_ARGS="quire.pmem=4M quire.kmmio=0xfeb00000,0x4000" \
		own devices --cpus $cpus
done
QUIRE_KERNEL_ARGS="quire.pmem=4M quire.kmmio=0xfeb00000,0x4000" \
	own devices --cpus 4 --levels 5
own devices
disk "$dir/blkdev" --cpus 4
own files --cpus 4 --levels 5
own pipes --cpus 4
own smp --cpus 4 --levels 5
own process --cpus 8

same 'busybox script' --cpus 2 -- /bin/busybox sh -c '
	i=0; while [ $i -lt 30 ]; do
		echo "line $i" | busybox sed s/line/row/; i=$((i+1)); done
	busybox seq 1 2000 | busybox sort -rn | busybox head -n 3
	(exit 7) ; echo $?; cat /etc/passwd | busybox wc -l'
same 'dynamic programs' --cpus 2 -- /bin/sh -c '
	ls / | sort | head -n 3; seq 1 50000 | gzip | gunzip | md5sum
	seq 1 20000 | xz -1 | xz -d | tail -n 1'
[ -x /usr/bin/perl ] && same 'perl 100 MB' -- /usr/bin/perl -e \
	'$x = "ab" x (50 << 20); print length($x), "\n"'
[ -x /usr/bin/python3 ] && same 'python3 100 MB' -- /usr/bin/python3 -c \
	'x = bytearray(100 << 20); print(len(x), sum(x[::4096]))'
[ -x /usr/bin/sqlite3 ] && same 'sqlite3 100000 rows' -- /usr/bin/sqlite3 \
	:memory: 'create table t(a,b); with recursive c(x) as (select 1 union all
	select x+1 from c where x<100000) insert into t select x,x*7%1000 from c;
	select sum(a),sum(b),count(distinct b) from t;'

# 50 MB, sorted by a program that the machine has less cache than.
big=$dir/sort.txt
[ -s "$big" ] || { perl -e 'srand 1; for (1 .. 1700000) {
	printf "%08x%08x%08x%06x\n", rand(2**32), rand(2**32), rand(2**32),
		rand(2**24) }' >"$big.new" && mv "$big.new" "$big"; }
same 'sort 50 MB' --cpus 2 -- /bin/sh -c "sort $big | md5sum"
same 'gzip and xz of 50 MB' --cpus 2 -- /bin/sh -c \
	"gzip -1 <$big | gunzip | md5sum; head -c 10000000 $big | xz -0 | xz -d |
	md5sum"
same 'ls -lR' -- /bin/ls -lR /usr/include

# Output that nobody takes for a while is held back, not lost.
[ "$(timeout "$limit" "$quire" run -q -- /usr/bin/seq 1 200000 </dev/null |
	(sleep 3; md5sum))" = "$(seq 1 200000 | md5sum)" ]
tell 'a reader that is slow' $?

# Files of the host: more than fits into memory, and a writable share.
work=$(mktemp -d /var/tmp/quire-test.XXXXXX)
trap 'rm -rf "$work"' EXIT
same 'read more than memory' --ram 64M -- /bin/busybox sh -c "
	for i in 1 2 3; do md5sum $big $big; done"

mkdir "$work/share" "$work/plain"
echo 'from the host' | tee "$work/share/host" >"$work/plain/host"
share_script='
	cat host; echo new >n; cat n; echo more >>n; cat n; mkdir d; cp n d/x
	ln -s n sl; cat sl; ln n hard; chmod 640 n; stat -c "%a %s %h" n
	touch -d "2020-01-02 03:04:05" n; stat -c %Y n
	dd if=/dev/zero of=big bs=1000 count=3333 2>&- ; md5sum big
	truncate -s 12345 big; md5sum big; printf XY | dd of=big bs=1 seek=4095 \
		conv=notrunc 2>&-; md5sum big
	mv d/x d/y; cat d/y; rm host; ls; mv d e; ls e; rm -r e
	rmdir nothing 2>&- || echo no; sync; cat missing 2>&- || echo missing'
want=$(cd "$work/plain" && busybox sh -c "$share_script")
got=$(timeout "$limit" "$quire" run -q --share "$work/share" -- \
	/bin/busybox sh -c "cd /mnt/share && { $share_script
	}" </dev/null)
[ "$want" = "$got" ]
tell 'share: what a script sees' $?
[ "$want" = "$got" ] || diff <(echo "$want") <(echo "$got") | head -n 5
diff -r "$work/plain" "$work/share" >/dev/null
tell 'share: what the host has afterwards' $?
timeout "$limit" "$quire" run -q -- /bin/busybox touch "$work/share/x" \
	</dev/null 2>/dev/null
[ $? != 0 ] && [ ! -e "$work/share/x" ]
tell 'the root is read-only' $?

# Files of the share through the cache, with more of them than memory; and
# transfers that fail or stop early.
for cpus in 1 2 4; do
	writeback verify --cpus $cpus --
	own_on_share files --cpus $cpus
done
writeback verify-big --cpus 2 --ram 32M -- big 80
writeback verify --cpus 2 --inject-io 1,3,0,0 --
writeback verify-big --cpus 2 --ram 32M --inject-io 2,5,0,0 -- big 40
writeback verify-scatter --cpus 2 --ram 32M -- scatter 80
writeback verify-retry --cpus 2 --inject-io 3,4,6,0 -- retry
writeback '' --cpus 2 --inject-io 4,4,0,4 -- reread
turns --cpus 2

# The host gives names to other files: what is open stays what it is.
mkdir "$work/names"
echo old >"$work/names/f"
echo other >"$work/names/h"
(for _ in $(seq 1 "$limit"0); do
	[ ! -e "$work/names/ready" ] || break
	sleep 0.1
done
mv "$work/names/f" "$work/names/g"
mv "$work/names/h" "$work/names/f"
: >"$work/names/go") &
got=$(timeout "$limit" "$quire" run -q --share "$work/names" -- /bin/bash -c '
	cd /mnt/share; stat -c %s f h; exec 3<f; : >ready
	while [ ! -e go ]; do sleep 0.05; done
	cat g f; cat <&3; echo more >>g; cat /proc/self/fd/3; ls' </dev/null)
wait $!
[ "$(echo $got)" = '4 6 old other old old more f g go ready' ] &&
	[ "$(cat "$work/names/g")" = "old
more" ]
tell 'names that the host gives to other files' $?

# Exit statuses and what cannot be run.
timeout "$limit" "$quire" run -q -- /bin/busybox sh -c 'exit 42' </dev/null
[ $? = 42 ]
tell 'exit status 42' $?
timeout "$limit" "$quire" run -q -- /bin/busybox sh -c 'kill -9 $$' </dev/null
[ $? = 137 ]
tell 'death by signal 9' $?
[ "$(printf 'a\0b\377c' | timeout "$limit" "$quire" run -q -- /bin/busybox cat |
	od -An -tx1)" = ' 61 00 62 ff 63' ]
tell 'binary through cat' $?

finish
