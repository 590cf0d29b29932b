// The tool as its users meet it: output, errors, exit codes. JOT_OPT is its path.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "backends/target.h"
#include "jot/ir.h"

using namespace jot;

namespace {

struct Result {
  int code;
  std::string output;  // of both streams
};

// Runs the tool on a file with this text; $f in the arguments is its name. Variables like JOT_DUMP=x stand in front.
Result run(const std::string& arguments, const std::string& text, const std::string& environment = "") {
  char name[] = "/tmp/jot_opt_test_XXXXXX";
  int descriptor = mkstemp(name);
  REQUIRE(descriptor >= 0);
  close(descriptor);
  std::ofstream(name) << text;
  std::string command = std::string("f=") + name + "; exec 2>&1; " + environment + " " JOT_OPT " " + arguments;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  char buffer[4096];
  while (size_t n = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  int status = pclose(pipe);
  std::remove(name);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

bool has(const Result& r, const std::string& part) { return r.output.find(part) != std::string::npos; }

const std::string kLayer =
    "func @layer(%w: f64[3,3], %x: f64[3]) -> (f64[3]) {\n"
    "  %0: f64[3] = dot(%w, %x) {contract=[[1],[0]], batch=[[],[]]} loc(\"demo.cpp\":12)\n"
    "  %1: f64[3] = tanh(%0)\n"
    "  return %1\n"
    "}\n";

// The lines after the inputs.
std::string results(const Result& r) { return r.output.substr(r.output.find("result 0")); }

// A folder that is gone with its contents afterwards; it is made by who writes there first.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/jot_opt_test_XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    root_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(root_); }
  std::string path() const { return root_ / "dump"; }
  // Name, without number and dash, and contents of each file, in order.
  std::vector<std::pair<std::string, std::string>> files() const {
    std::map<std::string, std::string> all;
    if (std::filesystem::exists(path()))
      for (const auto& entry : std::filesystem::directory_iterator(path())) {
        std::ifstream in(entry.path());
        all[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(in), {});
      }
    std::vector<std::pair<std::string, std::string>> list;
    for (const auto& [name, text] : all) list.emplace_back(name.substr(5), text);
    return list;
  }

 private:
  std::filesystem::path root_;
};

}  // namespace

TEST_CASE("jot-opt prints what it read, from a file or the standard input") {
  CHECK(run("$f", kLayer).output == kLayer);
  CHECK(run("- < $f", kLayer).output == kLayer);
  CHECK(run("$f --emit=none", kLayer).output == "");
  CHECK(has(run("$f --emit=dot", kLayer), "digraph \"layer\" {"));
  CHECK(has(run("$f --emit=json", kLayer), "{\"name\": \"layer\","));
  CHECK(has(run("$f --emit=html", kLayer), "<title>@layer</title>"));
}

TEST_CASE("jot-opt runs passes in order, and what it prints is read again") {
  Result r = run("$f --pass=jacrev,vmap,optimize --lanes=2 --verify", kLayer);
  CHECK(r.code == 0);
  ir::Graph g = ir::parse(r.output);
  CHECK(g.num_outputs() == 3);
  CHECK(has(r, "func @layer(%w: f64[2,3,3], %x: f64[2,3]) -> (f64[2,3], f64[2,3,3,3], f64[2,3,3])"));
  for (std::string pass : {"functionalize", "simplify", "fold", "cse", "dce", "optimize", "linearize", "jvp", "vjp",
                           "jacrev", "jacfwd", "vmap", "batch"}) {
    CAPTURE(pass);
    CHECK(run("$f --verify --pass=" + pass, kLayer).code == 0);
  }
  CHECK(has(run("$f --pass=transpose", "func @f(%x: f32[2]) -> (f32[2]) {\n  %0: f32[2] = neg(%x)\n  return %0\n}\n"),
            "%0: f32[2] = neg(%ct0)"));
}

TEST_CASE("jot-opt: arguments of passes") {
  CHECK(has(run("$f --pass='vmap(lanes=2,in_dims=none:1,out_dims=1)'", kLayer),
            "func @layer(%w: f64[3,3], %x: f64[3,2]) -> (f64[3,2])"));
  CHECK(has(run("$f --pass='jacrev(inputs=1),vmap(lanes=5)'", kLayer), "-> (f64[5,3], f64[5,3,3])"));
  CHECK(has(run("$f --pass='hessian(inputs=1)'", kLayer), "f64[3,3,3]"));
  CHECK(has(run("$f --pass='jvp_map(inputs=1)'", kLayer), "-> (f64[3])"));
  CHECK(run("$f --pass='jacfwd(chunk=2),part(outputs=1),optimize' --verify-each", kLayer).code == 0);
  for (const auto& [pass, told] : std::map<std::string, std::string>{
           {"vmap(lane=2)", "[pass] vmap(lane=2): expected KEY=VALUE with a key of lanes in_dims out_dims randomness"},
           {"dce(x=1)", "[pass] dce(x=1): expected no arguments"},
           {"vjp(inputs=x)", "[pass] vjp(inputs=x): expected a number that is not negative"},
           {"vjp(inputs=7)", "[pass] there is no input 7: expected one of 2"},
           {"vmap(in_dims=0)", "[pass] in_dims: expected 2 dims, got 1"},
           {"vmap(randomness=no)", "[pass] vmap(randomness=no): expected error, different or same"},
           {"vmap(lanes=2", "expected a closing bracket"}}) {
    Result r = run("$f --pass='" + pass + "'", kLayer);
    CAPTURE(r.output);
    CHECK(r.code == 1);
    CHECK(has(r, told));
  }
}

TEST_CASE("jot-opt: every pass of --help runs or says why not; the man page has every option") {
  Result help = run("--help", "");
  std::ifstream man(JOT_MAN);
  std::string page(std::istreambuf_iterator<char>(man), {});
  page.erase(std::remove(page.begin(), page.end(), '\\'), page.end());
  REQUIRE(!page.empty());
  std::istringstream lines(help.output);
  bool passes = false;
  int options = 0;
  for (std::string line; std::getline(lines, line);) {
    passes |= line.find("Passes and their arguments") != std::string::npos;
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || line.compare(0, 2, "  ") != 0) continue;
    CAPTURE(name);
    if (passes) {
      Result r = run("$f --verify-each --pass=" + name, kLayer);
      CHECK((r.code == 0 || has(r, "jot-opt: [")));
    } else if (name.compare(0, 2, "--") == 0) {
      ++options;
      CHECK(page.find(name.substr(0, name.find('='))) != std::string::npos);
    }
  }
  CHECK(options >= 10);
}

