// Every row of every module: torch's values, derivatives, keys and initial distributions; stacked states under vmap;
// derivatives of recurrent layers and attention in both modes.
#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "rows.h"

using namespace jot;
using namespace jot::test;

namespace {

std::string class_of(const std::string& row) { return row.substr(0, row.find(' ')); }

// What the golden says of one parameter over many new modules.
struct Distribution {
  double mean = 0, std = 0, largest = 0;
};
struct Expected {
  std::string keys;
  std::map<std::string, Distribution> initial;
  std::map<std::string, std::vector<std::string>> modes;  // the lines of "train", "eval"
};

const std::map<std::string, Expected>& golden() {
  static const auto* all = [] {
    auto* cases = new std::map<std::string, Expected>;
    std::ifstream file(MODULES_GOLDEN);
    Expected* now = nullptr;
    std::vector<std::string>* mode = nullptr;
    for (std::string line, name; std::getline(file, line);) {
      if (line.starts_with("keys")) {
        now = &(*cases)[name];
        now->keys = line.substr(4);
      } else if (line.starts_with("init ")) {
        std::istringstream in(line.substr(5));
        std::string key;
        in >> key;
        Distribution& d = now->initial[key];
        in >> d.mean >> d.std >> d.largest;
      } else if (line == "train" || line == "eval") {
        mode = &now->modes[line];
      } else if (line[0] >= 'A' && line[0] <= 'Z') {
        name = line;
      } else {
        mode->push_back(line);
      }
    }
    return cases;
  }();
  return *all;
}

struct Split {
  List floating;
  std::vector<size_t> places;
};
Split floating_inputs(const List& inputs) {
  Split s;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].dtype() == f64) s.floating.push_back(inputs[i]), s.places.push_back(i);
  return s;
}
List merged(List inputs, const Split& s, const List& floating) {
  for (size_t i = 0; i < floating.size(); ++i) inputs[s.places[i]] = floating[i];
  return inputs;
}

void check_line(const Tensor& got, const std::vector<std::string>& lines, size_t& next) {
  CAPTURE(next);
  REQUIRE(next < lines.size());
  check_near(got.reshape({-1}), lines[next] == "-" ? "" : lines[next], 2e-8);
  ++next;
}

std::string keys_text(const nn::Module& m) {
  std::string text;
  for (const auto& [name, value] : m.state_dict()) {
    std::string extents;
    for (int64_t n : value.shape()) extents += (extents.empty() ? "" : ",") + std::to_string(n);
    text += " " + name + ":" + extents;
  }
  return text;
}

// The classes that the headers define, but for those that others derive from.
std::set<std::string> classes() {
  std::set<std::string> found, bases;
  for (const auto& file : std::filesystem::directory_iterator(MODULES_HEADERS)) {
    if (!file.path().filename().string().starts_with("nn_")) continue;
    std::ifstream in(file.path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    static const std::regex derived("\nclass (\\w+) :"), base(" : public (\\w+) "),
        padding("\nJOT_PAD_MODULE\\((\\w+),");
    auto collect_names = [&](const std::regex& pattern, std::set<std::string>& to) {
      for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) to.insert((*it)[1]);
    };
    collect_names(derived, found);
    collect_names(padding, found);
    collect_names(base, bases);
  }
  for (const std::string& b : bases) found.erase(b);
  return found;
}

}  // namespace

TEST_CASE("every module has a row, every row a golden and the other way round") {
  std::set<std::string> covered;
  for (const auto& [name, row] : module_rows()) {
    CAPTURE(name);
    CHECK(golden().contains(name));
    covered.insert(class_of(name));
  }
  for (const auto& [name, expected] : golden()) {
    CAPTURE(name);
    CHECK(module_rows().contains(name));
  }
  CHECK(classes().size() > 120);
  for (const std::string& name : classes()) {
    CAPTURE(name);
    CHECK(covered.contains(name));
  }
}

TEST_CASE("values, gradients, running statistics and keys are torch's") {
  for (const auto& [name, expected] : golden()) {
    CAPTURE(name);
    const ModuleRow& row = module_rows().at(name);
    CHECK_EQ(keys_text(row.make()), expected.keys);
    for (const auto& [mode, lines] : expected.modes) {
      CAPTURE(mode);
      size_t next = 0;
      Erased m = prepared(row, mode == "train");
      check_line(joined(m(row.inputs)), lines, next);
      const TensorDict buffers = m.named_buffers();

      Erased other = prepared(row, mode == "train");
      const Split split = floating_inputs(row.inputs);
      const TensorDict written = other.named_buffers();
      auto [by_input, by_parameter] = grad<argnums(0, 1)>([&](const List& x, const TensorDict& p, const TensorDict& b) {
        return weighted(functional_call(other, {p, b}, merged(row.inputs, split, x)));
      })(split.floating, other.named_parameters(), written);
      for (const Tensor& g : by_input) check_line(g, lines, next);
      for (const auto& [key, g] : by_parameter) check_line(g, lines, next);
      for (const auto& [key, b] : buffers)
        if (b.dtype() == f64) check_line(b, lines, next);
      CHECK_EQ(next, lines.size());
      // A transform writes the statistics as a call does.
      for (const auto& [key, b] : written) CHECK(allclose(b, buffers.at(key), 1e-12));
    }
  }
}

