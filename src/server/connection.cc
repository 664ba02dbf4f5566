// Owns the reading and writing of HTTP on one connection. Every read and write has a deadline; a
// peer that is gone, slow or malformed ends its own connection and nothing else.
//
// GCC 12 miscompiles co_await inside &&, || and ?: and loses temporaries that live across it, so
// every awaited result and argument here has a name.
#include "server/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <optional>

#include "server/http_message.h"

namespace freehold::server {
namespace {

using asio::awaitable;
constexpr auto kValue = asio::as_tuple(asio::use_awaitable);
constexpr size_t kReadBytes = 16U << 10U;
constexpr std::chrono::milliseconds kTick{200};   // between looks at deadlines
constexpr std::chrono::milliseconds kStall{500};  // a write this old pauses its answer

std::chrono::seconds seconds(uint32_t n) { return std::chrono::seconds(n); }

// Wakes the connection's coroutine; outlives it in the hands of handlers that are still due.
struct Signal {
  explicit Signal(const asio::any_io_executor& executor) : timer(executor) {}
  void set() {
    ready = true;
    timer.cancel();
  }
  asio::steady_timer timer;
  bool ready = false;
};

class Connection {
 public:
  Connection(Channel& channel, ConnectionContext& context) : channel_(channel), context_(context) {}

  awaitable<void> serve() {
    bool more = true;
    while (more) {
      more = co_await wait_for_bytes();
      if (more) more = co_await serve_one();
    }
  }

 private:
  awaitable<bool> wait_for_bytes();
  awaitable<bool> serve_one();
  // Feeds the reader until its state is no longer kMore and no longer `beyond`.
  awaitable<bool> read(RequestReader& reader, RequestReader::State beyond, uint32_t deadline_s);
  awaitable<void> refuse(unsigned status, std::string_view message);
  awaitable<Reply> call_handler(std::unique_ptr<Handler::Ticket>& ticket, std::string& body);
  awaitable<bool> send_whole(const Reply& reply);
  awaitable<bool> send_exchange(Reply& reply);
  awaitable<bool> stream(Reply& reply, Signal& signal);
  awaitable<bool> send_header(const Reply& reply);
  awaitable<bool> send_chunk(Exchange& exchange, const std::string& bytes);
  awaitable<bool> write(const std::string& bytes);
  awaitable<void> wait(Signal& signal);
  bool peer_gone();

