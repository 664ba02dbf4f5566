// One HTTP GET, without redirections or retries, over TLS whose certificate is checked against the
// system's authorities. Blocking; ends when nothing arrives for a while.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "url.h"

namespace freehold::app {

struct HttpHead {
  int status = 0;
  std::optional<uint64_t> content_length;
  std::optional<uint64_t> range_start;  // of a 206
  std::string location;
  std::string etag;
};

struct HttpGet {
  Url url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds timeout{30000};  // for connecting and between pieces
  // Called once, before the body; an error ends the request.
  std::function<base::Status(const HttpHead&)> on_head;
  // Called for each piece of the body.
  std::function<base::Status(std::span<const std::byte>)> on_body;
};

// The answer's head, when the body came whole. Errors: kIo (no connection, a certificate that is
// not trusted, a time-out, a body that breaks off), and those of the callbacks.
base::Result<HttpHead> http_get(const HttpGet& get);

}  // namespace freehold::app
