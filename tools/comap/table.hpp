// SPDX-License-Identifier: Apache-2.0
// Rows under headings, in columns as wide as they must be.
#pragma once

#include <string>
#include <vector>

#include "output.hpp"

namespace comap::tool {

struct TableColumn {
    std::string heading;
    bool is_number = false;  // aligned to the right
};

class Table {
  public:
    explicit Table(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

    // One text, already escaped, per column.
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    void print(Output& out, bool with_headings) const;

  private:
    std::vector<std::size_t> widths(bool with_headings) const;
    std::vector<TableColumn> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace comap::tool
