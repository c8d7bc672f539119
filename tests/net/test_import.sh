#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An operator's own templates: from a directory, an archive, a container of lxc-create and an OCI image
# comes the same tree, or a line that says why not and nothing else. Then two templates serve two ranges.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

WARM=2 MAX=8
readonly OWN_RANGE=10.67.0.0/16 OWN=10.67.4.2
lxc_name=skep-$LAB_PREFIX
src=$tmp/src templates=$state_dir/templates

# Found by its name where lxc-create puts it, which is outside of $tmp.
trap 'rm -rf "$(lxc-config lxc.lxcpath)/$lxc_name"; on_exit' EXIT

# make_system DIR: a web server of one program, with owners, modes and a link to recognise it by
make_system() {
	local name
	mkdir -p "$1"/{bin,sbin,usr/bin,usr/local/sbin,dev,proc,sys,etc/ssh,root,tmp,srv,home/ann}
	cp "$SKEP_TEMPLATE/bin/busybox" "$1/bin/busybox"
	for name in bin/sh bin/hostname bin/sleep sbin/httpd usr/bin/env; do
		ln -s "$([[ $name == usr/* ]] && echo ../../bin || echo ../bin)/busybox" "$1/$name"
	done
	printf '#!/bin/sh\nexec /sbin/httpd -f -h /srv\n' >"$1/sbin/init"
	echo "a page of one's own" >"$1/srv/index.html"
	echo secret >"$1/home/ann/notes"
	ln "$1/home/ann/notes" "$1/home/ann/same"
	chmod 755 "$1/sbin/init"
	chmod 4755 "$1/bin/busybox"
	chmod 600 "$1/home/ann/notes"
	chown -R 1000:1001 "$1/home/ann"
}

# What only one machine has, and what no container gets.
add_own() {
	echo 0123456789abcdef0123456789abcdef >"$1/etc/machine-id"
	echo private >"$1/etc/ssh/ssh_host_ed25519_key"
	echo public >"$1/etc/ssh/ssh_host_ed25519_key.pub"
	mknod "$1/srv/disk" b 8 0
	mknod "$1/dev/null" c 1 3
	perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un($ARGV[0])) or die' "$1/srv/socket"
	echo 1 >"$1/proc/left"
}

list() { (cd "$1" && find . -printf '%p %y %m %U %G %n %l\n' | grep -v '^\. ' | sort); }
import() { "$tmp/sbin/skepctl" -c "$conf" template import "$@"; }
same_tree() { diff <(list "$tmp/plain") <(list "$1"); }
nothing_there() { [[ -z $(ls -A "$templates" 2>/dev/null) ]]; }

# imported TEXT NAME SOURCE: it succeeds, and the tree is as it should be
imported() {
	check "$1" import "${@:2}"
	cp "$tmp/output" "$tmp/said"
	check "$1: all is as it was, owners, modes and links" same_tree "$templates/$2"
	rm -rf "${templates:?}/$2"
}

# refused TEXT REGEX SOURCE: with a line that says why, and nothing is left
refused() {
	check_status "$1" 1 import bad "$3"
	check_match "$1: that is said" "$2" "$(cat "$tmp/output")"
	check "$1: nothing is left" nothing_there
	rm -rf "${templates:?}/bad"
}

# broken NAME: a copy of the system, to break
broken() {
	rm -rf "$tmp/broken"
	cp -a "$tmp/plain" "$tmp/broken"
}

# As installed: skepctl finds its scripts by where it is.
mkdir -p "$tmp/sbin" "$tmp/share/skep"
cp "$SKEPCTL" "$tmp/sbin/skepctl"
ln -s "$ROOT/templates" "$tmp/share/skep/templates"
write_conf >"$conf"
make_system "$tmp/plain"
cp -a "$tmp/plain" "$src"
add_own "$src"

# A directory
imported "from a directory" own "$src"
check_match "device nodes and sockets are left out" 'left out 2 device nodes and sockets' "$(cat "$tmp/said")"
check_match "the machine id is removed, and that is said" 'removed /etc/machine-id' "$(cat "$tmp/said")"
check_match "so are host keys" 'removed 2 SSH host key files' "$(cat "$tmp/said")"
check_match "what to add to the configuration is said" 'template "own" \{.*rootfs = "templates/own"' "$(tr '\n' ' ' <"$tmp/said")"
check_eq "the source is as it was" 7 \
	"$(find "$src"/{etc/machine-id,etc/ssh/ssh_host_*,srv/disk,srv/socket,dev/null,proc/left} | wc -l)"

