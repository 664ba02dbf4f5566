// `freehold bench`: a model's speed beside the machine's own limits.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "command.h"
#include "engine_options.h"
#include "expert_spread.h"
#include "gguf/huggingface.h"
#include "json_file.h"
#include "kv/blocks.h"
#include "machine_limits.h"
#include "model_facts.h"
#include "progress.h"
#include "store.h"
#include "text.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

struct BenchOptions {
  EngineArguments engine;
  uint32_t prompt = 512;
  uint32_t generate = 64;
  uint32_t depth = 0;
  uint32_t streams = 1;
  uint32_t repeat = 3;
  bool json = false;
};

// Ids that no earlier call gave, so that nothing comes from the prefix cache.
std::vector<TokenId> fresh_tokens(uint32_t n, uint32_t vocabulary) {
  static uint64_t state = 1;
  std::vector<TokenId> ids(n);
  for (TokenId& id : ids) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    id = static_cast<TokenId>((state >> 33) % vocabulary);
  }
  return ids;
}

// Requests running side by side, timed by the arrival of their tokens.
class Race {
 public:
  // A request for each prompt, which makes `generate` tokens. Errors: the engine's.
  Status run(Engine& engine, std::vector<std::vector<TokenId>> prompts, uint32_t generate) {
    std::vector<std::unique_ptr<Stream>> streams;
    start_us_ = base::now_us();
    lanes_.assign(prompts.size(), {});
    for (size_t i = 0; i < prompts.size(); ++i) {
      Request request;
      request.prompt = std::move(prompts[i]);
      request.max_tokens = generate;
      request.on_event = [this, i](const Event& event) { take(i, event); };
      FREEHOLD_ASSIGN(auto stream, engine.submit(std::move(request)));
      streams.push_back(std::move(stream));
    }
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return n_finished_ == lanes_.size(); });
    if (error_) return std::unexpected(*error_);
    return {};
  }

  // Prompt tokens a second that were not in the cache, until the first token of the last request.
  double prompt_tps() const {
    uint64_t last = start_us_ + 1;
    for (const Lane& lane : lanes_) last = std::max(last, lane.times_us.front());
    const uint32_t computed = usage_.prompt_tokens - usage_.cached_tokens;
    return computed * 1e6 / static_cast<double>(last - start_us_);
  }

  // Tokens a second, while all requests were generating.
  double generate_tps() const {
    uint64_t from = 0;
    uint64_t to = UINT64_MAX;
    for (const Lane& lane : lanes_) {
      from = std::max(from, lane.times_us.front());
      to = std::min(to, lane.times_us.back());
    }
    uint64_t n = 0;
    for (const Lane& lane : lanes_) {
      for (const uint64_t time : lane.times_us) n += time > from && time <= to ? 1 : 0;
    }
    return to > from ? static_cast<double>(n) * 1e6 / static_cast<double>(to - from) : 0;
  }

  // Of all requests together.
  const Usage& usage() const { return usage_; }

 private:
  struct Lane {
    std::vector<uint64_t> times_us;
  };

  void take(size_t lane, const Event& event) {
    const uint64_t now = base::now_us();
    const std::lock_guard lock(mutex_);
    if (event.kind == Event::Kind::kToken) {
      lanes_[lane].times_us.push_back(now);
      return;
    }
    if (event.error) error_ = event.error;
    usage_.prompt_tokens += event.usage.prompt_tokens;
    usage_.cached_tokens += event.usage.cached_tokens;
    usage_.completion_tokens += event.usage.completion_tokens;
    usage_.drafted_tokens += event.usage.drafted_tokens;
    usage_.accepted_tokens += event.usage.accepted_tokens;
    usage_.passes += event.usage.passes;
    if (lanes_[lane].times_us.empty()) lanes_[lane].times_us.push_back(now);
    ++n_finished_;
    done_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable done_;
  std::vector<Lane> lanes_;
  size_t n_finished_ = 0;
  Usage usage_;
  std::optional<base::Error> error_;
  uint64_t start_us_ = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n == 0 ? 0 : (values[(n - 1) / 2] + values[n / 2]) / 2;
}

struct Speeds {
  double prompt_tps = 0;
  double generate_tps = 0;
  Usage usage;                          // of the generation that counted
  std::optional<ExpertSpread> experts;  // likewise
  double tokens_per_pass() const {
    return usage.passes == 0 ? 0 : static_cast<double>(usage.completion_tokens) / usage.passes;
  }
};

// What each request begins with: --depth tokens, which the first request with them leaves in the
// cache.
class Depths {
 public:
  Depths(const BenchOptions& options, uint32_t vocabulary) : vocabulary_(vocabulary) {
    for (uint32_t i = 0; i < options.streams; ++i) {
      depths_.push_back(fresh_tokens(options.depth, vocabulary));
    }
  }

