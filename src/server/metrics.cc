// Owns the names under which the server's numbers are published.
#include "server/metrics.h"

#include <fmt/format.h>

namespace freehold::server {

void Histogram::add_us(uint64_t us) {
  uint64_t limit_us = 1000;
  size_t bucket = 0;
  while (bucket < kBuckets && us > limit_us) {
    limit_us *= 2;
    ++bucket;
  }
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_us_.fetch_add(us, std::memory_order_relaxed);
}

void Histogram::append(std::string_view name, std::string& out) const {
  out += fmt::format("# TYPE freehold_{}_seconds histogram\n", name);
  uint64_t total = 0;
  double limit_s = 0.001;
  for (size_t i = 0; i < kBuckets; ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    out += fmt::format("freehold_{}_seconds_bucket{{le=\"{:.3f}\"}} {}\n", name, limit_s, total);
    limit_s *= 2;
  }
  total += counts_[kBuckets].load(std::memory_order_relaxed);
  out += fmt::format("freehold_{}_seconds_bucket{{le=\"+Inf\"}} {}\n", name, total);
  const auto sum_us = static_cast<double>(sum_us_.load(std::memory_order_relaxed));
  out += fmt::format("freehold_{}_seconds_sum {:.6f}\n", name, sum_us * 1e-6);
  out += fmt::format("freehold_{}_seconds_count {}\n", name, total);
}

void append_metric(std::string_view name, std::string_view type, uint64_t value, std::string& out) {
  out += fmt::format("# TYPE freehold_{} {}\nfreehold_{} {}\n", name, type, name, value);
}

std::string Metrics::text() const {
  std::string out;
  append_metric("connections", "gauge", connections, out);
  append_metric("connections_total", "counter", connections_total, out);
  append_metric("connections_refused_total", "counter", connections_refused, out);
  out += "# TYPE freehold_responses_total counter\n";
  for (size_t i = 1; i < responses.size(); ++i) {
    out += fmt::format("freehold_responses_total{{status=\"{}xx\"}} {}\n", i, responses[i].load());
  }
  append_metric("requests", "gauge", requests, out);
  append_metric("requests_total", "counter", requests_total, out);
  append_metric("requests_rejected_total", "counter", rejected_total, out);
  append_metric("requests_cancelled_total", "counter", cancelled_total, out);
  append_metric("slow_readers_total", "counter", slow_readers_total, out);
  append_metric("prefix_write_failures_total", "counter", prefix_failures_total, out);
  append_metric("prompt_tokens_total", "counter", prompt_tokens_total, out);
  append_metric("cached_tokens_total", "counter", cached_tokens_total, out);
  append_metric("completion_tokens_total", "counter", completion_tokens_total, out);
  append_metric("reasoning_tokens_total", "counter", reasoning_tokens_total, out);
  first_token.append("first_token", out);
  token_gap.append("token_gap", out);
  request.append("request", out);
  queue.append("queue", out);
  return out;
}

}  // namespace freehold::server
