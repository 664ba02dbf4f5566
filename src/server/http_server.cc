// Owns the listening socket, the threads, the table of open connections and their end.
#include "server/http_server.h"

#include <malloc.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "server/connection.h"

namespace freehold::server {
namespace {

using asio::awaitable;
using asio::ip::tcp;
constexpr auto kValue = asio::as_tuple(asio::use_awaitable);
// After so many connections at once their memory goes back to the system when most have left.
constexpr size_t kCrowd = 64;

class AsioServer : public HttpServer {
 public:
  AsioServer(const HttpOptions& options, Handler& handler, Metrics& metrics)
      : options_(options),
        io_(static_cast<int>(options.io_threads)),
        workers_(options.work_threads),
        context_{handler, metrics, options.limits, workers_},
        acceptor_(asio::make_strand(io_)),
        drain_timer_(acceptor_.get_executor()) {}
  ~AsioServer() override {
    workers_.stop();
    workers_.join();
  }

  base::Status bind();
  base::Status load_certificates();
  uint16_t port() const override { return port_; }
  bool secure() const override { return tls_.has_value(); }
  void run() override;
  void drain() override;

 private:
  struct Open {  // a connection, for closing it from outside
    asio::any_io_executor executor;
    std::weak_ptr<Channel> channel;
  };
  using Place = std::list<Open>::iterator;

  awaitable<void> accept();
  awaitable<void> serve_socket(tcp::socket socket);
  void for_each_open(void (*act)(tcp::socket& socket));
  void wake_idle();
  void cut_all();
  size_t n_open();

  HttpOptions options_;
  asio::io_context io_;
  asio::thread_pool workers_;
  ConnectionContext context_;
  std::optional<asio::ssl::context> tls_;
  tcp::acceptor acceptor_;
  asio::steady_timer drain_timer_;
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::list<Open> open_;
  size_t most_open_ = 0;  // since memory was given back
};

base::Status AsioServer::load_certificates() {
  if (options_.certificate_file.empty() != options_.key_file.empty()) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "TLS needs both a certificate file and a key file");
  }
  if (options_.certificate_file.empty()) return {};
  tls_.emplace(asio::ssl::context::tls_server);
  beast::error_code error;
  tls_->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                        asio::ssl::context::no_tlsv1_1,
                    error);
  if (!error) tls_->use_certificate_chain_file(options_.certificate_file, error);
  if (!error) tls_->use_private_key_file(options_.key_file, asio::ssl::context::pem, error);
  if (error) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "the certificate `" + options_.certificate_file + "` or its key `" +
                          options_.key_file + "` can't be used: " + error.message());
  }
  return {};
}

base::Status AsioServer::bind() {
  beast::error_code error;
  const auto address = asio::ip::make_address(options_.host, error);
  if (error) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "the host `" + options_.host + "` is not an IP address");
  }
  const tcp::endpoint endpoint(address, options_.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return base::fail(base::ErrorCode::kIo, "can't listen on " + options_.host + " port " +
                                                std::to_string(options_.port) + ": " +
                                                error.message());
  }
  port_ = acceptor_.local_endpoint(error).port();
  return {};
}

void AsioServer::run() {
  asio::co_spawn(acceptor_.get_executor(), accept(), asio::detached);
  std::vector<std::jthread> threads;
  for (uint32_t i = 1; i < options_.io_threads; ++i) threads.emplace_back([this] { io_.run(); });
  io_.run();
}

awaitable<void> AsioServer::accept() {
  while (!context_.draining) {
    const auto strand = asio::make_strand(io_);
    auto [error, socket] = co_await acceptor_.async_accept(strand, kValue);
    if (context_.draining) co_return;
    if (error) {
      // Out of descriptors, most likely: leave the rest in the backlog for a moment.
      asio::steady_timer pause(acceptor_.get_executor(), std::chrono::milliseconds(20));
      co_await pause.async_wait(kValue);
      continue;
    }
    context_.metrics.connections_total.fetch_add(1);
    if (context_.metrics.connections.load() >= options_.limits.connections) {
      context_.metrics.connections_refused.fetch_add(1);
      continue;  // the socket closes itself
    }
    context_.metrics.connections.fetch_add(1);
    asio::co_spawn(strand, serve_socket(std::move(socket)), asio::detached);
  }
}

awaitable<void> AsioServer::serve_socket(tcp::socket socket) {
  beast::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  // A bounded buffer: a reader that doesn't read is noticed after this much.
  socket.set_option(asio::socket_base::send_buffer_size(64 << 10), ignored);
  const asio::any_io_executor executor = socket.get_executor();
  const auto channel =
      tls_ ? tls_channel(std::move(socket), *tls_) : plain_channel(std::move(socket));
  Place place;
  {
    const std::lock_guard lock(mutex_);
    place = open_.insert(open_.end(), {executor, channel});
    most_open_ = std::max(most_open_, open_.size());
  }
  try {
    co_await serve(channel, context_);
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // Memory, most likely; this connection is lost, the others are not.
  }
  context_.metrics.connections.fetch_sub(1);
  const std::lock_guard lock(mutex_);
  open_.erase(place);
  if (most_open_ < kCrowd || open_.size() > most_open_ / 4) co_return;
  most_open_ = open_.size();
  asio::post(workers_, [] { malloc_trim(0); });
}

size_t AsioServer::n_open() {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void AsioServer::for_each_open(void (*act)(tcp::socket& socket)) {
  const std::lock_guard lock(mutex_);
  for (const auto& open : open_) {
    asio::post(open.executor, [channel = open.channel, act] {
      if (const auto living = channel.lock()) act(living->tcp().socket());
    });
  }
}

// Idle connections wait for bytes; ending their receiving side wakes them. An answer on its way is
// still sent.
void AsioServer::wake_idle() {
  for_each_open([](tcp::socket& socket) {
    beast::error_code ignored;
    socket.shutdown(tcp::socket::shutdown_receive, ignored);
  });
}

void AsioServer::cut_all() {
  for_each_open([](tcp::socket& socket) {
    beast::error_code ignored;
    socket.close(ignored);
  });
}

void AsioServer::drain() {
  asio::post(acceptor_.get_executor(), [this] {
    const bool again = context_.draining.exchange(true);
    beast::error_code ignored;
    acceptor_.close(ignored);
    if (again) {
      cut_all();
      return;
    }
    wake_idle();
    asio::co_spawn(
        acceptor_.get_executor(),
        [this]() -> awaitable<void> {
          const auto deadline =
              std::chrono::steady_clock::now() + std::chrono::seconds(options_.limits.drain_s);
          while (n_open() > 0) {
            drain_timer_.expires_after(std::chrono::milliseconds(50));
            co_await drain_timer_.async_wait(kValue);
            if (std::chrono::steady_clock::now() > deadline) cut_all();
          }
        },
        asio::detached);
  });
}

}  // namespace

base::Result<std::unique_ptr<HttpServer>> HttpServer::open(const HttpOptions& options,
                                                           Handler& handler, Metrics& metrics) {
  auto server = std::make_unique<AsioServer>(options, handler, metrics);
  FREEHOLD_TRY(server->load_certificates());
  FREEHOLD_TRY(server->bind());
  return server;
}

}  // namespace freehold::server
