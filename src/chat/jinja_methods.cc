// The methods of Python's str. Pieces of a text keep the trust of the text that they are cut from.
#include <algorithm>

#include "chat/jinja_library.h"

namespace freehold::chat {

namespace {

constexpr size_t kNone = std::string_view::npos;

Value piece(Context& context, const Text& text, size_t begin, size_t end) {
  return context.heap.text(text.slice(begin, end));
}

// Whether the code point at `offset` is to be stripped: in `chars`, or white space without them.
bool strips(std::string_view text, size_t offset, const Text* chars) {
  if (chars == nullptr) return is_space(code_point_at(text, offset));
  const std::string_view c = text.substr(offset, code_point_bytes(text, offset));
  return chars->bytes().find(c) != kNone;
}

Eval<Value> strip(Context& context, const Value& subject, const Args& args, bool left, bool right) {
  const Text* chars = nullptr;
  if (args[0] != nullptr && !args[0]->is(Kind::kNone)) {
    FREEHOLD_ASSIGN(chars, text_argument(context, *args[0], "strip"));
  }
  const std::string_view bytes = subject.bytes();
  context.heap.charge(bytes.size() * (chars == nullptr ? 1 : chars->size()) / 4);
  FREEHOLD_TRY(context.check());
  size_t begin = 0;
  size_t end = bytes.size();
  while (left && begin < end && strips(bytes, begin, chars))
    begin += code_point_bytes(bytes, begin);
  while (right && end > begin) {
    size_t last = end - 1;
    while (last > begin && (static_cast<unsigned char>(bytes[last]) & 0xC0) == 0x80) --last;
    if (!strips(bytes, last, chars)) break;
    end = last;
  }
  return piece(context, *subject.text, begin, end);
}

Eval<Value> method_strip(Context& context, const Value& subject, const Args& args) {
  return strip(context, subject, args, true, true);
}
Eval<Value> method_lstrip(Context& context, const Value& subject, const Args& args) {
  return strip(context, subject, args, true, false);
}
Eval<Value> method_rstrip(Context& context, const Value& subject, const Args& args) {
  return strip(context, subject, args, false, true);
}

// How often a split may cut; all when not given or negative.
Eval<size_t> cuts(Context& context, const Value* argument) {
  if (argument == nullptr) return kNone;
  FREEHOLD_ASSIGN(const int64_t n, integer_argument(context, *argument, "split"));
  return n < 0 ? kNone : static_cast<size_t>(n);
}

// Words between white space, from the left; the rest after `max` cuts is one piece.
std::vector<Value> split_words(Context& context, const Text& text, size_t max) {
  const std::string_view bytes = text.bytes();
  std::vector<Value> out;
  size_t i = 0;
  while (!context.heap.exhausted()) {
    while (i < bytes.size() && is_space(code_point_at(bytes, i))) i += code_point_bytes(bytes, i);
    if (i >= bytes.size()) break;
    size_t end = i;
    const bool rest = out.size() == max;
    while (end < bytes.size() && (rest || !is_space(code_point_at(bytes, end)))) {
      end += code_point_bytes(bytes, end);
    }
    out.push_back(piece(context, text, i, end));
    i = end;
  }
  return out;
}

// `end` without the white space that ends there.
size_t without_space(std::string_view bytes, size_t end) {
  while (end > 0) {
    size_t last = end - 1;
    while (last > 0 && (static_cast<unsigned char>(bytes[last]) & 0xC0) == 0x80) --last;
    if (!is_space(code_point_at(bytes, last))) break;
    end = last;
  }
  return end;
}

std::vector<Value> split_words_from_right(Context& context, const Text& text, size_t max) {
  std::vector<Value> words = split_words(context, text, kNone);
  if (words.size() <= max) return words;
  size_t end = text.size();
  for (size_t word = 0; word < max; ++word) {
    end = without_space(text.bytes(), end) - words[words.size() - 1 - word].text->size();
  }
  words.erase(words.begin(), words.end() - static_cast<ptrdiff_t>(max));
  words.insert(words.begin(), piece(context, text, 0, without_space(text.bytes(), end)));
  return words;
}

// Offsets at which `separator` occurs without overlap.
std::vector<size_t> occurrences(Context& context, std::string_view text, std::string_view what) {
  std::vector<size_t> out;
  context.heap.charge(text.size());
  for (size_t i = find_bytes(text, what, 0); i != kNone && context.heap.charge(32);
       i = find_bytes(text, what, i + what.size())) {
    out.push_back(i);
  }
  return out;
}

Eval<Value> method_split(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const size_t max, cuts(context, args[1]));
  if (args[0] == nullptr || args[0]->is(Kind::kNone)) {
    return context.heap.sequence(split_words(context, *subject.text, max));
  }
  FREEHOLD_ASSIGN(const Text* separator, text_argument(context, *args[0], "split"));
  if (separator->empty()) return context.fail(Fault::kValueError, "empty separator");
  std::vector<Value> out;
  size_t begin = 0;
  for (const size_t at : occurrences(context, subject.bytes(), separator->bytes())) {
    if (out.size() == max || context.heap.exhausted()) break;
    out.push_back(piece(context, *subject.text, begin, at));
    begin = at + separator->size();
  }
  out.push_back(piece(context, *subject.text, begin, subject.text->size()));
  return context.heap.sequence(std::move(out));
}

Eval<Value> method_rsplit(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const size_t max, cuts(context, args[1]));
  if (args[0] == nullptr || args[0]->is(Kind::kNone)) {
    return context.heap.sequence(split_words_from_right(context, *subject.text, max));
  }
  FREEHOLD_ASSIGN(const Text* separator, text_argument(context, *args[0], "rsplit"));
  if (separator->empty()) return context.fail(Fault::kValueError, "empty separator");
  std::vector<Value> out;
  size_t end = subject.text->size();
  while (out.size() < max && context.heap.charge(end)) {
    const size_t at = find_last_bytes(subject.bytes(), separator->bytes(), end);
    if (at == kNone) break;
    out.push_back(piece(context, *subject.text, at + separator->size(), end));
    end = at;
  }
  out.push_back(piece(context, *subject.text, 0, end));
  std::ranges::reverse(out);
  return context.heap.sequence(std::move(out));
}

