#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs each fuzz target once over each file of its corpus.
# usage: fuzz/replay.sh TARGET...
set -u
passed=0 failed=0
for target in "$@"; do
	name=${target##*/}
	# One process for all files: quick.  Only if it fails, one for each.
	if timeout 250 "$target" -timeout=20 "fuzz/corpus/$name"/* \
		>"$target.log" 2>&1; then
		n=$(grep -c '^Executed ' "$target.log")
		passed=$((passed + n))
		[ "$n" -gt 0 ] && continue
		echo "FAIL $name has no corpus"
		failed=$((failed + 1))
		continue
	fi
	for file in "fuzz/corpus/$name"/*; do
		if timeout 30 "$target" "$file" >"$target.log" 2>&1; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "FAIL $target $file"
			tail -n 30 "$target.log"
		fi
	done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
