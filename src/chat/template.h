// A chat template: the Jinja text that a model is published with, which turns a conversation into
// a prompt. Text only; the clock is the caller's.
//
// Source of the semantics: Jinja2's documentation and behaviour in the setting that Hugging Face
// uses: immutable sandbox, trim_blocks, lstrip_blocks, loop controls, `generation` blocks, tojson
// without HTML escaping, raise_exception, strftime_now. Refused by name: include, import, extends,
// block. A template is hostile input: steps, depth, bytes and ranges are bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freehold::chat {

using Json = nlohmann::ordered_json;

// What a template may take for itself, and what the variables add to that: a long conversation
// needs more than a short one, and a template that does harm may not do more of it.
struct RenderLimits {
  uint64_t steps = 40'000;            // nodes evaluated
  uint64_t steps_per_value = 400;     // for each JSON value in the variables it names
  uint32_t depth = 320;               // nodes inside nodes, calls included
  uint64_t output_bytes = 8U << 20U;  // the prompt, and any one string
  uint64_t work_bytes = 4U << 20U;    // everything made or searched on the way
  uint64_t work_per_value = 16U << 10U;
  uint64_t work_per_byte = 64;  // of the strings among those values
};

struct RenderOptions {
  RenderLimits limits;
  // What strftime_now sees: ISO 8601 without a zone, as 2026-01-15T12:30:00. Empty: the system's
  // clock, in its zone.
  std::string now;
  // Variables whose text is the model's own and may hold control tokens.
  std::vector<std::string> trusted_variables = {"bos_token", "eos_token", "pad_token", "unk_token",
                                                "sep_token", "cls_token", "mask_token"};
};

// A stretch of the prompt. Trusted text was written by the template's author and may be read as
// control tokens; untrusted text came from the request and must never be. Segments are not
// boundaries of tokens: text between two recognised control tokens is to be tokenised as one.
struct Segment {
  std::string text;
  bool trusted = false;
  bool operator==(const Segment&) const = default;
};

struct Program;  // the parsed template

class Template {
 public:
  // Errors: kBadFormat (syntax; message has the line), kUnsupported (a statement we refuse),
  // kLimitExceeded (source over 128 KiB, nesting of some 90 brackets or 190 blocks).
  static base::Result<Template> parse(std::string_view source);

  // `variables` is an object; its members are the template's globals. Errors: kInvalidArgument
  // (the template raised an error, or failed where Python would: "line N: TypeError: ..."),
  // kUnsupported (a filter, test or method we don't have), kLimitExceeded.
  base::Result<std::string> render(const Json& variables, const RenderOptions& options = {}) const;

  // The same text in stretches of equal trust; neighbours differ in trust, none is empty.
  base::Result<std::vector<Segment>> render_segments(const Json& variables,
                                                     const RenderOptions& options = {}) const;

  std::string_view source() const;

 private:
  explicit Template(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

}  // namespace freehold::chat
