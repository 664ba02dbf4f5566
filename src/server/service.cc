// Owns the way of a request through keys, limits, model and engine. Refuses by default: a path that
// is not in the table does not exist, a route without a policy serves nobody.
#include "server/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "ledger/secret.h"
#include "server/job.h"
#include "server/prepare.h"

namespace freehold::server {
namespace {

using Kind = ApiError::Kind;

struct TicketImpl : Handler::Ticket {
  const Route* route = nullptr;
  std::string path;
  Caller caller;
};

bool matches(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with("/*")) return pattern == path;
  pattern.remove_suffix(1);
  return path.size() > pattern.size() && path.starts_with(pattern) &&
         path.find('/', pattern.size()) == std::string_view::npos;
}

// DeepSeek's paths have no version; Anthropic's are known by name.
Dialect dialect_of(std::string_view path) {
  if (path.ends_with("/messages") || path.ends_with("/messages/count_tokens")) {
    return Dialect::kAnthropic;
  }
  return path.starts_with("/v1/") ? Dialect::kOpenAi : Dialect::kDeepSeek;
}

// A server without keys listens on loopback; a web page could still reach it through the browser,
// by its own origin or by a name that resolves to loopback.
bool is_local_name(std::string_view host) {
  if (host.starts_with('[')) return host.starts_with("[::1]");
  const std::string_view name = host.substr(0, host.find(':'));
  return name.empty() || name == "localhost" || name.starts_with("127.");
}

bool is_local_origin(std::string_view origin) {
  const size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && is_local_name(origin.substr(scheme + 3));
}

int64_t unix_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A key separates tenants, and inside a key its users; lengths keep the two apart.
std::string tenant_of(const ledger::Key& key, const std::string& user) {
  return fmt::format("{}:{}{}", key.id.size(), key.id, user);
}

}  // namespace

Service::Service(ServiceOptions options, Models& models, ledger::Ledger* ledger)
    : options_(std::move(options)),
      models_(models),
      ledger_(ledger),
      demand_keys_(options_.demand_keys),
      admission_(options_.limits.requests) {}

