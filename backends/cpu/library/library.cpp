// Products of matrices, by what is fastest:
//
//   few columns (`tiled`): our own tiles
//   f32  On AVX-512: small products (at most 2^18 multiplications) BLAS, others oneDNN's matmul. On AVX2: BLAS from 128
//        in each extent (oneDNN falls to a third of its speed in some sizes), others oneDNN's sgemm.
//   f64  BLAS
//   vectors: our own sums of columns; of rows, sums in kernels (prepare.cpp), a loop where they come here after all
//   integers, empty sums, more than 2^31 - 1 elements: our own loop
//
// A dot is a stack of B products [M, K] x [K, N] -> [M, N], the result contiguous. An operand whose batch, free or
// contracted axes are not one axis each, or that has no unit step, is packed first. Work is cut by batch, then by rows
// or columns, or by terms where there are many for few results; the cut depends on sizes only. The library runs on one
// thread in each piece. Pieces with denormal operands run on scaled copies (rescale.h).
#include <algorithm>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <tuple>
#include <vector>

#include "backends/cpu/library/blas.h"
#include "backends/cpu/library/onednn.h"
#include "backends/cpu/library/operands.h"
#include "backends/cpu/library/rescale.h"
#include "backends/cpu/routines/columns.h"
#include "backends/cpu/routines/routines.h"
#include "backends/cpu/routines/tiles.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/runtime/pool.h"
#include "backends/target.h"
#include "ir/fork.h"
#include "ir/thread_object.h"

namespace jot::cpu {

using ir::Ints;
using ir::Key;

namespace {

// One operand as [batch, free, contracted]: extents and steps in elements.
struct Operand {
  int64_t batch = 0, free = 0, contracted = 0;  // steps
  bool packed = false;
  StridedCopy pack;  // to [B, free, contracted], row-major
};

std::vector<int64_t> free_axes(const Shape& x, Ints batch, Ints contract) {
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < static_cast<int64_t>(x.size()); ++d)
    if (std::ranges::find(batch, d) == batch.end() && std::ranges::find(contract, d) == contract.end())
      axes.push_back(d);
  return axes;
}

Operand operand_of(const Shape& x, Ints batch, Ints free, Ints contract, int size) {
  std::vector<int64_t> steps(x.size());
  int64_t step = 1;
  for (size_t i = x.size(); i-- > 0; step *= x[i]) steps[i] = step;
  Operand o;
  bool one =
      merged(x, steps, batch, &o.batch) && merged(x, steps, free, &o.free) && merged(x, steps, contract, &o.contracted);
  int64_t m = extent_of(x, free), k = extent_of(x, contract);
  if (one && (o.contracted == 1 || o.free == 1 || m == 1 || k == 1)) return o;
  o.packed = true;
  o.pack.size = size;
  int64_t to = m * k * extent_of(x, batch);
  for (Ints axes : {batch, free, contract})
    for (int64_t d : axes) {
      auto i = static_cast<size_t>(d);
      to = x[i] == 0 ? 0 : to / x[i];
      o.pack.add(x[i], steps[i], to);
    }
  o.pack.normalise();
  o.batch = m * k;
  o.free = k;
  o.contracted = 1;
  return o;
}

// oneDNN matmul primitives by their sizes and steps: making one takes about 0.5 ms.
struct Matmul {
  dnnl::matmul primitive;
  dnnl::memory::desc a, b, c, scratchpad;
};
using MatmulKey = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t>;

std::shared_ptr<const Matmul> matmul(const MatmulKey& key) {
  constexpr size_t kCapacity = 1024;
  static constinit std::mutex mutex;
  static auto* table = new std::map<MatmulKey, std::shared_ptr<const Matmul>>;
  ForkSafeLock lock(mutex);
  if (auto it = table->find(key); it != table->end()) return it->second;
  OneThread one;
  auto [m, n, k, am, ak, bk, bn] = key;
  using Desc = dnnl::memory::desc;
  constexpr auto f32 = dnnl::memory::data_type::f32;
  auto made = std::make_shared<Matmul>();
  made->a = Desc({m, k}, f32, dnnl::memory::dims{am, ak});
  made->b = Desc({k, n}, f32, dnnl::memory::dims{bk, bn});
  made->c = Desc({m, n}, f32, dnnl::memory::dims{n, 1});
  try {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::matmul::primitive_desc description(onednn_engine(), made->a, made->b, made->c, attributes);
    made->scratchpad = description.scratchpad_desc();
    made->primitive = dnnl::matmul(description);
  } catch (const dnnl::error& e) {
    internal_error("oneDNN makes a matmul", std::string(e.message));
  }
  if (table->size() >= kCapacity) table->erase(table->begin());
  return table->emplace(key, std::move(made)).first->second;
}

struct Sizes {
  int64_t batch, m, n, k;
};

// Scaled operands, of a thread.
struct Copies {
  std::unique_ptr<std::byte[]> data;
  int64_t bytes = 0;
  // Null where there is no memory.
  std::byte* at_least(int64_t n) {
    if (n > bytes) {
      data.reset(new (std::nothrow) std::byte[static_cast<size_t>(n)]);
      bytes = data ? n : 0;
    }
    return data.get();
  }
};

class Dot : public Routine {
 public:
  Sizes s{};
  Operand a, b;
  bool swapped = false;  // a is operand 1
  int size = 4;
  const Rescale* rescale = nullptr;  // of floats

