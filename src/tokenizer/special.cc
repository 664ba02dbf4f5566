// A trie over the special tokens' bytes, its edges in one open-addressing table.
#include "tokenizer/special.h"

#include "tokenizer/unicode.h"

namespace freehold::tokenizer {
namespace {

size_t slot_of(uint64_t key, size_t size) {
  return static_cast<size_t>((key * 0x9E3779B97F4A7C15ULL) >> 20U) & (size - 1);
}

size_t previous_code_point(std::string_view text, size_t at) {
  do {
    --at;
  } while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0U) == 0x80U);
  return at;
}

bool is_word(std::string_view text, size_t at) {
  return text[at] == '_' || (place_at(text, at).classes & (kLetter | kMark | kNumber)) != 0;
}

}  // namespace

SpecialKind user_defined_kind(std::string_view text) {
  const bool markup = text.size() > 1 && ((text.front() == '<' && text.back() == '>') ||
                                          (text.front() == '[' && text.back() == ']'));
  return markup ? SpecialKind::kMarkup : SpecialKind::kPlain;
}

uint32_t SpecialMatcher::child(uint32_t node, uint8_t byte) const {
  if (edges_.empty()) return 0;
  const uint64_t key = (static_cast<uint64_t>(node) << 8) | byte;
  for (size_t at = slot_of(key, edges_.size());; at = (at + 1) & (edges_.size() - 1)) {
    if (edges_[at].key == key) return edges_[at].to;
    if (edges_[at].key == UINT64_MAX) return 0;
  }
}

void SpecialMatcher::grow() {
  std::vector<Edge> old = std::move(edges_);
  edges_.assign(old.empty() ? 64 : old.size() * 2, Edge{});
  for (const Edge& edge : old) {
    if (edge.key == UINT64_MAX) continue;
    size_t at = slot_of(edge.key, edges_.size());
    while (edges_[at].key != UINT64_MAX) at = (at + 1) & (edges_.size() - 1);
    edges_[at] = edge;
  }
}

uint32_t SpecialMatcher::add_child(uint32_t node, uint8_t byte) {
  if (const uint32_t existing = child(node, byte); existing != 0) return existing;
  if (n_edges_ * 2 >= edges_.size()) grow();
  const uint64_t key = (static_cast<uint64_t>(node) << 8) | byte;
  size_t at = slot_of(key, edges_.size());
  while (edges_[at].key != UINT64_MAX) at = (at + 1) & (edges_.size() - 1);
  const auto made = static_cast<uint32_t>(token_of_node_.size());
  edges_[at] = {key, made};
  token_of_node_.push_back(-1);
  ++n_edges_;
  return made;
}

base::Status SpecialMatcher::build(std::vector<SpecialToken> tokens) {
  tokens_ = std::move(tokens);
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const SpecialToken& token = tokens_[i];
    // Cutting elsewhere than between code points would leave broken text on both sides.
    if (token.text.empty() || !is_valid_utf8(token.text)) continue;
    if (token.text.size() > kMaxTextBytes) {
      return base::fail(base::ErrorCode::kLimitExceeded,
                        "special token " + std::to_string(token.id) + " is " +
                            std::to_string(token.text.size()) + " bytes long; at most " +
                            std::to_string(kMaxTextBytes) + " are read");
    }
    uint32_t node = 0;
    for (const char byte : token.text) node = add_child(node, static_cast<uint8_t>(byte));
    if (token_of_node_[node] < 0) token_of_node_[node] = static_cast<int32_t>(i);
    begins_[static_cast<uint8_t>(token.text.front())] = true;
  }
  return {};
}

bool SpecialMatcher::stands_alone(std::string_view text, size_t begin, size_t end) const {
  if (begin > 0 && is_word(text, previous_code_point(text, begin))) return false;
  return end >= text.size() || !is_word(text, end);
}

void SpecialMatcher::for_each(std::string_view text, Allowed allowed,
                              base::FunctionRef<void(const SpecialMatch&)> on_match) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    if (!begins_[static_cast<uint8_t>(text[at])]) {
      ++at;
      continue;
    }
    const SpecialToken* best = nullptr;
    uint32_t node = 0;
    for (size_t end = at; end < text.size();) {
      node = child(node, static_cast<uint8_t>(text[end]));
      if (node == 0) break;
      ++end;
      if (token_of_node_[node] < 0) continue;
      const SpecialToken& token = tokens_[static_cast<size_t>(token_of_node_[node])];
      if (token.single_word && !stands_alone(text, at, end)) continue;
      if (allowed(token.kind, at, end)) best = &token;
    }
    if (best == nullptr) {
      ++at;
      continue;
    }
    SpecialMatch match{at, at + best->text.size(), best->id};
    while (best->lstrip && match.begin > done) {
      const size_t previous = previous_code_point(text, match.begin);
      if (previous < done || (place_at(text, previous).classes & kSpace) == 0) break;
      match.begin = previous;
    }
    if (best->rstrip) match.end = skip(text, match.end, kSpace);
    on_match(match);
    at = done = match.end;
  }
}

}  // namespace freehold::tokenizer
