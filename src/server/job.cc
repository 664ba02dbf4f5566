// Owns the life of a request between admission and its last byte. Nothing of an answer leaves
// before its row is on the disk, and its end not before its usage is.
#include "server/job.h"

#include <algorithm>
#include <iterator>

#include "base/clock.h"

namespace freehold::server {
namespace {

constexpr uint64_t kMarkUs = 1'000'000;  // between two progress marks in the ledger
constexpr size_t kBatch = 64;      // events shaped before bytes leave and the peer is looked at
constexpr size_t kPauseAt = 2048;  // events waiting: the engine is ahead of us, let it pause
constexpr size_t kResumeAt = 256;

std::string finish_text(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kToolCalls:
      return "tool_calls";
    case Finish::kCancelled:
      return "cancelled";
    case Finish::kError:
      return "error";
  }
  return "error";
}

ApiError unrecorded() {
  return {.kind = ApiError::Kind::kOverloaded,
          .message = "usage can't be recorded now, so nothing is answered",
          .retry_after_s = 30};
}

}  // namespace

Job::Job(JobParts parts)
    : parts_(std::move(parts)),
      usages_(parts_.prompts.size()),
      started_us_(base::now_us()),
      last_mark_us_(started_us_),
      last_out_us_(started_us_) {}

ApiResult<std::shared_ptr<Job>> Job::start(JobParts parts) {
  auto job = std::make_shared<Job>(std::move(parts));
  if (auto submitted = job->submit_all(); !submitted) {
    return std::unexpected(std::move(submitted.error()));
  }
  return job;
}

ApiResult<void> Job::submit_all() {
  const Spec& spec = parts_.spec;
  parts_.metrics->requests.fetch_add(1);
  parts_.metrics->requests_total.fetch_add(1);
  // Sized before the first submit: the engine may answer while the others are still on their way.
  choices_.resize(parts_.prompts.size());
  for (uint32_t i = 0; i < choices_.size(); ++i) {
    auto& prompt = parts_.prompts[i];
    choices_[i].answer =
        std::make_unique<Answer>(spec, *parts_.model, prompt.prompt.tail,
                                 "call_" + parts_.usage.request_id + "_" + std::to_string(i) + "_");
    Request request;
    request.prompt = std::move(prompt.prompt.ids);
    request.sampling = spec.sampling;
    // Choices differ by their seed, and the first is what n = 1 would give.
    request.sampling.seed += i;
    request.max_tokens = spec.max_tokens;
    const auto ends = parts_.model->end_ids();
    if (!spec.ignore_eos) request.stop_ids.assign(ends.begin(), ends.end());
    request.logprobs = spec.logprobs;
    request.top_logprobs = spec.top_logprobs;
    request.tenant = parts_.tenant;
    request.payer = parts_.payer;
    request.constraint = prompt.constraint;
    choices_[i].constraint = prompt.constraint;
    request.on_event = [self = shared_from_this(), i](const Event& event) {
      self->on_event(i, event);
    };
    auto stream = parts_.model->engine().submit(std::move(request));
    if (!stream) {
      give_up_from(i);
      return std::unexpected(from_core(stream.error()));
    }
    choices_[i].stream = std::move(*stream);
    if (i == 0) record_begin();
  }
  return {};
}

void Job::record_begin() {
  if (parts_.ledger == nullptr) {
    on_begun(true);
    return;
  }
  parts_.ledger->begin(parts_.usage, [self = shared_from_this()](bool ok) { self->on_begun(ok); });
}

void Job::give_up_from(uint32_t choice) {
  if (choice == 0) {  // nothing ran, so nothing is recorded
    parts_.metrics->requests.fetch_sub(1);
    parts_.slot.release(0);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    n_ended_ += static_cast<uint32_t>(choices_.size()) - choice;
  }
  abandon();
}

