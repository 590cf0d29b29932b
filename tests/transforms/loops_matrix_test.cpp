// What loops_test.cpp leaves of the matrix: cond, switch_case, while_loop, fori_loop, scan, map_over, associative_scan
// by captured tensors, integers beside floats, nothing to do, writes in place, loops in loops.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <vector>

#include "stacks.h"

using namespace jot;
using jot::test::check_stacks;
using jot::test::Problems;

namespace {

const Tensor weights = test::weights();
using Numbered = std::pair<Tensor, Tensor>;  // an integer, a float

Tensor i64_of(int64_t n) { return tensor(n); }
Tensor large(const Tensor& x) { return sum(x) > 0.5; }
Tensor kind(const Tensor& x) { return (sum(x) * 2.0).to(i64); }  // 3, 1 and 0 in the lanes, 2 taken as the last

// The oracle of switch_case.
Tensor chosen(const Tensor& x, const Tensor& a, const Tensor& b, const Tensor& c) {
  return where(kind(x) <= 0, a, where(kind(x) == 1, b, c));
}

}  // namespace

TEST_CASE("the matrix of loops: cond") {
  Problems p;
  p["captures"] = {[](const Tensor& x) {
                     Tensor twice = x * 2;
                     return cond(
                         large(x), [&](const Tensor& y) { return sin(y) * twice * weights; },
                         [&](const Tensor& y) { return y * y + x; }, x * 0.7);
                   },
                   [](const Tensor& x) { return where(large(x), sin(x * 0.7) * x * 2.0 * weights, x * x * 0.49 + x); }};
  p["integers"] = {[](const Tensor& x) {
                     auto [n, y] = cond(
                         large(x),
                         [](const Numbered& c) {
                           return Numbered{c.first + 2, c.second * c.first.to(f64)};
                         },
                         [](const Numbered& c) {
                           return Numbered{c.first * 5, sin(c.second)};
                         },
                         Numbered{i64_of(3), x});
                     return y * n.to(f64);
                   },
                   [](const Tensor& x) { return where(large(x), x * 3 * 5, sin(x) * 15.0); }};
  p["nothing to do"] = {[](const Tensor& x) {
                          Tensor none_left = cond(
                              large(x), [](const Tensor& y) { return y * y; }, [](const Tensor& y) { return y; },
                              x.slice(0, 0, 0));
                          return cond(
                              large(x), [&] { return x * x; }, [&] { return x + sum(none_left); });
                        },
                        [](const Tensor& x) { return where(large(x), x * x, x); }};
  p["writes in place"] = {[](const Tensor& x) {
                            Tensor log = ones({4}, f64);
                            Tensor y = cond(
                                large(x),
                                [&](const Tensor& c) {
                                  Tensor mine = c * 1;
                                  mine[1] = mine[0] * mine[2];
                                  log.add_(mine * x);
                                  return mine;
                                },
                                [&](const Tensor& c) {
                                  log[2] = c[0] * 3;
                                  return sin(c);
                                },
                                x * 2);
                            return log * y;
                          },
                          [](const Tensor& x) {
                            Tensor d = x * 2, a = stack({d[0], d[0] * d[2], d[2], d[3]}), one = ones({}, f64);
                            return where(large(x), (a * x + 1) * a, stack({one, one, d[0] * 3, one}) * sin(d));
                          }};
  p["loops in it"] = {[](const Tensor& x) {
                        return cond(
                            large(x),
                            [&](const Tensor& c) {
                              return cond(
                                  x[0] > 0.6,
                                  [&](const Tensor& d) {
                                    return fori_loop(
                                        0, 3, [&](const Tensor&, const Tensor& e) { return sin(e) + x; }, d);
                                  },
                                  [](const Tensor& d) { return d * d; }, c);
                            },
                            [](const Tensor& c) {
                              return while_loop([](const Tensor& d) { return sum(d * d) < 8.0; },
                                                [](const Tensor& d) { return d * 1.7; }, c);
                            },
                            x * 1.1);
                      },
                      [](const Tensor& x) {
                        Tensor c = x * 1.1, a = c, b = c;
                        for (int i = 0; i < 3; ++i) a = sin(a) + x;
                        for (int i = 0; i < 6; ++i) b = where(sum(b * b) < 8.0, b * 1.7, b);
                        return where(large(x), where(x[0] > 0.6, a, c * c), b);
                      }};
  check_stacks(p);
}

