// For tests: an engine that says what its prompt tells it to, one token a step, and a model around
// it whose tokens are bytes. Honours constraints, cancelling, pausing and limits as an engine does.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "server/model.h"
#include "server/models.h"

namespace freehold::server {

struct FakeOptions {
  uint64_t step_us = 0;
  uint32_t context = 4096;
  uint32_t max_running = 16;
  chat::Format format = chat::Format::kHermes;
  std::string missing = {};  // no token has one of these characters
  std::string error = {};    // not empty: every request ends in this error after one token
};

// Tokens 0-255 are bytes, then words. Harmony has its own words after them, in which "<|end|>" ends
// a message and another token the answer.
std::vector<std::string> fake_vocabulary(const FakeOptions& options);
constexpr TokenId kFakeEnd = 258;

// The prompt's last "say: " and what follows up to the end of the line is the answer; "\n" in it
// is written "\\n". Without one the answer is "ok".
class FakeEngine : public Engine {
 public:
  explicit FakeEngine(FakeOptions options);
  ~FakeEngine() override;
  const ModelInfo& info() const override { return info_; }
  EngineStats stats() const override;
  base::Result<std::unique_ptr<Stream>> submit(Request request) override;
  base::Status logits(std::span<const TokenId> tokens, uint32_t batch,
                      const std::function<void(std::span<const float>)>& on_row) override;
  base::Result<std::vector<float>> embed(std::span<const TokenId> tokens) override;

  struct Running;

 private:
  void loop();
  // One token of one request; true when it ended.
  bool step(Running& running);
  TokenId choose(Running& running);

  FakeOptions options_;
  ModelInfo info_;
  std::vector<std::string> vocabulary_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Running>> waiting_;
  std::vector<std::shared_ptr<Running>> running_;
  EngineStats stats_;
  bool stopping_ = false;
  std::thread thread_;
};

class FakeModel : public Model {
 public:
  explicit FakeModel(FakeOptions options);
  Engine& engine() override { return engine_; }
  int64_t created_s() const override { return 1'700'000'000; }
  const std::string& fingerprint() const override { return fingerprint_; }
  base::Result<Prompt> chat_prompt(const Json& request, chat::Thinking thinking) override;
  base::Result<std::vector<TokenId>> encode(std::string_view text, bool add_bos,
                                            bool special) const override;
  base::Result<std::vector<TokenId>> fill_prompt(std::string_view prefix,
                                                 std::string_view suffix) const override;
  uint32_t vocabulary() const override { return static_cast<uint32_t>(vocabulary_.size()); }
  std::string_view piece(TokenId id, bool special) const override;
  bool is_control(TokenId id) const override;
  std::span<const TokenId> end_ids() const override { return end_ids_; }
  chat::Format format() const override { return format_; }
  const chat::ThinkingControl& thinking() const override { return thinking_; }

 private:
  std::vector<std::string> vocabulary_;
  std::vector<TokenId> end_ids_ = {kFakeEnd};
  std::string fingerprint_ = "fp_fake";
  chat::ThinkingControl thinking_;
  chat::Format format_;
  FakeEngine engine_;
};

class FakeModels : public Models {
 public:
  explicit FakeModels(FakeOptions options = {}, std::vector<std::string> names = {"fake"});
  std::vector<Entry> list() override;
  ApiResult<std::shared_ptr<Model>> acquire(std::string_view name) override;
  std::vector<std::pair<std::string, std::shared_ptr<Model>>> loaded() override;

 private:
  std::vector<std::pair<std::string, std::shared_ptr<Model>>> models_;
};

}  // namespace freehold::server
