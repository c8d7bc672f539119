#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kill -9 of skepd: bound addresses go on answering without it, since their frames never needed it. Dark
# ones stay dark where skepd binds; else they are answered as long as containers are idle. Whoever starts next, and however often it is killed while it does, finds the farm
# again. What exactly the next one takes over is test_adopt.sh's.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/invariants.sh"

WARM=3 MAX=8

no_helpers() { [[ -z $(pgrep --full -- "skepd -c $conf") ]]; }
keepers_there() { [[ -n $(keepers) ]]; }
is_promiscuous() { box ip -j link show "$LAB_UPLINK" | jq -e '.[0].flags | index("PROMISC")'; }

lab_up
skepd_start
for i in 2 3; do
	who_has "10.66.4.$i"
done
secret=$(sha256sum <"$state_dir/secret")
check_farm "before"

# Pings all the time: before, while and after it is killed.
spawn client ping -q -c 40 -i 0.05 -W 5 10.66.4.2 >"$tmp/pings" 2>&1
pings=$spawned
check "pings are under way" wait_until 5 counted leased_ip 3
skepd_kill
check "skepd is dead" skepd_gone
nobody_answers() { local status=0; ctl status >"$tmp/output" 2>&1 || status=$?; ((status == 3)); }
wait_until 5 nobody_answers || true # its helpers notice a moment later
check_status "and nobody answers skepctl: exit status 3" 3 ctl status
check_match "which says so" '^skepctl: no skepd at ' "$(cat "$tmp/output")"
check "the pings come to their end" wait "$pings"
check_match "none is lost" ' 0% packet loss' "$(cat "$tmp/pings")"
check "a page comes from a bound address" client curl -sSf -m 5 -o "$tmp/page" http://10.66.4.3/
check "so does is-at" who_has 10.66.4.3
if [[ $BIND == daemon ]]; then
	check_status "a dark address stays dark" 1 is_answered 10.66.4.4
else
	for ((i = 4; i < 4 + WARM; i++)); do
		check "a dark address is answered, by an idle container ($i)" is_answered "10.66.4.$i"
	done
	check_status "when there is none, it stays dark" 1 is_answered "10.66.4.$((4 + WARM))"
	leases=$(bpftool map dump pinned "$bpf_dir/leases" | grep -c '"state": 1')
	check_eq "they wait for skepd, and no other" "$WARM" "$leases"
fi
check "the maps are where they were" bpftool map dump pinned "$bpf_dir/leases"
check "its helpers end by themselves" wait_until 10 no_helpers

# In the middle of its start, again and again, right after each of these is there.
for made in "$socket" "$run_dir/keeper0.log" keepers_there 'taken over' 'watching'; do
	: >"$log"
	log_shown=0
	rm -f "$run_dir/keeper0.log" "$socket"
	skepd_launch
	case $made in
	/*) wait_until 10 test -e "$made" ;;
	keepers_there) wait_until 10 keepers_there ;;
	*) wait_until 10 logged "$made" ;;
	esac || diag "there is no $made"
	skepd_kill
	check "killed in its start (${made##*/}): the bound addresses answer" who_has 10.66.4.3
done

skepd_start
check_farm "after all this"
[[ $BIND == daemon ]] || check "what was bound meanwhile is settled" is_settled 10.66.4.4
check "both leases are there" test -n "$(lease 10.66.4.2 pid)" -a -n "$(lease 10.66.4.3 pid)"
check_eq "the secret is that of before" "$secret" "$(sha256sum <"$state_dir/secret")"
check "the uplink is promiscuous" is_promiscuous
check "dark addresses are bound" who_has 10.66.4.9
check "the last one stops" skepd_stop
check_status "the uplink is not promiscuous any more" 1 is_promiscuous
check_eq "and nothing of any of them is left" '' "$(leftovers)"

# Killed while it stops: the next one clears the rest away.
for ((i = 1; i <= 4; i++)); do
	skepd_start
	who_has 10.66.4.2
	kill -TERM "$skepd_pid"
	sleep "0.0$((i * i))"
	skepd_kill
	skepd_start
	check_farm "killed in its stop ($i)"
	check "and stops ($i)" skepd_stop
	check_eq "and nothing is left ($i)" '' "$(leftovers)"
done

done_testing
