// The public face of LocalEngine: requests come in, the loop runs them, and what runs alone
// (logits, embeddings) waits its turn.
#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "engine/local_engine.h"

namespace freehold::engine {

using base::ErrorCode;
using base::fail;

namespace {

constexpr size_t kPayersKept = 1024;
constexpr uint32_t kPieceTokens = 128;  // of prompts beside answers, where no time is set

scheduler::Pace::Limits pace_limits(const EngineOptions& options) {
  if (options.max_stall_ms == 0) return {.max_stall_us = 0, .most_tokens = kPieceTokens};
  return {.max_stall_us = uint64_t{options.max_stall_ms} * 1000,
          .most_tokens = options.step_tokens};
}

// So that nobody can choose prompts that all hash alike.
uint64_t unguessable() {
  std::random_device device;
  return (uint64_t{device()} << 32U) | device();
}

}  // namespace

// Dropping it cancels the request.
class LocalStream : public Stream {
 public:
  LocalStream(LocalEngine& engine, std::shared_ptr<Controls> controls)
      : engine_(engine), controls_(std::move(controls)) {}
  ~LocalStream() override { cancel(); }

  void cancel() override {
    controls_->cancelled = true;
    wake();
  }
  void pause(bool paused) override {
    controls_->paused = paused;
    wake();
  }

 private:
  void wake() {
    const std::lock_guard lock(engine_.mutex_);
    engine_.woken_ = true;
    engine_.changed_.notify_one();
  }

  LocalEngine& engine_;
  std::shared_ptr<Controls> controls_;
};

LocalEngine::LocalEngine(Parts parts)
    : parts_(std::move(parts)),
      cache_({.n_blocks = parts_.arena->n_blocks(), .hash_seed = unguessable()}),
      scheduler_({.step_tokens = parts_.options.step_tokens,
                  .max_sequences = parts_.options.max_sequences,
                  .total_blocks = parts_.arena->n_blocks()}),
      pace_(pace_limits(parts_.options)),
      pass_(*parts_.machine, *parts_.arena, parts_.cache_type),
      speculation_(parts_.options.speculation_depth, std::move(parts_.predictor)) {
  if (parts_.store) parts_.store->read(cache_, *parts_.arena);
  publish_stats();
  thread_ = std::thread([this] { run(); });
}

LocalEngine::~LocalEngine() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_one();
  }
  thread_.join();
  if (!parts_.store) return;
  // A disk that is full now costs the next engine some prompts, no more.
  const base::Status written = parts_.store->write(cache_, *parts_.arena);
  if (parts_.options.prefix_written) parts_.options.prefix_written(written);
}

EngineStats LocalEngine::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::vector<std::vector<uint64_t>> LocalEngine::expert_tokens() const {
  const std::lock_guard lock(model_mutex_);
  std::vector<std::vector<uint64_t>> counts = pass_.expert_tokens;
  std::erase_if(counts, [](const auto& layer) { return layer.empty(); });
  return counts;
}

base::Status LocalEngine::check_tokens(std::span<const TokenId> tokens) const {
  if (tokens.empty()) return fail(ErrorCode::kInvalidArgument, "the prompt is empty");
  for (const TokenId token : tokens) {
    if (token < 0 || static_cast<uint32_t>(token) >= parts_.info.vocabulary) {
      return fail(ErrorCode::kInvalidArgument, "token id " + std::to_string(token) +
                                                   " is outside the vocabulary of " +
                                                   std::to_string(parts_.info.vocabulary));
    }
  }
  if (tokens.size() > parts_.info.context_tokens) {
    return fail(ErrorCode::kLimitExceeded, "the prompt has " + std::to_string(tokens.size()) +
                                               " tokens and the context holds " +
                                               std::to_string(parts_.info.context_tokens));
  }
  return {};
}

base::Result<std::unique_ptr<Stream>> LocalEngine::submit(Request request) {
  FREEHOLD_TRY(check_tokens(request.prompt));
  const auto room = static_cast<uint32_t>(parts_.info.context_tokens - request.prompt.size());
  if (room == 0) {
    return fail(ErrorCode::kLimitExceeded, "the prompt fills the context of " +
                                               std::to_string(parts_.info.context_tokens) +
                                               " tokens and leaves no room for an answer");
  }
  request.max_tokens = request.max_tokens == 0 ? room : std::min(request.max_tokens, room);
  if (!scheduler_.fits(static_cast<uint32_t>(request.prompt.size()), request.max_tokens)) {
    return fail(ErrorCode::kLimitExceeded, "the request needs more of the cache than there is");
  }
  FREEHOLD_ASSIGN(sampling::Sampler sampler,
                  sampling::Sampler::create(request, parts_.info.vocabulary));
  auto sequence = std::make_unique<Sequence>(std::move(request), std::move(sampler));
  sequence->prompt_end = static_cast<uint32_t>(sequence->tokens.size());
  sequence->usage.prompt_tokens = sequence->prompt_end;
  sequence->submitted_us = base::now_us();
  auto stream = std::make_unique<LocalStream>(*this, sequence->controls);
  const std::lock_guard lock(mutex_);
  incoming_.push_back(std::move(sequence));
  ++stats_.waiting;
  changed_.notify_one();
  return stream;
}

