// Numbers and tables as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace freehold::app {

// "98.4 MB"; powers of a thousand.
std::string human_bytes(uint64_t bytes);
// "134.5 M", of parameters and the like.
std::string human_count(uint64_t count);
// "1:02:03" or "2:03".
std::string human_duration(double seconds);
// Width on a terminal: code points, wide ones twice.
size_t display_width(std::string_view text);

// Rows of cells in aligned columns, two spaces apart. `right` names the columns (from 0) aligned to
// the right.
std::string table(const std::vector<std::vector<std::string>>& rows,
                  const std::vector<size_t>& right = {});

}  // namespace freehold::app
