// Owns the schemas of strings and numbers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "server/regex_grammar.h"
#include "server/schema_compiler.h"

namespace freehold::server {
namespace {

using Json = nlohmann::ordered_json;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr uint64_t kMaxLength = 20'000;
constexpr int64_t kMaxMultiple = 1000;
constexpr size_t kMaxListed = 5000;

// Parts of what each format allows, all of it easy to say: no 29th to 31st of a month, no leap
// seconds, IPv6 in full.
const std::map<std::string_view, std::string_view> kFormats = {
    {"date", "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"},
    {"time",
     "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])"
     "$"},
    {"date-time",
     "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
     "(\\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])$"},
    {"duration", "^P([0-9]{1,4}W|[0-9]{1,4}D(T[0-9]{1,4}H)?|T[0-9]{1,4}[HMS])$"},
    {"email",
     "^[a-z0-9]{1,16}([._+-][a-z0-9]{1,16}){0,3}@[a-z0-9]{1,16}(-[a-z0-9]{1,16}){0,2}(\\.[a-z]{2,"
     "10}){1,3}$"},
    {"hostname", "^[a-z0-9]{1,16}(-[a-z0-9]{1,16}){0,2}(\\.[a-z]{1,16}){0,4}$"},
    {"ipv4",
     "^(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\\.(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-"
     "9])){3}$"},
    {"ipv6", "^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"}};

struct Bounds {
  double least = -INFINITY;
  double most = INFINITY;
  bool least_open = false;
  bool most_open = false;

