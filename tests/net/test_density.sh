#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Density: of a range, a secret choice of addresses ever lives, the same each time, also after a
# restart; the others stay dark, and a lease that a reload leaves without its address ends.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=4 MAX=16 LAB_RANGE=10.66.4.0/24 EXCLUDE=10.66.4.0/32
readonly ALL=254 SHARING='pool: when_exhausted = "share" addresses_per_container = 64'

# alive: the addresses that answer, one a line
alive() {
	router nmap -sn -n -PR --max-retries 2 --min-rate 100 -oG - "$LAB_RANGE" |
		sed -n 's/^Host: \([0-9.]*\) .*Up.*/\1/p' | sort -V
}

lab_up
skepd_start "$SHARING" 'range: density = "35%"'
first=$(alive)
n=$(wc -l <<<"$first")
# 35 % of 254 are 89; it is as good as impossible that chance goes so far.
check "about a third lives: $n" test "$n" -ge 40 -a "$n" -le 140
check_eq "as many as were bound" "$n" "$(comes_to bound "$n")"
check "each of the others was asked for, and left alone" counted pass_density $((ALL - n))
check_eq "the same live when asked again" "$first" "$(alive)"
check "skepd stops" skepd_stop
router ip neigh flush dev "$LAB_LAN"

skepd_start "$SHARING" 'range: density = "35%"'
check_eq "and after a restart" "$first" "$(alive)"
write_conf "$SHARING" 'range: density = "10%"' >"$conf"
check "a reload makes them fewer" ctl reload
fewer=$(leased)
check_eq "leases of those that do not live any more have ended" "$(wc -l <<<"$first")" \
	"$(($(wc -l <<<"$fewer") + $(counter released_range)))"
check_eq "what lives now lived before" "" "$(comm -23 <(sort <<<"$fewer") <(sort <<<"$first"))"
check_eq "and no others do" "$fewer" "$(alive)"
check "skepd stops" skepd_stop

# Another secret is another choice.
rm "$state_dir/secret"
skepd_start "$SHARING" 'range: density = "35%"'
check "with another secret others live" test "$(alive)" != "$first"
done_testing
