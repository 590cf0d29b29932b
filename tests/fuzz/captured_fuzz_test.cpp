// Random functions of loops that write to what they capture, at any depth, under random stacks of transforms, against
// the same statements one after the other on values that nobody writes to. CAPTURED_SEED=n runs one of them;
// CAPTURED_PROGRAMS=n runs n (from CAPTURED_FIRST on).
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/fuzz_settings.h"
#include "tests/transforms/stacks.h"

using namespace jot;

namespace {

enum class Do : uint8_t { set, element, fori, scan, repeat, branch, map };
constexpr const char* kNames[] = {"set", "element", "fori", "scan", "while", "cond", "map"};

// Cells are f64[4]. A loop carries some of them, works on its own copies of these, and writes to the others.
struct Statement {
  Do what;
  size_t to, a, b;
  int64_t number;  // which function or element; how many steps
  std::vector<uint8_t> carried{};
  std::vector<Statement> body{}, otherwise{};
};
using Statements = std::vector<Statement>;
using Cells = std::vector<Tensor>;
constexpr size_t kCells = 4;

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(static_cast<unsigned>(seed)) {}
  Statements statements(int depth) {
    Statements list;
    for (uint64_t n = 1 + random_() % (depth == 0 ? 4 : 3); n > 0; --n) list.push_back(statement(depth));
    return list;
  }
  uint64_t below(uint64_t n) { return random_() % n; }

 private:
  Statement statement(int depth) {
    uint64_t kinds = depth == 3 ? 2 : 7;
    Statement s{static_cast<Do>(below(kinds)), below(kCells), below(kCells), below(kCells),
                static_cast<int64_t>(below(4))};
    if (s.what == Do::set || s.what == Do::element) return s;
    for (size_t i = 0; i < kCells; ++i) s.carried.push_back(s.what != Do::map && below(2) == 0);
    s.body = statements(depth + 1);
    if (s.what == Do::branch) s.otherwise = statements(depth + 1);
    return s;
  }
  std::mt19937 random_;
};

void print(std::ostream& out, const Statements& list, int indent) {
  for (const Statement& s : list) {
    out << std::string(static_cast<size_t>(indent), ' ') << kNames[static_cast<int>(s.what)] << " to=" << s.to
        << " a=" << s.a << " b=" << s.b << " n=" << s.number;
    for (uint8_t c : s.carried) out << (c ? " carried" : " captured");
    out << "\n";
    print(out, s.body, indent + 2);
    if (!s.otherwise.empty())
      print(out << std::string(static_cast<size_t>(indent), ' ') << "else\n", s.otherwise, indent + 2);
  }
}

Tensor value(const Statement& s, const Cells& c) {
  const Tensor &a = c[s.a], &b = c[s.b];
  if (s.number == 0) return tanh(a + b * 0.5);
  if (s.number == 1) return sin(a) * b;
  if (s.number == 2) return a - b * 0.25;
  return tanh(a * b + 0.1);
}
Tensor is_positive(const Tensor& t) { return sum(t) > 0.1; }

// ---- with loops; `mine`: cells whose handle may be exchanged, others are written

void run(const Statements& list, Cells& c, std::vector<uint8_t> mine);

void write(Cells& c, const std::vector<uint8_t>& mine, size_t to, const Tensor& v) {
  if (mine[to])
    c[to] = v;
  else
    c[to].copy_(v);
}

// A step: its own copies of the carry, the rest as it is.
template <class F>
Cells step(const Statement& s, const Statements& body, const Cells& outside, const Cells& carry, F before) {
  Cells inner = outside;
  size_t k = 0;
  for (size_t i = 0; i < kCells; ++i)
    if (s.carried[i]) inner[i] = carry[k++].clone();
  before(inner);
  run(body, inner, s.carried);
  Cells after;
  for (size_t i = 0; i < kCells; ++i)
    if (s.carried[i]) after.push_back(inner[i]);
  return after;
}

void loop(const Statement& s, Cells& c, const std::vector<uint8_t>& mine) {
  Cells carry;
  for (size_t i = 0; i < kCells; ++i)
    if (s.carried[i]) carry.push_back(c[i].clone());
  auto add = [&](Cells& inner, const Tensor& t) { write(inner, s.carried, s.to, inner[s.to] + t); };
  const auto nothing = [](Cells&) {};
  Tensor result;
  switch (s.what) {
    case Do::fori:
      carry = fori_loop(
          0, s.number,
          [&](const Tensor& i, const Cells& k) {
            return step(s, s.body, c, k, [&](Cells& inner) { add(inner, 0.1 * i.to(f64)); });
          },
          carry);
      break;
    case Do::scan: {
      auto one = [&](const Cells& k, const Tensor& v) {
        Cells after = step(s, s.body, c, k, [&](Cells& inner) { add(inner, v); });
        return std::pair{after, v * 2};
      };
      std::tie(carry, result) = scan(one, carry, c[s.a].clone(), {.reverse = s.number == 1});
      break;
    }
    case Do::repeat: {
      using Counted = std::pair<Tensor, Cells>;
      Tensor limit = is_positive(c[s.a]).to(i64) + s.number % 3;
      auto one = [&](const Counted& k) { return Counted{k.first + 1, step(s, s.body, c, k.second, nothing)}; };
      carry = while_loop([&](const Counted& k) { return k.first < limit; }, one, Counted{zeros({}, i64), carry}).second;
      break;
    }
    case Do::branch: {
      auto branch = [&](const Statements& body) {
        return [&](const Cells& k) { return step(s, body, c, k, nothing); };
      };
      carry = cond(is_positive(c[s.a]), branch(s.body), branch(s.otherwise), carry);
      break;
    }
    default:
      result = map_over(
          [&](const Tensor& v) {
            step(s, s.body, c, {}, nothing);
            return sum(c[s.b]) * v;
          },
          c[s.a].clone());
  }
  size_t k = 0;
  for (size_t i = 0; i < kCells; ++i)
    if (s.carried[i]) write(c, mine, i, carry[k++]);
  if (result.defined()) write(c, mine, s.to, result * 0.5);
}

