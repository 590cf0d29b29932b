// Calls that fail, and how their messages begin.
#pragma once
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <functional>
#include <string>
#include <vector>

namespace jot::test {

struct Failure {
  std::string text;
  std::function<void()> call;
};

// f throws an E whose message has this part, and a line in `file`.
template <class E, class F>
void check_error(const std::string& part, F f, const std::string& file) {
  CAPTURE(part);
  std::string text = "no error";
  try {
    f();
  } catch (const E& e) {
    text = e.what();
  }
  CAPTURE(text);
  CHECK(text.find(part) != std::string::npos);
  CHECK(text.find(file) != std::string::npos);
}

// The lines that the messages name are in `file`.
inline void check_errors(const std::vector<Failure>& failures, const std::string& file) {
  for (const Failure& f : failures) {
    CAPTURE(f.text);
    std::string what = "nothing was thrown";
    try {
      f.call();
    } catch (const Error& e) {
      what = e.what();
    }
    CHECK_EQ(what.substr(0, f.text.size()), f.text);
    CHECK(what.find(file) != std::string::npos);
  }
}

}  // namespace jot::test
