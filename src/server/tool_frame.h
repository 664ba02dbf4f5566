// How each family writes a tool call, for the grammar that forces one: what stands around the
// name and the arguments. Facts of the families' templates.
#pragma once

#include <optional>
#include <string>

#include "chat/format.h"

namespace freehold::server {

struct ToolFrame {
  std::string open;        // before the first call; also what tells that calls begin
  std::string call_begin;  // before a name
  std::string name_end;    // between name and arguments
  std::string call_end;
  std::string between;  // calls
  std::string close;    // after the last
};

// Nothing for a family whose calls can't be forced yet.
std::optional<ToolFrame> tool_frame(chat::Format format);

}  // namespace freehold::server