  bool holds(double value) const {
    return (least_open ? value > least : value >= least) &&
           (most_open ? value < most : value <= most);
  }
  bool any() const { return std::isfinite(least) || std::isfinite(most); }
  // The whole numbers within, as far as this server writes them.
  int64_t first() const {
    if (least < -1e15) return -kMaxInteger;
    const double up = std::ceil(std::min(least, 1e15));
    return static_cast<int64_t>(least_open && up == least ? up + 1 : up);
  }
  int64_t last() const {
    if (most > 1e15) return kMaxInteger;
    const double down = std::floor(std::max(most, -1e15));
    return static_cast<int64_t>(most_open && down == most ? down - 1 : down);
  }
};

Result<Bounds> bounds_of(const Json& schema) {
  Bounds bounds;
  const auto take = [&](const char* keyword, bool lower, bool open) -> base::Status {
    const auto found = schema.find(keyword);
    if (found == schema.end()) return {};
    if (!found->is_number()) {
      return fail(ErrorCode::kBadFormat, fmt::format("`{}` must be a number", keyword));
    }
    const double value = found->get<double>();
    if (lower && (value > bounds.least || (value == bounds.least && open))) {
      bounds.least = value;
      bounds.least_open = open;
    }
    if (!lower && (value < bounds.most || (value == bounds.most && open))) {
      bounds.most = value;
      bounds.most_open = open;
    }
    return {};
  };
  FREEHOLD_TRY(take("minimum", true, false));
  FREEHOLD_TRY(take("exclusiveMinimum", true, true));
  FREEHOLD_TRY(take("maximum", false, false));
  FREEHOLD_TRY(take("exclusiveMaximum", false, true));
  return bounds;
}

}  // namespace

Result<SchemaCompiler::Expr> SchemaCompiler::compile_string(const Json& schema) {
  FREEHOLD_ASSIGN(const uint64_t least, schema_count(schema, "minLength", kMaxLength, 0));
  const bool bounded = schema.contains("maxLength");
  // A bound beyond what we count is no bound that a model would reach.
  FREEHOLD_ASSIGN(const uint64_t most, schema_count(schema, "maxLength", UINT32_MAX, 0));
  if (bounded && most < least) return b_.never();
  std::string pattern;
  if (schema.contains("pattern")) {
    if (!schema["pattern"].is_string()) {
      return fail(ErrorCode::kBadFormat, "`pattern` must be a string");
    }
    pattern = schema["pattern"].get<std::string>();
  }
  const auto format = schema.find("format");
  const bool known_format = format != schema.end() && format->is_string() &&
                            kFormats.contains(format->get<std::string>());
  if (known_format && !pattern.empty()) {
    return fail(ErrorCode::kUnsupported, "`format` beside `pattern`");
  }
  if (known_format) pattern = kFormats.at(format->get<std::string>());
  if (!pattern.empty()) {
    if (least > 0 || bounded) {
      return fail(ErrorCode::kUnsupported,
                  "`minLength` or `maxLength` beside `pattern` or `format`");
    }
    FREEHOLD_ASSIGN(const Expr inner, regex_in_string(pattern, b_, json_));
    return b_.sequence({b_.text("\""), inner, b_.text("\"")});
  }
  if (least == 0 && !bounded) return json_.string();
  const auto cap = static_cast<uint32_t>(std::min(most, std::max(least, kMaxLength)));
  const Expr inner = b_.repeat(json_.character(), static_cast<uint32_t>(least),
                               bounded ? std::optional(cap) : std::nullopt);
  return b_.sequence({b_.text("\""), inner, b_.text("\"")});
}

// Digits from the left; a state is the remainder so far.
SchemaCompiler::Expr SchemaCompiler::multiples(int64_t of) {
  std::vector<GrammarBuilder::Rule> rest;
  for (int64_t i = 0; i < of; ++i) rest.push_back(b_.new_rule());
  const auto digits = [&](int64_t remainder, uint8_t from) {
    std::vector<Expr> options;
    for (uint8_t d = from; d <= 9; ++d) {
      const auto next = static_cast<size_t>((remainder * 10 + d) % of);
      const auto digit = static_cast<uint8_t>('0' + d);
      options.push_back(b_.sequence({b_.bytes(digit, digit), b_.call(rest[next])}));
    }
    return options;
  };
  for (int64_t i = 0; i < of; ++i) {
    std::vector<Expr> options = digits(i, 0);
    if (i == 0) options.push_back(b_.nothing());
    b_.define(rest[static_cast<size_t>(i)], b_.any_of(std::move(options)));
  }
  const Expr nonzero = b_.sequence({b_.optional(b_.text("-")), b_.any_of(digits(0, 1))});
  return b_.any_of({b_.text("0"), nonzero});
}

Result<SchemaCompiler::Expr> SchemaCompiler::compile_number(const Json& schema, bool whole) {
  FREEHOLD_ASSIGN(const Bounds bounds, bounds_of(schema));
  const int64_t first = bounds.first();
  const int64_t last = bounds.last();
  if (const auto multiple = schema.find("multipleOf"); multiple != schema.end()) {
    const double of = multiple->is_number() ? multiple->get<double>() : 0;
    if (of < 1 || of > static_cast<double>(kMaxMultiple) || of != std::floor(of)) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("`multipleOf` must be a whole number from 1 to {}", kMaxMultiple));
    }
    const auto step = static_cast<int64_t>(of);
    if (!bounds.any()) return b_.shared(multiples(step));
    if (static_cast<uint64_t>(std::max<int64_t>(last - first, 0)) / static_cast<uint64_t>(step) >
        kMaxListed) {
      return fail(ErrorCode::kUnsupported, "`multipleOf` beside a range of so many values");
    }
    std::vector<Expr> options;
    for (int64_t value = first; value <= last; ++value) {
      if (value % step == 0) options.push_back(b_.text(std::to_string(value)));
    }
    return b_.shared(b_.any_of(std::move(options)));
  }
  if (!bounds.any()) return whole ? json_.integer() : json_.number();
  const Expr integers = b_.shared(json_.integers(first, last));
  if (whole) return integers;
  std::vector<Expr> options = {integers};
  const Expr fraction = b_.sequence({b_.text("."), b_.repeat(b_.bytes('0', '9'), 1, 12)});
  // n.ddd lies between n and n + 1; below zero, between -n - 1 and -n.
  const int64_t from = std::max<int64_t>(first, 0);
  if (from < last) options.push_back(b_.sequence({json_.integers(from, last - 1), fraction}));
  const int64_t to = std::min<int64_t>(last, 0);
  if (first < to) {
    const Expr digits = json_.integers(-to, -(first + 1));
    options.push_back(b_.sequence({b_.text("-"), digits, fraction}));
  }
  // Narrow ranges have few or no whole numbers in them: list some decimals.
  for (const int decimals : {1, 2, 3, 6}) {
    const double scale = std::pow(10.0, decimals);
    const double low = std::ceil(bounds.least * scale);
    const double high = std::floor(bounds.most * scale);
    if (!(high - low >= 0) || high - low > 200 || std::abs(low) > 1e12) continue;
    for (double step = low; step <= high; ++step) {
      const std::string text = fmt::format("{:.{}f}", step / scale, decimals);
      if (bounds.holds(std::stod(text))) options.push_back(b_.text(text));
    }
    break;
  }
  return b_.shared(b_.any_of(std::move(options)));
}

}  // namespace freehold::server
