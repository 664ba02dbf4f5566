// A grammar held against a vocabulary: which tokens may come next. Shared by all requests with the
// same grammar, which fill its masks as they go.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "server/automaton.h"
#include "server/token_trie.h"

namespace freehold::server {

class Guide {
 public:
  using State = Automaton::State;

  Guide(Grammar grammar, std::shared_ptr<const TokenTrie> trie);

  State start() const { return start_; }
  // The tokens that may follow; end-of-generation tokens among them where the text is whole, and
  // where it is not but no token goes on.
  std::shared_ptr<const TokenSet> mask(State state);
  // kDead after a token that the mask forbids, and after the end.
  State accept(State state, TokenId token);
  bool accepting(State state);
  // Not whole, and no token of the vocabulary goes on. Known once the state has a mask.
  bool stuck(State state);
  // The state after GrammarBuilder::free_text; kDead where the grammar has none here.
  State after_free_text(State state);
  // Whole, and nothing can follow.
  bool complete(State state);

 private:
  bool is_free_text(State state);
  void walk(const std::vector<TokenTrie::Node>& nodes, State state, TokenSet& set);
  State follow(State state, std::string_view bytes);

  std::mutex mutex_;
  Automaton automaton_;
  std::shared_ptr<const TokenTrie> trie_;
  std::vector<TokenId> specials_;  // by special symbol; -1: the vocabulary has none
  std::unordered_map<State, std::shared_ptr<const TokenSet>> masks_;
  std::unordered_set<State> stuck_;
  State start_;
};

}  // namespace freehold::server
