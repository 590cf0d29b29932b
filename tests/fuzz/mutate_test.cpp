// The always-run half of the parser fuzzer (parser_fuzzer.cpp): a bounded number of random mutations of valid texts.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "tests/fuzz/check_text.h"
#include "tests/support/fuzz_settings.h"
#include "tests/support/random_graph.h"

using namespace jot;

namespace {

std::string mutated(std::string text, std::mt19937_64& random) {
  static const char* const kTokens[] = {"%0",   "%1",   "f32",       "i64",   "bool",  "[",  "]",  "{",
                                        "}",    "(",    ")",         ",",     "=",     ":",  "\"", "//",
                                        "add",  "dot_", "read",      "token", "loc(",  "-1", "3",  "1e9",
                                        "0x7f", "nan",  "writeback", "dims",  "shape", "\n"};
  for (uint64_t edits = 1 + random() % 3; edits > 0; --edits) {
    size_t at = random() % (text.size() + 1), length = std::min<size_t>(random() % 5, text.size() - at);
    switch (random() % 4) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, text.substr(random() % (text.size() + 1), random() % 40));
        break;
      case 2:
        text.replace(at, length, std::string(1, static_cast<char>(random())));
        break;
      default:
        text.replace(at, length, kTokens[random() % std::size(kTokens)]);
    }
  }
  return text;
}

}  // namespace

// TEXT_PROGRAMS=n changes the text of n graphs, 50 times each.
TEST_CASE("a mutated text is another graph or an IrError with a position") {
  int graphs = 0, errors = 0;
  const auto [first, last] = JOT_SEEDS("TEXT", 400);
  for (uint64_t seed = first; seed < last; ++seed) {
    std::mt19937_64 random(20240607 + seed);
    std::string text = to_text(test::random_graph(seed, {.nodes = 12, .effects = seed % 2 == 0}));
    for (int i = 0; i < 50; ++i) {
      std::string changed = mutated(text, random);
      CAPTURE(changed);
      std::string error;
      std::string fault = test::check_text(changed, &error);
      REQUIRE(fault == "");
      ++(error.empty() ? graphs : errors);
    }
  }
  MESSAGE(graphs, " graphs, ", errors, " errors");
  CHECK(graphs > 0);
  CHECK(errors > graphs);
}

TEST_CASE("the check sees a text that is lost, and an error without a position") {
  std::string error;
  CHECK(test::check_text("func @f() -> () {\n  return\n}\n", &error) == "");
  CHECK(error == "");
  CHECK(test::check_text("func @f() -> () {", &error) == "");
  CHECK(error.starts_with("[parse] line 1, column 18: "));
}