void LocalEngine::run() {
  parts_.machine->pool().pin_caller();
  bool idle = true;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !idle || stop_ || woken_ || !incoming_.empty(); });
      woken_ = false;
    }
    if (!take_in()) break;
    drop_cancelled();
    idle = !step();
    publish_stats();
  }
  for (SequencePtr& sequence : running_) {
    finish(*sequence, FinishReason::kCancelled);
    cache_.close(sequence->table);
  }
  for (SequencePtr& sequence : waiting_) finish(*sequence, FinishReason::kCancelled);
}

bool LocalEngine::take_in() {
  std::deque<SequencePtr> incoming;
  bool stop = false;
  {
    const std::lock_guard lock(mutex_);
    incoming.swap(incoming_);
    stop = stop_;
  }
  for (SequencePtr& sequence : incoming) {
    sequence->id = next_id_++;
    sequence->tenant = payer_of(sequence->request);
    waiting_.push_back(std::move(sequence));
  }
  return !stop;
}

scheduler::TenantId LocalEngine::payer_of(const Request& request) {
  const std::string& name = request.payer.empty() ? request.tenant : request.payer;
  if (payers_.size() >= kPayersKept) {
    std::set<scheduler::TenantId> here;
    for (const SequencePtr& sequence : running_) here.insert(sequence->tenant);
    for (const SequencePtr& sequence : waiting_) here.insert(sequence->tenant);
    std::erase_if(payers_, [&](const auto& payer) { return !here.contains(payer.second); });
  }
  const auto [payer, is_new] = payers_.try_emplace(name, next_payer_);
  if (is_new) ++next_payer_;
  return payer->second;
}

void LocalEngine::drop_cancelled() {
  const auto drop = [this](SequencePtr& sequence) {
    if (!sequence->controls->cancelled) return false;
    finish(*sequence, FinishReason::kCancelled);
    return true;
  };
  std::erase_if(waiting_, drop);
  std::erase_if(running_, [&](SequencePtr& sequence) {
    if (!drop(sequence)) return false;
    cache_.close(sequence->table);
    return true;
  });
}

base::Status LocalEngine::run_alone(std::span<const TokenId> tokens, uint32_t batch,
                                    const std::function<void(models::Pass& pass)>& on_step) {
  FREEHOLD_TRY(check_tokens(tokens));
  if (batch == 0) return fail(ErrorCode::kInvalidArgument, "a step needs at least one token");
  const uint32_t n_blocks = kv::blocks_for(static_cast<uint32_t>(tokens.size()));
  FREEHOLD_ASSIGN(const kv::Arena arena, kv::Arena::create(parts_.block_bytes, n_blocks));
  std::vector<kv::BlockId> blocks(n_blocks);
  for (uint32_t i = 0; i < n_blocks; ++i) blocks[i] = i;
  models::Pass pass(*parts_.machine, arena, parts_.cache_type);
  for (size_t first = 0; first < tokens.size(); first += batch) {
    const size_t n = std::min<size_t>(batch, tokens.size() - first);
    const std::lock_guard lock(model_mutex_);
    pass.clear();
    pass.add(tokens.subspan(first, n), static_cast<uint32_t>(first), blocks);
    parts_.model->forward(pass);
    on_step(pass);
  }
  return {};
}

base::Status LocalEngine::logits(std::span<const TokenId> tokens, uint32_t batch,
                                 const std::function<void(std::span<const float>)>& on_row) {
  ops::Rows rows;
  std::vector<size_t> indices;
  return run_alone(tokens, batch, [&](models::Pass& pass) {
    // A few rows at a time: the vocabulary is wide.
    constexpr size_t kRowsAtOnce = 64;
    for (size_t first = 0; first < pass.n(); first += kRowsAtOnce) {
      indices.clear();
      for (size_t i = first; i < std::min(pass.n(), first + kRowsAtOnce); ++i) indices.push_back(i);
      parts_.model->logits(pass, indices, rows);
      for (size_t i = 0; i < indices.size(); ++i) on_row({rows.row(i), parts_.info.vocabulary});
    }
  });
}

base::Result<std::vector<float>> LocalEngine::embed(std::span<const TokenId> tokens) {
  const uint32_t width = parts_.model->config().hidden;
  std::vector<double> sum(width, 0.0);
  std::vector<float> row(width);
  FREEHOLD_TRY(run_alone(tokens, parts_.options.step_tokens, [&](models::Pass& pass) {
    for (size_t i = 0; i < pass.n(); ++i) {
      parts_.model->final_norm(pass, i, row.data());
      for (uint32_t j = 0; j < width; ++j) sum[j] += static_cast<double>(row[j]);
    }
  }));
  double square = 0.0;
  for (const double x : sum) square += x * x;
  const double scale = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
  std::vector<float> out(width);
  for (uint32_t j = 0; j < width; ++j) out[j] = static_cast<float>(sum[j] * scale);
  return out;
}

}  // namespace freehold::engine