  enum class Cut : uint8_t { rows, rows_or_terms, any };
  // Pieces of at least 20 us, of extents that libraries like. Where terms are many, pieces of these read least.
  void plan(DType dtype, double nanoseconds_per_term, Cut cut) {
    size = size_of(dtype);
    rows = std::max<int64_t>(s.m, 1);
    columns = std::max<int64_t>(s.n, 1);
    double product =
        static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k) * nanoseconds_per_term;
    int64_t most = s.batch >= 8 ? 1 : std::clamp<int64_t>(static_cast<int64_t>(product / 20'000), 1, 16);
    terms = s.k;
    if (cut != Cut::rows && s.k >= 4 * std::max({s.m, s.n, int64_t{kTerms}})) {
      parts = std::min(most, s.k / kTerms);
      terms = ((s.k + parts - 1) / parts + 15) / 16 * 16;
      parts = blocks(s.k, terms);
      if (parts > 1) {
        most = 1;
        fold = ColumnFold(ir::Op::reduce_sum_op, dtype, false);
      }
    }
    // In pieces of rows libraries pack each operand once, in pieces of columns the left one for each.
    int64_t& extent = cut == Cut::any && s.n >= 2 * s.m ? columns : rows;
    auto share = [&](int64_t pieces) { return ((extent + pieces - 1) / pieces + 15) / 16 * 16; };
    const int64_t liked = parts > 1 ? extent : std::min(share(2), std::clamp<int64_t>(share(4), 128, 256));
    extent = std::clamp<int64_t>(std::max(share(most), liked), 1, std::max<int64_t>(extent, 1));
    row_blocks = blocks(s.m, rows);
    column_blocks = blocks(s.n, columns);
    nanoseconds = product / static_cast<double>(row_blocks * column_blocks * parts) + 100;
    for (Operand* o : {&a, &b})
      if (o->packed) scratch_bytes += aligned(o->pack.count() * size);
    part_scratch = scratch_bytes;
    if (parts > 1) scratch_bytes += aligned(s.batch * parts * s.m * s.n * size);
    piece_scratch = scratch_bytes;
  }

  void run(std::span<const void* const> operands, void* out, std::byte* scratch, KernelError&) const final {
    if (s.batch * s.m * s.n == 0) return;
    const void* x[2] = {operands[swapped], operands[!swapped]};
    std::byte* at = scratch;
    for (int i = 0; i < 2; ++i) {
      const Operand& o = i ? b : a;
      if (!o.packed) continue;
      o.pack.run(x[i], at);
      x[i] = at;
      at += aligned(o.pack.count() * size);
    }
    const int64_t tasks = s.batch * row_blocks * column_blocks * parts, results = s.m * s.n;
    std::byte* to = parts > 1 ? scratch + part_scratch : static_cast<std::byte*>(out);
    int64_t chunks = chunks_for(tasks, nanoseconds), share = (tasks + chunks - 1) / chunks;
    auto body = [&](int64_t c, int worker) {
      OneThread one;
      for (int64_t t = c * share; t < std::min((c + 1) * share, tasks); ++t) {
        const int64_t part = t % parts, block = t / parts, batch = block / (row_blocks * column_blocks);
        const int64_t row = block / column_blocks % row_blocks * rows, column = block % column_blocks * columns;
        const int64_t first = part * terms, into = (batch * parts + part) * results + row * s.n + column;
        const std::byte* operand[] = {start(a, x[0], batch, row, first), start(b, x[1], batch, column, first)};
        run_piece(operand, to + into * size,
                  {std::min(rows, s.m - row), std::min(columns, s.n - column), std::min(terms, s.k - first)},
                  scratch + piece_scratch + worker * piece_bytes);
      }
    };
    parallel_for(chunks, body);
    const StridedCopy::Axis all{parts, results, 0};
    for (int64_t i = 0; parts > 1 && i < s.batch; ++i)
      fold(to + i * parts * results * size, nullptr, {&all, 1}, static_cast<std::byte*>(out) + i * results * size,
           results);
  }

  int64_t slices() const final { return parts == 1 && !a.packed && !b.packed ? s.batch : 1; }
  // By rows, in whole pieces.
  bool splits(int64_t split) const final { return s.m % split == 0 && s.m / split % rows == 0; }
  bool slices_operand(size_t i, int64_t split) const final {
    const bool first = (i == 0) != swapped;
    if (split > 1 && !(first && a.contracted == 1 && a.free == s.k)) return false;
    return (first ? a.batch : b.batch) == s.k * (first ? s.m : s.n);
  }
  void run_slice(std::span<const void* const> operands, void* out, Slice slice, std::byte* scratch,
                 int worker) const final {
    OneThread one;
    const int64_t batch = slice.index / slice.split, part = s.m / slice.split, begin = slice.index % slice.split * part;
    for (int64_t row = begin; row < begin + part; row += rows)
      for (int64_t column = 0; column < s.n; column += columns) {
        const std::byte* operand[] = {start(a, operands[swapped], batch, row, 0),
                                      start(b, operands[!swapped], batch, column, 0)};
        run_piece(operand, static_cast<std::byte*>(out) + ((batch * s.m + row) * s.n + column) * size,
                  {std::min(rows, begin + part - row), std::min(columns, s.n - column), s.k},
                  scratch + piece_scratch + worker * piece_bytes);
      }
  }

 protected:
  static int64_t blocks(int64_t extent, int64_t piece) { return std::max<int64_t>(1, (extent + piece - 1) / piece); }
  struct Extents {
    int64_t m, n, k;
  };
  // out[m, n] of a matrix with s.n columns.
  virtual void piece(const void* x, const void* y, void* out, Extents e, std::byte* scratch) const = 0;
  const std::byte* start(const Operand& o, const void* x, int64_t batch, int64_t free, int64_t term) const {
    return static_cast<const std::byte*>(x) + (batch * o.batch + free * o.free + term * o.contracted) * size;
  }
  void run_piece(const std::byte* const (&x)[2], std::byte* out, Extents e, std::byte* scratch) const {
    const int64_t count[] = {span(a, e.m, e.k), span(b, e.n, e.k)};
    const bool denormal[] = {rescale && rescale->finds_denormals(x[0], count[0]),
                             rescale && rescale->finds_denormals(x[1], count[1])};
    if (!(denormal[0] || denormal[1]) || !run_scaled(x, count, denormal, out, e, scratch))
      piece(x[0], x[1], out, e, scratch);
  }
  // From the first element to the last of those that a piece reads.
  static int64_t span(const Operand& o, int64_t free, int64_t k) {
    return k == 0 ? 0 : (free - 1) * o.free + (k - 1) * o.contracted + 1;
  }
  // False where the copies are too large or a result is not finite.
  bool run_scaled(const std::byte* const (&x)[2], const int64_t (&count)[2], const bool (&denormal)[2], std::byte* out,
                  Extents e, std::byte* scratch) const {
    constexpr int64_t kMost = 1 << 20;
    const int64_t first = denormal[0] ? aligned(count[0] * size) : 0, second = denormal[1] ? count[1] * size : 0;
    if (first > kMost || second > kMost) return false;
    std::byte* copies = ThreadObject<Copies>::get().at_least(first + second);
    if (!copies) return false;
    std::byte* to[] = {copies, copies + first};
    bool finite = true;
    for (int i = 0; i < 2; ++i)
      if (denormal[i]) finite &= (*rescale)(x[i], to[i], count[i], 1);
    if (!finite) return false;
    piece(denormal[0] ? to[0] : x[0], denormal[1] ? to[1] : x[1], out, e, scratch);
    const int64_t lines = e.n == s.n ? 1 : e.m;
    for (int64_t r = 0; r < lines; ++r) {
      std::byte* line = out + r * s.n * size;
      finite &= (*rescale)(line, line, e.m * e.n / lines, -denormal[0] - denormal[1]);
    }
    return finite;
  }
  static constexpr int64_t kTerms = 128;                             // of a part, at least
  int64_t rows = 0, columns = 0, row_blocks = 0, column_blocks = 0;  // of a piece; pieces of a product
  int64_t terms = 0, parts = 1;                                      // of a part, whose results are added up in the end
  int64_t part_scratch = 0;
  ColumnFold fold;
  double nanoseconds = 0;
  int64_t piece_scratch = 0, piece_bytes = 0;
};

class OneDnnDot final : public Dot {
 public:
  void prepare() {
    library = onednn_title();
    plan(DType::f32, 0.02, Cut::rows);
    full_ = matmul(key(std::min(rows, s.m)));
    last_ = s.m % rows ? matmul(key(s.m % rows)) : full_;
    piece_bytes = aligned(static_cast<int64_t>(std::max(full_->scratchpad.get_size(), last_->scratchpad.get_size())));
    scratch_bytes += piece_bytes * num_threads();
  }