# Archives
for compression in '' --gzip --xz --zstd; do
	# shellcheck disable=SC2086 # none is no argument
	tar -C "$src" -c $compression -f "$tmp/src.tar" . 2>"$tmp/err"
	imported "from an archive${compression:+ with $compression}" own "$tmp/src.tar"
done
tar -C "$tmp" -cf "$tmp/src.tar" --exclude=socket src
imported "from an archive that has it all in one directory" own "$tmp/src.tar"

# Containers of lxc-create
# shellcheck disable=SC2016 # for that script
printf '#!/bin/sh\nfor a; do case $a in --rootfs=*) cp -a "%s/." "${a#*=}";; esac; done\n' "$src" >"$tmp/lxc-src"
chmod 755 "$tmp/lxc-src"
timeout 60 lxc-create -n "$lxc_name" -t "$tmp/lxc-src" >"$tmp/output" 2>&1 || diag "$(cat "$tmp/output")"
imported "from a container of lxc-create, by its name" own "$lxc_name"
imported "and by its directory" own "$(lxc-config lxc.lxcpath)/$lxc_name"
mkdir -p "$tmp/lxc/shifted"
cp -a "$src" "$tmp/lxc/shifted/rootfs"
(cd "$tmp/lxc/shifted/rootfs" && find . -printf '%U %G %m %y %p\n' | while read -r u g m y path; do
	chown -h "$((u + 200000)):$((g + 200000))" "$path"
	[[ $y == l ]] || chmod "$m" "$path"
done)
cat >"$tmp/lxc/shifted/config" <<-EOT
	lxc.idmap = u 0 200000 65536
	lxc.idmap = g 0 200000 65536
	lxc.rootfs.path = dir:$tmp/lxc/shifted/rootfs
EOT
imported "from an unprivileged container" own "$tmp/lxc/shifted"

# OCI images
image() { umoci "$1" --image "$tmp/oci:$2" "${@:3}" >>"$tmp/umoci" 2>&1; }
umoci init --layout "$tmp/oci"
image new web
image insert web "$tmp/plain" /
image config web --config.entrypoint /sbin/httpd --config.cmd -f --config.cmd "it's" --config.env 'PAGE=a b' \
	--config.exposedports 80/tcp --config.exposedports 53/udp --config.workingdir /srv
imported "from an OCI image layout" own "$tmp/oci"
check_match "it says which ports the image names" 'listens = \{ 80 \}' "$(cat "$tmp/said")"
imported "by its tag" own "$tmp/oci:web"
tar -C "$tmp/oci" -cf "$tmp/oci.tar" .
imported "from an OCI archive" own "$tmp/oci.tar"
umoci tag --image "$tmp/oci:web" other
refused "an OCI layout with two images, and none named" 'several images; name one of them as DIR:TAG: (other web|web other)' "$tmp/oci"
image new bare
mkdir "$tmp/bare"
cp -a "$tmp/plain/." "$tmp/bare"
rm "$tmp/bare/sbin/init"
image insert bare "$tmp/bare" /
refused "an OCI image without init or command" 'names no command but a shell, and has no /sbin/init' "$tmp/oci:bare"
image config bare --config.entrypoint /sbin/httpd --config.cmd -f --config.cmd "it's" --config.env 'PAGE=a b' --config.workingdir /srv
check "an OCI image without init, but with a command" import bare "$tmp/oci:bare"
check_match "its command becomes init" 'init = "/usr/local/sbin/start"' "$(cat "$tmp/output")"
check_eq "with its variables, directory and arguments" "#!/bin/sh|export PAGE='a b'|cd '/srv'|exec '/sbin/httpd' '-f' 'it'\\''s'" \
	"$(grep -v '^export [^P]\|^export PATH' "$templates/bare/usr/local/sbin/start" | paste -sd'|')"
rm -rf "${templates:?}/bare"

