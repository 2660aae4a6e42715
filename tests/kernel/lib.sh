# SPDX-License-Identifier: MIT
# What the scripts that boot the kernel share; they set quire (the command) and
# dir (the test programs).
passed=0 failed=0
limit=${KERNEL_TEST_LIMIT:-180}

tell() { # tell NAME OK
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1"
	fi
}

# own NAME OPTION...: a test program of $dir, whose last line counts.
own() {
	local name=$1 out status
	shift
	out=$(timeout "$limit" "$quire" run -q "$@" -- "$dir/$name" </dev/null \
		2>&1)
	status=$?
	if [[ $out =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		[ "${BASH_REMATCH[2]}" = 0 ] || echo "$out" | grep FAIL |
			sed "s|^|$* |"
		[ "$status" = 0 ] || [ "${BASH_REMATCH[2]}" != 0 ] ||
			tell "$name $*: status $status" 1
	else
		echo "$out" | tail -n 3
		tell "$name $*: ended early, status $status" 1
	fi
}

# same NAME OPTION... -- PROGRAM ARG...: as on the host (where the variable D
# is ${D_HOST-} and not empty, as it is in the machine).
same() {
	local name=$1 want got options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	want=$(D=${D_HOST-} "$@" </dev/null 2>/dev/null)
	got=$(timeout "$limit" "$quire" run -q "${options[@]}" -- "$@" \
		</dev/null 2>/dev/null)
	[ "$want" = "$got" ]
	tell "$name ${options[*]}" $?
	[ "$want" = "$got" ] || diff <(echo "$want") <(echo "$got") | head -n 5
}

# finish: the last line, and the script's exit status.
finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}
