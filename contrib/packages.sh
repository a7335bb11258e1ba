# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Sourced with $top set: installs what is missing on a Debian machine, as root or
# with sudo, and builds.
# shellcheck disable=SC2034,SC2154

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "This has to install packages: run it as root, or install sudo." >&2
		return 1
	fi
}

# install_packages NAME...
install_packages() {
	missing=
	for p in "$@"; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || {
		echo "Not a Debian machine; install what these stand for:$missing" >&2
		return 1
	}
	echo "Installing:$missing"
	as_root apt-get -qq update &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
}

# syslog-ng and rsyslog exclude each other as packages: of the former only the files
# are wanted, unpacked into $1.  Prints the path of a script that runs its program $2.
unpack_syslog_ng() {
	mkdir -p "$1" || return 1
	[ -d "$1/usr" ] || (
		cd "$1" && apt-get -qq download syslog-ng-core >/dev/null 2>&1 &&
			dpkg -x syslog-ng-core*.deb . || exit 1
	) || return 1
	cat >"$1/$2" <<-EOT
	#!/bin/sh
	lib=$1/usr/lib
	LD_LIBRARY_PATH=\$lib/$(uname -m)-linux-gnu:\$lib/syslog-ng:\$lib/syslog-ng/3.38 SYSLOGNG_PREFIX=$1/usr \\
		exec $(find "$1/usr/bin" "$1/usr/sbin" -name "$2") "\$@"
	EOT
	chmod +x "$1/$2"
	echo "$1/$2"
}

BUILD_PACKAGES="gcc make libc6-dev autoconf automake libtool pkg-config libfcgi-dev libyaml-dev libpcre2-dev
	libseccomp-dev libssl-dev zlib1g-dev libzstd-dev liblzma-dev libvectorscan-dev nettle-dev libcurl4-openssl-dev libsystemd-dev lowdown"

# What building the console takes: nothing where it is built.  A Node.js from elsewhere
# conflicts with Debian's npm, and serves as well.
node_packages() {
	if ! { command -v node && command -v npm; } >/dev/null; then echo nodejs npm; fi
}

# Whether the build in DIR is there and nothing has changed since.  config.h keeps its time
# when it stays the same, and make takes it for old.
is_built() {
	[ -x "$1/sluice" ] && [ -f "$1/Makefile" ] && make -q -s -o config.h -C "$1" all-am >/dev/null 2>&1
}

# build DIR CONFIGURE-ARGUMENT...: builds the tree in $top there.
build() {
	dir=$1
	shift
	[ "$dir" = "$top" ] || [ ! -f "$top/config.status" ] || {
		echo "$top is configured for a build of its own: make -C $top distclean" >&2
		return 1
	}
	[ -x "$top/configure" ] || (cd "$top" && autoreconf -fi >"$top/autoreconf.log" 2>&1) || {
		cat "$top/autoreconf.log"
		return 1
	}
	mkdir -p "$dir" &&
		(cd "$dir" && { [ -f Makefile ] || "$top/configure" "$@" >configure.out 2>&1 || {
			cat configure.out
			exit 1
		}; } && make -s -j"$(nproc)" >build.out 2>&1 || {
			tail -40 "$dir/build.out"
			exit 1
		})
}
