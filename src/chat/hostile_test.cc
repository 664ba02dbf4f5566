// Templates that mean harm. Each ends, in an error or in a text within the budget, in little time
// and on a small stack.
#include <gtest/gtest.h>
#include <pthread.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "chat/template.h"

namespace freehold::chat {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStackBytes = 8U << 20U;  // a sanitizer's frames are many times larger
#else
constexpr size_t kStackBytes = 256U << 10U;
#endif

std::string times(size_t n, std::string_view text) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

struct Outcome {
  std::string source;
  Json variables;
  base::Result<std::string> result;
  double cpu_ms = 0;
};

void* render_on_this_thread(void* argument) {
  auto& outcome = *static_cast<Outcome*>(argument);
  const auto parsed = Template::parse(outcome.source);
  if (parsed) {
    outcome.result = parsed->render(outcome.variables);
  } else {
    outcome.result = std::unexpected(parsed.error());
  }
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  outcome.cpu_ms = static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
  return nullptr;
}

Outcome render_on_small_stack(std::string source, Json variables) {
  Outcome outcome{std::move(source), std::move(variables), std::string(), 0};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_t thread{};
  EXPECT_EQ(pthread_create(&thread, &attributes, render_on_this_thread, &outcome), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  return outcome;
}

constexpr size_t kMany = 30'000;

struct Hostile {
  const char* name;
  std::string source;
  bool fails = true;
};

std::vector<Hostile> nested_too_deep() {
  return {
      {"parentheses", "{{ " + times(kMany, "(") + "1" + times(kMany, ")") + " }}"},
      {"brackets", "{{ " + times(kMany, "[") + times(kMany, "]") + " }}"},
      {"braces", "{{ " + times(20'000, "{1:") + "1" + times(20'000, "}") + " }}"},
      {"calls", "{{ " + times(kMany, "f(") + times(kMany, ")") + " }}"},
      {"subscripts", "{{ " + times(kMany, "a[") + "1" + times(kMany, "]") + " }}"},
      {"not", "{{ " + times(kMany, "not ") + "1 }}"},
      {"minus", "{{ " + times(kMany, "- ") + "1 }}"},
      {"power", "{{ 1" + times(20'000, " ** 1") + " }}", false},
      {"if blocks", times(5'000, "{% if 1 %}") + times(5'000, "{% endif %}")},
      {"for blocks", times(3'000, "{% for i in [1] %}") + times(3'000, "{% endfor %}")},
      {"macro blocks", times(3'000, "{% macro m() %}") + times(3'000, "{% endmacro %}")},
      {"set blocks", times(3'000, "{% set x %}") + times(3'000, "{% endset %}")},
      {"targets",
       "{% for " + times(kMany, "(") + "a" + times(kMany, ")") + " in [] %}{% endfor %}"},
      {"attributes", "{% set a = {} %}{{ a" + times(kMany, ".a") + " }}"},
      {"indices", "{% set a = 'x' %}{{ a" + times(kMany, "[0]") + " }}"},
      {"filters", "{{ 'x'" + times(20'000, "|trim") + " }}"},
      {"tests", "{{ 1" + times(10'000, " is defined") + " }}"},
      {"conditions", "{{ " + times(8'000, "1 if 0 else ") + "1 }}"},
      {"conditions without else", "{{ 1" + times(20'000, " if 1") + " }}"},
      {"sum", "{{ 1" + times(kMany, "+1") + " }}", false},
      {"joined texts", "{{ 'a'" + times(kMany, "~'a'") + " }}", false},
      {"comparisons", "{{ 1" + times(kMany, "<2") + " }}", false},
      {"and", "{{ 1" + times(20'000, " and 1") + " }}", false},
      {"elif", "{% if 0 %}" + times(8'000, "{% elif 0 %}") + "{% endif %}", false},
  };
}

std::vector<Hostile> endless() {
  return {
      {"range", "{{ range(10**9) }}"},
      {"range below zero", "{% for i in range(10**9, -(10**9), -1) %}{% endfor %}"},
      {"range near the limit", "{{ range(0, 2**62, 2**60)|list|length }}", false},
      {"loops in loops",
       "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"},
      {"loops with output",
       "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"},
      {"macro calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
      {"macro calls itself twice",
       "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(40) }}"},
      {"macros call each other",
       "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}"},
      {"macro as its own argument", "{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}"},
      {"macro in its default", "{% macro m(x=m()) %}{% endmacro %}{{ m() }}"},
      {"caller calls its macro",
       "{% macro m() %}{{ caller() }}{% endmacro %}"
       "{% macro n() %}{% call m() %}{{ n() }}{% endcall %}{% endmacro %}{{ n() }}"},
      {"loop calls itself", "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}"},
      {"loop calls itself wide",
       "{% for i in range(999) recursive %}{{ loop(range(999)) }}{% endfor %}"},
      {"many scopes",
       "{% for i in range(99999) %}{% with a=1 %}{% set b %}{% endset %}{% endwith %}"
       "{% for j in range(9) %}{% macro f() %}{% endmacro %}{% endfor %}{% endfor %}"},
  };
}

std::vector<Hostile> large() {
  const std::string grow = "{% set ns = namespace(x='ab') %}{% for i in range(99) %}";
  const std::string grow_list = "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}";
  const std::string end = "{% endfor %}";
  const std::string share =
      "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}"
      "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}";
  return {
      {"text times", "{{ 'a' * 10**9 }}"},
      {"text times a lot", "{{ 'abc' * 2**62 }}"},
      {"empty text times", "{{ '' * 10**18 }}", false},
      {"list times", "{{ [1] * 10**9 }}"},
      {"empty list times", "{{ ([] * 10**18)|length }}", false},
      {"text doubled", grow + "{% set ns.x = ns.x + ns.x %}" + end},
      {"text doubled by ~", grow + "{% set ns.x = ns.x ~ ns.x %}" + end},
      {"text doubled by %", grow + "{% set ns.x = '%s%s' % (ns.x, ns.x) %}" + end},
      {"text doubled by format", grow + "{% set ns.x = '{0}{0}'.format(ns.x) %}" + end},
      {"text doubled by join", grow + "{% set ns.x = [ns.x, ns.x]|join %}" + end},
      {"text doubled by replace", grow + "{% set ns.x = ns.x|replace('a', 'aa') %}" + end},
      {"text grown by escapes",
       "{% set ns = namespace(x='\"') %}{% for i in range(99) %}"
       "{% set ns.x = ns.x|tojson %}" +
           end},
      {"text grown by repr",
       "{% set ns = namespace(x='\\\\') %}{% for i in range(99) %}"
       "{% set ns.x = [ns.x]|string %}" +
           end},
      {"list doubled", grow_list + "{% set ns.x = ns.x + ns.x %}" + end},
      {"list nested",
       "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}"
       "{% set ns.x = [ns.x] %}{% endfor %}"},
      {"dict nested",
       "{% set ns = namespace(x={}) %}{% for i in range(9999) %}"
       "{% set ns.x = {'a': ns.x} %}{% endfor %}"},
      {"shared list printed", share + "{{ ns.x }}"},
      {"shared list as JSON", share + "{{ ns.x|tojson }}"},
      {"shared lists compared", share + "{{ ns.x == ns.y }}"},
      {"shared lists ordered", share + "{{ ns.x < ns.y }}"},
      {"namespace in itself", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}{{ [ns] }}",
       false},
      {"join of many", "{{ range(99999)|join('x' * 1000) }}"},
      {"replace of nothing", "{{ ('a' * 99999)|replace('', 'b' * 1000) }}"},
      {"indent", "{{ ('a\n' * 99999)|indent(10**6) }}"},
      {"indent beyond numbers", "{{ 'a\nb'|indent(2**62) }}"},
      {"JSON indent", "{{ [[[1]]]|tojson(indent=10**9) }}"},
      {"JSON indent overflows", "{{ [[[1]]]|tojson(indent=2**62) }}"},
      {"width of %d", "{{ '%1000000000d' % 1 }}"},
      {"width beyond numbers", "{{ '%99999999999999999999d' % 1 }}"},
      {"precision of %f", "{{ '%.1000000000f' % 1.5 }}"},
      {"width of format", "{{ '{:1000000000}'.format(1) }}"},
      {"zeros of format", "{{ '{:01000000000d}'.format(1) }}"},
      {"index of format", "{{ '{99999999999999999999}'.format(1) }}"},
      {"center", "{{ 'x'|center(10**9) }}"},
      {"ljust", "{{ 'x'.ljust(2**62) }}"},
      {"zfill", "{{ 'x'.zfill(10**9) }}"},
      {"round", "{{ 1.5|round(10**9) }}"},
      {"power overflows", "{{ 10 ** 100 }}"},
      {"power of power", "{{ 9 ** 9 ** 9 ** 9 }}"},
      {"number overflows", "{{ 2**62 * 2 }}"},
      {"smallest number divided", "{{ (-(2**62) * 2) // -1 }}"},
      {"smallest number modulo", "{{ (-(2**62) * 2) % -1 }}", false},
      {"literal overflows", "{{ 99999999999999999999 }}"},
      {"batch", "{{ [1]|batch(10**9, 'x')|list }}"},
      {"slice with a huge step", "{{ 'abc'[::2**62] ~ 'abc'[::-(2**62)] ~ [1,2][2**62:] }}", false},
      {"sort of long equal texts", "{{ (['a' * 100000] * 9999)|sort|length }}"},
      {"unique of many", "{{ range(99999)|unique|list|length }}"},
      {"search", "{{ ('a' * 400000).count('a' * 200000 + 'b') }}", false},
      {"search from the right", "{{ ('a' * 400000).rfind('b' + 'a' * 200000) }}", false},
      {"search again and again",
       "{% set x = 'a' * 100000 %}{% for i in range(9999) %}{{ 'b' in x }}{% endfor %}"},
      {"strip by many characters", "{{ ('a' * 200000).strip('b' * 200000) }}"},
      {"split into many", "{{ ('a,' * 400000).split(',')|length }}"},
      {"split from the right", "{{ ('a,' * 100000).rsplit(',')|length }}"},
      {"length again and again",
       "{% set x = 'a' * 100000 %}{% for i in range(9999) %}{{ x|length }}{% endfor %}"},
      {"index again and again",
       "{% set x = 'a' * 100000 %}{% for i in range(9999) %}{{ x[-1] }}{% endfor %}"},
      {"case again and again",
       "{% set x = 'a' * 80000 %}{% for i in range(9999) %}{% set y = x|upper %}{% endfor %}"},
      {"title",
       "{% set x = 'ab ' * 10000 %}{% for i in range(999) %}{% set y = x.title() %}{% endfor %}"},
      {"isalpha again and again",
       "{% set x = 'a' * 100000 %}{% for i in range(9999) %}{{ x.isalpha() }}{% endfor %}"},
      {"startswith again and again",
       "{% set x = 'a' * 100000 %}{% for i in range(9999) %}{{ x.startswith(x) }}{% endfor %}"},
      {"int of a long text", "{{ ('9' * 1000000)|int }}", false},
      {"clipped view of a long list",
       "{% set x = range(20000)|list %}{% for i in range(9999) %}{% set y = x[1:] %}{% endfor %}"},
      {"reversed again and again",
       "{% set x = range(20000)|list %}{% for i in range(9999) %}{% for j in x|reverse %}"
       "{% break %}{% endfor %}{% endfor %}"},
      {"code points again and again",
       "{% set x = '\u4e2d' * 30000 %}{% for i in range(9999) %}{{ x[20000] }}{% endfor %}"},
      {"iterated again and again",
       "{% set x = 'a' * 30000 %}{% for i in range(9999) %}{% for j in x %}{% break %}"
       "{% endfor %}{% endfor %}"},
      {"dict looked through",
       "{% set x = {1:1,2:2,3:3,4:4,5:5,6:6,7:7,8:8} %}{% for i in range(99999) %}"
       "{{ x[9] }}{% endfor %}"},
      {"member of a long list",
       "{% set x = range(20000)|list %}{% for i in range(9999) %}{{ 'b' in x }}{% endfor %}"},
      {"slice of a text again and again",
       "{% set x = 'a' * 100000 %}{% for i in range(9999) %}{% set y = x[::2] %}{% endfor %}"},
      {"replace again and again",
       "{% set x = 'ab' * 20000 %}{% for i in range(999) %}{% set y = x|replace('a', 'c') %}"
       "{% endfor %}"},
      {"clock's format", "{{ strftime_now('%c' * 1000000) }}"},
      {"clock's width", "{{ strftime_now('%1000000000d') }}"},
  };
}

std::vector<Hostile> broken() {
  return {
      {"include", "{% include 'x' %}"},
      {"import", "{% import 'x' as y %}"},
      {"from", "{% from 'x' import y %}"},
      {"extends", "{% extends 'x' %}"},
      {"block", "{% block a %}{% endblock %}"},
      {"comments never closed", times(kMany, "{#")},
      {"raw never closed", times(10'000, "{% raw %}")},
      {"raw ends never come", "{% raw %}" + times(20'000, "{%   ")},
      {"print never closed", times(kMany, "{{")},
      {"string never closed", "{{ '" + times(kMany, "\\'") + " }}"},
      {"broken escape", "{{ '\\x' }}"},
      {"surrogate", "{{ '\\ud800' }}"},
      {"bytes that are no UTF-8", "\xFF\xFE{{ 1 }}"},
      {"too long", std::string(300'000, 'x')},
      {"break outside", "{% break %}"},
      {"break in a macro",
       "{% for i in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}"},
      {"dunder", "{{ ''.__class__.__mro__ }}"},
      {"dunder of a macro", "{% macro m() %}{% endmacro %}{{ m.__globals__.os }}"},
      {"mutation", "{% set x = [] %}{{ x.append(1) }}"},
      {"mutation of a dict", "{% set x = {} %}{{ x.update({'a': 1}) }}"},
      {"attribute in a format", "{{ '{0.__class__}'.format(1) }}"},
      {"caller outside", "{{ caller() }}"},
      {"loop outside", "{{ loop.index }}"},
      {"unpacking a long list", "{% set a, b = range(99999) %}"},
      {"slice of step 0", "{{ 'abc'[::0] }}"},
      {"raise", "{{ raise_exception('x' * 100) }}"},
  };
}

TEST(Hostile, EveryTemplateEndsWithinItsBudget) {
  size_t n = 0;
  for (const auto& group : {nested_too_deep(), endless(), large(), broken()}) {
    for (const Hostile& hostile : group) {
      SCOPED_TRACE(hostile.name);
      const Outcome outcome = render_on_small_stack(hostile.source, Json::object());
      ++n;
      EXPECT_EQ(outcome.result.has_value(), !hostile.fails)
          << (outcome.result ? outcome.result->substr(0, 200) : outcome.result.error().message);
      EXPECT_LE(outcome.result.value_or("").size(), RenderLimits{}.output_bytes);
      if (getenv("FREEHOLD_TEST_TIMES") != nullptr) {
        printf("%8.1f ms  %s\n", outcome.cpu_ms, hostile.name);
      }
    }
  }
  EXPECT_GE(n, 100U);
}

// A conversation brings its own budget, so that no length of it is too long for its template.
TEST(Hostile, BudgetsGrowWithTheConversation) {
  const auto parsed = Template::parse(
      "{% for m in messages %}{% for c in 'abcdefgh' %}{{ m.role }}{{ m.text|trim|length }}"
      "{% endfor %}{% endfor %}");
  const auto conversation = [](size_t n) {
    Json messages = Json::array();
    for (size_t i = 0; i < n; ++i) {
      messages.push_back({{"role", "user"}, {"text", std::string(5'000, 'x')}});
    }
    return Json{{"messages", std::move(messages)}};
  };
  for (const size_t n : {1U, 100U, 3000U}) EXPECT_TRUE(parsed->render(conversation(n))) << n;
  RenderOptions options;
  options.limits.steps_per_value = 2;
  EXPECT_EQ(parsed->render(conversation(3000), options).error().code,
            base::ErrorCode::kLimitExceeded);
  options = {};
  options.limits.work_per_value = 16;
  options.limits.work_per_byte = 1;
  EXPECT_EQ(parsed->render(conversation(3000), options).error().code,
            base::ErrorCode::kLimitExceeded);
}

TEST(Hostile, VariablesNestedTooDeepAreRefused) {
  Json deep = 1;
  for (int i = 0; i < 10'000; ++i) deep = Json::array({std::move(deep)});
  const Outcome outcome = render_on_small_stack("{{ x }}", Json{{"x", std::move(deep)}});
  ASSERT_FALSE(outcome.result.has_value());
  EXPECT_EQ(outcome.result.error().code, base::ErrorCode::kLimitExceeded);
}

TEST(Hostile, VariablesThatTheTemplateIgnoresCostNothing) {
  Json deep = 1;
  for (int i = 0; i < 10'000; ++i) deep = Json::array({std::move(deep)});
  const Outcome outcome = render_on_small_stack("ok", Json{{"x", std::move(deep)}});
  ASSERT_TRUE(outcome.result.has_value());
  EXPECT_EQ(*outcome.result, "ok");
}

TEST(Hostile, VariablesMustBeAnObject) {
  const auto parsed = Template::parse("x");
  EXPECT_EQ(parsed->render(Json::array()).error().code, base::ErrorCode::kInvalidArgument);
}

TEST(Hostile, TheClockMustBeADate) {
  const auto parsed = Template::parse("{{ strftime_now('%j %A') }}");
  EXPECT_EQ(*parsed->render(Json::object(), {.limits = {}, .now = "2024-12-31T23:59:60"}),
            "366 Tuesday");
  for (const char* now : {"today", "2026-02-30", "2026-13-01", "2026-01-15T25:00:00", "2026-01",
                          "2026-01-15T12:30:00Z", "99999999999-01-01"}) {
    EXPECT_FALSE(parsed->render(Json::object(), {.limits = {}, .now = now}).has_value()) << now;
  }
}

}  // namespace
}  // namespace freehold::chat
