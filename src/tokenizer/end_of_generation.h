// Which tokens end an answer.
#pragma once

#include <vector>

#include "tokenizer/vocabulary.h"

namespace freehold::tokenizer {

// `named`: what the file names as end of sequence, turn, message, and the padding and separators of
// fill-in-the-middle. To them come the tokens known by their text to end a turn; `<|end|>` does not
// where `<|return|>` and `<|call|>` exist (it ends one message of several, gpt-oss), nor `</s>`
// where `<|tool_response>` does. Ascending, without repeats.
std::vector<TokenId> end_of_generation_ids(const Vocabulary& vocabulary,
                                           std::vector<TokenId> named);

}  // namespace freehold::tokenizer
