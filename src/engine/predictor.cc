#include "engine/predictor.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "engine/sequence.h"
#include "kv/blocks.h"

namespace freehold::engine {
namespace {

// Blocks that a window may touch, wherever it begins.
constexpr uint32_t kRing = Predictor::kWindow / kv::kBlockTokens + 1;
// Hidden states that wait at most; older ones are forgotten, and the window begins after them.
constexpr uint32_t kMostWaiting = 256;

uint32_t most_waiting(const Predictor::Limits& limits) {
  return std::min(kMostWaiting, limits.step_tokens);
}

// As the sequence itself would choose, so that guess and choice agree when the logits do. A
// constraint is asked once a position only, so it is not asked here.
std::optional<TokenId> choose(Sequence& sequence, std::span<float> logits, uint64_t position) {
  if (sequence.request.constraint) {
    return static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
  }
  const auto sample = sequence.sampler.sample(logits, position);
  if (!sample) return std::nullopt;
  return sample->token;
}

}  // namespace

Predictor::Track::~Track() {
  if (home_) home_->push_back(lane_);
}

void Predictor::Track::swap(Track& other) noexcept {
  std::swap(home_, other.home_);
  std::swap(lane_, other.lane_);
  std::swap(first_visible_, other.first_visible_);
  std::swap(n_cached_, other.n_cached_);
  std::swap(first_hidden_, other.first_hidden_);
  std::swap(hidden_, other.hidden_);
}

uint64_t Predictor::bytes_needed(const models::Model& model, size_t block_bytes,
                                 const Limits& limits) {
  const uint64_t cache = uint64_t{limits.max_sequences} * kRing * block_bytes;
  const uint64_t waiting =
      uint64_t{limits.max_sequences} * 3 * most_waiting(limits) * model.config().hidden;
  return cache + sizeof(float) * waiting +
         model.scratch_bytes(limits.step_tokens, limits.max_sequences);
}

base::Result<std::unique_ptr<Predictor>> Predictor::create(models::Model& model,
                                                           ops::Machine& machine,
                                                           kernels::CacheType type,
                                                           size_t block_bytes,
                                                           const Limits& limits) {
  const std::array<size_t, 1> layers = {block_bytes};
  FREEHOLD_ASSIGN(kv::Arena arena, kv::Arena::create(layers, limits.max_sequences * kRing));
  return std::unique_ptr<Predictor>(new Predictor(model, machine, type, std::move(arena), limits));
}

Predictor::Predictor(models::Model& model, ops::Machine& machine, kernels::CacheType type,
                     kv::Arena arena, const Limits& limits)
    : model_(model),
      limits_(limits),
      most_waiting_(most_waiting(limits)),
      arena_(std::move(arena)),
      pass_(machine, arena_, type),
      free_lanes_(std::make_shared<Track::FreeLanes>()),
      tables_(limits.max_sequences) {
  for (uint32_t lane = 0; lane < limits.max_sequences; ++lane) {
    free_lanes_->push_back(lane);
    tables_[lane].resize(kv::blocks_for(limits.context_tokens));
    for (uint32_t i = 0; i < tables_[lane].size(); ++i) tables_[lane][i] = lane * kRing + i % kRing;
  }
}

bool Predictor::take_lane(Track& track) {
  if (track.home_) return true;
  if (free_lanes_->empty()) return false;
  track.lane_ = free_lanes_->back();
  free_lanes_->pop_back();
  track.home_ = free_lanes_;
  return true;
}

void Predictor::note(Track& track, const models::Pass& pass, const ops::Slice& slice,
                     size_t n_rows) {
  const size_t skipped = n_rows > most_waiting_ ? n_rows - most_waiting_ : 0;
  const auto position = static_cast<uint32_t>(slice.first_position + skipped);
  size_t n_waiting = track.hidden_.size() / width();
  if (track.first_hidden_ + n_waiting != position) {
    track.hidden_.clear();
    track.first_hidden_ = position;
    n_waiting = 0;
  }
  const size_t n_new = n_rows - skipped;
  track.hidden_.resize((n_waiting + n_new) * width());
  for (size_t i = 0; i < n_new; ++i) {
    model_.final_norm(pass, slice.first_row + skipped + i,
                      &track.hidden_[(n_waiting + i) * width()]);
  }
  n_waiting += n_new;
  // Not one by one: moving the others costs.
  if (n_waiting > size_t{2} * most_waiting_) {
    const size_t n_old = n_waiting - most_waiting_;
    track.hidden_.erase(track.hidden_.begin(),
                        track.hidden_.begin() + static_cast<std::ptrdiff_t>(n_old * width()));
    track.first_hidden_ += static_cast<uint32_t>(n_old);
  }
}

bool Predictor::take_in(Sequence& sequence, uint32_t depth) {
  Track& track = sequence.track;
  const auto newest = static_cast<uint32_t>(sequence.tokens.size() - 1);
  const size_t n_waiting = track.hidden_.size() / width();
  if (n_waiting == 0 || track.first_hidden_ + n_waiting != newest || !take_lane(track))
    return false;
  // A token goes in with the hidden state of the position before it.
  const uint32_t most_rows = std::min(most_waiting_, kWindow - depth);
  uint32_t first = std::max(track.n_cached_, track.first_hidden_ + 1);
  if (newest + 1 > most_rows) first = std::max(first, newest + 1 - most_rows);
  const uint32_t n_rows = newest + 1 - first;
  if (pass_.n() + n_rows > limits_.step_tokens) return false;
  if (first > track.n_cached_) track.first_visible_ = first;
  if (newest + depth > kWindow) {
    track.first_visible_ = std::max(track.first_visible_, newest + depth - kWindow);
  }
  pass_.add(std::span(sequence.tokens).subspan(first, n_rows), first, tables_[track.lane_],
            track.first_visible_);
  track.hidden_.erase(track.hidden_.begin(),
                      track.hidden_.begin() +
                          static_cast<std::ptrdiff_t>((first - 1 - track.first_hidden_) * width()));
  taken_.push_back(std::exchange(track.hidden_, {}));
  track.n_cached_ = newest + 1;
  work_.push_back({&sequence, depth, newest, pass_.n() - 1});
  return true;
}

// A further draft for every sequence of the step; those that have enough leave.
void Predictor::choose_tokens() {
  std::vector<size_t> rows;
  for (const Work& work : work_) rows.push_back(work.row);
  model_.predicted_logits(pass_, rows, logits_);
  size_t next = 0;
  std::erase_if(work_, [&](Work& work) {
    const std::span<float> row(logits_.row(next++), model_.config().vocabulary);
    Sequence& sequence = *work.sequence;
    const auto token = choose(sequence, row, ++work.position);
    if (!token) return true;
    sequence.drafts.push_back(*token);
    const auto& stops = sequence.request.stop_ids;
    return sequence.drafts.size() == work.depth || std::ranges::find(stops, *token) != stops.end();
  });
}

// The next step's input: the drafts just made, with the layer's own output as the hidden state.
void Predictor::go_on() {
  hidden_.resize(work_.size(), width());
  for (size_t i = 0; i < work_.size(); ++i) {
    model_.predicted(pass_, work_[i].row, hidden_.row(i));
  }
  pass_.clear();
  for (Work& work : work_) {
    const Sequence& sequence = *work.sequence;
    const Track& track = sequence.track;
    pass_.add(std::span(sequence.drafts).last(1), work.position, tables_[track.lane_],
              track.first_visible_);
    work.row = pass_.n() - 1;
  }
}

void Predictor::draft(std::span<Sequence* const> sequences, std::span<const uint32_t> depths) {
  pass_.clear();
  work_.clear();
  taken_.clear();
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (depths[i] > 0) take_in(*sequences[i], std::min(depths[i], kWindow / 2));
  }
  if (work_.empty()) return;
  hidden_.resize(pass_.n(), width());
  size_t row = 0;
  for (const std::vector<float>& states : taken_) {
    for (size_t at = 0; at < states.size(); at += width()) {
      std::copy_n(&states[at], width(), hidden_.row(row++));
    }
  }
  while (true) {
    model_.predict(pass_, hidden_);
    choose_tokens();
    if (work_.empty()) return;
    go_on();
  }
}

}  // namespace freehold::engine