Eval<Value> method_splitlines(Context& context, const Value& subject, const Args&) {
  const std::string_view bytes = subject.bytes();
  std::vector<Value> out;
  size_t begin = 0;
  for (size_t i = 0; i < bytes.size() && !context.heap.exhausted(); ++i) {
    if (bytes[i] != '\n' && bytes[i] != '\r') continue;
    out.push_back(piece(context, *subject.text, begin, i));
    if (bytes[i] == '\r' && i + 1 < bytes.size() && bytes[i + 1] == '\n') ++i;
    begin = i + 1;
  }
  if (begin < bytes.size()) out.push_back(piece(context, *subject.text, begin, bytes.size()));
  return context.heap.sequence(std::move(out));
}

Eval<Value> partition(Context& context, const Value& subject, const Args& args, bool from_right) {
  const Value none = context.heap.text("");
  FREEHOLD_ASSIGN(
      const Text* separator,
      text_argument(context, args[0] != nullptr ? *args[0] : Value::none(), "partition"));
  if (separator->empty()) return context.fail(Fault::kValueError, "empty separator");
  context.heap.charge(subject.text->size());
  const Text& text = *subject.text;
  const size_t at = from_right ? find_last_bytes(text.bytes(), separator->bytes(), text.size())
                               : find_bytes(text.bytes(), separator->bytes(), 0);
  std::vector<Value> parts;
  if (at == kNone) {
    parts = from_right ? std::vector{none, none, subject} : std::vector{subject, none, none};
  } else {
    const size_t after = at + separator->size();
    parts = {piece(context, text, 0, at), piece(context, text, at, after),
             piece(context, text, after, text.size())};
  }
  return context.heap.sequence(std::move(parts), Sequence::Flavor::kTuple);
}

