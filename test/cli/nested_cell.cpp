// SPDX-License-Identifier: Apache-2.0
// Makes the kept cell that is named on the command line, with nested records and arrays of them, and padding in them.
#include <cstdio>

#include <comap/cell.hpp>

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const auto type = comap::RecordType::parse("T{<T{d:ask:(2)T{i:x:4s:s:}:pts:}:book:(2)T{d:price:?:on:7x}:legs:(2,2)T{b:v:}:g:}");
    if (!type) return std::fprintf(stderr, "%s\n", type.error().message.c_str()), 1;
    comap::CellOptions options;
    options.keep = true;
    const auto cell = comap::RawCell::create(argv[1], *type, options);
    if (!cell) return std::fprintf(stderr, "%s\n", cell.error().message.c_str()), 1;
    return 0;
}
