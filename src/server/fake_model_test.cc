// The fake engine of the server's tests (see fake_model.h), and a check that it does what an
// engine's contract says.
#include "server/fake_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/clock.h"
#include "base/random.h"

namespace freehold::server {

struct FakeEngine::Running {
  Request request;
  std::vector<TokenId> script;
  std::vector<TokenId> made;
  std::atomic<bool> cancelled{false};
  std::atomic<bool> paused{false};
};

namespace {

class FakeStream : public Stream {
 public:
  FakeStream(std::shared_ptr<FakeEngine::Running> running, std::condition_variable& wake)
      : running_(std::move(running)), wake_(wake) {}
  ~FakeStream() override { cancel(); }
  void cancel() override {
    running_->cancelled = true;
    wake_.notify_all();
  }
  void pause(bool paused) override {
    running_->paused = paused;
    wake_.notify_all();
  }

 private:
  std::shared_ptr<FakeEngine::Running> running_;
  std::condition_variable& wake_;
};

// Longest tokens first, as a tokenizer would.
std::vector<TokenId> fake_encode(const std::vector<std::string>& vocabulary, std::string_view text,
                                 bool special) {
  std::vector<TokenId> ids;
  while (!text.empty()) {
    TokenId best = static_cast<TokenId>(static_cast<unsigned char>(text.front()));
    size_t length = 1;
    for (size_t id = special ? 256 : 259; id < vocabulary.size(); ++id) {
      if (vocabulary[id].size() > length && text.starts_with(vocabulary[id])) {
        best = static_cast<TokenId>(id);
        length = vocabulary[id].size();
      }
    }
    ids.push_back(best);
    text.remove_prefix(length);
  }
  return ids;
}

std::string script_of(const std::string& prompt) {
  const size_t at = prompt.rfind("say: ");
  if (at == std::string::npos) return "ok";
  const std::string line = prompt.substr(at + 5, prompt.find('\n', at) - at - 5);
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool escaped = line[i] == '\\' && i + 1 < line.size() && line[i + 1] == 'n';
    out += escaped ? '\n' : line[i];
    i += escaped ? 1 : 0;
  }
  return out;
}

}  // namespace

constexpr size_t kHarmonyWords = 276;  // from here on
constexpr size_t kHarmonyControls = 5;

std::vector<std::string> fake_vocabulary(const FakeOptions& options) {
  std::vector<std::string> words;
  for (int i = 0; i < 256; ++i) words.emplace_back(1, static_cast<char>(i));
  for (const char* word : {"<think>", "</think>", "<|end|>", "hello",       " world",
                           "{\"",     "\":",      "\",\"",   "true",        "false",
                           "null",    "\"}",      "}}",      "<tool_call>", "</tool_call>",
                           " the",    "tion",     "日本",    "\n\n",        "name"}) {
    words.emplace_back(word);
  }
  for (std::string& word : words) {
    if (word.find_first_of(options.missing) != std::string::npos) word.clear();
  }
  if (options.format != chat::Format::kHarmony) return words;
  words[kFakeEnd] = "<|return|>";
  for (const char* word : {"<|end|>", "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>",
                           "analysis", "commentary", "final", "assistant"}) {
    words.emplace_back(word);
  }
  return words;
}

FakeEngine::FakeEngine(FakeOptions options)
    : options_(std::move(options)), vocabulary_(fake_vocabulary(options_)) {
  info_.architecture = "fake";
  info_.vocabulary = static_cast<uint32_t>(vocabulary_.size());
  info_.context_tokens = options_.context;
  thread_ = std::thread([this] { loop(); });
}

FakeEngine::~FakeEngine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

EngineStats FakeEngine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.running = static_cast<uint32_t>(running_.size());
  stats.waiting = static_cast<uint32_t>(waiting_.size());
  return stats;
}

