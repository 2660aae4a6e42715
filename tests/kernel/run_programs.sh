#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Programs that live by mapped files, on the writable share: what they do in
# the machine has to come out as it does on the host, and the host's own
# programs have to find the files in order.
#
# usage: tests/kernel/run_programs.sh QUIRE
# Last line: N passed, N failed.
set -u
. "$(dirname "$0")/lib.sh"
quire=$1
work=$(mktemp -d /var/tmp/quire-test.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/host" "$work/machine"
export LC_ALL=C HOME=/nowhere

# both NAME SCRIPT: a shell script on the host in one directory and in the
# machine in another, each called $D, says the same.
both() {
	local want got
	want=$(cd "$work/host" && D=$PWD timeout "$limit" sh -c "$2" \
		</dev/null 2>&1)
	got=$(D=/mnt/share timeout "$limit" "$quire" run -q --cpus 2 \
		--share "$work/machine" -- /bin/sh -c "cd /mnt/share && { $2
		}" </dev/null 2>&1)
	[ -n "$want" ] && [ "$want" = "$got" ]
	tell "$1" $?
	[ "$want" = "$got" ] || diff <(echo "$want") <(echo "$got") | head -n 9
}

# Python's own tests of its mmap module: each test, one by one.
both 'python3 -m test test_mmap' '
	mkdir -p t; TMPDIR=$D/t /usr/bin/python3 -m test -v test_mmap 2>&1 |
		grep -E "^test_|^Ran |^OK|^FAIL|\.\.\." | sed "s/ in [0-9.]*s//"'

# sqlite3 on a database that it maps, journalled and with a write-ahead log
# (whose index is a shared mapping of all its users).
both 'sqlite3: a mapped database' '
	sqlite3 a.db "pragma mmap_size=268435456; create table t(a integer
		primary key, b, c); create index i on t(b, c); begin;
		with recursive c(x) as (select 1 union all select x+1 from c
		where x<15000) insert into t select x, x*7%1000, hex(x*x) from
		c; commit; select count(*), sum(b), count(distinct c) from t;"
	sqlite3 a.db "pragma mmap_size=268435456; begin; delete from t where
		a%5=1; update t set b=b+1 where a%3=0; rollback; update t set
		c=c||c where a%7=0; delete from t where a%4=1; vacuum; pragma
		integrity_check; select sum(b), sum(length(c)) from t;"
	sqlite3 a.db "pragma mmap_size=268435456; pragma journal_mode=wal;
		update t set b=b+2 where a%3=1; select sum(b) from t; pragma
		wal_checkpoint(full); pragma integrity_check;"
	ls; sqlite3 a.db .dump | md5sum'
both 'sqlite3: four at once' '
	sqlite3 w.db "pragma journal_mode=wal; create table t(a, b);" | cat
	for i in 1 2 3 4; do
		for j in 1 2 3 4 5; do
			echo ".timeout 60000"; echo "pragma mmap_size=1000000;"
			echo "begin immediate; insert into t select value, $i
				from generate_series(1, 200); commit;"
		done | sqlite3 w.db >/dev/null &
	done; wait
	sqlite3 w.db "select b, count(*), sum(a) from t group by b;
		pragma integrity_check;"'
for db in a w; do
	[ "$(sqlite3 "$work/machine/$db.db" 'pragma integrity_check')" = ok ]
	tell "sqlite3: $db.db on the host" $?
	[ "$(sqlite3 "$work/machine/$db.db" .dump | sort | md5sum)" = \
		"$(sqlite3 "$work/host/$db.db" .dump | sort | md5sum)" ]
	tell "sqlite3: what is in $db.db" $?
