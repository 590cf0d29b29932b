#include "backends/cpu/library/onednn.h"

#include "backends/target.h"
#include "ir/log.h"
#include "ir/thread_object.h"

// Of the OpenMP runtime that oneDNN brings along, if it does.
extern "C" {
[[gnu::weak]] void omp_set_num_threads(int);
[[gnu::weak]] int omp_get_max_threads(void);
}

namespace jot::cpu {

OneThread::OneThread() : before_(omp_get_max_threads ? omp_get_max_threads() : 1) {
  if (before_ != 1) omp_set_num_threads(1);
}
OneThread::~OneThread() {
  if (before_ != 1) omp_set_num_threads(before_);
}

void confine_onednn() {
  [[maybe_unused]] static const bool done =
      target() == Target::avx512 || dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2) == dnnl::status::success;
}

std::string onednn_title() {
  confine_onednn();
  const dnnl_version_t* v = dnnl_version();
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  auto has = [isa](dnnl::cpu_isa wanted) {
    return (isa & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
  };
  const Target best = has(dnnl::cpu_isa::avx512_core) ? Target::avx512
                      : has(dnnl::cpu_isa::avx2)      ? Target::avx2
                                                      : Target::reference;
  std::string title = "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor);
  title += best == Target::avx512 ? " AVX-512" : best == Target::avx2 ? " AVX2" : " SSE";
  [[maybe_unused]] static const bool said =
      best >= target() || (log("onednn", title + " has no kernels for " + std::string(to_string(target())) +
                                             " in use: products are slow; unset ONEDNN_MAX_CPU_ISA"),
                           true);
  return title;
}

dnnl::engine& onednn_engine() {
  static auto* e = (confine_onednn(), new dnnl::engine(dnnl::engine::kind::cpu, 0));
  return *e;
}

namespace {

struct Stream {
  dnnl::stream stream{onednn_engine()};
};

}  // namespace

dnnl::stream& onednn_stream() { return ThreadObject<Stream>::get().stream; }

}  // namespace jot::cpu
