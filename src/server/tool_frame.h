// How each family writes a tool call, for the grammar that forces one: what stands around the
// name and the arguments. Facts of the families' templates.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "chat/format.h"

namespace freehold::server {

struct ToolFrame {
  std::string open = {};        // before the first call; also what tells that calls begin
  std::string call_begin = {};  // before a name
  std::string name_end = {};    // between name and arguments
  std::string call_end = {};
  std::string between = {};  // calls
  std::string close = {};    // after the last

  // A call ends the answer, so there is one.
  bool single = false;

  // A family that numbers its calls writes ":N" after the name.
  bool numbered = false;

  // Families that write arguments one by one, each as KEY between the first two and the value
  // between the next two; "" for those that write one JSON object. A string stands as it is.
  std::string key_begin = {};
  std::string key_end = {};         // before a value that is JSON
  std::string key_end_string = {};  // before a string
  std::string value_end = {};
};

// `has_token`: whether the vocabulary has a token with this text. Nothing for the generic format,
// which has no calls.
std::optional<ToolFrame> tool_frame(chat::Format format,
                                    const std::function<bool(std::string_view)>& has_token);

}  // namespace freehold::server
