#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One table of pfbench results: instructions an operation.
#
# usage: bench/table.sh QUIRE QUIRE-REPORT LINUX LINUX-OFF
#
# The files are pfbench's output on Quire's kernel, on the same counting and
# timing each fault for its report, on Linux with its defaults, and on Linux
# with mitigations=off.  A file that is missing leaves
# its columns empty.  Exit status 1 when a row of Quire's is above half of
# Linux's with mitigations=off.
awk -v quire="$1" -v report="$2" -v linux="$3" -v off="$4" '
function load(file, into,    line, f, n) {
	while ((getline line < file) > 0) {
		n = split(line, f, " ")
		if (n != 5 || f[1] != "pfbench" || f[3] + 0 <= 0)
			continue
		if (!(f[2] in unit)) {
			unit[f[2]] = f[5]
			name[++rows] = f[2]
		}
		into[f[2]] = f[3]
	}
	close(file)
}
function number(x) { return x == "" ? "-" : sprintf("%.0f", x) }
BEGIN {
	load(off, o); load(linux, l); load(quire, q); load(report, p)
	printf "%-26s %10s %10s %10s %10s %8s\n", "instructions per",
		"Quire", "Quire", "Linux", "Linux", "Quire /"
	printf "%-26s %10s %10s %10s %10s %8s\n", "", "", "(report)",
		"(defaults)", "(mit. off)", "(off)"
	for (i = 1; i <= rows; i++) {
		r = name[i]
		ratio = q[r] != "" && o[r] > 0 ? q[r] / o[r] : -1
		printf "%-26s %10s %10s %10s %10s %8s%s\n",
			r " / " unit[r], number(q[r]), number(p[r]),
			number(l[r]), number(o[r]), (ratio < 0 ? "-" : sprintf("%.2f", ratio)),
			(ratio > 0.5 ? "  over half" : "")
		if (ratio > 0.5)
			over++
		if (ratio >= 0)
			compared++
	}
	printf "%d rows compared, %d over half of Linux with mitigations=off\n",
		compared, over
	exit over > 0
}'