TEST_CASE("the matrix of loops: switch_case") {
  Problems p;
  p["captures"] = {[](const Tensor& x) {
                     return switch_case(
                         kind(x),
                         std::tuple{[&](const Tensor& y) { return y * x; }, [&](const Tensor& y) { return sin(y) + x; },
                                    [&](const Tensor& y) { return y * weights; }},
                         x * 2);
                   },
                   [](const Tensor& x) { return chosen(x, x * 2 * x, sin(x * 2) + x, x * 2 * weights); }};
  p["integers"] = {
      [](const Tensor& x) {
        auto scaled = [](int64_t by) {
          return [=](const Numbered& c) { return Numbered{c.first * by, c.second * c.first.to(f64)}; };
        };
        auto [n, y] = switch_case(kind(x), std::tuple{scaled(1), scaled(2), scaled(3)}, Numbered{i64_of(2), sin(x)});
        return y * n.to(f64);
      },
      [](const Tensor& x) { return chosen(x, sin(x) * 4, sin(x) * 8, sin(x) * 12); }};
  p["nothing to do"] = {[](const Tensor& x) {
                          auto same = [](const Tensor& y) { return y; };
                          return x * x + sum(switch_case(kind(x), std::tuple{same, same}, x.slice(0, 0, 0)));
                        },
                        [](const Tensor& x) { return x * x; }};
  p["writes in place"] = {[](const Tensor& x) {
                            Tensor log = zeros({4}, f64);
                            auto add = [&](double by) {
                              return [&log, &x, by](const Tensor& c) {
                                log[1] = sum(c * x) * by;
                                Tensor mine = c.clone();
                                mine[0].mul_(by);
                                return mine;
                              };
                            };
                            return switch_case(kind(x), std::tuple{add(1), add(2), add(3)}, sin(x)) + log;
                          },
                          [](const Tensor& x) {
                            auto by = [&](double k) {
                              Tensor s = sin(x);
                              return stack({s[0] * k, s[1] + sum(s * x) * k, s[2], s[3]});
                            };
                            return chosen(x, by(1), by(2), by(3));
                          }};
  p["loops in it"] = {[](const Tensor& x) {
                        auto times = [&](int64_t n) {
                          return [&x, n](const Tensor& c) {
                            return fori_loop(
                                0, n, [&](const Tensor& i, const Tensor& d) { return sin(d) * x + i.to(f64); }, c);
                          };
                        };
                        return switch_case(kind(x), std::tuple{times(0), times(1), times(2)}, x);
                      },
                      [](const Tensor& x) { return chosen(x, x, sin(x) * x, sin(sin(x) * x) * x + 1); }};
  check_stacks(p);
}