Eval<Value> method_partition(Context& context, const Value& subject, const Args& args) {
  return partition(context, subject, args, false);
}
Eval<Value> method_rpartition(Context& context, const Value& subject, const Args& args) {
  return partition(context, subject, args, true);
}

// startswith and endswith take one text or a tuple of them.
Eval<Value> has_affix(Context& context, const Value& subject, const Args& args, bool at_end) {
  const std::string_view name = at_end ? "endswith first" : "startswith first";
  std::vector<Value> affixes;
  if (args[0] != nullptr && args[0]->is(Kind::kSequence) &&
      args[0]->sequence->flavor == Sequence::Flavor::kTuple) {
    affixes = args[0]->sequence->items;
  } else {
    affixes.push_back(args[0] != nullptr ? *args[0] : Value::none());
  }
  context.heap.charge(16 * affixes.size());
  for (const Value& affix : affixes) {
    FREEHOLD_ASSIGN(const Text* text, text_argument(context, affix, name));
    const std::string_view bytes = subject.bytes();
    context.heap.charge(text->size() / 8);
    FREEHOLD_TRY(context.check());
    if (at_end ? bytes.ends_with(text->bytes()) : bytes.starts_with(text->bytes())) {
      return Value::boolean(true);
    }
  }
  return Value::boolean(false);
}

Eval<Value> method_startswith(Context& context, const Value& subject, const Args& args) {
  return has_affix(context, subject, args, false);
}
Eval<Value> method_endswith(Context& context, const Value& subject, const Args& args) {
  return has_affix(context, subject, args, true);
}

Eval<Value> remove_affix(Context& context, const Value& subject, const Args& args, bool at_end) {
  FREEHOLD_ASSIGN(const Value has, has_affix(context, subject, args, at_end));
  if (!truthy(has) || !args[0]->is(Kind::kText)) return subject;
  const size_t n = args[0]->text->size();
  const size_t size = subject.text->size();
  return at_end ? piece(context, *subject.text, 0, size - n)
                : piece(context, *subject.text, n, size);
}

Eval<Value> method_removeprefix(Context& context, const Value& subject, const Args& args) {
  return remove_affix(context, subject, args, false);
}
Eval<Value> method_removesuffix(Context& context, const Value& subject, const Args& args) {
  return remove_affix(context, subject, args, true);
}

// Index in code points of the first (or last) occurrence, or -1.
Eval<int64_t> find(Context& context, const Value& subject, const Args& args, bool last) {
  FREEHOLD_ASSIGN(const Text* what,
                  text_argument(context, args[0] != nullptr ? *args[0] : Value::none(), "find"));
  const std::string_view bytes = subject.bytes();
  context.heap.charge(2 * bytes.size());
  FREEHOLD_TRY(context.check());
  size_t from = 0;
  if (args[1] != nullptr) {
    FREEHOLD_ASSIGN(const int64_t start, integer_argument(context, *args[1], "find"));
    const auto n = static_cast<int64_t>(count_code_points(bytes));
    const int64_t index = start < 0 ? std::max<int64_t>(0, start + n) : start;
    if (index > n) return -1;
    from = offset_of_code_point(bytes, static_cast<size_t>(index));
  }
  size_t at = last ? find_last_bytes(bytes, what->bytes(), bytes.size())
                   : find_bytes(bytes, what->bytes(), from);
  if (at == kNone || at < from) return -1;
  return static_cast<int64_t>(count_code_points(bytes.substr(0, at)));
}

Eval<Value> method_find(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const int64_t at, find(context, subject, args, false));
  return Value::number(at);
}
Eval<Value> method_rfind(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const int64_t at, find(context, subject, args, true));
  return Value::number(at);
}
Eval<Value> method_index(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const int64_t at, find(context, subject, args, false));
  if (at < 0) return context.fail(Fault::kValueError, "substring not found");
  return Value::number(at);
}
Eval<Value> method_rindex(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const int64_t at, find(context, subject, args, true));
  if (at < 0) return context.fail(Fault::kValueError, "substring not found");
  return Value::number(at);
}

