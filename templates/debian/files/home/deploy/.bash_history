cd releases
tar xzf site-2026-04.tar.gz
mv site 2026-04
rm site-2026-04.tar.gz
./publish 2026-04
exit
