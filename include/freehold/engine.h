// The engine: a loaded model that answers many requests at once. Token ids in, token ids out; text
// is the business of the tokenizer and chat rooms.
//
// Freehold's output is a function of (model file, prompt ids, sampling settings, seed) and of
// nothing else: not of the number of threads, the batch a request rides in, the way its prompt was
// cut, whether a prefix came from the cache, or speculation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace freehold {

using TokenId = int32_t;

enum class KvType { kF16, kF32, kQ8_0 };

struct EngineOptions {
  int threads = 0;  // 0: the physical cores
  std::string isa;  // "": the best the processor has; else scalar, avx2 or avx512
  KvType kv = KvType::kF16;
  uint32_t context_tokens = 0;      // longest sequence; 0: the model's own limit, or what fits
  uint32_t max_sequences = 16;      // requests running at once
  uint32_t step_tokens = 512;       // tokens a step at most
  uint64_t memory_limit_bytes = 0;  // 0: what the machine has free
  // Tokens guessed a step at most, by the model's own prediction layer where it has one, else from
  // earlier text with the same ending; 0 turns speculation off. Never changes the output.
  static constexpr uint32_t kAutomaticDepth = UINT32_MAX;  // as many as pay, by the clock
  uint32_t speculation_depth = kAutomaticDepth;
  // What prompts may add to a step in which others wait for their next token: they ride along in
  // pieces cut to it by the measured rate. 0: pieces have one size. Never changes the output.
  uint32_t max_stall_ms = 500;
  // A folder in which the prefix cache outlives the engine: read at the start, written at the end.
  // "": none. What was written for other weights or another cache type is not read.
  std::filesystem::path prefix_folder;
  // Called when that was written, or could not be; at the engine's end.
  std::function<void(const base::Status& written)> prefix_written;
  // A folder where the weights are kept in the form that is multiplied, so that the next start is
  // quicker and processes share them. "": none.
  std::filesystem::path panel_folder;
  // Called while loading with a share from 0 to 1 and what is being done.
  std::function<void(double share, std::string_view what)> progress;
  // Called with what loading will take, before the weights are read.
  std::function<void(const struct ModelInfo& info)> planned;
  // Ends the loading early, with kCancelled.
  std::stop_token stop;
};

// What loading found and planned; all sizes in bytes.
struct ModelInfo {
  std::string architecture;
  std::string name;
  uint32_t vocabulary = 0;       // width of the logits
  uint32_t context_tokens = 0;   // longest sequence that fits the plan
  uint32_t trained_context = 0;  // as the file says
  uint64_t weights_bytes = 0;
  uint64_t kv_bytes_per_token = 0;
  uint64_t kv_bytes = 0;
  uint64_t scratch_bytes = 0;
  std::string isa;
  int threads = 0;
  bool predicts = false;  // guesses come from a layer of the model's own
};

// Sampling settings, in the order of application: repetition_penalty, frequency and presence
// penalties, logit_bias, the request's constraint; then, unless greedy, temperature, top_k,
// typical_p, top_p, min_p and the draw. Every filter works on what the one before left, scaled to
// sum 1. Ties go to the higher logit, then to the lower id. The draw for a position depends on
// (seed, position) alone.
struct Sampling {
  float temperature = 0.0F;  // 0: greedy, the highest logit
  uint32_t top_k = 0;        // 0: off
  float top_p = 1.0F;
  float min_p = 0.0F;  // of the highest probability
  float typical_p = 1.0F;
  // Once for each different token of prompt and answer in the window: a logit above 0 is divided
  // by it, another multiplied.
  float repetition_penalty = 1.0F;
  // Subtracted for tokens of the answer so far: frequency times the count, presence once.
  float frequency_penalty = 0.0F;
  float presence_penalty = 0.0F;
  uint32_t penalty_window = 0;  // tokens looked back for repetition_penalty; 0: all
  uint64_t seed = 0;
  std::vector<std::pair<TokenId, float>> logit_bias = {};  // added; -100 bans in effect
};

// Restricts what may be sampled next (grammars, schemas, forced tokens). Called from the engine's
// thread, once a sampled position, in order.
class Constraint {
 public:
  virtual ~Constraint() = default;
  // Sets the logits of forbidden tokens to -infinity; must leave at least one finite.
  virtual void mask(std::span<float> logits) = 0;
  // Moves past an accepted token.
  virtual void accept(TokenId token) = 0;
};