base::Result<std::unique_ptr<Stream>> FakeEngine::submit(Request request) {
  if (request.prompt.empty()) {
    return base::fail(base::ErrorCode::kInvalidArgument, "the prompt is empty");
  }
  if (request.prompt.size() > options_.context) {
    return base::fail(base::ErrorCode::kLimitExceeded,
                      "the prompt has " + std::to_string(request.prompt.size()) +
                          " tokens, the context " + std::to_string(options_.context));
  }
  auto running = std::make_shared<Running>();
  std::string prompt;
  for (const TokenId id : request.prompt) prompt += vocabulary_[static_cast<size_t>(id)];
  running->script = fake_encode(vocabulary_, script_of(prompt), true);
  running->request = std::move(request);
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(running);
  }
  wake_.notify_all();
  return std::make_unique<FakeStream>(std::move(running), wake_);
}

base::Status FakeEngine::logits(std::span<const TokenId>, uint32_t,
                                const std::function<void(std::span<const float>)>&) {
  return base::fail(base::ErrorCode::kUnsupported, "a fake has no logits");
}

base::Result<std::vector<float>> FakeEngine::embed(std::span<const TokenId> tokens) {
  std::vector<float> vector(8, 0.0F);
  for (const TokenId id : tokens) vector[static_cast<size_t>(id) % 8] += 1.0F;
  float norm = 0;
  for (const float x : vector) norm += x * x;
  for (float& x : vector) x /= std::sqrt(norm);
  return vector;
}

void FakeEngine::loop() {
  while (true) {
    std::vector<std::shared_ptr<Running>> batch;
    {
      std::unique_lock lock(mutex_);
      const auto live = [this] {
        return stopping_ || !waiting_.empty() || std::ranges::any_of(running_, [](const auto& r) {
                 return !r->paused.load() || r->cancelled.load();
               });
      };
      wake_.wait_for(lock, std::chrono::milliseconds(20), live);
      if (stopping_ && waiting_.empty() && running_.empty()) return;
      auto n_live = static_cast<uint64_t>(
          std::ranges::count_if(running_, [](const auto& r) { return !r->paused.load(); }));
      while (!waiting_.empty() && n_live < options_.max_running) {
        running_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
        ++n_live;
      }
      if (stopping_) {
        for (const auto& r : running_) r->cancelled = true;
      }
      batch = running_;
      stats_.last_step_us = base::now_us();
      ++stats_.steps;
    }
    if (options_.step_us > 0 && !batch.empty()) {
      std::this_thread::sleep_for(std::chrono::microseconds(options_.step_us));
    }
    for (const auto& r : batch) {
      if (r->paused.load() && !r->cancelled.load()) continue;
      if (!step(*r)) continue;
      const std::lock_guard lock(mutex_);
      std::erase(running_, r);
    }
  }
}

TokenId FakeEngine::choose(Running& running) {
  const size_t at = running.made.size();
  const TokenId wanted = at < running.script.size() ? running.script[at] : kFakeEnd;
  if (!running.request.constraint) return wanted;
  // A constrained choice: what the script wants where that is allowed, else by the seed.
  std::vector<float> logits(vocabulary_.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(base::random_uniform(running.request.sampling.seed + i, at));
  }
  logits[static_cast<size_t>(wanted)] = 10.0F;
  running.request.constraint->mask(logits);
  const auto best = std::ranges::max_element(logits);
  EXPECT_TRUE(std::isfinite(*best)) << "a constraint forbade every token";
  const auto token = static_cast<TokenId>(best - logits.begin());
  running.request.constraint->accept(token);
  return token;
}

bool FakeEngine::step(Running& running) {
  Event event;
  event.kind = Event::Kind::kFinished;
  event.usage.prompt_tokens = static_cast<uint32_t>(running.request.prompt.size());
  event.usage.completion_tokens = static_cast<uint32_t>(running.made.size());
  const uint32_t most = running.request.max_tokens;
  if (running.cancelled) {
    event.reason = FinishReason::kCancelled;
  } else if (!options_.error.empty() && !running.made.empty()) {
    event.reason = FinishReason::kError;
    event.error = base::Error{base::ErrorCode::kIo, options_.error};
  } else if ((most != 0 && running.made.size() >= most) ||
             running.request.prompt.size() + running.made.size() >= options_.context) {
    event.reason = FinishReason::kLength;
  } else {
    const TokenId token = choose(running);
    if (std::ranges::find(running.request.stop_ids, token) == running.request.stop_ids.end()) {
      running.made.push_back(token);
      event.kind = Event::Kind::kToken;
      event.token = token;
      event.logprob = -0.5F;
      for (uint32_t i = 0; i < running.request.top_logprobs; ++i) {
        event.top_logprobs.push_back({token, -0.5F - static_cast<float>(i)});
      }
    } else {
      event.reason = FinishReason::kStop;
    }
  }
  const bool ended = event.kind == Event::Kind::kFinished;
  running.request.on_event(event);
  if (ended) running.request.on_event = nullptr;
  return ended;
}

