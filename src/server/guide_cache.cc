// Owns the step from a request to the grammar of its answer.
#include "server/guide_cache.h"

#include <algorithm>

#include "server/call_grammar.h"
#include "server/gbnf.h"
#include "server/json_schema.h"

namespace freehold::server {
namespace {

using Expr = GrammarBuilder::Expr;
using base::Result;

Result<Grammar> grammar_of(const Spec& spec, const TokenTrie& trie, const ToolFrame* frame,
                           bool only_calls) {
  using Kind = ResponseFormat::Kind;
  if (!only_calls && spec.format.kind == Kind::kGrammar) return parse_gbnf(spec.format.grammar);
  GrammarBuilder builder;
  JsonGrammar json(builder);
  std::vector<Expr> options;
  if (!only_calls && spec.format.kind == Kind::kJsonObject) options.push_back(json.object());
  if (!only_calls && spec.format.kind == Kind::kJsonSchema) {
    FREEHOLD_ASSIGN(const Expr schema, schema_expr(spec.format.schema, builder, json));
    options.push_back(schema);
  }
  if (frame != nullptr) {
    const bool chosen = spec.tool_choice.kind == ToolChoice::Kind::kAuto;
    CallGrammar calls(builder, json, trie, *frame);
    FREEHOLD_ASSIGN(const Expr expr, calls.compile(spec, chosen && only_calls));
    options.push_back(expr);
  }
  return builder.finish(builder.any_of(std::move(options)));
}

// What the guide depends on, as text.
std::string key_of(const Spec& spec, bool calls, bool only_calls) {
  std::string key = std::to_string(static_cast<int>(spec.format.kind)) + (only_calls ? "c" : "a");
  if (!only_calls) key += dump(spec.format.schema) + "\n" + spec.format.grammar;
  if (!calls) return key;
  key += "\n" + std::to_string(static_cast<int>(spec.tool_choice.kind)) + spec.tool_choice.name +
         (spec.parallel_tool_calls ? "p" : "s");
  for (const auto& tool : spec.tools) {
    key += "\n" + tool.name + (tool.strict ? "!" : "?") + dump(tool.parameters);
  }
  return key;
}

std::string_view trimmed(std::string_view text) {
  const size_t end = text.find_last_not_of(" \n\t");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

bool wants_calls(const Spec& spec) {
  using Kind = ToolChoice::Kind;
  return !spec.tools.empty() &&
         (spec.tool_choice.kind == Kind::kRequired || spec.tool_choice.kind == Kind::kNamed);
}

}  // namespace

std::optional<ToolFrame> GuideCache::frame_of(const Model& model) {
  const auto words = trie(model);
  return tool_frame(model.format(), [&](std::string_view text) { return words->find(text) >= 0; });
}

std::shared_ptr<const TokenTrie> GuideCache::trie(const Model& model) {
  const std::lock_guard lock(mutex_);
  if (!trie_) trie_ = std::make_shared<TokenTrie>(model);
  return trie_;
}

ApiResult<std::shared_ptr<Guide>> GuideCache::guide(const Spec& spec, const Model& model,
                                                    bool only_calls) {
  const bool calls =
      only_calls || (!spec.tools.empty() && spec.tool_choice.kind != ToolChoice::Kind::kNone);
  const auto frame = calls ? frame_of(model) : std::nullopt;
  if (calls && !frame) {
    return std::unexpected(invalid_field(
        "tools",
        "tool calls of this model's format can't be forced; use tool_choice auto without "
        "strict tools"));
  }
  const std::string key = key_of(spec, calls, only_calls);
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(guides_, key, &decltype(guides_)::value_type::first);
    if (known != guides_.end()) {
      guides_.splice(guides_.begin(), guides_, known);
      return known->second;
    }
  }
  auto words = trie(model);
  auto grammar = grammar_of(spec, *words, frame ? &*frame : nullptr, only_calls);
  if (!grammar) {
    const bool tools = only_calls || spec.format.kind == ResponseFormat::Kind::kText;
    const char* field = tools                                                ? "tools"
                        : spec.format.kind == ResponseFormat::Kind::kGrammar ? "grammar"
                                                                             : "response_format";
    return std::unexpected(invalid_field(field, grammar.error().message));
  }
  auto made = std::make_shared<Guide>(std::move(*grammar), std::move(words));
  const std::lock_guard lock(mutex_);
  guides_.emplace_front(key, made);
  if (guides_.size() > kGuides) guides_.pop_back();
  return made;
}

ApiResult<std::shared_ptr<Constraint>> GuideCache::constraint(const Spec& spec, const Model& model,
                                                              std::string_view tail) {
  const bool formatted = spec.format.kind != ResponseFormat::Kind::kText;
  const bool forced = wants_calls(spec);
  const bool strict = spec.tool_choice.kind == ToolChoice::Kind::kAuto && !formatted &&
                      std::ranges::any_of(spec.tools, &Tool::strict);
  const bool budget = spec.chat && spec.reasoning_budget != 0;
  if (!formatted && !forced && !strict && !budget) return nullptr;

  GuidedOptions options;
  const auto& control = model.thinking();
  if (formatted || forced || strict) {
    auto made = guide(spec, model, forced || strict);
    if (!made) return std::unexpected(std::move(made.error()));
    options.guide = std::move(*made);
  }
  options.trie = trie(model);
  if (strict) {
    options.trigger = frame_of(model)->open;
    if (options.trigger.empty()) {
      return std::unexpected(invalid_field(
          "tools", "strict tools of this model's format need tool_choice required or a name"));
    }
  }
  if (spec.chat && control.supported) {
    const bool harmony = model.format() == chat::Format::kHarmony;
    options.think_start = control.start_marker;
    options.think_end = harmony ? "<|channel|>final<|message|>" : control.end_marker;
    options.thinking = harmony || (!control.start_marker.empty() &&
                                   trimmed(tail).ends_with(trimmed(control.start_marker)));
    options.may_think = spec.thinking != chat::Thinking::kOff && !control.start_marker.empty();
  }
  if (budget) {
    if (!control.supported || control.end_text.empty()) {
      return std::unexpected(
          invalid_field("thinking", "this model has no thinking that a budget could end"));
    }
    options.budget = spec.reasoning_budget;
    auto end = model.encode(control.end_text, false, true);
    if (!end) return std::unexpected(from_core(end.error()));
    options.budget_end = std::move(*end);
  }
  return std::make_shared<GuidedAnswer>(std::move(options));
}

}  // namespace freehold::server
