// Who may do what: every route closed without a key, limits of keys, loopback's own rules.
#include <gtest/gtest.h>

#include "server/test_server.h"

namespace freehold::server {
namespace {

std::string bearer(const std::string& secret) { return "Authorization: Bearer " + secret + "\r\n"; }

TEST(Access, EveryRouteIsClosedWithoutAKey) {
  TestServer server({.demand_keys = true});
  size_t n_public = 0;
  for (const Route& route : routes()) {
    ASSERT_NE(route.policy, Policy::kClosed) << route.path << " has no policy";
    const auto reply = Client(server.port()).call(route.method, route.path);
    if (route.policy == Policy::kPublic) {
      ++n_public;
      EXPECT_EQ(reply.status, 200U) << route.path;
    } else {
      EXPECT_EQ(reply.status, 401U) << route.path;
      EXPECT_EQ(reply.headers.at("www-authenticate"), "Bearer");
    }
  }
  EXPECT_EQ(n_public, 2U) << "only /health says anything to strangers";
}

TEST(Access, TheOpenApiDocumentHasEveryRouteAndNoOther) {
  TestServer server;
  const Json document = Client(server.port()).call("GET", "/openapi.json").json();
  ASSERT_TRUE(document.contains("paths"));
  for (const Route& route : routes()) {
    std::string path = route.path;
    if (path.ends_with("*")) path.replace(path.size() - 1, 1, "{model}");
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    ASSERT_TRUE(document["paths"].contains(path)) << path;
    ASSERT_TRUE(document["paths"][path].contains(method)) << path;
    const bool open = document["paths"][path][method].contains("security");
    EXPECT_EQ(open, route.policy == Policy::kPublic) << path;
  }
  EXPECT_EQ(document["paths"].size(), routes().size());
}

TEST(Access, StrangersLearnNoPaths) {
  TestServer server({.demand_keys = true});
  EXPECT_EQ(Client(server.port()).call("GET", "/no/such/path").status, 401U);
  TestServer open;
  EXPECT_EQ(Client(open.port()).call("GET", "/no/such/path").status, 404U);
  EXPECT_EQ(Client(open.port()).call("GET", "/v1/chat/completions").status, 405U);
}

TEST(Access, KeysOpenAndRevokedOnesDoNot) {
  TestServer server({.demand_keys = true});
  const auto key = *server.ledger().add_key({.name = "a"});
  const auto ask = [&](const std::string& headers) {
    return post(server.port(), "/v1/chat/completions", say("hello"), headers).status;
  };
  EXPECT_EQ(ask(bearer(key.secret)), 200U);
  EXPECT_EQ(ask("x-api-key: " + key.secret + "\r\n"), 200U);
  EXPECT_EQ(ask(bearer(key.secret + "0")), 401U);
  EXPECT_EQ(ask(""), 401U);
  ASSERT_TRUE(server.ledger().revoke_key("a").has_value());
  EXPECT_EQ(ask(bearer(key.secret)), 401U);
}

TEST(Access, ModelListOfAKeyIsAllItSees) {
  TestServer server({.names = {"one", "two"}, .demand_keys = true});
  const auto key = *server.ledger().add_key({.name = "a", .models = {"two"}});
  const auto ask = [&](const char* model) {
    Json body = say("hello");
    body["model"] = model;
    return post(server.port(), "/v1/chat/completions", body, bearer(key.secret)).status;
  };
  EXPECT_EQ(ask("two"), 200U);
  EXPECT_EQ(ask("one"), 403U);
  const auto list = Client(server.port()).call("GET", "/v1/models", "", bearer(key.secret)).json();
  ASSERT_EQ(list["data"].size(), 1U);
  EXPECT_EQ(list["data"][0]["id"], "two");
}

TEST(Access, LimitsOfAKeyAreKept) {
  TestServer server({.demand_keys = true});
  const auto ask = [&](const std::string& secret) {
    return post(server.port(), "/v1/chat/completions", say("hello world"), bearer(secret));
  };
  const auto few = *server.ledger().add_key({.name = "few", .limits = {.requests_per_minute = 2}});
  EXPECT_EQ(ask(few.secret).status, 200U);
  EXPECT_EQ(ask(few.secret).status, 200U);
  const auto third = ask(few.secret);
  EXPECT_EQ(third.status, 429U);
  const int wait = std::atoi(third.headers.at("retry-after").c_str());
  EXPECT_GE(wait, 1);
  EXPECT_LE(wait, 30);

  const auto poor = *server.ledger().add_key({.name = "poor", .limits = {.budget_tokens = 10}});
  EXPECT_EQ(ask(poor.secret).status, 200U);
  const auto spent = ask(poor.secret);
  EXPECT_EQ(spent.status, 402U);
  EXPECT_EQ(spent.json()["error"]["code"], "insufficient_quota");

  const auto slow = *server.ledger().add_key({.name = "slow", .limits = {.tokens_per_minute = 5}});
  EXPECT_EQ(ask(slow.secret).status, 200U);
  EXPECT_EQ(ask(slow.secret).status, 429U);
}

TEST(Access, WithoutKeysOnlyThisMachinesProgramsAreAnswered) {
  TestServer server;
  const auto ask = [&](const std::string& headers) {
    Client client(server.port());
    client.send("GET /v1/models HTTP/1.1\r\n" + headers + "\r\n");
    return client.read_reply().status;
  };
  EXPECT_EQ(ask("Host: localhost:8080\r\n"), 200U);
  EXPECT_EQ(ask("Host: 127.0.0.1\r\nOrigin: http://localhost:3000\r\n"), 200U);
  EXPECT_EQ(ask("Host: evil.example\r\n"), 403U);
  EXPECT_EQ(ask("Host: localhost\r\nOrigin: https://evil.example\r\n"), 403U);
}

TEST(Access, FullServerSaysWhenToComeBack) {
  Limits limits;
  limits.requests = 1;
  TestServer server({.model = {.step_us = 2000}, .limits = limits});
  Client first(server.port());
  const std::string body = dump(say(std::string(1000, 'x')));
  first.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n\r\n" + body);
  while (server.service().running() == 0) std::this_thread::yield();
  const auto second = post(server.port(), "/v1/chat/completions", say("hello"));
  EXPECT_EQ(second.status, 429U);
  EXPECT_GE(std::atoi(second.headers.at("retry-after").c_str()), 1);
}

}  // namespace
}  // namespace freehold::server