Reply Service::error(const ApiError& error, Dialect dialect) {
  Reply reply;
  reply.status = status_of(error, dialect);
  reply.body = to_body(error, dialect);
  if (error.retry_after_s != 0) {
    reply.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  }
  if (reply.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (error.kind == Kind::kRateLimited || error.kind == Kind::kOverloaded) {
    metrics_.rejected_total.fetch_add(1);
  }
  return reply;
}

Reply Service::refusal(unsigned status, std::string_view message) {
  Reply reply =
      error({.kind = Kind::kBadRequest, .message = std::string(message)}, Dialect::kOpenAi);
  reply.status = status;
  return reply;
}

ApiResult<ledger::Key> Service::authenticate(const HttpRequest& request) {
  if (!demand_keys_.load()) {
    if (is_local_name(request.host) &&
        (request.origin.empty() || is_local_origin(request.origin))) {
      return ledger::Key{};
    }
    return std::unexpected(
        ApiError{.kind = Kind::kForbidden,
                 .message = "without keys this server answers programs on its own machine only",
                 .code = "not_local"});
  }
  constexpr std::string_view kBearer = "Bearer ";
  std::string_view secret = request.api_key;
  if (secret.empty() && request.authorization.starts_with(kBearer)) {
    secret = std::string_view(request.authorization).substr(kBearer.size());
  }
  if (secret.empty()) {
    return std::unexpected(
        ApiError{.kind = Kind::kUnauthorized,
                 .message = "an API key is needed: `Authorization: Bearer KEY` or `x-api-key: KEY`",
                 .code = "missing_api_key"});
  }
  auto key = ledger_->find_key(secret);
  if (!key) {
    return std::unexpected(ApiError{
        .kind = Kind::kOverloaded, .message = "keys can't be checked now", .retry_after_s = 5});
  }
  if (!*key) {
    return std::unexpected(ApiError{.kind = Kind::kUnauthorized,
                                    .message = "the API key is unknown or revoked",
                                    .code = "invalid_api_key"});
  }
  return std::move(**key);
}

Handler::Admission Service::admit(const HttpRequest& request) {
  Admission admission;
  auto ticket = std::make_unique<TicketImpl>();
  const Dialect dialect = dialect_of(request.path);
  if (auto id = ledger::random_hex(12)) admission.request_id = std::move(*id);
  bool path_exists = false;
  for (const Route& route : routes()) {
    if (!matches(route.path, request.path)) continue;
    path_exists = true;
    if (route.method == request.method) ticket->route = &route;
  }
  // Keys first: without one, nobody learns which paths there are.
  if (ticket->route == nullptr || ticket->route->policy != Policy::kPublic) {
    auto key = authenticate(request);
    if (!key) {
      admission.refusal = error(key.error(), dialect);
      return admission;
    }
    ticket->caller.key = std::move(*key);
  }
  if (ticket->route == nullptr || ticket->route->policy == Policy::kClosed) {
    admission.refusal =
        path_exists
            ? error({.kind = Kind::kMethod, .message = "this path takes another method"}, dialect)
            : error({.kind = Kind::kNotFound, .message = "there is no such path"}, dialect);
    return admission;
  }
  ticket->path = request.path;
  ticket->caller.request_id = admission.request_id;
  admission.body_bytes = options_.limits.body_bytes;
  admission.ticket = std::move(ticket);
  return admission;
}

Reply Service::handle(std::unique_ptr<Ticket> ticket, std::string body) {
  const auto& mine = static_cast<const TicketImpl&>(*ticket);
  return mine.route->handle(*this, mine.caller, *mine.route, mine.path, body);
}

ApiResult<std::shared_ptr<Model>> Service::model_for(const Caller& caller, std::string& name) {
  if (name.empty()) {
    const auto entries = models_.list();
    if (entries.size() != 1) {
      return std::unexpected(invalid_field("model", "`model` is missing"));
    }
    name = entries.front().name;
  }
  const auto& allowed = caller.key.models;
  if (!allowed.empty() && std::ranges::find(allowed, name) == allowed.end()) {
    return std::unexpected(ApiError{.kind = Kind::kForbidden,
                                    .message = "this key may not use that model",
                                    .param = "model",
                                    .code = "model_not_allowed"});
  }
  return models_.acquire(name);
}

ApiResult<freehold::server::Admission::Slot> Service::enter(const Caller& caller,
                                                            uint64_t prompt_tokens) {
  return admission_.enter(caller.key, prompt_tokens, base::now_us());
}

Reply Service::start(const Caller& caller, const Route& route, Spec spec,
                     const MakeShape& make_shape) {
  const auto refuse = [&](const ApiError& why) { return error(why, route.dialect); };
  if (ledger_ != nullptr && !ledger_->healthy()) {
    return refuse(
        {.kind = Kind::kOverloaded, .message = "usage can't be recorded now", .retry_after_s = 30});
  }
  auto model = model_for(caller, spec.model);
  if (!model) return refuse(model.error());
  auto prepared = prepare(spec, **model);
  if (!prepared) return refuse(prepared.error());
  auto slot = enter(caller, prepared->prompt_tokens);
  if (!slot) return refuse(slot.error());

  JobParts parts;
  Head head{.id = caller.request_id,
            .created_s = unix_s(),
            .model = spec.model,
            .fingerprint = (*model)->fingerprint(),
            .n_choices = static_cast<uint32_t>(prepared->prompts.size()),
            .include_usage = spec.include_usage,
            .logprobs = spec.logprobs,
            .echo = spec.echo,
            .prompts = {}};
  if (spec.echo) {
    for (const auto& prompt : prepared->prompts) head.prompts.push_back(spec.texts[prompt.group]);
  }
  parts.shape = make_shape(std::move(head));
  parts.usage = {.request_id = caller.request_id,
                 .key_id = caller.key.id,
                 .key_name = caller.key.id.empty() ? "local" : caller.key.name,
                 .model = spec.model,
                 .route = route.path,
                 .prompt_tokens = prepared->prompt_tokens};
  parts.tenant = tenant_of(caller.key, spec.user);
  parts.payer = caller.key.id;  // however many users it speaks for
  parts.model = std::move(*model);
  parts.spec = std::move(spec);
  parts.prompts = std::move(prepared->prompts);
  parts.dialect = route.dialect;
  parts.slot = std::move(*slot);
  parts.ledger = ledger_;
  parts.metrics = &metrics_;
  parts.limits = options_.limits;
  parts.log = [log = options_.log](const ledger::UsageStart& begun, const ledger::UsageEnd& end,
                                   uint64_t first_token_us) {
    if (!log) return;
    log({{"event", "request"},
         {"id", begun.request_id},
         {"key", begun.key_name},
         {"model", begun.model},
         {"route", begun.route},
         {"prompt_tokens", end.prompt_tokens},
         {"cached_tokens", end.cached_tokens},
         {"completion_tokens", end.completion_tokens},
         {"finish", end.finish},
         {"queue_us", end.queue_us},
         {"first_token_us", first_token_us}});
  };
  const bool stream = parts.spec.stream;
  auto job = Job::start(std::move(parts));
  if (!job) return refuse(job.error());
  Reply reply;
  if (stream) reply.content_type = "text/event-stream";
  reply.exchange = std::move(*job);
  return reply;
}

std::string Service::trouble() {
  if (admission_.draining()) return "draining";
  if (ledger_ != nullptr && !ledger_->healthy()) return "usage can't be recorded";
  for (const auto& [name, model] : models_.loaded()) {
    const EngineStats stats = model->engine().stats();
    const uint64_t silent_us = base::now_us() - std::min(stats.last_step_us, base::now_us());
    if (stats.running > 0 && stats.last_step_us != 0 &&
        silent_us > uint64_t{options_.limits.watchdog_s} * 1'000'000) {
      return "model " + name + " makes no progress";
    }
  }
  return {};
}

}  // namespace freehold::server
