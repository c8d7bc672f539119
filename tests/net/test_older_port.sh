#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A port has its program at an ingress qdisc. An earlier skepd made clsact instead: the next one takes
# over such a port as well, with its container and its lease, and its own program comes in the place of
# the former.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=1 MAX=4
readonly A=10.66.4.2 PINNED=/sys/fs/bpf/skep-$LAB_PREFIX-former

port_of() { ctl --json containers | jq -r --argjson pid "$1" '.containers[] | select(.pid == $pid).port'; }
qdiscs() { box tc -j qdisc show dev "$1" | jq -r '[.[].kind] | sort | join(" ")'; }
program_at() { box tc -j filter show dev "$1" ingress | jq -r '[.[].options.prog.id | select(.)] | join(" ")'; }
page() { client curl -sf -m 5 -o /dev/null "http://$A/"; }

# As an earlier skepd left it
make_older() {
	bpftool prog pin id "$(program_at "$1")" "$PINNED"
	box tc qdisc del dev "$1" ingress
	box tc qdisc add dev "$1" clsact
	box tc filter add dev "$1" ingress prio 1 handle 1 bpf direct-action object-pinned "$PINNED"
	rm "$PINNED"
}

lab_up
skepd_start
who_has "$A"
pid=$(lease "$A" pid)
port=$(port_of "$pid")
check_eq "a port has an ingress qdisc" 'ingress noqueue' "$(qdiscs "$port")"
check "a page comes" page
make_older "$port"
former=$(program_at "$port")
check_eq "now it has clsact" 'clsact noqueue' "$(qdiscs "$port")"
check "and the page still comes" page
check_match "by a program" '^[0-9]+$' "$former"

skepd_kill
skepd_start
check_eq "the next skepd has the container" "$pid" "$(lease "$A" pid)"
check_eq "at the same qdisc" 'clsact noqueue' "$(qdiscs "$port")"
check_match "with one program" '^[0-9]+$' "$(program_at "$port")"
check "which is its own" test "$(program_at "$port")" != "$former"
check "the page comes" page
check "the lease can be released" ctl release "$A"
check "and the container goes" wait_until 10 is_gone "$pid"
who_has "$A"
check_eq "who comes then has a port as it should be" 'ingress noqueue' "$(qdiscs "$(port_of "$(lease "$A" pid)")")"
check "with a page" page

done_testing
