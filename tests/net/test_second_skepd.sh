#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A second skepd on the same uplink, or with the same directories, is refused with a reason and takes
# nothing from the first; so is one on an uplink with somebody else's XDP program.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=4

first_is_undisturbed() {
	check_eq "$1: the first still has its lease" "$pid" "$(lease 10.66.4.2 pid)"
	check "$1: which still answers" client ping -q -c 1 -W 5 10.66.4.2
	check "$1: and its containers" pool_has idle "$WARM"
	check "$1: and binds" who_has "$2"
	ctl release "$2" >"$tmp/output"
	check "$1: and refills" wait_until 10 pool_has idle "$WARM"
}

lab_up
skepd_start
who_has 10.66.4.2
pid=$(lease 10.66.4.2 pid)
wait_until 10 pool_has idle "$WARM"

# With directories of its own, so that only the uplink is in the way.
mkdir -m 0711 "$tmp/second"
sed "s|\"$state_dir\"|\"$tmp/second/state\"|; s|\"$run_dir\"|\"$tmp/second/run\"|; s|\"$bpf_dir\"|\"$bpf_dir-second\"|" \
	"$conf" >"$tmp/second.conf"
check_status "a second skepd on the same uplink ends with status 1" 1 \
	timeout 30 "$LAB" exec box "$SKEPD" -c "$tmp/second.conf"
check_match "and says why" "error: $LAB_UPLINK already has an XDP program .*another skepd watches this NIC" \
	"$(cat "$tmp/output")"
check_eq "once" 1 "$(grep -c 'error: ' "$tmp/output")"
check_eq "it leaves nothing but its secret" "$tmp/second/state/secret" \
	"$(find "$tmp/second" -type f; find "$bpf_dir-second" 2>/dev/null; findmnt -rno TARGET | grep -F "$tmp/second" || true)"
check "it has not taken the first one's program away" \
	test "$(box ip -d -j link show "$LAB_UPLINK" | jq -r '.[0].xdp.prog.name')" = uplink
first_is_undisturbed "another skepd on the uplink" 10.66.4.3

# The very same configuration; it waits a while for the first to go.
check_status "a second skepd with the same directories ends with status 1" 1 \
	timeout 30 "$LAB" exec box "$SKEPD" -c "$conf"
check_match "and says why" "error: another skepd uses $state_dir; stop it, or give this one" "$(cat "$tmp/output")"
check_match "it has said what it waits for" 'waiting up to [0-9]+ s for the other skepd to go' "$(cat "$tmp/output")"
first_is_undisturbed "another skepd with the same directories" 10.66.4.4

# A restart in a hurry: the next one is started while the first has still to stop. Once with the same
# configuration, once with but one directory in common.
has_decided() { ! kill -0 "$second" || skepd_running; }
for config in "$conf" "$tmp/shared.conf"; do
	skepd_alive || skepd_start
	sed "s|\"$state_dir\"|\"$tmp/second/state\"|; s|\"$bpf_dir\"|\"$bpf_dir-second\"|" "$conf" >"$tmp/shared.conf"
	spawn box "$SKEPD" -c "$config" >"$tmp/second.log" 2>&1
	second=$spawned
	check "the next skepd (${config##*/}) waits for the first" \
		wait_until 5 grep -q "is in use; waiting" "$tmp/second.log"
	check "until that has stopped" skepd_stop
	wait_until 20 has_decided
	check "then it starts" skepd_running
	check_eq "without errors" '' "$(grep error: "$tmp/second.log" || true)"
	check "and works" who_has 10.66.4.5
	kill -TERM "$second" 2>/dev/null || true
	check "and stops" wait "$second"
done

# Somebody else's program: skepd does not take it away.
cat >"$tmp/pass.c" <<-EOT
	__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }
	__attribute__((section("license"), used)) char LICENSE[] = "GPL";
EOT
if clang -O2 -target bpf -c "$tmp/pass.c" -o "$tmp/pass.o" 2>"$tmp/output" &&
	box ip link set "$LAB_UPLINK" xdp obj "$tmp/pass.o" sec xdp 2>"$tmp/output"; then
	status=0
	skepd_start >"$tmp/output" 2>&1 || status=$?
	check_eq "an uplink with somebody else's XDP program: skepd ends with status 1" 1 "$status"
	check "and says whose" logged "error: $LAB_UPLINK already has an XDP program \('pass', id [0-9]+\); detach it first"
	check "the program is still there" \
		test "$(box ip -d -j link show "$LAB_UPLINK" | jq -r '.[0].xdp.prog.name')" = pass
	check_eq "nothing else is" '' "$(leftovers | grep -v 'xdp program' || true)"
	box ip link set "$LAB_UPLINK" xdp off
else
	fail "a program of somebody else's can be attached" "$(cat "$tmp/output")"
fi

done_testing
