// A step: who is let in, what the model computes, and what comes of it.
#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "engine/local_engine.h"

namespace freehold::engine {

Sequence* LocalEngine::find_running(scheduler::SequenceId id) {
  const auto found = std::ranges::find_if(running_, [&](const auto& s) { return s->id == id; });
  return found == running_.end() ? nullptr : found->get();
}

std::vector<scheduler::Running> LocalEngine::describe_running() const {
  std::vector<scheduler::Running> all;
  all.reserve(running_.size());
  for (const SequencePtr& sequence : running_) {
    const kv::BlockTable& table = sequence->table;
    all.push_back({
        .id = sequence->id,
        .tenant = sequence->tenant,
        .n_tokens = table.n_tokens,
        .prompt_left =
            sequence->prompt_end > table.n_tokens ? sequence->prompt_end - table.n_tokens : 0,
        .may_generate = sequence->request.max_tokens - sequence->n_generated(),
        .n_drafts = static_cast<uint32_t>(sequence->drafts.size()),
        .blocks = static_cast<uint32_t>(table.blocks.size()),
        .exclusive_blocks = cache_.n_exclusive(table),
        .n_steps = sequence->n_steps,
        .paused = sequence->controls->paused,
    });
  }
  return all;
}

void LocalEngine::preempt(scheduler::SequenceId id) {
  const auto found = std::ranges::find_if(running_, [&](const auto& s) { return s->id == id; });
  if (found == running_.end()) return;
  SequencePtr sequence = std::move(*found);
  running_.erase(found);
  cache_.close(sequence->table);
  sequence->prompt_end = static_cast<uint32_t>(sequence->tokens.size());
  sequence->drafts.clear();
  sequence->track = {};
  // In order of arrival before those that never ran.
  const auto place = std::ranges::find_if(waiting_, [&](const auto& other) {
    return !other->admitted_before || other->id > sequence->id;
  });
  waiting_.insert(place, std::move(sequence));
}

// Nobody waits because of a reader who is slow: who is paused gives way. What it has computed stays
// in the prefix cache as long as there is room.
void LocalEngine::make_way_for_waiting() {
  const auto paused = [](const SequencePtr& sequence) { return sequence->controls->paused.load(); };
  if (std::ranges::all_of(waiting_, paused)) return;
  std::vector<scheduler::SequenceId> idle;
  for (const SequencePtr& sequence : running_) {
    if (paused(sequence)) idle.push_back(sequence->id);
  }
  for (const scheduler::SequenceId id : idle) preempt(id);
}

void LocalEngine::admit() {
  make_way_for_waiting();
  std::vector<scheduler::Waiting> waiting;
  waiting.reserve(waiting_.size());
  for (const SequencePtr& sequence : waiting_) {
    if (sequence->controls->paused) continue;
    waiting.push_back({.id = sequence->id,
                       .tenant = sequence->tenant,
                       .prompt_tokens = sequence->prompt_end,
                       .may_generate = sequence->request.max_tokens - sequence->n_generated()});
  }
  const scheduler::Admission admission =
      scheduler_.admit(waiting, describe_running(), cache_.available());
  for (const scheduler::SequenceId id : admission.preempt) preempt(id);
  for (const scheduler::SequenceId id : admission.admit) {
    const auto found = std::ranges::find_if(waiting_, [&](const auto& s) { return s->id == id; });
    if (found == waiting_.end()) continue;
    SequencePtr sequence = std::move(*found);
    waiting_.erase(found);
    sequence->table = cache_.open(sequence->request.tenant);
    const uint32_t cached = cache_.attach(sequence->table, sequence->tokens);
    sequence->n_steps = 0;
    if (!sequence->admitted_before) {
      sequence->admitted_before = true;
      sequence->admitted_us = base::now_us();
      sequence->usage.queue_us = sequence->admitted_us - sequence->submitted_us;
      sequence->usage.cached_tokens = cached;
    }
    running_.push_back(std::move(sequence));
  }
}

// Prompts that begin alike: what one has computed meanwhile the others need not.
void LocalEngine::share_prefixes() {
  for (const SequencePtr& sequence : running_) {
    if (sequence->table.n_tokens >= sequence->prompt_end) continue;
    const uint32_t gained = cache_.attach(sequence->table, sequence->tokens);
    if (sequence->n_generated() == 0) sequence->usage.cached_tokens += gained;
  }
}

bool LocalEngine::step() {
  admit();
  share_prefixes();
  const std::lock_guard lock(model_mutex_);
  const bool prompts_wait = std::ranges::any_of(
      running_, [](const SequencePtr& s) { return s->prompt_end > s->table.n_tokens; });
  speculation_.guess(running_, prompts_wait);
  const scheduler::Plan plan = scheduler_.plan(describe_running(), cache_.available());
  for (const scheduler::SequenceId id : plan.preempt) preempt(id);
  if (plan.turns.empty()) return !plan.preempt.empty();
  const uint64_t n_made = n_made_;
  const uint64_t begin_us = base::now_us();
  begin_pass(plan.turns);
  parts_.model->forward(pass_);
  settle(plan.turns);
  const uint64_t pass_us = base::now_us() - begin_us;
  keep_pace(plan.turns, pass_us);
  learn_costs(plan.turns, n_made_ - n_made, pass_us);
  return true;
}

// Steps that compute parts of prompts say nothing about the cost of a guess.
void LocalEngine::learn_costs(std::span<const scheduler::Turn> turns, uint64_t n_tokens,
                              uint64_t pass_us) {
  DepthPolicy::Step step;
  step.n_sequences = turns.size();
  step.n_tokens = n_tokens;
  step.pass_us = static_cast<double>(pass_us);
  for (const scheduler::Turn& turn : turns) {
    if (!turn.makes_token || turn.n_tokens != turn.n_drafts + 1) return;
    step.n_drafts += turn.n_drafts;
    step.deepest = std::max(step.deepest, turn.n_drafts);
  }
  speculation_.learn(step);
}

void LocalEngine::keep_pace(std::span<const scheduler::Turn> turns, uint64_t step_us) {
  uint32_t n_prompt = 0;
  uint32_t n_others = 0;
  for (const scheduler::Turn& turn : turns) {
    const uint32_t n_answer = turn.makes_token ? turn.n_drafts + 1 : 0;
    n_prompt += turn.n_tokens - n_answer;
    if (turn.n_tokens == n_answer) ++n_others;
  }
  pace_.observe(n_prompt, n_others, step_us);
  scheduler_.set_prompt_tokens_beside_decode(pace_.prompt_tokens());
}

void LocalEngine::begin_pass(std::span<const scheduler::Turn> turns) {
  pass_.clear();
  for (const scheduler::Turn& turn : turns) {
    Sequence& sequence = *find_running(turn.id);
    kv::BlockTable& table = sequence.table;
    // The plan has counted the blocks, so there is room.
    cache_.reserve(table, table.n_tokens + turn.n_tokens);
    sequence.drafts.resize(turn.n_drafts);
    std::vector<TokenId> ids(
        sequence.tokens.begin() + table.n_tokens,
        sequence.tokens.begin() + table.n_tokens + turn.n_tokens - turn.n_drafts);
    ids.insert(ids.end(), sequence.drafts.begin(), sequence.drafts.end());
    pass_.add(ids, table.n_tokens, table.blocks);
    ++sequence.n_steps;
  }
}

void LocalEngine::settle(std::span<const scheduler::Turn> turns) {
  std::vector<size_t> rows;
  for (size_t i = 0; i < turns.size(); ++i) {
    if (!turns[i].makes_token) continue;
    const ops::Slice& slice = pass_.slices[i];
    for (size_t j = 0; j <= turns[i].n_drafts; ++j) {
      rows.push_back(slice.first_row + slice.n_rows - 1 - turns[i].n_drafts + j);
    }
  }
  if (!rows.empty()) parts_.model->logits(pass_, rows, logits_);
  size_t next_row = 0;
  for (size_t i = 0; i < turns.size(); ++i) {
    const scheduler::Turn& turn = turns[i];
    Sequence& sequence = *find_running(turn.id);
    bool done = false;
    if (turn.makes_token) {
      done = settle_tokens(sequence, next_row, turn, pass_.slices[i]);
      next_row += turn.n_drafts + 1;
    } else {
      const uint32_t n = sequence.table.n_tokens + turn.n_tokens;
      cache_.commit(sequence.table, std::span(sequence.tokens).first(n));
      speculation_.note(sequence, pass_, pass_.slices[i], turn.n_tokens);
    }
    if (!done) continue;
    cache_.close(sequence.table);
    std::erase_if(running_, [&](const auto& s) { return s->id == turn.id; });
  }
}

// Samples at the newest token and, as long as the guesses come true, after each of them. What is
// computed beyond that is given back. True when the request has ended.
bool LocalEngine::settle_tokens(Sequence& sequence, size_t first_logits_row,
                                const scheduler::Turn& turn, const ops::Slice& slice) {
  const uint32_t n_known = sequence.table.n_tokens + turn.n_tokens - turn.n_drafts;
  ++sequence.usage.passes;
  sequence.usage.drafted_tokens += turn.n_drafts;
  uint32_t n_true = 0;
  bool done = false;
  bool guessed = true;
  for (uint32_t i = 0; guessed && !done; ++i) {
    const std::span<float> row(logits_.row(first_logits_row + i), parts_.info.vocabulary);
    auto sample = sequence.sampler.sample(row, sequence.tokens.size());
    if (!sample) {
      finish(sequence, FinishReason::kError, sample.error());
      return true;
    }
    guessed = i < turn.n_drafts && sequence.drafts[i] == sample->token;
    if (guessed) ++n_true, ++sequence.usage.accepted_tokens;
    done = append_token(sequence, *sample);
  }
  if (!done) speculation_.learn(sequence, turn.n_drafts, n_true);
  sequence.drafts.clear();
  if (done) return true;
  speculation_.note(sequence, pass_, slice, turn.n_tokens - turn.n_drafts + n_true);
  cache_.commit(sequence.table, std::span(sequence.tokens).first(n_known + n_true));
  cache_.truncate(sequence.table, n_known + n_true);
  return false;
}

// True when the token ends the request.
bool LocalEngine::append_token(Sequence& sequence, const sampling::Sample& sample) {
  if (sequence.first_token_us == 0) {
    sequence.first_token_us = base::now_us();
    sequence.usage.prompt_us = sequence.first_token_us - sequence.admitted_us;
  }
  if (std::ranges::find(sequence.request.stop_ids, sample.token) !=
      sequence.request.stop_ids.end()) {
    finish(sequence, FinishReason::kStop);
    return true;
  }
  sequence.tokens.push_back(sample.token);
  sequence.sampler.accept(sample.token);
  ++sequence.usage.completion_tokens;
  ++n_made_;
  Event event;
  event.kind = Event::Kind::kToken;
  event.token = sample.token;
  event.logprob = sample.logprob;
  event.top_logprobs = sample.top_logprobs;
  if (sequence.request.on_event) sequence.request.on_event(event);
  if (sequence.n_generated() < sequence.request.max_tokens) return false;
  finish(sequence, FinishReason::kLength);
  return true;
}

void LocalEngine::finish(Sequence& sequence, FinishReason reason,
                         std::optional<base::Error> error) {
  if (sequence.first_token_us != 0) {
    sequence.usage.generate_us = base::now_us() - sequence.first_token_us;
  }
  Event event;
  event.kind = Event::Kind::kFinished;
  event.reason = reason;
  event.error = std::move(error);
  event.usage = sequence.usage;
  if (sequence.request.on_event) sequence.request.on_event(event);
  const std::lock_guard lock(mutex_);
  stats_.prompt_tokens += sequence.usage.prompt_tokens;
  stats_.cached_tokens += sequence.usage.cached_tokens;
  stats_.completion_tokens += sequence.usage.completion_tokens;
}

void LocalEngine::publish_stats() {
  const std::lock_guard lock(mutex_);
  stats_.running = static_cast<uint32_t>(running_.size());
  stats_.waiting = static_cast<uint32_t>(waiting_.size() + incoming_.size());
  stats_.kv_blocks_total = cache_.counts().total;
  stats_.kv_blocks_used = cache_.counts().used;
  stats_.kv_blocks_cached = cache_.counts().idle;
  ++stats_.steps;
  stats_.last_step_us = base::now_us();
}

}  // namespace freehold::engine