void run(const Statements& list, Cells& c, std::vector<uint8_t> mine) {
  for (const Statement& s : list)
    if (s.what == Do::set)
      write(c, mine, s.to, value(s, c));
    else if (s.what == Do::element && mine[s.to])
      c[s.to] = c[s.to].clone(), c[s.to][s.number] = sum(c[s.a]) * 0.3;
    else if (s.what == Do::element)
      c[s.to][s.number] = sum(c[s.a]) * 0.3;
    else
      loop(s, c, mine);
}

// ---- one after the other

void write_out(const Statements& list, Cells& c);

void choose(const Tensor& flag, const Cells& a, Cells& b) {
  for (size_t i = 0; i < kCells; ++i) b[i] = where(flag, a[i], b[i]);
}

void write_out_loop(const Statement& s, Cells& c) {
  switch (s.what) {
    case Do::fori:
      for (int64_t i = 0; i < s.number; ++i) {
        c[s.to] = c[s.to] + 0.1 * static_cast<double>(i);
        write_out(s.body, c);
      }
      break;
    case Do::scan: {
      const Tensor xs = c[s.a];
      for (int64_t i = 0; i < 4; ++i) {
        c[s.to] = c[s.to] + xs[s.number == 1 ? 3 - i : i];
        write_out(s.body, c);
      }
      c[s.to] = xs * 2 * 0.5;
      break;
    }
    case Do::repeat: {
      Tensor limit = is_positive(c[s.a]).to(i64) + s.number % 3;
      for (int64_t i = 0; i < 3; ++i) {
        Cells next = c;
        write_out(s.body, next);
        choose(limit > i, next, c);
      }
      break;
    }
    case Do::branch: {
      Tensor flag = is_positive(c[s.a]);
      Cells taken = c;
      write_out(s.body, taken);
      write_out(s.otherwise, c);
      choose(flag, taken, c);
      break;
    }
    default: {
      const Tensor xs = c[s.a];
      std::vector<Tensor> ys;
      for (int64_t i = 0; i < 4; ++i) {
        write_out(s.body, c);
        ys.push_back(sum(c[s.b]) * xs[i]);
      }
      c[s.to] = stack(ys) * 0.5;
    }
  }
}

void write_out(const Statements& list, Cells& c) {
  for (const Statement& s : list)
    if (s.what == Do::set) {
      c[s.to] = value(s, c);
    } else if (s.what == Do::element) {
      c[s.to] = c[s.to].clone();
      c[s.to][s.number] = sum(c[s.a]) * 0.3;
    } else {
      write_out_loop(s, c);
    }
}

test::F function(const Statements& list, bool looped) {
  return [&list, looped](const Tensor& x) {
    Cells c = {x * 1, sin(x), x * x, x * 0.3};
    looped ? run(list, c, {0, 1, 0, 1}) : write_out(list, c);
    return c[0] + c[1] * 0.7 + c[2] * test::weights() + c[3] * 1.3;
  };
}

}  // namespace

TEST_CASE("what loops write to captured tensors is there, under random stacks of transforms") {
  const auto [first, last] = JOT_SEEDS("CAPTURED", 60);
  const Tensor x = tensor({0.9, -0.6, 0.4, 0.2}, f64);
  int failures = 0;
  for (uint64_t seed = first; seed < last && failures < 3; ++seed) {
    Generator random(seed);
    const Statements list = random.statements(0);
    test::F looped = function(list, true), steps = function(list, false);
    std::string stack;
    for (uint64_t n = random.below(4); n > 0; --n) {
      auto transform = std::next(test::transforms().begin(), static_cast<std::ptrdiff_t>(random.below(4)));
      stack += " " + transform->first;
      looped = transform->second(looped), steps = transform->second(steps);
    }
    std::string complaint;
    try {
      const Tensor expected = steps(x);
      if (!(max(abs(expected)).item<double>() < 1e9)) continue;  // too large to be compared
      double d = test::difference_of(looped(x), expected);
      if (!(d < 1e-9)) complaint = "differs by " + std::to_string(d);
    } catch (const std::exception& e) {
      complaint = e.what();
    }
    if (complaint.empty()) continue;
    ++failures;
    std::ostringstream text;
    print(text, list, 2);
    FAIL_CHECK("CAPTURED_SEED=" << seed << ": " << complaint << " under" << stack << "\n" << text.str());
  }
}
