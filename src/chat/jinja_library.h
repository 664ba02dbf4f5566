// What a template can call: filters, tests, methods and global functions, and the arguments and
// errors they share. Each looks up by name; the tables are in the files beside.
#pragma once

#include <array>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "chat/jinja_value.h"

namespace freehold::chat {

struct Args {
  std::span<const Value> positional;
  std::span<const std::pair<std::string_view, Value>> named;
  // By the order of Named::parameters; null when not given. Filled by call_named.
  std::array<const Value*, 6> bound = {};

  const Value* operator[](size_t i) const { return bound[i]; }
};

// Binds the arguments to the parameters and calls. Errors: TypeError, for too many or unknown ones.
Eval<Value> call_named(Context& context, const Named& callee, const Value& subject, Args args);

// The error classes of Python and Jinja2 that templates run into.
enum class Fault {
  kTypeError,
  kValueError,
  kUndefined,
  kSecurity,
  kRuntime,
  kOverflow,
  kZeroDivision,
  kRaised,  // by the template itself
};

// What the library needs of a render: its heap, its clock, and where errors go.
class Context {
 public:
  Context(const RenderLimits& render_limits, const std::tm& time)
      : limits(render_limits),
        steps_left(limits.steps),
        heap(limits.work_bytes, limits.output_bytes),
        now(time) {}

  // A value of the variables, with a string of that many bytes, brings its own budget.
  void grant(uint64_t bytes) {
    steps_left += limits.steps_per_value;
    heap.grant(limits.work_per_value + limits.work_per_byte * bytes);
  }

  // "line N: TypeError: message", as Jinja2 would say it.
  std::unexpected<Failed> fail(Fault fault, std::string message);
  std::unexpected<Failed> fail(base::ErrorCode code, std::string message);
  // Reports using an undefined value.
  std::unexpected<Failed> fail_undefined(const Undefined& undefined);
  // The heap's budget is used up: an error, if so.
  Eval<void> check();

  const RenderLimits limits;
  uint64_t steps_left;
  Heap heap;
  std::tm now;
  uint32_t line = 0;
  std::optional<base::Error> error;
};

const Named* find_filter(std::string_view name);
const Named* find_test(std::string_view name);
std::span<const Named> global_functions();
// The method of that name, with no regard to safety; null when Python's type has none.
const Named* find_method(const Value& receiver, std::string_view name);
// Whether the immutable sandbox refuses that method (it changes its receiver).
bool is_unsafe_method(const Value& receiver, std::string_view name);

// The tables that the functions above search.
std::span<const Named> text_filters();
std::span<const Named> sequence_filters();
std::span<const Named> number_filters();
std::span<const Named> text_methods();

// What `loop` knows by that name; undefined for others.
Value loop_attribute(Context& context, const Loop& loop, std::string_view name);

// obj.name and obj[key], as Jinja2's environment looks them up.
Eval<Value> get_attribute(Context& context, const Value& subject, std::string_view name);
Eval<Value> get_item(Context& context, const Value& subject, const Value& key);

// item.a.b for a path "a.b" (or a number), as the filters map, sort and selectattr read it; what is
// missing on the way becomes the fallback, if there is one.
Eval<Value> attribute_path(Context& context, Value item, const Value& path,
                           const Value* fallback = nullptr);

// The items that iterating gives: of a list, the keys of a dict, the characters of a text. Takes
// them from a generator. Errors as Python: "'int' object is not iterable".
Eval<std::vector<Value>> iterate(Context& context, const Value& value);
// len(). Errors as Python.
Eval<int64_t> length(Context& context, const Value& value);
Eval<bool> contains(Context& context, const Value& container, const Value& item);
// a + b.
Eval<Value> add(Context& context, const Value& a, const Value& b);
// `format % arguments`.
Eval<Value> percent_format(Context& context, const Text& format, std::span<const Value> values,
                           const Value* mapping);
// str.format: "{}", "{0}", "{name}", with a specification after ':'. Fields inside fields and
// conversions are refused.
Eval<Value> format_fields(Context& context, const Text& format, const Args& args);
// One replacement field of str.format: "<10", ".2f", "04d", ...
Eval<Value> format_value(Context& context, const Value& value, std::string_view spec);
// Pads to a width in code points. `align` is '<', '>' or '^'.
Value pad_text(Context& context, const Text& text, int64_t width, char align,
               std::string_view fill);
Value escape_html(Heap& heap, const Text& text);

// Arguments of the usual kinds; `what` names the callee in the error.
Eval<int64_t> integer_argument(Context& context, const Value& value, std::string_view what);
Eval<const Text*> text_argument(Context& context, const Value& value, std::string_view what);

// tojson. Errors: what Python's json can't write ("Object of type generator is not JSON
// serializable").
struct JsonStyle {
  int64_t indent = -1;  // spaces; -1: one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ascii = false;
  bool sort_keys = false;
};
Eval<Value> json_text(Context& context, const Value& value, const JsonStyle& style);
// A request's variable. Errors: nesting over the limit.
Eval<Value> from_json(Context& context, const Json& json, bool trusted);

}  // namespace freehold::chat
