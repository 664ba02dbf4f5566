// The engine on this machine: one thread that plans a step, runs it and settles what came of it,
// for as long as there are requests.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/plan.h"
#include "engine/prefix_store.h"
#include "engine/sequence.h"
#include "engine/speculation.h"
#include "freehold/engine.h"
#include "gguf/gguf.h"
#include "kv/arena.h"
#include "kv/block_cache.h"
#include "models/model.h"
#include "ops/machine.h"
#include "scheduler/pace.h"
#include "scheduler/scheduler.h"

namespace freehold::engine {

class LocalEngine : public Engine {
 public:
  // Everything that loading made; see load.cc.
  struct Parts {
    gguf::Directory directory;
    std::unique_ptr<ops::Machine> machine;
    std::unique_ptr<models::Model> model;
    std::unique_ptr<kv::Arena> arena;
    std::vector<size_t> block_bytes;  // a cache block's, layer by layer
    kernels::CacheType cache_type = kernels::CacheType::kF16;
    std::unique_ptr<Predictor> predictor;  // null: the model has none, or none is wanted
    ModelInfo info;
    EngineOptions options;
    std::optional<PrefixStore> store;  // where the prefix cache outlives the engine
  };

  explicit LocalEngine(Parts parts);
  ~LocalEngine() override;

  const ModelInfo& info() const override { return parts_.info; }
  EngineStats stats() const override;
  std::vector<std::vector<uint64_t>> expert_tokens() const override;
  base::Result<std::unique_ptr<Stream>> submit(Request request) override;
  base::Status logits(std::span<const TokenId> tokens, uint32_t batch,
                      const std::function<void(std::span<const float> row)>& on_row) override;
  base::Result<std::vector<float>> embed(std::span<const TokenId> tokens) override;

 private:
  using SequencePtr = std::unique_ptr<Sequence>;

  base::Status check_tokens(std::span<const TokenId> tokens) const;

  // The loop (engine.cc).
  void run();
  bool take_in();  // false: time to stop
  void drop_cancelled();
  scheduler::TenantId payer_of(const Request& request);

  // A step (step.cc).
  bool step();  // false: nothing to do until something changes
  void make_way_for_waiting();
  void admit();
  void share_prefixes();
  void preempt(scheduler::SequenceId id);
  std::vector<scheduler::Running> describe_running() const;
  void keep_pace(std::span<const scheduler::Turn> turns, uint64_t step_us);
  void begin_pass(std::span<const scheduler::Turn> turns);
  void settle(std::span<const scheduler::Turn> turns);
  bool settle_tokens(Sequence& sequence, size_t first_logits_row, const scheduler::Turn& turn,
                     const ops::Slice& slice);
  void learn_costs(std::span<const scheduler::Turn> turns, uint64_t n_tokens, uint64_t pass_us);
  bool append_token(Sequence& sequence, const sampling::Sample& sample);
  void finish(Sequence& sequence, FinishReason reason, std::optional<base::Error> error = {});
  void publish_stats();

  Sequence* find_running(scheduler::SequenceId id);

  // Runs all of `tokens` alone, in steps of `batch`, calling on_step after each.
  base::Status run_alone(std::span<const TokenId> tokens, uint32_t batch,
                         const std::function<void(models::Pass& pass)>& on_step);

  Parts parts_;
  kv::BlockCache cache_;
  scheduler::Scheduler scheduler_;
  scheduler::Pace pace_;
  models::Pass pass_;
  Speculation speculation_;
  mutable std::mutex model_mutex_;  // held for a step; the model's buffers are one pass's at a time
  ops::Rows logits_;

  // The engine's thread only.
  std::deque<SequencePtr> waiting_;
  std::vector<SequencePtr> running_;
  std::map<std::string, scheduler::TenantId> payers_;  // those seen lately
  scheduler::TenantId next_payer_ = 1;
  uint64_t next_id_ = 1;
  uint64_t n_made_ = 0;  // tokens

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<SequencePtr> incoming_;
  bool stop_ = false;
  bool woken_ = false;
  EngineStats stats_;

  std::thread thread_;

  friend class LocalStream;
};

}  // namespace freehold::engine
