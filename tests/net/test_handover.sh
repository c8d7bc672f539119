#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Handover: the skepd that is installed by now goes on as the same process, with the configuration as it
# is now, and nobody outside notices: leases, connections and pings go on, and who asks for a dark address
# just then is answered a moment later. Maps of another version are left alone, and said to be; --clear
# ends such a farm, or any that nobody runs.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"
. "$(dirname "$0")/chat.sh"

WARM=3 MAX=24

identities() {
	dump_map leases | jq -c 'sort_by(.key.ip.addr)[] |
		[.key, (.value | del(.last_in_ns, .packets_in, .last_out_ns, .packets_out))]'
}
inits() { ctl --json containers | jq -c '[.containers[] | [.container, .pid, .state]] | sort'; }
descriptors() { find "/proc/$skepd_pid/fd" -type l | wc -l; }
helpers() { pgrep -c --parent "$skepd_pid"; }
has_helpers() { (($(helpers) == $1)); }
mapped_kib() { awk '$1 == "VmRSS:" {print $2}' "/proc/$skepd_pid/status"; }

# Each start of skepd is told apart by its log.
handed_over() { logged "taken over from an earlier skepd" && skepd_running; }
hand_over() {
	: >"$log"
	log_shown=0
	ctl handover >"$tmp/output" 2>&1 || return
	ctl status >"$tmp/status" 2>&1 && socket_is=$(stat -c '%i %z' "$socket")
	wait_until 20 handed_over
}

# install_next: another binary in the place of the one that runs
install_next() {
	cp "$BUILD/skepd" "$tmp/next"
	echo "# $((++builds))" >>"$tmp/next"
	mv "$tmp/next" "$tmp/skepd"
}
builds=0
runs_installed() { [[ /proc/$skepd_pid/exe -ef $tmp/skepd ]]; }

lab_up
install_next
SKEPD=$tmp/skepd
skepd_start
pid=$skepd_pid
for i in 2 3; do
	who_has "10.66.4.$i"
done
check_farm "before"
spawn client ping -q -i 0.01 -W 5 10.66.4.2 >"$tmp/pings" 2>&1
pings=$spawned
chat 10.66.4.3
check "a connection is there" wait_until 5 has_grown 10

# The same binary, and another one; the configuration is read again.
socket_was=$(stat -c '%i %z' "$socket") socket_is=none
leases=$(identities) inits=$(inits) fds=$(descriptors) helpers=$(helpers) bound=$(counter bound)
check "a handover" hand_over
check_eq "its result is told" 'handing over' "$(tail -n 1 "$tmp/output")"
check_status "and when it is, the next skepd answers, at a socket of its own" 1 test "$socket_is" == "$socket_was"
check_eq "the process is the same" "$pid" "$(pgrep --full --oldest -- "skepd -c $conf")"
check_eq "the leases are the same, with their ids and times" "$leases" "$(identities)"
check_eq "the containers are the same" "$inits" "$(inits)"
check_eq "it has as many descriptors as before" "$fds" "$(descriptors)"
check "and as many helpers" wait_until 5 has_helpers "$helpers"
check_farm "after a handover"

install_next
check_status "there is a newer skepd by now" 1 runs_installed
WARM=5 write_conf >"$conf"
check "a handover to it" hand_over
check "the newer one runs" runs_installed
check "as the same process" kill -0 "$pid"
check "with the configuration as it is by now" wait_until 10 pool_has idle 5
check_eq "the leases are the same" "$leases" "$(identities)"
WARM=5 check_farm "after the second"

# Who asks in the gap.
requesters=()
for ((i = 1; i <= 12; i++)); do
	spawn router sh -c "sleep 0.0$((i * 7)); exec arping -q -c 4 -C 1 -w 5 -I $LAB_LAN 10.66.5.$i" 2>/dev/null
	requesters+=("$spawned")
done
check "a handover while twelve ask for dark addresses" hand_over
answered=0
for requester in "${requesters[@]}"; do
	! wait "$requester" || ((++answered))
done
check_eq "all are answered" 12 "$answered"
check_eq "each by one bind" $((bound + 12)) "$(comes_to bound $((bound + 12)))"
check_farm "after the third"

# Again and again, with containers being started and removed.
fds=$(descriptors)
kib=$(mapped_kib)
for ((i = 1; i <= 10; i++)); do
	ctl release "10.66.5.$i" >"$tmp/output"
	hand_over || fail "handover $i of many" "$(cat "$tmp/output")"
	who_has "10.66.6.$i" || diag "10.66.6.$i: no answer"
done
check_farm "after ten in a row"
check_eq "as many descriptors, but for the containers'" 0 \
	$(($(descriptors) - fds - 2 * ($(pool idle) + $(pool bound) - 5 - 14)))
check "memory does not grow by it: $kib KiB, $(mapped_kib) KiB" test "$(mapped_kib)" -lt $((kib * 3 / 2))
check "and as many helpers" wait_until 5 has_helpers "$helpers"
check_eq "the process is still the same" "$pid" "$skepd_pid"
check "and alive" skepd_alive

