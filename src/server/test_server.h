// For tests: a server on loopback with fake models, and a small blocking client that sends exactly
// the bytes it is given.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "ledger/ledger.h"
#include "server/fake_model.h"
#include "server/http_server.h"
#include "server/service.h"

namespace freehold::server {

struct TestOptions {
  FakeOptions model = {};
  std::vector<std::string> names = {"fake"};
  Limits limits = {};
  bool demand_keys = false;
};

class TestServer {
 public:
  explicit TestServer(TestOptions options = {});
  ~TestServer();

  uint16_t port() const { return http_->port(); }
  Service& service() { return *service_; }
  ledger::Ledger& ledger() { return *ledger_; }
  HttpServer& http() { return *http_; }
  // Drains and waits for the end.
  void stop();
  // Until no request runs; false after five seconds.
  bool quiet();

 private:
  std::filesystem::path folder_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<FakeModels> models_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<HttpServer> http_;
  std::thread thread_;
};

struct ClientReply {
  unsigned status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without the chunks' frames
  Json json() const { return Json::parse(body, nullptr, false); }
  // The data of each server-sent event.
  std::vector<std::string> events() const;
};

class Client {
 public:
  explicit Client(uint16_t port, int receive_buffer = 0);
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool send(const std::string& bytes);
  // Up to `most` bytes; "" at the end, on error, or after the time.
  std::string receive(size_t most, int timeout_ms = 10'000);
  void close();
  void reset();  // closes with RST
  // One request and its whole answer on this connection.
  ClientReply call(const std::string& method, const std::string& path, const std::string& body = "",
                   const std::string& headers = "");
  ClientReply read_reply();

 private:
  bool fill();
  int socket_ = -1;
  std::string buffer_;
};

ClientReply post(uint16_t port, const std::string& path, const Json& body,
                 const std::string& headers = "");
// A chat request that makes the fake model say `text`.
Json say(const std::string& text, Json extra = Json::object());

}  // namespace freehold::server