FakeModel::FakeModel(FakeOptions options)
    : vocabulary_(fake_vocabulary(options)), format_(options.format), engine_(std::move(options)) {
  if (format_ == chat::Format::kHarmony) {
    thinking_ = chat::thinking_control(format_, "");
    return;
  }
  thinking_.supported = true;
  thinking_.can_enable = true;
  thinking_.can_disable = true;
  thinking_.start_marker = "<think>";
  thinking_.end_marker = "</think>";
  thinking_.end_text = "</think>";
}

base::Result<Model::Prompt> FakeModel::chat_prompt(const Json& request, chat::Thinking thinking) {
  std::string text;
  for (const auto& message : request["messages"]) {
    text +=
        message["role"].get<std::string>() + ": " + message["content"].get<std::string>() + "\n";
  }
  const bool harmony = format_ == chat::Format::kHarmony;
  const std::string begin = harmony                           ? "<|start|>assistant"
                            : thinking == chat::Thinking::kOn ? "assistant: <think>"
                                                              : "assistant: ";
  return Prompt{fake_encode(vocabulary_, text + begin, false), begin};
}

base::Result<std::vector<TokenId>> FakeModel::encode(std::string_view text, bool /*add_bos*/,
                                                     bool special) const {
  return fake_encode(vocabulary_, text, special);
}

base::Result<std::vector<TokenId>> FakeModel::fill_prompt(std::string_view prefix,
                                                          std::string_view suffix) const {
  return fake_encode(
      vocabulary_, "<PRE>" + std::string(prefix) + "<SUF>" + std::string(suffix) + "<MID>", false);
}

bool FakeModel::is_control(TokenId id) const {
  const auto word = static_cast<size_t>(id);
  return id == kFakeEnd || (word >= kHarmonyWords && word < kHarmonyWords + kHarmonyControls);
}

std::string_view FakeModel::piece(TokenId id, bool special) const {
  if (id < 0 || static_cast<size_t>(id) >= vocabulary_.size()) return {};
  if (id == kFakeEnd && !special) return {};
  return vocabulary_[static_cast<size_t>(id)];
}

FakeModels::FakeModels(FakeOptions options, std::vector<std::string> names) {
  for (auto& name : names) {
    models_.emplace_back(std::move(name), std::make_shared<FakeModel>(options));
  }
}

std::vector<Models::Entry> FakeModels::list() {
  std::vector<Entry> entries;
  for (const auto& [name, model] : models_) entries.push_back({name, model->created_s(), true});
  return entries;
}

ApiResult<std::shared_ptr<Model>> FakeModels::acquire(std::string_view name) {
  std::string names;
  for (const auto& [known, model] : models_) {
    if (known == name) return model;
    names += (names.empty() ? "" : ", ") + known;
  }
  return std::unexpected(ApiError{.kind = ApiError::Kind::kNotFound,
                                  .message = "there is no such model; there are: " + names,
                                  .param = "model",
                                  .code = "model_not_found"});
}

std::vector<std::pair<std::string, std::shared_ptr<Model>>> FakeModels::loaded() { return models_; }

namespace {

TEST(FakeEngine, SaysWhatItIsTold) {
  FakeModel model({});
  std::string said;
  std::atomic<bool> done{false};
  Request request;
  request.prompt = *model.encode("user: say: hello world\n", false, false);
  request.stop_ids = {kFakeEnd};
  request.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::kToken) said += model.piece(event.token, true);
    if (event.kind == Event::Kind::kFinished) done = true;
  };
  const auto stream = model.engine().submit(std::move(request));
  ASSERT_TRUE(stream.has_value());
  while (!done) std::this_thread::yield();
  EXPECT_EQ(said, "hello world");
}

}  // namespace
}  // namespace freehold::server
