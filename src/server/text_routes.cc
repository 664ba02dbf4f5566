// Owns the small routes around text and vectors. Their work is done on the worker that calls them.
#include "server/text_routes.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <future>

#include "server/anthropic.h"
#include "server/openai_completions.h"
#include "server/prepare.h"

namespace freehold::server {
namespace {

Reply json_reply(const Json& body) {
  Reply reply;
  reply.body = dump(body);
  return reply;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j) {
      const uint32_t byte = i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U;
      word = word << 8U | byte;
    }
    for (size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kDigits[word >> (18 - 6 * j) & 63U];
    }
  }
  return out;
}

// Little-endian F32, as the API has it.
Json shown_vector(const std::vector<float>& vector, bool as_base64) {
  static_assert(std::endian::native == std::endian::little);
  if (!as_base64) return vector;
  std::string bytes(vector.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), vector.data(), bytes.size());
  return base64(bytes);
}

// Usage of work that is done at once, recorded before it is told.
bool record(Service& service, const Caller& caller, const Route& route, const std::string& model,
            uint32_t tokens) {
  service.metrics().requests_total.fetch_add(1);
  service.metrics().prompt_tokens_total.fetch_add(tokens);
  if (service.ledger() == nullptr) return true;
  service.ledger()->begin({.request_id = caller.request_id,
                           .key_id = caller.key.id,
                           .key_name = caller.key.id.empty() ? "local" : caller.key.name,
                           .model = model,
                           .route = route.path,
                           .prompt_tokens = tokens},
                          {});
  std::promise<bool> durable;
  service.ledger()->settle(caller.request_id, {.prompt_tokens = tokens, .finish = "stop"},
                           [&](bool ok) { durable.set_value(ok); });
  return durable.get_future().get();
}

}  // namespace

Reply handle_embeddings(Service& service, const Caller& caller, const Route& route,
                        const std::string& /*path*/, const std::string& body) {
  const auto refuse = [&](const ApiError& error) { return service.error(error, route.dialect); };
  const auto json = parse_object(body, service.limits().json_depth);
  if (!json) return refuse(json.error());
  Spec spec;
  spec.chat = false;
  Fields fields(*json);
  spec.model = fields.string("model", 256).value_or("");
  read_texts(fields, "input", service.limits().embeddings, spec);
  const bool as_base64 = fields.choice("encoding_format", {"float", "base64"}) == "base64";
  fields.refuse({"dimensions"});
  fields.ignore({"user"});
  if (const auto error = fields.finish()) return refuse(*error);

  auto model = service.model_for(caller, spec.model);
  if (!model) return refuse(model.error());
  auto prepared = prepare(spec, **model);
  if (!prepared) return refuse(prepared.error());
  auto slot = service.enter(caller, prepared->prompt_tokens);
  if (!slot) return refuse(slot.error());
  Json list = Json::array();
  for (const auto& prompt : prepared->prompts) {
    auto vector = (*model)->engine().embed(prompt.prompt.ids);
    if (!vector) return refuse(from_core(vector.error()));
    list.push_back({{"object", "embedding"},
                    {"index", prompt.group},
                    {"embedding", shown_vector(*vector, as_base64)}});
  }
  if (!record(service, caller, route, spec.model, prepared->prompt_tokens)) {
    return refuse({.kind = ApiError::Kind::kOverloaded,
                   .message = "usage can't be recorded now",
                   .retry_after_s = 30});
  }
  return json_reply(
      {{"object", "list"},
       {"data", std::move(list)},
       {"model", spec.model},
       {"usage",
        {{"prompt_tokens", prepared->prompt_tokens}, {"total_tokens", prepared->prompt_tokens}}}});
}

Reply handle_tokenize(Service& service, const Caller& caller, const Route& route,
                      const std::string& /*path*/, const std::string& body) {
  const auto refuse = [&](const ApiError& error) { return service.error(error, route.dialect); };
  const auto json = parse_object(body, service.limits().json_depth);
  if (!json) return refuse(json.error());
  Fields fields(*json);
  std::string name = fields.string("model", 256).value_or("");
  const auto content = fields.string("content", service.limits().body_bytes);
  if (!content) fields.fail("content", "`content` must be a string");
  const bool bos = fields.boolean("add_special").value_or(false);
  const bool special = fields.boolean("parse_special").value_or(false);
  const bool pieces = fields.boolean("with_pieces").value_or(false);
  if (const auto error = fields.finish()) return refuse(*error);
  auto model = service.model_for(caller, name);
  if (!model) return refuse(model.error());
  const auto ids = (*model)->encode(*content, bos, special);
  if (!ids) return refuse(from_core(ids.error()));
  Json tokens = Json::array();
  for (const TokenId id : *ids) {
    if (pieces) {
      tokens.push_back({{"id", id}, {"piece", std::string((*model)->piece(id, true))}});
    } else {
      tokens.push_back(id);
    }
  }
  return json_reply({{"tokens", std::move(tokens)}});
}

Reply handle_detokenize(Service& service, const Caller& caller, const Route& route,
                        const std::string& /*path*/, const std::string& body) {
  const auto refuse = [&](const ApiError& error) { return service.error(error, route.dialect); };
  const auto json = parse_object(body, service.limits().json_depth);
  if (!json) return refuse(json.error());
  Fields fields(*json);
  std::string name = fields.string("model", 256).value_or("");
  const Json* tokens = fields.array("tokens", service.limits().body_bytes);
  if (tokens == nullptr) fields.fail("tokens", "`tokens` must be an array of token ids");
  if (const auto error = fields.finish()) return refuse(*error);
  auto model = service.model_for(caller, name);
  if (!model) return refuse(model.error());
  const auto vocabulary = static_cast<int64_t>((*model)->engine().info().vocabulary);
  std::string text;
  for (const auto& token : *tokens) {
    const bool good =
        token.is_number_integer() && token.get<int64_t>() >= 0 && token.get<int64_t>() < vocabulary;
    if (!good) {
      return refuse(invalid_field("tokens", fmt::format("`tokens` must be whole numbers from 0 to "
                                                        "{}",
                                                        vocabulary - 1)));
    }
    text += (*model)->piece(token.get<TokenId>(), true);
  }
  return json_reply({{"content", std::move(text)}});
}

Reply handle_count_tokens(Service& service, const Caller& caller, const Route& route,
                          const std::string& /*path*/, const std::string& body) {
  const auto refuse = [&](const ApiError& error) { return service.error(error, route.dialect); };
  const auto json = parse_object(body, service.limits().json_depth);
  if (!json) return refuse(json.error());
  auto spec = read_anthropic(*json, service.limits(), true);
  if (!spec) return refuse(spec.error());
  auto model = service.model_for(caller, spec->model);
  if (!model) return refuse(model.error());
  const auto prepared = prepare(*spec, **model);
  if (!prepared) return refuse(prepared.error());
  return json_reply({{"input_tokens", prepared->prompt_tokens}});
}

}  // namespace freehold::server
