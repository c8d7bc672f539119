#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The template `debian`: somebody logs in by SSH at an address that was dark, and finds a machine that
# is one, with services, a past, and keys and ids of its own.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=6 START_TIMEOUT=60
readonly A=10.66.4.2 B=10.66.4.3
accounts=$ROOT/templates/debian/accounts

# Built by make; without it, here.
SKEP_TEMPLATE=$BUILD/templates/debian
[[ -d $SKEP_TEMPLATE ]] || "$ROOT/templates/debian/build" "$SKEP_TEMPLATE" ||
	bail "the template cannot be built: is the mirror in apt's sources reachable?"

# log_in USER ADDRESS COMMAND: with the password that the template's list has
log_in() {
	local password
	password=$(awk -F: -v user="$1" '$1 == user { print $2 }' "$accounts")
	log_in_with "$password" "$@"
}

# log_in_with PASSWORD USER ADDRESS COMMAND
log_in_with() {
	client timeout 30 sshpass -p "$1" ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
		-o LogLevel=ERROR -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 "$2@$3" "$4"
}

keys_of() { client timeout 20 ssh-keyscan -t ed25519,ecdsa "$1" 2>/dev/null | cut -d' ' -f2- | sort; }
listens() { client timeout 2 bash -c "exec 3<>/dev/tcp/$1/22"; }
is_silent() { ! listens "$1"; }

# The tree
check_eq "the template has no host keys, no machine id and no host name" '' \
	"$(find "$SKEP_TEMPLATE/etc" -name 'ssh_host_*' -o -name machine-id -o -name hostname)"
check_eq "no device nodes or sockets" '' "$(find "$SKEP_TEMPLATE" -type b -o -type c -o -type s)"
check_eq "no owners that a container has not" '' "$(find "$SKEP_TEMPLATE" -uid +65535 -o -gid +65535)"
check_eq "nothing of the machine that built it" 'nameserver 127.0.0.1 ' \
	"$(cat "$SKEP_TEMPLATE/etc/resolv.conf") $(grep -rlsF -e "$BUILD" -e "$ROOT" "$SKEP_TEMPLATE"/{etc,home,root,run,tmp,var} || true)"
check_eq "and nothing that names what it is for" '' \
	"$(grep -rliswE 'skep|lxc|honey[a-z]*' "$SKEP_TEMPLATE"/{etc,home,root,opt,srv,usr/local,var/{log,mail,www}} || true)"

lab_up
skepd_start 'template: listens = { 22, 80 }'

# The first contact is the log-in itself.
# shellcheck disable=SC2016 # for the shell inside
check_eq "log-in by SSH at a dark address" "0 root" "$(log_in root "$A" 'echo "$(id -u) $(id -un)"')"
check_eq "a cron job is set up" '' "$(log_in root "$A" 'echo "* * * * * root id -un > /tmp/ran" > /etc/cron.d/mine' 2>&1)"
while IFS=: read -r user _; do
	[[ $user && $user != '#'* ]] || continue
	check_eq "$user logs in with the password of the list" "$user" "$(log_in "$user" "$A" 'id -un')"
done <"$accounts"
check_match "a wrong password is refused" 'Permission denied' "$(log_in_with wrong root "$A" 'echo in' 2>&1 || true)"
check_eq "who is in the group sudo becomes root by it" 0 "$(log_in admin "$A" 'echo admin | sudo -S -p "" id -u')"
check_match "there is a terminal" '^/dev/pts/[0-9]+' \
	"$(client timeout 30 sshpass -p 123456 ssh -tt -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "root@$A" tty </dev/null)"
head -c 100000 /dev/urandom >"$tmp/file"
check "a file is copied to it" client timeout 30 sshpass -p 123456 scp -q -o StrictHostKeyChecking=no \
	-o UserKnownHostsFile=/dev/null "$tmp/file" "root@$A:/root/file"
check_eq "whole" "$(sha256sum <"$tmp/file")" "$(log_in root "$A" 'sha256sum </root/file')"

# Its own
# shellcheck disable=SC2016 # for the shell inside
check_match "it has the name it was given, which resolves" '^([a-z][a-z0-9-]+) \1 127.0.1.1$' \
	"$(log_in root "$A" 'echo "$(hostname) $(cat /etc/hostname) $(getent ahostsv4 "$(hostname)" | head -n 1 | cut -d" " -f1)"')"
