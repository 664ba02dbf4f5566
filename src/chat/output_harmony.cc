#include "chat/output_harmony.h"

#include <algorithm>

namespace freehold::chat {

namespace {

const Markers kBodyEnds = {"<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>"};
constexpr std::string_view kStart = "<|start|>";
constexpr std::string_view kMessage = "<|message|>";

// The recipient in a header: the word after "to=", without the namespace of the request's tools.
std::string recipient_of(std::string_view header) {
  const size_t at = header.find("to=");
  if (at == std::string_view::npos) return {};
  std::string_view name = header.substr(at + 3);
  name = name.substr(0, std::min(name.find_first_of(" \t\n<"), name.size()));
  if (name.starts_with("functions.")) name.remove_prefix(10);
  return std::string(name);
}

}  // namespace

HarmonyReader::HarmonyReader(std::string_view prompt_tail) {
  const size_t start = prompt_tail.rfind(kStart);
  if (start == std::string_view::npos) return;
  const std::string_view rest = prompt_tail.substr(start + kStart.size());
  const size_t message = rest.find(kMessage);
  header_ = rest.substr(0, message);
  if (message != std::string_view::npos) open_body(nullptr);
}

bool HarmonyReader::step(std::string& in, bool final, Sink& sink) {
  switch (state_) {
    case State::kHeader:
      return header(in, final, sink);
    case State::kText:
      return text(in, final, sink);
    case State::kCall: {
      const auto step = arguments_.step(in, final, kBodyEnds, raw_, sink);
      if (step == CallReader::Step::kDone) state_ = State::kAfterCall;
      return step != CallReader::Step::kNeedMore;
    }
    case State::kAfterCall:
      return after_call(in, final);
  }
  return false;
}

bool HarmonyReader::header(std::string& in, bool final, Sink& sink) {
  if (in.empty()) return false;
  const int end = take_until(in, {std::string(kMessage)}, final, header_);
  if (end == 0) {
    open_body(&sink);
    return true;
  }
  if (final) {
    // No message came of it. Text without any header is an answer all the same.
    const std::string rest = std::exchange(header_, {});
    const bool is_header = rest.find("<|") != std::string::npos || rest.starts_with("assistant");
    sink.text(is_header ? OutputEvent::Kind::kMalformed : OutputEvent::Kind::kContent, rest);
  }
  return false;
}

void HarmonyReader::open_body(Sink* sink) {
  const std::string header = std::exchange(header_, {});
  const std::string recipient = recipient_of(header);
  if (!recipient.empty() && recipient != "assistant" && sink != nullptr) {
    sink->start(recipient);
    raw_ = header + std::string(kMessage);
    arguments_ = {};
    state_ = State::kCall;
    return;
  }
  // The last channel counts: a stray one may come before it.
  const size_t channel = header.rfind("<|channel|>");
  const std::string_view word = channel == std::string::npos
                                    ? std::string_view(header)
                                    : std::string_view(header).substr(channel + 11);
  is_content_ = !word.starts_with("analysis");
  state_ = State::kText;
}

bool HarmonyReader::text(std::string& in, bool final, Sink& sink) {
  if (in.empty()) return false;
  std::string piece;
  const int end = take_until(in, kBodyEnds, final, piece);
  sink.text(is_content_ ? OutputEvent::Kind::kContent : OutputEvent::Kind::kReasoning, piece);
  if (end < 0) return false;
  // A header that begins without the end of the message before it.
  if (end >= 3) in.insert(0, kBodyEnds[static_cast<size_t>(end)]);
  state_ = State::kHeader;
  return true;
}

bool HarmonyReader::after_call(std::string& in, bool final) {
  skip_white_space(in);
  for (const std::string& end : kBodyEnds) {
    const Match match = begins_with(in, end, final);
    if (match == Match::kPartly) return false;
    if (match == Match::kNo) continue;
    if (end != kStart && end != "<|channel|>") in.erase(0, end.size());
    state_ = State::kHeader;
    return true;
  }
  if (in.empty()) return false;
  is_content_ = true;
  state_ = State::kText;
  return true;
}

}  // namespace freehold::chat
