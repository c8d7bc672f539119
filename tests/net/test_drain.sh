#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A drained farm: dark addresses stay dark, by ARP and by IP, and whoever asks for one is left to the box;
# leases go on until they run out; it binds again when it is told to.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

WARM=3 MAX=8 IDLE_TIMEOUT=3

state() { ctl --json status | jq -r .state; }
no_leases() { [[ -z $(leased) ]]; }

lab_up
skepd_start
who_has 10.66.4.9
dark_mac=$(lease 10.66.4.9 mac)
ctl release 10.66.4.9 >/dev/null
who_has 10.66.4.2
who_has 10.66.4.3
pid=$(lease 10.66.4.3 pid)
spawn client ping -q -i 0.2 10.66.4.3 >"$tmp/pings" 2>&1
pings=$spawned

check_eq "drain says what it does" draining "$(ctl drain)"
check_eq "status says so" draining "$(state)"
check "it is logged" wait_until 5 logged draining
asked=$(contacts arp)
check_status "a who-has for a dark address is not answered" 1 who_has 10.66.4.9
send_lan "$(ethernet "$dark_mac" 02:00:00:00:00:01 0800 "$(echo_request 10.66.3.1 10.66.4.9)")"
check "nor is IP: both are left to the box" wait_until 5 counted pass_drain 2
check_eq "neither asks for a bind" "$asked 0" "$(contacts arp) $(contacts ip)"
check_eq "and nothing was bound" 3 "$(counter bound)"
check "status tells how many were refused" test "$(ctl --json status | jq .refused.pass_drain)" -ge 2
check "an address that is bound answers" who_has 10.66.4.2
check "also over IP" client ping -q -c 1 -W 5 10.66.4.2

check "leases run out: the one without frames" wait_until 20 is_dark 10.66.4.2
check_eq "the other one is used, and stays" "$pid" "$(lease 10.66.4.3 pid)"
check_status "the one that ran out is dark" 1 who_has 10.66.4.2
check "what became of its container is recycled, and the pool warm" wait_until 10 pool_has idle "$WARM"
check_eq "drained twice is drained" draining "$(ctl drain)"
check "a reload" ctl reload
check_eq "does not end it" draining "$(state)"
check_status "a dark address stays dark" 1 who_has 10.66.4.9
kill -INT "$pings"
wait "$pings" || true
check_match "the one in use has answered all the time" ' 0% packet loss' "$(cat "$tmp/pings")"
check "then the last lease runs out, too" wait_until 20 no_leases

check_eq "drain off says what it does" resumed "$(ctl drain off)"
check_eq "status says so" running "$(state)"
check "a dark address is answered" who_has 10.66.4.9
check_eq "with --json the result is JSON" '{"result":"draining"} {"result":"resumed"}' \
	"$(ctl --json drain) $(ctl --json drain off)"
check_status "anything else is wrong usage" 2 ctl drain slowly
check "an address is answered" who_has 10.66.4.10

done_testing
