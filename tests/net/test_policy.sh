#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What containers may begin, with real clients inside and real servers outside: nothing without a
# policy; by rules one resolver alone, a sinkhole in place of the web, refusals that look like the
# network's, and limits. All of it is counted, told and listed, and a reload changes it at once.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"
. "$(dirname "$0")/outbound.sh"

WARM=3 MAX=12
readonly SINK=198.51.100.9 OTHER=198.51.100.10 NEAR=10.66.0.53
readonly SECOND_RANGE='uplink: range "10.67.0.0/24" { template = "basic" policy = "web" verify = "off" }'
readonly POLICY='policy "web" {
	rule "resolver" { verdict = "allow" protocol = { udp } ports = { "53" } to = { "198.51.100.2" } }
	rule "sink" { verdict = "redirect" ports = { "80", "443" } redirect = "198.51.100.9:8080" }
	rule "closed" { verdict = "reject" protocol = { tcp, udp } ports = { "1-1000" } }
	rule "slow" { verdict = "limit" protocol = { udp } ports = { "9999" } packets = 5 }
	rule "few" { verdict = "limit" protocol = { tcp } ports = { "7000-7999" } destinations = 1 }
	rule "no-ping" { verdict = "reject" protocol = { icmp } to = { "198.51.100.10" } }
}'

lab_up
client ip address add "$SINK/24" dev eth0
client ip address add "$OTHER/24" dev eth0
client ip route add 10.67.0.0/24 via 198.51.100.1
router ip route add 10.67.0.0/24 dev "$LAB_LAN"
serve resolver udp "$LAB_CLIENT" 53
serve other udp "$OTHER" 53
serve web tcp "$LAB_CLIENT" 80
serve sink tcp "$SINK" 8080
serve sink udp "$SINK" 8080
serve slow udp "$OTHER" 9999
serve few tcp "$LAB_CLIENT" 7777
serve more tcp "$OTHER" 7777
router ip address add "$NEAR/32" dev "$LAB_LAN"
spawn router "$REPLY" udp "$NEAR" 53 near
sniff wan client eth0 udp or tcp or icmp

# Without a policy: answers, and nothing else.
skepd_start "dns = { $NEAR }" "$POLICY" "$SECOND_RANGE"
watch_events
check "a ping is answered" client ping -q -c 1 -W 5 10.66.4.2
pid=$(lease 10.66.4.2 pid)
check_silence "no policy: a resolver is not reached" udp "$LAB_CLIENT" 53
check_silence "nor a web server" tcp "$LAB_CLIENT" 80
check_status "nor is anything pinged" 1 in_net "$pid" ping -q -c 1 -W 1 "$OTHER"
check "by the default policy's own verdict" test "$(rule default '' packets)" -ge 3
check_eq "which is to drop" drop "$(rule default '' verdict)"
check "the refusals are told" wait_until 5 event \
	'.event == "refused" and .address == "10.66.4.2" and .remote == "198.51.100.2" and
	.remote_port == 53 and .protocol == "udp" and .reason == "port_drop_rule"'
check_eq "none of it was on the wire" 0 "$(how_many wan ' 10\.66\.4\.2(\.[0-9]+)? > .*(UDP|Flags|echo request)')"
check_answer "a resolver on the segment is found, and answers" near udp "$NEAR" 53
check_eq "as dns says" '1 allow' "$(rule default dns packets) $(rule default dns verdict)"
check_silence "nobody else there is found" udp 10.66.0.54 53
check "which is told" wait_until 5 event '.event == "refused" and .address == "10.66.4.2" and
	.remote == "10.66.0.54" and .protocol == null and .reason == "port_drop_arp_target"'
check_eq "the ping is a flow from outside" 'outside' "$(flow 10.66.4.2 "$LAB_CLIENT" origin)"

# By rules.
check "an address of the other range is alive" client ping -q -c 1 -W 5 10.67.0.2
pid=$(lease 10.67.0.2 pid)
check_answer "allow: the resolver answers" resolver udp "$LAB_CLIENT" 53
check_eq "it is counted" '1 1 allow' \
	"$(rule web resolver packets) $(rule web resolver flows) $(rule web resolver verdict)"
check_eq "and listed" 'inside web/resolver' \
	"$(flow 10.67.0.2 "$LAB_CLIENT" origin | grep inside) $(flow 10.67.0.2 "$LAB_CLIENT" rule | grep web)"
check_refused "reject: another resolver seems closed" udp "$OTHER" 53
check_refused "reject: so does a TCP port" tcp "$OTHER" 22
check "it is counted" test "$(rule web closed packets)" -ge 2
check_match "reject: the gateway knows no way for a ping" 'From 10\.66\.0\.1 .*Host Unreachable' \
	"$(in_net "$pid" ping -c 1 -W 2 "$OTHER" || true)"
check_eq "none of these was on the wire" 0 \
	"$(how_many wan ' 10\.67\.0\.2(\.[0-9]+)? > 198\.51\.100\.10')"
check_silence "what no rule names is dropped" tcp "$LAB_CLIENT" 8888

check_answer "redirect: the web is a sinkhole" sink tcp "$LAB_CLIENT" 80
check_answer "redirect: wherever it is" sink tcp 192.0.2.80 443
check_answer "redirect: by UDP, too" sink udp 192.0.2.80 443
check_eq "redirect: nothing came to the web server" 0 "$(how_many wan ' > 198\.51\.100\.2\.80: ')"
check_eq "redirect: the flow knows both" "$SINK:8080" "$(flow 10.67.0.2 192.0.2.80 redirected | sort -u)"
check "redirect: the sinkhole knows the container" seen wan ' 10\.67\.0\.2\.[0-9]+ > 198\.51\.100\.9\.8080: '

for _ in {1..20}; do
	in_net "$pid" "$REPLY" flood "$OTHER" 9999 1
done
check "limit: some are dropped" counted port_drop_limit 5
check_match "limit: 5 at once, and 5 a second" '^([5-9]|1[0-9])$' \
	"$(how_many wan ' 10\.67\.0\.2\.[0-9]+ > 198\.51\.100\.10\.9999: ')"
# The limit is for each minute since the machine started: these three are in one.
while (($(cut -d. -f1 /proc/uptime) % 60 > 45)); do sleep 1; done
check_answer "limit: one destination" few tcp "$LAB_CLIENT" 7777
check_silence "limit: not two in a minute" tcp "$OTHER" 7777
check_answer "limit: the first again" few tcp "$LAB_CLIENT" 7777

# A reload changes the rules of containers that live.
check "a flow by a rule" in_net "$pid" "$REPLY" ask-udp "$LAB_CLIENT" 53
write_conf "dns = { $NEAR }" "${POLICY/to = \{ \"198.51.100.2\" \}/to = { \"198.51.100.10\" \}}" "$SECOND_RANGE" >"$conf"
check "a reload with other rules" ctl reload
check_answer "the other resolver answers" other udp "$OTHER" 53
check_refused "the former does not" udp "$LAB_CLIENT" 53
check_eq "a changed policy counts anew" 1 "$(rule web resolver packets)"
check "the table for people has every rule" grep -q 'web .*resolver .*allow' <(ctl policy)
check "and that of flows" grep -q 'tcp .*10\.67\.0\.2 .*192\.0\.2\.80 .*443 .*inside' <(ctl flows 10.67.0.2)
check_status "an address must be one" 1 ctl flows nobody

done_testing
