# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# lib.sh: what the build scripts of the stock templates share: their command line, laying files/ and
# what `attributes` says over a tree, dates. A script sets here (its directory), needs (a sentence for
# --help) and installed (the day the box pretends to have been set up), sources this, and calls
# `build_in_place "$@"`; its function `build` then fills $root, with $work for anything else.

set -euo pipefail
: "${here:?} ${needs:?} ${installed:?}"

die() {
	echo "$(basename "$here")/build: $*" >&2
	exit 1
}

usage() {
	cat <<-EOF
	Usage: $(basename "$0") DEST
	Make the root file system of skep's template '$(basename "$here")' in DEST, which must not exist or be empty.
	$needs On failure nothing of DEST is left.
	EOF
}

# files/ over the tree; its directories that the tree has already keep their owners and modes.
lay_files() {
	local copy=$work/files

	cp -R "$here/files" "$copy"
	chown -R 0:0 "$copy"
	find "$copy" -type d -exec chmod 755 {} +
	find "$copy" -type f -perm /111 -exec chmod 755 {} +
	find "$copy" -type f ! -perm /111 -exec chmod 644 {} +
	tar -C "$copy" -c . | tar -C "$root" -xp --no-overwrite-dir
}

lay_attributes() {
	local type path mode owner date

	while read -r type path mode owner date; do
		case $type in
		d)	mkdir -p "$root$path" ;;
		f)	[[ -e $root$path ]] || : >"$root$path" ;;
		l)	ln -sf "$date" "$root$path"
			date=$installed
			;;
		*)	continue ;;
		esac
		chown -h "$owner" "$root$path"
		[[ $type == l ]] || chmod "$mode" "$root$path"
		echo "$date $path" >>"$work/dates"
	done <"$here/attributes"
}

# Dates come last: filling a directory changes its own. What came out of a package keeps its date.
lay_dates() {
	local date path

	find "$root" -xdev -newer "$work/start" -exec touch -h -d "$installed 09:12 UTC" {} +
	while read -r date path; do
		touch -h -d "$date 08:40 UTC" "$root$path"
	done <"$work/dates"
}

check_dest() {
	((EUID == 0)) || die "needs root, to set owners"
	if [[ -e $1 ]] && ! { [[ -d $1 ]] && [[ -z $(ls -A -- "$1") ]]; }; then
		die "$1 exists and is not an empty directory"
	fi
}

# Works beside DEST and renames at the end, so DEST is whole or absent.
build_in_place() {
	case ${1-} in
	-h | --help)
		usage
		exit 0
		;;
	esac
	if (($# != 1)) || [[ $1 == -* || -z $1 ]]; then
		usage >&2
		exit 2
	fi
	dest=$(realpath -m -- "$1")
	check_dest "$dest"
	umask 022
	export LC_ALL=C DEBIAN_FRONTEND=noninteractive
	mkdir -p "$(dirname "$dest")"
	work=$(mktemp -d "$dest.XXXXXX") # not in /tmp: it may be noexec, and rename needs one file system
	root=$work/root
	trap 'clean_up' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir "$root"
	touch "$work/start"
	build
	mv -T -- "$root" "$dest"
}

clean_up() { rm -rf -- "$work"; }
