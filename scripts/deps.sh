#!/usr/bin/env bash
# deps.sh - install what is missing, say nothing when nothing is.
#
#   scripts/deps.sh [-n] build|demo|check
#
# Each set includes the ones before it. On Debian and Ubuntu it installs, as
# root or through sudo; elsewhere it says what to install, and fails. With -n
# it only says what it would do.
set -euo pipefail

# set | how to tell that it is there | its package for apt-get, dnf, pacman,
# apk, brew ("-": none there)
needs() {
	cat <<'TABLE'
build|header stdlib.h|libc6-dev|glibc-devel|glibc|musl-dev|-
build|command cc|gcc|gcc|gcc|gcc|-
build|command make|make|make|make|make|make
build|command pkg-config|pkg-config|pkgconf-pkg-config|pkgconf|pkgconf|pkgconf
build|library libpq|libpq-dev|libpq-devel|postgresql-libs|libpq-dev|libpq
build|library libcrypto|libssl-dev|openssl-devel|openssl|openssl-dev|openssl@3
build|library inih|libinih-dev|inih-devel|libinih|inih-dev|inih
demo|server initdb|postgresql|postgresql-server|postgresql|postgresql|postgresql
demo|command /usr/bin/python3|python3|python3|python|python3|-
demo|python cryptography|python3-cryptography|python3-cryptography|python-cryptography|py3-cryptography|-
demo|python psycopg2|python3-psycopg2|python3-psycopg2|python-psycopg2|py3-psycopg2|-
check|python yaml|python3-yaml|python3-pyyaml|python-yaml|py3-yaml|-
check|library cmocka|libcmocka-dev|libcmocka-devel|cmocka|cmocka-dev|cmocka
check|command gcc|gcc|gcc|gcc|gcc|gcc
check|command clang|clang|clang|clang|clang|llvm
check|command clang-format|clang-format|clang-tools-extra|clang|clang-extra-tools|clang-format
check|command clang-tidy|clang-tidy|clang-tools-extra|clang|clang-extra-tools|llvm
check|command shellcheck|shellcheck|ShellCheck|shellcheck|shellcheck|shellcheck
check|command mandoc|mandoc|mandoc|mandoc|mandoc|mandoc
check|python pyflakes|pyflakes3|python3-pyflakes|python-pyflakes|py3-pyflakes|-
check|daemon pgbouncer|pgbouncer|pgbouncer|pgbouncer|pgbouncer|pgbouncer
check|command strace|strace|strace|strace|strace|-
check|server pgbench|postgresql|postgresql-contrib|postgresql|postgresql|postgresql
check|command faketime|faketime|libfaketime|libfaketime|libfaketime|libfaketime
check|command openssl|openssl|openssl|openssl|openssl|openssl@3
TABLE
}

managers=(apt-get dnf pacman apk brew)

found() { # KIND NAME
	case $1 in
	command) command -v "$2" ;;
	daemon) PATH=$PATH:/usr/local/sbin:/usr/sbin command -v "$2" ;;
	header) [ -e "/usr/include/$2" ] || xcrun --show-sdk-path ;;
	library) pkg-config --exists "$2" ;;
	python) /usr/bin/python3 -c "import importlib.util, sys
sys.exit(importlib.util.find_spec('$2') is None)" ;;
	server) [ -x "$(pg_config --bindir)/$2" ] ;;
	esac >/dev/null 2>&1
}

# Packages of everything that is missing, for the package manager number $1;
# the thing itself where that has none.
missing() {
	local row probe packages=() IFS='|'
	while read -ra row; do
		IFS=' ' read -ra probe <<<"${row[1]}"
		if [[ " $sets " == *" ${row[0]} "* ]] && ! found "${probe[@]}"; then
			case ${row[2 + $1]} in
			-) packages+=("${probe[1]}") ;;
			*) packages+=("${row[2 + $1]}") ;;
			esac
		fi
	done < <(needs)
	IFS=$'\n'
	[ ${#packages[@]} = 0 ] || sort -u <<<"${packages[*]}"
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

can_install() {
	[ -z "$dry_run" ] && [ "$manager" = apt-get ] &&
		{ [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }
}

say() {
	echo "deps: $*" >&2
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
		-o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@"
}

# The Debian package of the server starts one on port 5432. The tests start
# their own: leave the machine without one, and without this setting, too.
no_main_cluster=/etc/postgresql-common/createcluster.d/pgrekey.conf

forbid_main_cluster() {
	as_root sh -c "mkdir -p ${no_main_cluster%/*} &&
		echo 'create_main_cluster = false' >$no_main_cluster"
}

allow_main_cluster() {
	as_root sh -c "rm -f $no_main_cluster &&
		rmdir -p --ignore-fail-on-non-empty ${no_main_cluster%/*}"
}

apt_install() { # PACKAGES
	if [[ " $* " == *" postgresql "* ]]; then
		trap allow_main_cluster EXIT
		forbid_main_cluster || return
	fi
	apt update && apt install -y --no-install-recommends "$@"
}

install_all() {
	local log
	log=$(mktemp)
	say "installing (this can take minutes): $*"
	if ! (apt_install "$@") >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
	hash -r
}

dry_run=
if [ "${1-}" = -n ]; then
	dry_run=1
	shift
fi
case ${1-} in
build) sets="build" ;;
demo) sets="build demo" ;;
check) sets="build demo check" ;;
*)
	echo "usage: deps.sh [-n] build|demo|check" >&2
	exit 2
	;;
esac

number=0
for manager in "${managers[@]}" none; do
	! command -v "$manager" >/dev/null || break
	number=$((number + 1))
done
[ "$manager" != none ] || number=0

mapfile -t packages < <(missing "$number")
[ ${#packages[@]} != 0 ] || exit 0
case $manager in
apt-get) how="apt-get install --no-install-recommends" ;;
dnf) how="dnf install" ;;
pacman) how="pacman -S" ;;
apk) how="apk add" ;;
brew) how="brew install" ;;
none) how="install, as your system calls them:" ;;
esac
if ! can_install; then
	say "something is missing; install it with"
	say "    $how ${packages[*]}"
	[ -n "$dry_run" ]
	exit
fi
install_all "${packages[@]}"
mapfile -t packages < <(missing "$number")
if [ ${#packages[@]} != 0 ]; then
	say "installed, but still not usable: ${packages[*]}"
	exit 1
fi
