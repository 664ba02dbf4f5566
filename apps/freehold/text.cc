#include "text.h"

#include <fmt/core.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace freehold::app {
namespace {

std::string scaled(uint64_t value, const std::array<const char*, 5>& units) {
  double rest = static_cast<double>(value);
  size_t unit = 0;
  while (rest >= 999.5 && unit + 1 < units.size()) {
    rest /= 1000;
    ++unit;
  }
  if (unit == 0) return fmt::format("{}{}", value, units[0]);
  return fmt::format("{:.{}f}{}", rest, rest < 9.95 ? 2 : rest < 99.95 ? 1 : 0, units[unit]);
}

}  // namespace

std::string human_bytes(uint64_t bytes) {
  return scaled(bytes, {" B", " kB", " MB", " GB", " TB"});
}

std::string human_count(uint64_t count) { return scaled(count, {"", " k", " M", " B", " T"}); }

std::string human_duration(double seconds) {
  if (!(seconds < 360000)) return "--:--";
  const auto total = static_cast<uint64_t>(std::max(0.0, std::round(seconds)));
  if (total < 3600) return fmt::format("{}:{:02}", total / 60, total % 60);
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    utf8proc_int32_t code = 0;
    const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                    static_cast<utf8proc_ssize_t>(text.size()), &code);
    width += n > 0 ? static_cast<size_t>(std::max(0, utf8proc_charwidth(code))) : 1;
    text.remove_prefix(n > 0 ? static_cast<size_t>(n) : 1);
  }
  return width;
}

std::string table(const std::vector<std::vector<std::string>>& rows,
                  const std::vector<size_t>& right) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - display_width(row[i]), ' ');
      const bool to_right = std::find(right.begin(), right.end(), i) != right.end();
      if (i > 0) out += "  ";
      if (to_right) out += pad;
      out += row[i];
      if (!to_right && i + 1 < row.size()) out += pad;
    }
    out += '\n';
  }
  return out;
}

}  // namespace freehold::app