TEST_CASE("jot-opt: times of passes, kernels") {
  Result timed = run("$f --pass=jacrev,optimize --time-passes --emit=none", kLayer);
  CHECK(timed.code == 0);
  CHECK(has(timed, "jacrev "));
  CHECK(has(timed, "nodes"));
  CHECK(has(timed, " ms\n"));
  Result kernels = run("$f --emit=kernels", kLayer);
  CHECK(kernels.code == 0);
  if (target() != Target::reference) CHECK(has(kernels, "kernel lanes="));
}

TEST_CASE("jot-opt reduces a graph to what makes a command fail") {
  std::string text = "func @f(%x: f64[3], %y: f64[3]) -> (f64[3], f64[3]) {\n  %0: f64[3] = add(%x, %y)\n";
  for (int i = 1; i < 60; ++i)
    text += "  %" + std::to_string(i) + ": f64[3] = " +
            (i == 37 ? "tanh"
             : i % 2 ? "sin"
                     : "exp") +
            "(%" + std::to_string(i - 1) + ")\n";
  text += "  return %59, %20\n}\n";
  // Fails where there is a tanh.
  Result r = run("$f --reduce='sh -c \"! grep -q tanh \\$0\"'", text);
  CAPTURE(r.output);
  CHECK(r.code == 0);
  ir::Graph g = ir::parse(r.output);
  CHECK(g.num_nodes() == 2);
  CHECK(has(r, "tanh"));
  r = run("$f --reduce=true", text);
  CHECK(r.code == 3);
  CHECK(has(r, "jot-opt: --reduce: the command does not fail on this graph: expected an exit code that is not 0"));
  // What a pass does not take fails with a code that is kept.
  r = run("$f --reduce='" JOT_OPT " --pass=transpose'", text);
  CHECK(r.code == 0);
  CHECK(ir::parse(r.output).num_nodes() <= 3);
}

