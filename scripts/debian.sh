#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Debian's packages of another architecture, without root rights and without
# touching this system's: apt with a directory of its own, nothing configured.
#
# usage: scripts/debian.sh ARCH root DIR PACKAGE...
#        scripts/debian.sh ARCH fetch DIR PACKAGE...
#        scripts/debian.sh ARCH depends PACKAGE
#   ARCH     Debian's name: amd64, armhf, armel ...
#   root     the packages and what they depend on, unpacked into DIR: a root
#            directory for `quire run --root`
#   fetch    only their .deb files, into DIR
#   depends  the first package that PACKAGE depends on (what a metapackage
#            stands for)
#
# Lists and packages are kept in build/debian/ARCH ($QUIRE_DEBIAN/ARCH) and
# fetched again only when something is missing.  The mirrors are this system's
# (of whatever release it is), or deb.debian.org's.
set -eu

usage() {
	sed -n 's/^# \{0,1\}//; 5,19p' "$0" >&2
	exit 2
}
[ $# -ge 3 ] || usage
arch=$1 what=$2
shift 2
keep=${QUIRE_DEBIAN:-build/debian}/$arch
mkdir -p "$keep"/{etc,state/lists/partial,cache/archives/partial}
keep=$(realpath "$keep")
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
log=$keep/log

# Others may be at it, too: one at a time.
exec 9>"$keep/lock"
flock 9

say() { echo "debian: $*" >&2; }

# Lines "uri suite component" of this system's Debian mirrors.
mirrors() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 2>/dev/null |
		grep -E '^[^ ]*/debian(-security)?/? ' | sort -u
}

configure() {
	local signed=
	[ ! -e $keyring ] || signed="[signed-by=$keyring]"
	{ mirrors | grep . ||
		echo http://deb.debian.org/debian bookworm main
	} | sed "s|^|deb $signed |" >"$keep/etc/sources.list.new"
	# Another mirror: the lists are another's.
	cmp -s "$keep/etc/sources.list.new" "$keep/etc/sources.list" ||
		rm -f "$keep/updated"
	mv "$keep/etc/sources.list.new" "$keep/etc/sources.list"
	: >"$keep/state/status"
	cat >"$keep/etc/apt.conf" <<-END
		APT::Architecture "$arch";
		#clear APT::Architectures;
		APT::Architectures { "$arch"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		Acquire::Retries "5";
		Acquire::Languages "none";
		Dir::State "$keep/state";
		Dir::State::status "$keep/state/status";
		Dir::Cache "$keep/cache";
		Dir::Etc::sourcelist "$keep/etc/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::Etc::preferencesparts "-";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Post-Invoke;
	END
}

# apt COMMAND...: quiet; what it said is shown when it fails.
apt() {
	"$1" -c "$keep/etc/apt.conf" -q "${@:2}" </dev/null >"$log" 2>&1 && return
	grep '^E:' "$log" | cut -c -160 | head -n 4 >&2
	return 1
}

# try COMMAND...: networks fail for a while now and then.
try() {
	local n
	for n in 1 2 3; do
		"$@" && return
		[ $n = 3 ] || sleep $((n * 3))
	done
	return 1
}

# A mirror may be in the middle of an update: what cannot be fetched of one
# suite's lists is left out, and the other suites have to do.
update() {
	say "fetching the lists of $arch"
	try apt apt-get update || say "going on without some of the lists"
	touch "$keep/updated"
}

# with_lists COMMAND...: with the lists there are, else with today's: a mirror
# drops a package when a newer one has come.
with_lists() {
	if [ -e "$keep/updated" ]; then
		"$@" 2>/dev/null && return
	fi
	update
	try "$@"
}

fetch() { # fetch DIR PACKAGE...
	mkdir -p "$1"
	(cd "$1" && apt apt-get download "${@:2}")
}

first_dependency() {
	apt-cache -c "$keep/etc/apt.conf" depends "$1" 2>/dev/null |
		sed -n 's/^ *\(Pre\)\?Depends: *\([^ <]*\).*/\2/p' | head -n 1 |
		grep .
}

# unpack DEB DIR: its files, without documentation.  Links from /bin to
# /usr/bin stay what they are.
unpack() {
	dpkg-deb --fsys-tarfile "$1" |
		tar -x -C "$2" --keep-directory-symlink --no-same-owner \
			--exclude './usr/share/doc/*' \
			--exclude './usr/share/man/*' \
			--exclude './usr/share/locale/*' --exclude './dev/*'
}

# What the packages' scripts would do, as far as programs need it.
finish_root() {
	local new=$1 name
	mkdir -p "$new"/{dev,proc,tmp,mnt/share,root,etc}
	[ -e "$new/bin/sh" ] || [ ! -e "$new/bin/dash" ] ||
		ln -s dash "$new/bin/sh"
	[ -e "$new/bin/sh" ] || [ ! -e "$new/bin/busybox" ] ||
		ln -s busybox "$new/bin/sh"
	[ -e "$new/etc/passwd" ] ||
		echo 'root:x:0:0:root:/root:/bin/sh' >"$new/etc/passwd"
	[ -e "$new/etc/group" ] || echo 'root:x:0:' >"$new/etc/group"
	# The applets of the static busybox, as far as no other program is it.
	# This machine's list: its own program cannot run here.
	[ ! -e "$new/bin/busybox" ] || for name in $(busybox --list); do
		[ -e "$new/bin/$name" ] || ln -s busybox "$new/bin/$name"
	done
	chmod -R u+w "$new"
}

root() { # root DIR PACKAGE...
	local dir=$1 new=$1.new deb d
	shift
	say "making $dir of $*"
	# apt names only those that are not in its cache: give it an empty one.
	mkdir -p "$keep/none/partial"
	with_lists apt apt-get -y -o "Dir::Cache::archives=$keep/none" \
		--print-uris install "$@" ||
		{ say "cannot find all of: $*"; return 1; }
	sed -n "s/^'[^']*' \([^ ]*\.deb\) .*/\1/p" "$log" >"$keep/wanted"
	with_lists apt apt-get -y --download-only install "$@" ||
		{ say "cannot fetch all of: $*"; return 1; }
	rm -rf "$new"
	mkdir -p "$new"/usr/{bin,sbin,lib}
	for d in bin sbin lib; do ln -s "usr/$d" "$new/$d"; done
	while read -r deb; do
		unpack "$keep/cache/archives/$deb" "$new"
	done <"$keep/wanted"
	finish_root "$new"
	rm -rf "$dir"
	mv "$new" "$dir"
}

configure
case $what in
root) root "$@" ;;
fetch) with_lists fetch "$@" || { say "cannot fetch ${*:2}"; exit 1; } ;;
depends) with_lists first_dependency "$1" ;;
*) usage ;;
esac
