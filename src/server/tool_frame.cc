// Owns the table of frames.
#include "server/tool_frame.h"

namespace freehold::server {
namespace {

ToolFrame json_frame() {
  return {.open = "<tool_call>",
          .call_begin = "\n{\"name\": \"",
          .name_end = "\", \"arguments\": ",
          .call_end = "}\n</tool_call>",
          .between = "\n<tool_call>"};
}

// V3.2 and V4 differ in the name of the block.
ToolFrame dsml_frame(const std::string& block) {
  const std::string mark = "｜DSML｜";
  return {.open = "<" + mark + block + ">",
          .call_begin = "\n<" + mark + "invoke name=\"",
          .name_end = "\">\n",
          .call_end = "</" + mark + "invoke>",
          .close = "\n</" + mark + block + ">",
          .key_begin = "<" + mark + "parameter name=\"",
          .key_end = "\" string=\"false\">",
          .key_end_string = "\" string=\"true\">",
          .value_end = "</" + mark + "parameter>\n"};
}

ToolFrame mistral_frame(bool has_arguments_mark) {
  if (has_arguments_mark) {
    return {.open = "[TOOL_CALLS]", .name_end = "[ARGS]", .between = "[TOOL_CALLS]"};
  }
  return {.open = "[TOOL_CALLS][",
          .call_begin = "{\"name\": \"",
          .name_end = "\", \"arguments\": ",
          .call_end = "}",
          .between = ", ",
          .close = "]"};
}

}  // namespace

std::optional<ToolFrame> tool_frame(chat::Format format,
                                    const std::function<bool(std::string_view)>& has_token) {
  using chat::Format;
  switch (format) {
    case Format::kGeneric:
      return std::nullopt;
    case Format::kHarmony:
      return ToolFrame{.call_begin = "<|channel|>commentary to=functions.",
                       .name_end = " <|constrain|>json<|message|>",
                       .single = true};
    case Format::kHermes:
      return json_frame();
    case Format::kDeepSeekR1:
      return ToolFrame{.open = "<｜tool▁calls▁begin｜>",
                       .call_begin = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
                       .name_end = "\n```json\n",
                       .call_end = "\n```<｜tool▁call▁end｜>",
                       .between = "\n",
                       .close = "<｜tool▁calls▁end｜>"};
    case Format::kDeepSeekV31:
      return ToolFrame{.open = "<｜tool▁calls▁begin｜>",
                       .call_begin = "<｜tool▁call▁begin｜>",
                       .name_end = "<｜tool▁sep｜>",
                       .call_end = "<｜tool▁call▁end｜>",
                       .close = "<｜tool▁calls▁end｜>"};
    case Format::kDeepSeekV32:
      return dsml_frame("function_calls");
    case Format::kDeepSeekV4:
      return dsml_frame("tool_calls");
    case Format::kQwenXml:
      return ToolFrame{.open = "<tool_call>",
                       .call_begin = "\n<function=",
                       .name_end = ">\n",
                       .call_end = "</function>\n</tool_call>",
                       .between = "\n<tool_call>",
                       .key_begin = "<parameter=",
                       .key_end = ">\n",
                       .key_end_string = ">\n",
                       .value_end = "\n</parameter>\n"};
    case Format::kGlm4:
      return ToolFrame{.open = "<tool_call>",
                       .name_end = "\n",
                       .call_end = "</tool_call>",
                       .between = "\n<tool_call>",
                       .key_begin = "<arg_key>",
                       .key_end = "</arg_key>\n<arg_value>",
                       .key_end_string = "</arg_key>\n<arg_value>",
                       .value_end = "</arg_value>\n"};
    case Format::kLlama3:
      return ToolFrame{.call_begin = "{\"name\": \"",
                       .name_end = "\", \"parameters\": ",
                       .call_end = "}",
                       .between = "; "};
    case Format::kKimiK2:
      return ToolFrame{.open = "<|tool_calls_section_begin|>",
                       .call_begin = "<|tool_call_begin|>functions.",
                       .name_end = "<|tool_call_argument_begin|>",
                       .call_end = "<|tool_call_end|>",
                       .close = "<|tool_calls_section_end|>",
                       .numbered = true};
    case Format::kMistral:
      return mistral_frame(has_token("[ARGS]"));
  }
  return std::nullopt;
}

}  // namespace freehold::server
