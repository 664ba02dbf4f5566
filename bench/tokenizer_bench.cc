// How fast text becomes ids, in MB/s of one core: prose made of the vocabulary's own words (drawn
// by Zipf's law, so that the word cache sees what it would see in prose), one letter a megabyte
// long, and the time to load.
//
//   tokenizer_bench MODEL [TEXT_FILE...]      MODEL: a GGUF file or a Hugging Face folder
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <random>

#include "base/file.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

namespace {

namespace tokenizer = freehold::tokenizer;
constexpr size_t kTextBytes = size_t{4} << 20U;
constexpr int kRounds = 5;

// Of this process's processor time: the program has one thread, the machine may have other work.
double seconds_since(std::clock_t start) {
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

// The median rate over a few rounds, and that of the first, which finds no word of this text in the
// cache.
void report(const tokenizer::Tokenizer& model, const char* name, const std::string& text) {
  std::vector<double> rates;
  size_t n_ids = 0;
  for (int round = 0; round <= kRounds; ++round) {
    const auto start = std::clock();
    const auto ids = model.encode(text);
    const double seconds = seconds_since(start);
    if (!ids) {
      std::printf("%s: %s\n", name, ids.error().message.c_str());
      return;
    }
    n_ids = ids->size();
    rates.push_back(static_cast<double>(text.size()) / seconds / 1e6);
  }
  const double first = rates.front();
  rates.erase(rates.begin());
  std::ranges::sort(rates);
  std::printf("%-24s %8.1f MB/s, at first %.1f  (%zu bytes, %zu ids)\n", name,
              rates[rates.size() / 2], first, text.size(), n_ids);
}

// Tokens all of whose code points are of `classes`, after an optional space.
std::vector<std::string> words_of(const tokenizer::Tokenizer& model, tokenizer::Classes classes,
                                  bool spaced) {
  std::vector<std::string> words;
  for (int32_t id = 0; id < model.vocabulary_size(); ++id) {
    std::string_view piece = model.piece(id);
    if (!model.is_text(id) || !tokenizer::is_valid_utf8(piece)) continue;
    if (spaced != piece.starts_with(' ')) continue;
    if (spaced) piece.remove_prefix(1);
    if (piece.empty() || tokenizer::skip(piece, 0, classes) != piece.size()) continue;
    if (spaced && piece.find_first_of("etaoin") == std::string_view::npos) continue;
    words.emplace_back(piece);
  }
  return words;
}

// Words by Zipf's law, a mark and perhaps a new line after every few.
std::string prose(const std::vector<std::string>& words, bool spaced) {
  std::string text;
  if (words.empty()) return text;
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform;
  const double n = static_cast<double>(words.size());
  while (text.size() < kTextBytes) {
    const int length = 6 + static_cast<int>(random() % 10);
    for (int i = 0; i < length; ++i) {
      const double rank = std::pow(n, uniform(random)) - 1;
      if (spaced && i > 0) text.push_back(' ');
      text.append(words[static_cast<size_t>(rank)]);
    }
    text.append(spaced ? (random() % 8 == 0 ? ".\n\n" : ", ") : "\uFF0C");
  }
  return text;
}

}  // namespace

int main(int n_arguments, char** arguments) {
  if (n_arguments < 2) {
    std::puts("usage: tokenizer_bench MODEL [TEXT_FILE...]");
    return 2;
  }
  const auto start = std::clock();
  const auto model = tokenizer::Tokenizer::open(arguments[1]);
  if (!model) {
    std::printf("%s\n", model.error().message.c_str());
    return 1;
  }
  std::printf("%s, %d tokens, loaded in %.0f ms\n", model->description().c_str(),
              model->vocabulary_size(), seconds_since(start) * 1e3);
  constexpr tokenizer::Classes kLatin = tokenizer::kUpper | tokenizer::kLower;
  report(*model, "English-like", prose(words_of(*model, kLatin, true), true));
  report(*model, "Chinese-like", prose(words_of(*model, tokenizer::kHan, false), false));
  report(*model, "one letter", std::string(size_t{1} << 20U, 'a'));
  for (int i = 2; i < n_arguments; ++i) {
    const auto text = freehold::base::read_file(arguments[i], 1U << 30U);
    if (!text) {
      std::printf("%s\n", text.error().message.c_str());
      return 1;
    }
    report(*model, arguments[i], *text);
  }
  return 0;
}
