#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Programs that need more memory than the machine's 64 MiB: what they print has
# to be what they print on the host, and they must have swapped.
#
# usage: tests/kernel/run_swap_programs.sh QUIRE [full]
#   full: sort of 200 MB, python3 with a dict of 300 MB, sqlite3 with an index
#   of a million rows, and what it took is printed; else a part of that.
# Last line: N passed, N failed.
set -u
. "$(dirname "$0")/lib.sh"
quire=$1
full=${2-}
limit=${KERNEL_TEST_LIMIT:-${full:+3000}}
limit=${limit:-600}
work=$(mktemp -d /var/tmp/quire-test.XXXXXX)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C HOME=/nowhere

# swaps NAME LEAST OPTION... -- PROGRAM ARG...: as on the host, and at least
# LEAST pages went out and LEAST / 2 came back.
swaps() {
	local name=$1 least=$2 want got first second start ins outs
	shift 2
	split "$@"
	want=$("${second[@]}" </dev/null 2>&1)
	start=$SECONDS
	rm -f "$work/json"
	got=$(QUIRE_KERNEL_ARGS=quire.check=1 timeout "$limit" "$quire" run \
		--json "$work/json" --ram $ram "$@" </dev/null 2>"$work/err")
	[ -n "$want" ] && [ "$want" = "$got" ]
	tell "$name" $?
	[ "$want" = "$got" ] || {
		diff <(echo "$want") <(echo "$got") | head -n 5
		tail -n 5 "$work/err"
	}
	grep -q 'quire_check: 0 violations' "$work/err"
	tell "$name: quire_check at the end" $?
	outs=$(figure swap outs) ins=$(figure swap ins)
	[ "${outs:-0}" -ge "$least" ] && [ "${ins:-0}" -ge $((least / 2)) ]
	tell "$name: ${outs:-no} pages out, ${ins:-no} in" $?
	[ -z "$full" ] || echo "$name: $((SECONDS - start)) s," \
		"$outs pages out, $ins in," \
		"refaults $(figure reclaim refaults_anon)," \
		"scanned $(figure reclaim scanned), stolen" \
		"$(figure reclaim stolen)," \
		"direct reclaim $(($(figure reclaim direct_ns) / 1000000)) ms"
}

# A line of sort's is 31 characters as often as `long` says; -S is room for all
# of them in memory, so that nothing goes to files in /tmp.
ram=32M lines=450000 long=1 buffer=50M entries=90000 rows=180000 least=1500
cpus=2
[ -z "$full" ] || {
	cpus=1 ram=64M lines=1080000 long=6 buffer=300M entries=1000000 rows=1000000
	least=20000
}
big=$work/sort.txt
perl -e 'srand 1; for (1 .. $ARGV[0]) { printf "%s\n", sprintf("%08x%08x%08x" .
	"%07x", rand(2**32), rand(2**32), rand(2**32), rand(2**28)) x $ARGV[1] }
	' $lines $long >"$big"

sort="sort -S $buffer $big | md5sum"
dict="
import random
n = $entries
d = {}
for i in range(n):
    d['key%d' % i] = 'value %d ' % i * 12
random.seed(1)
print(len(d), sum(map(len, d.values())))
for r in range(3):
    for i in range(n // 100):
        k = random.randrange(n)
        v = d['key%d' % k]
        if not v.startswith('value %d ' % k):
            print('wrong', k, v)
        if i % 3 == 0:
            d['key%d' % k] = 'value %d ' % k + 'x' * (i % 200)
print(sum(map(len, d.values())))
"
# (without room for sqlite3's files in /tmp, which is half of the RAM)
index="pragma temp_store=memory; create table t(a integer, b text); with recursive c(x) as (select 1 union
	all select x + 1 from c where x < $rows) insert into t select
	x * 7919 % 1000003, hex(x * 7919 % 1000003) || ' and some more of it ' ||
	x from c; create index i on t(b, a); select count(*), sum(a) from t
	where b > '5'; select b from t order by b limit 3 offset $((rows / 2));
	drop index i; create index j on t(a); select sum(length(b)) from t where
	a between 1000 and 5000; pragma integrity_check;"

# (On a disk: compressed, these sizes would not fit in what they need to fit in.)
swap=(--cpus $cpus --swap 1G)
swaps sort $least "${swap[@]}" -- /bin/sh -c "$sort"
[ -x /usr/bin/python3 ] &&
	swaps python3 $least "${swap[@]}" -- /usr/bin/python3 -c "$dict"
[ -x /usr/bin/sqlite3 ] &&
	swaps sqlite3 $least "${swap[@]}" -- /usr/bin/sqlite3 :memory: "$index"

finish
