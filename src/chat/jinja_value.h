// The values of a template: Python's, as far as templates see them, and the heap that owns all that
// one render makes until it ends. A Value is 16 bytes and freely copied; nothing is freed early, so
// the heap's budget bounds memory and time together.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "chat/text.h"

namespace freehold::chat {

struct Undefined;
struct Sequence;
struct Dict;
struct Value;
struct Namespace;
struct Macro;
struct Loop;
struct Method;
struct Args;
class Context;

// A failed evaluation; the context has the error.
struct Failed {};
template <typename T>
using Eval = std::expected<T, Failed>;

// A filter, test, method or global function. `subject` is what it is applied to (none for a
// global).
using Callable = Eval<Value> (*)(Context& context, const Value& subject, const Args& args);
struct Named {
  std::string_view name;
  std::string_view parameters;  // their names, separated by a space; "*": any
  Callable call;
};

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kHuge,  // an integer from 2^63 to 2^64-1, as JSON has them; computed with as a float
  kFloat,
  kText,
  kSequence,
  kDict,
  kNamespace,
  kMacro,
  kLoop,
  kFunction,
  kMethod,
};

struct Value {
  Kind kind = Kind::kNone;
  union {
    int64_t integer = 0;  // also kBool
    uint64_t huge;
    double real;
    const Undefined* undefined;
    const Text* text;
    const Sequence* sequence;
    const Dict* dict;
    Namespace* space;
    const Macro* macro;
    Loop* loop;
    const Named* function;
    const Method* method;
  };

  static Value none() { return {}; }
  static Value boolean(bool value) { return of(Kind::kBool, value ? 1 : 0); }
  static Value number(int64_t value) { return of(Kind::kInt, value); }
  static Value number(double value) {
    Value out;
    out.kind = Kind::kFloat;
    out.real = value;
    return out;
  }
  static Value of(Kind kind, int64_t integer) {
    Value out;
    out.kind = kind;
    out.integer = integer;
    return out;
  }

  bool is(Kind k) const { return kind == k; }
  bool is_integer() const { return kind == Kind::kBool || kind == Kind::kInt; }
  bool is_number() const { return kind >= Kind::kBool && kind <= Kind::kFloat; }
  // Of a number.
  double as_double() const;
  // Of a text.
  std::string_view bytes() const;
};

// A method together with the value that it was looked up on.
struct Method {
  Value receiver;
  const Named* entry;
};

// What using it says; printing it gives nothing.
struct Undefined {
  std::string message;
  bool unsafe = false;  // a mutating method: SecurityError rather than UndefinedError
};

struct Sequence {
  // From kView on they can't be indexed.
  enum class Flavor : uint8_t { kList, kTuple, kRange, kView, kKeys, kValues, kGenerator };
  std::vector<Value> items;
  Flavor flavor = Flavor::kList;
  uint32_t depth = 1;        // of nesting
  mutable size_t taken = 0;  // items a generator has already given away
};

struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  uint32_t depth = 1;
  // Text keys of a large dict.
  std::unordered_map<std::string_view, size_t> index;

  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> members;
};

// Everything one render (or one parse) makes. When the budget is used up, what is made last is
// still whole but `exhausted` is set; evaluation stops at the next node.
class Heap {
 public:
  Heap(uint64_t work_bytes, uint64_t text_bytes) : work_left_(work_bytes), limit_(text_bytes) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void grant(uint64_t bytes) { work_left_ += bytes; }
  // Takes from the budget; false when there is nothing left.
  bool charge(uint64_t bytes);
  bool exhausted() const { return exhausted_; }
  uint64_t text_limit() const { return limit_; }

  Value text(Text text);
  Value text(std::string_view bytes, bool trusted = true) { return text(Text(bytes, trusted)); }
  Value sequence(std::vector<Value> items, Sequence::Flavor flavor = Sequence::Flavor::kList);
  Value dict(std::vector<std::pair<Value, Value>> entries);
  Value undefined(std::string message, bool unsafe = false);
  Value space();
  Value method(Method method);

 private:
  uint64_t work_left_;
  uint64_t limit_;
  bool exhausted_ = false;
  std::deque<Text> texts_;
  std::deque<Sequence> sequences_;
  std::deque<Dict> dicts_;
  std::deque<Undefined> undefineds_;
  std::deque<Namespace> spaces_;
  std::deque<Method> methods_;
};

// A text under construction that stops growing at the heap's limits: what appends says whether
// there was room, and loops may go by that or by Heap::exhausted.
class TextBuilder {
 public:
  explicit TextBuilder(Heap& heap) : heap_(&heap) {}
  bool append(std::string_view bytes, bool trusted);
  bool append(const Text& text, size_t begin, size_t end);
  bool append(const Text& text) { return append(text, 0, text.size()); }
  bool repeat(std::string_view bytes, uint64_t times, bool trusted);
  const Text& text() const { return text_; }
  Value finish() { return heap_->text(std::move(text_)); }

 private:
  bool room_for(uint64_t bytes);
  Heap* heap_;
  Text text_;
};

// Python's str() of a value, appended; repr() when quoted.
bool append_str(Heap& heap, TextBuilder& out, const Value& value);
bool append_repr(Heap& heap, TextBuilder& out, const Value& value);
Value to_text(Heap& heap, const Value& value);
// Python's repr of a float.
std::string float_text(double value);

bool truthy(const Value& value);
bool equal(Heap& heap, const Value& a, const Value& b);
// a < b of numbers, texts and sequences; nothing when Python can't order them.
std::optional<bool> less(Heap& heap, const Value& a, const Value& b);

// "str", "dict", "NoneType" ...
std::string_view type_name(const Value& value);

}  // namespace freehold::chat
