#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# package_test.sh TEST: one test of the package; CMakeLists.txt lists them and sets the environment.
set -eu

# Where `make install` put it, and where it was moved to afterwards: everything must work from there.
first_prefix=$WORK/first-prefix
prefix=$WORK/moved/prefix
here=$(dirname "$0")

complain() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Runs a program with a directory of its own for objects.
run_alone() {
    place=/dev/shm
    [ -w "$place" ] || place=${TMPDIR:-/tmp}
    COMAP_DIR=$(mktemp -d "$place/comap-package.XXXXXX")
    export COMAP_DIR
    "$@" && status=0 || status=$?
    rm -rf "$COMAP_DIR"
    [ "$status" -eq 0 ] || complain "$* ended with $status"
}

test_install() {
    rm -rf "$WORK/first-prefix" "$WORK/moved"
    mkdir -p "$WORK/moved"
    "$CMAKE" --install "$COMAP_BINARY_DIR" --prefix "$first_prefix"
    mv "$first_prefix" "$prefix"
    for file in include/comap/comap.h include/comap/comap.hpp "$LIBDIR/libcomap.so" "$LIBDIR/libcomap.a" \
        "$LIBDIR/cmake/comap/comap-config.cmake" "$LIBDIR/cmake/comap/comap-config-version.cmake" \
        "$LIBDIR/pkgconfig/comap.pc" "$LIBDIR/pkgconfig/comap-win32.pc" "$LIBDIR/libcomap-win32.so" include/comap/win32/windows.h bin/comap; do
        [ -e "$prefix/$file" ] || complain "$file was not installed"
    done
    for file in "$LIBDIR/cmake/comap" "$LIBDIR/pkgconfig" include; do
        ! grep -rnF -e "$WORK" -e "$COMAP_SOURCE_DIR" -e "$COMAP_BINARY_DIR" "$prefix/$file" ||
            complain "$file names a directory of the build"
    done
    run_alone "$prefix/bin/comap" --version
}

# consume DIRECTORY CMAKE-ARGUMENTS...: builds the consumer project and runs each of its programs.
consume() {
    directory=$1
    shift
    rm -rf "$directory"
    "$CMAKE" -S "$here/consumer" -B "$directory" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@"
    "$CMAKE" --build "$directory" --parallel 2 --target cxx_shared cxx_static c_shared c_static c_win32
    for program in cxx_shared cxx_static c_shared c_static c_win32; do
        run_alone "$directory/$program"
    done
}

test_find_package() {
    consume "$WORK/find_package" "-DCMAKE_PREFIX_PATH=$prefix"
    grep -qF "comap_DIR:PATH=$prefix/" "$WORK/find_package/CMakeCache.txt" || complain "another comap was found"
}

# Without optimisation: the libraries are built anew here, and the installed ones are optimised.
test_add_subdirectory() { consume "$WORK/add_subdirectory" "-DCOMAP_SOURCE_DIR=$COMAP_SOURCE_DIR" -DCMAKE_BUILD_TYPE=None; }

use_pkg_config() {
    PKG_CONFIG_PATH=$prefix/$LIBDIR/pkgconfig
    export PKG_CONFIG_PATH
    [ "$(pkg-config --modversion comap)" = "$VERSION" ] || complain "comap.pc has another version"
    # The word with the path may be written with "..": compare the directories, not the words.
    directory=$(pkg-config --variable=libdir comap)
    [ "$(cd "$directory" && pwd -P)" = "$(cd "$prefix/$LIBDIR" && pwd -P)" ] || complain "comap.pc leads to $directory"
}

# shellcheck disable=SC2046,SC2086 # lists of flags
test_pkg_config_c() {
    use_pkg_config
    "$CC" -std=c11 -Wall -Wextra -pedantic -Werror $CFLAGS $(pkg-config --cflags comap) -o "$WORK/pkg_config_c" \
        "$here/consumer/consumer.c" $(pkg-config --libs comap) "-Wl,-rpath,$prefix/$LIBDIR"
    run_alone "$WORK/pkg_config_c"
    # The static library needs what comap.pc says in Libs.private.
    "$CC" -std=c11 $CFLAGS $(pkg-config --cflags comap) -o "$WORK/pkg_config_c_static" "$here/consumer/consumer.c" \
        "$prefix/$LIBDIR/libcomap.a" $(pkg-config --static --libs-only-l --libs-only-other comap | sed 's/-lcomap//')
    run_alone "$WORK/pkg_config_c_static"
    "$CC" -std=c11 -Wall -Wextra -pedantic -Werror $CFLAGS $(pkg-config --cflags comap-win32) -o "$WORK/pkg_config_win32" \
        "$here/consumer/consumer_win32.c" $(pkg-config --libs comap-win32) "-Wl,-rpath,$prefix/$LIBDIR"
    run_alone "$WORK/pkg_config_win32"
}

# shellcheck disable=SC2046,SC2086
test_pkg_config_cxx() {
    use_pkg_config
    "$CXX" -std=c++20 -Wall -Wextra -pedantic -Werror $CXXFLAGS $(pkg-config --cflags comap) -o "$WORK/pkg_config_cxx" \
        "$here/consumer/consumer.cpp" $(pkg-config --libs comap) "-Wl,-rpath,$prefix/$LIBDIR"
    run_alone "$WORK/pkg_config_cxx"
}

# The shared library shows comap_* and comap::* and nothing else, and all that comap.h declares.
test_symbols() {
    library=$COMAP_BINARY_DIR/src/libcomap.so
    mkdir -p "$WORK"
    nm -D --defined-only -C "$library" | sed 's/^[0-9a-f]* *//' >"$WORK/symbols"
    foreign=$(grep -vE '^[A-Za-z] (comap_[a-z0-9_]+|COMAP_0|comap::|(typeinfo|typeinfo name|vtable) for comap::)' "$WORK/symbols" |
        grep -vE '^A COMAP_0' || true)
    [ -z "$foreign" ] || complain "libcomap.so exports what is not its own:" "$foreign"
    # A demangled template begins with its return type, so the filter above catches std:: and tl::; this catches the rest.
    inner=$(grep -E ' comap::internal::|^[WVu] ' "$WORK/symbols" || true)
    [ -z "$inner" ] || complain "libcomap.so exports what is not public, or a weak instantiation:" "$inner"

    sed -n 's/^COMAP_API .*[ *]\(comap_[a-z0-9_]*\)(.*/\1/p' "$COMAP_SOURCE_DIR/include/comap/comap.h" | sort >"$WORK/declared"
    sed -n 's/^T \(comap_[a-z0-9_]*\)\(@.*\)\{0,1\}$/\1/p' "$WORK/symbols" | sort >"$WORK/defined"
    diff "$WORK/declared" "$WORK/defined" >&2 || complain "comap.h and libcomap.so do not have the same functions"
}


"test_$1"
