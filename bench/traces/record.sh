#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Records the page traces of this folder anew: four programs of Debian under
# valgrind's lackey (package valgrind), some minutes and no disk space each.
# What they are, and what a trace cannot tell, is in docs/policies.md.
#
# usage: bench/traces/record.sh RECORD [NAME...]
#   RECORD   the program made of record.c
#   NAME     sort, python, sqlite or gcc; all four otherwise
#
# The traces differ in detail each time (addresses, versions of libraries), so
# the figures in docs/policies.md are of those in the repository.
set -eu -o pipefail

record=$(realpath "$1")
shift
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C PYTHONHASHSEED=1 HOME=$work

trace() { # trace NAME WINDOW TEXT COMMAND...
	local name=$1 window=$2 text=$3
	shift 3
	valgrind --tool=lackey --basic-counts=no --trace-mem=yes \
		--trace-syscalls=yes --log-fd=9 "$@" 9>&1 >/dev/null \
		2>"$work/err" <"$work/in" |
		"$record" $window "$text" | xz -9e >"$work/$name.xz"
	mv "$work/$name.xz" "$here/$name.trace.xz"
	ls -l "$here/$name.trace.xz"
}

# An external sort's first half: lines read, sorted by merging, written.
do_sort() {
	python3 -c '
import random
random.seed(1)
for i in range(60000):
    print("%08x" % random.getrandbits(32), "line", i, "x" * random.randrange(40))
' >"$work/lines"
	: >"$work/in"
	trace sort 128 "sort -S 64M, 60000 lines" \
		sort --parallel=1 -S 64M -o "$work/sorted" "$work/lines"
}

# A dictionary is built (it grows by copying), then read: nine of ten times one
# of a twentieth of its keys, and at the end all values once.
do_python() {
	cat >"$work/dict.py" <<-'END'
	d = {}
	for i in range(40000):
	    d["key%d" % i] = [i, str(i)]
	n, x = 0, 1
	for i in range(60000):
	    x = (x * 1103515245 + 12345) & 0x7fffffff
	    k = (x >> 8) % (2000 if i % 10 else 40000)
	    n += d["key%d" % (k * 7919 % 40000)][0]
	n += sum(len(v[1]) for v in d.values())
	END
	: >"$work/in"
	trace python 256 "python3, a dictionary of 40000 keys" \
		/usr/bin/python3 -S -E "$work/dict.py"
}

# A database that is mapped: rows by key, most of them from a part of it that
# moves on; between them whole tables are read.
do_sqlite() {
	sqlite3 "$work/db" '
		create table item (id integer primary key, name text, n int);
		create table log (id integer primary key, note text);
		with recursive c(i) as (select 1 union all select i + 1 from c
			where i < 60000)
		insert into item select i, hex(randomblob(40)), i * 7919 % 60000
			from c;
		create index item_n on item (n);
		with recursive c(i) as (select 1 union all select i + 1 from c
			where i < 20000)
		insert into log select i, hex(randomblob(60)) from c;'
	python3 - >"$work/in" <<-'END'
	print("pragma mmap_size=100000000; pragma cache_size=20;")
	for part in range(8):
	    print("with recursive r(i, x) as (select 1, %d union all "
	          "select i + 1, (x * 1103515245 + 12345) %% 2147483648 from r "
	          "where i < 1500) select sum(length(name)) from r join item "
	          "on n = case when i %% 8 then %d + x / 256 %% 6000 "
	          "else x / 256 %% 60000 end;" % (part + 1, part * 6000))
	    print("select sum(length(note)) from log;" if part % 2 else
	          "select count(*) from item where name > 'F';")
	END
	trace sqlite 128 "sqlite3, queries of a mapped database" \
		sqlite3 -readonly "$work/db"
}

# The compiler proper: its text is mapped, its heap grows and is walked again.
do_gcc() {
	local root=$here/../..

	gcc -E -P -I"$root"/{include,mm/internal,arch/generic} \
		-I"$root"/arch/x86/{include,format/x86_64} \
		"$root/mm/lru_policy.c" >"$work/policy.i"
	: >"$work/in"
	trace gcc 128 "gcc -O2, one file" "$(gcc -print-prog-name=cc1)" \
		-quiet -O2 -o "$work/policy.s" "$work/policy.i"
}

[ $# -gt 0 ] || set -- sort python sqlite gcc
for name; do
	"do_$name"
done
