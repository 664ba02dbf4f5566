// Owns the two promises of a finished grammar: no dead ends, no left recursion.
#include <algorithm>
#include <set>

#include "server/grammar.h"

namespace freehold::server {
namespace {

// Whom to look at again when a node turns out to reach the end.
struct Backward {
  std::vector<std::vector<uint32_t>> into;     // nodes that lead to a node, calls not counted
  std::vector<std::vector<uint32_t>> callers;  // by rule: nodes that call it
};

Backward backward(const Grammar& grammar) {
  Backward out{std::vector<std::vector<uint32_t>>(grammar.nodes.size()),
               std::vector<std::vector<uint32_t>>(grammar.starts.size())};
  for (uint32_t i = 0; i < grammar.nodes.size(); ++i) {
    for (const auto& edge : grammar.nodes[i].edges) out.into[edge.next].push_back(i);
    for (const uint32_t next : grammar.nodes[i].skips) out.into[next].push_back(i);
    for (const auto& call : grammar.nodes[i].calls) {
      out.into[call.next].push_back(i);
      out.callers[call.rule].push_back(i);
    }
  }
  return out;
}

}  // namespace

bool prune(Grammar& grammar) {
  const Backward back = backward(grammar);
  std::vector<bool> live(grammar.nodes.size(), false);
  std::vector<bool> live_rule(grammar.starts.size(), false);
  std::vector<uint32_t> rule_of(grammar.nodes.size(), UINT32_MAX);
  for (uint32_t rule = 0; rule < grammar.starts.size(); ++rule) {
    rule_of[grammar.starts[rule]] = rule;
  }
  std::vector<uint32_t> work;
  for (uint32_t i = 0; i < grammar.nodes.size(); ++i) {
    if (grammar.nodes[i].final) work.push_back(i);
  }
  const auto look_at = [&](uint32_t i) {
    if (live[i]) return;
    const auto& node = grammar.nodes[i];
    const bool reaches =
        std::ranges::any_of(node.edges, [&](const auto& edge) { return live[edge.next]; }) ||
        std::ranges::any_of(node.skips, [&](uint32_t next) { return live[next]; }) ||
        std::ranges::any_of(
            node.calls, [&](const auto& call) { return live_rule[call.rule] && live[call.next]; });
    if (reaches) work.push_back(i);
  };
  while (!work.empty()) {
    const uint32_t i = work.back();
    work.pop_back();
    if (live[i]) continue;
    live[i] = true;
    for (const uint32_t before : back.into[i]) look_at(before);
    if (rule_of[i] == UINT32_MAX) continue;
    live_rule[rule_of[i]] = true;
    for (const uint32_t caller : back.callers[rule_of[i]]) look_at(caller);
  }
  for (auto& node : grammar.nodes) {
    std::erase_if(node.edges, [&](const auto& edge) { return !live[edge.next]; });
    std::erase_if(node.skips, [&](uint32_t next) { return !live[next]; });
    std::erase_if(node.calls,
                  [&](const auto& call) { return !live[call.next] || !live_rule[call.rule]; });
  }
  return live[grammar.starts[0]];
}

bool has_left_recursion(const Grammar& grammar) {
  const size_t n_rules = grammar.starts.size();
  std::vector<bool> nullable(n_rules, false);
  std::vector<std::vector<uint32_t>> first(n_rules);  // rules called before any symbol
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t rule = 0; rule < n_rules; ++rule) {
      std::vector<uint32_t> calls;
      std::vector<uint32_t> work = {grammar.starts[rule]};
      std::set<uint32_t> seen;
      bool empty = false;
      while (!work.empty()) {
        const uint32_t i = work.back();
        work.pop_back();
        if (!seen.insert(i).second) continue;
        const auto& node = grammar.nodes[i];
        empty = empty || node.final;
        work.insert(work.end(), node.skips.begin(), node.skips.end());
        for (const auto& call : node.calls) {
          calls.push_back(call.rule);
          if (nullable[call.rule]) work.push_back(call.next);
        }
      }
      changed = changed || (empty && !nullable[rule]);
      nullable[rule] = empty;
      first[rule] = std::move(calls);
    }
  }
  // A cycle in `first`: peel off rules that call only peeled ones.
  std::vector<size_t> left(n_rules);
  std::vector<std::vector<uint32_t>> callers(n_rules);
  std::vector<uint32_t> work;
  for (uint32_t rule = 0; rule < n_rules; ++rule) {
    std::ranges::sort(first[rule]);
    const auto again = std::ranges::unique(first[rule]);
    first[rule].erase(again.begin(), again.end());
    left[rule] = first[rule].size();
    for (const uint32_t callee : first[rule]) callers[callee].push_back(rule);
    if (left[rule] == 0) work.push_back(rule);
  }
  size_t peeled = 0;
  while (!work.empty()) {
    const uint32_t rule = work.back();
    work.pop_back();
    ++peeled;
    for (const uint32_t caller : callers[rule]) {
      if (--left[caller] == 0) work.push_back(caller);
    }
  }
  return peeled != n_rules;
}

}  // namespace freehold::server
