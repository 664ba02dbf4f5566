// What the server needs of a loaded model: its engine, and text around the engine's ids.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/format.h"
#include "chat/prompt.h"
#include "freehold/engine.h"
#include "server/fields.h"

namespace freehold::server {

class GuideCache;

// Every function may be called from many threads.
class Model {
 public:
  struct Prompt {
    std::vector<TokenId> ids;
    std::string tail;  // the end of its text, which tells the parser where the answer begins
  };

  Model();
  virtual ~Model();
  GuideCache& guides() { return *guides_; }

  virtual Engine& engine() = 0;
  virtual int64_t created_s() const = 0;               // when it was loaded, seconds since 1970
  virtual const std::string& fingerprint() const = 0;  // of the model's bytes, short

  // `request` is OpenAI-shaped: messages, tools, chat_template_kwargs, reasoning_effort.
  // Errors: kInvalidArgument, kUnsupported (the template refuses), kLimitExceeded.
  virtual base::Result<Prompt> chat_prompt(const Json& request, chat::Thinking thinking) = 0;
  // Plain text; control tokens in it are text. `special` true for trusted text.
  virtual base::Result<std::vector<TokenId>> encode(std::string_view text, bool add_bos,
                                                    bool special) const = 0;
  // The middle between two texts. Errors: kUnsupported when the vocabulary has no such tokens.
  virtual base::Result<std::vector<TokenId>> fill_prompt(std::string_view prefix,
                                                         std::string_view suffix) const = 0;

  virtual uint32_t vocabulary() const = 0;
  // Bytes of a token; with `special`, control tokens as their text, otherwise nothing for them.
  virtual std::string_view piece(TokenId id, bool special) const = 0;
  virtual bool is_control(TokenId id) const = 0;
  virtual std::span<const TokenId> end_ids() const = 0;
  virtual chat::Format format() const = 0;
  virtual const chat::ThinkingControl& thinking() const = 0;

 private:
  std::unique_ptr<GuideCache> guides_;
};

}  // namespace freehold::server
