// Any bytes as a chat template: refused, or rendered within its budget, and its segments joined are
// the text.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "chat/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace freehold::chat;
  const auto parsed = Template::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  static const Json variables = Json::parse(
      R"({"messages": [{"role": "system", "content": "Be \"brief\"."},
                       {"role": "user", "content": "<b>Zürich</b> \n"},
                       {"role": "assistant", "content": null, "tool_calls": [{"id": "1",
                         "function": {"name": "f", "arguments": {"a": [1, 2.5, true, null]}}}]}],
          "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
          "bos_token": "<s>", "add_generation_prompt": true, "n": 3, "huge": 18446744073709551615})");
  RenderOptions options;
  options.now = "2026-01-15T12:30:00";
  options.limits.steps = 20'000;
  options.limits.output_bytes = 1U << 18U;
  options.limits.work_bytes = 1U << 22U;
  const auto text = parsed->render(variables, options);
  const auto segments = parsed->render_segments(variables, options);
  if (text.has_value() != segments.has_value()) __builtin_trap();
  if (!text) return 0;
  if (text->size() > options.limits.output_bytes) __builtin_trap();
  std::string joined;
  for (const Segment& segment : *segments) joined += segment.text;
  if (joined != *text) __builtin_trap();
  return 0;
}
