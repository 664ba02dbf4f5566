// Fills the table of classes.
#include "tokenizer/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <map>

#include "tokenizer/patterns.h"

namespace freehold::tokenizer {
namespace {

struct Range {
  char32_t first, last;
};

// Script=Han, Unicode 15.0 (Scripts.txt).
constexpr Range kHanRanges[] = {{0x2E80, 0x2E99},   {0x2E9B, 0x2EF3},   {0x2F00, 0x2FD5},
                                {0x3005, 0x3005},   {0x3007, 0x3007},   {0x3021, 0x3029},
                                {0x3038, 0x303B},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},
                                {0xF900, 0xFA6D},   {0xFA70, 0xFAD9},   {0x16FE2, 0x16FE3},
                                {0x16FF0, 0x16FF1}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B739},
                                {0x2B740, 0x2B81D}, {0x2B820, 0x2CEA1}, {0x2CEB0, 0x2EBE0},
                                {0x2F800, 0x2FA1D}, {0x30000, 0x3134A}, {0x31350, 0x323AF}};

// White_Space (PropList.txt).
constexpr Range kSpaceRanges[] = {
    {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};

Classes of_category(utf8proc_category_t category) {
  switch (category) {
    case UTF8PROC_CATEGORY_LU:
      return kUpper;
    case UTF8PROC_CATEGORY_LL:
      return kLower;
    case UTF8PROC_CATEGORY_LT:
      return kTitle;
    case UTF8PROC_CATEGORY_LM:
      return kModifier;
    case UTF8PROC_CATEGORY_LO:
      return kOtherLetter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return kMark;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return kPunctuation;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
      return kSymbol;
    default:  // Z (covered by White_Space), C
      return 0;
  }
}

// The ranges of the one bracketed class in a pattern.
std::vector<Range> class_ranges(std::string_view pattern) {
  const std::string_view inside =
      pattern.substr(pattern.find('[') + 1, pattern.rfind(']') - pattern.find('[') - 1);
  std::vector<Range> ranges;
  for (size_t at = 0; at < inside.size();) {
    const CodePoint point = code_point_at(inside, at);
    at += point.length;
    ranges.push_back({point.code, point.code});
    if (at < inside.size() && inside[at] == '-') {
      const CodePoint last = code_point_at(inside, at + 1);
      ranges.back().last = last.code;
      at += 1 + last.length;
    }
  }
  return ranges;
}

}  // namespace

ClassTable::ClassTable() {
  std::vector<Classes> flat(kEnd, 0);
  const auto categorise = [&](uint32_t from, uint32_t to) {
    for (uint32_t code = from; code < to; ++code) {
      flat[code] = of_category(utf8proc_category(static_cast<utf8proc_int32_t>(code)));
    }
  };
  categorise(0, 0x33480);        // planes 0 to 2 and what is used of plane 3
  categorise(0xE0000, 0xE0200);  // tags and variation selectors
  const auto mark = [&](const auto& ranges, Classes bit) {
    for (const Range& range : ranges) {
      for (char32_t code = range.first; code <= range.last; ++code) {
        flat[code] = static_cast<Classes>(flat[code] | bit);
      }
    }
  };
  mark(kHanRanges, kHan);
  mark(kSpaceRanges, kSpace);
  mark(class_ranges(patterns::kListedLetters), kListedLetter);
  flat['\r'] |= kNewline;
  flat['\n'] |= kNewline;

  std::map<std::array<Classes, 128>, uint16_t> seen;
  for (uint32_t page = 0; page < kEnd / 128; ++page) {
    std::array<Classes, 128> content{};
    std::copy_n(flat.begin() + page * 128, 128, content.begin());
    const auto [found, is_new] = seen.try_emplace(content, static_cast<uint16_t>(pages_.size()));
    if (is_new) pages_.push_back(content);
    page_of_[page] = found->second;
  }
}

}  // namespace freehold::tokenizer
