// Any bytes as a model's answer: the first byte picks the format, the second where it is cut. The
// events are those of the whole, and a call ends only if it began.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "chat/output_parser.h"

namespace {

using namespace freehold::chat;

std::string events_of(Format format, std::string_view text, size_t cut) {
  static const auto tools = nlohmann::ordered_json::parse(
      R"([{"function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}}}])");
  OutputOptions options;
  options.format = format;
  options.tools = &tools;
  OutputParser parser(std::move(options));
  std::vector<OutputEvent> events;
  parser.feed(text.substr(0, cut), events);
  parser.feed(text.substr(cut), events);
  parser.finish(events);
  std::string out;
  int32_t running = -1;
  auto last = OutputEvent::Kind::kToolCallEnd;
  for (const OutputEvent& event : events) {
    if (event.kind == OutputEvent::Kind::kToolCallStart) running = event.index;
    if (event.kind == OutputEvent::Kind::kToolCallEnd && running != event.index) __builtin_trap();
    if (event.kind != last || event.kind > OutputEvent::Kind::kContent) {
      const bool fragment = event.kind == OutputEvent::Kind::kToolCallArguments;
      if (!fragment || last != event.kind)
        out += '|' + std::to_string(static_cast<int>(event.kind));
    }
    out += event.name + event.id + event.text;
    last = event.kind;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto format = static_cast<Format>(data[0] % 12);
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t cut = text.empty() ? 0 : data[1] % (text.size() + 1);
  if (events_of(format, text, cut) != events_of(format, text, text.size())) __builtin_trap();
  return 0;
}