: >"$tmp/enough"
check "the connection has outlived them all" wait "$chat"
kill -INT "$pings"
wait "$pings" || true
check_match "and not one ping was lost" ' 0% packet loss' "$(cat "$tmp/pings")"

# What cannot go on is refused, and skepd goes on as it is.
leases=$(identities)
cp "$conf" "$tmp/good"
echo 'nonsense = 1' >>"$conf"
check_status "a handover with a wrong file is refused" 1 ctl handover
check_match "with the reason" "$conf:[0-9]+: " "$(cat "$tmp/output")"
cp "$tmp/good" "$conf"
check "skepd goes on" skepd_running
check_eq "with its leases" "$leases" "$(identities)"

# What can be run no more ends, and leaves the farm for the next start.
printf '#!/nonsense\n' >"$tmp/next"
chmod +x "$tmp/next"
mv "$tmp/next" "$tmp/skepd"
status=0
ctl handover >"$tmp/output" 2>&1 || status=$?
if ((status != 1)); then
	check_eq "a skepd that cannot be run: skepctl says that none answers" 3 "$status"
	check "a skepd that cannot be run: it ends" wait_until 20 skepd_gone
	check_status "with status 1" 1 skepd_reap
	check "and says what to do" logged 'error: cannot run .*; the farm goes on by itself, start skepd again'
	check "the bound addresses answer" who_has 10.66.4.2
	install_next
	skepd_start
else
	diag "refused: $(cat "$tmp/output")"
	check "a skepd that cannot be run is refused, and this one goes on" skepd_running
	install_next
fi
check_eq "the leases are the same" "$leases" "$(identities)"
check_farm "after that"

# --- maps of another version ---

# patch VERSION: of whoever made the maps
patch() {
	local value
	value=$(bpftool -j map lookup pinned "$bpf_dir/settings" key 0 0 0 0 | jq -r '.value | .[4:] | join(" ")')
	# shellcheck disable=SC2086 # a byte each
	bpftool map update pinned "$bpf_dir/settings" key 0 0 0 0 value $((16#0$1)) 0 0 0 $value
}
clear() { timeout 30 "$LAB" exec box "$SKEPD" --clear -c "$conf"; }

check_status "--clear beside a skepd that runs is refused" 1 clear
check_match "with the reason" "error: another skepd uses $state_dir" "$(cat "$tmp/output")"
check_eq "and nothing has happened" "$leases" "$(identities)"
skepd_kill
version=$(bpftool -j map lookup pinned "$bpf_dir/settings" key 0 0 0 0 | jq -r '.value[0]')
patch 9
: >"$log"
log_shown=0
status=0
skepd_start >"$tmp/output" 2>&1 || status=$?
check_eq "maps of another version: skepd ends with status 1" 1 "$status"
check "and says so, and what to do" \
	logged "error: the maps in $bpf_dir are of another skepd's version \(9, this one has [0-9]+\) and go on working; run that skepd, or end the farm with 'skepd --clear -c $conf'"
check_eq "in one line" 1 "$(grep -c 'error: ' "$log")"
check "the bound addresses go on answering" who_has 10.66.4.2
check "pages come from them" client curl -sSf -m 5 -o "$tmp/page" http://10.66.4.3/
check_eq "the leases are the same" "$leases" "$(identities)"
check "a skepd of that version would find them: so does this one, when they are its own" patch "${version#0x}"
skepd_start
check_eq "all of them" "$leases" "$(identities)"
check_farm "after the refusal"

# Maps that are laid out otherwise are cleared as well.
skepd_kill
patch 9
rm "$bpf_dir/leases" "$bpf_dir/uplinks"
bpftool map create "$bpf_dir/leases" type hash key 64 value 512 entries 16 name leases
bpftool map create "$bpf_dir/uplinks" type array key 4 value 256 entries 16 name uplinks
# shellcheck disable=SC2046 # a byte each
bpftool map update pinned "$bpf_dir/leases" key $(printf '1 %.0s' {1..64}) value $(printf '2 %.0s' {1..512})
check "--clear ends the farm" clear
check_match "and says what it removed" 'skepd: removed: [0-9]+ leases, [0-9]+ containers' "$(cat "$tmp/output")"
check_eq "nothing is left" '' "$(leftovers)"
check_status "the addresses are dark" 1 who_has 10.66.4.2
check "--clear where there is nothing does nothing" clear
check_eq "and leaves nothing" '' "$(leftovers)"

skepd_start
who_has 10.66.4.2
check_farm "a new start"
skepd_kill
check "--clear of what a killed skepd left" clear
check_match "one lease, its container and the idle ones" 'removed: 1 leases, [0-9]+ containers' "$(cat "$tmp/output")"
check_eq "nothing is left" '' "$(leftovers)"

done_testing