enum class FinishReason {
  kStop,       // an end-of-generation token or Request::stop_ids
  kLength,     // max_tokens or the context is used up
  kCancelled,  // Stream::cancel, or the engine is shutting down
  kError,      // Event::error says why
};

// Natural logarithms of the model's own probabilities: before penalties, bias, constraint and
// temperature.
struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0.0F;
};

struct Usage {
  uint32_t prompt_tokens = 0;
  uint32_t cached_tokens = 0;  // of the prompt, found in the prefix cache
  uint32_t completion_tokens = 0;
  uint32_t drafted_tokens = 0;   // by speculation
  uint32_t accepted_tokens = 0;  // of those
  uint32_t passes = 0;           // of the model, that made tokens
  uint64_t queue_us = 0;
  uint64_t prompt_us = 0;
  uint64_t generate_us = 0;
};

struct Event {
  enum class Kind { kToken, kFinished };
  Kind kind = Kind::kToken;
  // kToken. An end-of-generation token is not sent as one.
  TokenId token = 0;
  float logprob = 0.0F;                    // when Request::logprobs
  std::vector<TokenLogprob> top_logprobs;  // when Request::top_logprobs > 0
  // kFinished; exactly one for each request, and the last.
  FinishReason reason = FinishReason::kStop;
  std::optional<base::Error> error;
  Usage usage;
};

struct Request {
  std::vector<TokenId> prompt;
  Sampling sampling;
  uint32_t max_tokens = 0;        // 0: until the context is full
  std::vector<TokenId> stop_ids;  // end generation; the model's own set comes from the tokenizer
  bool logprobs = false;
  uint32_t top_logprobs = 0;
  // Prefix-cache blocks are shared only between requests of the same tenant.
  std::string tenant;
  // Steps are shared evenly, by tokens, between payers: a key, for a server. "": the tenant.
  std::string payer;
  std::shared_ptr<Constraint> constraint;
  // Called from the engine's thread, in order; must return quickly and not call the engine back
  // (Stream::cancel excepted).
  std::function<void(const Event&)> on_event;
};

// A running request. Dropping it cancels the request. It must be dropped before its engine.
class Stream {
 public:
  virtual ~Stream() = default;
  // Ends the request within a step; its kFinished event still comes. Any thread.
  virtual void cancel() = 0;
  // While paused the request keeps its memory and makes no tokens. Any thread.
  virtual void pause(bool paused) = 0;
};

struct EngineStats {
  uint32_t running = 0;
  uint32_t waiting = 0;
  uint64_t kv_blocks_total = 0;
  uint64_t kv_blocks_used = 0;    // by running requests
  uint64_t kv_blocks_cached = 0;  // kept for reuse, free on demand
  uint64_t prompt_tokens = 0;     // since the start
  uint64_t cached_tokens = 0;
  uint64_t completion_tokens = 0;
  uint64_t steps = 0;
  uint64_t last_step_us = 0;  // monotonic clock when the last step ended
};

class Engine {
 public:
  // MODEL: a GGUF file (any part) or a Hugging Face folder. Errors: those of the file, an
  // unsupported architecture or setting by name, kOutOfMemory with the plan and what would fit.
  static base::Result<std::unique_ptr<Engine>> load(const std::filesystem::path& model,
                                                    const EngineOptions& options);
  virtual ~Engine() = default;

  virtual const ModelInfo& info() const = 0;
  virtual EngineStats stats() const = 0;

  // Queues a request. Errors: kInvalidArgument (empty prompt, id out of range), kLimitExceeded
  // (prompt longer than the context, with both numbers).
  virtual base::Result<std::unique_ptr<Stream>> submit(Request request) = 0;

  // How many tokens each expert of each layer has served since the start, [layers with
  // experts][experts]; empty without experts.
  virtual std::vector<std::vector<uint64_t>> expert_tokens() const { return {}; }

  // The logits after each of `tokens`, row by row, into `out` (tokens x vocabulary); `batch` tokens
  // a step. For evaluation; runs alone.
  virtual base::Status logits(std::span<const TokenId> tokens, uint32_t batch,
                              const std::function<void(std::span<const float> row)>& on_row) = 0;

  // Mean-pooled or last-token hidden state, normalised to length 1.
  virtual base::Result<std::vector<float>> embed(std::span<const TokenId> tokens) = 0;
};

}  // namespace freehold
