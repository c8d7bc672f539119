#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A dry run watches, learns and probes, but answers nothing and starts no container: it tells what it
# would have claimed, for whom and how often, and every conflict with a host; and sums up when it stops.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/segment.sh"

LAB_RANGE=10.66.9.0/24 EXCLUDE=10.66.9.240/28
dry_run() {
	write_conf >"$conf"
	"$LAB" exec box "$SKEPD" --dry-run -c "$conf" >>"$log" 2>&1 &
	skepd_pid=$!
	wait_until 20 skepd_running
}

# would ADDRESS REQUESTER KEY: REQUESTER "" is the sum of all
would() {
	ctl --json would | jq -r --arg a "$1" --arg r "$2" --arg k "$3" \
		'.would[] | select(.address == $a and (.requester // "") == $r)[$k]'
}
would_have() { [[ -n $(would "$1" "$2" times) ]]; }
sweeper() { pgrep --parent "$skepd_pid" --exact skepd-sweeper; }
sweeper_is_new() { [[ -n $(sweeper) && $(sweeper) != "$1" ]]; }
asks() { on_host "$1" arping -q -c "$3" -i eth0 "$2" || true; }

lab_up
segment_up
host_up one 10.66.9.1
host_up two 10.66.9.2
dry_run
check_eq "it says what it is" true "$(ctl --json status | jq .dry_run)"
check_match "to people, too" 'DRY RUN' "$(ctl status)"
check_match "and in top" 'DRY RUN' "$(ctl top </dev/null)"

asks one 10.66.9.50 3
asks two 10.66.9.50 2
asks one 10.66.9.51 1
check "what would have been claimed is told" would_have 10.66.9.51 ""
check_eq "how often" 5 "$(would 10.66.9.50 "" times)"
check_eq "for whom" "3 2" "$(would 10.66.9.50 10.66.9.1 times) $(would 10.66.9.50 10.66.9.2 times)"
check_match "to people, too" '10\.66\.9\.50 .* 10\.66\.9\.2 +2 ' "$(ctl would)"
check_status "nothing is answered" 1 who_has 10.66.9.52
check_eq "nothing is bound" "" "$(leased)"
check_eq "no container was started" 0 "$(counter container_started)"
check_eq "none is there" "" "$(ports)"
check_status "nor can the pool be given any" 1 ctl pool resize 2 4

# A host on what would have been claimed.
ip -n "$LAB_PREFIX-two" address add 10.66.9.50/16 dev eth0
on_host two arping -q -U -c 1 -i eth0 -S 10.66.9.50 10.66.9.50 || true
conflicts() { (($(would 10.66.9.50 "" conflicts) >= 1)); }
check "a conflict is told" wait_until 5 conflicts
check_match "hosts are learned" '10\.66\.9\.50 ' "$(ctl hosts)"
asks one 10.66.9.50 2
check_eq "what is a host's would not be claimed" 5 "$(would 10.66.9.50 "" times)"

check "a reload" ctl reload
check_eq "starts no container either" 0 "$(pool warm)"
sweeper=$(sweeper)
check "a handover" ctl handover
check "another sweeper goes on" wait_until 20 sweeper_is_new "$sweeper"
check "skepd runs" wait_until 20 skepd_running
check_eq "and it is a dry run still" true "$(ctl --json status | jq .dry_run)"
check_eq "that knows what it has seen" 5 "$(would 10.66.9.50 "" times)"

check "it stops" skepd_stop
check "with a summary" logged 'dry run: would have claimed 3 addresses for 3 requesters, who asked 7 times; 1 conflicts'
check "that names the conflict" logged 'dry run: 10\.66\.9\.50 on eth0 would have been claimed, and a host has it'

# Beside a farm it would silence that.
skepd_start
who_has 10.66.9.60
skepd_kill
maps() {
	for map in settings uplinks ranges farm policies templates leases containers; do
		bpftool map dump pinned "$bpf_dir/$map" | grep -Ev 'last_seen|packets|bytes' || true
	done
}
maps >"$tmp/before"
LAB_RANGE=10.66.11.0/24 EXCLUDE=10.66.11.7/32 write_conf 'pool: host_memory = 77' \
	'policy "open" { verdict = "allow" }' >"$conf.other"
check_status "a dry run does not begin where a farm is" 1 "$LAB" exec box "$SKEPD" --dry-run -c "$conf.other"
maps >"$tmp/after"
check "there is something that it could change" grep -q 'host_memory_ns' "$tmp/before"
check "it changes nothing of the farm's maps" diff "$tmp/before" "$tmp/after"
check "and leaves it alone" who_has 10.66.9.60
skepd_start
check_eq "the farm goes on" false "$(ctl --json status | jq .dry_run)"
check "and answers" who_has 10.66.9.61
done_testing
