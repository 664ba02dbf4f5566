// What a bound answer costs: schemas of 10 to 1,000 properties compiled, and the masks of random
// answers to the one of 100 with a model's vocabulary, where a place in the grammar is met for the
// first time and where it was met before.
//
//   guide_bench MODEL      MODEL: a GGUF file or a Hugging Face folder
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <random>
#include <unordered_set>

#include "server/guide.h"
#include "server/json_schema.h"
#include "server/loaded_model.h"

namespace {

using namespace freehold;
constexpr int kRounds = 21;

// Of this thread's processor time: std::clock is too coarse for a mask that was met before.
double now_ms() {
  std::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

template <class Fn>
double milliseconds(Fn&& work) {
  const double start = now_ms();
  work();
  return now_ms() - start;
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

// Any token of the set; every other time one that ends something, or strings would go on for ever.
TokenId any_of(const server::TokenSet& set, const server::TokenTrie& trie, std::mt19937& random) {
  std::vector<TokenId> ids;
  std::vector<TokenId> ending;
  for (size_t i = 0; i < set.size() * 64; ++i) {
    const auto id = static_cast<TokenId>(i);
    if (!server::contains(set, id)) continue;
    ids.push_back(id);
    if (trie.bytes(id).find_first_of("\",}") != std::string::npos) ending.push_back(id);
  }
  const auto& from = ending.empty() || random() % 2 == 0 ? ids : ending;
  return from[random() % from.size()];
}

// In milliseconds each.
struct MaskTimes {
  std::vector<double> first;  // of states that were new
  std::vector<double> again;
};

// The masks of one random answer.
void answer(server::Guide& guide, const server::TokenTrie& trie, unsigned seed, MaskTimes& times) {
  constexpr int kMaxTokens = 2000;
  std::mt19937 random(seed);
  std::unordered_set<server::Guide::State> met;
  auto state = guide.start();
  for (int i = 0; i < kMaxTokens && !guide.complete(state); ++i) {
    std::shared_ptr<const server::TokenSet> mask;
    const double took = milliseconds([&] { mask = guide.mask(state); });
    (met.insert(state).second ? times.first : times.again).push_back(took);
    const auto next = guide.accept(state, any_of(*mask, trie, random));
    if (next == server::Automaton::kDead) break;  // the end of the answer
    state = next;
  }
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
  MaskTimes times;
  for (unsigned seed = 0; seed < 5; ++seed) {
    server::Guide guide(*server::schema_grammar(schema_of(100)), trie);
    answer(guide, *trie, seed, times);
  }
  std::printf(
      "masks of %u tokens: %.3f ms at new places, %.4f ms at others (medians of %zu and %zu)\n",
      trie->vocabulary(), median(times.first), median(times.again), times.first.size(),
      times.again.size());
  return 0;
}
