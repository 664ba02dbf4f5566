// Hand-written scanners for the pre-tokenizer patterns of the families we run. A scanner gives the
// end of the piece that begins at `at`: a match of its pattern, or a gap up to the next match.
// Fragments are valid UTF-8, `at` < fragment.size(), and the answer is > `at`. Each takes time
// linear in the fragment when called from piece to piece.
#pragma once

#include <cstddef>
#include <string_view>

namespace freehold::tokenizer {

using Scanner = size_t (*)(std::string_view fragment, size_t at);

// The scanner for one of patterns.h, or null.
Scanner scanner_for(std::string_view pattern);

// Words of SentencePiece vocabularies: spaces, and what follows up to the next space.
size_t scan_spaced_words(std::string_view fragment, size_t at);
// The same with only one space a word: each space begins one.
size_t scan_space_led_words(std::string_view fragment, size_t at);

}  // namespace freehold::tokenizer
