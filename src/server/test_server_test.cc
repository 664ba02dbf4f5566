// The server and client of the tests (see test_server.h).
#include "server/test_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>

namespace freehold::server {

TestServer::TestServer(TestOptions options) {
  static std::atomic<int> count{0};
  folder_ = std::filesystem::temp_directory_path() /
            ("freehold-server-" + std::to_string(getpid()) + "-" + std::to_string(++count));
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directories(folder_);
  ledger_ = std::move(*ledger::Ledger::open(folder_ / "ledger.db", ledger::Ledger::Role::kServer));
  models_ = std::make_unique<FakeModels>(options.model, options.names);
  ServiceOptions service{.limits = options.limits, .demand_keys = options.demand_keys, .log = {}};
  service_ = std::make_unique<Service>(std::move(service), *models_, ledger_.get());
  HttpOptions http;
  http.port = 0;
  http.limits = options.limits;
  auto opened = HttpServer::open(http, *service_, service_->metrics());
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  http_ = std::move(*opened);
  thread_ = std::thread([this] { http_->run(); });
}

void TestServer::stop() {
  if (!thread_.joinable()) return;
  service_->drain();
  http_->drain();
  thread_.join();
}

TestServer::~TestServer() {
  if (thread_.joinable()) {
    http_->drain();
    http_->drain();
    thread_.join();
  }
  quiet();
  ledger_.reset();  // writes and calls back before the service goes
  http_.reset();
  service_.reset();
  models_.reset();
  std::filesystem::remove_all(folder_);
}

bool TestServer::quiet() {
  for (int i = 0; i < 3000 && service_->running() > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return service_->running() == 0;
}

std::vector<std::string> ClientReply::events() const {
  std::vector<std::string> events;
  size_t at = 0;
  while ((at = body.find("data: ", at)) != std::string::npos) {
    const size_t end = body.find("\n\n", at);
    events.push_back(body.substr(at + 6, end - at - 6));
    at = end == std::string::npos ? body.size() : end;
  }
  return events;
}

Client::Client(uint16_t port, int receive_buffer) {
  socket_ = socket(AF_INET, SOCK_STREAM, 0);
  if (receive_buffer > 0) {
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) close();
}

bool Client::send(const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}

std::string Client::receive(size_t most, int timeout_ms) {
  pollfd wait{.fd = socket_, .events = POLLIN, .revents = 0};
  if (poll(&wait, 1, timeout_ms) <= 0) return {};
  std::string bytes(most, '\0');
  const ssize_t n = recv(socket_, bytes.data(), most, 0);
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return bytes;
}

void Client::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void Client::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

bool Client::fill() {
  const std::string more = receive(65536);
  buffer_ += more;
  return !more.empty();
}

ClientReply Client::call(const std::string& method, const std::string& path,
                         const std::string& body, const std::string& headers) {
  std::string request = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
  if (!body.empty() || method == "POST") {
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  if (!send(request + "\r\n" + body)) return {};
  return read_reply();
}

ClientReply Client::read_reply() {
  ClientReply reply;
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return reply;
  }
  std::string head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  reply.status = static_cast<unsigned>(std::atoi(head.c_str() + 9));
  for (size_t at = head.find("\r\n") + 2; at < head.size();) {
    const size_t stop = head.find("\r\n", at);
    const std::string line = head.substr(at, stop - at);
    const size_t colon = line.find(": ");
    std::string name = line.substr(0, colon);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    reply.headers[name] = line.substr(std::min(line.size(), colon + 2));
    at = stop + 2;
  }
  if (reply.headers["transfer-encoding"] != "chunked") {
    const auto size = static_cast<size_t>(std::atoll(reply.headers["content-length"].c_str()));
    while (buffer_.size() < size && fill()) {
    }
    reply.body = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return reply;
  }
  while (true) {
    size_t line = 0;
    while ((line = buffer_.find("\r\n")) == std::string::npos) {
      if (!fill()) return reply;
    }
    const size_t size = std::strtoul(buffer_.c_str(), nullptr, 16);
    while (buffer_.size() < line + 2 + size + 2) {
      if (!fill()) return reply;
    }
    reply.body += buffer_.substr(line + 2, size);
    buffer_.erase(0, line + 2 + size + 2);
    if (size == 0) return reply;
  }
}

ClientReply post(uint16_t port, const std::string& path, const Json& body,
                 const std::string& headers) {
  Client client(port);
  return client.call("POST", path, dump(body), headers);
}

Json say(const std::string& text, Json extra) {
  Json body{{"model", "fake"},
            {"messages", Json::array({{{"role", "user"}, {"content", "say: " + text}}})}};
  body.update(extra);
  return body;
}

namespace {

// "NAME=NUMBER NAME=NUMBER ...", as tests/server/fake_server.py writes it.
TestOptions wanted_options(const std::string& text) {
  TestOptions options;
  std::map<std::string, std::function<void(uint32_t)>> takers = {
      {"step_us", [&](uint32_t n) { options.model.step_us = n; }},
      {"max_running", [&](uint32_t n) { options.model.max_running = n; }},
      {"context", [&](uint32_t n) { options.model.context = n; }},
      {"header_s", [&](uint32_t n) { options.limits.header_s = n; }},
      {"slow_reader_s", [&](uint32_t n) { options.limits.slow_reader_s = n; }},
      {"requests", [&](uint32_t n) { options.limits.requests = n; }}};
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    const auto taker = takers.find(word.substr(0, equals));
    if (equals == std::string::npos) continue;
    EXPECT_NE(taker, takers.end()) << word;
    if (taker != takers.end())
      taker->second(static_cast<uint32_t>(std::stoul(word.substr(equals + 1))));
  }
  return options;
}

// Not a test by itself: what tests/server drives with real clients.
TEST(FakeServer, ServesUntilStandardInputEnds) {
  const char* wanted = std::getenv("FREEHOLD_FAKE_SERVER");
  if (wanted == nullptr) GTEST_SKIP() << "nobody asked for a server";
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  TestServer server(wanted_options(wanted));
  std::printf("port %d\n", server.port());
  std::fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  server.stop();
  EXPECT_TRUE(server.quiet());
}

}  // namespace
}  // namespace freehold::server