TEST_CASE("the matrix of loops: while_loop, fori_loop and scan") {
  Problems p;
  p["while that writes in place"] = {
      [](const Tensor& x) {
        Tensor sums = zeros({4}, f64), count = zeros({}, i64);
        Tensor last = while_loop([](const Tensor& c) { return sum(c * c) < 30.0; },
                                 [&](const Tensor& c) {
                                   Tensor mine = c * 1.5;
                                   mine[1] = mine[0] * x[2];
                                   sums.add_(mine * x);
                                   count.add_(1);
                                   return mine;
                                 },
                                 x);
        return (sums + last) * count.to(f64);
      },
      [](const Tensor& x) {
        Tensor c = x, sums = zeros({4}, f64), count = zeros({}, f64);
        for (int i = 0; i < 12; ++i) {
          Tensor live = sum(c * c) < 30.0, d = c * 1.5, mine = stack({d[0], d[0] * x[2], d[2], d[3]});
          sums = where(live, sums + mine * x, sums);
          count = where(live, count + 1, count);
          c = where(live, mine, c);
        }
        return (sums + c) * count;
      }};
  p["fori with an integer in its carry"] = {[](const Tensor& x) {
                                              auto body = [&](const Tensor& i, const Numbered& c) {
                                                Tensor n = c.first + i;
                                                return Numbered{n, sin(c.second) * x + n.to(f64) * weights};
                                              };
                                              auto [n, y] = fori_loop(0, 4, body, Numbered{i64_of(1), x});
                                              return y * n.to(f64);
                                            },
                                            [](const Tensor& x) {
                                              Tensor y = x;
                                              int64_t n = 1;
                                              for (int64_t i = 0; i < 4; ++i) {
                                                n += i;
                                                y = sin(y) * x + static_cast<double>(n) * weights;
                                              }
                                              return y * static_cast<double>(n);
                                            }};
  p["scan that writes in place"] = {[](const Tensor& x) {
                                      Tensor sums = x * 0.1;
                                      auto one = [&](const Tensor& c, const Tensor& v) {
                                        Tensor mine = c.clone();
                                        mine[3] = mine[0] * v;
                                        mine.mul_(0.9);
                                        sums[2].add_(mine[3]);
                                        return std::pair{mine, sums * v};
                                      };
                                      auto [last, ys] = scan(one, sin(x), x);
                                      return last + sum(ys, 0) + sums;
                                    },
                                    [](const Tensor& x) {
                                      Tensor sums = x * 0.1, c = sin(x), total = zeros({4}, f64);
                                      for (int i = 0; i < 4; ++i) {
                                        c = stack({c[0], c[1], c[2], c[0] * x[i]}) * 0.9;
                                        sums = stack({sums[0], sums[1], sums[2] + c[3], sums[3]});
                                        total = total + sums * x[i];
                                      }
                                      return c + total + sums;
                                    }};
  p["scan in a scan, and a while"] = {[](const Tensor& x) {
                                        auto one = [&](const Tensor& c, const Tensor& v) {
                                          auto inner = [&](const Tensor& d, const Tensor& w) {
                                            return std::pair{d * 0.8 + w * v, sin(d)};
                                          };
                                          auto [last, ys] = scan(inner, c, x);
                                          Tensor grown = while_loop([](const Tensor& d) { return abs(d) < 2.0; },
                                                                    [](const Tensor& d) { return d * 2 + 0.1; }, last);
                                          return std::pair{last, sum(ys) + grown};
                                        };
                                        auto [last, ys] = scan(one, x[1], x, {.reverse = true});
                                        return ys + last;
                                      },
                                      [](const Tensor& x) {
                                        Tensor c = x[1];
                                        std::vector<Tensor> ys(4);
                                        for (int i = 3; i >= 0; --i) {
                                          Tensor total = zeros({}, f64);
                                          for (int k = 0; k < 4; ++k) {
                                            total = total + sin(c);
                                            c = c * 0.8 + x[k] * x[i];
                                          }
                                          Tensor grown = c;
                                          for (int k = 0; k < 8; ++k)
                                            grown = where(abs(grown) < 2.0, grown * 2 + 0.1, grown);
                                          ys[static_cast<size_t>(i)] = total + grown;
                                        }
                                        return stack(ys) + c;
                                      }};
  check_stacks(p);
}

