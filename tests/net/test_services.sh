#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The services of the template `basic`, which its inetd starts for each connection: web, FTP and
# telnet serve what they should, as whom they should, to many at a time and many a minute; what ends
# leaves nothing; and inetd does as it is told. And what is at /sys.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/telnet.sh"

WARM=2 MAX=4
readonly A=10.66.4.2 PLACES=40 # of one service, see templates/basic/inetd.c

inside() { in_container "$pid" "$@"; }
processes() { inside sh -c 'cat /proc/[0-9]*/comm' | grep -vxE 'sh|cat' | sort | tr '\n' ' '; }
at_rest() { [[ $(processes) == 'inetd init ' ]]; }
page() { client curl -sf -m 5 -o /dev/null "http://$A/"; }
inetd_pid() { inside pidof inetd; }

ftp() { client curl -sS -m 20 "$@"; }

# fetch_all NUMBER OPTION...: how many of as many requests brought the page
fetch_all() { client curl -s -m 20 -H 'Connection: close' -o /dev/null -w '%{http_code}\n' "${@:2}" "http://$A/?[1-$1]" 2>/dev/null | grep -c '^200$' || true; }

# hold NUMBER: connections to the web server that ask for nothing; $spawned has them
hold() {
	# shellcheck disable=SC2016 # for the shell there
	spawn client bash -c 'for ((i = 0; i < $2; i++)); do exec {fd}<>"/dev/tcp/$1/80"; done; sleep 600' hold "$A" "$1"
}

served_by() { (($(inside pidof httpd | wc -w) == $1)); }

lab_up
skepd_start 'template: listens = { 21, 23, 80 }'
who_has "$A"
pid=$(lease "$A" pid)
check "at rest there are two processes" wait_until 5 at_rest

# Web
check_match "a page comes" '^HTTP/1.1 200 OK.*<title>FileBox' "$(client curl -sSi -m 5 "http://$A/" | tr '\n' ' ')"
check_eq "a part of the site asks for a password" '401 200' \
	"$(client curl -s -o /dev/null -w '%{http_code} ' -m 5 "http://$A/admin/")$(client curl -s -o /dev/null -w '%{http_code}' -m 5 -u admin:admin "http://$A/admin/")"
inside sh -c 'head -c 20000000 /dev/urandom >/var/www/large'
check_eq "a large file comes whole" "$(inside md5sum /var/www/large | cut -d' ' -f1)" \
	"$(client curl -sf -m 20 "http://$A/large" | md5sum | cut -d' ' -f1)"
check_eq "600 requests one after another are all served" 600 "$(fetch_all 600)"
check_eq "and 200, of which 60 at a time" 200 "$(fetch_all 200 -Z --parallel-immediate --parallel-max 60)"
check "all that served them have ended, and are not left as dead" wait_until 10 at_rest
hold 3
holder=$spawned
check "connections without a question are served, too" wait_until 5 served_by 3
check_eq "by processes that are not root's" 33 "$(inside stat -c %u "/proc/$(inside pidof httpd | cut -d' ' -f1)")"
kill "$holder"
check "they end with their clients" wait_until 10 at_rest
hold $((PLACES + 5))
holder=$spawned
check "of more connections than there are places, so many are served" wait_until 10 served_by "$PLACES"
check_status "the next waits" 28 client curl -s -m 1 -o /dev/null "http://$A/"
check "the other services do not" ftp "ftp://$A/" -o /dev/null
kill "$holder"
check "until there is a place again" wait_until 10 page

# FTP
check_match "anonymous finds a directory" 'pub' "$(ftp "ftp://$A/")"
check_match "and what is in it" 'price-list' "$(ftp "ftp://$A/pub/")"
check_match "a file comes" ',' "$(ftp "ftp://$A/pub/price-list-2026.csv" | head -n 2)"
check "one can be left" ftp -T "$conf" "ftp://$A/incoming/left.conf"
check_eq "as it is" "$(md5sum <"$conf")" "$(inside md5sum /srv/ftp/incoming/left.conf | sed 's/ .*/  -/')"
check_match "who has an account sees his files" 'orders' "$(ftp "ftp://office:123456@$A/")"
check_status "with another password he does not" 67 ftp "ftp://office:654321@$A/" -o /dev/null
greeting=$(client bash -c "exec 3<>/dev/tcp/$A/21; head -n 1 <&3")
check_match "the greeting is a server's" '^220 ' "$greeting"

# Telnet
check_match "who logs in is root" 'uid=0\(root\)' "$(log_in "$A" id)"
sessions=()
for i in 1 2 3 4; do
	log_in "$A" "echo session $i; sleep 1" >"$tmp/session.$i" 2>&1 &
	sessions+=($!)
done
wait "${sessions[@]}" || true
check_eq "so do four at once" 4 "$(cat "$tmp"/session.* | grep -c $'^session [1-4]\r*$')"
check "nothing is left of sessions" wait_until 10 at_rest

# The super-server
former=$(inetd_pid)
# shellcheck disable=SC2016 # for the shell inside
inside sh -c 'sed -i "/^http/s/^/#/" /etc/inetd.conf; kill -HUP "$(pidof inetd)"'
refused() { ! client bash -c ": <>/dev/tcp/$A/80" 2>/dev/null; }
check "a service that is taken out of its file is gone after SIGHUP" wait_until 5 refused
check_match "the others are not" 'uid=0' "$(log_in "$A" id)"
check_eq "it is the same process" "$former" "$(inetd_pid)"
# shellcheck disable=SC2016
inside sh -c 'sed -i "s/^#http/http/" /etc/inetd.conf; kill -9 "$(pidof inetd)"'
check "killed, it comes again, and with it the service" wait_until 10 page

# /sys
check_eq "nothing is at /sys" '' "$(inside ls -A /sys)"
check_eq "or mounted there" 0 "$(grep -c sysfs "/proc/$pid/mounts" || true)"
skepd_stop
skepd_start 'template: sysfs = "read-only"'
pid=$(containers idle pid | head -n 1)
check "unless the template says so" inside test -d /sys/class/net/eth0
check_match "then it is read-only" '^sysfs /sys sysfs ro,' "$(grep sysfs "/proc/$pid/mounts")"

done_testing