 private:
  MatmulKey key(int64_t m) const {
    bool row_major = a.contracted == 1 || s.k == 1;
    bool b_row_major = b.free == 1 || s.n == 1;  // b is [K, N]: its free axis is N
    return {m,
            s.n,
            s.k,
            row_major ? positive(a.free, s.k) : 1,
            row_major ? 1 : positive(a.contracted, m),
            b_row_major ? positive(b.contracted, s.n) : 1,
            b_row_major ? 1 : positive(b.free, s.k)};
  }
  void piece(const void* x, const void* y, void* out, Extents e, std::byte* scratch) const override {
    const Matmul& p = e.m == std::min(rows, s.m) ? *full_ : *last_;
    dnnl::stream& stream = onednn_stream();
    auto memory = [](const dnnl::memory::desc& d, const void* data) {
      return dnnl::memory(d, onednn_engine(), const_cast<void*>(data));
    };
    p.primitive.execute(stream, {{DNNL_ARG_SRC, memory(p.a, x)},
                                 {DNNL_ARG_WEIGHTS, memory(p.b, y)},
                                 {DNNL_ARG_DST, memory(p.c, out)},
                                 {DNNL_ARG_SCRATCHPAD, memory(p.scratchpad, scratch)}});
  }
  std::shared_ptr<const Matmul> full_, last_;
};

// C = A B, row-major, either operand perhaps transposed.
template <class T>
struct Product {
  bool ta, tb;
  int64_t m, n, k;
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;
  T* c;
  int64_t ldc;
};

blasint narrow(int64_t n) { return static_cast<blasint>(n); }
CBLAS_TRANSPOSE transposed(bool t) { return t ? CblasTrans : CblasNoTrans; }

struct OpenBlas {
  static std::string title() { return blas().title; }
  static void gemm(const Product<float>& p) {
    auto turn = blas().turn();
    blas().cblas_sgemm(CblasRowMajor, transposed(p.ta), transposed(p.tb), narrow(p.m), narrow(p.n), narrow(p.k), 1, p.a,
                       narrow(p.lda), p.b, narrow(p.ldb), 0, p.c, narrow(p.ldc));
  }
  static void gemm(const Product<double>& p) {
    auto turn = blas().turn();
    blas().cblas_dgemm(CblasRowMajor, transposed(p.ta), transposed(p.tb), narrow(p.m), narrow(p.n), narrow(p.k), 1, p.a,
                       narrow(p.lda), p.b, narrow(p.ldb), 0, p.c, narrow(p.ldc));
  }
};

struct OneDnn {
  static std::string title() { return onednn_title(); }
  // oneDNN keeps these kernels in static objects: it fails in destructors that run at exit after theirs. OpenBLAS ends
  // after all of them.
  static void gemm(const Product<float>& p) {
    auto status =
        dnnl::sgemm(p.ta ? 'T' : 'N', p.tb ? 'T' : 'N', p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, p.c, p.ldc);
    if (status != dnnl::status::success) OpenBlas::gemm(p);
  }
};

template <class T, class Library>
class GemmDot final : public Dot {
 public:
  void prepare() {
    library = Library::title();
    plan(kDType, 0.005 * sizeof(T), Cut::any);
  }

