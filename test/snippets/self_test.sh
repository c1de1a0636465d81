#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks snippets_test.sh: documents whose blocks must pass, and documents that must be refused.
set -eu
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# expect pass|fail TITLE, the document on standard input.
expect() {
    sed 's/^| \{0,1\}//' >"$work/document.md"
    if "$here/snippets_test.sh" "$work/document.md" >"$work/output" 2>&1; then result=pass; else result=fail; fi
    if [ "$result" = "$1" ]; then
        echo "ok      $2"
    else
        echo "FAILED  $2: expected $1"
        sed 's/^/        /' "$work/output"
        failed=1
    fi
}

expect pass "a shell block that uses the tool" <<'END'
| <!-- test: run -->
| ```sh
| comap put greeting hello
| test "$(comap get greeting)" = hello
| ```
END
expect pass "each block has its own objects" <<'END'
| <!-- test: run -->
| ```sh
| comap put greeting hello
| ```
| <!-- test: run 1 -->
| ```sh
| comap get greeting
| ```
END
expect pass "a whole C++ program, a whole C program, and statements" <<'END'
| <!-- test: run -->
| ```cpp
| #include <comap/comap.hpp>
| int main() { return comap::Section::create("a", 1) ? 0 : 1; }
| ```
| <!-- test: run 3 -->
| ```c
| #include <comap/comap.h>
| int main(void) { return comap_remove(NULL, "missing", NULL) == COMAP_NOT_FOUND ? 3 : 1; }
| ```
| <!-- test: body -->
| ```cpp
| auto text = comap::Text::create("a");
| if (!text) return 1;
| ```
| <!-- test: compile -->
| ```cpp
| int helper() { return 1; }
| ```
END
expect pass "a file for a later block, an indented block, a skipped one, and one in a language that is not checked" <<'END'
| <!-- test: file numbers.txt -->
| ```text
| 1 2 3
| ```
| 1. a list
|    <!-- test: run -->
|    ```sh
|    grep -qx '1 2 3' numbers.txt
|    ```
| <!-- test: skip needs another machine -->
| ```sh
| exit 1
| ```
| ```json
| {
| ```
END
expect fail "a block without a mark" <<'END'
| ```sh
| true
| ```
END
expect fail "a block that fails" <<'END'
| <!-- test: run -->
| ```sh
| false
| true
| ```
END
expect fail "a program that does not compile" <<'END'
| <!-- test: run -->
| ```cpp
| int main() { return missing; }
| ```
END
expect fail "a program with a warning" <<'END'
| <!-- test: compile -->
| ```cpp
| int main() { int unused; }
| ```
END
expect fail "a skipped block without a reason" <<'END'
| <!-- test: skip -->
| ```sh
| true
| ```
END
expect fail "a mark that does not exist" <<'END'
| <!-- test: runn -->
| ```sh
| true
| ```
END
expect fail "a mark without a block" <<'END'
| <!-- test: run -->
| Some text.
| ```text
| ```
END
expect fail "a block that is not closed" <<'END'
| <!-- test: run -->
| ```sh
| true
END
exit $failed
