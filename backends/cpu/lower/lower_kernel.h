// One cluster being lowered. Elements of values are made on demand, depth first from what is stored, so that few live
// at a time; on an explicit stack, never by recursion.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/lower/lower.h"
#include "backends/cpu/lower/lower_access.h"
#include "backends/cpu/lower/lower_elements.h"

namespace jot::cpu {

// Most bytes of the elements of all lanes that are put together in memory of the thread: a quarter of a first-level
// cache.
inline constexpr int64_t kTileBytes = 8 << 10;
// And a row of it is a multiple of so many: of others, parts that are loaded straddle what was stored just before,
// which takes longer than memory does.
inline constexpr int64_t kTilePart = 32;

// Stands for the value of an element that is absent: the zeros of identity and diag_embed. Products with it are absent
// too, sums leave it out; where a number is needed it is 0.
inline constexpr uint32_t kAbsent = 0xfffffffe;

// What the clusters of one clustering share.
struct LoweringTables {
  LoweringTables(const Clustering& clustering, int bytes, bool origins, std::vector<uint8_t> streams = {});
  const Clustering& c;
  const ir::GraphData& g;
  int vector_bytes;
  bool keep_origins;
  std::vector<uint8_t> streams;  // of each value; empty: none
  uint32_t mark = 0;             // of the next lowering
  bool lanes_of_sums = false;    // of CompileOptions
  ElementMaps maps;
  std::vector<uint32_t> uses;  // of each value: the operands and outputs that name it
  // Of each value, valid where the stamp is the cluster at hand: first slot of its elements; its access, or the slot of
  // a splat constant.
  std::vector<uint32_t> slot, slot_stamp, access, access_stamp;
};

// What a cluster accesses, with which strides, its widest element, and the phases in which its rows run.
class ClusterSurvey {
 protected:
  using Value = ir::Value;
  ClusterSurvey(LoweringTables& tables, uint32_t cluster);

  // An access.
  struct Found {
    Value value;
    Layout layout;
    std::vector<Stride> by_axis;
  };

  void survey();
  void survey_read(Value o);  // an element of it is used
  void find_phases();
  bool copies_memory(Value v) const;
  Value splat_of(Value v) const;  // kNoValue: none
  bool own(Value v) const { return t_.slot_stamp[v] == mark_; }
  bool in_all_loops(Value v) const;
  void see(DType d) { widest_ = std::max(widest_, bytes_of(kernel_type(d))); }

  LoweringTables& t_;
  const Clustering& c_;
  const ir::GraphData& g_;
  const Cluster& cluster_;
  uint32_t mark_;
  int widest_ = 4;  // bytes of the widest element
  std::vector<Found> found_;
  std::map<Value, size_t> copied_;  // accesses of movements that copy memory
  std::vector<Axis> alone_;         // axes whose index is used
  std::map<Value, int> phase_;      // of members, in kernels of rows
  std::vector<uint32_t> slots_;     // of the elements of members and inlined values, then of what is loaded

 private:
  void survey_operand(Value v, size_t i);
  void find_access(Value v, bool copied);
};

// Sources, what is loaded, and what later phases of a row read again instead of computing it.
class ClusterMemory : protected ClusterSurvey {
 protected:
  using ClusterSurvey::ClusterSurvey;

  uint32_t source(Value v, uint32_t element);
  uint32_t load(Value v, uint32_t element) {
    return load(accesses_[copies_memory(v) ? copied_.at(v) : t_.access[v]], g_.dtype(v), element);
  }
  uint32_t load(Access& a, DType dtype, uint32_t element);
  void find_kept();
  uint32_t load_kept(Value v, uint32_t element);
  uint32_t kept_index(uint32_t element);
  bool is_kept(Value v) const {
    auto at = kept_.find(v);
    return at != kept_.end() && at->second.phase < current_phase_;
  }
  void set_slot(uint32_t slot, uint32_t value);
  bool in_vector() const { return vector_loop_ != kNone; }
  KType index_type() const { return b_->lanes() * 8 <= t_.vector_bytes || b_->lanes() == 1 ? KType::i64 : KType::i32; }
  uint32_t vector_of(uint32_t scalar) { return b_->broadcast(index_type(), scalar); }
  uint32_t integer(int64_t x);
  uint32_t loop_index(Axis a);

