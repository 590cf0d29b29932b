// Random graphs as exported code: loaded, and called on arrays and work memory that lie between pages which nobody may
// touch, against the interpreter. A failure prints its seed: EXPORT_SEED=n runs that one; EXPORT_PROGRAMS=n runs n of
// them, from EXPORT_FIRST on.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <random>
#include <string>

#include "backends/cpu/ship/export.h"
#include "backends/target.h"
#include "passes/pipeline.h"
#include "tests/backends/random_program.h"
#include "tests/backends/run.h"
#include "tests/support/fuzz_settings.h"
#include "tests/support/random_graph.h"

using namespace jot;
using namespace jot::test;

namespace {

// Bytes that end at a page which nobody may touch, or begin behind one.
class Guarded {
 public:
  Guarded(size_t bytes, bool at_end) : bytes_(bytes) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t inside = (bytes + page - 1) / page * page;
    mapped_ = inside + 2 * page;
    void* at = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(at != MAP_FAILED);
    mapping_ = static_cast<std::byte*>(at);
    data_ = mapping_ + page + (at_end ? inside - bytes : 0);
    if (inside == 0) return;
    REQUIRE(mprotect(mapping_ + page, inside, PROT_READ | PROT_WRITE) == 0);
    std::memset(mapping_ + page, 0xee, inside);
  }
  Guarded(size_t bytes, bool at_end, const void* contents) : Guarded(bytes, at_end) {
    if (bytes > 0) std::memcpy(data_, contents, bytes);
  }
  ~Guarded() {
    if (mapping_) munmap(mapping_, mapped_);
  }
  Guarded(Guarded&& other) noexcept
      : mapping_(std::exchange(other.mapping_, nullptr)),
        data_(other.data_),
        bytes_(other.bytes_),
        mapped_(other.mapped_) {}
  Guarded& operator=(Guarded&&) = delete;

  std::byte* data() const { return data_; }
  void get(std::vector<std::byte>& contents) const {
    if (bytes_ > 0) std::memcpy(contents.data(), data_, bytes_);
  }

 private:
  std::byte *mapping_ = nullptr, *data_ = nullptr;
  size_t bytes_, mapped_ = 0;
};

// A shared object in memory, loaded as one from a file.
class Loaded {
 public:
  explicit Loaded(const std::vector<std::byte>& file) {
    const int descriptor = memfd_create("export_fuzz", MFD_CLOEXEC);
    REQUIRE(descriptor >= 0);
    REQUIRE(write(descriptor, file.data(), file.size()) == static_cast<ssize_t>(file.size()));
    handle_ = dlopen(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), RTLD_NOW | RTLD_LOCAL);
    close(descriptor);
    REQUIRE_MESSAGE(handle_ != nullptr, dlerror());
  }
  ~Loaded() { dlclose(handle_); }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  template <class F>
  F* symbol(const char* name) const {
    void* at = dlsym(handle_, name);
    REQUIRE_MESSAGE(at != nullptr, dlerror());
    return reinterpret_cast<F*>(at);
  }

 private:
  void* handle_ = nullptr;
};

// Rounding of the coarsest dtype of the graph that is computed in.
double tolerance_of(const ir::Graph& graph) {
  const ir::GraphData& g = graph.data();
  for (ir::Value v = 0; v < g.size(); ++v)
    if (is_floating(g.dtype(v)) && g.dtype(v) != f64) return 1e-4;
  return 1e-9;
}

struct Program {
  ir::Graph graph;
  std::vector<HostTensor> inputs;
  std::vector<bool> fixed;  // inputs that the code holds
};

Program random_program(uint64_t seed) {
  std::mt19937 random(static_cast<unsigned>(seed));
  Program p{passes::optimize(seed % 2 ? RandomProgram(seed).make(12) : random_graph(seed, {.nodes = 12})), {}, {}};
  const ir::GraphData& g = p.graph.data();
  for (ir::Value v : g.inputs()) p.inputs.push_back(random_tensor(g.type(v), -2, 2, random));
  for (size_t i = 0; i < p.inputs.size(); ++i) p.fixed.push_back(seed % 3 == 0 && random() % 2 == 0);
  return p;
}

