#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Panic: from one frame to the next nothing is answered and nothing gets out, while a ping and a
# download run; also when the allocator hangs, and when skepd is dead. Containers and leases stay,
# whatever time passes, and over kill -9, handover, SIGTERM and start. Resume goes on as if nothing had
# been.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/segment.sh"

IDLE_TIMEOUT=2
page() { client curl -sf -m 3 -o /dev/null "http://$1/"; }
state_is() { [[ $(ctl --json status | jq -r .state) == "$1" ]]; }
bound() { ctl --json containers | jq -c '[.containers[] | select(.state == "bound") | [.container, .pid]] | sort'; }
received() { grep -c 'bytes from' "$tmp/pings"; }
has_received_more() { (($(received) > $1 + 5)); }

# Time stamps of what came from the farm.
from_farm() { awk '{print $1}' "$tmp/out"; }
# quiet_since MOMENT: how many frames came from the farm after it
quiet_since() { from_farm | awk -v since="$1" '$1 > since' | wc -l; }

# silence TEXT: the farm says nothing, whoever talks to it
silence() {
	local since=$EPOCHREALTIME frames
	check_status "$1: no page" 28 page 10.66.4.2
	check_status "$1: no answer to a who-has for a lease" 1 who_has 10.66.4.2
	check_status "$1: nor for a dark address" 1 who_has 10.66.4.9
	frames=$(quiet_since "$since")
	check_eq "$1: not one frame got out" 0 "$frames"
}

lab_up
skepd_start "pool: evict_after = 0"
"$LAB" exec router tcpdump -n -e -tt --immediate-mode -l -i "$LAB_LAN" -Q in \
	"not ether src $(mac_in "$LAB_BOX_NS" "$LAB_UPLINK")" >"$tmp/out" 2>"$tmp/out.err" &
wait_until 10 grep -q listening "$tmp/out.err"
ctl watch --json >"$tmp/events" &
page 10.66.4.2
check "a page comes before" page 10.66.4.3
spawn client ping -n -i 0.02 10.66.4.2 >"$tmp/pings" 2>&1
check "a ping goes on" wait_until 5 has_received_more 0
# A download that goes on until somebody ends it: the page, asked for again and again.
spawn client bash -c 'while curl -sf -m 1 -o /dev/null http://10.66.4.3/; do :; done'
sleep 0.5
leases=$(leased) bound=$(bound)
check "frames come from the farm" test "$(quiet_since 0)" -gt 20

check "panic" ctl panic
since=$EPOCHREALTIME
sleep 1
check_eq "in the middle of it all: not one frame more" 0 "$(quiet_since "$since")"
silence "then"
check "the state says so" state_is panic
check_match "status is loud" '\*\*\* PANIC' "$(ctl status)"
check_match "so is top" '\*\*\* PANIC' "$(ctl top </dev/null)"
check "the log says so" logged PANIC
check_eq "watchers are told" '"panic"' "$(jq -c 'select(.event == "panic").event' "$tmp/events")"
check_eq "time passes, and the leases are kept" "$leases" "$(leased)"
check_eq "so are the containers" "$bound" "$(bound)"
check_status "nothing is released by hand" 1 ctl release 10.66.4.2
check_match "which says why" "resume" "$(cat "$tmp/output")"
check_status "nor reloaded" 1 ctl reload
check "frames for leases are counted" counted drop_panic 1
check "what containers say, too" counted port_drop_panic 1

received=$(received)
check "resume" ctl resume
check "the same ping goes on" wait_until 5 has_received_more "$received"
check "pages come" page 10.66.4.3
check "from the same container" test "$bound" = "$(bound)"
check "new ones, too" page 10.66.4.4
check "it runs" state_is running
check_eq "watchers are told" '"resume"' "$(jq -c 'select(.event == "resume").event' "$tmp/events")"

# The allocator hangs.
kill -STOP "$skepd_pid"
check "panic while the allocator hangs" ctl panic
silence "while it hangs"
check "the state says so" state_is panic
kill -CONT "$skepd_pid"

# It outlives skepd.
leases=$(leased) bound=$(bound)
skepd_kill
silence "without skepd"
check "resume without skepd" ctl -c "$conf" resume
check "the farm answers" page 10.66.4.2
check "panic without skepd" ctl -c "$conf" panic
silence "in panic without skepd"
skepd_launch "pool: evict_after = 0"
check "a start does not end it" wait_until 20 state_is panic
silence "after a start"
check "a handover" ctl handover
check "does not end it" wait_until 20 state_is panic
sleep 1
silence "after a handover"
check "SIGTERM ends skepd" skepd_stop
check "and leaves the farm, which it says" logged 'stopping in panic'
silence "after SIGTERM"
skepd_launch "pool: evict_after = 0"
check "a start finds it" wait_until 20 state_is panic
check_eq "the leases are those" "$leases" "$(leased)"
check_eq "the containers, too" "$bound" "$(bound)"
check "resume" ctl resume
check "goes on with them" page 10.66.4.2
check "it runs" wait_until 10 state_is running
check "and leases end again" wait_until 30 is_dark 10.66.4.4

# A farm that is not there yet.
check "skepd stops" skepd_stop
check "panic without a farm" ctl -c "$conf" panic
skepd_launch "pool: evict_after = 0"
check "holds for the next one" wait_until 20 state_is panic
check_status "which answers nothing" 1 who_has 10.66.4.9
check "resume" ctl resume
check "it runs" wait_until 30 state_is running
check "and answers" wait_until 10 who_has 10.66.4.9
done_testing
