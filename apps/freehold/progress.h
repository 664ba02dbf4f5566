// A bar on standard error for what takes long; silent where that is not a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freehold::app {

class ProgressBar {
 public:
  explicit ProgressBar(std::string title);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  // Bytes with their rate and the time left. Cheap to call often.
  void bytes(uint64_t done, std::optional<uint64_t> total);
  // A share from 0 to 1 and what is being done.
  void share(double done, std::string_view what);
  // Takes the bar away.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool due();
  void draw(double share, const std::string& text);

  std::string title_;
  bool enabled_;
  bool drawn_ = false;
  std::optional<Clock::time_point> start_;
  uint64_t start_bytes_ = 0;
  Clock::time_point last_{};
};

// One line of a bar `width` columns wide: "title  [=====>    ]  42 %  text"; for its tests.
std::string progress_line(std::string_view title, double share, std::string_view text,
                          size_t width);

}  // namespace freehold::app