 private:
  static constexpr DType kDType = sizeof(T) == 8 ? DType::f64 : DType::f32;
  void piece(const void* x, const void* y, void* out, Extents e, std::byte*) const override {
    auto* A = static_cast<const T*>(x);
    auto* B = static_cast<const T*>(y);
    auto* C = static_cast<T*>(out);
    const bool a_rows = a.contracted == 1 || s.k == 1, b_rows = b.free == 1 || s.n == 1;
    const int64_t lda = a_rows ? std::max(a.free, s.k) : std::max(a.contracted, s.m);
    const int64_t ldb = b_rows ? std::max(b.contracted, s.n) : std::max(b.free, s.k);
    Library::gemm(Product<T>{!a_rows, !b_rows, e.m, e.n, e.k, A, lda, B, ldb, C, s.n});
  }
};

// By our own tiles: B as it lies if its rows are contiguous, else packed for a piece.
class TileDot final : public Dot {
 public:
  void prepare(DType dtype) {
    plan(dtype, 0.005 * size_of(dtype), Cut::rows_or_terms);
    product_ = TileProduct(dtype, rows_lie(), {std::min(rows, s.m), s.m % rows}, s.n);
    if (b.free == 1) return;
    for (auto [pack, k] : {std::pair(&pack_, terms), std::pair(&last_pack_, s.k - (parts - 1) * terms)}) {
      pack->size = size;
      pack->add(k, b.contracted, s.n);
      pack->add(s.n, b.free, 1);
      pack->normalise();
    }
    piece_bytes = aligned(terms * s.n * size);
    scratch_bytes += piece_bytes * num_threads();
  }

