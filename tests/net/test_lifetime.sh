#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# max_lifetime ends a lease whatever goes on in it. idle_timeout does not end one that has a live TCP
# connection, though nothing is said on it; it does when the connection has ended.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=3 MAX=6

# connect ADDRESS: a client that says nothing; $spawned is it
connect() { spawn client bash -c "exec 3<>/dev/tcp/$1/80 && exec sleep 600"; }
connected() { [[ -n $(in_net "$(lease "$1" pid)" ss -Hnt state established) ]]; }
# released ADDRESS KEY: of the event of its first release
released() {
	jq -r --arg address "$1" --arg key "$2" 'select(.event == "release" and .address == $address)[$key]' \
		"$tmp/events" | head -n 1
}
seconds() { date -d "$1" +%s.%N; }
# lasted ADDRESS: whole seconds from bind to release
lasted() {
	local end begin
	end=$(seconds "$(released "$1" at)") begin=$(seconds "$(released "$1" bound_at)")
	awk -v end="$end" -v begin="$begin" 'BEGIN { print int(end - begin) }'
}
has_ended() { [[ -n $(released "$1" reason) ]]; }

lab_up
IDLE_TIMEOUT=0
skepd_start 'range: max_lifetime = 4'
ctl --json watch >"$tmp/events" 2>"$tmp/watch.err" &
check "an address is bound" who_has 10.66.4.2
check "another one" who_has 10.66.4.3
busy=$(lease 10.66.4.2 pid)
spawn client ping -q -i 0.1 10.66.4.2 >"$tmp/pings"
pings=$spawned
connect 10.66.4.3
check "with a connection" wait_until 10 connected 10.66.4.3
check "a lease ends after max_lifetime, though frames go all the time" wait_until 20 has_ended 10.66.4.2
check "so does one with a connection" wait_until 20 has_ended 10.66.4.3
check_eq "that is the reason" 'lifetime lifetime' "$(released 10.66.4.2 reason) $(released 10.66.4.3 reason)"
check "neither did before that" test "$(lasted 10.66.4.2)" -ge 4 -a "$(lasted 10.66.4.3)" -ge 4
check "it is counted" counted released_lifetime 2
check "the busy one is bound anew by its next frame" wait_until 10 lease 10.66.4.2 pid
check_eq "in another container" other "$([[ $(lease 10.66.4.2 pid) == "$busy" ]] && echo same || echo other)"
check_eq "nothing ended for being idle" 0 "$(counter released_idle)"
kill "$pings"
check "skepd stops" skepd_stop

# A connection on which nothing is said
IDLE_TIMEOUT=2
skepd_start
: >"$tmp/events"
ctl --json watch >"$tmp/events" 2>"$tmp/watch.err" &
check "an address is bound" who_has 10.66.4.2
connect 10.66.4.2
client=$spawned
check "and has a connection" wait_until 10 connected 10.66.4.2
held=$(lease 10.66.4.2 pid)
check "another has none" who_has 10.66.4.3
check "it is released after idle_timeout" wait_until 10 has_ended 10.66.4.3
check_eq "for that reason" idle "$(released 10.66.4.3 reason)"
check "the one with the connection is looked at, and kept" wait_until 10 counted kept_connection 1
check "again and again" wait_until 10 counted kept_connection 3
check_eq "it is the same lease" "$held" "$(lease 10.66.4.2 pid)"
check "the connection lives" connected 10.66.4.2
kill "$client"
check "when it has ended, so does the lease" wait_until 10 has_ended 10.66.4.2
check_eq "for being idle" idle "$(released 10.66.4.2 reason)"
check_eq "two ended so" 2 "$(counter released_idle)"

done_testing
