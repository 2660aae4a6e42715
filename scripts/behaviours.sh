#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Keeps docs/behaviours.md true.  A row of it is
#
#	| id | what | source files | tests |
#
# Checked: each source file exists; each file in the tests column exists under
# tests/ and has a comment "behaviour: ID" or "behaviours: ID, ID"; a row that a
# test names has one in that column; a row without a source file ("not yet") has
# no test; no id is missing or twice; every id that a test names has a row.
#
# usage: scripts/behaviours.sh [--write]
#   --write   fill in the tests column from what the tests say
set -u
doc=docs/behaviours.md

# Lines "ID file", from all tests.
named() {
	grep -rnEo 'behaviours?: *[A-Z][0-9]+( *,( *and)? *[A-Z][0-9]+)*' \
		tests --exclude-dir=harness --include='*.c' --include='*.sh' \
		--include='*.py' |
		awk -F: '{
			file = $1
			n = split($0, word, /[^A-Z0-9]+/)
			for (i = 1; i <= n; i++)
				if (word[i] ~ /^[A-Z][0-9]+$/)
					print word[i], file
		}' | sort -u
}

if [ "${1-}" = --write ]; then
	tests=$(mktemp)
	named >"$tests"
	awk -F'|' -v OFS='|' -v list="$tests" '
		BEGIN {
			while ((getline line < list) > 0) {
				split(line, part, " ")
				name = part[2]
				sub(/^tests\//, "", name)
				t = of[part[1]]
				of[part[1]] = t (t == "" ? "" : ", ") "`" name "`"
			}
		}
		$2 ~ /^ [A-Z][0-9]+ $/ {
			id = $2
			gsub(/ /, "", id)
			$5 = " " (of[id] == "" ? "–" : of[id]) " "
		}
		{ print }' "$doc" >"$doc.new"
	rm "$tests"
	if cmp -s "$doc" "$doc.new"; then rm "$doc.new"; else mv "$doc.new" "$doc"; fi
	exit
fi

passed=0 failed=0
ok() {
	passed=$((passed + 1))
}
fail() {
	failed=$((failed + 1))
	echo "FAIL $*"
}

tests=$(named)
rows=$(awk -F'|' '$2 ~ /^ [A-Z][0-9]+ $/' "$doc")
ids=$(echo "$rows" | awk -F'|' '{ gsub(/ /, "", $2); print $2 }')

while IFS='|' read -r _ id _ source shown _; do
	id=${id// /}
	want=$(echo "$tests" | sed -n "s/^$id tests\///p" | sort)
	have=$(echo "$shown" | grep -oE '`[^`]+`' | tr -d '`' | sort)
	bad=
	for f in $(echo "$source" | grep -oE '`[^`]+`' | tr -d '`'); do
		[ -e "$f" ] || bad="its source $f is not there"
	done
	wrong=$(comm -13 <(echo "$want") <(echo "$have") | tr '\n' ' ')
	[ -z "${wrong// /}" ] || bad="not named in $wrong(--write mends it)"
	if [ -n "$want" ] && [ -z "$have" ]; then
		bad="a test names it, the table none (--write mends it)"
	fi
	case $source in
	*'not yet'*) [ -z "$want" ] || bad="not built, but a test names it" ;;
	*\`*) ;;
	*) bad="neither a source nor 'not yet'" ;;
	esac
	if [ -z "$bad" ]; then ok; else fail "$id: $bad"; fi
done <<<"$rows"

twice=$(echo "$ids" | sort | uniq -d)
if [ -z "$twice" ]; then ok; else fail "more than one row: $twice"; fi
# Within a letter the ids are 1, 2, 3 ...
for letter in E P F M Z C R T L; do
	n=$(echo "$ids" | grep -c "^$letter")
	last=$(echo "$ids" | grep "^$letter" | tr -d "$letter" | sort -n | tail -1)
	if [ "$n" -gt 0 ] && [ "$n" = "$last" ]; then ok
	else fail "rows of $letter: $n, the last is $last"; fi
done
unknown=$(comm -13 <(echo "$ids" | sort -u) <(echo "$tests" | cut -d' ' -f1 | sort -u))
if [ -z "$unknown" ]; then ok; else fail "tests name ids without a row:" $unknown; fi

echo "$(echo "$ids" | wc -l) behaviours, $(echo "$rows" | grep -vc 'not yet') built"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