TEST_CASE("jot-opt gives writes their meaning") {
  const std::string effects =
      "func @f(%x: f64[3,4], %i: i64[2,1], %y: f64[4,2]) -> (f64[4,3]) {\n"
      "  %0: f64[3,2] = gather(%x, %i) {offset_dims=[0], collapsed=[1], index_map=[1], operand_batch=[], "
      "index_batch=[], sizes=[3,1], mode=clip}\n"
      "  %1: f64[2,3] = permute(%0) {perm=[1,0]}\n"
      "  %2: token = neg_(%1)\n"
      "  %3: f64[1,4] = slice(%x) {start=[1,0], limit=[2,4], stride=[1,1]}\n"
      "  %4: token = abs_(%3)\n"
      "  %5: f64[4,3] = permute(%x) {perm=[1,0]}\n"
      "  %6: f64[4,3] = read(%5, %4)\n"
      "  return %6\n"
      "}\n";
  CHECK(run("$f --verify", effects).output == effects);
  Result pure = run("$f --pass=functionalize --verify", effects);
  CHECK(pure.code == 0);
  CHECK(ir::parse(pure.output).pure());
  CHECK(has(pure, "scatter_set(%x, %i, "));
  CHECK(has(pure, "writeback %x = "));
  CHECK(!has(pure, "_("));
  // The same numbers with and without, whatever runs them, and a derivative of what came out.
  std::string want = results(run("$f --interpret --seed=3", effects));
  for (std::string how : {"--run", "--pass=functionalize --interpret", "--pass=functionalize,optimize --run"})
    CHECK(results(run("$f --seed=3 " + how, effects)) == want);
  CHECK(run("$f --pass=functionalize,jacrev,vmap --lanes=2 --verify", effects).code == 0);
  Result refused = run("$f --pass=jvp", effects);
  CHECK(refused.code == 1);
  CHECK(has(refused, "functionalize"));
}

TEST_CASE("jot-opt runs a graph on seeded inputs, compiled and interpreted alike") {
  Result interpreted = run("$f --interpret --seed=3", kLayer), compiled = run("$f --run --seed=3", kLayer);
  CHECK(interpreted.code == 0);
  CHECK(compiled.code == 0);
  CHECK(has(interpreted, "%x: f64[3] = ["));
  CHECK(interpreted.output == run("$f --interpret --seed=3", kLayer).output);
  CHECK(interpreted.output != run("$f --interpret --seed=4", kLayer).output);
  CHECK(interpreted.output.substr(0, interpreted.output.find("result 0")) ==
        compiled.output.substr(0, compiled.output.find("result 0")));
  // Exact in floating point, so equal in every backend.
  std::string exact =
      "func @f(%x: f64[4], %n: i64[4]) -> (f64[], i64[4]) {\n  %0: f64[4] = neg(%x)\n  %1: f64[] = reduce_max(%0) "
      "{dims=[0]}\n"
      "  %2: i64[4] = mul(%n, %n)\n  %3: token = neg_(%n)\n  return %1, %2\n}\n";
  Result a = run("$f --run", exact), b = run("$f --interpret", exact);
  CHECK(has(a, "writeback %n: i64[4] = ["));
  CHECK(results(a) == results(b));
  CHECK(run("$f --emit=asm", kLayer).code == 0);
  CHECK(has(run("$f --emit=c", kLayer), "int f(const double* const* in, double* const* out, void* work)"));
}