TEST_CASE("the matrix of loops: map_over") {
  Problems p;
  p["integers"] = {[](const Tensor& x) {
                     auto one = [&](const Numbered& e) {
                       return Numbered{e.first * 2, e.second * weights.index({e.first}) * x.index({e.first})};
                     };
                     auto [n, y] = map_over(one, Numbered{arange(4), sin(x)});
                     return y * n.to(f64);
                   },
                   [](const Tensor& x) {
                     return sin(x) * weights * x * tensor({0.0, 2.0, 4.0, 6.0}, f64);
                   }};
  p["nothing to do"] = {
      [](const Tensor& x) { return x * x + sum(map_over([&](const Tensor& v) { return v * x; }, x.slice(0, 0, 0))); },
      [](const Tensor& x) { return x * x; }};
  p["writes in place"] = {[](const Tensor& x) {
                            Tensor sums = x * 0.5;
                            auto one = [&](const Tensor& v) {
                              Tensor both = stack({v, v * v});
                              both[0].mul_(both[1]);
                              sums.add_(v * x);
                              return sum(both) + sums[0];
                            };
                            return map_over(one, x) * sums;
                          },
                          [](const Tensor& x) {
                            Tensor sums = x * 0.5;
                            std::vector<Tensor> ys;
                            for (int i = 0; i < 4; ++i) {
                              sums = sums + x[i] * x;
                              ys.push_back(x[i] * x[i] * x[i] + x[i] * x[i] + sums[0]);
                            }
                            return stack(ys) * sums;
                          }};
  p["loops in it"] = {[](const Tensor& x) {
                        auto one = [&](const Tensor& v) {
                          Tensor row = map_over([&](const Tensor& w) { return sin(v * w); }, x);
                          return while_loop([](const Tensor& c) { return c < 3.0; },
                                            [&](const Tensor& c) { return c * 1.3 + v * v + 0.2; }, sum(row));
                        };
                        return map_over(one, x);
                      },
                      [](const Tensor& x) {
                        std::vector<Tensor> ys;
                        for (int i = 0; i < 4; ++i) {
                          Tensor c = sum(sin(x[i] * x));
                          for (int k = 0; k < 24; ++k) c = where(c < 3.0, c * 1.3 + x[i] * x[i] + 0.2, c);
                          ys.push_back(c);
                        }
                        return stack(ys);
                      }};
  check_stacks(p);
}

TEST_CASE("the matrix of loops: associative_scan") {
  Problems p;
  auto products = [](const Tensor& x, const Tensor& by) {
    std::vector<Tensor> all = {x[0]};
    for (int i = 1; i < 4; ++i) all.push_back(all.back() * x[i] * by);
    return stack(all);
  };
  p["captures"] = {[](const Tensor& x) {
                     return associative_scan([&](const Tensor& a, const Tensor& b) { return a * b * sum(x * weights); },
                                             sin(x));
                   },
                   [=](const Tensor& x) { return products(sin(x), sum(x * weights)); }};
  p["integers"] = {[](const Tensor& x) {
                     auto both = [](const Numbered& a, const Numbered& b) {
                       return Numbered{a.first + b.first, a.second * b.second};
                     };
                     auto [n, y] = associative_scan(both, Numbered{arange(1, 5), x});
                     return y * n.to(f64);
                   },
                   [=](const Tensor& x) {
                     return products(x, ones({}, f64)) * tensor({1.0, 3.0, 6.0, 10.0}, f64);
                   }};
  p["nothing to do"] = {[](const Tensor& x) {
                          auto times = [](const Tensor& a, const Tensor& b) { return a * b; };
                          return x * sum(associative_scan(times, x.slice(0, 1, 2))) +
                                 sum(associative_scan(times, x.slice(0, 0, 0)));
                        },
                        [](const Tensor& x) { return x * x[1]; }};
  p["writes in place"] = {[](const Tensor& x) {
                            return associative_scan(
                                [](const Tensor& a, const Tensor& b) {
                                  Tensor mine = a.clone();
                                  mine.mul_(b);
                                  return mine;
                                },
                                sin(x), {.reverse = true});
                          },
                          [=](const Tensor& x) { return flip(products(flip(sin(x), 0), ones({}, f64)), 0); }};
  p["loops in it"] = {[](const Tensor& x) {
                        auto add = [](const Tensor& a, const Tensor& b) {
                          return fori_loop(
                              0, 2, [&](const Tensor&, const Tensor& c) { return c + b * 0.5; }, a);
                        };
                        return associative_scan(add, sin(x));
                      },
                      [](const Tensor& x) {
                        Tensor s = sin(x);
                        return stack({s[0], s[0] + s[1], s[0] + s[1] + s[2], s[0] + s[1] + s[2] + s[3]});
                      }};
  check_stacks(p);
}
