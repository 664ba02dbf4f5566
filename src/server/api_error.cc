// Owns the wording of errors on the wire.
#include "server/api_error.h"

#include <nlohmann/json.hpp>

namespace freehold::server {
namespace {

using Kind = ApiError::Kind;
using Json = nlohmann::ordered_json;

const char* openai_type(Kind kind) {
  switch (kind) {
    case Kind::kUnauthorized:
      return "authentication_error";
    case Kind::kForbidden:
      return "permission_error";
    case Kind::kNoBudget:
      return "insufficient_quota";
    case Kind::kRateLimited:
      return "rate_limit_error";
    case Kind::kServerError:
      return "server_error";
    case Kind::kOverloaded:
      return "overloaded_error";
    default:
      return "invalid_request_error";
  }
}

const char* anthropic_type(Kind kind) {
  switch (kind) {
    case Kind::kNotFound:
      return "not_found_error";
    case Kind::kTooLarge:
      return "request_too_large";
    case Kind::kServerError:
      return "api_error";
    case Kind::kNoBudget:
      return "billing_error";
    default:
      return openai_type(kind);
  }
}

}  // namespace

unsigned status_of(const ApiError& error, Dialect dialect) {
  switch (error.kind) {
    case Kind::kBadRequest:
      return 400;
    case Kind::kInvalidField:
      return dialect == Dialect::kDeepSeek ? 422 : 400;
    case Kind::kUnauthorized:
      return 401;
    case Kind::kNoBudget:
      return 402;
    case Kind::kForbidden:
      return 403;
    case Kind::kNotFound:
      return 404;
    case Kind::kMethod:
      return 405;
    case Kind::kTooLarge:
      return 413;
    case Kind::kRateLimited:
      return 429;
    case Kind::kServerError:
      return 500;
    case Kind::kOverloaded:
      return dialect == Dialect::kAnthropic ? 529 : 503;
  }
  return 500;
}

std::string to_body(const ApiError& error, Dialect dialect) {
  Json body;
  if (dialect == Dialect::kAnthropic) {
    body["type"] = "error";
    body["error"] = {{"type", anthropic_type(error.kind)}, {"message", error.message}};
  } else {
    Json& inner = body["error"];
    inner["message"] = error.message;
    inner["type"] = openai_type(error.kind);
    inner["param"] = error.param.empty() ? Json(nullptr) : Json(error.param);
    inner["code"] = error.code.empty() ? Json(nullptr) : Json(error.code);
  }
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ApiError invalid_field(std::string param, std::string message) {
  return {.kind = Kind::kInvalidField,
          .message = std::move(message),
          .param = std::move(param),
          .code = "invalid_value"};
}

ApiError from_core(const base::Error& error) {
  switch (error.code) {
    case base::ErrorCode::kInvalidArgument:
    case base::ErrorCode::kUnsupported:
    case base::ErrorCode::kBadFormat:
      return {.kind = Kind::kInvalidField, .message = error.message};
    case base::ErrorCode::kLimitExceeded:
      return {
          .kind = Kind::kInvalidField, .message = error.message, .code = "context_length_exceeded"};
    case base::ErrorCode::kNotFound:
      return {.kind = Kind::kNotFound, .message = error.message};
    case base::ErrorCode::kOutOfMemory:
      return {.kind = Kind::kOverloaded,
              .message = "not enough memory for this model now",
              .retry_after_s = 10};
    case base::ErrorCode::kCancelled:
      return {
          .kind = Kind::kOverloaded, .message = "the server is shutting down", .retry_after_s = 5};
    case base::ErrorCode::kIo:
      break;
  }
  return {.kind = Kind::kServerError, .message = "the server failed to answer; try again"};
}

}  // namespace freehold::server
