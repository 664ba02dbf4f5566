// The scanners. What each does is its pattern's, in the table at the end; the rules of a regular
// expression matter here: the first alternative that matches wins, `*` and `?` take what they can.
#include "tokenizer/scanners.h"

#include <algorithm>

#include "tokenizer/patterns.h"
#include "tokenizer/unicode.h"

namespace freehold::tokenizer {
namespace {

constexpr Classes kNotOther = kSpace | kLetter | kNumber;  // complement of [^\s\p{L}\p{N}]

// The end of a match of 's|'t|'re|'ve|'m|'ll|'d at `at`, where an apostrophe stands; `at` when
// there is none. In any case, U+017F counts as an s, as in the vendors' engines.
size_t contraction(std::string_view text, size_t at, bool any_case) {
  const auto letter = [&](size_t i) {
    if (i >= text.size()) return '\0';
    const char c = text[i];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  const char first = letter(at + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  const char second = letter(at + 2);
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
      (first == 'l' && second == 'l')) {
    return at + 3;
  }
  if (any_case && text.substr(at + 1, 2) == "\xC5\xBF") return at + 3;
  return at;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at a white space; without newlines, the last two only.
template <bool kNewlines>
size_t white_space(std::string_view text, size_t at) {
  size_t end = at;
  size_t after_newline = at;
  size_t last = at;  // where the last white space begins
  while (end < text.size()) {
    const Place place = place_at(text, end);
    if ((place.classes & kSpace) == 0) break;
    last = end;
    end = place.next;
    if ((place.classes & kNewline) != 0) after_newline = end;
  }
  if (kNewlines && after_newline > at) return after_newline;
  if (end == text.size() || last == at) return end;
  return last;
}

size_t take_numbers(std::string_view text, size_t at, int limit) {
  for (int i = 0; i < limit && at < text.size(); ++i) {
    const Place place = place_at(text, at);
    if ((place.classes & kNumber) == 0) break;
    at = place.next;
  }
  return at;
}

//  ?[^...]+ followed by newlines: the end, or `at` when there is no match.
template <Classes kExcluded, bool kSlash>
size_t others_and_newlines(std::string_view text, size_t at) {
  const size_t start = text[at] == ' ' ? at + 1 : at;
  size_t end = skip_others(text, start, kExcluded);
  if (end == start) return at;
  while (end < text.size() &&
         (text[end] == '\r' || text[end] == '\n' || (kSlash && text[end] == '/'))) {
    ++end;
  }
  return end;
}

size_t scan_gpt2(std::string_view text, size_t at) {
  if (text[at] == '\'') {
    const size_t end = contraction(text, at, false);
    if (end > at) return end;
  }
  const size_t start = text[at] == ' ' && at + 1 < text.size() ? at + 1 : at;
  const Place place = place_at(text, start);
  if ((place.classes & kLetter) != 0) return skip(text, place.next, kLetter);
  if ((place.classes & kNumber) != 0) return skip(text, place.next, kNumber);
  if ((place.classes & kSpace) == 0) return skip_others(text, place.next, kNotOther);
  return white_space<false>(text, at);
}

// Llama 3 and its kin: kWord is what words are made of, kNumbers how many digits stand together.
template <Classes kWord, int kNumbers>
size_t scan_llama(std::string_view text, size_t at) {
  if (text[at] == '\'') {
    const size_t end = contraction(text, at, true);
    if (end > at) return end;
  }
  const Place first = place_at(text, at);
  if ((first.classes & kWord) != 0) return skip(text, first.next, kWord);
  if ((first.classes & (kNewline | kLetter | kNumber)) == 0 && first.next < text.size()) {
    const Place second = place_at(text, first.next);
    if ((second.classes & kWord) != 0) return skip(text, second.next, kWord);
  }
  if ((first.classes & kNumber) != 0) return take_numbers(text, at, kNumbers);
  const size_t end = others_and_newlines<kNotOther | kWord, false>(text, at);
  return end > at ? end : white_space<true>(text, at);
}

constexpr Classes kUpperWord = kUpper | kTitle | kModifier | kOtherLetter | kMark;
constexpr Classes kLowerWord = kLower | kModifier | kOtherLetter | kMark;

// Whether a place counts as one of `classes` in a word; in Kimi's pattern Han never does.
template <bool kNotHan>
bool in_word(const Place& place, Classes classes) {
  return (place.classes & classes) != 0 && !(kNotHan && (place.classes & kHan) != 0);
}

struct CasedWord {
  size_t mixed;  // the end of a match of U*L+, or the beginning
  size_t upper;  // the end of a match of U+L*, or the beginning
};

// The two ways in which a cased word (without its first, other character) may match at `at`.
template <bool kNotHan>
CasedWord cased_word(std::string_view text, size_t at) {
  size_t end = at;         // of the longest run of U
  size_t after_both = at;  // after the last of the run that is in L too: what U* gives back to L+
  while (end < text.size()) {
    const Place place = place_at(text, end);
    if (!in_word<kNotHan>(place, kUpperWord)) break;
    end = place.next;
    if (in_word<kNotHan>(place, kLowerWord)) after_both = end;
  }
  size_t lower = end;
  while (lower < text.size()) {
    const Place place = place_at(text, lower);
    if (!in_word<kNotHan>(place, kLowerWord)) break;
    lower = place.next;
  }
  if (lower > end) return {lower, end > at ? lower : at};
  return {after_both, end};
}

// [^\r\n\p{L}\p{N}]?U*L+ and, where that fails, [^\r\n\p{L}\p{N}]?U+L*; `at` when both do.
template <bool kNotHan>
size_t prefixed_word(std::string_view text, size_t at, const Place& first) {
  const bool may_prefix =
      (first.classes & (kNewline | kLetter | kNumber)) == 0 && first.next < text.size();
  const CasedWord after =
      may_prefix ? cased_word<kNotHan>(text, first.next) : CasedWord{first.next, first.next};
  if (after.mixed > first.next) return after.mixed;
  const CasedWord plain = cased_word<kNotHan>(text, at);
  if (plain.mixed > at) return plain.mixed;
  return after.upper > first.next ? after.upper : plain.upper;
}

// GPT-4o's pattern and those made from it.
template <bool kContractions, int kNumbers, bool kSlash, bool kKimi>
size_t scan_cased(std::string_view text, size_t at) {
  const Place first = place_at(text, at);
  if (kKimi && (first.classes & kHan) != 0) return skip(text, first.next, kHan);
  const size_t word = prefixed_word<kKimi>(text, at, first);
  if (word > at) {
    const bool apostrophe = kContractions && word < text.size() && text[word] == '\'';
    return apostrophe ? contraction(text, word, true) : word;
  }
  if ((first.classes & kNumber) != 0) return take_numbers(text, at, kNumbers);
  const size_t end = others_and_newlines<kNotOther, kSlash>(text, at);
  return end > at ? end : white_space<true>(text, at);
}

// Pieces of a pattern that leaves gaps: kMatch gives the end of a match at `at`, or `at`.
template <size_t (*kMatch)(std::string_view, size_t)>
size_t scan_with_gaps(std::string_view text, size_t at) {
  const size_t end = kMatch(text, at);
  if (end > at) return end;
  do {
    at += code_point_at(text, at).length;
  } while (at < text.size() && kMatch(text, at) == at);
  return at;
}

// Runs of what kIs accepts, and the runs between them.
template <bool (*kIs)(char32_t)>
size_t scan_runs(std::string_view text, size_t at) {
  CodePoint point = code_point_at(text, at);
  const bool inside = kIs(point.code);
  do {
    at += point.length;
    if (at >= text.size()) break;
    point = code_point_at(text, at);
  } while (kIs(point.code) == inside);
  return at;
}

template <Classes kAnyOf>
size_t scan_class_runs(std::string_view text, size_t at) {
  const Place place = place_at(text, at);
  return (place.classes & kAnyOf) != 0 ? skip(text, place.next, kAnyOf)
                                       : skip_others(text, place.next, kAnyOf);
}

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// DeepSeek-V3's third pattern.
size_t match_deepseek_v3(std::string_view text, size_t at) {
  if (is_ascii_punctuation(text[at]) && at + 1 < text.size() && is_ascii_letter(text[at + 1])) {
    size_t end = at + 2;
    while (end < text.size() && is_ascii_letter(text[end])) ++end;
    return end;
  }
  constexpr Classes kWord = kLetter | kMark;
  const Place first = place_at(text, at);
  if ((first.classes & kWord) != 0) return skip(text, first.next, kWord);
  if ((first.classes & (kNewline | kPunctuation | kSymbol)) == 0 && first.next < text.size()) {
    const Place second = place_at(text, first.next);
    if ((second.classes & kWord) != 0) return skip(text, second.next, kWord);
  }
  const size_t start = text[at] == ' ' ? at + 1 : at;
  size_t end = skip(text, start, kPunctuation | kSymbol);
  if (end > start) return skip(text, end, kNewline);
  return (first.classes & kSpace) != 0 ? white_space<true>(text, at) : at;
}

// \s?X+ where kIs says what X is; `at` when there is no match.
template <bool (*kIs)(char32_t)>
size_t match_spaced(std::string_view text, size_t at) {
  const auto run = [&](size_t from) {
    while (from < text.size()) {
      const CodePoint point = code_point_at(text, from);
      if (!kIs(point.code)) break;
      from += point.length;
    }
    return from;
  };
  const Place first = place_at(text, at);
  if ((first.classes & kSpace) != 0) {
    const size_t end = run(first.next);
    if (end > first.next) return end;
  }
  return run(at);
}

template <Classes kAnyOf>
bool has_class(char32_t code) {
  return (ClassTable::instance().of(code) & kAnyOf) != 0;
}

bool is_line_break(char32_t code) { return code == '\r' || code == '\n'; }
size_t match_line_break(std::string_view text, size_t at) {
  return is_line_break(static_cast<uint8_t>(text[at])) ? at + 1 : at;
}

// [!-/:-~！-／：-～‘-‟　-。], DeepSeek LLM's marks; letters have gone before.
bool is_deepseek_mark(char32_t code) {
  return (code >= '!' && code <= '/') || (code >= ':' && code <= '~') ||
         (code >= 0xFF01 && code <= 0xFF0F) || (code >= 0xFF1A && code <= 0xFF5E) ||
         (code >= 0x2018 && code <= 0x201F) || (code >= 0x3000 && code <= 0x3002);
}

// [一-龥ࠀ-一가-퟿]
bool is_deepseek_cjk(char32_t code) {
  return (code >= 0x0800 && code <= 0x9FA5) || (code >= 0xAC00 && code <= 0xD7FF);
}

// [一-龥぀-ゟ゠-ヿ]
bool is_deepseek_v3_cjk(char32_t code) {
  return (code >= 0x4E00 && code <= 0x9FA5) || (code >= 0x3040 && code <= 0x30FF);
}

// \s+$, and everything before it as one gap.
size_t scan_final_space(std::string_view text, size_t at) {
  size_t begin = text.size();
  while (begin > at) {
    size_t previous = begin - 1;
    while (previous > at && (static_cast<uint8_t>(text[previous]) & 0xC0U) == 0x80U) --previous;
    if ((place_at(text, previous).classes & kSpace) == 0) break;
    begin = previous;
  }
  return begin > at ? begin : text.size();
}

size_t match_three_digits(std::string_view text, size_t at) {
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  return at + 3 <= text.size() && digit(at) && digit(at + 1) && digit(at + 2) ? at + 3 : at;
}

// [\p{P}\$\+<=>\^~\|]+
bool is_default_mark(char32_t code) {
  return has_class<kPunctuation>(code) ||
         (code < 0x80 &&
          std::string_view("$+<=>^~|").find(static_cast<char>(code)) != std::string_view::npos);
}

size_t match_each_number(std::string_view text, size_t at) { return take_numbers(text, at, 1); }
size_t match_three_numbers(std::string_view text, size_t at) { return take_numbers(text, at, 3); }

struct Entry {
  std::string_view pattern;
  Scanner scanner;
};

constexpr Entry kScanners[] = {
    {patterns::kGpt2, scan_gpt2},
    {patterns::kLlama3, scan_llama<kLetter, 3>},
    {patterns::kQwen2, scan_llama<kLetter, 1>},
    {patterns::kQwen35, scan_llama<kLetter | kMark, 1>},
    {patterns::kGpt4o, scan_cased<true, 3, true, false>},
    {patterns::kTekken, scan_cased<false, 1, true, false>},
    {patterns::kKimiK2, scan_cased<true, 3, false, true>},
    {patterns::kDeepSeekV3Cjk, scan_runs<is_deepseek_v3_cjk>},
    {patterns::kDeepSeekV3, scan_with_gaps<match_deepseek_v3>},
    {patterns::kLineBreak, scan_with_gaps<match_line_break>},
    {patterns::kSpacedLetters, scan_with_gaps<match_spaced<has_class<kLetter>>>},
    {patterns::kSpacedMarks, scan_with_gaps<match_spaced<has_class<kPunctuation>>>},
    {patterns::kListedLetters, scan_with_gaps<match_spaced<has_class<kListedLetter>>>},
    {patterns::kListedMarks, scan_with_gaps<match_spaced<is_deepseek_mark>>},
    {patterns::kFinalSpace, scan_final_space},
    {patterns::kDeepSeekCjk, scan_runs<is_deepseek_cjk>},
    {patterns::kEachNumber, scan_with_gaps<match_each_number>},
    {patterns::kThreeNumbers, scan_with_gaps<match_three_numbers>},
    {patterns::kNumbers, scan_class_runs<kNumber>},
    {patterns::kDefaultMarks, scan_runs<is_default_mark>},
    {patterns::kThreeDigits, scan_with_gaps<match_three_digits>},
};

}  // namespace

Scanner scanner_for(std::string_view pattern) {
  for (const Entry& entry : kScanners) {
    if (entry.pattern == pattern) return entry.scanner;
  }
  return nullptr;
}

size_t scan_spaced_words(std::string_view text, size_t at) {
  while (at < text.size() && text[at] == ' ') ++at;
  while (at < text.size() && text[at] != ' ') ++at;
  return at;
}

size_t scan_space_led_words(std::string_view text, size_t at) {
  return std::min(text.find(' ', at + 1), text.size());
}

}  // namespace freehold::tokenizer
