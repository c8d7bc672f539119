#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two networks on one wire: a range outside of the uplink's `network` is of this segment nevertheless.
# The machines in it are found when they answer probes, are never taken, get their leases back by
# announcing themselves, and are answered when they ask; those of no range are foreign.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/segment.sh"

WARM=2 MAX=4 LAB_RANGE=10.66.9.0/28 EXCLUDE=10.66.9.15
readonly FAR=10.77.0.0/28 QUIET=12 # without two hosts and the ends of the prefix

# far KEY: of the range's verification
far() {
	ctl --json status | jq -e --arg key "$1" --arg range "$FAR" \
		'.verification.ranges[] | select(.range == $range)[$key]'
}
all_known() { (($(far waiting) == 0)); }
asks() { on_host "$1" arping -q -c 1 -C 1 -w 1 -I eth0 "$2"; }

lab_up
segment_up
host_up one
host_up two
ip -n "$LAB_PREFIX-one" address add 10.77.0.5/24 dev eth0
ip -n "$LAB_PREFIX-two" address add 10.77.0.6/24 dev eth0
skepd_start 'uplink: network = "10.66.0.0/16"' "uplink: range \"$FAR\" { template = \"basic\" }"
check "all addresses are known" wait_until 30 all_known
check_eq "the hosts are found" "10.77.0.5 10.77.0.6 " \
	"$(ctl --json hosts | jq -r '.hosts[].address' | sort -V | tr '\n' ' ')"
check_eq "the rest is quiet" "$QUIET" "$(far claimable)"

check "a host there is answered for a quiet address" asks one 10.77.0.7
check_eq "by the farm" 10.77.0.7 "$(leased)"
check "and for another host's" asks one 10.77.0.6
check_eq "by that alone" 10.77.0.7 "$(leased)"

ip -n "$LAB_PREFIX-two" address add 10.77.0.7/24 dev eth0
on_host two arping -U -S 10.77.0.7 -q -c 1 -w 1 -I eth0 10.77.0.7 || true # hears itself, or not
check "a lease gives way to a host there" wait_until 5 is_dark 10.77.0.7
check "by a conflict" wait_until 5 counted released_conflict 1

ip -n "$LAB_PREFIX-one" address add 10.78.0.1/24 dev eth0
check_status "who is of no range is not answered" 1 \
	on_host one arping -S 10.78.0.1 -q -c 1 -C 1 -w 1 -I eth0 10.77.0.8
check "since he is foreign" counted pass_arp_foreign 1
done_testing
