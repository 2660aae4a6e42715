# SPDX-License-Identifier: MIT
# What the scripts that boot the kernel share; they set quire (the command) and
# dir (the test programs).
passed=0 failed=0
limit=${KERNEL_TEST_LIMIT:-600}

tell() { # tell NAME OK
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1"
	fi
}

# split FIRST... -- SECOND...: in the arrays first and second.
split() {
	first=()
	while [ "$1" != -- ]; do
		first+=("$1")
		shift
	done
	shift
	second=("$@")
}

# programs_for ARCH BUILD: where the test programs for that machine are, as dir;
# as machine, run's option for it; as several, more processors than one, if it
# can have them.
programs_for() {
	several=2 machine=(--arch "$1")
	dir=$(realpath "$2/tests/kernel$([ "$1" = x86_64 ] || echo "-$1")")
	[ "$1" != armv6 ] || several=1
}

# checked NAME RUN-OPTION... -- PROGRAM ARG...: a program that counts, in the
# machine, whose kernel checks everything at the end; the report is in
# $work/json, what they said in $work/out and $work/err.  $checked_args: words for the kernel.
checked() {
	local name=$1 first second out status
	shift
	split "$@"
	out=$(QUIRE_KERNEL_ARGS="quire.check=1 ${checked_args-}" \
		timeout "$limit" "$quire" run --json "$work/json" \
		"${machine[@]}" "${first[@]}" -- "${second[@]}" </dev/null \
		2>"$work/err")
	status=$?
	echo "$out" >"$work/out"
	count "$name" $status "$out"
	[ $status = 0 ] || tail -n 8 "$work/err"
	grep -q 'quire_check: 0 violations' "$work/err"
	tell "$name: quire_check at the end" $?
}

# figure PART NAME: of the report of the last such run.
figure() {
	tr -d '\n' <"$work/json" | grep -o "\"$1\": *{[^}]*" |
		grep -o "\"$2\": *[0-9]*" | grep -o '[0-9]*$'
}

# count NAME STATUS OUTPUT: of a test program, whose last line counts.
count() {
	if [[ $3 =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		[ "${BASH_REMATCH[2]}" = 0 ] || echo "$3" | grep FAIL |
			sed "s|^|$1: |"
		[ "$2" = 0 ] || [ "${BASH_REMATCH[2]}" != 0 ] ||
			tell "$1: status $2" 1
	else
		echo "$3" | tail -n 3
		tell "$1: ended early, status $2" 1
	fi
}

# own NAME OPTION...: a test program of $dir.
own() {
	local name=$1 out
	shift
	out=$(timeout "$limit" "$quire" run -q "$@" -- "$dir/$name" </dev/null \
		2>&1)
	count "$name $*" $? "$out"
}

# own_on_share NAME OPTION...: the same in a fresh directory of the host's.
own_on_share() {
	local name=$1 out share
	shift
	share=$(mktemp -d /var/tmp/quire-share.XXXXXX)
	out=$(timeout "$limit" "$quire" run -q --share "$share" "$@" -- \
		"$dir/$name" /mnt/share </dev/null 2>&1)
	count "$name on the share $*" $? "$out"
	rm -rf "$share"
}

# writeback VERIFY OPTION... -- ARG...: that program in a fresh directory of the
# host's, and afterwards its word VERIFY here ($here has programs for this
# machine).
writeback() {
	local verify=$1 out share first second
	shift
	split "$@"
	share=$(mktemp -d /var/tmp/quire-share.XXXXXX)
	out=$(timeout "$limit" "$quire" run -q --share "$share" \
		"${first[@]}" -- "$dir/writeback" /mnt/share "${second[@]}" \
		</dev/null 2>&1)
	count "writeback $*" $? "$out"
	[ -z "$verify" ] || count "writeback ${first[*]} $verify" 0 \
		"$("$here/writeback" "$share" "$verify")"
	rm -rf "$share"
}

# disk HOST-PROGRAM OPTION...: blkdev of $dir on a disk, which this machine
# looks at before and afterwards by its own HOST-PROGRAM.
disk() {
	local here=$1 image
	shift
	image=$(mktemp -d /var/tmp/quire-disk.XXXXXX)
	"$here" make "$image/disk" && cp "$image/disk" "$image/ro"
	own blkdev --disk "$image/disk" --disk "$image/ro,ro" "$@"
	count "blkdev verify $*" 0 "$("$here" verify "$image/disk")"
	rm -r "$image"
}

# turns OPTION...: the machine and the host change a file by turns; each finds
# what the other has closed, while the machine runs on.
turns() {
	local share got i ok=0
	share=$(mktemp -d /var/tmp/quire-share.XXXXXX)
	timeout "$limit" "$quire" run -q --share "$share" "$@" -- \
		/bin/busybox sh -c '
		cd /mnt/share
		for i in 1 2 3 4 5; do
			echo "machine $i, and more of it" >f; cat f >>seen
			mv f g; mv g f; : >ready$i
			while [ ! -e go$i ]; do busybox sleep 0.05; done
			cat f >>seen; busybox stat -c %s f >>seen
		done' </dev/null >/dev/null 2>&1 &
	for i in 1 2 3 4 5; do
		for _ in $(seq 1 "$limit"0); do
			[ ! -e "$share/ready$i" ] || break
			sleep 0.1
		done
		got=$(cat "$share/f")
		[ "$got" = "machine $i, and more of it" ] || ok=1
		if [ $((i % 2)) = 0 ]; then
			echo "host $i" >"$share/f"
		else
			echo "host $i" >"$share/h"
			mv "$share/h" "$share/f"
		fi
		: >"$share/go$i"
	done
	wait $!
	got=$(for i in 1 2 3 4 5; do
		echo "machine $i, and more of it"
		printf 'host %d\n7\n' $i
	done)
	[ "$(cat "$share/seen")" = "$got" ] && [ $ok = 0 ]
	tell "turns $*" $?
	rm -rf "$share"
}

# same NAME OPTION... -- PROGRAM ARG...: as on the host (where the variable D
# is ${D_HOST-} and not empty, as it is in the machine).
same() {
	local name=$1 want got first second
	shift
	split "$@"
	want=$(D=${D_HOST-} "${second[@]}" </dev/null 2>/dev/null)
	got=$(timeout "$limit" "$quire" run -q "$@" </dev/null 2>/dev/null)
	[ "$want" = "$got" ]
	tell "$name ${first[*]}" $?
	[ "$want" = "$got" ] || diff <(echo "$want") <(echo "$got") | head -n 5
}

# finish: the last line, and the script's exit status.
finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}
