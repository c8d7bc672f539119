#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A template that was whole when skepd looked, and whose containers do not start, or end at once: the
# error names it, it is tried again at ever longer intervals, and after five failures in a row it is
# switched off, loudly. The other template's range goes on all the time, and a reload switches it on again.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=12
readonly BROKEN_RANGE=10.67.0.0/16 BROKEN=10.67.4.2
root=$tmp/broken

# make_root INIT: just enough of a system to begin with; INIT is a script
make_root() {
	local name
	mkdir -p "$root"/{bin,sbin,usr/bin,proc,sys,dev,root,tmp,etc}
	cp "$SKEP_TEMPLATE/bin/busybox" "$root/bin/busybox"
	for name in bin/sh bin/true bin/sleep bin/mkdir usr/bin/env; do
		ln -sf "$([[ $name == usr/* ]] && echo ../../bin || echo ../bin)/busybox" "$root/$name"
	done
	printf '#!/bin/sh\n%s\n' "$1" >"$root/sbin/init"
	chmod 0755 "$root/sbin/init"
}

# start_with_broken: the pool is not warm until both templates are, so there is no "running" to wait for
start_with_broken() {
	: >"$log"
	log_shown=0
	skepd_launch "template \"broken\" { rootfs = \"$root\" init = \"/sbin/init\" memory = \"64M\" processes = 64 }" \
		"uplink: range \"$BROKEN_RANGE\" { template = \"broken\" verify = \"off\" }"
	wait_until 20 good_is_warm
}

idle_of() { ctl --json containers | jq --arg name "$1" '[.containers[] | select(.template == $name and .state == "idle")] | length'; }
good_is_warm() { (($(idle_of basic) >= WARM)); }
broken_is_warm() { (($(idle_of broken) >= WARM)); }
template_is() { [[ $(ctl --json status | jq -r --arg name "$1" '.templates[] | select(.name == $name).state') == "$2" ]]; }
failures() { echo $(($(counter container_died) + $(counter start_failed))); }

# use_up_all: binds what the broken template still has
used=0
use_up_all() { (($(idle_of broken) == 0)) || ! who_has "10.67.5.$((++used))"; }

# others_go_on TEXT ADDRESS
others_go_on() {
	check "$1: the other range is served" client ping -q -c 1 -W 5 "$2"
	check "$1: and its pool is filled up again" wait_until 10 good_is_warm
}

# is_switched_off TEXT: within the pauses of 1, 2, 4 and 8 seconds that five failures may take
is_switched_off() {
	local before
	check "$1: after five failures in a row, it is switched off" wait_until 40 template_is broken off
	check_eq "$1: which is counted once" 1 "$(counter template_off)"
	check "$1: not before the fifth" test "$(failures)" -ge 5
	check "$1: and said, with what to do" logged "error: template \"broken\": container c[0-9]+ .*; that was the 5th failure in a row: the template is switched off .*skepctl reload"
	check "$1: the other one is on" template_is basic on
	before=$(failures)
	wait_until 3 false || true
	check_eq "$1: it is not tried any more" "$before" "$(failures)"
	check "$1: skepd is running, as far as it can be" skepd_running
}

lab_up
ip -n "$LAB_ROUTER_NS" route add "$BROKEN_RANGE" dev "$LAB_LAN"

# It cannot even be started: the program that was there is gone by then.
make_root 'exec sleep 600'
start_with_broken
check "a whole template starts beside the other one" wait_until 10 broken_is_warm
check "skepd is running" wait_until 10 skepd_running
check "its range is served" who_has "$BROKEN"
rm "$root/usr/bin/env"
check "broken while skepd runs, it serves what is warm" wait_until 10 who_has 10.67.4.3
error='error: template "broken": container c[0-9]+ did not start: .*; trying again in [0-9]+ s'
check "the error names the template, the reason, and when it is tried again" wait_until 10 logged "$error"
check_match "the reason is liblxc's own" "No such file or directory|exec|start" "$(grep -Eo "$error" "$log" | head -n 1)"
others_go_on "broken" 10.66.4.2
check "it is tried again" wait_until 20 logged "$error.*"
is_switched_off "broken"
check_match "broken: it was tried at ever longer intervals" '^1 2( 4( 8)?)? $' \
	"$(grep -E "$error" "$log" | sed 's/.*trying again in \([0-9]*\) s/\1/' | uniq | tr '\n' ' ')"
failed=$(containers failed reason | sort -u)
check_match "broken: what failed is kept with the reason" '^did not start: ' "$failed"
check "broken: what is warm still serves" wait_until 10 use_up_all
check_status "broken: then a first contact there stays unanswered" 1 who_has 10.67.4.9
others_go_on "switched off" 10.66.4.3
ln -s ../../bin/busybox "$root/usr/bin/env"
check "once it is whole again, a reload" ctl reload
check "switches it on" wait_until 10 template_is broken on
check "its containers start" wait_until 20 broken_is_warm
check "its range is served again" who_has 10.67.4.9
check "skepd stops" skepd_stop

# It starts, and ends: at once, or when it counts as started already.
for init in 'exit 1' 'sleep 0.1; exit 1'; do
	make_root "$init"
	start_with_broken
	ended='error: template "broken": container c[0-9]+ (failed: it ended by itself|did not start)'
	check "'$init': that it ends is said, with the template's name" wait_until 10 logged "$ended"
	others_go_on "'$init'" 10.66.4.2
	# Two at a time after 1 s, 2 s and so on would be 6 in 3 s; without a pause it would be dozens.
	before=$(failures)
	wait_until 3 false || true
	tries=$(($(failures) - before))
	check "'$init': not without a pause ($tries times in 3 s)" test "$tries" -le 8
	[[ $init == exit* ]] || is_switched_off "'$init'"
	others_go_on "'$init', after a while" 10.66.4.3
	check "'$init': skepd stops" skepd_stop
	check_eq "'$init': nothing is left" '' "$(leftovers)"
	sweep
done

done_testing
