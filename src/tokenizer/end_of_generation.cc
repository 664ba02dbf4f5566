// The rules for the end of generation.
#include "tokenizer/end_of_generation.h"

#include <algorithm>
#include <string_view>

namespace freehold::tokenizer {
namespace {

constexpr std::string_view kEnds[] = {"<|eot_id|>",
                                      "<|im_end|>",
                                      "<|end|>",
                                      "<|return|>",
                                      "<|call|>",
                                      "<|flush|>",
                                      "<|calls|>",
                                      "<end_of_turn>",
                                      "<|endoftext|>",
                                      "</s>",
                                      "<|eom_id|>",
                                      "<EOT>",
                                      "_<EOT>",
                                      "[EOT]",
                                      "[EOS]",
                                      "<|end_of_text|>",
                                      "<end_of_utterance>",
                                      "<eos>",
                                      "<turn|>",
                                      "<|tool_response>",
                                      "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
                                      "[e~["};

}  // namespace

std::vector<TokenId> end_of_generation_ids(const Vocabulary& vocabulary,
                                           std::vector<TokenId> named) {
  // A normal token may happen to have such a text; it ends nothing.
  const auto ending = [&](std::string_view text) {
    const TokenId id = vocabulary.find(text);
    if (id == kNoToken) return kNoToken;
    const TokenKind kind = vocabulary.kind(id);
    return kind == TokenKind::kControl || kind == TokenKind::kUserDefined ? id : kNoToken;
  };
  for (const std::string_view text : kEnds) {
    if (const TokenId id = ending(text); id != kNoToken) named.push_back(id);
  }
  const auto drop = [&](std::string_view text) {
    if (const TokenId id = vocabulary.find(text); id != kNoToken) std::erase(named, id);
  };
  if (ending("<|return|>") != kNoToken && ending("<|call|>") != kNoToken) drop("<|end|>");
  if (ending("<|tool_response>") != kNoToken) drop("</s>");
  std::ranges::sort(named);
  named.erase(std::unique(named.begin(), named.end()), named.end());
  return named;
}

}  // namespace freehold::tokenizer