TEST_CASE("initial distributions are torch's") {
  manual_seed(3);
  constexpr int kModules = 150;
  for (const auto& [name, expected] : golden()) {
    if (expected.initial.empty()) continue;
    CAPTURE(name);
    std::map<std::string, List> values;
    for (int i = 0; i < kModules; ++i)
      for (const auto& [key, value] : module_rows().at(name).make().named_parameters())
        values[key].push_back(value.reshape({-1}));
    CHECK_EQ(values.size(), expected.initial.size());
    for (const auto& [key, d] : expected.initial) {
      CAPTURE(key);
      const std::vector<double> all = cat(values.at(key)).to_vector<double>();
      const auto n = static_cast<double>(all.size());
      double sum = 0, squares = 0, largest = 0;
      for (double x : all) sum += x, squares += x * x, largest = std::max(largest, std::abs(x));
      const double mean = sum / n, std = std::sqrt(std::max(0.0, squares / n - mean * mean));
      if (d.std == 0) {
        CHECK_EQ(mean, doctest::Approx(d.mean));
        CHECK_LE(std, 1e-6);
        continue;
      }
      CHECK_LE(std::abs(mean), 4.5 * d.std / std::sqrt(n));
      CHECK_LE(std::abs(std / d.std - 1), 4.5 / std::sqrt(2 * n));
      if (d.largest < 1.8 * d.std) {  // uniform
        CHECK_LE(largest, d.largest * (1 + 2e-3));
        CHECK_GE(largest, d.largest * 0.95);
      } else {
        CHECK_GE(largest, 2.2 * d.std);
      }
    }
  }
}

TEST_CASE("under vmap of stacked states a module is what each alone is") {
  for (const auto& [name, row] : module_rows())
    for (bool training : {false, true}) {
      if (training && (name.find("Dropout") != std::string::npos || name == "RReLU")) continue;
      CAPTURE(name);
      CAPTURE(training);
      std::vector<Erased> models{prepared(row, training), prepared(row, training)};
      if (models[0].state_dict().empty()) continue;
      for (const auto& [key, p] : models[1].named_parameters()) p.mul_(0.5);
      auto [parameters, buffers] = stack_module_state(models);
      List batched = vmap(
          [&](const TensorDict& p, const TensorDict& b, const List& x) {
            return functional_call(models[0], {p, b}, x);
          },
          {.in_dims = {0, 0, none}})(parameters, buffers, row.inputs);
      for (int64_t i = 0; i < 2; ++i) {
        const Erased& m = models[static_cast<size_t>(i)];
        const List alone = m(row.inputs);
        REQUIRE(alone.size() == batched.size());
        for (size_t k = 0; k < alone.size(); ++k) CHECK(allclose(batched[k][i], alone[k], 1e-10, 1e-12));
        for (const auto& [key, b] : m.named_buffers()) CHECK(allclose(buffers.at(key)[i], b, 1e-10, 1e-12));
      }
    }
}

TEST_CASE("jvp of recurrent layers and attention is what central differences and reverse mode say") {
  for (const auto& [name, row] : module_rows()) {
    const std::string c = class_of(name);
    const bool recurrent = c.find("RNN") == 0 || c.find("LSTM") == 0 || c.find("GRU") == 0;
    if (!recurrent && c != "MultiheadAttention" && c.find("Transformer") != 0) continue;
    CAPTURE(name);
    const Erased m = prepared(row, true);
    const Split split = floating_inputs(row.inputs);
    const TensorDict p = m.named_parameters();
    TensorDict dp;
    List dx;
    double phase = 0;
    for (const auto& [key, value] : p) dp[key] = ramp(value.shape(), ++phase, 1.3);
    for (const Tensor& t : split.floating) dx.push_back(ramp(t.shape(), ++phase, 1.3));
    auto f = [&](const List& x, const TensorDict& q) {
      return joined(functional_call(m, q, merged(row.inputs, split, x)));
    };
    auto at = [&](double h) {
      List x;
      TensorDict q;
      for (size_t i = 0; i < dx.size(); ++i) x.push_back(split.floating[i] + h * dx[i]);
      for (const auto& [key, value] : p) q[key] = value + h * dp.at(key);
      return f(x, q);
    };
    auto [y, dy] = jvp(f, primals(split.floating, p), tangents(dx, dp));
    const double h = 1e-6;
    CHECK(allclose(dy, (at(h) - at(-h)) / (2 * h), 1e-6, 1e-7));
    // <w, J d> = <J^T w, d>
    const Tensor w = cos(arange(y.numel(), f64));
    auto [gx, gp] =
        grad<argnums(0, 1)>([&](const List& x, const TensorDict& q) { return sum(f(x, q) * w); })(split.floating, p);
    Tensor inner = zeros({}, f64);
    for (size_t i = 0; i < dx.size(); ++i) inner = inner + sum(gx[i] * dx[i]);
    for (const auto& [key, d] : dp) inner = inner + sum(gp.at(key) * d);
    CHECK(allclose(inner, sum(dy * w), 1e-10, 1e-12));
  }
}
