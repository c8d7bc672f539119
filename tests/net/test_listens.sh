#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A template with `listens`: a container is idle when its services listen, and not before; while it is
# waited for, others are started and recycled; nothing is lost when the keepers die meanwhile.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=4 MAX=8

# slow_root: the stock template, with services that begin to listen when somebody makes /go
slow_root() {
	cp -a "$SKEP_TEMPLATE" "$tmp/slow"
	printf '#!/bin/sh\nwhile [ ! -e /go ]; do sleep 0.1; done\nexec /bin/busybox init\n' >"$tmp/slow/sbin/slow"
	chmod 0755 "$tmp/slow/sbin/slow"
}

container_pids() { grep -lsE "/$farm_cgroup/c[0-9]+\$" /proc/[0-9]*/cgroup | cut -d/ -f3; }
inits() {
	local pid
	for pid in $(container_pids); do
		awk '/^NSpid:/ && NF == 3 && $3 == 1 {f = 1} END {exit !f}' "/proc/$pid/status" 2>/dev/null && echo "$pid"
	done || true
}
started() { (($(inits | wc -l) >= $1)); }
go() { in_container "$1" touch /go; }
listens() { [[ $(in_net "$1" ss -Hltn "sport = :$2" | wc -l) -gt 0 ]]; }

launch_slow() {
	write_conf 'template: listens = { 23, 80 }' | sed 's|"/sbin/init"|"/sbin/slow"|' >"$conf"
	"$LAB" exec box "$SKEPD" -c "$conf" >>"$log" 2>&1 &
	skepd_pid=$!
}

lab_up
skepd_start 'template: listens = { 21, 23, 80 }'
check "the stock template listens" test "$(pool idle)" -ge "$WARM"
for pid in $(containers idle pid); do
	for port in 21 23 80; do
		check "an idle container listens on $port" listens "$pid" "$port"
	done
done
who_has 10.66.4.2
check_eq "the first page comes at once" 0 "$(client curl -sf -m 2 -o "$tmp/page" http://10.66.4.2/; echo $?)"
check "skepd stops" skepd_stop

slow_root
SKEP_TEMPLATE=$tmp/slow
launch_slow
check "all are started, none waits for another" wait_until 20 started "$WARM"
sleep 1
check_eq "none is idle while it does not listen" "0 $WARM" "$(pool idle) $(pool starting)"
one=$(inits | sed -n 1p)
go "$one"
check "one that listens is idle soon" wait_until 10 pool_has idle 1
check_eq "that one" "$one" "$(containers idle pid)"
kill -KILL "$(inits | grep -vx "$one" | sed -n 1p)"
check "one that ends before it listens is replaced" wait_until 20 started "$WARM"
check "keepers that die lose none of those they watch" signal_keepers KILL
check "all that were watched are started anew" wait_until 20 pool_has starting $((WARM - 1))
check_eq "the idle one has stayed" "$one" "$(containers idle pid)"
all_go() { # some of those that are there may just be ending
	local pid
	for pid in $(inits | grep -vx "$one"); do
		go "$pid" || true
	done
	pool_has idle "$WARM"
}
check "they become idle as well" wait_until 20 all_go
check "skepd stops" skepd_stop

launch_slow
check "started again, and waited for" wait_until 20 started "$WARM"
check "skepd does not wait for them when it is to stop" skepd_signal TERM 20

done_testing
