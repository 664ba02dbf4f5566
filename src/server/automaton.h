// A grammar at work: states reached by bytes, each found once and remembered. A state is the set of
// places that the grammar may be in, with the calls that led there.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "server/grammar.h"

namespace freehold::server {

// Not for two threads at once.
class Automaton {
 public:
  using State = uint32_t;
  static constexpr State kDead = 0;

  explicit Automaton(Grammar grammar);

  State start() const { return start_; }
  // kDead when no text of the grammar goes on so.
  State next(State state, uint16_t symbol);
  // Whether the text so far is whole.
  bool accepting(State state) const { return configs_[state].accepting; }
  // Whether any text may follow a whole one.
  bool can_go_on(State state) const { return !configs_[state].frames.empty(); }
  const Grammar& grammar() const { return grammar_; }

 private:
  using FrameId = uint32_t;  // 0: the bottom
  struct Frame {
    uint32_t node;
    FrameId parent;
  };
  struct Config {
    std::vector<FrameId> frames;  // ascending; each has edges
    bool accepting = false;
    std::unique_ptr<std::vector<State>> next;  // by symbol; kUnknown where not yet asked
  };
  static constexpr State kUnknown = UINT32_MAX;
  static constexpr size_t kMaxFrames = 512;     // in one state
  static constexpr size_t kMaxTables = 16'384;  // tables of `next` kept
  static constexpr size_t kMaxStates = 2'000'000;

  FrameId frame(uint32_t node, FrameId parent);
  // The state after following everything that needs no symbol.
  State close(std::vector<FrameId> work);
  State find(std::vector<FrameId> frames, bool accepting);

  Grammar grammar_;
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, FrameId> frame_ids_;
  std::vector<Config> configs_;
  std::unordered_multimap<uint64_t, State> config_ids_;
  size_t n_tables_ = 0;
  State start_ = kDead;
};

}  // namespace freehold::server
