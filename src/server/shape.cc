// Owns the gathering of pieces into choices, and the framing of server-sent events.
#include "server/shape.h"

namespace freehold::server {

void Choice::add(const Piece& piece) {
  const auto& event = piece.event;
  switch (event.kind) {
    case chat::OutputEvent::Kind::kReasoning:
      reasoning += event.text;
      break;
    case chat::OutputEvent::Kind::kContent:
    case chat::OutputEvent::Kind::kMalformed:
      content += event.text;
      break;
    case chat::OutputEvent::Kind::kToolCallStart:
      calls.push_back({event.id, event.name, ""});
      break;
    case chat::OutputEvent::Kind::kToolCallArguments:
      if (!calls.empty()) calls.back().arguments += event.text;
      break;
    case chat::OutputEvent::Kind::kToolCallEnd:
      break;
  }
  tokens.insert(tokens.end(), piece.tokens.begin(), piece.tokens.end());
}

void append_sse(std::string_view event, const std::string& data, std::string& out) {
  if (!event.empty()) {
    out += "event: ";
    out += event;
    out += '\n';
  }
  out += "data: ";
  out += data;
  out += "\n\n";
}

}  // namespace freehold::server