 private:
  bool rows_lie() const { return a.contracted == 1 || s.k == 1; }
  void piece(const void* x, const void* y, void* out, Extents e, std::byte* scratch) const override {
    if (b.free != 1) (e.k == terms ? pack_ : last_pack_).run(y, scratch);
    product_(
        {x, b.free == 1 ? y : scratch, out, rows_lie() ? a.free : a.contracted, b.free == 1 ? b.contracted : s.n, s.n},
        e.m, e.k);
  }
  TileProduct product_;
  StridedCopy pack_, last_pack_;
};

// Whether tiles are faster than libraries: these pack their operands, which takes longer the fewer columns there are.
bool tiled(const Sizes& s, const Operand& a, const Operand& b, DType dtype) {
  const int64_t size = size_of(dtype), narrow = dtype == DType::f64 ? 512 : 128, wide = 2048;
  constexpr int64_t kPacked = int64_t{1} << 20;
  return s.n % TileProduct::lanes(dtype) == 0 && s.n * size <= (target() == Target::avx512 ? wide : narrow) &&
         (a.contracted == 1 || s.m * size <= wide) && (b.free == 1 || s.k * s.n * size <= kPacked);
}

// A vector by matrices whose columns lie side by side: as sums of columns (docs/numerics.md).
class ColumnsDot final : public Dot {
 public:
  void prepare(DType dtype) {
    plan(dtype, 0.1 * size_of(dtype), Cut::rows_or_terms);  // the matrix is read once, from memory
    columns_ = ColumnFold(ir::Op::reduce_sum_op, dtype, true);
  }

 private:
  void piece(const void* x, const void* y, void* out, Extents e, std::byte*) const override {
    const StridedCopy::Axis all{e.k, a.contracted, b.contracted};
    columns_(x, y, {&all, 1}, out, e.m);
  }
  ColumnFold columns_;
};

// Integers, and what BLAS cannot index: row by row, so that neighbours in the result go together.
template <class T>
class LoopDot final : public Dot {
 public:
  void prepare(DType dtype) { plan(dtype, 0.5, Cut::rows); }

