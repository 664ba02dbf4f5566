// Everything that one tokenizer is made of; built by a loader, then immutable.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/borders.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/special.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_model.h"

namespace freehold::tokenizer {

// Whether a space goes before a fragment (the text between two special tokens).
enum class SpacePrefix {
  kNone,
  kAlways,
  kUnlessSpace,       // only where none is there already
  kFirstUnlessSpace,  // the same, and only at the very beginning of the text
};

struct Tokenizer::Parts {
  Vocabulary vocabulary;
  SpecialMatcher specials;
  Normalizer normalizer;
  SpacePrefix space_prefix = SpacePrefix::kNone;
  bool metaspace = false;  // U+2581 in text means a space
  PreTokenizer pre_tokenizer;
  std::unique_ptr<WordModel> model;  // refers to `vocabulary`
  Borders borders;                   // empty where something else than merging joins characters
  uint32_t word_owner = 0;           // see WordCache
  uint32_t part_owner = 0;
  bool strip_first_space = false;  // when decoding a text from its start

  std::optional<TokenId> bos, eos, padding;
  bool add_bos = false;
  bool add_eos = false;
  std::vector<TokenId> end_of_generation;
  std::map<std::string, std::string, std::less<>> chat_templates;
  std::string description;
};

// U+2581, which SentencePiece vocabularies write for a space, becomes one.
void metaspace_to_space(std::string& text);

// Gives the tokenizer its names in the cache, which no other of this process has had.
void name_in_cache(Tokenizer::Parts& parts);

}  // namespace freehold::tokenizer