  // With `n` more tokens that no earlier call gave.
  std::vector<std::vector<TokenId>> followed_by(uint32_t n) const {
    std::vector<std::vector<TokenId>> prompts = depths_;
    for (auto& prompt : prompts) {
      for (const TokenId id : fresh_tokens(n, vocabulary_)) prompt.push_back(id);
    }
    return prompts;
  }

  // Errors: kLimitExceeded where the cache had to give up what it should have kept.
  Status expect_cached(const Usage& usage) const {
    const size_t depth = depths_.front().size();
    const size_t whole_blocks = depth - depth % kv::kBlockTokens;
    if (usage.cached_tokens >= whole_blocks * depths_.size()) return {};
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("the cache kept {} of {} requests' {} tokens; ask for less --depth, "
                            "fewer --streams or a smaller --kv",
                            usage.cached_tokens, depths_.size(), depth));
  }

 private:
  uint32_t vocabulary_;
  std::vector<std::vector<TokenId>> depths_;
};

Result<Speeds> measure_speeds(Engine& engine, const BenchOptions& options) {
  std::vector<double> prompt;
  std::vector<double> generate;
  Speeds speeds;
  std::vector<std::vector<uint64_t>> experts_before;
  const Depths depths(options, engine.info().vocabulary);
  ProgressBar bar("bench");
  // The first round warms up and is not counted.
  for (uint32_t i = 0; i <= options.repeat; ++i) {
    bar.share(static_cast<double>(i) / (options.repeat + 1), "prompt");
    if (options.prompt > 0) {
      Race race;
      FREEHOLD_TRY(race.run(engine, depths.followed_by(options.prompt), 1));
      if (i > 0) {
        FREEHOLD_TRY(depths.expect_cached(race.usage()));
        prompt.push_back(race.prompt_tps());
      }
    }
    bar.share((i + 0.5) / (options.repeat + 1), "generation");
    if (options.generate > 0) {
      Race race;
      experts_before = engine.expert_tokens();
      FREEHOLD_TRY(race.run(engine, depths.followed_by(1), options.generate + 1));
      if (i > 0) generate.push_back(race.generate_tps());
      speeds.usage = race.usage();
    }
  }
  speeds.prompt_tps = median(prompt);
  speeds.generate_tps = median(generate);
  speeds.experts = expert_spread(experts_before, engine.expert_tokens());
  return speeds;
}

CacheWidth width_of(const std::string& kv) {
  if (kv == "f32") return CacheWidth::kF32;
  return kv == "q8_0" ? CacheWidth::kQ8_0 : CacheWidth::kF16;
}

// Speeds in the machine's own terms.
struct Measured {
  Speeds speeds;
  MachineLimits limits;
  double bytes_per_token = 0;  // read to generate one, weights and cache
  double ops_per_token = 0;    // int8, of a prompt
  double used_gbps() const { return speeds.generate_tps * bytes_per_token / 1e9; }
  double used_tops() const { return speeds.prompt_tps * ops_per_token / 1e12; }
  double prompt_share() const { return used_tops() / limits.int8_tops; }
  double generate_share() const { return used_gbps() / limits.read_gbps; }
};

// Streams in one step share a reading of the weights, but for experts that only some of them chose;
// each reads its own cache. So do guesses that came true.
double bytes_per_token(const ModelFacts& facts, const BenchOptions& options,
                       double tokens_per_pass) {
  const uint64_t depth = options.depth + options.generate / 2;
  const auto cache = cache_bytes(facts.shape, width_of(options.engine.kv), depth);
  const auto routed = static_cast<double>(facts.active_expert_bytes);
  const double others = static_cast<double>(facts.active_bytes) - routed;
  const double distinct = distinct_experts(facts.shape.experts, facts.shape.experts_used,
                                           options.streams);  // times one token's
  const double a_pass = (others + routed * distinct) / options.streams + static_cast<double>(cache);
  return a_pass / std::max(1.0, tokens_per_pass);
}

void print(const Measured& measured, const ModelInfo& info, const BenchOptions& options) {
  fmt::print("{}\n", describe(info));
  std::vector<std::vector<std::string>> rows = {{"", "TOKENS/S", "USES", "LIMIT", "SHARE"}};
  rows.push_back({fmt::format("prompt {} at {}", options.prompt, options.depth),
                  fmt::format("{:.1f}", measured.speeds.prompt_tps),
                  fmt::format("{:.3f} int8 TOPS", measured.used_tops()),
                  fmt::format("{:.3f}", measured.limits.int8_tops),
                  fmt::format("{:.0f} %", 100 * measured.prompt_share())});
  rows.push_back({fmt::format("generation {} at {}", options.generate, options.depth),
                  fmt::format("{:.1f}", measured.speeds.generate_tps),
                  fmt::format("{:.2f} GB/s", measured.used_gbps()),
                  fmt::format("{:.2f}", measured.limits.read_gbps),
                  fmt::format("{:.0f} %", 100 * measured.generate_share())});
  fmt::print("{}", table(rows, {1, 2, 3, 4}));
  fmt::print("{:.1f} MB read a generated token\n", measured.bytes_per_token / 1e6);
  const Speeds& speeds = measured.speeds;
  if (speeds.usage.drafted_tokens > 0) {
    fmt::print("{:.2f} tokens a pass, {} of {} drafts taken\n", speeds.tokens_per_pass(),
               speeds.usage.accepted_tokens, speeds.usage.drafted_tokens);
  }
  if (speeds.experts) fmt::print("{}\n", describe(*speeds.experts));
}

