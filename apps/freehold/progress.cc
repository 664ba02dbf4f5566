#include "progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "text.h"

namespace freehold::app {
namespace {

size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

ProgressBar::ProgressBar(std::string title)
    : title_(std::move(title)), enabled_(::isatty(STDERR_FILENO) == 1) {}

bool ProgressBar::due() {
  const auto now = Clock::now();
  if (!enabled_ || (drawn_ && now - last_ < std::chrono::milliseconds(100))) return false;
  last_ = now;
  return true;
}

void ProgressBar::bytes(uint64_t done, std::optional<uint64_t> total) {
  if (!start_) {
    start_ = Clock::now();
    start_bytes_ = done;
  }
  const bool complete = total && done == *total;
  if (!due() && !(complete && enabled_)) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - *start_).count();
  const double rate = static_cast<double>(done - std::min(done, start_bytes_)) / (seconds + 1e-9);
  std::string text = human_bytes(done);
  if (total) text += " of " + human_bytes(*total);
  if (seconds > 0.2) text += "  " + human_bytes(static_cast<uint64_t>(rate)) + "/s";
  double share = 0;
  if (total && *total > 0) {
    share = static_cast<double>(done) / static_cast<double>(*total);
    if (seconds > 1) {
      text += "  " + human_duration(static_cast<double>(*total - std::min(done, *total)) / rate);
    }
  }
  draw(share, text);
}

void ProgressBar::share(double done, std::string_view what) {
  if (due()) draw(done, std::string(what));
}

void ProgressBar::draw(double share, const std::string& text) {
  fmt::print(stderr, "\r\x1b[K{}", progress_line(title_, share, text, terminal_width() - 1));
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

std::string progress_line(std::string_view title, double share, std::string_view text,
                          size_t width) {
  constexpr size_t kMaxBar = 30;
  constexpr size_t kMinBar = 8;
  const double clamped = std::clamp(share, 0.0, 1.0);
  const std::string end = fmt::format(" {:3.0f} %  {}", clamped * 100, text);
  const size_t used = display_width(title) + display_width(end) + 5;
  if (used + kMinBar > width) return fmt::format("{}{}", title, end);
  const size_t bar = std::min(kMaxBar, width - used);
  const auto full = static_cast<size_t>(clamped * static_cast<double>(bar));
  return fmt::format("{}  [{}{}]{}", title, std::string(full, '='), std::string(bar - full, ' '),
                     end);
}

}  // namespace freehold::app
