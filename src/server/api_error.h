// What goes wrong with a request, and how each API says so. Messages are our own sentences: no
// pointers, no paths, nothing that a library said.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "base/result.h"

namespace freehold::server {

struct ApiError {
  enum class Kind {
    kBadRequest,    // 400: not JSON, or not the shape of a request
    kInvalidField,  // 400, in DeepSeek's dialect 422: a value we can't take; `param` names it
    kUnauthorized,  // 401
    kNoBudget,      // 402
    kForbidden,     // 403: the key may not use this model
    kNotFound,      // 404
    kMethod,        // 405
    kTooLarge,      // 413
    kRateLimited,   // 429
    kServerError,   // 500
    kOverloaded,    // 503
  };
  Kind kind = Kind::kBadRequest;
  std::string message;
  std::string param = {};
  std::string code = {};
  uint32_t retry_after_s = 0;  // 429 and 503
};

template <typename T>
using ApiResult = std::expected<T, ApiError>;

// How the answer is worded: the shapes differ in fields and in status numbers.
enum class Dialect { kOpenAi, kDeepSeek, kAnthropic };

unsigned status_of(const ApiError& error, Dialect dialect);
std::string to_body(const ApiError& error, Dialect dialect);

ApiError invalid_field(std::string param, std::string message);
// An engine's or a template's error as the client may see it.
ApiError from_core(const base::Error& error);

}  // namespace freehold::server
