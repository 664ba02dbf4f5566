// Owns the tree of a vocabulary. Built once a model; about 10 MB for 150,000 tokens.
#include "server/token_trie.h"

#include <algorithm>
#include <limits>

namespace freehold::server {
namespace {

// Whole UTF-8, nothing that a JSON string writes in another way.
bool is_plain(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size();) {
    const auto at = [&](size_t j) { return static_cast<unsigned char>(bytes[j]); };
    const unsigned char lead = at(i);
    if (lead < 0x80) {
      if (lead < 0x20 || lead == '"' || lead == '\\') return false;
      ++i;
      continue;
    }
    if (lead < 0xc2 || lead > 0xf4) return false;
    const size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (i + size > bytes.size()) return false;
    const unsigned char second = at(i + 1);
    const bool odd = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                     (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
    if (odd) return false;
    for (size_t j = 1; j < size; ++j) {
      if ((at(i + j) & 0xc0U) != 0x80) return false;
    }
    i += size;
  }
  return true;
}

}  // namespace

TokenTrie::TokenTrie(const Model& model) : vocabulary_(model.vocabulary()) {
  plain_.assign((vocabulary_ + 63) / 64, 0);
  bytes_.resize(vocabulary_);
  ends_.assign(model.end_ids().begin(), model.end_ids().end());
  std::vector<TokenId> all;
  std::vector<TokenId> special;
  for (TokenId id = 0; static_cast<uint32_t>(id) < vocabulary_; ++id) {
    const std::string text(model.piece(id, true));
    if (text.empty()) continue;
    if (model.is_control(id)) {
      controls_.emplace_back(text, id);
      continue;
    }
    // What looks like markup is a marker even where the file calls it ordinary.
    if (text.size() > 2 && text.front() == '<' && text.back() == '>')
      controls_.emplace_back(text, id);
    bytes_[static_cast<size_t>(id)] = text;
    all.push_back(id);
    if (is_plain(text)) {
      insert(plain_, id);
    } else {
      special.push_back(id);
    }
  }
  std::ranges::sort(controls_);
  all_ = build(std::move(all));
  special_ = build(std::move(special));
}

std::vector<TokenTrie::Node> TokenTrie::build(std::vector<TokenId> tokens) {
  std::ranges::sort(tokens, [&](TokenId a, TokenId b) { return bytes(a) < bytes(b); });
  std::vector<Node> nodes;
  std::vector<uint32_t> path;  // nodes from the root to here
  std::string_view before;
  const auto leave = [&](size_t depth) {
    while (path.size() > depth) {
      nodes[path.back()].end = static_cast<uint32_t>(nodes.size());
      path.pop_back();
    }
  };
  for (const TokenId id : tokens) {
    const std::string& text = bytes(id);
    const auto [left, right] = std::ranges::mismatch(before, text);
    const auto common = static_cast<size_t>(left - before.begin());
    leave(common);
    for (size_t i = common; i < std::min<size_t>(text.size(), UINT16_MAX); ++i) {
      path.push_back(static_cast<uint32_t>(nodes.size()));
      nodes.push_back({static_cast<uint8_t>(text[i]), static_cast<uint16_t>(i + 1), 0,
                       static_cast<uint32_t>(tokens_.size()), 0});
    }
    ++nodes[path.back()].n_tokens;
    tokens_.push_back(id);
    before = text;
  }
  leave(0);
  return nodes;
}

TokenId TokenTrie::control(const std::string& text) const {
  const auto found = std::ranges::lower_bound(
      controls_, text, {}, [](const auto& c) -> const std::string& { return c.first; });
  return found != controls_.end() && found->first == text ? found->second : -1;
}

TokenId TokenTrie::find(std::string_view text) const {
  const TokenId marker = control(std::string(text));
  if (marker >= 0) return marker;
  for (TokenId id = 0; static_cast<uint32_t>(id) < vocabulary_; ++id) {
    if (bytes(id) == text) return id;
  }
  return -1;
}

std::string_view TokenTrie::text(TokenId token) const {
  if (!bytes(token).empty()) return bytes(token);
  for (const auto& [text, id] : controls_) {
    if (id == token) return text;
  }
  return {};
}

void keep_only(const TokenSet& set, std::span<float> logits) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  for (size_t word = 0; word * 64 < logits.size(); ++word) {
    const uint64_t bits = word < set.size() ? set[word] : 0;
    if (bits == ~uint64_t{0}) continue;
    const size_t end = std::min(logits.size(), (word + 1) * 64);
    for (size_t i = word * 64; i < end; ++i) {
      if ((bits >> (i % 64) & 1U) == 0) logits[i] = kNever;
    }
  }
}

}  // namespace freehold::server