  struct Kept {
    int phase;  // in which it is computed
    uint32_t pointer;
  };
  std::map<Value, Kept> kept_;
  int current_phase_ = 0;
  std::unique_ptr<KernelBuilder> b_;
  std::unique_ptr<Arguments> args_;
  std::vector<Loop> loops_;
  size_t outer_ = 0;  // loops around the rows
  uint32_t vector_loop_ = kNone;
  std::vector<Access> accesses_;
  uint32_t slots_made_ = 0;            // slots that have an owner
  std::vector<uint32_t> inner_slots_;  // those set within the loops of a row
  bool inner_ = false;

 private:
  uint32_t splat(Value v, int64_t word);
  uint32_t position(Value v, size_t dim, uint32_t element);  // the index along a dim, of type index_type()
  void load_rows(Access& a, KType t, uint32_t element);
  void load_rows_of_tile(Access& a, KType t, uint32_t first, uint32_t count);
};

// Where the slices of gathers start.
class ClusterGathers : protected ClusterMemory {
 protected:
  using ClusterMemory::ClusterMemory;

  struct Starts {
    uint32_t elements, outside;
    uint32_t base = kNone;  // a scalar: elements that all lanes add
  };
  void add_loop(Starts& starts, Axis axis, const Stride& stride);
  Starts& starts_of(Value v, uint32_t batch, std::span<const uint32_t> indices, std::span<const int64_t> batch_index);
  struct Slice {
    std::vector<int64_t> index, batch_index;  // of the element; without the dims within a slice
    uint32_t batch = 0;                       // their position among elements of the indices
  };
  Slice slice_of(Value v, uint32_t element) const;
  struct Element {  // of the batch, for errors: scalars, in lane 0 and from a lane to the next
    uint32_t first = kNone, step = kNone;
  };
  Element element_of_batch(Value indices, std::span<const int64_t> batch_index);
  uint32_t scaled(uint32_t place, const Stride& stride);

  std::map<std::pair<Value, uint32_t>, Starts> starts_;
  std::set<std::pair<Value, uint32_t>> seen_;  // what starts_ has had in any loop
  std::map<Value, uint32_t> operand_pointers_;
  std::map<Value, std::vector<Stride>> operand_strides_;
  std::vector<Fault> faults_;

 private:
  uint32_t start_along(Value v, size_t k, uint32_t index, uint32_t& outside, Element batch);
};

// Elements, made from what they need, and stored.
class ClusterElements : protected ClusterGathers {
 protected:
  using ClusterGathers::ClusterGathers;

  // Where an operand's element comes from, behind views.
  enum class From : uint8_t { own, memory, source, zero };
  struct Reference {
    From from;
    Value value;
    uint32_t element;
    bool operator==(const Reference&) const = default;
  };
  struct Frame {  // an element being made
    Value value;
    uint32_t element;
    uint32_t next = 0;             // terms of a reduction or dot that are done
    uint32_t accumulator = kNone;  // their sum
    uint8_t resolved = 0;          // valid entries of x
    uint8_t at = 2;                // a sum's operand that is a contracted product, 2: none
    bool negative = false;         // of the product
    Reference x[3];                // operands of the op, or of the current term
  };
  uint32_t make(Value o, uint32_t element);
  void make_frame(const Frame& f);
  void make_all(Value v);
  void check_unseen();
  void emit_store(Value v) { store(accesses_[t_.access[v]], v); }
  // Elements of v; `made` where they are not made as v's are.
  void store(const Access& a, Value v, std::span<const uint32_t> made = {});
  void keep(Value v);
  // Where a value that is written past the caches has several elements a lane, these are put together first.
  bool streams(Value v) const;
  int64_t tile_bytes(Value v) const { return c_.axes.elements(v) * b_->lanes() * size_of(g_.dtype(v)); }
  bool fits_tile(Value v) const {
    return tile_bytes(v) <= kTileBytes && c_.axes.elements(v) * size_of(g_.dtype(v)) % kTilePart == 0;
  }
  void make_tile();
  uint32_t tile_ = kNone;

  ReductionForm form_of(Value v) const;

  std::map<Value, uint32_t> variables_;  // of reductions over loops: their variables begin here
  std::vector<uint32_t> variable_values_;