void Job::on_ready(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

void Job::wake() {
  const std::lock_guard lock(mutex_);
  if (wake_) wake_();
}

void Job::on_begun(bool durable) {
  {
    const std::lock_guard lock(mutex_);
    begun_ = durable ? Written::kYes : Written::kFailed;
  }
  wake();
}

void Job::on_settled(bool durable) {
  {
    const std::lock_guard lock(mutex_);
    settled_ = durable ? Written::kYes : Written::kFailed;
  }
  wake();
}

void Job::on_event(uint32_t choice, const Event& event) {
  bool last_of_abandoned = false;
  {
    const std::lock_guard lock(mutex_);
    if (event.kind == Event::Kind::kFinished) {
      ++n_ended_;
      usages_[choice] = event.usage;
      last_of_abandoned = abandoned_ && n_ended_ == choices_.size();
    }
    if (!abandoned_) {
      arrived_.push_back({choice, event});
      if (wake_) wake_();
    }
  }
  if (last_of_abandoned) settle(Finish::kCancelled);
}

Exchange::State Job::pull(std::string& out) {
  const size_t before = out.size();
  std::vector<Arrived> arrived;
  bool all_ended = false;
  Written begun = Written::kNo;
  size_t backlog = 0;
  {
    const std::lock_guard lock(mutex_);
    begun = begun_;
    if (begun == Written::kFailed) arrived_.clear();
    backlog = arrived_.size();
    if (begun == Written::kYes) {
      const auto end = arrived_.begin() + static_cast<ptrdiff_t>(std::min(backlog, kBatch));
      arrived.assign(std::make_move_iterator(arrived_.begin()), std::make_move_iterator(end));
      arrived_.erase(arrived_.begin(), end);
    }
    all_ended = n_ended_ == choices_.size() && arrived_.empty();
    if (!arrived.empty() && !arrived_.empty() && wake_) wake_();
  }
  if (backlog > kPauseAt) pause(true);
  if (backlog > kResumeAt && backlog - arrived.size() <= kResumeAt) pause(false);
  if (begun == Written::kFailed && !error_) fail(unrecorded());
  if (!begun_out_ && streams() && !arrived.empty()) {
    parts_.shape->begin(totals(false), out);
    begun_out_ = true;
  }
  for (const auto& one : arrived) take(one, out);
  if (error_ && !committed_) {
    // It failed before the first byte left: the error has a status of its own.
    out.resize(before);
    begun_out_ = false;
  }
  check_deadline();
  const uint64_t now_us = base::now_us();
  if (parts_.ledger != nullptr && !arrived.empty() && now_us - last_mark_us_ > kMarkUs) {
    parts_.ledger->progress(parts_.usage.request_id, totals(false).completion_tokens);
    last_mark_us_ = now_us;
  }
  const State state = all_ended && begun != Written::kNo ? conclude(out) : State::kWaiting;
  if (out.size() != before) last_out_us_ = now_us;
  if (state == State::kWaiting && streams() &&
      now_us - last_out_us_ > uint64_t{parts_.limits.keep_alive_s} * 1'000'000) {
    parts_.shape->keep_alive(out);
    last_out_us_ = now_us;
  }
  committed_ = committed_ || (streams() && state == State::kWaiting && out.size() != before);
  return state;
}

void Job::take(const Arrived& arrived, std::string& out) {
  Running& running = choices_[arrived.choice];
  const Event& event = arrived.event;
  std::vector<Piece> pieces;
  if (event.kind == Event::Kind::kToken) {
    const uint64_t now_us = base::now_us();
    if (first_token_us_ == 0) {
      first_token_us_ = now_us - started_us_;
      parts_.metrics->first_token.add_us(first_token_us_);
    } else if (choices_.size() == 1) {
      parts_.metrics->token_gap.add_us(now_us - last_token_us_);
    }
    last_token_us_ = now_us;
    if (running.answer->push(event, pieces) && running.stream) running.stream->cancel();
  } else {
    const bool stuck = event.reason == FinishReason::kStop && running.constraint != nullptr &&
                       running.constraint->stuck();
    running.answer->finish(stuck ? FinishReason::kLength : event.reason, pieces);
    running.stream.reset();
    if (event.reason == FinishReason::kError && !error_) {
      fail(event.error ? from_core(*event.error)
                       : ApiError{.kind = ApiError::Kind::kServerError,
                                  .message = "the engine failed to answer"});
    }
  }
  show(arrived.choice, pieces, out);
}

void Job::show(uint32_t choice, std::vector<Piece>& pieces, std::string& out) {
  Running& running = choices_[choice];
  for (const auto& piece : pieces) {
    if (streams()) {
      parts_.shape->piece(choice, piece, out);
    } else {
      running.choice.add(piece);
    }
  }
  if (!running.answer->finished() || running.told || error_) return;
  running.told = true;
  running.choice.finish = running.answer->reason();
  running.choice.stop_string = running.answer->stop_string();
  if (streams()) parts_.shape->choice_done(choice, running.choice, out);
}

void Job::fail(ApiError error) {
  error_ = std::move(error);
  for (auto& running : choices_) {
    if (running.stream) running.stream->cancel();
  }
}

void Job::check_deadline() {
  if (error_ || first_token_us_ != 0) return;
  if (base::now_us() - started_us_ <= uint64_t{parts_.limits.queue_s} * 1'000'000) return;
  parts_.metrics->rejected_total.fetch_add(1);
  fail({.kind = ApiError::Kind::kOverloaded,
        .message = "the request waited too long for its turn",
        .retry_after_s = 10});
}

Totals Job::totals(bool final) const {
  Totals sum;
  std::optional<uint32_t> group;
  sum.prompt_tokens = parts_.usage.prompt_tokens;
  for (size_t i = 0; i < choices_.size(); ++i) {
    const Answer& answer = *choices_[i].answer;
    sum.completion_tokens += answer.tokens();
    sum.reasoning_tokens += answer.reasoning_tokens();
    if (final && group != parts_.prompts[i].group) sum.cached_tokens += usages_[i].cached_tokens;
    group = parts_.prompts[i].group;
  }
  sum.cached_tokens = std::min(sum.cached_tokens, sum.prompt_tokens);
  return sum;
}

void Job::settle(Finish finish) {
  if (std::exchange(settling_, true)) return;
  Totals sum = totals(true);
  ledger::UsageEnd end;
  if (finish == Finish::kCancelled) {
    // Nobody read the answer: what the engine made is what was used.
    sum.completion_tokens = 0;
    for (const auto& usage : usages_) sum.completion_tokens += usage.completion_tokens;
  }
  end.prompt_tokens = sum.prompt_tokens;
  end.cached_tokens = sum.cached_tokens;
  end.completion_tokens = sum.completion_tokens;
  end.reasoning_tokens = sum.reasoning_tokens;
  end.finish = finish_text(finish);
  for (const auto& usage : usages_) {
    end.queue_us = std::max(end.queue_us, usage.queue_us);
    end.prompt_us = std::max(end.prompt_us, usage.prompt_us);
    end.generate_us = std::max(end.generate_us, usage.generate_us);
  }
  Metrics& metrics = *parts_.metrics;
  metrics.requests.fetch_sub(1);
  metrics.prompt_tokens_total.fetch_add(sum.prompt_tokens);
  metrics.cached_tokens_total.fetch_add(sum.cached_tokens);
  metrics.completion_tokens_total.fetch_add(sum.completion_tokens);
  metrics.reasoning_tokens_total.fetch_add(sum.reasoning_tokens);
  metrics.request.add_us(base::now_us() - started_us_);
  metrics.queue.add_us(end.queue_us);
  if (finish == Finish::kCancelled) metrics.cancelled_total.fetch_add(1);
  parts_.slot.release(sum.completion_tokens);
  if (parts_.log) parts_.log(parts_.usage, end, first_token_us_);
  if (parts_.ledger == nullptr) {
    on_settled(true);
    return;
  }
  parts_.ledger->settle(parts_.usage.request_id, end,
                        [self = shared_from_this()](bool ok) { self->on_settled(ok); });
}

Exchange::State Job::conclude(std::string& out) {
  if (concluded_) return State::kDone;
  settle(error_ ? Finish::kError : choices_.front().answer->reason());
  Written settled = Written::kNo;
  {
    const std::lock_guard lock(mutex_);
    settled = settled_;
  }
  if (settled == Written::kNo) return State::kWaiting;
  concluded_ = true;
  if (settled == Written::kFailed && !error_) error_ = unrecorded();
  if (error_) {
    if (streams() && (begun_out_ || committed_)) {
      parts_.shape->error(*error_, out);
    } else {
      out += to_body(*error_, parts_.dialect);
    }
  } else if (streams()) {
    parts_.shape->done(totals(true), out);
  } else {
    std::vector<Choice> all;
    for (auto& running : choices_) all.push_back(std::move(running.choice));
    out += parts_.shape->whole(all, totals(true));
  }
  return State::kDone;
}

unsigned Job::status() const { return error_ ? status_of(*error_, parts_.dialect) : 200; }

void Job::pause(bool paused) {
  for (auto& running : choices_) {
    if (running.stream) running.stream->pause(paused);
  }
}

void Job::abandon() {
  bool all_ended = false;
  std::vector<std::unique_ptr<Stream>> streams;
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    wake_ = nullptr;
    arrived_.clear();
    all_ended = n_ended_ == choices_.size();
    for (auto& running : choices_) streams.push_back(std::move(running.stream));
  }
  streams.clear();  // dropping a stream cancels it
  if (all_ended) settle(Finish::kCancelled);
}

}  // namespace freehold::server
