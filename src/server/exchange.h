// Between HTTP and everything above it: a request as a handler sees it, an answer as the wire
// needs it. No sockets, no Boost.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freehold::server {

struct HttpRequest {
  std::string method;
  std::string path;           // without the query
  std::string authorization;  // the header's value
  std::string api_key;        // x-api-key
  std::string host;
  std::string origin;  // where a browser's page came from; "" from programs
};

// An answer that comes by and by. All functions but the wake are called from one strand.
class Exchange {
 public:
  enum class State {
    kWaiting,  // nothing more now; the wake will be called
    kDone,     // the last bytes were given
  };

  virtual ~Exchange() = default;
  // `wake` is called, from any thread, when pull may have something new.
  virtual void on_ready(std::function<void()> wake) = 0;
  // Whether bytes go out as they come. If not, `status` and the bytes are sent when it is done.
  virtual bool streams() const = 0;
  virtual unsigned status() const = 0;
  // Whether blank lines may be sent while a whole answer is awaited (this fixes the status at 200).
  virtual bool allows_blank_lines() const = 0;
  // Appends what is ready. Also called now and then with nothing new, for its deadlines.
  virtual State pull(std::string& out) = 0;
  // The reader is slow: make no more for now.
  virtual void pause(bool paused) = 0;
  // The reader is gone: stop, account for what was made.
  virtual void abandon() = 0;
};

struct Reply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::shared_ptr<Exchange> exchange = nullptr;  // instead of a body
};

// What serves: the HTTP layer calls `admit` when the header is read and `handle` with the body.
class Handler {
 public:
  // What admit found out, handed on to handle.
  struct Ticket {
    virtual ~Ticket() = default;
  };
  struct Admission {
    std::unique_ptr<Ticket> ticket;  // none: `refusal` is the answer, and the body isn't read
    Reply refusal = {};
    std::string request_id = {};
    uint64_t body_bytes = 0;  // the most it may have
  };

  virtual ~Handler() = default;
  virtual Admission admit(const HttpRequest& request) = 0;
  virtual Reply handle(std::unique_ptr<Ticket> ticket, std::string body) = 0;
  // A request that ended before admit or between admit and handle: bad HTTP, too large, too slow.
  virtual Reply refusal(unsigned status, std::string_view message) = 0;
};

}  // namespace freehold::server
