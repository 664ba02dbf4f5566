// Owns the masks. Inside a JSON string nearly every token is allowed, so the ones that are plain
// text are taken together when the state comes back to itself after any character.
#include "server/guide.h"

#include <algorithm>
#include <array>

namespace freehold::server {
namespace {

constexpr size_t kMasks = 1024;  // kept; then all are dropped and found again

}  // namespace

Guide::Guide(Grammar grammar, std::shared_ptr<const TokenTrie> trie)
    : automaton_(std::move(grammar)), trie_(std::move(trie)), start_(automaton_.start()) {
  for (const auto& text : automaton_.grammar().specials) specials_.push_back(trie_->control(text));
}

// Every plain character of one to four bytes leads from the state back to it.
bool Guide::is_free_text(State state) {
  for (uint16_t byte = 0x20; byte < 0x80; ++byte) {
    if (byte == '"' || byte == '\\') continue;
    if (automaton_.next(state, byte) != state) return false;
  }
  struct Lead {
    uint16_t first, last;  // lead bytes
    uint16_t least, most;  // of the second byte
    int more;              // bytes after the second
  };
  constexpr std::array<Lead, 8> kLeads = {{{0xc2, 0xdf, 0x80, 0xbf, 0},
                                           {0xe0, 0xe0, 0xa0, 0xbf, 1},
                                           {0xe1, 0xec, 0x80, 0xbf, 1},
                                           {0xed, 0xed, 0x80, 0x9f, 1},
                                           {0xee, 0xef, 0x80, 0xbf, 1},
                                           {0xf0, 0xf0, 0x90, 0xbf, 2},
                                           {0xf1, 0xf3, 0x80, 0xbf, 2},
                                           {0xf4, 0xf4, 0x80, 0x8f, 2}}};
  // States after which one, two continuation bytes come back; found from the first lead.
  std::array<State, 3> back = {state, Automaton::kDead, Automaton::kDead};
  back[1] = automaton_.next(state, 0xc2);
  back[2] = automaton_.next(automaton_.next(state, 0xf1), 0x80);
  for (uint16_t byte = 0x80; byte < 0xc0; ++byte) {
    if (automaton_.next(back[1], byte) != state) return false;
    if (automaton_.next(back[2], byte) != back[1]) return false;
  }
  for (const Lead& lead : kLeads) {
    for (uint16_t byte = lead.first; byte <= lead.last; ++byte) {
      const State after = automaton_.next(state, byte);
      if (lead.more == 0 && after != back[1]) return false;
      for (uint16_t second = lead.least; lead.more > 0 && second <= lead.most; ++second) {
        if (automaton_.next(after, second) != back[static_cast<size_t>(lead.more)]) return false;
      }
    }
  }
  return true;
}

void Guide::walk(const std::vector<TokenTrie::Node>& nodes, State state, TokenSet& set) {
  std::vector<State> states(1, state);  // by depth
  for (uint32_t i = 0; i < nodes.size();) {
    const auto& node = nodes[i];
    const State after = automaton_.next(states[node.depth - 1U], node.byte);
    if (after == Automaton::kDead) {
      i = node.end;
      continue;
    }
    if (states.size() <= node.depth) states.resize(node.depth + 1U);
    states[node.depth] = after;
    for (uint32_t j = 0; j < node.n_tokens; ++j) insert(set, trie_->token(node.tokens + j));
    ++i;
  }
}

std::shared_ptr<const TokenSet> Guide::mask(State state) {
  const std::lock_guard lock(mutex_);
  if (const auto known = masks_.find(state); known != masks_.end()) return known->second;
  auto set = std::make_shared<TokenSet>((trie_->vocabulary() + 63) / 64, 0);
  if (state != Automaton::kDead) {
    if (is_free_text(state)) {
      *set = trie_->plain();
      walk(trie_->special(), state, *set);
    } else {
      walk(trie_->all(), state, *set);
    }
    for (size_t i = 0; i < specials_.size(); ++i) {
      const auto symbol = static_cast<uint16_t>(256 + i);
      if (specials_[i] >= 0 && automaton_.next(state, symbol) != Automaton::kDead) {
        insert(*set, specials_[i]);
      }
    }
  }
  const bool whole = state == Automaton::kDead || automaton_.accepting(state);
  const bool empty = std::ranges::all_of(*set, [](uint64_t word) { return word == 0; });
  if (!whole && empty) stuck_.insert(state);
  if (whole || empty) {
    for (const TokenId id : trie_->ends()) insert(*set, id);
  }
  if (masks_.size() >= kMasks) masks_.clear();
  masks_.emplace(state, set);
  return set;
}

Guide::State Guide::follow(State state, std::string_view bytes) {
  for (const char c : bytes) state = automaton_.next(state, static_cast<uint8_t>(c));
  return state;
}

Guide::State Guide::accept(State state, TokenId token) {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < specials_.size(); ++i) {
    if (specials_[i] != token) continue;
    const State after = automaton_.next(state, static_cast<uint16_t>(256 + i));
    if (after != Automaton::kDead) return after;
  }
  const std::string& bytes = trie_->bytes(token);
  return bytes.empty() ? Automaton::kDead : follow(state, bytes);
}

bool Guide::accepting(State state) {
  const std::lock_guard lock(mutex_);
  return state != Automaton::kDead && automaton_.accepting(state);
}

bool Guide::stuck(State state) {
  const std::lock_guard lock(mutex_);
  return stuck_.contains(state);
}

Guide::State Guide::after_free_text(State state) {
  const auto& specials = automaton_.grammar().specials;
  const auto at = std::ranges::find(specials, "");
  if (state == Automaton::kDead || at == specials.end()) return Automaton::kDead;
  const std::lock_guard lock(mutex_);
  return automaton_.next(state, static_cast<uint16_t>(256 + (at - specials.begin())));
}

bool Guide::complete(State state) {
  const std::lock_guard lock(mutex_);
  return state == Automaton::kDead || (automaton_.accepting(state) && !automaton_.can_go_on(state));
}

}  // namespace freehold::server
