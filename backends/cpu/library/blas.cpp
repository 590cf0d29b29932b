#include "backends/cpu/library/blas.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "ir/log.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

#define JOT_BLAS_QUOTE(text) #text
#define JOT_BLAS_STRING(text) JOT_BLAS_QUOTE(text)

// A variable of the environment that has another value while this lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_)
      setenv(name_, before_->c_str(), 1);
    else
      unsetenv(name_);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

// Where the dynamic linker looks for what the object with this code needs: its rpath, LD_LIBRARY_PATH, the system.
// Asked for by itself because dlopen, where a sanitizer stands in front of it, takes the caller for the sanitizer.
std::vector<std::string> folders() {
  Dl_info object;
  void* map = nullptr;  // that glibc takes for a handle
  Dl_serinfo size;
  if (!dladdr1(reinterpret_cast<const void*>(&folders), &object, &map, RTLD_DL_LINKMAP) ||
      dlinfo(map, RTLD_DI_SERINFOSIZE, &size) != 0)
    return {};
  std::unique_ptr<std::byte[]> memory(new std::byte[size.dls_size]);
  auto* list = new (memory.get()) Dl_serinfo(size);
  if (dlinfo(map, RTLD_DI_SERINFO, list) != 0) return {};
  std::vector<std::string> paths;
  for (unsigned i = 0; i < list->dls_cnt; ++i) paths.emplace_back(list->dls_serpath[i].dls_name);
  return paths;
}

void* open_library() {
  // Started with more threads, each spins for 30 ms before it sleeps.
  Variable threads("OPENBLAS_NUM_THREADS", "1");
  std::optional<Variable> core;
  if (auto name = blas_core(target()); !name.empty() && !std::getenv("OPENBLAS_CORETYPE"))
    core.emplace("OPENBLAS_CORETYPE", std::string(name));
  for (const std::string& folder : folders())
    if (void* library = dlopen((folder + "/" JOT_OPENBLAS_LIBRARY).c_str(), RTLD_LAZY | RTLD_LOCAL)) return library;
  return dlopen(JOT_OPENBLAS_LIBRARY, RTLD_LAZY | RTLD_LOCAL);
}

[[noreturn]] void fail(const std::string& reason) {
  throw Error("[openblas] products and factors of matrices need " JOT_OPENBLAS_LIBRARY ": " + reason +
              "; `meson install` puts it into the folder jot beside libjot.so, or name its folder in LD_LIBRARY_PATH");
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (!function) fail(std::string("it has no ") + name);
}

Blas load() {
  void* library = open_library();
  if (!library) fail(dlerror());
  Blas b;
#define JOT_BLAS(name) find(library, JOT_BLAS_STRING(JOT_BLAS_NAME(name)), b.name);
#define JOT_LAPACK(name, ...) find(library, JOT_BLAS_STRING(JOT_BLAS_NAME(name##_)), b.name);
#include "backends/cpu/library/blas.def"
#undef JOT_BLAS
#undef JOT_LAPACK
  if (b.openblas_get_parallel() != OPENBLAS_SEQUENTIAL) b.openblas_set_num_threads(1);
  const std::string config = b.openblas_get_config(), core = b.openblas_get_corename();  // "OpenBLAS 0.3.34 ..."
  b.title = config.substr(0, config.find(' ', config.find(' ') + 1)) + " " + core;
  if (auto misfit = blas_misfit(core, target()); !misfit.empty()) log("openblas", misfit);
  return b;
}

}  // namespace

std::string_view blas_core(Target target) {
  constexpr std::string_view names[] = {"", "Haswell", "SkylakeX"};
  return names[static_cast<size_t>(target)];
}

std::string blas_misfit(std::string_view core, Target target) {
  std::string name;
  for (char c : core) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  auto one_of = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, name) != names.end();
  };
  const bool avx512 = one_of({"skylakex", "cooperlake", "sapphirerapids"}), avx2 = avx512 || one_of({"haswell", "zen"});
  if (target == Target::reference || (target == Target::avx2 ? avx2 : avx512)) return "";
  return "OpenBLAS runs its " + std::string(core) + " kernels, which do without " + std::string(to_string(target)) +
         ": products are slow; unset OPENBLAS_CORETYPE or set it to " + std::string(blas_core(target)) +
         ", or take a newer OpenBLAS";
}

std::unique_lock<std::mutex> Blas::turn() const {
  static auto* mutex = new std::mutex;
  return openblas_get_parallel() == OPENBLAS_SEQUENTIAL ? std::unique_lock(*mutex) : std::unique_lock<std::mutex>();
}

const Blas& blas() {
  static const auto* loaded = new Blas(load());
  return *loaded;
}

}  // namespace jot::cpu