 private:
  void piece(const void* x, const void* y, void* out, Extents e, std::byte*) const override {
    using U = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
    auto* A = static_cast<const T*>(x);
    auto* B = static_cast<const T*>(y);
    auto* C = static_cast<U*>(out);
    std::fill_n(C, e.m * s.n, U{});
    for (int64_t r = 0; r < e.m; ++r, C += s.n)
      for (int64_t k = 0; k < e.k; ++k) {
        const U factor = static_cast<U>(A[r * a.free + k * a.contracted]);
        const T* row = B + k * b.contracted;
        if (b.free == 1)
          for (int64_t c = 0; c < s.n; ++c) C[c] += factor * static_cast<U>(row[c]);
        else
          for (int64_t c = 0; c < s.n; ++c) C[c] += factor * static_cast<U>(row[c * b.free]);
      }
  }
};

}  // namespace

std::unique_ptr<const Routine> make_dot(const RoutineContext& context) {
  const ir::GraphData& g = context.g;
  const ir::Value v = context.v;
  const Shape &x = g.shape(g.operand(v, 0)), &y = g.shape(g.operand(v, 1));
  ir::AttrView attrs = g.attrs(v);
  Ints contract_x = attrs.first(Key::contract), contract_y = attrs.second(Key::contract);
  Ints batch_x = attrs.first(Key::batch), batch_y = attrs.second(Key::batch);
  std::vector<int64_t> free_x = free_axes(x, batch_x, contract_x), free_y = free_axes(y, batch_y, contract_y);
  int size = size_of(g.dtype(v));
  Sizes sizes{extent_of(x, batch_x), extent_of(x, free_x), extent_of(y, free_y), extent_of(x, contract_x)};
  Operand left = operand_of(x, batch_x, free_x, contract_x, size);
  Operand right = operand_of(y, batch_y, free_y, contract_y, size);
  const bool swapped = sizes.m == 1 && sizes.n > 1;  // a vector goes right; the result is the same
  if (swapped) {
    std::swap(sizes.m, sizes.n);
    std::swap(left, right);
  }
  auto made = [&](auto dot, auto... arguments) {
    dot->s = sizes;
    dot->a = left;
    dot->b = right;
    dot->swapped = swapped;
    if (is_floating(g.dtype(v))) dot->rescale = &Rescale::of(g.dtype(v));
    dot->prepare(arguments...);
    return dot;
  };
  constexpr int64_t kBlasLimit = (int64_t{1} << 31) - 1, kSmall = int64_t{1} << 18, kLong = 128;
  const bool empty = x.numel() == 0 || y.numel() == 0;  // libraries disagree about empty sums
  const bool vector = sizes.n == 1, columns = vector && !left.packed && left.free == 1 && is_floating(g.dtype(v));
  if (columns && !empty) return made(std::make_unique<ColumnsDot>(), g.dtype(v));
  const bool blas = !empty && !vector && x.numel() <= kBlasLimit && y.numel() <= kBlasLimit;
  if (blas && is_floating(g.dtype(v)) && tiled(sizes, left, right, g.dtype(v)))
    return made(std::make_unique<TileDot>(), g.dtype(v));
  using BlasF32 = GemmDot<float, OpenBlas>;
  switch (g.dtype(v)) {
    case DType::f32:
      if (empty || vector) return made(std::make_unique<LoopDot<float>>(), g.dtype(v));
      confine_onednn();
      if (target() == Target::avx512) {
        if (blas && sizes.m * sizes.n * sizes.k <= kSmall) return made(std::make_unique<BlasF32>());
        return made(std::make_unique<OneDnnDot>());
      }
      if (blas && std::min({sizes.m, sizes.n, sizes.k}) >= kLong) return made(std::make_unique<BlasF32>());
      return made(std::make_unique<GemmDot<float, OneDnn>>());
    case DType::f64:
      if (blas) return made(std::make_unique<GemmDot<double, OpenBlas>>());
      return made(std::make_unique<LoopDot<double>>(), g.dtype(v));
    case DType::i32:
      return made(std::make_unique<LoopDot<int32_t>>(), g.dtype(v));
    case DType::i64:
      return made(std::make_unique<LoopDot<int64_t>>(), g.dtype(v));
    case DType::boolean:
    case DType::u8:
    case DType::bf16:
    case DType::f16:
      break;
  }
  internal_error("a dtype with products", to_string(g.dtype(v)));
}

}  // namespace jot::cpu
