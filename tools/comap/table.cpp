// SPDX-License-Identifier: Apache-2.0
#include "table.hpp"

#include <algorithm>

#include "unicode.hpp"

namespace comap::tool {
namespace {

void append_cell(std::string& line, const std::string& text, std::size_t width, bool is_number, bool is_last) {
    const std::size_t own_width = display_width(text);
    const std::string padding(width > own_width ? width - own_width : 0, ' ');
    if (is_number) line += padding;
    line += text;
    if (!is_number && !is_last) line += padding;
    if (!is_last) line += "  ";
}

}  // namespace

std::vector<std::size_t> Table::widths(bool with_headings) const {
    std::vector<std::size_t> widths(columns_.size(), 0);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (with_headings) widths[i] = columns_[i].heading.size();
        for (const auto& row : rows_) widths[i] = std::max(widths[i], display_width(row[i]));
    }
    return widths;
}

void Table::print(Output& out, bool with_headings) const {
    const auto width = widths(with_headings);
    const auto line_of = [&](auto&& text_of) {
        std::string line;
        for (std::size_t i = 0; i < columns_.size(); ++i)
            append_cell(line, text_of(i), width[i], columns_[i].is_number, i + 1 == columns_.size());
        return line;
    };
    if (with_headings)
        out.print("{}\n", out.styled(line_of([&](std::size_t i) -> const std::string& { return columns_[i].heading; }), Style::bold));
    for (const auto& row : rows_) {
        out.write(line_of([&](std::size_t i) -> const std::string& { return row[i]; }));
        out.write("\n");
    }
}

}  // namespace comap::tool
