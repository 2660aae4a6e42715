#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One table of iobench's or swapbench's results: instructions, and how fast it
# was.
#
# usage: bench/io_table.sh OUTDIR io|swap
#
# OUTDIR has quire-io.txt, linux-io.txt (counting instructions) and
# quire-io-time.txt, linux-io-time.txt (as fast as it goes), or those of -swap.
# A file that is missing leaves its column empty.
awk -v out="$1" -v what="$2" '
function load(file, column, into,    line, f) {
	while ((getline line < (out "/" file)) > 0) {
		if (split(line, f, " ") != 5 || f[5] != "page")
			continue
		if (!(f[2] in seen)) {
			seen[f[2]] = 1
			name[++rows] = f[2]
		}
		into[f[2]] = f[column]
	}
}
function number(x) { return x == "" ? "-" : sprintf("%.0f", x) }
BEGIN {
	load("linux-" what ".txt", 3, l); load("quire-" what ".txt", 3, q)
	load("linux-" what "-time.txt", 4, lt); load("quire-" what "-time.txt", 4, qt)
	printf "%-26s %8s %8s %8s   %8s %8s\n", "", "Quire", "Linux",
		"Quire /", "Quire", "Linux"
	printf "%-26s %17s %8s   %17s\n", "a page", "instructions", "Linux",
		"MiB/s"
	for (i = 1; i <= rows; i++) {
		r = name[i]
		ratio = "-"
		if (q[r] != "" && l[r] > 0)
			ratio = sprintf("%.2f", q[r] / l[r])
		printf "%-26s %8s %8s %8s   %8s %8s\n", r, number(q[r]),
			number(l[r]), ratio, number(qt[r]), number(lt[r])
	}
}'
