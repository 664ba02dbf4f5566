// HTTP/1.1 over TCP, with TLS where certificates are given: connections, deadlines, back-pressure.
// Knows nothing of models; everything but bytes is a Handler's business.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "server/exchange.h"
#include "server/limits.h"
#include "server/metrics.h"

namespace freehold::server {

struct HttpOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8080;               // 0: any free one
  std::string certificate_file = {};  // PEM, with its chain; both or neither
  std::string key_file = {};
  uint32_t io_threads = 2;
  uint32_t work_threads = 4;  // parse, render, tokenise
  Limits limits = {};
};

class HttpServer {
 public:
  // Binds and listens; serves from `run` on. `handler` and `metrics` must outlive the server.
  // Errors: kInvalidArgument (host, certificates), kIo (address in use).
  static base::Result<std::unique_ptr<HttpServer>> open(const HttpOptions& options,
                                                        Handler& handler, Metrics& metrics);
  virtual ~HttpServer() = default;

  virtual uint16_t port() const = 0;
  virtual bool secure() const = 0;
  // Serves on this thread and others until stopped.
  virtual void run() = 0;
  // No new connections; idle ones are closed, running answers get `drain_s`, then are cut. Then
  // `run` returns. Any thread; calling it again cuts at once.
  virtual void drain() = 0;
};

}  // namespace freehold::server