  Channel& channel_;
  ConnectionContext& context_;
  std::string unread_;  // bytes of the next request
  std::string request_id_;
  bool keep_alive_ = true;
  bool http_1_1_ = true;
};

// Asks the kernel whether the peer has closed its side or reset: that works under TLS too, and with
// unread bytes in the way.
bool Connection::peer_gone() {
  tcp_info info{};
  socklen_t size = sizeof info;
  const int handle = channel_.tcp().socket().native_handle();
  if (getsockopt(handle, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  return info.tcpi_state != TCP_ESTABLISHED;
}

// Idle: holds no buffers until the socket is readable.
awaitable<bool> Connection::wait_for_bytes() {
  if (!unread_.empty() || channel_.may_hold_bytes()) co_return true;
  if (context_.draining) co_return false;
  unread_.shrink_to_fit();
  auto& socket = channel_.tcp().socket();
  const auto late = std::make_shared<bool>(false);
  asio::steady_timer idle(channel_.tcp().get_executor(), seconds(context_.limits.idle_s));
  idle.async_wait([late, &socket](beast::error_code error) {
    if (error || *late) return;
    *late = true;
    socket.cancel();
  });
  auto [error] = co_await socket.async_wait(asio::socket_base::wait_read, kValue);
  const bool timed_out = std::exchange(*late, true);
  co_return !error && !timed_out;
}

awaitable<bool> Connection::read(RequestReader& reader, RequestReader::State beyond,
                                 uint32_t deadline_s) {
  using State = RequestReader::State;
  channel_.tcp().expires_after(seconds(deadline_s));
  std::string bytes = std::move(unread_);
  unread_.clear();
  while (true) {
    const size_t used = reader.feed(bytes);
    bytes.erase(0, used);
    if (reader.state() != State::kMore && reader.state() != beyond) break;
    const size_t kept = bytes.size();
    bytes.resize(kept + kReadBytes);
    auto [error, n] = co_await channel_.read_some(asio::buffer(bytes.data() + kept, kReadBytes));
    bytes.resize(kept + n);
    if (error) co_return false;  // gone, or too late: the stream has closed the socket
  }
  unread_ = std::move(bytes);
  if (reader.state() != State::kBad) co_return true;
  const unsigned status = reader.bad_status();
  const char* why = status == 413   ? "the body is larger than this server takes"
                    : status == 431 ? "the header is larger than this server takes"
                                    : "this is not HTTP that this server takes";
  co_await refuse(status, why);
  co_return false;
}

// Nothing after it on this connection can be trusted.
awaitable<void> Connection::refuse(unsigned status, std::string_view message) {
  keep_alive_ = false;
  const Reply reply = context_.handler.refusal(status, message);
  co_await send_whole(reply);
}

awaitable<bool> Connection::serve_one() {
  using State = RequestReader::State;
  const Limits& limits = context_.limits;
  RequestReader reader(limits.header_bytes, limits.body_bytes);
  // Over TLS the wait for a request is here, and not before.
  const bool waits = channel_.may_hold_bytes() && unread_.empty();
  const uint32_t deadline_s = waits ? limits.idle_s : limits.header_s;
  bool ok = co_await read(reader, State::kMore, deadline_s);
  if (!ok) co_return false;
  keep_alive_ = reader.keep_alive() && !context_.draining;
  http_1_1_ = reader.http_1_1();
  auto admission = context_.handler.admit(reader.request());
  request_id_ = admission.request_id;
  if (!admission.ticket) {
    keep_alive_ = keep_alive_ && !reader.has_body();
    co_return co_await send_whole(admission.refusal);
  }
  if (reader.has_body()) {
    if (reader.expects_continue() && unread_.empty()) {
      const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      ok = co_await write(go_on);
      if (!ok) co_return false;
    }
    ok = co_await read(reader, State::kHeader, limits.body_s);
    if (!ok) co_return false;
  }
  std::string body = reader.take_body();
  Reply reply = co_await call_handler(admission.ticket, body);
  if (reply.exchange) co_return co_await send_exchange(reply);
  co_return co_await send_whole(reply);
}

// Parsing, rendering and tokenising take their time: on a worker, so that streams go on.
awaitable<Reply> Connection::call_handler(std::unique_ptr<Handler::Ticket>& ticket,
                                          std::string& body) {
  channel_.tcp().expires_never();
  auto work = [&]() -> awaitable<Reply> {
    co_return context_.handler.handle(std::move(ticket), std::move(body));
  };
  Reply reply = co_await asio::co_spawn(context_.workers.get_executor(), work, asio::use_awaitable);
  co_return reply;
}

awaitable<bool> Connection::write(const std::string& bytes) {
  channel_.tcp().expires_after(seconds(context_.limits.slow_reader_s));
  const beast::error_code error = co_await channel_.write(asio::buffer(bytes));
  if (error == beast::error::timeout) context_.metrics.slow_readers_total.fetch_add(1);
  channel_.tcp().expires_never();
  co_return !error;
}

awaitable<bool> Connection::send_whole(const Reply& reply) {
  context_.metrics.responses[reply.status / 100 % 6].fetch_add(1);
  const size_t body_bytes = reply.body.size();
  std::string bytes = response_header(reply, {.keep_alive = keep_alive_,
                                              .http_1_1 = http_1_1_,
                                              .request_id = request_id_,
                                              .body_bytes = &body_bytes});
  bytes += reply.body;
  const bool ok = co_await write(bytes);
  co_return ok&& keep_alive_;
}

awaitable<bool> Connection::send_header(const Reply& reply) {
  context_.metrics.responses[2].fetch_add(1);
  keep_alive_ = keep_alive_ && http_1_1_;
  const std::string header = response_header(
      reply, {.keep_alive = keep_alive_, .http_1_1 = http_1_1_, .request_id = request_id_});
  co_return co_await write(header);
}

// A write that does not move pauses the answer, and after slow_reader_s ends it.
awaitable<bool> Connection::send_chunk(Exchange& exchange, const std::string& bytes) {
  struct Stall {
    bool over = false;
    bool paused = false;
  };
  const auto stall = std::make_shared<Stall>();
  asio::steady_timer timer(channel_.tcp().get_executor(), kStall);
  timer.async_wait([stall, &exchange](beast::error_code error) {
    if (error || stall->over) return;
    stall->paused = true;
    exchange.pause(true);
  });
  const std::string framed = http_1_1_ ? chunk(bytes) : bytes;
  const bool ok = co_await write(framed);
  stall->over = true;
  if (ok && stall->paused) exchange.pause(false);
  co_return ok;
}

awaitable<void> Connection::wait(Signal& signal) {
  if (!signal.ready) {
    signal.timer.expires_after(kTick);
    co_await signal.timer.async_wait(kValue);
  }
  signal.ready = false;
}

awaitable<bool> Connection::send_exchange(Reply& reply) {
  Exchange& exchange = *reply.exchange;
  const auto executor = co_await asio::this_coro::executor;
  const auto signal = std::make_shared<Signal>(executor);
  exchange.on_ready([executor, signal] { asio::post(executor, [signal] { signal->set(); }); });
  // Bytes from the peer now are its end, or the next request: peer_gone tells which.
  auto& socket = channel_.tcp().socket();
  socket.async_wait(asio::socket_base::wait_read, [signal](beast::error_code) { signal->set(); });
  if (exchange.streams()) {
    const bool ok = co_await stream(reply, *signal);
    socket.cancel();
    co_return ok;
  }
  std::string body;
  bool header_sent = false;
  auto last_sign = std::chrono::steady_clock::now();
  while (exchange.pull(body) == Exchange::State::kWaiting) {
    co_await wait(*signal);
    bool ok = !peer_gone();
    const auto now = std::chrono::steady_clock::now();
    if (ok && exchange.allows_blank_lines() && http_1_1_ &&
        now - last_sign > seconds(context_.limits.keep_alive_s)) {
      last_sign = now;
      if (!header_sent) ok = co_await send_header(reply);
      header_sent = true;
      const std::string blank = "\n";
      if (ok) ok = co_await send_chunk(exchange, blank);
    }
    if (!ok) {
      exchange.abandon();
      co_return false;
    }
  }
  socket.cancel();
  if (header_sent) {
    const std::string rest = chunk(body) + chunk("");
    const bool ok = co_await write(rest);
    co_return ok&& keep_alive_;
  }
  reply.status = exchange.status();
  reply.body = std::move(body);
  co_return co_await send_whole(reply);
}

awaitable<bool> Connection::stream(Reply& reply, Signal& signal) {
  Exchange& exchange = *reply.exchange;
  bool header_sent = false;
  std::string out;
  while (true) {
    out.clear();
    const auto state = exchange.pull(out);
    const bool done = state == Exchange::State::kDone;
    if (!header_sent && (!out.empty() || done)) {
      reply.status = exchange.status();
      if (reply.status != 200) {  // it failed before the first byte
        reply.content_type = "application/json";
        reply.body = std::move(out);
        co_return co_await send_whole(reply);
      }
      header_sent = true;
      const bool ok = co_await send_header(reply);
      if (!ok) break;
    }
    if (!out.empty()) {
      const bool ok = co_await send_chunk(exchange, out);
      if (!ok) break;
    }
    if (done) {
      const std::string last = http_1_1_ ? chunk("") : "";
      const bool ok = co_await write(last);
      co_return ok&& keep_alive_;
    }
    co_await wait(signal);
    if (peer_gone()) break;
  }
  exchange.abandon();
  co_return false;
}

}  // namespace

awaitable<void> serve(std::shared_ptr<Channel> channel, ConnectionContext& context) {
  channel->tcp().expires_after(seconds(context.limits.header_s));
  const bool opened = co_await channel->open();
  if (!opened) co_return;
  channel->tcp().expires_never();
  Connection connection(*channel, context);
  co_await connection.serve();
  co_await channel->close();
}

}  // namespace freehold::server
