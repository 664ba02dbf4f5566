// Owns the laying out of expressions as networks. Recursion here is as deep as expressions are
// nested, which those who build them bound.
#include "server/grammar.h"

#include <algorithm>

namespace freehold::server {
namespace {

std::string utf8(uint32_t code_point) {
  std::string out;
  const auto tail = [&](int shift) {
    out += static_cast<char>(0x80U | (code_point >> static_cast<unsigned>(shift) & 0x3fU));
  };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xc0U | code_point >> 6U);
    tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xe0U | code_point >> 12U);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0U | code_point >> 18U);
    tail(12);
    tail(6);
    tail(0);
  }
  return out;
}

// Cuts a range where the length of UTF-8 changes, and around the surrogates, which have none.
CodePoints encodable(const CodePoints& ranges) {
  constexpr std::pair<uint32_t, uint32_t> kPieces[] = {
      {0, 0x7f}, {0x80, 0x7ff}, {0x800, 0xd7ff}, {0xe000, 0xffff}, {0x10000, kLastCodePoint}};
  CodePoints out;
  for (const auto& [least, most] : ranges) {
    for (const auto& [from, to] : kPieces) {
      if (least <= to && most >= from) out.emplace_back(std::max(least, from), std::min(most, to));
    }
  }
  return out;
}

}  // namespace

CodePoints complement(CodePoints ranges) {
  std::ranges::sort(ranges);
  CodePoints out;
  uint32_t next = 0;
  for (const auto& [least, most] : ranges) {
    if (least > next) out.emplace_back(next, least - 1);
    next = std::max(next, most + 1);
  }
  if (next <= kLastCodePoint) out.emplace_back(next, kLastCodePoint);
  return out;
}

GrammarBuilder::Expr GrammarBuilder::add(Item item) {
  if (items_.size() >= kMaxNodes) {
    too_large_ = true;
    return 0;
  }
  items_.push_back(std::move(item));
  return static_cast<Expr>(items_.size() - 1);
}

GrammarBuilder::Expr GrammarBuilder::never() { return any_of({}); }

GrammarBuilder::Expr GrammarBuilder::bytes(uint8_t least, uint8_t most) {
  return add({.kind = Kind::kSymbols, .parts = {}, .first = least, .last = most});
}

GrammarBuilder::Expr GrammarBuilder::text(std::string_view text) {
  std::vector<Expr> parts;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    parts.push_back(bytes(byte, byte));
  }
  return sequence(std::move(parts));
}

GrammarBuilder::Expr GrammarBuilder::special(std::string_view text) {
  auto found = std::ranges::find(specials_, text);
  if (found == specials_.end()) found = specials_.insert(specials_.end(), std::string(text));
  const auto symbol = static_cast<uint32_t>(256 + (found - specials_.begin()));
  return add({.kind = Kind::kSymbols, .parts = {}, .first = symbol, .last = symbol});
}

GrammarBuilder::Expr GrammarBuilder::sequence(std::vector<Expr> items) {
  if (items.size() == 1) return items.front();
  return add({.kind = Kind::kSequence, .parts = std::move(items)});
}

GrammarBuilder::Expr GrammarBuilder::any_of(std::vector<Expr> items) {
  if (items.size() == 1) return items.front();
  return add({.kind = Kind::kAnyOf, .parts = std::move(items)});
}

GrammarBuilder::Expr GrammarBuilder::repeat(Expr item, uint32_t least,
                                            std::optional<uint32_t> most) {
  return add({.kind = Kind::kRepeat,
              .parts = {item},
              .first = least,
              .last = most.value_or(0),
              .endless = !most});
}

GrammarBuilder::Rule GrammarBuilder::new_rule() {
  rules_.push_back(never());
  return static_cast<Rule>(rules_.size() - 1);
}

GrammarBuilder::Expr GrammarBuilder::call(Rule rule) {
  return add({.kind = Kind::kCall, .parts = {}, .first = rule});
}

GrammarBuilder::Expr GrammarBuilder::shared(Expr expr) {
  const Rule rule = new_rule();
  define(rule, expr);
  return call(rule);
}

