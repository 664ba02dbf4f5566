// Owns the states of a running grammar. Bounded: where a grammar is so ambiguous that a state would
// hold more than kMaxFrames places, some readings are dropped, which allows less and never more.
#include "server/automaton.h"

#include <algorithm>

#include "base/random.h"

namespace freehold::server {

Automaton::Automaton(Grammar grammar) : grammar_(std::move(grammar)) {
  frames_.push_back({0, 0});
  configs_.emplace_back();  // kDead
  start_ = close({frame(grammar_.starts[0], 0)});
}

Automaton::FrameId Automaton::frame(uint32_t node, FrameId parent) {
  const uint64_t key = uint64_t{node} << 32U | parent;
  const auto [found, added] = frame_ids_.try_emplace(key, static_cast<FrameId>(frames_.size()));
  if (added) frames_.push_back({node, parent});
  return found->second;
}

Automaton::State Automaton::close(std::vector<FrameId> work) {
  std::vector<FrameId> seen;  // sorted lazily would be slower: these lists are short
  std::vector<FrameId> kept;
  std::unordered_map<FrameId, bool> many;
  bool accepting = false;
  const auto push = [&](FrameId id) {
    if (seen.size() < 32) {
      if (std::ranges::find(seen, id) != seen.end()) return;
    } else {
      if (many.empty()) {
        for (const FrameId old : seen) many.emplace(old, true);
      }
      if (!many.emplace(id, true).second) return;
    }
    seen.push_back(id);
    work.push_back(id);
  };
  std::vector<FrameId> begin;
  begin.swap(work);
  for (const FrameId id : begin) push(id);
  while (!work.empty() && kept.size() < kMaxFrames) {
    const FrameId id = work.back();
    work.pop_back();
    const auto [at, parent] = frames_[id];
    const Grammar::Node& node = grammar_.nodes[at];
    if (!node.edges.empty()) kept.push_back(id);
    if (node.final) {
      if (parent == 0) {
        accepting = true;
      } else {
        push(parent);
      }
    }
    for (const uint32_t next : node.skips) push(frame(next, parent));
    for (const auto& call : node.calls) {
      const Grammar::Node& after = grammar_.nodes[call.next];
      // A call at the end of a rule returns straight to the caller: loops don't pile up.
      const bool last =
          after.final && after.edges.empty() && after.calls.empty() && after.skips.empty();
      push(frame(grammar_.starts[call.rule], last ? parent : frame(call.next, parent)));
    }
  }
  std::ranges::sort(kept);
  return find(std::move(kept), accepting);
}

Automaton::State Automaton::find(std::vector<FrameId> frames, bool accepting) {
  if (frames.empty() && !accepting) return kDead;
  uint64_t hash = accepting ? 1 : 2;
  for (const FrameId id : frames) hash = base::mix64(hash + id);
  const auto [from, to] = config_ids_.equal_range(hash);
  for (auto it = from; it != to; ++it) {
    const Config& config = configs_[it->second];
    if (config.accepting == accepting && config.frames == frames) return it->second;
  }
  if (configs_.size() >= kMaxStates) return kDead;
  const auto state = static_cast<State>(configs_.size());
  configs_.push_back({std::move(frames), accepting, nullptr});
  config_ids_.emplace(hash, state);
  return state;
}

Automaton::State Automaton::next(State state, uint16_t symbol) {
  if (state == kDead) return kDead;
  const size_t n_symbols = 256 + grammar_.specials.size();
  if (symbol >= n_symbols) return kDead;
  if (!configs_[state].next) {
    if (++n_tables_ > kMaxTables) {
      for (Config& config : configs_) config.next.reset();
      n_tables_ = 1;
    }
    configs_[state].next = std::make_unique<std::vector<State>>(n_symbols, kUnknown);
  }
  State& known = (*configs_[state].next)[symbol];
  if (known != kUnknown) return known;
  std::vector<FrameId> reached;
  const std::vector<FrameId> frames = configs_[state].frames;
  for (const FrameId id : frames) {
    const auto [at, parent] = frames_[id];
    for (const auto& edge : grammar_.nodes[at].edges) {
      if (edge.least <= symbol && symbol <= edge.most) reached.push_back(frame(edge.next, parent));
    }
  }
  const State found = reached.empty() ? kDead : close(std::move(reached));
  // `close` may have moved the configs; the table itself stays where it is.
  (*configs_[state].next)[symbol] = found;
  return found;
}

}  // namespace freehold::server