// Nothing: needs more than kernels.
std::optional<cpu::ExportedCode> exported(const Program& p) {
  cpu::ExportedFunction f{.name = "fuzzed", .graph = p.graph, .fixed = {}, .inputs = {}, .outputs = {}};
  for (size_t i = 0; i < p.inputs.size(); ++i) {
    static constexpr std::byte kNone{};  // not null
    const std::vector<std::byte>& bytes = p.inputs[i].bytes;
    f.fixed.emplace_back();
    if (p.fixed[i]) f.fixed.back() = {bytes.empty() ? &kNone : bytes.data(), bytes.size()};
    f.inputs.push_back("x" + std::to_string(i));
  }
  for (size_t i = 0; i < p.graph.data().outputs().size(); ++i) f.outputs.push_back("y" + std::to_string(i));
  try {
    return cpu::export_plain(f, target() == Target::avx512, "test");
  } catch (const InternalError&) {
    throw;
  } catch (const Error&) {
    return {};
  }
}

// Empty if the code does what the interpreter does.
std::string complaint(const Program& p, const cpu::ExportedCode& code, bool at_end) {
  std::vector<HostTensor> wanted, got;
  std::string error;
  try {
    wanted = interpret(p.graph, p.inputs);
  } catch (const Error& e) {
    error = e.what();
  }
  const Loaded library(cpu::shared_object(code.image, "libfuzzed.so"));
  std::vector<Guarded> in, out;
  std::vector<const void*> in_pointers;
  std::vector<void*> out_pointers;
  for (size_t i = 0; i < p.inputs.size(); ++i) {
    const std::vector<std::byte>& bytes = p.inputs[i].bytes;
    in.emplace_back(bytes.size(), at_end, bytes.data());
    in_pointers.push_back(p.fixed[i] ? nullptr : in.back().data());
  }
  for (ir::Value v : p.graph.data().outputs()) {
    got.emplace_back(p.graph.data().type(v));
    out.emplace_back(got.back().bytes.size(), at_end);
    out_pointers.push_back(out.back().data());
  }
  const Guarded work(library.symbol<size_t()>("fuzzed_work_bytes")(), at_end);
  const int result = library.symbol<int(const void* const*, void* const*, void*)>("fuzzed")(
      in_pointers.data(), out_pointers.data(), work.data());
  for (size_t i = 0; i < p.inputs.size(); ++i) {
    std::vector<std::byte> after = p.inputs[i].bytes;
    in[i].get(after);
    if (after != p.inputs[i].bytes) return "input " + std::to_string(i) + " has been written";
  }
  const bool known = code.header.find(" " + std::to_string(result) + ": ") != std::string::npos;
  if (!error.empty())
    return result >= cpu::kFirstFault && known ? "" : "expected \"" + error + "\", got " + std::to_string(result);
  if (result != 0) return "expected no error, got " + std::to_string(result);
  for (size_t i = 0; i < got.size(); ++i) out[i].get(got[i].bytes);
  return difference_of(p.graph, wanted, got, tolerance_of(p.graph));
}

}  // namespace

TEST_CASE("exported code of random graphs does what the interpreter does, and touches no other memory") {
  if (target() == Target::reference) return;  // it may have no AVX2
  const auto [first, last] = JOT_SEEDS("EXPORT", 3000);
  uint64_t kept = 0;
  int failures = 0;
  for (uint64_t seed = first; seed < last && failures < 3; ++seed) {
    const Program p = random_program(seed);
    std::string wrong;
    try {
      const std::optional<cpu::ExportedCode> code = exported(p);
      if (!code) continue;
      ++kept;
      wrong = complaint(p, *code, seed % 4 < 2);
    } catch (const std::exception& e) {
      wrong = e.what();
    }
    if (wrong.empty()) continue;
    ++failures;
    FAIL_CHECK("EXPORT_SEED=" << seed << ": " << wrong << "\n" << to_text(p.graph));
  }
  CHECK(3 * kept >= last - first);
}