check_match "a machine id" '^[0-9a-f]{32}$' "$(log_in root "$A" 'cat /etc/machine-id')"
keys=$(keys_of "$A")
check_eq "two host keys" 2 "$(wc -l <<<"$keys")"
check_eq "another container has none of them" '' "$(comm -12 <(echo "$keys") <(keys_of "$B"))"
check_eq "nor its machine id" 2 \
	"$(for address in "$A" "$B"; do log_in root "$address" 'cat /etc/machine-id'; done | sort -u | wc -l)"
check_eq "both have a full set of keys" 2 "$(keys_of "$B" | wc -l)"

# Services
check_match "a web page comes" 'HTTP/1.1 200 OK.*Server: lighttpd.*Rowing Club' "$(client curl -s -i -m 5 "http://$A/" | tr '\r\n' '  ')"
check_eq "and one that is not there does not" 404 "$(client curl -s -o /dev/null -w '%{http_code}' -m 5 "http://$A/none")"
check_match "syslog keeps who has logged in" "Accepted password for root from $LAB_CLIENT " "$(log_in root "$A" 'cat /var/log/auth.log')"
check_match "and what is told to it" ' ann: hello' "$(log_in root "$A" 'logger -t ann hello; sleep 0.2; cat /var/log/syslog')"
visited() { log_in root "$A" "grep -q '^$LAB_CLIENT .*GET /none' /var/log/lighttpd/access.log"; }
check "the web server its visitors" wait_until 15 visited
check_eq "the processes are those of a small server" 'cron init lighttpd sshd syslogd' \
	"$(log_in root "$A" "ps -e -o comm= | grep -vxE 'ps|grep|sort|bash|sh|sshd-session|sshd-auth' | sort -u" | xargs)"
check "sshd and cron can be restarted" log_in root "$A" 'service ssh restart && service cron restart'
check_eq "and all run once each" 'cron init lighttpd sshd syslogd' \
	"$(log_in root "$A" "ps -e -o comm=,args= | grep -vE '^(ps|grep|sed|sort|bash|sh|sshd-session|sshd-auth) |^sshd .*@' | sed 's/ .*//' | sort" | xargs)"

# A past
check_match "somebody has been there before" 'karin .*pts/0.*10.20.30.14' "$(log_in root "$A" 'tr -c "[:print:]" " " </var/log/wtmp | tr -s " "')"
check "there are old logs, a history, mail" log_in root "$A" \
	'test -s /var/log/auth.log.1 -a -s /root/.bash_history -a -s /home/karin/.bash_history -a -s /var/mail/root'
check_match "and packages" '^1[0-9]{2}$|^[2-9][0-9]{2}$|^9[0-9]$' "$(log_in root "$A" "dpkg-query -W | wc -l")"

# Nothing that says LXC
# shellcheck disable=SC2016 # for the shell inside
check_eq "no 'lxc' and no 'container=' is to be seen" '' "$(log_in root "$A" \
	'env | grep -iE "lxc|container"; for f in environ cmdline cgroup mountinfo mounts; do grep -il -e lxc -e container= /proc/1/$f; done
	find / -xdev -iname "*lxc*" -not -path "/proc/*" -not -path "/sys/*" -not -path "/usr/share/*"; ls -d /dev/.lxc-boot-id /.dockerenv 2>/dev/null' || true)"

# cron, within its minute
ran() { [[ $(log_in root "$A" 'cat /tmp/ran') == root ]]; }
check "cron runs the job" wait_until 75 ran
check_match "and says so" 'CRON.*CMD \(id -un > /tmp/ran\)' "$(log_in root "$A" 'cat /var/log/syslog')"

# reboot
pid=$(lease "$A" pid)
log_in root "$A" 'reboot' >"$tmp/output" 2>&1 || true
check "reboot ends the services" wait_until 10 is_silent "$A"
check "and starts them again" wait_until 20 listens "$A"
check_eq "in the same container, with the same keys" "$pid $keys" "$(lease "$A" pid) $(keys_of "$A")"

# The next life
ctl release "$A" >"$tmp/output"
check "after a release, there is a machine again" wait_until 20 listens "$A"
check_eq "with other keys" '' "$(comm -12 <(echo "$keys") <(keys_of "$A"))"
check_status "and without the old one's files" 1 log_in root "$A" 'test -e /root/file'

done_testing
