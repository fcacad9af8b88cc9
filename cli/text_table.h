// Columns as wide as their widest cell, two spaces between. Thread-safety: a value type.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"

namespace chainring::cli {

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  // REQUIRES: as many cells as the heading has.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  [[nodiscard]] std::string text() const {
    std::vector<size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    for (const auto& row : rows_) {
      std::string line;
      for (size_t i = 0; i < row.size(); ++i) {
        append_text(line, row[i], std::string(widths[i] + 2 - row[i].size(), ' '));
      }
      line.erase(line.find_last_not_of(' ') + 1);
      append_text(out, line, '\n');
    }
    return out;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace chainring::cli
