#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A template that was whole when skepd looked, and whose containers do not start, or end at once: the
# error names it, it is tried again at ever longer intervals, and the other template's range goes on.
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
		"uplink: range \"$BROKEN_RANGE\" { template = \"broken\" }"
	wait_until 20 good_is_warm
	learn_cgroups
}

idle_of() { ctl --json containers | jq --arg name "$1" '[.containers[] | select(.template == $name and .state == "idle")] | length'; }
good_is_warm() { (($(idle_of basic) >= WARM)); }
broken_is_warm() { (($(idle_of broken) >= WARM)); }
complaints() { grep -Ec "$1" "$log" || true; }
complained() { (($(complaints "$1") >= $2)); }

# others_go_on TEXT ADDRESS
others_go_on() {
	check "$1: the other range is served" client ping -q -c 1 -W 5 "$2"
	check "$1: and its pool is filled up again" wait_until 10 good_is_warm
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
ctl release "$BROKEN" >"$tmp/output"
check "broken while skepd runs" wait_until 10 who_has 10.67.4.3
error='error: template "broken": container c[0-9]+ did not start: .*; trying again in [0-9]+ s'
check "the error names the template, the reason, and when it is tried again" \
	wait_until 10 complained "$error" 1
check_match "the reason is liblxc's own" "No such file or directory|exec|start" "$(grep -Eo "$error" "$log" | head -n 1)"
check "it is tried again" wait_until 20 complained 'trying again in 4 s' 1
check_match "at ever longer intervals" '1 2 4' \
	"$(grep -E "$error" "$log" | sed 's/.*trying again in \([0-9]*\) s/\1/' | uniq | head -n 3 | tr '\n' ' ')"
others_go_on "meanwhile" 10.66.4.2
check "it is counted" counted start_failed 3
ln -s ../../bin/busybox "$root/usr/bin/env"
check "once it is whole again, it starts by itself" wait_until 20 broken_is_warm
check "skepd stops" skepd_stop

# It starts, and ends: at once, or when it counts as started already.
for init in 'exit 1' 'sleep 0.1; exit 1'; do
	make_root "$init"
	start_with_broken
	ended='c[0-9]+ (ended by itself|did not start)'
	check "'$init': that it ends is said" wait_until 10 complained "$ended" 1
	others_go_on "'$init'" 10.66.4.2
	check "'$init': it is tried again" wait_until 20 complained "$ended" 3
	check_eq "'$init': each time, the template is named" '' "$(grep -E "$ended" "$log" | grep -v broken || true)"
	# Two at a time after 1 s, 2 s and so on would be 6 in 3 s; without a pause it would be dozens.
	before=$(($(counter container_died) + $(counter start_failed)))
	wait_until 3 false || true
	tries=$(($(counter container_died) + $(counter start_failed) - before))
	check "'$init': but not without a pause ($tries times in 3 s)" test "$tries" -le 8
	check_eq "'$init': no slot is lost by it" '' "$(grep -E 'monitor cgroup' "$log" || true)"
	others_go_on "'$init', after a while" 10.66.4.3
	check "'$init': skepd stops" skepd_stop
	check_eq "'$init': nothing is left" '' "$(leftovers)"
	sweep
done

done_testing
