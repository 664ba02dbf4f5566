#include "conversation.h"

#include <fmt/core.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "answer_view.h"
#include "interrupt.h"
#include "line_editor.h"
#include "store.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr const char* kHelp =
    "/help                 this\n"
    "/clear                forget the conversation\n"
    "/system TEXT          set what the model is told first, and start anew\n"
    "/set NAME VALUE       temperature, top_p, top_k, min_p, seed, max_tokens, think (on, off),\n"
    "                      reasoning_budget, verbose (on, off)\n"
    "/retry                answer the last message again, with the next seed\n"
    "/exit                 end (Ctrl-D does, too)\n"
    "\"\"\" begins a message of several lines and ends it; so does \\ at a line's end.\n"
    "Ctrl-C stops an answer.";

template <typename Number>
bool parse(const std::string& text, Number& into) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  into = value;
  return true;
}

bool parse_switch(const std::string& text, bool& into) {
  if (text != "on" && text != "off") return false;
  into = text == "on";
  return true;
}

std::string word(std::string& rest) {
  const size_t from = std::min(rest.find_first_not_of(' '), rest.size());
  const size_t to = std::min(rest.find(' ', from), rest.size());
  const std::string found = rest.substr(from, to - from);
  rest.erase(0, std::min(rest.find_first_not_of(' ', to), rest.size()));
  return found;
}

double per_second(uint64_t n, uint64_t us) {
  return us == 0 ? 0 : static_cast<double>(n) * 1e6 / static_cast<double>(us);
}

AnswerView::Options view_options(const ConversationOptions& options) {
  return {::isatty(STDOUT_FILENO) == 1, options.hide_thinking};
}

void write_out(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void report(const Answer& answer, const ConversationOptions& options) {
  if (options.verbose) fmt::print(stderr, "[{}]\n", describe(answer));
}

// One exchange of a conversation. False when the answer failed.
bool exchange(ChatModel& model, Conversation& conversation) {
  const ConversationOptions& options = conversation.options();
  AnswerView view(view_options(options), write_out);
  InterruptFlag::take();
  const auto answer =
      model.answer(conversation.request(), options.answer, view.sink(), InterruptFlag::flag());
  view.finish();
  InterruptFlag::take();
  if (!answer) {
    fmt::print(stderr, "freehold: {}\n", answer.error().message);
    return false;
  }
  if (answer->reason == FinishReason::kCancelled) fmt::print("(stopped)\n");
  if (answer->reason == FinishReason::kLength) fmt::print("(cut off: no tokens left)\n");
  report(*answer, options);
  conversation.answered(*answer);
  return true;
}

}  // namespace

Conversation::Reply Conversation::command(const std::string& line) {
  std::string rest = line;
  const std::string name = word(rest);
  if (name == "/help" || name == "/?") return {kHelp};
  if (name == "/exit" || name == "/quit" || name == "/bye") return {"", Next::kQuit};
  if (name == "/clear") {
    turns_.clear();
    return {"Forgotten."};
  }
  if (name == "/system") {
    options_.system = rest;
    turns_.clear();
    return {rest.empty() ? "No system message; started anew." : "Set; started anew."};
  }
  if (name == "/set") {
    const std::string setting = word(rest);
    return {set(setting, rest)};
  }
  if (name == "/retry") {
    if (turns_.empty()) return {"There is nothing to answer again."};
    if (turns_.back().role == "assistant") turns_.pop_back();
    ++options_.answer.sampling.seed;
    return {"", Next::kAnswer};
  }
  return {"No command " + name + "; /help lists them."};
}

std::string Conversation::set(const std::string& name, const std::string& value) {
  AnswerOptions& answer = options_.answer;
  bool known = true;
  bool fits = false;
  bool on = false;
  if (name == "temperature") {
    fits = parse(value, answer.sampling.temperature);
  } else if (name == "top_p") {
    fits = parse(value, answer.sampling.top_p);
  } else if (name == "top_k") {
    fits = parse(value, answer.sampling.top_k);
  } else if (name == "min_p") {
    fits = parse(value, answer.sampling.min_p);
  } else if (name == "seed") {
    fits = parse(value, answer.sampling.seed);
  } else if (name == "max_tokens") {
    fits = parse(value, answer.max_tokens);
  } else if (name == "verbose") {
    fits = parse_switch(value, options_.verbose);
  } else if (name == "think") {
    fits = parse_switch(value, on);
    if (fits) answer.thinking = on ? chat::Thinking::kOn : chat::Thinking::kOff;
  } else if (name == "reasoning_budget") {
    fits = parse(value, answer.reasoning_budget);
  } else {
    known = false;
  }
  if (!known) return "No setting '" + name + "'; /help lists them.";
  return fits ? name + " is now " + value + "." : "'" + value + "' does not suit " + name + ".";
}

