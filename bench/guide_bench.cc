// What a bound answer costs: schemas of 10 to 1,000 properties compiled, and the masks of random
// answers to the one of 100 with a model's vocabulary, where a place in the grammar is met for the
// first time and where it was met before.
//
//   guide_bench MODEL      MODEL: a GGUF file or a Hugging Face folder
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <random>

#include "server/guide.h"
#include "server/json_schema.h"
#include "server/loaded_model.h"

namespace {

using namespace freehold;
constexpr int kRounds = 21;

// Of this process's processor time, in milliseconds; the program works in one thread.
template <class Fn>
double milliseconds(Fn&& work) {
  const auto start = std::clock();
  work();
  return static_cast<double>(std::clock() - start) * 1e3 / CLOCKS_PER_SEC;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

nlohmann::ordered_json schema_of(int properties) {
  nlohmann::ordered_json schema{{"type", "object"}, {"additionalProperties", false}};
  for (int i = 0; i < properties; ++i) {
    const std::string name = "property_" + std::to_string(i);
    const char* type = i % 3 == 0 ? "string" : i % 3 == 1 ? "integer" : "boolean";
    schema["properties"][name] = {{"type", type}};
    if (i % 2 == 0) schema["required"].push_back(name);
  }
  return schema;
}

TokenId any_of(const server::TokenSet& set, std::mt19937& random) {
  std::vector<TokenId> ids;
  for (size_t id = 0; id < set.size() * 64; ++id) {
    if (server::contains(set, static_cast<TokenId>(id))) ids.push_back(static_cast<TokenId>(id));
  }
  return ids[random() % ids.size()];
}

// One answer's masks, in milliseconds each.
std::vector<double> answer(server::Guide& guide, unsigned seed) {
  constexpr int kMaxTokens = 1000;
  std::mt19937 random(seed);
  std::vector<double> times;
  auto state = guide.start();
  for (int i = 0; i < kMaxTokens && !guide.complete(state); ++i) {
    std::shared_ptr<const server::TokenSet> mask;
    times.push_back(milliseconds([&] { mask = guide.mask(state); }));
    const TokenId token = any_of(*mask, random);
    const auto next = guide.accept(state, token);
    if (next == server::Automaton::kDead) break;  // the end of the answer
    state = next;
  }
  return times;
}

void compile() {
  for (const int properties : {10, 100, 1000}) {
    const auto schema = schema_of(properties);
    std::vector<double> times;
    size_t nodes = 0;
    for (int round = 0; round < kRounds; ++round) {
      times.push_back(milliseconds([&] { nodes = server::schema_grammar(schema)->nodes.size(); }));
    }
    std::printf("%5d properties  %8.3f ms  %zu nodes\n", properties, median(times), nodes);
  }
}

}  // namespace

int main(int n_arguments, char** arguments) {
  if (n_arguments != 2) {
    std::puts("usage: guide_bench MODEL");
    return 2;
  }
  compile();
  server::LoadOptions options;
  options.path = arguments[1];
  const auto model = server::LoadedModel::load(options);
  if (!model) {
    std::printf("%s\n", model.error().message.c_str());
    return 1;
  }
  const auto trie = std::make_shared<const server::TokenTrie>(**model);
  std::vector<double> first;
  std::vector<double> again;
  for (unsigned seed = 0; seed < 5; ++seed) {
    server::Guide guide(*server::schema_grammar(schema_of(100)), trie);
    for (auto* times : {&first, &again})
      std::ranges::copy(answer(guide, seed), std::back_inserter(*times));
  }
  std::printf("masks of %u tokens: first met %.3f ms, met before %.4f ms (medians of %zu)\n",
              trie->vocabulary(), median(first), median(again), first.size());
  return 0;
}
