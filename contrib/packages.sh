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

BUILD_PACKAGES="gcc make libc6-dev autoconf automake libtool pkg-config libfcgi-dev libyaml-dev"

# build DIR CONFIGURE-ARGUMENT...: builds the tree in $top there.
build() {
	dir=$1
	shift
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
