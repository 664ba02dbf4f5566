#include "chat/template.h"

#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "chat/jinja_interpreter.h"
#include "chat/jinja_parser.h"

namespace freehold::chat {

using base::ErrorCode;
using base::Result;

namespace {

// Reads "2026-01-15T12:30:00", with or without seconds or time.
Result<std::tm> parse_time(std::string_view text) {
  const auto bad = [&] {
    return base::fail(ErrorCode::kInvalidArgument,
                      "`now` is `" + std::string(text) + "`; give it as 2026-01-15T12:30:00");
  };
  int fields[6] = {0, 1, 1, 0, 0, 0};
  static constexpr std::string_view kSeparators = "--T::";
  size_t i = 0;
  size_t n = 0;
  for (; n < 6 && i < text.size(); ++n) {
    const auto [end, code] = std::from_chars(text.data() + i, text.data() + text.size(), fields[n]);
    if (code != std::errc()) return bad();
    i = static_cast<size_t>(end - text.data());
    if (i == text.size()) continue;
    const bool space = n == 2 && text[i] == ' ';
    if (n == 5 || (text[i] != kSeparators[n] && !space)) return bad();
    ++i;
  }
  using std::chrono::day;
  using std::chrono::month;
  using std::chrono::year;
  const auto [y, mo, d, h, mi, s] = fields;
  if (n < 3 || mo < 1 || d < 1) return bad();
  const std::chrono::year_month_day date(year(y), month(static_cast<unsigned>(mo)),
                                         day(static_cast<unsigned>(d)));
  const bool valid_time = h >= 0 && h < 24 && mi >= 0 && mi < 60 && s >= 0 && s < 61;
  if (y < 0 || y > 9999 || !date.ok() || !valid_time) return bad();
  std::tm out{};
  out.tm_year = y - 1900;
  out.tm_mon = mo - 1;
  out.tm_mday = d;
  out.tm_hour = h;
  out.tm_min = mi;
  out.tm_sec = s;
  const auto days = std::chrono::sys_days(date);
  out.tm_wday = static_cast<int>(std::chrono::weekday(days).c_encoding());
  out.tm_yday = static_cast<int>((days - std::chrono::sys_days(year(y) / 1 / 1)).count());
  return out;
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm out{};
  localtime_r(&now, &out);
  return out;
}

Result<Text> render_text(const Program& program, const Json& variables,
                         const RenderOptions& options) {
  if (!variables.is_object()) {
    return base::fail(ErrorCode::kInvalidArgument, "a template's variables are a JSON object");
  }
  std::tm now = local_time();
  if (!options.now.empty()) {
    FREEHOLD_ASSIGN(now, parse_time(options.now));
  }
  return Interpreter(program, options.limits, now).run(variables, options.trusted_variables);
}

}  // namespace

Result<Template> Template::parse(std::string_view source) {
  FREEHOLD_ASSIGN(std::shared_ptr<const Program> program, parse_program(source));
  return Template(std::move(program));
}

Result<std::string> Template::render(const Json& variables, const RenderOptions& options) const {
  FREEHOLD_ASSIGN(const Text text, render_text(*program_, variables, options));
  return text.bytes();
}

Result<std::vector<Segment>> Template::render_segments(const Json& variables,
                                                       const RenderOptions& options) const {
  FREEHOLD_ASSIGN(const Text text, render_text(*program_, variables, options));
  return text.segments();
}

std::string_view Template::source() const { return program_->source; }

}  // namespace freehold::chat
