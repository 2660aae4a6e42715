#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs test suites, at most JOBS at once, and adds up their results.
#
# usage: scripts/run-tests.sh LIST [NAME...]
#   LIST   one suite a line: name <tab> seconds it may take <tab> command
#   NAME   run only these suites
#
# A suite is a command whose last line is "N passed, N failed" and that exits
# 0 only when nothing failed.  A suite that ends otherwise counts as one more
# failure.  Its output is kept in build/log/NAME.log; of a suite that failed,
# the end is shown.  The last line printed here is the sum, in the same form.
# Environment: TEST_JOBS, suites at once (default: the processors, at most 2).
set -u

list=$1
shift
logs=${TEST_LOGS:-build/log}
jobs=${TEST_JOBS:-$(nproc 2>/dev/null || echo 1)}
[ -n "${TEST_JOBS-}" ] || [ "$jobs" -le 2 ] || jobs=2
mkdir -p "$logs"

passed=0 failed=0 suites=0 bad=
declare -A name_of=() start_of=()

wanted() { # wanted NAME ARGS...
	local name=$1 w
	shift
	[ $# -eq 0 ] && return 0
	for w in "$@"; do [ "$w" = "$name" ] && return 0; done
	return 1
}

# complaints LOG COUNT: its first lines that tell what failed.
complaints() {
	grep -aE '(^|[^a-z])(FAIL|not ok|ERROR: |runtime error)' "$1" |
		head -n "$2" | sed 's/^/    | /'
}

# harvest PID STATUS: the suite has ended; read its last line.
harvest() {
	local name=${name_of[$1]} status=$2 log p=0 f=0 last took
	log=$logs/$name.log
	took=$((SECONDS - start_of[$1]))
	unset "name_of[$1]" "start_of[$1]"
	last=$(tail -n 1 "$log")
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]}
		if [ "$status" != 0 ] && [ "$f" = 0 ]; then
			f=1
		fi
	else
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) suites=$((suites + 1))
	if [ "$f" = 0 ]; then
		printf '%-18s %6d passed %17d s\n' "$name" "$p" "$took"
		return
	fi
	bad="$bad $name"
	printf '%-18s %6d passed, %d failed %8d s   %s\n' "$name" "$p" "$f" \
		"$took" "$log"
	[ "$status" = 124 ] && echo "    (it took too long and was ended)"
	complaints "$log" 20
	echo "    ... the last lines of its log:"
	tail -n 25 "$log" | sed 's/^/    | /'
}

reap_one() {
	local pid status
	wait -n -p pid "${!name_of[@]}"
	status=$?
	harvest "$pid" "$status"
}

stop_all() {
	trap - INT TERM
	for pid in "${!name_of[@]}"; do kill "$pid" 2>/dev/null; done
	echo "interrupted"
	exit 130
}
trap stop_all INT TERM

while IFS=$'\t' read -r name limit command <&3; do
	[ -n "$name" ] && wanted "$name" "$@" || continue
	while [ ${#name_of[@]} -ge "$jobs" ]; do reap_one; done
	timeout --kill-after=10 "$limit" bash -c "$command" \
		>"$logs/$name.log" 2>&1 </dev/null 3<&- &
	name_of[$!]=$name
	start_of[$!]=$SECONDS
done 3< <(sort -s -t $'\t' -k 2,2nr "$list") # what may take long comes first
while [ ${#name_of[@]} -gt 0 ]; do reap_one; done

[ "$suites" -gt 0 ] || { echo "no such suite: $*"; failed=1; }
for name in $bad; do # once more, where the end of a log shows it
	echo "failed: $name"
	complaints "$logs/$name.log" 3
done
echo "$suites suites, failures in:${bad:- none}, $SECONDS s"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
