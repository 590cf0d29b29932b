// The table of module rows: a module, inputs, a call, each with values of torch's in modules_golden.txt.
#pragma once
#include <jot/jot.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/functions/golden.h"

namespace jot::test {

inline void collect(const Tensor& t, List& out) {
  if (t.defined()) out.push_back(t);
}
template <class A, class B>
void collect(const std::pair<A, B>& p, List& out) {
  collect(p.first, out), collect(p.second, out);
}

// A module whose call takes and gives lists: shares the state of the module that it calls.
struct Erased : nn::Module {
  Erased(const nn::Module& m, std::function<List(const List&)> f) : nn::Module(m), call(std::move(f)) {}
  List operator()(const List& x) const { return call(x); }
  std::function<List(const List&)> call;
};

struct ModuleRow {
  std::function<Erased()> make;
  List inputs;
};

class ModuleRows {
 public:
  std::map<std::string, ModuleRow> rows;

  // Called with the inputs.
  template <class Make, class... T>
  void add(const std::string& name, Make make, const T&... inputs) {
    add_call(name, make, {inputs...}, [](const auto& m, const List& x) {
      return [&]<size_t... I>(std::index_sequence<I...>) { return m(x[I]...); }(std::index_sequence_for<T...>());
    });
  }
  template <class Make, class F>
  void add_call(const std::string& name, Make make, List inputs, F f) {
    rows[name] = {[make, f] {
                    auto m = make();
                    return Erased(m, [m, f](const List& x) {
                      List out;
                      collect(f(m, x), out);
                      return out;
                    });
                  },
                  std::move(inputs)};
  }
};

const std::map<std::string, ModuleRow>& module_rows();
void layer_rows(ModuleRows& t);
void table_rows(ModuleRows& t);
void recurrent_rows(ModuleRows& t);

// Of a row: the floating parameters as the golden has them.
Erased prepared(const ModuleRow& row, bool training);
// sum(y cos(i)) over all outputs.
Tensor weighted(const List& outputs);
Tensor joined(const List& tensors);

}  // namespace jot::test
