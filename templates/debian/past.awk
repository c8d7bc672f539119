# SPDX-License-Identifier: GPL-2.0
#
# awk -f past.awk auth|syslog|web: what the box's logs tell of the week up to 19 September 2026. The host was
# called `debian` then, as the installer proposes: its present name is given to it later. The same
# lines each time, with any awk.

function random(n) {
	seed = (seed * 1103 + 12345) % 1048573
	return seed % n
}

function at(day, hour, minute, second) {
	return sprintf("Sep %2d %02d:%02d:%02d debian", day, hour, minute, second)
}

function cron(day, hour, minute) {
	pid += 3 + random(9)
	if (what == "auth") {
		print at(day, hour, minute, 1), "CRON[" pid "]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"
		print at(day, hour, minute, 1 + random(3)), "CRON[" pid "]: pam_unix(cron:session): session closed for user root"
	} else
		print at(day, hour, minute, 1), "CRON[" (pid + 1) "]: (root) CMD (cd / && run-parts --report /etc/cron.daily)"
}

function backup(day) {
	pid += 5 + random(9)
	print at(day, 3, 10, 2), "CRON[" pid "]: (root) CMD (/usr/local/sbin/nightly-backup)"
	print at(day, 3, 10, 3 + random(4)), "backup: done: /var/backups/club-" substr("SatSunMonTueWedThuFri", 1 + (day - 12) % 7 * 3, 3) ".tar.gz"
}

function session(day, hour, minute, until, user, uid, from, port) {
	pid += 40 + random(90)
	print at(day, hour, minute, 4), "sshd[" pid "]: Accepted password for " user " from " from " port " port " ssh2"
	print at(day, hour, minute, 4), "sshd[" pid "]: pam_unix(sshd:session): session opened for user " user "(uid=" uid ") by (uid=0)"
	print at(day, hour, until, random(60)), "sshd[" pid "]: pam_unix(sshd:session): session closed for user " user
}

function visits(day, n, i) {
	for (i = 0; i < n; i++)
		printf "10.20.%d.%d %s - [%02d/Sep/2026:%02d:%02d:%02d +0000] \"GET %s HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"\n", \
			30 + random(3), 10 + random(60), host, day, 7 + int(i * 15 / n), random(60), random(60), \
			page[random(3)], 640 + random(5) * 113
}

BEGIN {
	what = ARGV[1]
	seed = 4711
	pid = 2210
	host = "www.brackwater-rc.example"
	page[0] = "/"
	page[1] = "/fixtures.html"
	page[2] = "/style.css"
	for (day = 13; day <= 19; day++) {
		if (what == "web") {
			visits(day, 9 + random(14))
			continue
		}
		if (what == "syslog")
			backup(day)
		cron(day, 6, 25)
		if (what != "auth")
			continue
		if (day == 15)
			session(day, 19, 12, 29, "karin", 1000, "10.20.30.14", 51022)
		if (day == 16)
			session(day, 20, 3, 27, "karin", 1000, "10.20.30.14", 50418)
		if (day == 18)
			session(day, 18, 40, 51, "root", 0, "10.20.30.14", 52990)
	}
}