TEST_CASE("JOT_DUMP has the graph after every pass, the program, each kernel and its assembly") {
  Folder folder;
  CHECK(run("$f --pass=jacrev --run", kLayer, "JOT_DUMP=" + folder.path()).code == 0);
  std::map<std::string, std::string> files;
  std::string order;
  for (const auto& [name, text] : folder.files()) {
    if (name.ends_with(".jot")) {
      CAPTURE(name);
      order += name + " ";
      CHECK_NOTHROW(ir::parse(text));
    }
    files[name] = text;
  }
  CHECK(order == "jacobian.jot recorded.jot functionalize.jot simplify.jot scan_products.jot dce.jot ");
  CHECK(files.at("dce.jot").starts_with("func @layer(%w: f64[3,3], %x: f64[3]) -> (f64[3], f64[3,3,3], f64[3,3])"));
  if (target() != Target::reference) {
    CHECK(files.at("kernel.txt").starts_with("kernel"));
    CHECK(files.at("kernel.s").find("ret") != std::string::npos);
    CHECK(files.at("assembly.s").find("ret") != std::string::npos);
    CHECK(files.at("program.txt").find("kernel") != std::string::npos);
  }
  Folder none;
  CHECK(run("$f --run", kLayer).code == 0);
  CHECK(none.files().empty());
  Result r = run("$f --run", kLayer, "JOT_DUMP=/dev/null/x");
  CHECK(r.code == 1);
  CHECK(r.output.starts_with("jot-opt: [dump] cannot write /dev/null/x/0000-"));
  CHECK(has(r, "; JOT_DUMP must name a writable folder"));
}

TEST_CASE("a graph that does not verify reaches no pass and no backend") {
  Folder folder;
  Result r = run("$f --pass=vmap --run",
                 "func @f(%x: f64[2]) -> (f64[3]) {\n  %0: f64[3] = neg(%x) loc(\"a.cpp\":4)\n  return %0\n}\n",
                 "JOT_DUMP=" + folder.path());
  CHECK(r.code == 1);
  CHECK(has(r, "f64[2]"));
  CHECK(has(r, "line 2, column"));
  CHECK(folder.files().empty());
  // A read of a version that is not the last.
  r = run("$f --run",
          "func @f(%x: f64[2]) -> (f64[2]) {\n  %0: f64[2] = copy(%x)\n  %1: token = neg_(%0)\n  %2: token = neg_(%0)\n"
          "  %3: f64[2] = read(%0, %1)\n  return %3\n}\n",
          "JOT_DUMP=" + folder.path());
  CHECK(r.code == 1);
  CHECK(has(r, "[verify] %3: f64[2] = read(%0, %1): %1 is not the last version of the storage: expected %2"));
  CHECK(folder.files().empty());
}

TEST_CASE("jot-opt: exit codes and messages") {
  Result r = run("$f", "func @f(%x: f32[2]) -> (f32[2]) {\n  %0: f32[2] = sinn(%x)\n  return %0\n}\n");
  CHECK(r.code == 1);
  CHECK(r.output ==
        "jot-opt: [parse] line 2, column 16: expected an op, got 'sinn'\n  %0: f32[2] = sinn(%x)\n               ^\n");
  r = run("$f --pass=simplify,nonsense", kLayer);
  CHECK(r.code == 1);
  CHECK(has(r, "there is no pass 'nonsense': expected one of functionalize, simplify, "));
  r = run("$f --pass=grad", kLayer);
  CHECK(r.code == 1);
  CHECK(has(r, "[grad] expected a 0-d first result, got f64[3]; use vjp or jacrev"));
  r = run("$f --pass=transpose",
          "func @f(%x: f32[2]) -> (f32[2]) {\n  %0: f32[2] = sin(%x) loc(\"a.cpp\":4)\n  return %0\n}\n");
  CHECK(r.code == 1);
  CHECK(has(r, "[sin] cannot be transposed: "));
  CHECK(has(r, "at a.cpp:4"));
  for (std::string arguments : {"", "$f --reduce=", "$f --emit=png", "$f --lanes=-1", "$f --seed=x", "$f --frobnicate",
                                "$f other", "/nonexistent.jot"}) {
    CAPTURE(arguments);
    r = run(arguments, kLayer);
    CHECK(r.code == 2);
    CHECK(r.output.starts_with("jot-opt: "));
    CHECK(has(r, "jot-opt --help tells how to use it"));
  }
  r = run("--help", "");
  CHECK(r.code == 0);
  CHECK(has(r, "jacfwd"));
}
