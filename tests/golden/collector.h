// A request's tokens, gathered as they come.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "freehold/engine.h"

namespace freehold::golden {

// Collects a request's tokens and waits for its end.
class Collector {
 public:
  void start(Engine& engine, std::vector<TokenId> prompt, float temperature, uint64_t seed) {
    Request request;
    request.prompt = std::move(prompt);
    request.max_tokens = 24;
    request.sampling.temperature = temperature;
    request.sampling.seed = seed;
    request.on_event = [this](const Event& event) {
      const std::lock_guard lock(mutex_);
      if (event.kind == Event::Kind::kToken) tokens_.push_back(event.token);
      if (event.kind == Event::Kind::kFinished) usage_ = event.usage, done_ = true;
      changed_.notify_one();
    };
    auto stream = engine.submit(std::move(request));
    ASSERT_TRUE(stream.has_value()) << stream.error().message;
    stream_ = std::move(*stream);
  }
  std::vector<TokenId> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_; });
    return tokens_;
  }
  const Usage& usage() const { return usage_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::vector<TokenId> tokens_;
  Usage usage_;
  std::unique_ptr<Stream> stream_;
};

}  // namespace freehold::golden
