// Owns the grammar of JSON itself. Numbers are kept to 15 digits and exponents to two, so that
// every reader gets the value that was meant and no model runs on in digits.
#include "server/json_grammar.h"

#include <algorithm>

namespace freehold::server {

JsonGrammar::JsonGrammar(GrammarBuilder& builder) : b_(builder) {
  const Expr line = b_.sequence({b_.text("\n"), b_.repeat(b_.text(" "), 0, 20)});
  space_ = b_.shared(b_.optional(b_.any_of({b_.text(" "), line})));
  colon_ = b_.shared(b_.sequence({b_.text(":"), b_.optional(b_.text(" "))}));
  comma_ = b_.shared(b_.sequence({b_.text(","), space_}));

  const auto hex = [&](std::string_view ranges) {
    std::vector<Expr> options;
    for (size_t i = 0; i < ranges.size(); i += 2) {
      options.push_back(
          b_.bytes(static_cast<uint8_t>(ranges[i]), static_cast<uint8_t>(ranges[i + 1])));
    }
    return b_.any_of(std::move(options));
  };
  const Expr any_hex = b_.shared(hex("09afAF"));
  // No surrogates: half of one would not be a character.
  const Expr below = b_.sequence({hex("09aceeffACEEFF"), any_hex, any_hex, any_hex});
  const Expr with_d = b_.sequence({hex("ddDD"), hex("07"), any_hex, any_hex});
  const Expr escape = b_.sequence(
      {b_.text("\\"), b_.any_of({hex("\"\"\\\\//bbffnnrrtt"),
                                 b_.sequence({b_.text("u"), b_.any_of({below, with_d})})})});
  const Expr plain = b_.code_points({{0x20, 0x21}, {0x23, 0x5b}, {0x5d, kLastCodePoint}});
  character_ = b_.shared(b_.any_of({plain, escape}));
  string_ = b_.shared(
      b_.sequence({b_.text("\""), b_.repeat(character_, 0, std::nullopt), b_.text("\"")}));

  const Expr digit = b_.bytes('0', '9');
  const Expr natural =
      b_.any_of({b_.text("0"), b_.sequence({b_.bytes('1', '9'), b_.repeat(digit, 0, 14)})});
  integer_ = b_.shared(b_.sequence({b_.optional(b_.text("-")), natural}));
  const Expr fraction = b_.sequence({b_.text("."), b_.repeat(digit, 1, 15)});
  const Expr exponent =
      b_.sequence({b_.any_of({b_.text("e"), b_.text("E")}),
                   b_.optional(b_.any_of({b_.text("+"), b_.text("-")})), b_.repeat(digit, 1, 2)});
  number_ = b_.shared(b_.sequence({integer_, b_.optional(fraction), b_.optional(exponent)}));
  boolean_ = b_.shared(b_.any_of({b_.text("true"), b_.text("false")}));
  null_ = b_.shared(b_.text("null"));

  const auto value = b_.new_rule();
  value_ = b_.call(value);
  const Expr member = b_.shared(b_.sequence({string_, colon_, value_}));
  const auto list = [&](const char* open, Expr item, const char* close) {
    const Expr more = b_.repeat(b_.sequence({comma_, item}), 0, std::nullopt);
    return b_.shared(b_.sequence(
        {b_.text(open), space_, b_.optional(b_.sequence({item, more, space_})), b_.text(close)}));
  };
  object_ = list("{", member, "}");
  array_ = list("[", value_, "]");
  b_.define(value, b_.any_of({object_, array_, string_, number_, boolean_, null_}));
}

JsonGrammar::Expr JsonGrammar::in_string(const CodePoints& ranges) {
  CodePoints plain;
  std::vector<Expr> options;
  const auto holds = [&](uint32_t c) {
    return std::ranges::any_of(ranges,
                               [&](const auto& r) { return r.first <= c && c <= r.second; });
  };
  for (const auto& [least, most] : ranges) {
    for (const auto& [from, to] : CodePoints{{0x20, 0x21}, {0x23, 0x5b}, {0x5d, kLastCodePoint}}) {
      if (least <= to && most >= from)
        plain.emplace_back(std::max(least, from), std::min(most, to));
    }
  }
  if (!plain.empty()) options.push_back(b_.code_points(plain));
  constexpr std::pair<uint32_t, const char*> kEscapes[] = {
      {'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {'\r', "\\r"},
      {'\t', "\\t"}, {'\b', "\\b"},  {'\f', "\\f"}};
  for (const auto& [c, escape] : kEscapes) {
    if (holds(c)) options.push_back(b_.text(escape));
  }
  return b_.any_of(std::move(options));
}

JsonGrammar::Expr JsonGrammar::digits_between(const std::string& least, const std::string& most) {
  const auto byte = [](char c) { return static_cast<uint8_t>(c); };
  if (least.empty()) return b_.nothing();
  const size_t rest = least.size() - 1;
  const std::string zeros(rest, '0');
  const std::string nines(rest, '9');
  const std::string low = least.substr(1);
  const std::string high = most.substr(1);
  if (low == zeros && high == nines) {
    const auto n = static_cast<uint32_t>(rest);
    return b_.sequence(
        {b_.bytes(byte(least[0]), byte(most[0])), b_.repeat(b_.bytes('0', '9'), n, n)});
  }
  if (least[0] == most[0]) {
    return b_.sequence({b_.bytes(byte(least[0]), byte(least[0])), digits_between(low, high)});
  }
  std::vector<Expr> options;
  options.push_back(
      b_.sequence({b_.bytes(byte(least[0]), byte(least[0])), digits_between(low, nines)}));
  options.push_back(
      b_.sequence({b_.bytes(byte(most[0]), byte(most[0])), digits_between(zeros, high)}));
  if (least[0] + 1 < most[0]) {
    const auto n = static_cast<uint32_t>(rest);
    options.push_back(b_.sequence(
        {b_.bytes(static_cast<uint8_t>(least[0] + 1), static_cast<uint8_t>(most[0] - 1)),
         b_.repeat(b_.bytes('0', '9'), n, n)}));
  }
  return b_.any_of(std::move(options));
}

JsonGrammar::Expr JsonGrammar::not_negative(uint64_t least, uint64_t most) {
  std::vector<Expr> options;
  while (least <= most) {
    const std::string from = std::to_string(least);
    const std::string nines(from.size(), '9');
    const uint64_t to = std::min<uint64_t>(most, std::stoull(nines));
    options.push_back(digits_between(from, std::to_string(to)));
    least = to + 1;
  }
  return b_.any_of(std::move(options));
}

JsonGrammar::Expr JsonGrammar::integers(int64_t least, int64_t most) {
  least = std::max(least, -kMaxInteger);
  most = std::min(most, kMaxInteger);
  std::vector<Expr> options;
  if (least > most) return b_.never();
  if (most >= 0) {
    options.push_back(not_negative(static_cast<uint64_t>(std::max<int64_t>(least, 0)),
                                   static_cast<uint64_t>(most)));
  }
  if (least < 0) {
    const auto from = static_cast<uint64_t>(std::max<int64_t>(-most, 1));
    options.push_back(
        b_.sequence({b_.text("-"), not_negative(from, static_cast<uint64_t>(-least))}));
  }
  return b_.any_of(std::move(options));
}

}  // namespace freehold::server
