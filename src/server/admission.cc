// Owns the counts of running requests and the buckets of each key.
#include "server/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"

namespace freehold::server {
namespace {

using Kind = ApiError::Kind;

// Seconds until a bucket is above zero again.
uint32_t wait_s(double level, uint32_t per_minute) {
  return static_cast<uint32_t>(std::ceil(std::max(1.0, -level * 60.0 / per_minute)));
}

}  // namespace

Admission::Slot& Admission::Slot::operator=(Slot&& other) noexcept {
  if (this != &other) {
    release(0);
    admission_ = std::exchange(other.admission_, nullptr);
    key_id_ = std::move(other.key_id_);
  }
  return *this;
}

void Admission::Slot::release(uint64_t completion_tokens) {
  if (auto* admission = std::exchange(admission_, nullptr)) {
    admission->leave(key_id_, completion_tokens);
  }
}

void Admission::Bucket::refill(uint32_t per_minute, uint64_t now_us) {
  const double most = per_minute;
  const double gained = fresh ? most : static_cast<double>(now_us - filled_us) * most / 60e6;
  level = std::min(most, level + gained);
  filled_us = now_us;
  fresh = false;
}

ApiResult<void> Admission::check_key(const ledger::Key& key, uint64_t now_us, KeyState& state) {
  const auto& limits = key.limits;
  if (limits.budget_tokens != 0 && key.spent_tokens >= limits.budget_tokens) {
    return std::unexpected(ApiError{
        .kind = Kind::kNoBudget,
        .message = fmt::format("this key has used its budget of {} tokens", limits.budget_tokens),
        .code = "insufficient_quota"});
  }
  if (limits.concurrency != 0 && state.running >= limits.concurrency) {
    return std::unexpected(
        ApiError{.kind = Kind::kRateLimited,
                 .message = fmt::format("this key may run {} requests at once", limits.concurrency),
                 .code = "concurrency_limit",
                 .retry_after_s = 1});
  }
  if (limits.requests_per_minute != 0) {
    state.requests.refill(limits.requests_per_minute, now_us);
    if (state.requests.level < 1) {
      return std::unexpected(ApiError{
          .kind = Kind::kRateLimited,
          .message =
              fmt::format("this key may make {} requests a minute", limits.requests_per_minute),
          .code = "rate_limit_exceeded",
          .retry_after_s = wait_s(state.requests.level - 1, limits.requests_per_minute)});
    }
  }
  if (limits.tokens_per_minute != 0) {
    state.tokens.refill(limits.tokens_per_minute, now_us);
    if (state.tokens.level <= 0) {
      return std::unexpected(ApiError{
          .kind = Kind::kRateLimited,
          .message = fmt::format("this key may use {} tokens a minute", limits.tokens_per_minute),
          .code = "rate_limit_exceeded",
          .retry_after_s = wait_s(state.tokens.level, limits.tokens_per_minute)});
    }
  }
  return {};
}

ApiResult<Admission::Slot> Admission::enter(const ledger::Key& key, uint64_t prompt_tokens,
                                            uint64_t now_us) {
  const std::lock_guard lock(mutex_);
  if (draining_) {
    return std::unexpected(ApiError{
        .kind = Kind::kOverloaded, .message = "the server is shutting down", .retry_after_s = 5});
  }
  if (running_ >= requests_) {
    const double wait = std::clamp(leave_gap_us_ * 1e-6, 1.0, 60.0);
    return std::unexpected(ApiError{
        .kind = Kind::kRateLimited,
        .message = fmt::format("the server has {} requests running and waiting, which is its limit",
                               running_),
        .code = "server_busy",
        .retry_after_s = static_cast<uint32_t>(std::ceil(wait))});
  }
  KeyState& state = keys_[key.id];
  if (auto allowed = check_key(key, now_us, state); !allowed) {
    return std::unexpected(std::move(allowed.error()));
  }
  state.requests.level -= 1;
  state.tokens.level -= static_cast<double>(prompt_tokens);
  ++state.running;
  ++running_;
  Slot slot;
  slot.admission_ = this;
  slot.key_id_ = key.id;
  return slot;
}

void Admission::leave(const std::string& key_id, uint64_t completion_tokens) {
  const uint64_t now_us = base::now_us();
  const std::lock_guard lock(mutex_);
  KeyState& state = keys_[key_id];
  state.tokens.level -= static_cast<double>(completion_tokens);
  --state.running;
  --running_;
  if (last_leave_us_ != 0) {
    leave_gap_us_ += (static_cast<double>(now_us - last_leave_us_) - leave_gap_us_) * 0.1;
  }
  last_leave_us_ = now_us;
}

uint32_t Admission::running() {
  const std::lock_guard lock(mutex_);
  return running_;
}

}  // namespace freehold::server
