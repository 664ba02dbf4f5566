// The decoder behind streamed text.
#include "tokenizer/text_stream.h"

#include "tokenizer/utf8.h"

namespace freehold::tokenizer {

std::string Utf8Stream::push(std::string_view bytes) {
  std::string joined;
  if (!pending_.empty()) {
    joined = pending_ + std::string(bytes);
    pending_.clear();
    bytes = joined;
  }
  std::string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const Sequence sequence = sequence_at(bytes, at);
    if (sequence.incomplete) {
      pending_.assign(bytes.substr(at));
      break;
    }
    out.append(sequence.valid ? bytes.substr(at, sequence.length) : kReplacement);
    at += sequence.length;
  }
  return out;
}

std::string Utf8Stream::flush() {
  if (pending_.empty()) return {};
  pending_.clear();
  return std::string(kReplacement);
}

}  // namespace freehold::tokenizer
