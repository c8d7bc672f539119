#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `skepd -t` on a real machine: a configuration that is right, and those that are wrong or do not fit
# the machine: one line each, with the file and the line, and status 3. A start says the same.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

test_conf() { box "$SKEPD" -t -c "$1" >"$tmp/out" 2>"$tmp/err"; }

# wrong TEXT SED_SCRIPT MARK REGEX: edited so, the line with MARK is named, and what is wrong with it
wrong() {
	local status=0 line
	sed "$2" "$conf" >"$tmp/wrong.conf"
	line=$(grep -n -m 1 -- "$3" "$tmp/wrong.conf" | cut -d: -f1)
	test_conf "$tmp/wrong.conf" || status=$?
	check_eq "$1: status 3" 3 "$status"
	check_match "$1: file, line, and what to do" "^$tmp/wrong\.conf:$line: $4" "$(cat "$tmp/err")"
	check_eq "$1: one line, on standard error" '1 0' "$(wc -l <"$tmp/err") $(wc -l <"$tmp/out")"
}

lab_up
write_conf >"$conf"
check "the configuration of these tests is right" test_conf "$conf"
check_eq "-t makes nothing" '' "$(find "$tmp/state" "$tmp/run" "$bpf_dir" 2>/dev/null || true)"

wrong "an unknown key" 's/warm = /warmth = /' 'warmth' '.*warmth.*'
wrong "an unknown section" 's/^pool {/pond {/' 'pond' '.*pond.*'
wrong "a key twice" 's/idle_timeout = .*/&\nidle_timeout = 77/' 'idle_timeout = 77' 'idle_timeout is given twice; '
wrong "a missing NIC" "s/uplink \"$LAB_UPLINK\"/uplink \"eth9\"/" 'eth9' 'uplink "eth9": no such interface; .*ip link.*'
wrong "a missing template" 's|rootfs = .*|rootfs = "/nowhere"|' 'template "basic" {' \
	'template "basic": no root file system at /nowhere: .*; run .skepctl template build basic.'
wrong "a template without init" 's|/sbin/init|/sbin/begin|' 'template "basic" {' 'template "basic": no /sbin/begin in '
wrong "an init that is no program" 's|/sbin/init|/etc/passwd|' 'template "basic" {' \
	'template "basic": /etc/passwd in .* is not an executable file'
wrong "an undefined template" 's/template = "basic"/template = "other"/' 'template = "other"' 'unknown template "other"; '
wrong "a bad prefix" 's|10.66.0.0/16|10.66.0.0/33|' 'range' 'range "10.66.0.0/33" is not a prefix; '
wrong "bits behind the prefix" 's|10.66.0.0/16|10.66.4.2/16|' 'range' 'range "10.66.4.2/16" has bits set behind the prefix; write 10.66.0.0/16'
wrong "overlapping ranges" 's|^\([[:space:]]*\)gateway = .*|\1range "10.66.128.0/17" { template = "basic" }|' \
	"range \"$LAB_RANGE\"" 'range 10.66.0.0/16 overlaps range 10.66.128.0/17 of line [0-9]+ '
wrong "a bad gateway" "s/gateway = .*/gateway = \"10.66.0.300\"/" 'gateway' 'gateway "10.66.0.300" is not a unicast address; '
wrong "a pool that is too small" 's/max = .*/max = 1/' 'max = 1' 'max 1 leaves no room for warm '
wrong "an unknown mode of XDP" "s/gateway = /xdp = \"fast\" &/" 'xdp = "fast"' 'xdp cannot be "fast"; write auto, native or generic'
wrong "a brace too few" "\$s/}/# none/" 'uplink "' 'brace without an end; add .}.'

# A file that is not there has no line.
status=0
test_conf "$tmp/nowhere.conf" || status=$?
check_eq "no file: status 3" 3 "$status"
check_match "no file: its name" "^$tmp/nowhere\.conf.*No such file or directory" "$(cat "$tmp/err")"

# Started with it, instead of tested
sed 's/warm = /warmth = /' "$conf" >"$tmp/wrong.conf"
check_status "a start with an unknown key: status 3" 3 box "$SKEPD" -c "$tmp/wrong.conf"
check_match "and the same line" "^$tmp/wrong\.conf:[0-9]+: .*warmth" "$(cat "$tmp/output")"
check_eq "nothing is made" '' "$(leftovers)"
check_status "an unknown option: status 2" 2 "$SKEPD" --fast
check_status "an argument: status 2" 2 "$SKEPD" "$conf"
sed "s|\"$bpf_dir\"|\"$tmp/bpf\"|" "$conf" >"$tmp/wrong.conf"
check_status "a bpf_dir that is on no bpffs: status 1" 1 box "$SKEPD" -c "$tmp/wrong.conf"
check_match "is said so" "error: bpf_dir $tmp/bpf is not on a BPF file system; " "$(cat "$tmp/output")"
cp "$SKEPD" "$tmp/skepd" # nobody may not be let into the directory where it was built
check_status "as nobody: status 1" 1 setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/skepd" -c "$conf"
check_match "is said so, too" 'error: skepd must be started as root' "$(cat "$tmp/output")"
check_eq "none of these leaves anything" '' "$(leftovers)"

done_testing