// A range of one encoded length: first byte apart, then the ranges of what follows. Splitting at
// equal prefixes gives at most a few pieces for each byte.
GrammarBuilder::Expr GrammarBuilder::code_points(const CodePoints& ranges) {
  std::vector<Expr> pieces;
  for (const auto& [least, most] : encodable(ranges)) {
    // Between least and most of equal length: walk the digits as with decimal numbers.
    struct Span {
      std::string from, to;
    };
    std::vector<std::pair<std::string, Span>> work = {{"", {utf8(least), utf8(most)}}};
    while (!work.empty()) {
      auto [prefix, span] = std::move(work.back());
      work.pop_back();
      const auto a = static_cast<uint8_t>(span.from[0]);
      const auto b = static_cast<uint8_t>(span.to[0]);
      const std::string low = span.from.substr(1);
      const std::string high = span.to.substr(1);
      const bool all_low = std::ranges::all_of(low, [](char c) { return c == '\x80'; });
      const bool all_high = std::ranges::all_of(high, [](char c) { return c == '\xbf'; });
      if (all_low && all_high) {
        std::vector<Expr> parts = {text(prefix), bytes(a, b)};
        for (size_t i = 0; i < low.size(); ++i) parts.push_back(bytes(0x80, 0xbf));
        pieces.push_back(sequence(std::move(parts)));
      } else if (a == b) {
        work.push_back({prefix + span.from[0], {low, high}});
      } else {
        const std::string bottom(low.size(), '\x80');
        const std::string top(low.size(), '\xbf');
        const auto one = [&](uint8_t byte, const std::string& from, const std::string& to) {
          const char c = static_cast<char>(byte);
          work.push_back({prefix, {c + from, c + to}});
        };
        if (!all_low) one(a, low, top);
        if (!all_high) one(b, bottom, high);
        const int from = a + (all_low ? 0 : 1);
        const int to = b - (all_high ? 0 : 1);
        if (from <= to) {
          work.push_back({prefix, {static_cast<char>(from) + bottom, static_cast<char>(to) + top}});
        }
      }
    }
  }
  return any_of(std::move(pieces));
}

uint32_t GrammarBuilder::node(Grammar& grammar) {
  if (grammar.nodes.size() >= kMaxNodes) {
    too_large_ = true;
    return 0;
  }
  grammar.nodes.emplace_back();
  return static_cast<uint32_t>(grammar.nodes.size() - 1);
}

uint32_t GrammarBuilder::lay_repeat(Grammar& grammar, const Item& item, uint32_t from) {
  const Expr part = item.parts[0];
  for (uint32_t i = 0; i < item.first && !too_large_; ++i) from = lay(grammar, part, from);
  if (item.endless) {
    const uint32_t loop = node(grammar);
    grammar.nodes[from].skips.push_back(loop);
    const uint32_t end = lay(grammar, part, loop);
    grammar.nodes[end].skips.push_back(loop);
    return loop;
  }
  const uint32_t last = node(grammar);
  for (uint32_t i = item.first; i < item.last && !too_large_; ++i) {
    grammar.nodes[from].skips.push_back(last);
    from = lay(grammar, part, from);
  }
  grammar.nodes[from].skips.push_back(last);
  return last;
}

uint32_t GrammarBuilder::lay(Grammar& grammar, Expr expr, uint32_t from) {
  if (too_large_) return 0;
  const Item& item = items_[expr];
  switch (item.kind) {
    case Kind::kSequence:
      for (const Expr part : item.parts) from = lay(grammar, part, from);
      return from;
    case Kind::kAnyOf: {
      const uint32_t end = node(grammar);
      for (const Expr part : item.parts) {
        // A node of its own, so that a loop in one alternative doesn't come back into another.
        const uint32_t begin = node(grammar);
        grammar.nodes[from].skips.push_back(begin);
        const uint32_t last = lay(grammar, part, begin);
        grammar.nodes[last].skips.push_back(end);
      }
      return end;
    }
    case Kind::kSymbols: {
      const uint32_t end = node(grammar);
      grammar.nodes[from].edges.push_back(
          {static_cast<uint16_t>(item.first), static_cast<uint16_t>(item.last), end});
      return end;
    }
    case Kind::kCall: {
      const uint32_t end = node(grammar);
      grammar.nodes[from].calls.push_back({item.first, end});
      return end;
    }
    case Kind::kRepeat:
      return lay_repeat(grammar, item, from);
  }
  return from;
}

base::Result<Grammar> GrammarBuilder::finish(Expr root) {
  rules_[0] = root;
  Grammar grammar;
  grammar.specials = specials_;
  for (const Expr rule : rules_) {
    const uint32_t start = node(grammar);
    grammar.starts.push_back(start);
    const uint32_t end = lay(grammar, rule, start);
    if (too_large_) break;
    grammar.nodes[end].final = true;
  }
  if (too_large_) {
    return base::fail(base::ErrorCode::kLimitExceeded, "the grammar or schema is too large: over " +
                                                           std::to_string(kMaxNodes) +
                                                           " places; use smaller repetitions");
  }
  if (!prune(grammar)) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "the grammar or schema is impossible: no text can satisfy it");
  }
  if (has_left_recursion(grammar)) {
    return base::fail(base::ErrorCode::kUnsupported,
                      "the grammar is left-recursive: a rule begins with itself");
  }
  return grammar;
}

}  // namespace freehold::server
