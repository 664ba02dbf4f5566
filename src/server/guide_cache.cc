// Owns the step from a request to the grammar of its answer.
#include "server/guide_cache.h"

#include <algorithm>

#include "server/call_grammar.h"
#include "server/gbnf.h"
#include "server/harmony_answer.h"
#include "server/harmony_grammar.h"
#include "server/json_schema.h"

namespace freehold::server {
namespace {

using Expr = GrammarBuilder::Expr;
using base::Result;

// Calls are in a grammar where they are all it has, and beside a format where tools are offered.
bool binds_calls(const Spec& spec, const Bonds& bonds) {
  return bonds.calls_only() ||
         (bonds.format && !spec.tools.empty() && spec.tool_choice.kind != ToolChoice::Kind::kNone);
}

HarmonyRules harmony_rules(const Spec& spec, const Bonds& bonds) {
  const bool free = !bonds.format && !bonds.forced;
  return {.think = spec.thinking != chat::Thinking::kOff,
          .speak = free,
          .call = free && !bonds.strict && !spec.tools.empty() &&
                  spec.tool_choice.kind != ToolChoice::Kind::kNone};
}

Result<Expr> format_expr(const ResponseFormat& format, GrammarBuilder& builder, JsonGrammar& json) {
  using Kind = ResponseFormat::Kind;
  if (format.kind == Kind::kGrammar) return parse_gbnf(format.grammar, builder);
  if (format.kind == Kind::kJsonSchema) return schema_expr(format.schema, builder, json);
  return json.object();
}

Result<Grammar> grammar_of(const Spec& spec, const Bonds& bonds, const TokenTrie& trie,
                           const ToolFrame* frame, const HarmonyRules* harmony) {
  GrammarBuilder builder;
  JsonGrammar json(builder);
  std::vector<Expr> options;
  if (bonds.format && !bonds.calls_only()) {
    FREEHOLD_ASSIGN(const Expr format, format_expr(spec.format, builder, json));
    options.push_back(harmony != nullptr ? harmony_final(builder, format) : format);
  }
  if (frame != nullptr) {
    CallGrammar calls(builder, json, trie, *frame);
    FREEHOLD_ASSIGN(const Expr expr, calls.compile(spec, bonds.strict && harmony == nullptr));
    options.push_back(expr);
  }
  const Expr answer = harmony != nullptr ? harmony_messages(builder, *harmony, std::move(options))
                                         : builder.any_of(std::move(options));
  return builder.finish(answer);
}

// What the guide depends on, as text.
std::string key_of(const Spec& spec, const Bonds& bonds, bool calls, const HarmonyRules* harmony) {
  std::string key = bonds.calls_only() ? "c" : bonds.format ? "a" : "f";
  if (harmony != nullptr) {
    for (const bool rule : {harmony->think, harmony->speak, harmony->call}) key += rule ? '1' : '0';
  }
  if (bonds.format && !bonds.calls_only()) {
    key += std::to_string(static_cast<int>(spec.format.kind)) + dump(spec.format.schema) + "\n" +
           spec.format.grammar;
  }
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

bool is_harmony(const Spec& spec, const Model& model) {
  return spec.chat && model.format() == chat::Format::kHarmony;
}

Bonds bonds_of(const Spec& spec, const Model& model) {
  using Choice = ToolChoice::Kind;
  const Choice choice = spec.tool_choice.kind;
  Bonds bonds;
  bonds.format = spec.format.kind != ResponseFormat::Kind::kText;
  bonds.forced = !spec.tools.empty() && (choice == Choice::kRequired || choice == Choice::kNamed);
  bonds.strict =
      choice == Choice::kAuto && !bonds.format && std::ranges::any_of(spec.tools, &Tool::strict);
  bonds.budget = spec.chat && spec.reasoning_budget != 0;
  bonds.silent =
      spec.chat && spec.thinking == chat::Thinking::kOff && !model.thinking().can_disable;
  return bonds;
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
                                                    const Bonds& bonds) {
  const bool calls = binds_calls(spec, bonds);
  const auto frame = calls ? frame_of(model) : std::nullopt;
  if (calls && !frame) {
    return std::unexpected(invalid_field(
        "tools",
        "tool calls of this model's format can't be forced; use tool_choice auto without "
        "strict tools"));
  }
  const HarmonyRules rules = harmony_rules(spec, bonds);
  const HarmonyRules* harmony = is_harmony(spec, model) ? &rules : nullptr;
  const std::string key = key_of(spec, bonds, calls, harmony);
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(guides_, key, &decltype(guides_)::value_type::first);
    if (known != guides_.end()) {
      guides_.splice(guides_.begin(), guides_, known);
      return known->second;
    }
  }
  auto words = trie(model);
  auto grammar = grammar_of(spec, bonds, *words, frame ? &*frame : nullptr, harmony);
  if (!grammar) {
    const bool tools = bonds.calls_only() || !bonds.format;
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

ApiResult<std::shared_ptr<BoundAnswer>> GuideCache::constraint(const Spec& spec, const Model& model,
                                                               std::string_view tail) {
  const Bonds bonds = bonds_of(spec, model);
  if (!bonds.any()) return nullptr;
  if ((bonds.format || bonds.forced) && model.end_ids().empty()) {
    return std::unexpected(invalid_field(
        "model", "this model's vocabulary has no token that ends an answer, so none can be bound"));
  }
  return is_harmony(spec, model) ? harmony_answer(spec, model, bonds, tail)
                                 : guided_answer(spec, model, bonds, tail);
}

ApiResult<std::shared_ptr<BoundAnswer>> GuideCache::guided_answer(const Spec& spec,
                                                                  const Model& model,
                                                                  const Bonds& bonds,
                                                                  std::string_view tail) {
  GuidedOptions options;
  const auto& control = model.thinking();
  if (bonds.format || bonds.calls_only()) {
    auto made = guide(spec, model, bonds);
    if (!made) return std::unexpected(std::move(made.error()));
    options.guide = std::move(*made);
  }
  options.trie = trie(model);
  if (bonds.strict) {
    options.trigger = frame_of(model)->open;
    if (options.trigger.empty()) {
      return std::unexpected(invalid_field(
          "tools", "strict tools of this model's format need tool_choice required or a name"));
    }
  }
  if (spec.chat && control.supported) {
    options.think_start = control.start_marker;
    options.think_end = control.end_marker;
    options.thinking =
        !control.start_marker.empty() && trimmed(tail).ends_with(trimmed(control.start_marker));
    options.may_think = spec.thinking != chat::Thinking::kOff && !control.start_marker.empty();
  }
  if (bonds.budget) {
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

ApiResult<std::shared_ptr<BoundAnswer>> GuideCache::harmony_answer(const Spec& spec,
                                                                   const Model& model,
                                                                   const Bonds& bonds,
                                                                   std::string_view tail) {
  const auto words = trie(model);
  for (const auto token : kHarmonyTokens) {
    if (words->control(std::string(token)) >= 0) continue;
    return std::unexpected(invalid_field(
        "model", "this model's vocabulary has no `" + std::string(token) +
                     "`, without which its answers can't be bound and its thinking not be ended"));
  }
  auto made = guide(spec, model, bonds);
  if (!made) return std::unexpected(std::move(made.error()));
  auto answer = std::make_shared<HarmonyAnswer>(std::move(*made), words, spec.reasoning_budget);
  // What the prompt has of the answer already.
  constexpr std::string_view kRole = "<|start|>assistant";
  const size_t at = tail.rfind(kRole);
  const auto begun = model.encode(
      at == std::string_view::npos ? tail : tail.substr(at + kRole.size()), false, true);
  if (!begun) return std::unexpected(from_core(begun.error()));
  for (const TokenId token : *begun) answer->accept(token);
  if (answer->dead()) {
    return std::unexpected(
        invalid_field("messages",
                      "what the prompt begins the answer with can't be continued in the form that "
                      "is asked for"));
  }
  return answer;
}

}  // namespace freehold::server
