// Owns the table of routes. A route is closed until its row names a policy.
#include <algorithm>
#include <array>

#include "server/anthropic.h"
#include "server/engine_metrics.h"
#include "server/openai_chat.h"
#include "server/openai_completions.h"
#include "server/openai_responses.h"
#include "server/openapi.h"
#include "server/service.h"
#include "server/text_routes.h"

namespace freehold::server {
namespace {

Reply json_reply(const Json& body) {
  Reply reply;
  reply.body = dump(body);
  return reply;
}

Reply chat(Service& service, const Caller& caller, const Route& route, const std::string& /*path*/,
           const std::string& body) {
  const auto json = parse_object(body, service.limits().json_depth);
  if (!json) return service.error(json.error(), route.dialect);
  auto spec = read_openai_chat(*json, route.dialect, service.limits());
  if (!spec) return service.error(spec.error(), route.dialect);
  return service.start(caller, route, std::move(*spec), [&](Head head) {
    return openai_chat_shape(std::move(head), route.dialect);
  });
}

Reply completions(Service& service, const Caller& caller, const Route& route,
                  const std::string& /*path*/, const std::string& body) {
  const auto json = parse_object(body, service.limits().json_depth);
  if (!json) return service.error(json.error(), route.dialect);
  auto spec = read_openai_completion(*json, route.dialect, service.limits());
  if (!spec) return service.error(spec.error(), route.dialect);
  return service.start(caller, route, std::move(*spec), [&](Head head) {
    return openai_completion_shape(std::move(head), route.dialect);
  });
}

Reply responses(Service& service, const Caller& caller, const Route& route,
                const std::string& /*path*/, const std::string& body) {
  const auto json = parse_object(body, service.limits().json_depth);
  if (!json) return service.error(json.error(), route.dialect);
  auto spec = read_openai_response(*json, service.limits());
  if (!spec) return service.error(spec.error(), route.dialect);
  return service.start(caller, route, std::move(*spec),
                       [&](Head head) { return openai_response_shape(std::move(head), *json); });
}

Reply messages(Service& service, const Caller& caller, const Route& route,
               const std::string& /*path*/, const std::string& body) {
  const auto json = parse_object(body, service.limits().json_depth);
  if (!json) return service.error(json.error(), route.dialect);
  auto spec = read_anthropic(*json, service.limits(), false);
  if (!spec) return service.error(spec.error(), route.dialect);
  return service.start(caller, route, std::move(*spec),
                       [](Head head) { return anthropic_shape(std::move(head)); });
}

Json model_entry(const Models::Entry& entry) {
  return {{"id", entry.name},
          {"object", "model"},
          {"created", entry.created_s},
          {"owned_by", "freehold"}};
}

bool may_use(const Caller& caller, const std::string& model) {
  const auto& allowed = caller.key.models;
  return allowed.empty() || std::find(allowed.begin(), allowed.end(), model) != allowed.end();
}

Reply models(Service& service, const Caller& caller, const Route& /*route*/,
             const std::string& /*path*/, const std::string& /*body*/) {
  Json list = Json::array();
  for (const auto& entry : service.models().list()) {
    if (may_use(caller, entry.name)) list.push_back(model_entry(entry));
  }
  return json_reply({{"object", "list"}, {"data", std::move(list)}});
}

Reply one_model(Service& service, const Caller& caller, const Route& route, const std::string& path,
                const std::string& /*body*/) {
  const std::string name = path.substr(path.rfind('/') + 1);
  for (const auto& entry : service.models().list()) {
    if (entry.name == name && may_use(caller, name)) return json_reply(model_entry(entry));
  }
  return service.error({.kind = ApiError::Kind::kNotFound,
                        .message = "there is no such model",
                        .param = "model",
                        .code = "model_not_found"},
                       route.dialect);
}

Reply health(Service& service, const Caller& /*caller*/, const Route& /*route*/,
             const std::string& /*path*/, const std::string& /*body*/) {
  const std::string trouble = service.trouble();
  Reply reply = json_reply({{"status", trouble.empty() ? "ok" : trouble}});
  if (!trouble.empty()) reply.status = 503;
  return reply;
}

Reply metrics(Service& service, const Caller& /*caller*/, const Route& /*route*/,
              const std::string& /*path*/, const std::string& /*body*/) {
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = service.metrics().text() + engine_metrics(service.models());
  return reply;
}

Reply openapi(Service& /*service*/, const Caller& /*caller*/, const Route& /*route*/,
              const std::string& /*path*/, const std::string& /*body*/) {
  Reply reply;
  reply.body = kOpenApiDocument;
  return reply;
}

constexpr auto kOpenAi = Dialect::kOpenAi;
constexpr auto kDeepSeek = Dialect::kDeepSeek;
constexpr auto kAnthropic = Dialect::kAnthropic;
constexpr auto kKey = Policy::kKey;

constexpr std::array kRoutes = {
    Route{"POST", "/v1/chat/completions", kKey, kOpenAi, chat},
    Route{"POST", "/chat/completions", kKey, kDeepSeek, chat},
    Route{"POST", "/beta/chat/completions", kKey, kDeepSeek, chat},
    Route{"POST", "/v1/completions", kKey, kOpenAi, completions},
    Route{"POST", "/completions", kKey, kDeepSeek, completions},
    Route{"POST", "/beta/completions", kKey, kDeepSeek, completions},
    Route{"POST", "/v1/responses", kKey, kOpenAi, responses},
    Route{"POST", "/responses", kKey, kDeepSeek, responses},
    Route{"POST", "/v1/embeddings", kKey, kOpenAi, handle_embeddings},
    Route{"POST", "/v1/messages", kKey, kAnthropic, messages},
    Route{"POST", "/anthropic/v1/messages", kKey, kAnthropic, messages},
    Route{"POST", "/v1/messages/count_tokens", kKey, kAnthropic, handle_count_tokens},
    Route{"POST", "/anthropic/v1/messages/count_tokens", kKey, kAnthropic, handle_count_tokens},
    Route{"POST", "/tokenize", kKey, kOpenAi, handle_tokenize},
    Route{"POST", "/detokenize", kKey, kOpenAi, handle_detokenize},
    Route{"GET", "/v1/models", kKey, kOpenAi, models},
    Route{"GET", "/models", kKey, kDeepSeek, models},
    Route{"GET", "/v1/models/*", kKey, kOpenAi, one_model},
    Route{"GET", "/health", Policy::kPublic, kOpenAi, health},
    Route{"GET", "/v1/health", Policy::kPublic, kOpenAi, health},
    Route{"GET", "/metrics", kKey, kOpenAi, metrics},
    Route{"GET", "/openapi.json", kKey, kOpenAi, openapi},
};

}  // namespace

std::span<const Route> routes() { return kRoutes; }

}  // namespace freehold::server
