#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Records the page traces of this folder anew: three programs of Debian under
# valgrind's lackey (package valgrind), some minutes and no disk space each.
# What they are, and what a trace cannot tell, is in docs/policies.md.
#
# usage: bench/traces/record.sh RECORD [NAME...]
#   RECORD   the program made of record.c
#   NAME     sort, python or sqlite; all three otherwise
#
# The traces differ in detail each time (addresses, versions of libraries), so
# the figures in docs/policies.md are of those in the repository.
set -eu

record=$(realpath "$1")
shift
here=$(dirname "$(realpath "$0")")
window=64
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C PYTHONHASHSEED=1 HOME=$work

trace() { # trace NAME TEXT COMMAND...
	local name=$1 text=$2
	shift 2
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
for i in range(90000):
    print("%08x" % random.getrandbits(32), "line", i, "x" * random.randrange(40))
' >"$work/lines"
	: >"$work/in"
	trace sort "sort -S 64M, 90000 lines" \
		sort --parallel=1 -S 64M -o "$work/sorted" "$work/lines"
}

# A dictionary is built (it grows by copying), then read: nine of ten times one
# of a twentieth of its keys, and at the end all values once.
do_python() {
	cat >"$work/dict.py" <<-'END'
	import random
	random.seed(2)
	d = {}
	for i in range(60000):
	    d["key%d" % i] = [i, str(i)]
	n = 0
	for i in range(60000):
	    k = random.randrange(3000 if i % 10 else 60000)
	    n += d["key%d" % (k * 7919 % 60000)][0]
	n += sum(len(v[1]) for v in d.values())
	END
	: >"$work/in"
	trace python "python3, a dictionary of 60000 keys" \
		python3 -S -E "$work/dict.py"
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
	import random
	random.seed(3)
	print("pragma mmap_size=100000000; pragma cache_size=20;")
	for part in range(8):
	    for i in range(600):
	        n = random.randrange(6000) + part * 6000 if i % 8 else \
	            random.randrange(60000)
	        print("select name from item where n = %d;" % n)
	    print("select sum(length(note)) from log;" if part % 2 else
	          "select count(*) from item where name > 'F';")
	END
	trace sqlite "sqlite3, queries of a mapped database" \
		sqlite3 -readonly "$work/db"
}

[ $# -gt 0 ] || set -- sort python sqlite
for name; do
	"do_$name"
done
