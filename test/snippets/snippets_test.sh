#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snippets_test.sh DOCUMENT: checks the code blocks of a Markdown document (a path below $SOURCE, or an absolute one).
#
# A fenced block in sh, bash, c or cpp needs a mark on a line of its own before it, else the test fails, so that none is
# forgotten. Blocks in other languages (text, json, cmake...) need none.
#   <!-- test: run -->          sh: succeeds; c, cpp: a whole program that compiles without a warning, links and succeeds
#   <!-- test: run STATUS -->   the same, but it ends with that exit status
#   <!-- test: compile -->      c, cpp: a whole file that compiles without a warning
#   <!-- test: body -->         c, cpp: statements; with the header and main() around them, as "run"
#   <!-- test: file NAME -->    is written to that file, for the blocks after it
#   <!-- test: skip REASON -->  is not checked; the reason is shown
# Each block has a new directory for objects ($COMAP_DIR) and may take a minute. The blocks of one document share a working
# directory. The shell finds `comap` in its PATH, and the compiler finds the headers and the library.
set -eu
document=$1
case $document in
    /*) ;;
    *) document=$SOURCE/$document ;;
esac
work=$(mktemp -d)
place=/dev/shm
[ -w "$place" ] || place=${TMPDIR:-/tmp}
objects=$(mktemp -d "$place/comap-snippets.XXXXXX")
trap 'rm -rf "$work" "$objects"' EXIT

PATH=$TOOL_DIR:$PATH
LD_LIBRARY_PATH=$LIBRARY_DIR
LIBRARY_PATH=$LIBRARY_DIR
CPATH=$SOURCE/include:$SOURCE/include/comap/win32
export PATH LD_LIBRARY_PATH LIBRARY_PATH CPATH
warnings="-Wall -Wextra -Werror"

# Writes block N to $work/N.code and "line language mark..." to the list. A mark belongs to the next block.
mkdir "$work/blocks" "$work/directory"
awk -v to="$work/blocks" '
    !inside && /^[ \t]*<!-- test: .* -->[ \t]*$/ {
        mark = $0
        sub(/^[ \t]*<!-- test: /, "", mark)
        sub(/ -->[ \t]*$/, "", mark)
        next
    }
    !inside && match($0, /^[ ]*(```+|~~~+)/) {
        fence = substr($0, 1, RLENGTH)
        indent = match(fence, /[`~]/) - 1
        fence = substr(fence, indent + 1)
        language = substr($0, indent + length(fence) + 1)
        gsub(/^[ \t]+|[ \t].*$/, "", language)
        inside = 1
        count++
        code = to "/" count ".code"
        printf "" >code
        print count, FNR, (language == "" ? "text" : language), mark >(to "/list")
        mark = ""
        next
    }
    inside {
        line = $0
        sub(/^[ ]*/, "", line)
        if (index(line, fence) == 1 && line ~ /^[`~]+[ \t]*$/) {
            inside = 0
            close(code)
            next
        }
        line = $0
        if (match(line, /^ */) && RLENGTH >= indent) line = substr(line, indent + 1)
        print line >code
        next
    }
    !/^[ \t]*$/ && mark != "" { print 0, FNR, "text", mark >(to "/list"); mark = "" }
    END {
        if (inside) print 0, FNR, "text", "unclosed" >(to "/list")
        if (mark != "") print 0, FNR, "text", mark >(to "/list")
    }' "$document"
[ -e "$work/blocks/list" ] || {
    echo "There is no code block in $1."
    exit 0
}

# in_place COMMAND...: runs it in the document's directory, with an empty directory for objects.
in_place() {
    COMAP_DIR=$(mktemp -d "$objects/block.XXXXXX")
    export COMAP_DIR
    (cd "$work/directory" && timeout 60 "$@" </dev/null)
}

# compile LANGUAGE FILE OUTPUT: a whole program; OUTPUT - for none.
compile() {
    case $1 in
        c) set -- "$CC" -std=c11 "$CFLAGS" "$2" "$3" ;;
        *) set -- "$CXX" -std=c++20 "$CXXFLAGS" "$2" "$3" ;;
    esac
    # shellcheck disable=SC2086 # lists of flags
    if [ "$5" = - ]; then
        "$1" "$2" $3 $warnings -fsyntax-only "$4"
    else
        "$1" "$2" $3 $warnings -o "$5" "$4" -lcomap -Wl,--as-needed -lcomap-win32
    fi
}

# Statements, made a program.
wrap_body() {
    case $1 in
        c)
            printf '#include <stdio.h>\n#include <string.h>\n#include <comap/comap.h>\nint main(void) {\n'
            ;;
        *)
            printf '#include <cstdio>\n#include <iostream>\n#include <string>\n#include <comap/comap.hpp>\nint main() {\n'
            ;;
    esac
    printf '#line 1 "block"\n'
    cat "$2"
    printf 'return 0;\n}\n'
}

# run_block NUMBER LANGUAGE: ends with the exit status of the block; 125 if it does not compile.
run_block() {
    code=$work/blocks/$1.code
    case $2 in
        sh) in_place sh -eu "$code" ;;
        bash) in_place bash -eu "$code" ;;
        *)
            cp "$code" "$work/$1.$2"
            compile "$2" "$work/$1.$2" "$work/$1.program" || return 125
            in_place "$work/$1.program"
            ;;
    esac
}

# check_block NUMBER LANGUAGE MARK...: succeeds if the block does what its mark says.
check_block() {
    number=$1
    language=$2
    mark=$3
    shift 3
    code=$work/blocks/$number.code
    case $mark:$language in
        run:*)
            wanted=${1:-0}
            run_block "$number" "$language" && status=0 || status=$?
            [ "$status" -eq "$wanted" ] || {
                echo "ended with $status, not with $wanted"
                return 1
            }
            ;;
        compile:c | compile:cpp)
            cp "$code" "$work/$number.$language"
            compile "$language" "$work/$number.$language" -
            ;;
        body:c | body:cpp)
            wrap_body "$language" "$code" >"$work/blocks/$number.wrapped"
            mv "$work/blocks/$number.wrapped" "$code"
            run_block "$number" "$language"
            ;;
        file:*)
            [ $# -eq 1 ] || return 1
            cp "$code" "$work/directory/$1"
            ;;
        *)
            echo "\"$mark\" is not a mark for a block in $language"
            return 1
            ;;
    esac
}

failed=0
while read -r number line language mark; do
    [ "$language" != c++ ] || language=cpp
    [ "$number" -ne 0 ] || {
        echo "FAILED  line $line: \"$mark\" belongs to no block"
        failed=1
        continue
    }
    case $language:$mark in
        *:skip | *:"skip ")
            echo "FAILED  line $line: a skipped block must say why"
            failed=1
            ;;
        *:skip*) echo "skipped line $line ($language): ${mark#skip }" ;;
        sh: | bash: | c: | cpp:)
            echo "FAILED  line $line: this block in $language has no mark; see test/snippets/snippets_test.sh"
            failed=1
            ;;
        *:) ;;
        *)
            # shellcheck disable=SC2086 # the words of the mark
            if check_block "$number" "$language" $mark >"$work/output" 2>&1; then
                echo "ok      line $line ($language): $mark"
            else
                echo "FAILED  line $line ($language): $mark"
                sed 's/^/        /' "$work/output"
                failed=1
            fi
            ;;
    esac
done <"$work/blocks/list"
exit $failed