Eval<Value> method_count(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Text* what,
                  text_argument(context, args[0] != nullptr ? *args[0] : Value::none(), "count"));
  const size_t n = what->empty() ? count_code_points(subject.bytes()) + 1
                                 : occurrences(context, subject.bytes(), what->bytes()).size();
  return Value::number(static_cast<int64_t>(n));
}

Eval<Value> method_format(Context& context, const Value& subject, const Args& args) {
  return format_fields(context, *subject.text, args);
}

Eval<Value> aligned(Context& context, const Value& subject, const Args& args, char align) {
  const Value width = args[0] != nullptr ? *args[0] : Value::none();
  FREEHOLD_ASSIGN(const int64_t n, integer_argument(context, width, "width"));
  std::string fill = " ";
  if (args[1] != nullptr) {
    FREEHOLD_ASSIGN(const Text* text, text_argument(context, *args[1], "fill"));
    if (count_code_points(text->bytes()) != 1) {
      return context.fail(Fault::kTypeError,
                          "The fill character must be exactly one character long");
    }
    fill = text->bytes();
  }
  return pad_text(context, *subject.text, n, align, fill);
}

Eval<Value> method_center(Context& context, const Value& subject, const Args& args) {
  return aligned(context, subject, args, '^');
}
Eval<Value> method_ljust(Context& context, const Value& subject, const Args& args) {
  return aligned(context, subject, args, '<');
}
Eval<Value> method_rjust(Context& context, const Value& subject, const Args& args) {
  return aligned(context, subject, args, '>');
}

Eval<Value> method_zfill(Context& context, const Value& subject, const Args& args) {
  const Value width = args[0] != nullptr ? *args[0] : Value::none();
  FREEHOLD_ASSIGN(const int64_t n, integer_argument(context, width, "zfill"));
  const std::string_view bytes = subject.bytes();
  const size_t sign = bytes.starts_with('-') || bytes.starts_with('+') ? 1 : 0;
  const int64_t missing = n - static_cast<int64_t>(count_code_points(bytes));
  TextBuilder out(context.heap);
  out.append(*subject.text, 0, sign);
  if (missing > 0) out.repeat("0", static_cast<uint64_t>(missing), true);
  out.append(*subject.text, sign, bytes.size());
  return out.finish();
}

using Test = bool (*)(int32_t);

Eval<Value> all_of(Context& context, const Value& subject, Test test) {
  const std::string_view bytes = subject.bytes();
  context.heap.charge(8 * bytes.size());
  FREEHOLD_TRY(context.check());
  for (size_t i = 0; i < bytes.size(); i += code_point_bytes(bytes, i)) {
    if (!test(code_point_at(bytes, i))) return Value::boolean(false);
  }
  return Value::boolean(!bytes.empty());
}

// isupper and islower: no cased character of the other kind, and at least one of this.
Eval<Value> cased(Context& context, const Value& subject, Test wanted, Test refused) {
  const std::string_view bytes = subject.bytes();
  context.heap.charge(8 * bytes.size());
  FREEHOLD_TRY(context.check());
  bool any = false;
  for (size_t i = 0; i < bytes.size(); i += code_point_bytes(bytes, i)) {
    const int32_t c = code_point_at(bytes, i);
    if (refused(c)) return Value::boolean(false);
    any = any || wanted(c);
  }
  return Value::boolean(any);
}

