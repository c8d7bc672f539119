#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Other targets for the pool while it runs: it grows, also beyond what it was started with; it shrinks
# by its idle containers alone, never has more than max but for leases that were there before, and goes
# back to the file's targets with a reload.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=3 MAX=8

total() { ctl --json status | jq '.pool | .idle + .bound + .starting + .recycling + .failed'; }
targets() { ctl --json status | jq -r '"\(.pool.warm) \(.pool.max)"'; }
state() { ctl --json status | jq -r '"\(.pool.idle) \(.pool.bound) \(.pool.starting) \(.pool.recycling)"'; }
settled() { [[ $(state) == "$1" ]]; } # IDLE BOUND STARTING RECYCLING
pids_of() { ctl --json leases | jq -r '.leases[] | "\(.address) \(.pid)"' | sort; }

# Over this many looks, no more containers than so many are ever there.
never_more_than() {
	local i
	for ((i = 0; i < 40; i++)); do
		(($(total) <= $1)) || return 1
		sleep 0.05
	done
}

lab_up
skepd_start
check_eq "the targets are those of the file" '3 8' "$(targets)"

# Grow
check_eq "resize says what it did" 'resized: warm 6, max 12' "$(ctl pool resize 6 12)"
check_eq "status says so" '6 12' "$(targets)"
check "the pool grows" wait_until 20 settled '6 0 0 0'
for i in {1..6}; do
	who_has "10.66.4.$i"
done
check "more containers than it was started with" wait_until 20 settled '6 6 0 0'
check_eq "with --json the result is JSON" '{"result":"resized"}' "$(ctl --json pool resize 2 12)"
check "fewer warm ones: the idle ones that are too many go" wait_until 20 settled '2 6 0 0'

# Shrink below what is bound
before=$(pids_of)
check "a max below what is bound" ctl pool resize 1 3
check "all idle ones go" wait_until 20 settled '0 6 0 0'
check_eq "the leases stay, with their containers" "$before" "$(pids_of)"
check "none is started" never_more_than 6
check_status "a dark address stays dark" 1 who_has 10.66.4.77
check "that is counted" wait_until 5 counted no_bind_pool_empty 1
check "an address that is bound answers" client ping -q -c 1 -W 5 10.66.4.6
for i in 1 2 3; do
	ctl release "10.66.4.$i" >"$tmp/output"
done
check "released ones are not replaced while there are as many as max" wait_until 20 settled '0 3 0 0'
check "nor later" never_more_than 3
ctl release 10.66.4.4 >"$tmp/output"
check "the next one is" wait_until 20 settled '1 2 0 0'
check "with never more than max" never_more_than 3
check_eq "the leases that were not released are as before" "$(tail -n 2 <<<"$before")" "$(pids_of)"

# Grow again; then what the file says
check "it grows again" ctl pool resize 4 9
check "and is warm" wait_until 20 settled '4 2 0 0'
check "a reload" ctl reload
check_eq "brings the targets of the file back" '3 8' "$(targets)"
check "the pool follows" wait_until 20 settled '3 2 0 0'

# In quick succession, to and fro: it ends where the last one says.
for i in {1..10}; do
	ctl pool resize $((1 + i % 4)) 8 >"$tmp/output"
done
ctl pool resize 2 5 >"$tmp/output"
check "after many resizes the last one holds" wait_until 30 settled '2 2 0 0'
check_eq "nothing died or failed meanwhile" '0 0 0 0' \
	"$(counter keeper_died) $(counter container_died) $(counter start_failed) $(counter recycle_failed)"

check_status "warm over max: wrong usage" 2 ctl pool resize 5 4
check_status "no number: wrong usage" 2 ctl pool resize 5 many
check_status "none: wrong usage" 2 ctl pool resize 0 4
check_status "too many: wrong usage" 2 ctl pool resize 5 65537
check_status "pool alone: wrong usage" 2 ctl pool
check_eq "none of these changed anything" '2 5' "$(targets)"

done_testing
