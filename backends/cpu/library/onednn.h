// What users of oneDNN share: its engine and streams, its threads, which are the pool's.
#pragma once
#include <algorithm>
#include <cstdint>
#include <dnnl.hpp>
#include <string>

namespace jot::cpu {

// oneDNN's own threads are those of OpenMP: one while this lives.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// Before the first use of oneDNN: confines it to the instructions of this process's target.
void confine_onednn();
// "oneDNN 3.2 AVX-512": version and kernels.
std::string onednn_title();
dnnl::engine& onednn_engine();
dnnl::stream& onednn_stream();  // of this thread

// oneDNN wants a positive step even where an axis has extent 1.
inline int64_t positive(int64_t step, int64_t least) { return step > 0 ? step : std::max<int64_t>(least, 1); }

}  // namespace jot::cpu
