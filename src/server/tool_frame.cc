// Owns the table of frames.
#include "server/tool_frame.h"

namespace freehold::server {

std::optional<ToolFrame> tool_frame(chat::Format format) {
  using chat::Format;
  switch (format) {
    case Format::kHermes:
      return ToolFrame{"<tool_call>",     "\n{\"name\": \"", "\", \"arguments\": ",
                       "}\n</tool_call>", "\n<tool_call>",   ""};
    case Format::kDeepSeekR1:
      return ToolFrame{"<｜tool▁calls▁begin｜>",
                       "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
                       "\n```json\n",
                       "\n```<｜tool▁call▁end｜>",
                       "\n",
                       "<｜tool▁calls▁end｜>"};
    case Format::kDeepSeekV31:
      return ToolFrame{"<｜tool▁calls▁begin｜>",
                       "<｜tool▁call▁begin｜>",
                       "<｜tool▁sep｜>",
                       "<｜tool▁call▁end｜>",
                       "",
                       "<｜tool▁calls▁end｜>"};
    case Format::kLlama3:
      return ToolFrame{"", "{\"name\": \"", "\", \"parameters\": ", "}", "; ", ""};
    default:
      return std::nullopt;
  }
}

}  // namespace freehold::server
