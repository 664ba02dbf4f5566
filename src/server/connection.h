// One connection: reads a request, answers it, reads the next. A coroutine on a strand of its own.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <memory>

#include "server/channel.h"
#include "server/exchange.h"
#include "server/limits.h"
#include "server/metrics.h"

namespace freehold::server {

// What connections share.
struct ConnectionContext {
  Handler& handler;
  Metrics& metrics;
  Limits limits;
  asio::thread_pool& workers;
  std::atomic<bool> draining{false};
};

// Serves until the peer, a deadline or draining ends it.
asio::awaitable<void> serve(std::shared_ptr<Channel> channel, ConnectionContext& context);

}  // namespace freehold::server