Json as_json(const Measured& measured, const ModelInfo& info, const BenchOptions& options) {
  const Speeds& speeds = measured.speeds;
  Json out = {{"model", info.name},
              {"architecture", info.architecture},
              {"isa", info.isa},
              {"threads", info.threads},
              {"kv", options.engine.kv},
              {"prompt", options.prompt},
              {"generate", options.generate},
              {"depth", options.depth},
              {"streams", options.streams},
              {"repeat", options.repeat},
              {"prompt_tps", measured.speeds.prompt_tps},
              {"generate_tps", measured.speeds.generate_tps},
              {"read_gbps", measured.limits.read_gbps},
              {"int8_tops", measured.limits.int8_tops},
              {"prompt_tops", measured.used_tops()},
              {"generate_gbps", measured.used_gbps()},
              {"prompt_share", measured.prompt_share()},
              {"generate_share", measured.generate_share()},
              {"bytes_per_token", measured.bytes_per_token},
              {"ops_per_token", measured.ops_per_token},
              {"weights_bytes", info.weights_bytes},
              {"tokens_per_pass", speeds.tokens_per_pass()},
              {"drafted_tokens", speeds.usage.drafted_tokens},
              {"accepted_tokens", speeds.usage.accepted_tokens}};
  if (speeds.experts) {
    out["experts"] = {{"per_layer", speeds.experts->n_experts},
                      {"touched_share", speeds.experts->touched_share},
                      {"tokens_least", speeds.experts->least},
                      {"tokens_median", speeds.experts->median},
                      {"tokens_most", speeds.experts->most}};
  }
  return out;
}

Status bench(BenchOptions options) {
  if (options.prompt == 0 && options.generate == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "bench with --prompt 0 and --generate 0 has nothing to do");
  }
  FREEHOLD_ASSIGN(const auto path, resolve_model(options.engine.model));
  FREEHOLD_ASSIGN(const auto directory, gguf::open_model(path));
  FREEHOLD_ASSIGN(const ModelFacts facts, model_facts(directory));
  // Room for what the rounds leave beside the depth, so that it is not what has to go.
  const uint32_t longest = options.depth + options.prompt + options.generate + 3 * kv::kBlockTokens;
  if (options.engine.context == 0) options.engine.context = longest;
  EngineOptions how;
  how.max_sequences = options.streams;
  FREEHOLD_ASSIGN(const auto engine, load_engine(options.engine, how));
  FREEHOLD_ASSIGN(const kernels::Isa isa, kernels::select_isa(engine->info().isa));
  Measured measured;
  FREEHOLD_ASSIGN(measured.limits, measure_machine(isa, engine->info().threads));
  FREEHOLD_ASSIGN(measured.speeds, measure_speeds(*engine, options));
  measured.bytes_per_token = bytes_per_token(facts, options, measured.speeds.tokens_per_pass());
  measured.ops_per_token = 2.0 * static_cast<double>(facts.active_block_parameters);
  if (options.json) {
    fmt::print("{}\n", to_text(as_json(measured, engine->info(), options), 2));
  } else {
    print(measured, engine->info(), options);
  }
  return {};
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto options = std::make_shared<BenchOptions>();
  // What it writes is noise, which repeats itself or doesn't: guesses would tell nothing.
  options->engine.speculate = "off";
  CLI::App* command = app.add_subcommand("bench", "A model's speed, beside the machine's limits");
  add_engine_arguments(*command, options->engine);
  const auto count = [&](const char* name, uint32_t& into, const CLI::Range& range,
                         const char* about) {
    command->add_option(name, into, about)->capture_default_str()->check(range);
  };
  const CLI::Range tokens(0U, 1U << 24U);
  count("--prompt", options->prompt, tokens, "Tokens of the prompt that is timed");
  count("--generate", options->generate, tokens, "Tokens that are generated");
  count("--depth", options->depth, tokens, "Tokens in the cache before those that are timed");
  count("--streams", options->streams, CLI::Range(1U, 4096U), "Requests at once");
  count("--repeat", options->repeat, CLI::Range(1U, 1000U), "Times; the median counts");
  command->add_flag("--json", options->json, "For machines");
  command->footer(
      "Limits are measured in the same minute: reading memory for generation, int8 operations for\n"
      "prompts.\n\nExample:\n  freehold bench smollm2 --prompt 512 --generate 64");
  command->callback([options, &action] { action = [options] { return bench(*options); }; });
}

}  // namespace freehold::app
