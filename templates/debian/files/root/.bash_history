apt update
apt upgrade
nano /etc/lighttpd/lighttpd.conf
service lighttpd restart
tail -f /var/log/lighttpd/error.log
adduser deploy
ls -la /home/deploy/releases
cp -r /home/deploy/releases/2026-04/* /var/www/html/
chown -R root:root /var/www/html
df -h
passwd test
nano /usr/local/etc/backup.conf
/usr/local/sbin/nightly-backup
ls -la /var/backups/
cat /var/mail/root
crontab -l
who
free -m
nano /var/www/html/fixtures.html
exit
