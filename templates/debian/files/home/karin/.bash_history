ls
cd regatta/
nano entries-2026.csv
scp entries-2026.csv karin@10.20.30.14:
sudo nano /var/www/html/fixtures.html
sudo service lighttpd status
cat todo.txt
cd /srv/club/results
ls -l
less autumn-2025.csv
sudo tail /var/log/auth.log
logout