done
# Killed in a transaction: the next one rolls it back, once the killed one's
# locks have gone with it.
both 'sqlite3: killed' '
	echo "create table t(a); insert into t values(1);" | sqlite3 k.db
	{ echo "pragma mmap_size=1000000; pragma cache_size=5; begin;
		insert into t select randomblob(3000) from
		generate_series(1, 300);"; echo ".shell touch ready"
		while [ ! -e done ]; do sleep 0.1; done
	} | sqlite3 k.db >/dev/null &
	while [ ! -e ready ]; do sleep 0.1; done
	ls k.db*; kill -9 $!; : >done
	sqlite3 -cmd ".timeout 60000" k.db "select count(*), sum(length(a))
		from t; pragma integrity_check"'

# git: the same commits have the same names.
both 'git: init, commit, clone, gc, fsck' '
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a
	export GIT_COMMITTER_EMAIL=a@b GIT_AUTHOR_DATE="1700000000 +0000"
	export GIT_COMMITTER_DATE="1700000000 +0000"
	git init -q -b main r && cd r && cp -r /usr/lib/python3*/json \
		/usr/lib/python3*/email . && rm -rf */__pycache__ &&
	git add . && git commit -q -m one && git clone -q . ../s && cd ../s &&
	for i in 1 2 3 4 5; do seq $i 1500 >json/numbers$i; echo $i >>email/x
		git add . && git commit -q -m "number $i"; done
	git mv json JSON && git commit -q -m moved && git gc -q && git fsck \
		--full --strict && git log --stat | md5sum
	git checkout -q HEAD~3 && git status --short && ls json | md5sum
	git checkout -q main && cd ../r && git pull -q --ff-only ../s main &&
	git repack -adq && git fsck --full && git rev-parse HEAD; git count-objects'
for r in r s; do
	git -C "$work/machine/$r" fsck --full --strict >"$work/out" 2>&1 &&
		[ -z "$(git -C "$work/machine/$r" status --short)" ]
	tell "git: $r on the host" $?
done

# LMDB: a database is one shared mapping; with its writemap mode also written
# through it.
both 'lmdb: load, dump, stat' '
	mkdir -p l; seq 1 6000 | while read n; do echo "key$((n*7919%100003))"
	echo "value$n"; done >l.txt; mdb_load -T l <l.txt && mdb_stat -e l |
	grep -v Map.address && mdb_dump l | md5sum && mdb_dump -p l | mdb_load \
	-f /dev/stdin l && mdb_stat l'
both 'lmdb: writemap' '/usr/bin/python3 -c "
import lmdb, random, os
random.seed(1)
env = lmdb.open(\"m\", map_size=1 << 24, writemap=True)
want = {}
for n in range(40):
    with env.begin(write=True) as t:
        for i in range(100):
            k = b\"%d\" % random.randrange(3000)
            v = b\"%d\" % n * random.randrange(1, 300)
            want[k] = v
            t.put(k, v)
        for k in random.sample(sorted(want), 20):
            t.delete(k)
            del want[k]
    if n % 10 == 9:
        env.sync(True)
with env.begin() as t:
    print(dict(t.cursor()) == want, len(want), t.stat())
"'
for db in l m; do
	[ "$(mdb_dump "$work/machine/$db" | md5sum)" = \
		"$(mdb_dump "$work/host/$db" | md5sum)" ]
	tell "lmdb: $db on the host" $?
done

# Copies, by pieces, synced and not.
both 'busybox: dd, cp, cmp' '
	b=/bin/busybox
	$b seq 1 200000 >n; $b cp n c; $b dd if=n of=d bs=3001 conv=fsync 2>&-
	$b dd if=n of=d bs=1000 seek=7 skip=3 count=50 conv=notrunc,fsync 2>&-
	$b cmp n c && $b md5sum n c d; $b cp -a d e; $b sync; $b fsync c
	$b mv e d; $b truncate -s 5000 d; $b cat d d >f; $b md5sum d f; $b ls'

diff -r "$work/host" "$work/machine" -x '*.db*' -x .git -x '*.mdb' -x t >/dev/null
tell 'the files of both' $?

finish