void Conversation::say(const std::string& message) { turns_.push_back({"user", message}); }

void Conversation::answered(const Answer& answer) {
  turns_.push_back({"assistant", answer.content});
}

void Conversation::take_back() {
  if (!turns_.empty() && turns_.back().role == "user") turns_.pop_back();
}

Json Conversation::request() const {
  Json messages = Json::array();
  if (!options_.system.empty()) {
    messages.push_back({{"role", "system"}, {"content", options_.system}});
  }
  for (const Turn& turn : turns_) messages.push_back({{"role", turn.role}, {"content", turn.text}});
  return {{"messages", messages}};
}

Status answer_once(ChatModel& model, const std::string& prompt, const ConversationOptions& options,
                   bool raw) {
  const InterruptFlag interrupts;
  AnswerView view(view_options(options), write_out);
  Result<Answer> answer = fail(ErrorCode::kCancelled, "");
  if (raw) {
    write_out(prompt);
    answer = model.complete(prompt, options.answer, view.sink(), InterruptFlag::flag());
  } else {
    Conversation conversation(options);
    conversation.say(prompt);
    answer =
        model.answer(conversation.request(), options.answer, view.sink(), InterruptFlag::flag());
  }
  view.finish();
  if (!answer) return std::unexpected(answer.error());
  report(*answer, options);
  if (answer->reason == FinishReason::kCancelled) return fail(ErrorCode::kCancelled, "stopped");
  return {};
}

Status converse(ChatModel& model, const ConversationOptions& options) {
  FREEHOLD_ASSIGN(const Store store, Store::open());
  LineEditor editor(store.root() / "history");
  const InterruptFlag interrupts;
  Conversation conversation(options);
  fmt::print("{} — /help for help, Ctrl-D to end.\n", model.engine().info().name);
  bool asked_to_stop = false;
  std::string message;
  while (true) {
    const auto outcome = editor.read_message(">>> ", message);
    if (outcome == LineEditor::Outcome::kEnd) break;
    if (outcome == LineEditor::Outcome::kInterrupted) {
      if (asked_to_stop) break;
      asked_to_stop = true;
      fmt::print("(Ctrl-C again ends the program.)\n");
      continue;
    }
    asked_to_stop = false;
    if (message.find_first_not_of(" \t\n") == std::string::npos) continue;
    auto next = Conversation::Next::kAnswer;
    if (message.starts_with('/')) {
      const Conversation::Reply reply = conversation.command(message);
      if (!reply.text.empty()) fmt::print("{}\n", reply.text);
      next = reply.next;
    } else {
      conversation.say(message);
    }
    if (next == Conversation::Next::kQuit) break;
    if (next == Conversation::Next::kAnswer && !exchange(model, conversation)) {
      conversation.take_back();
    }
  }
  fmt::print("\n");
  return {};
}

std::string describe(const Answer& answer) {
  const Usage& usage = answer.usage;
  const uint32_t computed =
      usage.prompt_tokens - std::min(usage.prompt_tokens, usage.cached_tokens);
  std::string text = fmt::format(
      "answer {} tokens, {:.1f}/s; prompt {} ({} cached), {:.1f}/s; first token after {} ms",
      usage.completion_tokens, per_second(usage.completion_tokens, usage.generate_us),
      usage.prompt_tokens, usage.cached_tokens, per_second(computed, usage.prompt_us),
      answer.first_token_us / 1000);
  if (usage.drafted_tokens > 0) {
    text += fmt::format("; {} of {} drafts taken ({:.0f} %), {:.2f} tokens a pass",
                        usage.accepted_tokens, usage.drafted_tokens,
                        100.0 * usage.accepted_tokens / usage.drafted_tokens,
                        static_cast<double>(usage.completion_tokens) / usage.passes);
  }
  return text;
}

}  // namespace freehold::app
