// The guides of one model: made on demand from what a request asks for, kept for the next.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "server/api_error.h"
#include "server/bound_answer.h"
#include "server/guided_answer.h"
#include "server/spec.h"
#include "server/tool_frame.h"

namespace freehold::server {

// What of a request binds its answer.
struct Bonds {
  bool format = false;  // response_format, grammar
  bool forced = false;  // a call must be made
  bool strict = false;  // if one is made, it keeps to its schema
  bool budget = false;  // of thinking
  bool silent = false;  // no thinking, from a model whose template can't say so
  bool calls_only() const { return forced || strict; }
  bool any() const { return format || forced || strict || budget || silent; }
};

class GuideCache {
 public:
  // What binds the answer that `spec` asks for, after a prompt that ends in `tail`; none where
  // nothing does. One for each choice. Errors: kInvalidField for a schema or grammar that is
  // impossible, too large or says what can't be constrained, by name.
  ApiResult<std::shared_ptr<BoundAnswer>> constraint(const Spec& spec, const Model& model,
                                                     std::string_view tail);

 private:
  static constexpr size_t kGuides = 64;

  std::shared_ptr<const TokenTrie> trie(const Model& model);
  std::optional<ToolFrame> frame_of(const Model& model);
  ApiResult<std::shared_ptr<Guide>> guide(const Spec& spec, const Model& model, const Bonds& bonds);
  ApiResult<std::shared_ptr<BoundAnswer>> guided_answer(const Spec& spec, const Model& model,
                                                        const Bonds& bonds, std::string_view tail);
  ApiResult<std::shared_ptr<BoundAnswer>> harmony_answer(const Spec& spec, const Model& model,
                                                         const Bonds& bonds, std::string_view tail);

  std::mutex mutex_;
  std::shared_ptr<const TokenTrie> trie_;
  std::list<std::pair<std::string, std::shared_ptr<Guide>>> guides_;  // newest first
};

}  // namespace freehold::server
