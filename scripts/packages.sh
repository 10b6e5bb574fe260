# shellcheck shell=bash
# packages.sh - which Debian packages each job needs, and how they are installed. To be sourced.

# Prints the packages of the job $1, one a word.
packages_for() {
	case $1 in
	build) echo build-essential cmake pkg-config libuv1-dev libetpan-dev libssl-dev libsqlite3-dev libseccomp-dev libcurl4-gnutls-dev uthash-dev scdoc ;;
	demo) echo curl openssl ca-certificates ;;
	demo-server) echo dovecot-imapd ;;
	tests)
		echo libcunit1-dev python3 dovecot-imapd dovecot-pop3d curl fetchmail mpop openssl ca-certificates
		echo getmail6 isync
		echo haproxy systemd # programs; nothing is started
		echo nginx-light libnginx-mod-mail # asks auth_http services, and is one
		echo chromium # looks at the pages that popgate writes
		# Libraries of Cyrus, whose own packages cannot be installed beside Dovecot's.
		echo libpcre3 libpq5 libsasl2-modules
		;;
	bench) echo python3 dovecot-imapd dovecot-pop3d openssl ;;
	fuzz) echo clang libclang-rt-dev llvm ;;
	valgrind) echo valgrind ;;
	coverage) echo gcovr ;;
	clean-room) echo debootstrap git ;;
	*) echo "packages.sh: no job named $1" >&2 && return 1 ;;
	esac
}

# Runs a command as root, by sudo where we are somebody else.
packages_as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "${0##*/}: root is needed to install packages; run it as root, or install: sudo" >&2
		return 1
	fi
}

# Installs what the jobs $@ need and is not there yet. Does nothing, and needs no root, when all is there.
packages_install() {
	local job package missing=() policy=/usr/sbin/policy-rc.d

	for package in $(for job; do packages_for "$job"; done | tr ' ' '\n' | sort -u); do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	echo "Installing ${missing[*]}"
	packages_as_root apt-get -qq -o DPkg::Lock::Timeout=300 update || return
	(
		# Dovecot, HAProxy and nginx are wanted as programs, not as services of this machine.
		if [ ! -e $policy ]; then
			trap 'packages_as_root rm -f $policy' EXIT
			printf '#!/bin/sh\nexit 101\n' | packages_as_root tee $policy >/dev/null
			packages_as_root chmod 755 $policy
		fi
		packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
			-o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}" >/dev/null
	)
}
