// Guesses from the model's own prediction layer (multi-token prediction). Owns that layer's cache,
// a window of recent positions for each sequence, and the hidden states that wait to go into it:
// they are taken in when guesses are wanted, many at once, so that a sequence for which none are
// wanted costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "kv/arena.h"
#include "models/model.h"

namespace freehold::engine {

struct Sequence;

class Predictor {
 public:
  // Positions that the layer sees. The hidden states tell it of everything before.
  static constexpr uint32_t kWindow = 512;

  // What one sequence has here; gives its part of the cache back when it goes.
  class Track {
   public:
    Track() = default;
    Track(Track&& other) noexcept { swap(other); }
    Track& operator=(Track&& other) noexcept {
      swap(other);
      return *this;
    }
    ~Track();

   private:
    friend class Predictor;
    using FreeLanes = std::vector<uint32_t>;
    void swap(Track& other) noexcept;

    std::shared_ptr<FreeLanes> home_;  // null: no part of the cache yet
    uint32_t lane_ = 0;
    uint32_t first_visible_ = 0;  // positions from here to n_cached_ are in the cache
    uint32_t n_cached_ = 0;
    uint32_t first_hidden_ = 0;  // position of the first waiting hidden state
    std::vector<float> hidden_;  // [waiting][hidden]
  };

  struct Limits {
    uint32_t step_tokens = 0;
    uint32_t max_sequences = 0;
    uint32_t context_tokens = 0;
  };
  // `block_bytes` of a layer's cache block. What create() and a step will take.
  static uint64_t bytes_needed(const models::Model& model, size_t block_bytes,
                               const Limits& limits);
  // Model and machine must outlive it. Errors: kOutOfMemory.
  static base::Result<std::unique_ptr<Predictor>> create(models::Model& model,
                                                         ops::Machine& machine,
                                                         kernels::CacheType type,
                                                         size_t block_bytes, const Limits& limits);

  // The model has computed the first n_rows of a slice of `pass`, which are final.
  void note(Track& track, const models::Pass& pass, const ops::Slice& slice, size_t n_rows);

  // Gives each sequence up to depths[i] drafts, all of which is computed before its newest token.
  void draft(std::span<Sequence* const> sequences, std::span<const uint32_t> depths);

 private:
  struct Work {
    Sequence* sequence;
    uint32_t depth;
    uint32_t position;  // of the token that goes in
    size_t row;         // of the pass, its newest
  };

  Predictor(models::Model& model, ops::Machine& machine, kernels::CacheType type, kv::Arena arena,
            const Limits& limits);
  size_t width() const { return model_.config().hidden; }
  bool take_lane(Track& track);
  // Adds what waits to the pass; false when the sequence can't have drafts now.
  bool take_in(Sequence& sequence, uint32_t depth);
  void choose_tokens();
  void go_on();

  models::Model& model_;
  const Limits limits_;
  const uint32_t most_waiting_;
  kv::Arena arena_;
  models::Pass pass_;
  std::shared_ptr<Track::FreeLanes> free_lanes_;
  std::vector<std::vector<uint32_t>> tables_;  // block ids by lane

  // Of a call of draft().
  std::vector<Work> work_;
  std::vector<std::vector<float>> taken_;  // hidden states, a sequence after the other
  ops::Rows hidden_, logits_;
};

}  // namespace freehold::engine
