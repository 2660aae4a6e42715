#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One table of pfbench results: instructions an operation.
#
# usage: bench/table.sh OUTDIR LINUX-TITLE [OTHER-TITLE]
#
# OUTDIR has pfbench's output on Quire's kernel (quire.txt), on the same
# counting and timing each fault for its report (quire-report.txt), and on Linux
# in one or two settings (linux.txt, linux-other.txt).  A file that is missing
# leaves its column empty.  The last column compares with the lower of Linux's.
# Exit status 1 when a row of Quire's is above half of that.
awk -v out="$1" -v title="$2" -v other="${3-}" '
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
	load(out "/linux.txt", l); load(out "/quire.txt", q)
	load(out "/quire-report.txt", p)
	if (other != "")
		load(out "/linux-other.txt", o)
	line = "%-26s %10s %10s %11s"
	printf line, "instructions per", "Quire", "Quire", "Linux"
	if (other != "")
		printf " %11s", "Linux"
	printf " %8s\n" line, "Quire /", "", "", "(report)", title
	if (other != "")
		printf " %11s", other
	printf " %8s\n", other != "" ? "(lower)" : "Linux"
	for (i = 1; i <= rows; i++) {
		r = name[i]
		low = l[r]
		if (o[r] != "" && (low == "" || o[r] < low))
			low = o[r]
		ratio = q[r] != "" && low > 0 ? q[r] / low : -1
		printf line, r " / " unit[r], number(q[r]), number(p[r]), number(l[r])
		if (other != "")
			printf " %11s", number(o[r])
		printf " %8s%s\n", (ratio < 0 ? "-" : sprintf("%.2f", ratio)),
			(ratio > 0.5 ? "  over half" : "")
		if (ratio > 0.5)
			over++
		if (ratio >= 0)
			compared++
	}
	printf "%d rows compared, %d over half of Linux\n", compared, over
	exit over > 0
}'