Eval<Value> method_isalnum(Context& context, const Value& subject, const Args&) {
  return all_of(context, subject, [](int32_t c) { return is_alphabetic(c) || is_digit(c); });
}
Eval<Value> method_isalpha(Context& context, const Value& subject, const Args&) {
  return all_of(context, subject, is_alphabetic);
}
Eval<Value> method_isdigit(Context& context, const Value& subject, const Args&) {
  return all_of(context, subject, is_digit);
}
Eval<Value> method_isspace(Context& context, const Value& subject, const Args&) {
  return all_of(context, subject, is_space);
}
Eval<Value> method_isupper(Context& context, const Value& subject, const Args&) {
  return cased(context, subject, is_upper, is_lower);
}
Eval<Value> method_islower(Context& context, const Value& subject, const Args&) {
  return cased(context, subject, is_lower, is_upper);
}

// Methods that do what the filter of the same name does.
template <const Named& (*filter)()>
Eval<Value> as_filter(Context& context, const Value& subject, const Args& args) {
  return filter().call(context, subject, args);
}
const Named& upper_filter() { return *find_filter("upper"); }
const Named& lower_filter() { return *find_filter("lower"); }
const Named& capitalize_filter() { return *find_filter("capitalize"); }
const Named& replace_filter() { return *find_filter("replace"); }

Eval<Value> method_title(Context& context, const Value& subject, const Args&) {
  const std::string_view bytes = subject.bytes();
  TextBuilder out(context.heap);
  bool inside = false;  // of a word
  for (size_t i = 0; i < bytes.size() && !context.heap.exhausted();) {
    const int32_t c = code_point_at(bytes, i);
    std::string changed;
    append_code_point(changed, inside ? to_lower(c) : to_upper(c));
    out.append(changed, subject.text->trusted_at(i));
    inside = is_alphabetic(c);
    i += code_point_bytes(bytes, i);
  }
  return out.finish();
}

Eval<Value> method_join(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const std::vector<Value> items,
                  iterate(context, args[0] != nullptr ? *args[0] : Value::none()));
  TextBuilder out(context.heap);
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is(Kind::kText)) {
      return context.fail(Fault::kTypeError, "sequence item " + std::to_string(i) +
                                                 ": expected str instance, " +
                                                 std::string(type_name(items[i])) + " found");
    }
    if (i > 0) out.append(*subject.text);
    out.append(*items[i].text);
    FREEHOLD_TRY(context.check());
  }
  return out.finish();
}

constexpr Named kTextMethods[] = {
    {"capitalize", "", as_filter<capitalize_filter>},
    {"center", "width fillchar", method_center},
    {"count", "sub", method_count},
    {"endswith", "suffix", method_endswith},
    {"find", "sub start", method_find},
    {"format", "*", method_format},
    {"index", "sub start", method_index},
    {"isalnum", "", method_isalnum},
    {"isalpha", "", method_isalpha},
    {"isdecimal", "", method_isdigit},
    {"isdigit", "", method_isdigit},
    {"islower", "", method_islower},
    {"isnumeric", "", method_isdigit},
    {"isspace", "", method_isspace},
    {"isupper", "", method_isupper},
    {"join", "iterable", method_join},
    {"ljust", "width fillchar", method_ljust},
    {"lower", "", as_filter<lower_filter>},
    {"lstrip", "chars", method_lstrip},
    {"partition", "sep", method_partition},
    {"removeprefix", "prefix", method_removeprefix},
    {"removesuffix", "suffix", method_removesuffix},
    {"replace", "old new count", as_filter<replace_filter>},
    {"rfind", "sub", method_rfind},
    {"rindex", "sub", method_rindex},
    {"rjust", "width fillchar", method_rjust},
    {"rpartition", "sep", method_rpartition},
    {"rsplit", "sep maxsplit", method_rsplit},
    {"rstrip", "chars", method_rstrip},
    {"split", "sep maxsplit", method_split},
    {"splitlines", "", method_splitlines},
    {"startswith", "prefix", method_startswith},
    {"strip", "chars", method_strip},
    {"title", "", method_title},
    {"upper", "", as_filter<upper_filter>},
    {"zfill", "width", method_zfill},
};

}  // namespace

std::span<const Named> text_methods() { return kTextMethods; }

}  // namespace freehold::chat
