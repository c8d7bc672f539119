#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The brake: however many containers send whatever their rules allow, the farm sends no more packets,
# and no more bits, than egress_max says; whoever watches is told; and when they stop, others get out
# again.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/outbound.sh"

WARM=3 MAX=8
readonly SECONDS_LONG=3

received() { client ip -j -s link show eth0 | jq ".[0].stats64.rx.$1"; }

# flood TEXT RATE BURST packets|bytes: two containers send as fast as they can; no more than that comes in
# a second
flood() {
	local before after pids=() end took a
	before=$(received "$4")
	end=${EPOCHREALTIME/./}
	for a in 2 3; do
		timeout "$SECONDS_LONG" nsenter --target "$(lease "10.66.4.$a" pid)" --net -- \
			"$REPLY" flood "$LAB_CLIENT" 9999 100000000 &
		pids+=($!)
	done
	wait "${pids[@]}" || true
	after=$(received "$4")
	took=$((${EPOCHREALTIME/./} - end))
	# A burst of what may come at once is on top.
	check "$1: no more than $2 $4 a second" test $((after - before)) -le $(($2 * took / 1000000 + $3))
	check "$1: and about that many" test $((after - before)) -ge $(($2 * took / 2000000))
}

lab_up
skepd_start 'policy "open" { verdict = "allow" }' 'range: policy = "open"' 'pool: egress_max_packets = 500'
watch_events
for a in 2 3; do
	check "container $a" who_has "10.66.4.$a"
	check "is let out" in_net "$(lease "10.66.4.$a" pid)" ping -q -c 1 -W 5 "$LAB_CLIENT"
done
pid=$(lease 10.66.4.2 pid)
check_eq "nothing was braked" 0 "$(counter port_drop_brake)"
flood "packets" 500 100 packets
check "the rest is counted" counted port_drop_brake 1000
check "the alarm is told" wait_until 5 event '.event == "brake" and .count >= 1'
check "once a second, not for each packet" test \
	"$(jq -s 'map(select(.event == "brake")) | length' "$tmp/events")" -le $((2 * SECONDS_LONG + 2))
check "and logged" logged 'the farm sends more than .*egress_max'
check "when the flood is over, others get out" wait_until 5 in_net "$pid" ping -q -c 1 -W 1 "$LAB_CLIENT"
check "who comes from outside is answered as before" client ping -q -c 3 -i 0.1 -W 5 10.66.4.2

# Also for answers: the brake asks for no reason.
before=$(counter port_drop_brake)
client ping -q -f -c 5000 -w 3 10.66.4.2 >"$tmp/output" 2>&1 || true
check "answers are braked, too" test "$(counter port_drop_brake)" -gt "$before"
check "skepd stops" skepd_stop

skepd_start 'policy "open" { verdict = "allow" }' 'range: policy = "open"' 'pool: egress_max_bits = 800K'
for a in 2 3; do
	check "container $a" who_has "10.66.4.$a"
	check "is let out" in_net "$(lease "10.66.4.$a" pid)" ping -q -c 1 -W 5 "$LAB_CLIENT"
done
flood "bits" 100000 140000 bytes

done_testing