 private:
  struct Product {
    Reference factor[2];
    bool negative;
  };
  bool is_off_diagonal(Value v, uint32_t element) const;
  Reference resolve(Value o, uint32_t element);
  bool get(const Reference& r, uint32_t& result);         // may be kAbsent
  bool get_number(const Reference& r, uint32_t& result);  // never is
  bool step(Frame& f);
  bool step_elementwise(Frame& f);
  void resolve_sum(Frame& f);
  bool step_sum(Frame& f);
  void resolve_term(Frame& f);
  bool add_product(Frame& f);
  bool step_terms(Frame& f);
  bool step_gather(Frame& f);
  bool step_matrices(Frame& f);
  bool is_unmade(const Reference& r, ir::Op op) const;
  bool strip_signs(Reference& r, bool only_use);
  bool find_product(Reference r, Product& p);
  bool is_nothing(uint32_t x) const;

  std::vector<Frame> stack_;  // each needs the next
  Frame missing_;             // what the last step needs, untouched
};

// Reductions over loops. What an accumulator takes up is bounded: it is folded into a sum of twice the precision.
class ClusterReductions : protected ClusterElements {
 protected:
  using ClusterElements::ClusterElements;

  void start_reduction(Value v);
  void accumulate(Value v);
  void fold();
  void finish_rows(Value v);
  void finish_full(Value v);
  void accumulate_columns(Value v);  // in the memory of the chunk's share

  size_t strip_loop_ = SIZE_MAX;  // runs in strips of strip_ iterations, after each of which sums are folded
  int64_t strip_ = 1;
  uint32_t strips_ = kNone;  // their number, a kernel value

 private:
  uint32_t result_of(Value v, uint32_t element);

  // Variables: what was folded so far is high + low, of what is no sum of floats high alone. An accumulator begins anew
  // after each strip: the next strip need not wait for the last.
  struct Folded {
    uint32_t high, low;
    ir::Op op;
    DType dtype;
  };
  std::map<uint32_t, Folded> folded_;  // by accumulator
  std::map<Value, uint32_t> partials_;
};

// The loops of the kernel, and what stands in them. Of the classes above each knows those before it.
class ClusterLowering : protected ClusterReductions {
 public:
  // read_in_order: what long_rows() of the same cluster gave.
  ClusterLowering(LoweringTables& tables, uint32_t cluster, std::vector<size_t> read_in_order = {})
      : ClusterReductions(tables, cluster), read_in_order_(std::move(read_in_order)) {}
  LoweredKernel run();
  // When it has run: accesses to inputs that do not fit the caches and have so many elements a lane, lane after lane,
  // that column by column they are read out of order.
  std::vector<size_t> long_rows() const;

 protected:
  bool folds_lanes() const;
  void make_loops();
  void make_accesses(std::span<const Axis> axes);
  bool is_sliced(const Found& f) const;
  void open(size_t loop, bool range, bool vector);
  void close(size_t loop);
  void make_milestones();
  LoweredKernel finish();

  std::map<uint32_t, double> iterations_;  // of the loops made, of a range per iteration of the call
  LoweredKernel result_;

 private:
  void start_columns();
  void limit_columns();
  uint32_t open_whole(size_t loop, bool vector);
  uint32_t counted(uint32_t loop, double iterations);
  void emit_plain();
  void emit_rows();
  void emit_phase(std::span<const Value> members, std::span<const Value> kept, bool last);  // last: with loops
  void emit_elements(std::span<const Value> in_loops);
  // Of a phase of nothing but reductions of one loop (lower_side_by_side.cpp).
  bool runs_side_by_side(std::span<const Value> in_loops) const;
  void emit_side_by_side(std::span<const Value> in_loops);
  // The same of rows in lanes: turns of the loop next to that of their terms.
  bool turns_side_by_side(std::span<const std::vector<Value>> phases) const;
  void emit_turns_side_by_side(std::span<const std::vector<Value>> phases);
  bool runs_in_loops(Value v) const { return c_.reduction[v] != Reduction::none || (in_all_loops(v) && c_.stored[v]); }
  void forget_inner();
  void find_strips();
  void close_inner();
  void count_work();

  const std::vector<size_t> read_in_order_;
  int lanes_ = 1;
};

}  // namespace jot::cpu
