// Counters and histograms in Prometheus' text format. Everything is lock-free and of fixed size.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace freehold::server {

// Seconds, in buckets from 1 ms to about 4 minutes, each twice the one before.
class Histogram {
 public:
  void add_us(uint64_t us);
  void append(std::string_view name, std::string& out) const;

 private:
  static constexpr size_t kBuckets = 19;
  std::array<std::atomic<uint64_t>, kBuckets + 1> counts_{};
  std::atomic<uint64_t> sum_us_{0};
};

struct Metrics {
  std::atomic<uint64_t> connections{0};  // open now
  std::atomic<uint64_t> connections_total{0};
  std::atomic<uint64_t> connections_refused{0};
  std::array<std::atomic<uint64_t>, 6> responses{};  // by hundreds of the status
  std::atomic<uint64_t> requests{0};                 // generating or waiting now
  std::atomic<uint64_t> requests_total{0};
  std::atomic<uint64_t> rejected_total{0};  // 429 and 503
  std::atomic<uint64_t> cancelled_total{0};
  std::atomic<uint64_t> slow_readers_total{0};
  std::atomic<uint64_t> prefix_failures_total{0};  // prefix caches that could not be kept
  std::atomic<uint64_t> prompt_tokens_total{0};
  std::atomic<uint64_t> cached_tokens_total{0};
  std::atomic<uint64_t> completion_tokens_total{0};
  std::atomic<uint64_t> reasoning_tokens_total{0};
  Histogram first_token;
  Histogram token_gap;
  Histogram request;
  Histogram queue;

  std::string text() const;
};

void append_metric(std::string_view name, std::string_view type, uint64_t value, std::string& out);

}  // namespace freehold::server