# What is wrong
refused "nothing of that name" "is no directory, no archive, and no container" no-such-thing
echo text >"$tmp/text"
refused "a file that is no archive" "is no archive that tar can read" "$tmp/text"
broken
rm "$tmp/broken/sbin/init" "$tmp/broken/usr/bin/env"
refused "no init" "no /sbin/init in $tmp/broken: put one there" "$tmp/broken"
check_status "no env" 1 import bad "$tmp/broken"
check_match "no env: is said at the same time" "no /usr/bin/env in $tmp/broken: " "$(cat "$tmp/output")"
broken
chmod 644 "$tmp/broken/sbin/init"
refused "an init that cannot be run" '/sbin/init .* is not executable' "$tmp/broken"
broken
printf '\xb6\x7a' | dd of="$tmp/broken/bin/busybox" bs=1 seek=18 conv=notrunc status=none
refused "programs for another processor" '/usr/bin/env .* is for another processor' "$tmp/broken"
broken
chown 70000 "$tmp/broken/home/ann/notes"
chgrp 70001 "$tmp/broken/root"
refused "ids that no container has" '^skepctl: 3 files in .* above 65535, like /(root|home/ann/)' "$tmp/broken"
refused "a directory with the templates inside" "would be copied into itself" "$tmp"
broken
ln -sfn ../lib/systemd/systemd "$tmp/broken/sbin/init"
mkdir -p "$tmp/broken/lib/systemd"
cp "$tmp/plain/bin/busybox" "$tmp/broken/lib/systemd/systemd"
check "systemd as init" import systemd "$tmp/broken"
check_match "is warned of" '/sbin/init .* is systemd, .* install another init' "$(cat "$tmp/output")"
rm -rf "${templates:?}/systemd"

# Ways out
mkdir "$tmp/outside"
broken
ln -s "$tmp/outside" "$tmp/broken/out"
tar -C "$tmp/broken" -cf "$tmp/evil.tar" .
tar -C "$tmp/plain" -rf "$tmp/evil.tar" --transform 's|^home|out|' home
# tar refuses it, or lets the directory take the place of the link: as it finds their times.
import bad "$tmp/evil.tar" >"$tmp/output" 2>&1 || true
check_eq "an archive that writes through a link of its own writes nothing elsewhere" "" "$(ls -A "$tmp/outside")"
rm -rf "${templates:?}/bad"
tar -C "$tmp/plain" -cPf "$tmp/evil.tar" --transform "s|^home|../../outside|" .
tar -C "$tmp/plain" -rPf "$tmp/evil.tar" --transform "s|^home|../../outside|" home
refused "an archive with .. in its names" 'unpacking .* failed' "$tmp/evil.tar"
echo precious >"$tmp/outside/machine-id"
mkdir -p "$tmp/outside/lib/dbus"
echo precious >"$tmp/outside/lib/dbus/machine-id"
broken
rm -r "$tmp/broken/dev"
ln -s "$tmp/outside" "$tmp/broken/dev"
ln -s "$tmp/outside" "$tmp/broken/var"
rm -r "$tmp/broken/etc"
ln -s "$tmp/outside" "$tmp/broken/etc"
check "a directory with links that lead outside" import links "$tmp/broken"
rm -rf "${templates:?}/links"
check_eq "nothing outside was made or removed" 'lib lib/dbus lib/dbus/machine-id machine-id' \
	"$(cd "$tmp/outside" && find . -mindepth 1 -printf '%P\n' | sort | xargs)"

# A file system that cannot be mounted with mapped owners
mkdir -p "$tmp/o"/{lower,upper,work} "$tmp/state"
mkdir -p "$templates"
mount -t overlay -o "lowerdir=$tmp/o/lower,upperdir=$tmp/o/upper,workdir=$tmp/o/work" overlay "$templates"
refused "a state_dir that cannot be mounted with mapped owners" 'mapped owners: .*; state_dir must be on' "$tmp/plain"
umount "$templates"

# In its place, whole
check "for good" import own "$src"
check_status "a second time it is refused" 1 import own "$src"
check_match "since it is there" 'is there already; use --force' "$(cat "$tmp/output")"
check "but with --force it is replaced" import --force own "$tmp/src.tar"
check_status "a name with a slash is none" 1 import ../own "$src"
check_status "import needs a source" 2 import own
check_eq "nothing half made is left" own "$(ls -A "$templates")"

# Two templates, two ranges
lab_up
ip -n "$LAB_ROUTER_NS" route add "$OWN_RANGE" dev "$LAB_LAN"
skepd_start 'template "own" { rootfs = "templates/own" listens = { 80 } }' "uplink: range \"$OWN_RANGE\" { template = \"own\" verify = \"off\" }"
check_match "one range serves the stock template" FileBox "$(client curl -s -i -m 5 http://10.66.4.2/)"
check_eq "the other one the operator's own" "a page of one's own" "$(client curl -s -m 5 "http://$OWN/")"
check_eq "each by a container of its template" 'basic own' \
	"$(ctl --json containers | jq -r '[.containers[] | select(.state == "bound") | .template] | sort | join(" ")')"
check_status "a template in use is not replaced" 1 import --force own "$src"
check_match "since skepd runs" 'skepd is running on' "$(cat "$tmp/output")"
check_eq "and goes on" "a page of one's own" "$(client curl -s -m 5 "http://10.67.4.3/")"

done_testing
