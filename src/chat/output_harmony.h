// gpt-oss's harmony: messages with a header (role, recipient, channel) and a body.
#pragma once

#include <string>
#include <string_view>

#include "chat/output_scan.h"

namespace freehold::chat {

class HarmonyReader {
 public:
  explicit HarmonyReader(std::string_view prompt_tail);

  // Reads as much of `in` as is certain; false when nothing more can be done.
  bool step(std::string& in, bool final, Sink& sink);
  bool in_reasoning() const { return state_ == State::kText && !is_content_; }

 private:
  enum class State { kHeader, kText, kCall, kAfterCall };

  bool header(std::string& in, bool final, Sink& sink);
  bool text(std::string& in, bool final, Sink& sink);
  bool after_call(std::string& in, bool final);
  // Decides by a complete header what its body is.
  void open_body(Sink* sink);

  State state_ = State::kHeader;
  bool is_content_ = true;
  std::string header_;
  std::string raw_;
  JsonArguments arguments_;
};

}  // namespace freehold::chat
